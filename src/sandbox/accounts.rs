//! The two people who have an account here.
//!
//! Owns who they are. There are no passwords: this is a demonstration service, and whoever sits at this machine may be
//! either of them.

use serde::{Deserialize, Serialize};

/// One of the two accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Account {
    /// Ana.
    Ana,
    /// Ben.
    Ben,
}

impl Account {
    /// Everybody, in the order of the pages.
    pub(super) const ALL: [Self; 2] = [Self::Ana, Self::Ben];

    /// The account whose form value and API id is `id`.
    pub(super) fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|account| account.id() == id)
    }

    /// What the API and the tokens call the account.
    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Ana => "ana",
            Self::Ben => "ben",
        }
    }

    /// What people call it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ana => "Ana",
            Self::Ben => "Ben",
        }
    }

    /// Its e-mail address. Nothing is ever sent there.
    pub(super) const fn email(self) -> &'static str {
        match self {
            Self::Ana => "ana@sandbox.example",
            Self::Ben => "ben@sandbox.example",
        }
    }
}
