//! Which of a person's connections to one service a call uses.

use super::{Fault, Gateway, MissingReason, Service};
use crate::base::PersonId;
use crate::connection::{Connection, Status};
use crate::store::Record;

impl Gateway {
    /// The connection with which `person` acts at `service`, or why there is none. It is active; whether its credential
    /// still works is another question.
    pub(super) async fn chosen_connection(
        &self,
        person: &PersonId,
        service: &Service,
    ) -> Result<Result<Record<Connection>, MissingReason>, Fault> {
        let mut connections = self.connections_to(person, service.id()).await?;
        // The connection that was made last is the one that agents use; those that do not work are only explained.
        connections.sort_by_key(|record| (record.value.is_active(), record.value.since));
        let Some(record) = connections.pop() else {
            return Ok(Err(MissingReason::NotConnected));
        };
        Ok(match record.value.status {
            Status::Active => Ok(record),
            Status::Expired { reason } => Err(MissingReason::Expired(reason)),
            Status::Revoked { .. } => Err(MissingReason::Disconnected),
        })
    }
}
