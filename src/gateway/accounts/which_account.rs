//! What a caller is told when it is not clear which account a call means.

use super::names;
use crate::connection::Connection;
use crate::gateway::MissingReason;

/// Several accounts would do, and nothing says which one is meant; or one was named that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhichAccount {
    /// Why none was chosen.
    pub why: Unclear,
    /// The accounts to choose from.
    pub accounts: Vec<AccountChoice>,
}

/// Why no account was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unclear {
    /// The call names none, and neither a rule nor a default decides.
    NotSaid,
    /// The call names one that is not there.
    Unknown(String),
    /// What the call says fits several.
    Several(String),
}

/// One account that a call may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountChoice {
    /// What the `account` argument takes for it.
    pub name: String,
    /// It must be connected again before it is of use.
    pub expired: bool,
}

impl WhichAccount {
    pub(super) fn among(choices: &[&Connection], why: Unclear) -> MissingReason {
        let accounts = names(choices).into_iter().zip(choices);
        let choice = |(name, connection): (String, &&Connection)| AccountChoice {
            name,
            expired: !connection.is_active(),
        };
        MissingReason::WhichAccount(Self {
            why,
            accounts: accounts.map(choice).collect(),
        })
    }

    /// What is unclear, in one sentence.
    #[must_use]
    pub fn sentence(&self, service: &str, person: &str) -> String {
        let accounts: Vec<_> = self.accounts.iter().map(AccountChoice::words).collect();
        let accounts = accounts.join(", ");
        match &self.why {
            Unclear::NotSaid => {
                let count = self.accounts.len();
                format!("{person} has {count} accounts at {service}: {accounts}.")
            }
            Unclear::Unknown(said) => {
                format!("{person} has no account {said:?} at {service}. There are: {accounts}.")
            }
            Unclear::Several(said) => {
                format!("{said:?} fits several accounts of {person} at {service}: {accounts}.")
            }
        }
    }
}

impl AccountChoice {
    fn words(&self) -> String {
        let expired = if self.expired {
            " (must be connected again)"
        } else {
            ""
        };
        format!("{:?}{expired}", self.name)
    }
}
