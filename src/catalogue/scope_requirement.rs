//! What a tool must be granted, and which scopes cover others.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::ScopeSet;

/// What a tool must be granted before it is called.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "ScopesFile")]
pub enum ScopeRequirement {
    /// Every one of them. An empty set needs nothing beyond a connection.
    All(ScopeSet),
    /// One of them; the first is the one to ask for.
    Any(Vec<String>),
}

/// `["a", "b"]` or `{ any = ["a", "b"] }`.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a list of scopes, or `{ any = [\"…\"] }`")]
enum ScopesFile {
    All(Vec<String>),
    Any(AnyFile),
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
        }
    }
}

impl Default for ScopeRequirement {
    fn default() -> Self {
        Self::All(ScopeSet::default())
    }
}

impl ScopeRequirement {
    /// Every scope that is named.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let (all, any) = match self {
            Self::All(scopes) => (Some(scopes.iter()), None),
            Self::Any(scopes) => (None, Some(scopes.iter().map(String::as_str))),
        };
        all.into_iter().flatten().chain(any.into_iter().flatten())
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
