//! Disconnecting many at once: everything of a person, of a service, or of the whole gateway.
//!
//! Owns the order in which very many connections end: all of them stop working here before the first provider is asked, and
//! the asking has a time limit. What is not proven dead by then is gone on with as due work.

use std::time::Duration;

use futures::{StreamExt, stream};

use super::credentials::record_key;
use super::last_rites::Asking;
use super::{DisconnectError, Fault, Gateway, Receipt};
use crate::base::PersonId;
use crate::connection::{Connection, RevokedReason, Status};
use crate::identity::Principal;
use crate::store::StoreError;

/// How many are worked on at the same time.
const AT_ONCE: usize = 64;
/// How long providers are asked; whoever gave the command waits for that.
const ASKING: Duration = Duration::from_secs(45);

/// What became of one connection.
#[derive(Debug)]
pub struct Ended {
    /// Whose it was.
    pub person: PersonId,
    /// The connection as it was found.
    pub connection: Connection,
    /// Its receipt, or why there is none.
    pub outcome: Result<Receipt, Fault>,
}

/// What became of all of them.
#[derive(Debug)]
pub struct EndedAll {
    /// Each that was connected, or is still being revoked.
    pub ended: Vec<Ended>,
    /// Connections whose records cannot be read, and so were left alone.
    pub unreadable: Vec<StoreError>,
}

impl Gateway {
    /// Disconnects every connection, or those of `person`, or those to `service`. `by` is who wants it: what is not theirs
    /// counts as disconnected by an administrator.
    ///
    /// # Errors
    /// [`Fault`] when the store cannot say what there is. A connection that fails is told in its own line.
    pub async fn disconnect_all(
        &self,
        by: &Principal,
        person: Option<&PersonId>,
        service: Option<&str>,
    ) -> Result<EndedAll, Fault> {
        let prefix = person
            .map(|person| format!("{person}/"))
            .unwrap_or_default();
        let connections = self.parts.store.connections();
        let listing = connections.list(&prefix, usize::MAX).await?;
        for error in &listing.damaged {
            self.tell_damage(error);
        }
        let wanted: Vec<Connection> = listing
            .records
            .into_iter()
            .map(|record| record.value)
            .filter(|connection| service.is_none_or(|service| connection.service == service))
            .filter(is_worth_ending)
            .collect();
        let cut: Vec<_> = stream::iter(wanted)
            .map(|connection| self.cut(by, connection))
            .buffered(AT_ONCE)
            .collect()
            .await;
        self.revoke_for_a_while(&cut).await;
        let ended = stream::iter(cut)
            .map(|(connection, cut)| self.ended(connection, cut))
            .buffered(AT_ONCE)
            .collect()
            .await;
        Ok(EndedAll {
            ended,
            unreadable: listing.damaged,
        })
    }

    async fn cut(&self, by: &Principal, connection: Connection) -> (Connection, Result<(), Fault>) {
        let reason = if connection.person == by.id {
            RevokedReason::DisconnectedByUser
        } else {
            RevokedReason::DisconnectedByAdmin
        };
        let cut = match self
            .end_use(&connection.person, &connection.id, reason)
            .await
        {
            // Gone in the meantime: what was wanted.
            Ok(()) | Err(DisconnectError::UnknownConnection | DisconnectError::Damaged) => Ok(()),
            Err(DisconnectError::Fault(fault)) => Err(fault),
        };
        (connection, cut)
    }

    async fn revoke_for_a_while(&self, cut: &[(Connection, Result<(), Fault>)]) {
        let asked = stream::iter(cut).for_each_concurrent(AT_ONCE, |(connection, _)| async move {
            let key = record_key(connection);
            if let Err(fault) = self.lay_to_rest(&key, Asking::WithOthers).await {
                tracing::error!(%fault, connection = %connection.id, "a revocation failed; it is tried again");
            }
        });
        if tokio::time::timeout(ASKING, asked).await.is_err() {
            tracing::warn!(
                "not every provider has answered in time; the rest is revoked as due work"
            );
        }
    }

    async fn ended(&self, connection: Connection, cut: Result<(), Fault>) -> Ended {
        let outcome = match cut {
            Ok(()) => self.receipt_after(&connection).await,
            Err(fault) => Err(fault),
        };
        Ended {
            person: connection.person.clone(),
            connection,
            outcome,
        }
    }

    async fn receipt_after(&self, connection: &Connection) -> Result<Receipt, Fault> {
        let now = self
            .parts
            .store
            .connections()
            .get(&record_key(connection))
            .await?;
        let receipt = match now {
            Some(now) => self.receipt_of(&now.value).await?,
            None => None,
        };
        // Connected anew, or removed, in this very moment.
        receipt.ok_or(Fault::Contention)
    }
}

/// Whether there is anything to end, here or at the provider.
fn is_worth_ending(connection: &Connection) -> bool {
    match connection.status {
        Status::Active | Status::Expired { .. } => true,
        Status::Revoked { .. } => connection.status.is_being_revoked(),
    }
}
