//! What a client may be allowed to do here, as scopes (RFC 6749 section 3.3).

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing that a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) enum Scope {
    /// See who the account belongs to.
    #[serde(rename = "profile")]
    Profile,
    /// Read the account's notes.
    #[serde(rename = "notes:read")]
    NotesRead,
    /// Write and delete the account's notes.
    #[serde(rename = "notes:write")]
    NotesWrite,
}

impl Scope {
    /// Every scope, in the order of the consent page.
    pub(super) const ALL: [Self; 3] = [Self::Profile, Self::NotesRead, Self::NotesWrite];

    /// The scope as it travels.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::NotesRead => "notes:read",
            Self::NotesWrite => "notes:write",
        }
    }

    /// The scope as a person reads it on the consent page.
    pub(super) const fn in_words(self) -> &'static str {
        match self {
            Self::Profile => "See your name and e-mail address",
            Self::NotesRead => "Read your notes",
            Self::NotesWrite => "Write and delete notes for you",
        }
    }

    /// The scope that travels as `text`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// Some scopes, without order or repetition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct ScopeSet(BTreeSet<Scope>);

impl ScopeSet {
    /// Reads a space-separated list; `None` when one of them is unknown.
    pub(super) fn parse(text: &str) -> Option<Self> {
        text.split(' ')
            .filter(|word| !word.is_empty())
            .map(Scope::parse)
            .collect::<Option<_>>()
            .map(Self)
    }

    /// Whether nothing is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `scope` is in it.
    pub(super) fn contains(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }

    /// Whether everything in it is in `other` as well.
    pub(super) fn is_subset(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    /// The scopes in the order of the consent page.
    pub(super) fn iter(&self) -> impl Iterator<Item = Scope> + '_ {
        self.0.iter().copied()
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

/// Space-separated, as in the `scope` parameter.
impl fmt::Display for ScopeSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, scope) in self.iter().enumerate() {
            if position > 0 {
                formatter.write_str(" ")?;
            }
            formatter.write_str(scope.as_str())?;
        }
        Ok(())
    }
}
