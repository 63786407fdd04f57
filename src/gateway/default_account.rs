//! The account that a person uses by default at a service where they have several.
//!
//! The record is read by whoever chooses an account, and says nothing where it points to one that is disconnected.

use std::collections::BTreeMap;

use super::fault::ATTEMPTS;
use super::{DamagedConnection, Fault, Gateway, MissingReason};
use crate::base::{ConnectionId, PersonId};
use crate::connection::{Connection, DefaultAccount};
use crate::identity::Principal;
use crate::store::WriteError;

/// Why an account did not become the default.
#[derive(Debug)]
pub enum DefaultAccountError {
    /// The person has no such connection. The same answer whether it is another's or nobody's.
    UnknownConnection,
    /// It cannot be told which account is meant, or it is disconnected.
    Missing(MissingReason),
    /// Something failed on our side.
    Fault(Fault),
}

impl DefaultAccountError {
    /// What is wrong, for a person, in one sentence.
    #[must_use]
    pub fn sentence(&self, service: &str, person: &str) -> String {
        match self {
            Self::UnknownConnection => format!("{person} has no such account at {service}."),
            Self::Missing(reason) => reason.sentence(service, person),
            Self::Fault(fault) => fault.sentence().to_owned(),
        }
    }
}

impl From<MissingReason> for DefaultAccountError {
    fn from(reason: MissingReason) -> Self {
        Self::Missing(reason)
    }
}

impl From<Fault> for DefaultAccountError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Gateway {
    /// Makes the account of this connection the one that calls use unless they mean another.
    ///
    /// # Errors
    /// [`DefaultAccountError`]: not theirs, disconnected, or a fault on our side.
    pub async fn set_default_account(
        &self,
        principal: &Principal,
        id: &ConnectionId,
    ) -> Result<Connection, DefaultAccountError> {
        let connection = self.own_account(principal, id).await?;
        if !connection.is_choice() {
            return Err(MissingReason::Disconnected.into());
        }
        self.put_default(&connection).await?;
        self.parts.arrivals.announce(&principal.id);
        tracing::info!(connection = %id, service = connection.service, "used by default");
        Ok(connection)
    }

    /// The account of this connection is no longer the default, if it was.
    ///
    /// # Errors
    /// [`DefaultAccountError`]: not theirs, or a fault on our side.
    pub async fn clear_default_account(
        &self,
        principal: &Principal,
        id: &ConnectionId,
    ) -> Result<Connection, DefaultAccountError> {
        let connection = self.own_account(principal, id).await?;
        self.forget_default(&connection).await?;
        self.parts.arrivals.announce(&principal.id);
        Ok(connection)
    }

    async fn own_account(
        &self,
        principal: &Principal,
        id: &ConnectionId,
    ) -> Result<Connection, DefaultAccountError> {
        let key = format!("{}/{id}", principal.id);
        let found = self.set_apart(self.parts.store.connections().get(&key).await)?;
        let record = found.ok().flatten();
        Ok(record.ok_or(DefaultAccountError::UnknownConnection)?.value)
    }

    async fn put_default(&self, connection: &Connection) -> Result<(), Fault> {
        let defaults = self.parts.store.default_accounts();
        let key = self.default_key(&connection.person, &connection.service);
        let new = DefaultAccount {
            service: connection.service.clone(),
            connection: connection.id.clone(),
        };
        for _ in 0..ATTEMPTS {
            let written = match self.set_apart(defaults.get(&key).await)? {
                Ok(Some(old)) => defaults.replace(&old, &new).await,
                Ok(None) => defaults.create(&key, &new).await,
                Err(damaged) => {
                    self.discard(&damaged).await?;
                    defaults.create(&key, &new).await
                }
            };
            match written {
                Ok(_) => return Ok(()),
                Err(WriteError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Fault::Contention)
    }

    /// Forgets that the account of `connection` is the default. If another has become it meanwhile, that stands.
    pub(super) async fn forget_default(&self, connection: &Connection) -> Result<(), Fault> {
        let defaults = self.parts.store.default_accounts();
        let key = self.default_key(&connection.person, &connection.service);
        for _ in 0..ATTEMPTS {
            let found = match self.set_apart(defaults.get(&key).await)? {
                Ok(found) => found,
                // Whichever it named, nobody knows any more.
                Err(damaged) => return self.discard(&damaged).await,
            };
            let Some(record) = found.filter(|found| found.value.connection == connection.id) else {
                return Ok(());
            };
            match defaults.delete(&record).await {
                Ok(()) => return Ok(()),
                Err(WriteError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Fault::Contention)
    }

    /// Forgets a choice that means a connection which cannot be read: nothing would ever use what is connected in its
    /// place.
    pub(super) async fn forget_unreadable_default(
        &self,
        person: &PersonId,
        service: &str,
    ) -> Result<(), Fault> {
        let Some(default) = self.default_account(person, service).await? else {
            return Ok(());
        };
        let (_, damaged) = self.all_connections_of(person).await?;
        match damaged.iter().find(|one| one.connection == default) {
            Some(one) => self.forget_default_of(one).await,
            None => Ok(()),
        }
    }

    /// Forgets that the account of a connection that cannot be read is the default, wherever that was.
    pub(super) async fn forget_default_of(&self, gone: &DamagedConnection) -> Result<(), Fault> {
        let defaults = self.parts.store.default_accounts();
        let prefix = format!("{}/", gone.person);
        for record in self.readable(defaults.list(&prefix, usize::MAX).await?) {
            if record.value.connection == gone.connection {
                match defaults.delete(&record).await {
                    Ok(()) | Err(WriteError::Conflict) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    /// What `person` has chosen at `service`. A choice that cannot be read is none: where it matters, they are asked.
    pub(super) async fn default_account(
        &self,
        person: &PersonId,
        service: &str,
    ) -> Result<Option<ConnectionId>, Fault> {
        let key = self.default_key(person, service);
        let found = self.parts.store.default_accounts().get(&key).await;
        let found = self.set_apart(found)?.ok().flatten();
        Ok(found.map(|found| found.value.connection))
    }

    /// What `person` has chosen, by service.
    pub(super) async fn default_accounts(
        &self,
        person: &PersonId,
    ) -> Result<BTreeMap<String, ConnectionId>, Fault> {
        const AT_MOST: usize = 1_000;
        let defaults = self.parts.store.default_accounts();
        let listed = defaults.list(&format!("{person}/"), AT_MOST).await?;
        let chosen = self.readable(listed).into_iter().map(|record| record.value);
        Ok(chosen
            .map(|chosen| (chosen.service, chosen.connection))
            .collect())
    }

    fn default_key(&self, person: &PersonId, service: &str) -> String {
        format!("{person}/{}", self.parts.store.index(&[service]))
    }
}
