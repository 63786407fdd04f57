//! Disconnecting: unusable here at once, then revoked at the provider, with a receipt.

use super::fault::ATTEMPTS;
use super::{Fault, Gateway, Service};
use crate::base::{ConnectionId, Timestamp};
use crate::connection::{AtProvider, Connection, RevokedReason, Status};
use crate::identity::Principal;
use crate::oauth::{self, RevocationOutcome};
use crate::store::{Record, WriteError};

/// What a disconnect did.
#[derive(Debug)]
pub struct Receipt {
    /// The service's name.
    pub service_name: String,
    /// The account that is no longer reachable from here.
    pub account: String,
    /// How it stands at the provider.
    pub at_provider: AtProvider,
    /// The provider's own page for removing access, where there is one.
    pub manual_url: Option<String>,
    /// When the connection stopped being usable.
    pub disconnected: Timestamp,
    /// The connection.
    pub connection: ConnectionId,
}

/// Why nothing was disconnected.
#[derive(Debug)]
pub enum DisconnectError {
    /// The person has no such connection. The same answer whether it is another's or nobody's.
    UnknownConnection,
    /// Something failed on our side.
    Fault(Fault),
}

impl<E: Into<Fault>> From<E> for DisconnectError {
    fn from(error: E) -> Self {
        Self::Fault(error.into())
    }
}

impl Gateway {
    /// One connection of a person, with its service.
    ///
    /// # Errors
    /// [`DisconnectError::UnknownConnection`] when it is not theirs.
    pub async fn find_connection(
        &self,
        principal: &Principal,
        id: &ConnectionId,
    ) -> Result<(Connection, Service), DisconnectError> {
        let record = self.own_connection(principal, id).await?;
        let service = self.service_of(&record.value)?;
        Ok((record.value, service))
    }

    /// Disconnects: first the connection becomes unusable here, then its tokens are revoked at the provider, and only
    /// a settled revocation deletes them, since they are the only means to revoke. Repeating it tries again.
    ///
    /// # Errors
    /// [`DisconnectError`]: not theirs, or a fault on our side.
    pub async fn disconnect(
        &self,
        principal: &Principal,
        id: &ConnectionId,
    ) -> Result<Receipt, DisconnectError> {
        let (revoked, service) = self.make_unusable(principal, id).await?;
        self.forget_default(&revoked).await?;
        self.parts.arrivals.announce(&principal.id);
        let (at_provider, manual_url) = self.revoke_at_provider(&service, &revoked).await?;
        if at_provider != AtProvider::Pending {
            self.settle(principal, id, at_provider).await?;
            self.delete_credential(&revoked).await?;
        }
        tracing::info!(connection = %id, service = service.id(), ?at_provider, "disconnected");
        Ok(Receipt {
            service_name: service.provider.name().to_owned(),
            account: revoked.account.label,
            at_provider,
            manual_url,
            disconnected: revoked.since,
            connection: id.clone(),
        })
    }

    fn service_of(&self, connection: &Connection) -> Result<Service, DisconnectError> {
        self.known_service(&connection.service)
            .map_err(|_| DisconnectError::UnknownConnection)
    }

    async fn own_connection(
        &self,
        principal: &Principal,
        id: &ConnectionId,
    ) -> Result<Record<Connection>, DisconnectError> {
        let key = format!("{}/{id}", principal.id);
        self.parts
            .store
            .connections()
            .get(&key)
            .await?
            .ok_or(DisconnectError::UnknownConnection)
    }

    async fn make_unusable(
        &self,
        principal: &Principal,
        id: &ConnectionId,
    ) -> Result<(Connection, Service), DisconnectError> {
        let reason = RevokedReason::DisconnectedByUser;
        for _ in 0..ATTEMPTS {
            let record = self.own_connection(principal, id).await?;
            let service = self.service_of(&record.value)?;
            let now = self.parts.clock.now();
            let Ok(revoked) = record.value.clone().disconnect(reason, now) else {
                return Ok((record.value, service));
            };
            match self
                .parts
                .store
                .connections()
                .replace(&record, &revoked)
                .await
            {
                Ok(_) => return Ok((revoked, service)),
                Err(WriteError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(DisconnectError::Fault(Fault::Contention))
    }

    /// Revokes the tokens where they came from. Anything but a clear answer leaves the revocation pending.
    async fn revoke_at_provider(
        &self,
        service: &Service,
        connection: &Connection,
    ) -> Result<(AtProvider, Option<String>), Fault> {
        let Some(credential) = self.credential(connection).await? else {
            let Status::Revoked { at_provider, .. } = connection.status else {
                return Ok((AtProvider::Pending, None));
            };
            return Ok((at_provider, None));
        };
        let Some(ready) = service
            .ready()
            .filter(|ready| ready.authority() == connection.granted_by)
        else {
            tracing::warn!(connection = %connection.id, "not revoked: the service's registration has changed");
            return Ok((AtProvider::Pending, None));
        };
        let (access, refresh) = (
            Some(&credential.value.access_token),
            credential.value.refresh_token.as_ref(),
        );
        match oauth::revoke(
            &self.parts.egress,
            &ready.oauth,
            &ready.registration,
            access,
            refresh,
        )
        .await
        {
            Ok(RevocationOutcome::Confirmed) => Ok((AtProvider::Confirmed, None)),
            Ok(RevocationOutcome::Unsupported { manual_url }) => {
                Ok((AtProvider::Unsupported, manual_url.map(String::from)))
            }
            Err(error) => {
                tracing::warn!(connection = %connection.id, %error, "the provider did not confirm a revocation");
                Ok((AtProvider::Pending, None))
            }
        }
    }

    async fn settle(
        &self,
        principal: &Principal,
        id: &ConnectionId,
        at_provider: AtProvider,
    ) -> Result<(), DisconnectError> {
        let record = self.own_connection(principal, id).await?;
        let Ok(settled) = record.value.clone().settle(at_provider) else {
            return Ok(());
        };
        match self
            .parts
            .store
            .connections()
            .replace(&record, &settled)
            .await
        {
            Ok(_) | Err(WriteError::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
