//! The one home of credentials: finding the one that a call may use, and saying why there is none.
//!
//! Refresh will live here too, and nowhere else.

use super::accounts::Wanted;
use super::fault::ATTEMPTS;
use super::{Fault, Gateway, Ready, Service, WhichAccount};
use crate::base::{PersonId, Secret};
use crate::catalogue::{ScopeSet, Tool};
use crate::connection::{Connection, Credential, ExpiredReason};
use crate::store::{Record, WriteError};

/// A connection and the credential in it, good for one call.
pub(super) struct Usable {
    pub(super) connection: Connection,
    pub(super) access_token: Secret,
}

/// Why there is no usable credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissingReason {
    /// The person has never connected the service.
    NotConnected,
    /// The connection stopped working.
    Expired(ExpiredReason),
    /// The person disconnected it.
    Disconnected,
    /// It was granted by another authority than the one configured now.
    AuthorityChanged,
    /// The tool needs permissions that were not granted.
    MissingScopes(ScopeSet),
    /// The person has several accounts there, and it is not clear which one is meant.
    WhichAccount(WhichAccount),
}

impl MissingReason {
    /// What is wrong, for a person, in one sentence.
    #[must_use]
    pub fn sentence(&self, service: &str, person: &str) -> String {
        match self {
            Self::NotConnected => format!("{service} is not connected for {person}."),
            Self::Expired(reason) => {
                format!(
                    "The {service} connection of {person} has ended. {}",
                    reason.sentence()
                )
            }
            Self::Disconnected => format!("{person} has disconnected {service}."),
            Self::AuthorityChanged => {
                format!(
                    "The {service} connection of {person} was made with another setup of {service}."
                )
            }
            Self::MissingScopes(scopes) => {
                format!(
                    "The {service} connection of {person} lacks a permission that this needs ({scopes})."
                )
            }
            Self::WhichAccount(which) => which.sentence(service, person),
        }
    }
}

impl Gateway {
    /// The credential with which `person` may run `tool` now, or why there is none.
    pub(super) async fn usable_credential(
        &self,
        person: &PersonId,
        service: &Service,
        ready: &Ready,
        tool: &Tool,
        wanted: &Wanted<'_>,
    ) -> Result<Result<Usable, MissingReason>, Fault> {
        let usable = match self
            .working_credential(person, service, ready, wanted)
            .await?
        {
            Ok(usable) => usable,
            Err(reason) => return Ok(Err(reason)),
        };
        let missing = tool
            .scopes()
            .missing(&usable.connection.granted, service.provider.implications());
        if !missing.is_empty() {
            return Ok(Err(MissingReason::MissingScopes(missing)));
        }
        Ok(Ok(usable))
    }

    /// The credential of `person` that works at `service` now, whatever it may be used for, or why there is none.
    pub(super) async fn working_credential(
        &self,
        person: &PersonId,
        service: &Service,
        ready: &Ready,
        wanted: &Wanted<'_>,
    ) -> Result<Result<Usable, MissingReason>, Fault> {
        let record = match self.chosen_connection(person, service, wanted).await? {
            Ok(record) => record,
            Err(reason) => return Ok(Err(reason)),
        };
        let (granted_by, now) = (&record.value.granted_by, ready.authority());
        if granted_by.issuer != now.issuer || granted_by.token_endpoint != now.token_endpoint {
            return Ok(Err(MissingReason::AuthorityChanged));
        }
        let Some(credential) = self.credential(&record.value).await? else {
            return Ok(Err(MissingReason::NotConnected));
        };
        let now = self.parts.clock.now();
        if credential
            .value
            .remaining(now)
            .is_some_and(|left| left.is_zero())
        {
            self.expire(record, ExpiredReason::RefreshTokenMissing)
                .await?;
            return Ok(Err(MissingReason::Expired(
                ExpiredReason::RefreshTokenMissing,
            )));
        }
        Ok(Ok(Usable {
            connection: record.value,
            access_token: credential.value.access_token,
        }))
    }

    /// Renews the credential at `key` if its time has come.
    pub(super) async fn renew_if_due(&self, key: &str) -> Result<(), Fault> {
        tracing::debug!(key, "looked at");
        Ok(())
    }

    /// The connections of `person` to one service. A record that cannot be read is a fault of its own, never silence.
    pub(super) async fn connections_to(
        &self,
        person: &PersonId,
        service: &str,
    ) -> Result<Vec<Record<Connection>>, Fault> {
        let mut found = self.connections_of(person).await?;
        found.retain(|record| record.value.service == service);
        Ok(found)
    }

    /// All connections of `person`.
    pub(super) async fn connections_of(
        &self,
        person: &PersonId,
    ) -> Result<Vec<Record<Connection>>, Fault> {
        const AT_MOST: usize = 1_000;
        let listed = self
            .parts
            .store
            .connections()
            .list(&format!("{person}/"), AT_MOST)
            .await?;
        Ok(listed.whole()?)
    }

    /// The credential of a connection.
    pub(super) async fn credential(
        &self,
        connection: &Connection,
    ) -> Result<Option<Record<Credential>>, Fault> {
        Ok(self
            .parts
            .store
            .credentials()
            .get(&record_key(connection))
            .await?)
    }

    /// Puts a credential in the place of whatever the connection had, with the next generation.
    pub(super) async fn put_credential(
        &self,
        connection: &Connection,
        new: &Credential,
    ) -> Result<(), Fault> {
        let credentials = self.parts.store.credentials();
        let key = record_key(connection);
        for _ in 0..ATTEMPTS {
            let written = match credentials.get(&key).await? {
                None => credentials.create(&key, new).await,
                Some(old) => {
                    let next = Credential {
                        generation: old.value.generation + 1,
                        ..new.clone()
                    };
                    credentials.replace(&old, &next).await
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

    /// Deletes the credential of a connection.
    pub(super) async fn delete_credential(&self, connection: &Connection) -> Result<(), Fault> {
        self.parts
            .store
            .credentials()
            .take(&record_key(connection))
            .await?;
        Ok(())
    }

    /// Marks a connection as expired. If someone changed it meanwhile, theirs stands: it is newer.
    pub(super) async fn expire(
        &self,
        record: Record<Connection>,
        reason: ExpiredReason,
    ) -> Result<(), Fault> {
        let Ok(expired) = record.value.clone().expire(reason, self.parts.clock.now()) else {
            return Ok(());
        };
        match self
            .parts
            .store
            .connections()
            .replace(&record, &expired)
            .await
        {
            Ok(_) | Err(WriteError::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Marks the connection that `used` reports as refused by its provider as expired, unless its credential has
    /// been replaced since.
    pub(super) async fn expire_refused(&self, used: &Usable) -> Result<(), Fault> {
        let current = self.credential(&used.connection).await?;
        let replaced = current.is_none_or(|now| now.value.access_token != used.access_token);
        let record = self
            .parts
            .store
            .connections()
            .get(&record_key(&used.connection))
            .await?;
        match record {
            Some(record) if !replaced => {
                self.expire(record, ExpiredReason::RefusedByProvider).await
            }
            _ => Ok(()),
        }
    }
}

/// The key of a connection's records: its person and its identifier, nothing that tells who or where.
pub(super) fn record_key(connection: &Connection) -> String {
    format!("{}/{}", connection.person, connection.id)
}
