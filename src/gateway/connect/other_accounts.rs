//! What a new connection means for the person's other accounts at the same service.

use crate::base::ConnectionId;
use crate::connection::{Connection, Status};
use crate::gateway::{Fault, Gateway};

/// How an account that was just connected stands beside the person's others at the same service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtherAccounts {
    /// The others that calls may mean, by their labels.
    pub labels: Vec<String>,
    /// It came to the others: it was not connected before.
    pub joined: bool,
    /// Which of all of them calls use unless they mean another.
    pub default: DefaultNow,
    /// The account that was to be connected again and was not: its connection and its label.
    pub still_expired: Option<(ConnectionId, String)>,
}

/// Which account calls use unless they mean another, seen from one that was just connected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DefaultNow {
    /// None: a call must say which one it means.
    #[default]
    None,
    /// This one.
    This,
    /// Another, by its label.
    Other(String),
}

impl Gateway {
    /// Looks at the others once `connection` is stored, in the place of `replaced` if that was the same account.
    /// `expected` was to be connected again.
    pub(super) async fn other_accounts(
        &self,
        connection: &Connection,
        replaced: Option<&Connection>,
        expected: Option<&ConnectionId>,
    ) -> Result<OtherAccounts, Fault> {
        let (person, service) = (&connection.person, &connection.service);
        let known = self.connections_to(person, service).await?;
        let default = self.default_account(person, service).await?;
        let choices: Vec<_> = known
            .into_iter()
            .map(|record| record.value)
            .filter(Connection::is_choice)
            .collect();
        let others = || choices.iter().filter(|one| one.id != connection.id);
        let is_default = |one: &&Connection| Some(&one.id) == default.as_ref();
        let must_be_mended = |one: &&Connection| {
            Some(&one.id) == expected && matches!(one.status, Status::Expired { .. })
        };
        let missed = others().find(must_be_mended);
        Ok(OtherAccounts {
            joined: !replaced.is_some_and(Connection::is_choice) && others().next().is_some(),
            labels: others().map(|one| one.account.label.clone()).collect(),
            default: match choices.iter().find(is_default) {
                None => DefaultNow::None,
                Some(one) if one.id == connection.id => DefaultNow::This,
                Some(one) => DefaultNow::Other(one.account.label.clone()),
            },
            still_expired: missed.map(|one| (one.id.clone(), one.account.label.clone())),
        })
    }
}
