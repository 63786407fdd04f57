//! The one home of credentials: finding the one that a call may use, keeping it fresh, and saying why there is none.
//!
//! When to renew is decided here; how it is done is in [`renewal`](super::renewal).

use std::time::Duration;

use super::accounts::Wanted;
use super::call::Asked;
use super::damage::{Damaged, DamagedConnection};
use super::fault::ATTEMPTS;
use super::renewal::{Outcome, Stale};
use super::{Fault, Gateway, Ready, Service, WhichAccount};
use crate::base::{PersonId, Secret};
use crate::catalogue::ScopeSet;
use crate::connection::{Connection, Credential, ExpiredReason};
use crate::store::{Record, WriteError};

/// A connection and the credential in it, good for one call.
pub(super) struct Usable {
    pub(super) connection: Connection,
    pub(super) access_token: Secret,
    generation: u64,
    /// The provider gave the token just now, for this very call.
    is_brand_new: bool,
}

impl Usable {
    fn new(connection: Connection, credential: &Credential) -> Self {
        Self {
            connection,
            access_token: credential.access_token.clone(),
            generation: credential.generation,
            is_brand_new: false,
        }
    }

    /// The provider gave the token just now, for this very call: a refusal of it is about the grant, not about its age.
    pub(super) fn is_brand_new(&self) -> bool {
        self.is_brand_new
    }
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
    /// The tool needs permissions that were granted once, and the provider does not allow it any more.
    ScopesWithdrawn {
        /// What the tool needs.
        scopes: ScopeSet,
        /// What the provider said.
        said: String,
    },
    /// The person has several accounts there, and it is not clear which one is meant.
    WhichAccount(WhichAccount),
    /// There is none that works, and one of the person's connections cannot be read: it may be this one.
    Unreadable,
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
            Self::ScopesWithdrawn { scopes, said } => {
                format!(
                    "{service} does not allow it any more for the connection of {person}: this needs a permission ({scopes}) \
                     that {service} no longer accepts. It said: {said}."
                )
            }
            Self::MissingScopes(scopes) => {
                format!(
                    "The {service} connection of {person} lacks a permission that this needs ({scopes})."
                )
            }
            Self::WhichAccount(which) => which.sentence(service, person),
            Self::Unreadable => format!(
                "One of the connections of {person} cannot be read, since what Attache stored for it was damaged or \
                 changed; if that was {service}, it has to be connected again."
            ),
        }
    }
}

/// Why a call cannot go on now.
#[derive(Debug)]
pub(super) enum Unusable {
    /// The person has to do something first.
    Missing(MissingReason),
    /// The credential must be renewed first, and the provider does not do it now; the connection stays.
    Delayed(Duration),
    /// Something failed on our side.
    Fault(Fault),
}

impl<E: Into<Fault>> From<E> for Unusable {
    fn from(error: E) -> Self {
        Self::Fault(error.into())
    }
}

impl Gateway {
    /// The credential with which the call may run now. Renewed first when its end is near; when it is not far, it is
    /// renewed meanwhile.
    pub(super) async fn usable_credential(
        &self,
        asked: &Asked<'_>,
        ready: &Ready,
    ) -> Result<Usable, Unusable> {
        let (person, service) = (&asked.caller.principal.id, &asked.service);
        let (connection, credential) = self
            .standing_credential(person, service, ready, &asked.wanted)
            .await?;
        if let Some(reason) = lacking(asked, &connection.value.granted) {
            return Err(Unusable::Missing(reason));
        }
        let key = record_key(&connection.value);
        let fresh = self.fresh(&key, credential.value).await?;
        Ok(Usable::new(connection.value, &fresh))
    }

    /// What is lacking before the call can run, if anything. Waits for no provider.
    pub(super) async fn missing_before(
        &self,
        asked: &Asked<'_>,
        ready: &Ready,
    ) -> Result<Option<MissingReason>, Fault> {
        let (person, service) = (&asked.caller.principal.id, &asked.service);
        let standing = self.standing_credential(person, service, ready, &asked.wanted);
        match standing.await {
            Ok((connection, _)) => Ok(lacking(asked, &connection.value.granted)),
            Err(Unusable::Missing(reason)) => Ok(Some(reason)),
            Err(Unusable::Delayed(_)) => Ok(None),
            Err(Unusable::Fault(fault)) => Err(fault),
        }
    }

    /// Whether `person` has a connection to `service` that works or can be renewed. Waits for no provider.
    pub(super) async fn is_connected(
        &self,
        person: &PersonId,
        service: &Service,
        ready: &Ready,
    ) -> Result<bool, Fault> {
        let wanted = Wanted::anything();
        let standing = self.standing_credential(person, service, ready, &wanted);
        match standing.await {
            Ok(_) | Err(Unusable::Delayed(_)) => Ok(true),
            // Connecting decides nothing: it is the call that says which account it means.
            Err(Unusable::Missing(MissingReason::WhichAccount(which))) => {
                Ok(which.accounts.iter().any(|account| !account.expired))
            }
            Err(Unusable::Missing(_)) => Ok(false),
            Err(Unusable::Fault(fault)) => Err(fault),
        }
    }

    /// The connection that `person` uses at `service` and its credential, which works or can be renewed.
    async fn standing_credential(
        &self,
        person: &PersonId,
        service: &Service,
        ready: &Ready,
        wanted: &Wanted<'_>,
    ) -> Result<(Record<Connection>, Record<Credential>), Unusable> {
        let connection = self
            .chosen_connection(person, service, wanted)
            .await?
            .map_err(Unusable::Missing)?;
        let (granted_by, now) = (&connection.value.granted_by, ready.authority());
        if granted_by.issuer != now.issuer || granted_by.token_endpoint != now.token_endpoint {
            return Err(Unusable::Missing(MissingReason::AuthorityChanged));
        }
        let stored = self
            .stored_credential(&record_key(&connection.value))
            .await?;
        let Ok(stored) = stored else {
            let reason = ExpiredReason::Damaged;
            return Err(Unusable::Missing(MissingReason::Expired(reason)));
        };
        let Some(credential) = stored else {
            return Err(Unusable::Missing(MissingReason::NotConnected));
        };
        let left = self.remaining(&record_key(&connection.value), &credential.value);
        let is_over = left.is_some_and(|left| left.is_zero());
        if is_over && *granted_by != now {
            return Err(Unusable::Missing(MissingReason::AuthorityChanged));
        }
        if is_over && credential.value.refresh_token.is_none() {
            let reason = ExpiredReason::RefreshTokenMissing;
            match self.expire(connection, reason).await {
                // Whoever looks next finds the same.
                Err(fault) if fault.is_full_disk() => {}
                expired => expired?,
            }
            return Err(Unusable::Missing(MissingReason::Expired(reason)));
        }
        Ok((connection, credential))
    }

    /// `credential`, or a newer one when its end is near. While it still works, a provider that does not renew it now
    /// stops nothing.
    async fn fresh(&self, key: &str, credential: Credential) -> Result<Credential, Unusable> {
        let left = self.remaining(key, &credential);
        let Some(left) = left.filter(|_| credential.refresh_token.is_some()) else {
            return Ok(credential);
        };
        if left > credential.margin() {
            return Ok(credential);
        }
        let stale = Stale::old(&credential);
        if left > credential.reserve() {
            self.renew_in_background(key, stale);
            return Ok(credential);
        }
        let renewed = match self.renew(key, &stale).await {
            // Nothing was sent, and what there is still works.
            Err(fault) if fault.is_full_disk() && !left.is_zero() => return Ok(credential),
            renewed => renewed?,
        };
        match renewed {
            Outcome::Newer(newer) => Ok(Credential::clone(&newer)),
            Outcome::NotNow { .. } | Outcome::OtherAuthority if !left.is_zero() => Ok(credential),
            other => Err(not_renewed(&other)),
        }
    }

    /// The credential after the provider refused the one that was used: renewed, or why there is none. A connection
    /// without a refresh token has ended then.
    pub(super) async fn renew_refused(&self, used: &Usable) -> Result<Usable, Unusable> {
        let key = record_key(&used.connection);
        let stale = Stale::refused(used.generation, &used.access_token);
        let known = self.newest_generation(&key).await?;
        match self.renew(&key, &stale).await? {
            Outcome::Newer(newer) => Ok(Usable {
                is_brand_new: known.is_none_or(|known| newer.generation > known),
                ..Usable::new(used.connection.clone(), &newer)
            }),
            other => {
                // The calls that come meanwhile need not find out the same again.
                self.note_end(&key, used.generation);
                Err(not_renewed(&other))
            }
        }
    }

    /// The generation of the newest credential that there is, stored or not yet; none where nothing can be read.
    async fn newest_generation(&self, key: &str) -> Result<Option<u64>, Fault> {
        let stored = self.stored_credential(key).await?.ok().flatten();
        let stored = stored.map(|record| record.value.generation);
        Ok(stored.max(self.parts.renewals.unsaved_generation(key)))
    }

    /// Ends the connection whose brand-new access token was refused as well, unless a still newer one is there.
    pub(super) async fn end_refused(&self, used: &Usable) -> Result<MissingReason, Fault> {
        let reason = ExpiredReason::RefusedByProvider;
        let key = record_key(&used.connection);
        let Ok(current) = self.stored_credential(&key).await? else {
            return Ok(MissingReason::Expired(ExpiredReason::Damaged));
        };
        let is_newest = current.is_some_and(|now| now.value.generation == used.generation);
        let connection = self.set_apart(self.parts.store.connections().get(&key).await)?;
        if is_newest && let Ok(Some(record)) = connection {
            match self.expire(record, reason).await {
                // Whoever looks next finds the same.
                Err(fault) if fault.is_full_disk() => {}
                expired => expired?,
            }
        }
        Ok(MissingReason::Expired(reason))
    }

    /// The connections of `person` to one service, as far as they can be read.
    pub(super) async fn connections_to(
        &self,
        person: &PersonId,
        service: &str,
    ) -> Result<Vec<Record<Connection>>, Fault> {
        let mut found = self.connections_of(person).await?;
        found.retain(|record| record.value.service == service);
        Ok(found)
    }

    /// All connections of `person` that can be read. Of the others the operator is told.
    pub(super) async fn connections_of(
        &self,
        person: &PersonId,
    ) -> Result<Vec<Record<Connection>>, Fault> {
        Ok(self.all_connections_of(person).await?.0)
    }

    /// All connections of `person`: those that can be read, and those that cannot.
    pub(super) async fn all_connections_of(
        &self,
        person: &PersonId,
    ) -> Result<(Vec<Record<Connection>>, Vec<DamagedConnection>), Fault> {
        const AT_MOST: usize = 1_000;
        let listed = self
            .parts
            .store
            .connections()
            .list(&format!("{person}/"), AT_MOST)
            .await?;
        let (records, damaged) = self.sort_out_own(listed)?;
        let damaged = damaged
            .iter()
            .filter_map(|one| DamagedConnection::named_by(&one.key));
        Ok((records, damaged.collect()))
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

    /// What is stored as the credential of the connection at `key`, or its damage.
    pub(super) async fn stored_credential(
        &self,
        key: &str,
    ) -> Result<Result<Option<Record<Credential>>, Damaged>, Fault> {
        self.set_apart(self.parts.store.credentials().get(key).await)
    }

    /// Puts a credential in the place of whatever the connection had, with the next generation.
    pub(super) async fn put_credential(
        &self,
        connection: &Connection,
        new: &Credential,
    ) -> Result<(), Fault> {
        let credentials = self.parts.store.credentials().finishing();
        let key = record_key(connection);
        self.note_next_renewal(&key, new).await?;
        for _ in 0..ATTEMPTS {
            let stored = match self.stored_credential(&key).await? {
                Ok(stored) => stored,
                Err(damaged) => {
                    self.discard(&damaged).await?;
                    None
                }
            };
            let written = match stored {
                None => {
                    let first = Credential {
                        generation: connection.first_generation(),
                        ..new.clone()
                    };
                    credentials.create(&key, &first).await
                }
                Some(old) => {
                    self.bury_superseded(connection, &old.value, new).await?;
                    let next = Credential {
                        generation: connection.first_generation().max(old.value.generation + 1),
                        ..new.clone()
                    };
                    credentials.replace(&old, &next).await
                }
            };
            match written {
                Ok(written) => {
                    self.forget_renewals(&key);
                    self.note_receipt(&key, &written.value);
                    return Ok(());
                }
                Err(WriteError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Fault::Contention)
    }

    /// Marks a connection as expired. If it was connected anew or disconnected meanwhile, that stands: it is newer.
    pub(super) async fn expire(
        &self,
        record: Record<Connection>,
        reason: ExpiredReason,
    ) -> Result<(), Fault> {
        let connections = self.parts.store.connections();
        let (since, mut current) = (record.value.since, Some(record));
        for _ in 0..ATTEMPTS {
            let Some(record) = current.filter(|record| record.value.since == since) else {
                return Ok(());
            };
            let now = self.parts.clock.now();
            let Ok(expired) = record.value.clone().expire(reason, now) else {
                return Ok(());
            };
            self.foretell(&expired).await?;
            match connections.replace(&record, &expired).await {
                Ok(_) => {
                    self.make_known(&expired).await;
                    tracing::info!(connection = %expired.id, ?reason, "expired");
                    return Ok(());
                }
                Err(WriteError::Conflict) => current = connections.get(record.key()).await?,
                Err(error) => return Err(error.into()),
            }
        }
        Err(Fault::Contention)
    }
}

/// The scopes that a call lacks.
fn lacking(asked: &Asked<'_>, granted: &ScopeSet) -> Option<MissingReason> {
    let implied = asked.service.provider.implications();
    let missing = asked.need().missing(granted, implied);
    (!missing.is_empty()).then_some(MissingReason::MissingScopes(missing))
}

/// What a renewal that brought nothing means for a call.
fn not_renewed(outcome: &Outcome) -> Unusable {
    match outcome {
        Outcome::Ended(reason) => Unusable::Missing(MissingReason::Expired(*reason)),
        Outcome::NotNow { wait } => Unusable::Delayed(*wait),
        Outcome::OtherAuthority => Unusable::Missing(MissingReason::AuthorityChanged),
        Outcome::Gone | Outcome::Newer(_) => Unusable::Missing(MissingReason::Disconnected),
    }
}

/// The key of a connection's records: its person and its identifier, nothing that tells who or where.
pub(super) fn record_key(connection: &Connection) -> String {
    format!("{}/{}", connection.person, connection.id)
}

#[cfg(test)]
mod tests;
