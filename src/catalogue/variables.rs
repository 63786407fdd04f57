//! What the operator of this gateway fills in about a provider, such as the subdomain of a tenant.
//!
//! Variables choose among the hosts that the file allows. They are checked once, when they are given; whoever holds a
//! [`Variables`] holds a proven base address.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;
use serde::Deserialize;
use url::Url;

use super::RenderError;
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
}

/// A regular expression that a value must match from its first to its last character.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Pattern {
    source: String,
    whole: Regex,
    is_declared: bool,
}

impl Pattern {
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
        Self::compile(LDH_LABEL, false).expect("the pattern of a label is a constant that compiles")
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

    /// Whether `value` may be used.
    #[must_use]
    pub fn accepts(&self, value: &str) -> bool {
        self.pattern.whole.is_match(value)
    }

    /// Whether the file declares a pattern of its own.
    pub(super) fn has_pattern(&self) -> bool {
        self.pattern.is_declared
    }
}

/// The variables of one provider, filled in and proven: every host that they lead to is allowed.
#[derive(Clone, Debug)]
pub struct Variables {
    pub(super) provider: Arc<str>,
    pub(super) values: Values,
    pub(super) base: Url,
    pub(super) hosts: Vec<String>,
}

impl Variables {
    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The address that every tool of the provider lies below.
    #[must_use]
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// The hosts that requests of this provider may go to, for the guard of the `egress` floor.
    #[must_use]
    pub fn hosts(&self) -> &[String] {
        &self.hosts
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
    for (name, variable) in declared {
        match given.get(name).map(String::as_str).or(variable.default()) {
            None => problems.push(VariableProblem::Missing {
                variable: name.clone(),
                title: variable.title.clone(),
            }),
            Some(value) if !variable.accepts(value) => problems.push(VariableProblem::Mismatch {
                variable: name.clone(),
                pattern: variable.pattern().to_owned(),
            }),
            Some(value) => {
                values.insert(name.clone(), value.to_owned());
            }
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
