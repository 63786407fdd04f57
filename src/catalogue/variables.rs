//! What the operator of this gateway fills in about a provider, such as the subdomain of a tenant.
//!
//! Variables choose among the hosts that the file allows. They are checked once, when they are given; whoever holds a
//! [`Variables`] holds a proven base address.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::RenderError;
use super::addresses::{Addresses, ProvenAddresses};
use super::url_template::Values;

/// One DNS label: letters, digits and inner hyphens (RFC 1123 section 2.1), in lower case.
const LDH_LABEL: &str = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";

/// What a provider file asks the operator for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    title: String,
    description: String,
    #[serde(default)]
    pattern: Pattern,
    default: Option<String>,
    /// The only values there are.
    #[serde(default, rename = "enum")]
    choices: Vec<String>,
    prefix: Option<String>,
    suffix: Option<String>,
    #[serde(default = "yes")]
    required: bool,
    derive: Option<Derived>,
}

fn yes() -> bool {
    true
}

/// A value that follows from that of another variable: nobody fills it in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Derived {
    pub(super) from: String,
    pub(super) table: BTreeMap<String, String>,
}

/// A regular expression that a value must match from its first to its last character.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Pattern {
    source: String,
    whole: Regex,
    is_declared: bool,
}

impl Pattern {
    /// Whether a value matches from its first to its last character.
    pub(super) fn matches(&self, value: &str) -> bool {
        self.whole.is_match(value)
    }

    /// Whether the file itself writes it.
    pub(super) fn is_declared(&self) -> bool {
        self.is_declared
    }

    /// A pattern of ours; it compiles.
    pub(super) fn constant(source: &'static str) -> Self {
        Self::compile(source, false).expect("a constant pattern compiles")
    }

    fn compile(source: &str, is_declared: bool) -> Result<Self, regex::Error> {
        Ok(Self {
            whole: Regex::new(&format!(r"\A(?:{source})\z"))?,
            source: source.to_owned(),
            is_declared,
        })
    }
}

impl Default for Pattern {
    fn default() -> Self {
        Self::constant(LDH_LABEL)
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(source: String) -> Result<Self, String> {
        Self::compile(&source, true)
            .map_err(|error| format!("`pattern` is no regular expression: {error}"))
    }
}

impl Variable {
    /// What stands above the field of the form.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What to fill in, in a sentence.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The value when none is given. A variable without one must be given.
    #[must_use]
    pub fn default(&self) -> Option<&str> {
        self.default.as_deref()
    }

    /// The regular expression that the whole value matches; without a declared one, that of a single DNS label.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern.source
    }

    /// The only values there are; empty where the pattern alone decides.
    #[must_use]
    pub fn choices(&self) -> &[String] {
        &self.choices
    }

    /// What stands before the field of the form, such as `https://`. Not a part of the value.
    #[must_use]
    pub fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref()
    }

    /// What stands behind it, such as `.example.com`. Not a part of the value.
    #[must_use]
    pub fn suffix(&self) -> Option<&str> {
        self.suffix.as_deref()
    }

    /// Whether the operator must fill it in: it has no default, and nothing gives it a value.
    #[must_use]
    pub fn must_be_given(&self) -> bool {
        self.required && self.default.is_none() && self.derive.is_none()
    }

    /// Whether its value follows from that of another variable, so that nobody fills it in.
    #[must_use]
    pub fn is_derived(&self) -> bool {
        self.derive.is_some()
    }

    /// The variable that this one follows from.
    pub(super) fn derive(&self) -> Option<&Derived> {
        self.derive.as_ref()
    }

    /// Whether there may be no value at all.
    pub(super) fn may_be_absent(&self) -> bool {
        !self.required && self.default.is_none() && self.derive.is_none()
    }

    /// Whether `value` may be used: one of the choices where there are some, and of the form of the pattern where one is
    /// declared or nothing else decides.
    #[must_use]
    pub fn accepts(&self, value: &str) -> bool {
        let is_choice = self.choices.iter().any(|choice| choice == value);
        let is_of_form = self.pattern.matches(value);
        match (self.choices.is_empty(), self.pattern.is_declared) {
            (true, _) => is_of_form,
            (false, true) => is_choice && is_of_form,
            (false, false) => is_choice,
        }
    }

    /// Whether the file itself says which values there are.
    pub(super) fn has_pattern(&self) -> bool {
        self.pattern.is_declared || !self.choices.is_empty() || self.derive.is_some()
    }

    /// What a value looks like, in words of the file.
    fn form(&self) -> String {
        if self.choices.is_empty() {
            self.pattern.source.clone()
        } else {
            self.choices.join("|")
        }
    }
}

/// The variables of one provider, filled in and proven: every host that they lead to is allowed.
#[derive(Clone, Debug)]
pub struct Variables {
    pub(super) provider: Arc<str>,
    pub(super) values: Values,
    /// Whose base addresses are meant: the provider's own, unless it is said otherwise.
    product: Arc<str>,
    addresses: Arc<Addresses>,
    proven: Arc<ProvenAddresses>,
}

impl Variables {
    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Proves every address with these values.
    pub(super) fn prove(
        provider: Arc<str>,
        addresses: Arc<Addresses>,
        values: Values,
    ) -> Result<Self, RenderError> {
        Ok(Self {
            proven: Arc::new(addresses.prove(&values)?),
            product: Arc::clone(&provider),
            provider,
            values,
            addresses,
        })
    }

    /// The same with what a connection says: every value has the declared form, and every address that is made of it is
    /// proven to be on an allowed host. Names that the provider file does not know are left out.
    ///
    /// # Errors
    /// When a value has another form, or leads elsewhere.
    pub fn with_captured(&self, captured: &BTreeMap<String, String>) -> Result<Self, RenderError> {
        let mut values = self.values.clone();
        for (name, value) in captured {
            match self.addresses.accepts(name, value) {
                None => {}
                Some(true) => {
                    values.insert(name.clone(), value.clone());
                }
                Some(false) => {
                    return Err(RenderError::refused(
                        name,
                        "has a form that the provider file does not allow",
                    ));
                }
            }
        }
        let (provider, addresses) = (Arc::clone(&self.provider), Arc::clone(&self.addresses));
        let product = Arc::clone(&self.product);
        let proven = Self::prove(provider, addresses, values)?;
        Ok(Self { product, ..proven })
    }

    /// What the connection says, by name; nothing before [`Variables::with_captured`].
    pub(super) fn captured(&self) -> Map<String, Value> {
        let is_captured = |name: &str| self.addresses.is_captured(name);
        self.values
            .iter()
            .filter(|(name, _)| is_captured(name))
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
            .collect()
    }

    /// The same for requests of another product of the provider. Cheap.
    #[must_use]
    pub fn of_product(&self, product: &Arc<str>) -> Self {
        Self {
            product: Arc::clone(product),
            ..self.clone()
        }
    }

    /// The address that requests lie below: the one with this name, or that of requests which name none.
    ///
    /// # Errors
    /// When the connection is needed to know it, or the product has none of this name.
    pub fn base(&self, name: Option<&str>) -> Result<&Url, RenderError> {
        self.proven.base(&self.product, name).ok_or_else(|| {
            let awaited = self.addresses.awaited(&self.product, name);
            awaited.map_or_else(
                || RenderError::UnknownBase {
                    base: name.unwrap_or_default().to_owned(),
                },
                |awaited| RenderError::NotCaptured {
                    name: awaited.to_owned(),
                },
            )
        })
    }

    /// The hosts that requests of this provider and its products may go to, for the guard of the `egress` floor.
    #[must_use]
    pub fn hosts(&self) -> &[String] {
        &self.proven.hosts
    }
}

/// What is wrong with the variables that were given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VariableProblem {
    /// A variable without a default was not given.
    #[error("`{variable}` ({title}) is required: fill it in")]
    Missing {
        /// Its name.
        variable: String,
        /// Its title.
        title: String,
    },
    /// The provider has no such variable.
    #[error("`{variable}` is no variable of this provider: remove it")]
    Unknown {
        /// The name that was given.
        variable: String,
    },
    /// The value has another form than the file demands.
    #[error("the value of `{variable}` does not match `{pattern}`: correct it")]
    Mismatch {
        /// Its name.
        variable: String,
        /// The pattern.
        pattern: String,
    },
    /// The value follows from that of another variable.
    #[error("`{variable}` follows from `{from}`: remove it")]
    Derived {
        /// Its name.
        variable: String,
        /// The variable that it follows from.
        from: String,
    },
    /// The values lead to no address that may be used.
    #[error("the variables lead to no usable address: {0}")]
    Address(#[from] RenderError),
}

/// Given values over defaults, or every problem with them.
pub(super) fn fill_in(
    declared: &BTreeMap<String, Variable>,
    given: &BTreeMap<String, String>,
) -> Result<Values, Vec<VariableProblem>> {
    let mut values = Values::new();
    let mut problems: Vec<VariableProblem> = given
        .keys()
        .filter(|name| !declared.contains_key(*name))
        .map(|name| VariableProblem::Unknown {
            variable: name.clone(),
        })
        .collect();
    let (derived, plain): (Vec<_>, Vec<_>) = declared
        .iter()
        .partition(|(_, variable)| variable.derive.is_some());
    for (name, variable) in plain {
        match given.get(name).map(String::as_str).or(variable.default()) {
            None if variable.may_be_absent() => {}
            None => problems.push(VariableProblem::Missing {
                variable: name.clone(),
                title: variable.title.clone(),
            }),
            Some(value) if !variable.accepts(value) => problems.push(VariableProblem::Mismatch {
                variable: name.clone(),
                pattern: variable.form(),
            }),
            Some(value) => {
                values.insert(name.clone(), value.to_owned());
            }
        }
    }
    for (name, variable) in derived {
        let Some(Derived { from, table }) = &variable.derive else {
            continue;
        };
        if given.contains_key(name) {
            problems.push(VariableProblem::Derived {
                variable: name.clone(),
                from: from.clone(),
            });
        } else if let Some(value) = values.get(from).and_then(|value| table.get(value)) {
            values.insert(name.clone(), value.clone());
        }
    }
    if problems.is_empty() {
        Ok(values)
    } else {
        Err(problems)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn declared() -> BTreeMap<String, Variable> {
        serde_json::from_value(json!({
            "subdomain": {"title": "Subdomain", "description": "Yours."},
            "port": {"title": "Port", "description": "Its port.", "pattern": "[0-9]{1,5}", "default": "8080"},
        }))
        .unwrap()
    }

    fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn given_values_win_over_defaults() {
        let values = fill_in(&declared(), &given(&[("subdomain", "acme-1")])).unwrap();
        assert_eq!(
            (values["subdomain"].as_str(), values["port"].as_str()),
            ("acme-1", "8080")
        );
        let values = fill_in(&declared(), &given(&[("subdomain", "a"), ("port", "1")])).unwrap();
        assert_eq!(values["port"], "1");
    }

    #[test]
    fn every_problem_is_reported() {
        let problems =
            fill_in(&declared(), &given(&[("port", "80\n"), ("host", "x")])).unwrap_err();
        let kinds: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            kinds,
            [
                "`host` is no variable of this provider: remove it",
                "the value of `port` does not match `[0-9]{1,5}`: correct it",
                "`subdomain` (Subdomain) is required: fill it in",
            ]
        );
    }

    #[test]
    fn choices_derived_and_optional_values_are_filled_in() {
        let declared: BTreeMap<String, Variable> = serde_json::from_value(json!({
            "region": {"title": "Region", "description": "Yours.", "enum": ["us", "eu"], "prefix": "https://", "suffix": ".x.example"},
            "api": {"title": "Api", "description": "Of it.", "derive": {"from": "region", "table": {"us": "one", "eu": "two"}}},
            "team": {"title": "Team", "description": "If any.", "required": false},
        }))
        .unwrap();
        let values = fill_in(&declared, &given(&[("region", "eu")])).unwrap();
        assert_eq!(
            values,
            Values::from([("region".into(), "eu".into()), ("api".into(), "two".into())])
        );
        assert_eq!(declared["region"].prefix(), Some("https://"));
        assert_eq!(declared["region"].suffix(), Some(".x.example"));
        let must: Vec<_> = declared
            .iter()
            .filter(|(_, one)| one.must_be_given())
            .collect();
        assert_eq!(must.len(), 1);
        let wrong = [("region", "cn"), ("api", "one"), ("team", "a.b")];
        let problems = fill_in(&declared, &given(&wrong)).unwrap_err();
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "the value of `region` does not match `us|eu`: correct it",
                "the value of `team` does not match `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`: correct it",
                "`api` follows from `region`: remove it",
            ]
        );
    }

    #[test]
    fn without_a_pattern_only_one_label_passes() {
        let subdomain = &declared()["subdomain"];
        for label in ["a", "acme", "a-b", "0x0", &"a".repeat(63)] {
            assert!(subdomain.accepts(label), "{label}");
        }
        for no_label in [
            "",
            "-a",
            "a-",
            "A",
            "a.b",
            "a/b",
            "a#",
            "a@b",
            "a:1",
            "a b",
            "a\n",
            "ä",
            "%61",
            &"a".repeat(64),
        ] {
            assert!(!subdomain.accepts(no_label), "{no_label:?}");
        }
    }
}
