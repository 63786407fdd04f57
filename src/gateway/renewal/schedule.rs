//! When a credential is renewed without anybody asking: shortly before its end while its connection is used, once a day
//! otherwise.

use std::time::Duration;

use super::{KEEP_ALIVE, Outcome, Stale};
use crate::base::Timestamp;
use crate::connection::{Connection, Credential};
use crate::gateway::upkeep::Task;
use crate::gateway::{Fault, Gateway};

impl Gateway {
    /// Leaves word when `credential` has to be renewed ahead of time. Written before the credential is.
    pub(in crate::gateway) async fn note_next_renewal(
        &self,
        key: &str,
        credential: &Credential,
    ) -> Result<(), Fault> {
        if credential.refresh_token.is_none() {
            return Ok(());
        }
        let Some(lifetime) = credential.lifetime() else {
            return Ok(());
        };
        // Those that were renewed together do not come back together.
        let [chance] = self.parts.random.bytes();
        let early = credential.margin() + credential.margin() * u32::from(chance) / (2 * 256);
        let at = credential.obtained + lifetime.saturating_sub(early);
        let task = Task::Renew(key.to_owned()).to_string();
        Ok(self.parts.store.note_due(at, &task).await?)
    }

    /// Renews the credential at `key` if its time has come: shortly before its end while the connection is in use, once
    /// a day otherwise. Answers when to look again, where nothing else notes it.
    pub(in crate::gateway) async fn renew_if_due(
        &self,
        key: &str,
    ) -> Result<Option<Timestamp>, Fault> {
        let connection = self.set_apart(self.parts.store.connections().get(key).await)?;
        let credential = self.stored_credential(key).await?;
        let (Ok(Some(connection)), Ok(Some(credential))) = (connection, credential) else {
            return Ok(None);
        };
        let credential = credential.value;
        if !connection.value.is_active() || credential.refresh_token.is_none() {
            return Ok(None);
        }
        let Some(left) = self.remaining(key, &credential) else {
            return Ok(None);
        };
        // Notes are kept by the minute, so the one for now may come a minute early.
        let soon = credential.margin() * 3 / 2 + Duration::from_mins(1);
        if left > soon {
            // A note of an older credential; this one has its own.
            return Ok(None);
        }
        let now = self.parts.clock.now();
        let keep_alive = self.keep_alive(&connection.value, &credential);
        if now < keep_alive && !self.was_used_lately(&connection.value, now).await? {
            return Ok(Some(keep_alive));
        }
        Ok(match self.renew(key, &Stale::old(&credential)).await? {
            Outcome::NotNow { wait } => Some(now + wait),
            _ => None,
        })
    }

    /// When a connection that nobody uses is renewed all the same, so that its refresh token does not die of disuse.
    fn keep_alive(&self, connection: &Connection, credential: &Credential) -> Timestamp {
        let granting = self
            .services()
            .granting(&connection.service, &connection.granted_by);
        let idle = granting
            .ok()
            .and_then(|(_, ready)| ready.oauth.refresh.idle_ttl);
        let every = idle.map_or(KEEP_ALIVE, |idle| (idle / 3).min(KEEP_ALIVE));
        credential.obtained + every
    }
}
