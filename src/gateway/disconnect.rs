//! Disconnecting one connection: unusable here at once, then revoked at the provider, with a receipt.
//!
//! Owns the order of a disconnect, and what the receipt says. A receipt is read from what is stored, so it is the same
//! whoever asks for it and whenever. How tokens come to their end is `gateway/burial.rs`.

use std::time::Duration;

use super::fault::ATTEMPTS;
use super::last_rites::Asking;
use super::services::NotReady;
use super::{Fault, Gateway, Service};
use crate::base::{ConnectionId, PersonId, Timestamp};
use crate::connection::{
    AtProvider, Connection, RevokedReason, Status, Tombstone, TombstoneReason,
};
use crate::identity::Principal;
use crate::store::{Record, WriteError};

/// When a disconnect that is cut off is gone on with. Until then whoever began it is at it.
const UNTIL_GONE_ON_WITH: Duration = Duration::from_mins(1);

/// How it stands with a connection that was disconnected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The connection.
    pub connection: ConnectionId,
    /// The service's identifier.
    pub service: String,
    /// The service's name; its identifier where nobody knows the name any more.
    pub service_name: String,
    /// The account that is no longer reachable from here.
    pub account: String,
    /// When the connection stopped being usable.
    pub disconnected: Timestamp,
    /// Who ended it.
    pub reason: RevokedReason,
    /// How it stands at the provider.
    pub at_provider: AtProvider,
    /// What is still to come, while it is [`AtProvider::Pending`].
    pub revoking: Option<Revoking>,
    /// The provider's own page for removing access, where its file knows one.
    pub manual_url: Option<String>,
}

/// A revocation under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revoking {
    /// Why it is not over.
    pub obstacle: Obstacle,
    /// When the access token ends by itself; none: nobody knows, or it has ended.
    pub answers_until: Option<Timestamp>,
    /// When it is gone on with by itself; none: within a minute.
    pub next: Option<Timestamp>,
    /// When the tokens are deleted in any case.
    pub kept_until: Timestamp,
}

/// Why a revocation is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The provider has not confirmed: it is down, slow, or refuses.
    NotConfirmed,
    /// The provider has confirmed, and the access token still answers, or nobody could try it.
    StillAnswers,
    /// The service is not offered or not set up here any more, so nobody can ask its provider.
    NotSetUp,
    /// The service is set up with another registration than the one that the tokens were given to.
    SetUpAnew,
}

/// Why nothing was disconnected.
#[derive(Debug)]
pub enum DisconnectError {
    /// The person has no such connection. The same answer whether it is another's or nobody's.
    UnknownConnection,
    /// Its record cannot be read: it can only be removed, with [`Gateway::remove_damaged_connection`].
    Damaged,
    /// Something failed on our side.
    Fault(Fault),
}

impl<E: Into<Fault>> From<E> for DisconnectError {
    fn from(error: E) -> Self {
        Self::Fault(error.into())
    }
}

impl Gateway {
    /// One connection of a person, with its service as long as the catalogue has it.
    ///
    /// # Errors
    /// [`DisconnectError::UnknownConnection`] when it is not theirs.
    pub async fn find_connection(
        &self,
        principal: &Principal,
        id: &ConnectionId,
    ) -> Result<(Connection, Option<Service>), DisconnectError> {
        let record = self
            .connection_at(&format!("{}/{id}", principal.id))
            .await?;
        let service = self.services().find(&record.value.service).cloned();
        Ok((record.value, service))
    }

    /// Disconnects: the connection becomes unusable here, its tokens move from the credential into a tombstone, and their
    /// provider is asked to take them back. What it does not confirm now is tried again until it does. Repeating it tries
    /// at once.
    ///
    /// # Errors
    /// [`DisconnectError`]: not theirs, or a fault on our side. What was begun is gone on with all the same.
    pub async fn disconnect(
        &self,
        principal: &Principal,
        id: &ConnectionId,
    ) -> Result<Receipt, DisconnectError> {
        let reason = RevokedReason::DisconnectedByUser;
        let (person, id) = (&principal.id, id);
        self.end_use(person, id, reason).await?;
        self.lay_to_rest(&format!("{person}/{id}"), Asking::Now)
            .await?;
        let receipt = self
            .receipt(principal, id)
            .await?
            .ok_or(DisconnectError::UnknownConnection)?;
        let (service, at_provider) = (&receipt.service, receipt.at_provider);
        tracing::info!(connection = %id, service, ?at_provider, "disconnected");
        Ok(receipt)
    }

    /// The receipt of a connection that was disconnected; none for any other.
    ///
    /// # Errors
    /// [`DisconnectError`]: not theirs, or a fault on our side.
    pub async fn receipt(
        &self,
        principal: &Principal,
        id: &ConnectionId,
    ) -> Result<Option<Receipt>, DisconnectError> {
        let record = self
            .connection_at(&format!("{}/{id}", principal.id))
            .await?;
        Ok(self.receipt_of(&record.value).await?)
    }

    /// The local half: nothing can use the connection any more, and its tokens are in a tombstone.
    pub(super) async fn end_use(
        &self,
        person: &PersonId,
        id: &ConnectionId,
        reason: RevokedReason,
    ) -> Result<(), DisconnectError> {
        let key = format!("{person}/{id}");
        self.connection_at(&key).await?;
        let later = self.parts.clock.now() + UNTIL_GONE_ON_WITH;
        self.note_revocation(&key, later).await?;
        match self.make_unusable(&key, reason).await? {
            Some(revoked) => {
                let reason = TombstoneReason::Disconnected;
                self.bury_credential(&revoked, reason).await?;
                self.forget_use(&revoked).await?;
                self.forget_default(&revoked).await?;
                self.parts.arrivals.announce(person);
            }
            None => self.bury_left_over(&key).await?,
        }
        Ok(())
    }

    /// What the receipt of a connection says; none unless it was disconnected.
    pub(super) async fn receipt_of(
        &self,
        connection: &Connection,
    ) -> Result<Option<Receipt>, Fault> {
        let Status::Revoked {
            reason,
            at_provider,
        } = connection.status
        else {
            return Ok(None);
        };
        let service = self.services().find(&connection.service).cloned();
        let provider = service.as_ref().map(|service| &service.provider);
        let name = provider.map_or(connection.service.as_str(), |provider| provider.name());
        let page = provider.and_then(|provider| provider.removal_page());
        let (at_provider, revoking) = match at_provider {
            AtProvider::Pending => match self.revoking(connection).await? {
                Some(revoking) => (at_provider, Some(revoking)),
                None => (AtProvider::GaveUp, None),
            },
            AtProvider::Confirmed | AtProvider::Unsupported | AtProvider::GaveUp => {
                (at_provider, None)
            }
        };
        Ok(Some(Receipt {
            connection: connection.id.clone(),
            service: connection.service.clone(),
            service_name: name.to_owned(),
            account: connection.account.label.clone(),
            disconnected: connection.since,
            reason,
            at_provider,
            revoking,
            manual_url: page.map(ToString::to_string),
        }))
    }

    /// None: a token that had to be revoked cannot be read any more, so nobody can have it revoked.
    async fn revoking(&self, connection: &Connection) -> Result<Option<Revoking>, Fault> {
        let now = self.parts.clock.now();
        let key = format!("{}/{}", connection.person, connection.id);
        let (readable, damaged) = self.tombstones_at(&key).await?;
        if !damaged.is_empty() {
            return Ok(None);
        }
        let tombstones: Vec<_> = readable.into_iter().map(|record| record.value).collect();
        let obstacle = match tombstones.first().map(|tombstone| {
            self.services()
                .granting(&tombstone.service, &tombstone.granted_by)
        }) {
            Some(Err(NotReady::NotSetUp)) => Obstacle::NotSetUp,
            Some(Err(NotReady::SetUpAnew)) => Obstacle::SetUpAnew,
            Some(Ok(_)) if tombstones.iter().all(|tombstone| tombstone.confirmed) => {
                Obstacle::StillAnswers
            }
            Some(Ok(_)) | None => Obstacle::NotConfirmed,
        };
        let ends = tombstones
            .iter()
            .filter_map(|tombstone| tombstone.access_expires);
        let buried = tombstones.iter().map(|tombstone| tombstone.buried).max();
        Ok(Some(Revoking {
            obstacle,
            answers_until: ends.max().filter(|end| *end > now),
            next: tombstones
                .iter()
                .filter_map(|tombstone| tombstone.next)
                .min(),
            kept_until: buried.unwrap_or(connection.since) + Tombstone::KEPT,
        }))
    }

    async fn connection_at(&self, key: &str) -> Result<Record<Connection>, DisconnectError> {
        match self.set_apart(self.parts.store.connections().get(key).await)? {
            Ok(found) => found.ok_or(DisconnectError::UnknownConnection),
            Err(_) => Err(DisconnectError::Damaged),
        }
    }

    /// None: it was disconnected before.
    async fn make_unusable(
        &self,
        key: &str,
        reason: RevokedReason,
    ) -> Result<Option<Connection>, DisconnectError> {
        let connections = self.parts.store.connections().finishing();
        for _ in 0..ATTEMPTS {
            let record = self.connection_at(key).await?;
            let now = self.parts.clock.now();
            let Ok(revoked) = record.value.clone().disconnect(reason, now) else {
                return Ok(None);
            };
            self.foretell(&revoked).await?;
            match connections.replace(&record, &revoked).await {
                Ok(_) => {
                    self.make_known(&revoked).await;
                    return Ok(Some(revoked));
                }
                Err(WriteError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(DisconnectError::Fault(Fault::Contention))
    }
}
