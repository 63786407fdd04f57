//! How long connections will last: forecasts, and warnings in time.
//!
//! Owns what is opened for a forecast and when it is looked at again. What a forecast is, is `connection`'s. A warning goes
//! out once for each connection and end.

use super::credentials::record_key;
use super::upkeep::Task;
use super::{Fault, Gateway};
use crate::base::Timestamp;
use crate::catalogue::RefreshRules;
use crate::connection::{Connection, Credential, Ending, Forecast};
use crate::store::Record;

/// A connection whose end can be foreseen.
#[derive(Clone, Debug)]
pub struct Foreseen {
    /// The connection.
    pub connection: Connection,
    /// The service's name.
    pub service_name: String,
    /// Its end.
    pub ending: Ending,
}

/// What can be foreseen.
#[derive(Clone, Debug)]
pub struct Outlooks {
    /// The ends, the nearest first.
    pub found: Vec<Foreseen>,
    /// The records of connections that cannot be read, by their full keys: nothing is foreseen of them.
    pub unreadable: Vec<String>,
}

impl Gateway {
    /// When a connection will end. One that does not work has no future.
    pub(super) async fn forecast(&self, connection: &Connection) -> Result<Forecast, Fault> {
        let Some((credential, rules)) = self.with_rules(connection).await? else {
            return Ok(Forecast::Lasts);
        };
        let now = self.parts.clock.now();
        Ok(Forecast::of(
            &credential.value,
            &rules,
            connection.since,
            now,
        ))
    }

    /// The same, for a page that is to be shown even when one credential cannot be opened.
    pub(super) async fn forecast_for_show(&self, connection: &Connection) -> Forecast {
        self.forecast(connection).await.unwrap_or_else(|fault| {
            tracing::error!(%fault, connection = %connection.id, "when a connection ends could not be looked up");
            Forecast::Lasts
        })
    }

    /// Leaves word to look at a connection again when its end may be near.
    pub(super) async fn look_ahead(&self, connection: &Connection) -> Result<(), Fault> {
        if let Some(at) = self.next_look(connection).await? {
            let task = Task::Warn(record_key(connection)).to_string();
            self.parts.store.note_due(at, &task).await?;
        }
        Ok(())
    }

    /// Warns when the end of the connection at `key` is near. Answers when to look again.
    pub(super) async fn warn_if_due(&self, key: &str) -> Result<Option<Timestamp>, Fault> {
        let found = self.set_apart(self.parts.store.connections().get(key).await)?;
        let Some(record) = found.ok().flatten() else {
            return Ok(None);
        };
        let connection = record.value;
        let now = self.parts.clock.now();
        let ending = self.forecast(&connection).await?.ending();
        if let Some(ending) = ending.filter(|ending| ending.is_near(now)) {
            tracing::info!(connection = %connection.id, at = %ending.at, "a connection is about to end");
            self.tell_of_end(&connection, ending).await?;
        }
        self.next_look(&connection).await
    }

    /// All connections of everybody whose end can be foreseen before `until`, the nearest first. For whoever runs the
    /// gateway.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn foreseen_endings(&self, until: Timestamp) -> Result<Outlooks, Fault> {
        const AT_MOST: usize = 100_000;
        let listed = self.parts.store.connections().list("", AT_MOST).await?;
        let mut found = Vec::new();
        let (records, damaged) = self.sort_out(listed);
        for record in records {
            let connection = record.value;
            let ending = self.forecast(&connection).await?.ending();
            if let Some(ending) = ending.filter(|ending| ending.at < until) {
                let services = self.services();
                let service = services.find(&connection.service);
                let service_name = service.map_or_else(
                    || connection.service.clone(),
                    |service| service.provider.name().to_owned(),
                );
                found.push(Foreseen {
                    connection,
                    service_name,
                    ending,
                });
            }
        }
        found.sort_by_key(|foreseen| foreseen.ending.at);
        let unreadable = damaged.into_iter().map(|one| one.key).collect();
        Ok(Outlooks { found, unreadable })
    }

    async fn next_look(&self, connection: &Connection) -> Result<Option<Timestamp>, Fault> {
        let Some((credential, rules)) = self.with_rules(connection).await? else {
            return Ok(None);
        };
        let now = self.parts.clock.now();
        let next = Forecast::look_again(&credential.value, &rules, connection.since, now);
        Ok(next)
    }

    /// The credential of an active connection, and what its provider does with refresh tokens.
    async fn with_rules(
        &self,
        connection: &Connection,
    ) -> Result<Option<(Record<Credential>, RefreshRules)>, Fault> {
        if !connection.is_active() {
            return Ok(None);
        }
        let services = self.services();
        let ready = services
            .find(&connection.service)
            .and_then(|service| service.ready());
        let rules = ready.map(|ready| ready.oauth.refresh.clone());
        let credential = self.stored_credential(&record_key(connection)).await?;
        let credential = credential.ok().flatten();
        Ok(credential.map(|credential| (credential, rules.unwrap_or_default())))
    }
}
