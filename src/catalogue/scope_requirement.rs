//! What a tool must be granted, and which scopes cover others.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::ScopeSet;

/// What a tool must be granted before it is called.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "ScopesFile")]
pub enum ScopeRequirement {
    /// Every one of them. An empty set needs nothing beyond a connection.
    All(ScopeSet),
    /// One of them; the first is the one to ask for.
    Any(Vec<String>),
    /// What an argument of the call says. Seen without a call, it needs what any of its cases needs.
    ByArgument(ScopesByArgument),
}

/// A requirement that differs from call to call.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopesByArgument {
    by_argument: String,
    table: BTreeMap<String, ScopeSet>,
}

/// `["a", "b"]`, `{ any = ["a", "b"] }` or `{ by_argument = "kind", table = { a = ["b"] } }`.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a list of scopes, `{ any = [\"…\"] }`, or `{ by_argument = \"…\", table = { … } }`"
)]
enum ScopesFile {
    All(Vec<String>),
    Any(AnyFile),
    ByArgument(ScopesByArgument),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnyFile {
    any: Vec<String>,
}

impl TryFrom<ScopesFile> for ScopeRequirement {
    type Error = String;

    fn try_from(file: ScopesFile) -> Result<Self, String> {
        match file {
            ScopesFile::All(scopes) => Ok(Self::All(scopes.into_iter().collect())),
            ScopesFile::Any(AnyFile { any }) if any.is_empty() => {
                Err("`any = []` can never be met: leave the scopes empty".to_owned())
            }
            ScopesFile::Any(AnyFile { any }) => Ok(Self::Any(any)),
            ScopesFile::ByArgument(by_argument) => Ok(Self::ByArgument(by_argument)),
        }
    }
}

impl Default for ScopeRequirement {
    fn default() -> Self {
        Self::All(ScopeSet::default())
    }
}

impl ScopesByArgument {
    /// The argument that decides: one that every call has, with a value of the table.
    #[must_use]
    pub fn argument(&self) -> &str {
        &self.by_argument
    }

    /// What each value needs.
    pub fn cases(&self) -> impl Iterator<Item = (&str, &ScopeSet)> {
        self.table
            .iter()
            .map(|(value, scopes)| (value.as_str(), scopes))
    }
}

impl ScopeRequirement {
    /// Every scope that is named, in whatever case.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let (all, any, cases) = match self {
            Self::All(scopes) => (Some(scopes.iter()), None, None),
            Self::Any(scopes) => (None, Some(scopes.iter().map(String::as_str)), None),
            Self::ByArgument(cases) => {
                let scopes = cases.cases().flat_map(|(_, scopes)| scopes.iter());
                (None, None, Some(scopes))
            }
        };
        all.into_iter()
            .flatten()
            .chain(any.into_iter().flatten())
            .chain(cases.into_iter().flatten())
    }

    /// Which value of the deciding argument a call has; none where nothing depends on the call.
    #[must_use]
    pub fn case<'a>(&self, arguments: &'a Map<String, Value>) -> Option<&'a str> {
        match self {
            Self::ByArgument(cases) => arguments.get(&cases.by_argument)?.as_str(),
            Self::All(_) | Self::Any(_) => None,
        }
    }

    /// What is needed where the deciding argument has this value. One that is not in the table, or none at all, leaves
    /// the requirement as it is: everything.
    #[must_use]
    pub fn in_case(&self, case: Option<&str>) -> Cow<'_, Self> {
        match (self, case) {
            (Self::ByArgument(cases), Some(case)) => match cases.table.get(case) {
                Some(scopes) => Cow::Owned(Self::All(scopes.clone())),
                None => Cow::Borrowed(self),
            },
            _ => Cow::Borrowed(self),
        }
    }

    /// Whether some call can run with what is granted.
    #[must_use]
    pub fn is_met_in_some_case(
        &self,
        granted: &ScopeSet,
        implications: &ScopeImplications,
    ) -> bool {
        match self {
            Self::ByArgument(cases) => cases.cases().any(|(_, scopes)| {
                scopes
                    .iter()
                    .all(|scope| implications.covers(granted, scope))
            }),
            Self::All(_) | Self::Any(_) => self.missing(granted, implications).is_empty(),
        }
    }

    /// What must still be asked for, when `granted` is there. Empty: the tool may be called.
    #[must_use]
    pub fn missing(&self, granted: &ScopeSet, implications: &ScopeImplications) -> ScopeSet {
        match self {
            Self::All(scopes) => scopes
                .iter()
                .filter(|scope| !implications.covers(granted, scope))
                .collect(),
            Self::Any(scopes)
                if scopes
                    .iter()
                    .any(|scope| implications.covers(granted, scope)) =>
            {
                ScopeSet::default()
            }
            Self::Any(scopes) => scopes.first().map(String::as_str).into_iter().collect(),
            Self::ByArgument(_) => self
                .iter()
                .filter(|scope| !implications.covers(granted, scope))
                .collect(),
        }
    }
}

/// Which scopes cover others: who holds the wider one need not be asked for the narrower.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct ScopeImplications(BTreeMap<String, ScopeSet>);

impl ScopeImplications {
    /// Whether `scope` is granted, itself or through a wider one, however many steps away.
    #[must_use]
    pub fn covers(&self, granted: &ScopeSet, scope: &str) -> bool {
        let mut seen = ScopeSet::default();
        let mut reached = granted.clone();
        while !reached.is_empty() {
            if reached.contains(scope) {
                return true;
            }
            seen = seen.union(&reached);
            let next: ScopeSet = reached
                .iter()
                .filter_map(|wider| self.0.get(wider))
                .flat_map(ScopeSet::iter)
                .collect();
            reached = next.difference(&seen);
        }
        false
    }

    /// The set without the scopes that others in it cover.
    #[must_use]
    pub fn reduce(&self, scopes: &ScopeSet) -> ScopeSet {
        scopes.iter().fold(scopes.clone(), |kept, scope| {
            let others = kept.difference(&ScopeSet::from_iter([scope]));
            if self.covers(&others, scope) {
                others
            } else {
                kept
            }
        })
    }

    /// Which of the granted scopes covers `scope` and as little as possible besides; itself, where it was granted.
    #[must_use]
    pub fn narrowest<'a>(&self, granted: &'a ScopeSet, scope: &str) -> Option<&'a str> {
        let covers = |held: &str, scope: &str| self.covers(&ScopeSet::from_iter([held]), scope);
        if let Some(itself) = granted.iter().find(|held| *held == scope) {
            return Some(itself);
        }
        let wider: Vec<_> = granted.iter().filter(|held| covers(held, scope)).collect();
        let breadth = |held: &&str| wider.iter().filter(|other| covers(held, other)).count();
        wider.iter().copied().min_by_key(breadth)
    }

    /// Every scope that is named, wider or narrower.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .flat_map(|(wider, narrower)| std::iter::once(wider.as_str()).chain(narrower.iter()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn requirement(value: serde_json::Value) -> ScopeRequirement {
        serde_json::from_value(value).unwrap()
    }

    fn implications() -> ScopeImplications {
        serde_json::from_value(json!({"admin": ["write"], "write": ["read"], "read": ["admin"]}))
            .unwrap()
    }

    fn scopes(text: &str) -> ScopeSet {
        ScopeSet::parse(text, "")
    }

    #[test]
    fn all_of_a_list_are_needed() {
        let all = requirement(json!(["read", "mail"]));
        assert_eq!(
            all.missing(&scopes(""), &implications()),
            scopes("read mail")
        );
        assert_eq!(
            all.missing(&scopes("mail"), &implications()),
            scopes("read")
        );
        assert_eq!(
            all.missing(&scopes("mail admin"), &implications()),
            scopes("")
        );
        assert_eq!(
            requirement(json!([])).missing(&scopes(""), &implications()),
            scopes("")
        );
    }

    #[test]
    fn one_of_any_is_needed_and_the_first_is_asked_for() {
        let any = requirement(json!({"any": ["repo", "public"]}));
        let none = ScopeImplications::default();
        assert_eq!(any.missing(&scopes("gist"), &none), scopes("repo"));
        assert_eq!(any.missing(&scopes("public"), &none), scopes(""));
        assert_eq!(any.iter().collect::<Vec<_>>(), ["repo", "public"]);
    }

    #[test]
    fn an_argument_decides_and_without_a_call_every_case_counts() {
        let by_argument = requirement(
            json!({"by_argument": "kind", "table": {"deal": ["deals"], "contact": ["contacts", "read"]}}),
        );
        let arguments = |value: serde_json::Value| Map::from_iter([("kind".to_owned(), value)]);
        let none = ScopeImplications::default();
        let missing = |arguments: &Map<String, Value>, granted: &str| {
            let case = by_argument.case(arguments);
            by_argument.in_case(case).missing(&scopes(granted), &none)
        };
        assert_eq!(missing(&arguments(json!("deal")), ""), scopes("deals"));
        assert_eq!(missing(&arguments(json!("deal")), "deals"), scopes(""));
        assert_eq!(
            missing(&arguments(json!("contact")), "deals read"),
            scopes("contacts")
        );
        for unclear in [json!("ticket"), json!(7), json!(null)] {
            assert_eq!(
                missing(&arguments(unclear), "read"),
                scopes("contacts deals")
            );
        }
        assert!(by_argument.is_met_in_some_case(&scopes("deals"), &none));
        assert!(!by_argument.is_met_in_some_case(&scopes("contacts"), &none));
        assert_eq!(by_argument.iter().count(), 3);
    }

    #[test]
    fn what_others_cover_is_left_out_and_a_circle_keeps_one() {
        let chain: ScopeImplications =
            serde_json::from_value(json!({"admin": ["write"], "write": ["read"]})).unwrap();
        assert_eq!(
            chain.reduce(&scopes("admin mail read write")),
            scopes("admin mail")
        );
        assert_eq!(implications().reduce(&scopes("admin read")).len(), 1);
        assert_eq!(
            chain.narrowest(&scopes("admin write"), "read"),
            Some("write")
        );
        assert_eq!(chain.narrowest(&scopes("admin read"), "read"), Some("read"));
        assert_eq!(chain.narrowest(&scopes("mail"), "read"), None);
    }

    #[test]
    fn circular_implications_end() {
        assert!(!implications().covers(&scopes("read"), "mail"));
        assert!(implications().covers(&scopes("read"), "write"));
    }

    #[test]
    fn other_shapes_are_refused() {
        for bad in [json!({"any": []}), json!({"all": ["a"]}), json!("a")] {
            assert!(
                serde_json::from_value::<ScopeRequirement>(bad.clone()).is_err(),
                "{bad}"
            );
        }
    }
}
