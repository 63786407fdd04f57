//! Telling the outside what becomes of connections: events for webhooks.
//!
//! Owns when an event is put down, so that a crash repeats one and never loses one. Around each change of a connection there
//! are two steps: [`Gateway::foretell`] before it leaves word to look again a little later, [`Gateway::make_known`] after it
//! puts the event down for every webhook that wants it. An event is named after what it tells, so doing either twice is the
//! same as once. Sending is `deliver`'s. Without webhooks nothing is written at all.

use std::time::Duration;

use super::credentials::record_key;
use super::upkeep::Task;
use super::webhook::Webhook;
use super::{Fault, Gateway};
use crate::base::{EventId, Timestamp};
use crate::connection::{Connection, Delivery, DeliveryState, Ending, Event};
use crate::store::{Lane, WriteError};

/// How long after a change that may not have been told somebody looks: longer than any change takes to be written.
const LOOK_AFTER: Duration = Duration::from_mins(2);

/// A state of a connection that is younger is told once more before it is changed, in case a crash kept it from being told.
const RECENT: Duration = Duration::from_hours(1);

impl Gateway {
    /// Before a change of a connection: leaves word to look at it, so that the change is told even if this process ends right
    /// after it.
    ///
    /// # Errors
    /// [`Fault`] when the store fails; the change should not be made then.
    pub(super) async fn foretell(&self, connection: &Connection) -> Result<(), Fault> {
        if self.parts.webhooks.is_empty() {
            return Ok(());
        }
        let key = record_key(connection);
        let now = self.parts.clock.now();
        let before = self.set_apart(self.parts.store.connections().get(&key).await)?;
        if let Some(before) = before.ok().flatten()
            && now.since(before.value.since) < RECENT
        {
            match Box::pin(self.tell(&before.value)).await {
                // What is about to happen matters more than that it is told twice.
                Err(fault) if fault.is_full_disk() => {
                    tracing::warn!(%fault, connection = %connection.id, "an event could not be put down");
                }
                told => told?,
            }
        }
        let task = Task::Tell(key).to_string();
        Ok(self.parts.store.note_due(now + LOOK_AFTER, &task).await?)
    }

    /// After a change of a connection: tells how it stands now. What fails is told in the log, and made good by what
    /// [`Gateway::foretell`] left.
    pub(super) async fn make_known(&self, connection: &Connection) {
        // On the heap: this stands at the end of every call, and is rarely needed.
        if let Err(fault) = Box::pin(self.tell(connection)).await {
            tracing::error!(%fault, connection = %connection.id, "an event could not be put down; it is tried again");
        }
        if let Err(fault) = Box::pin(self.look_ahead(connection)).await {
            tracing::error!(%fault, connection = %connection.id, "when a connection ends could not be looked up");
        }
    }

    /// Tells how a connection stands, if it was not told.
    pub(super) async fn tell_if_due(&self, key: &str) -> Result<(), Fault> {
        let found = self.set_apart(self.parts.store.connections().get(key).await)?;
        match found.ok().flatten() {
            Some(record) => self.tell(&record.value).await,
            None => Ok(()),
        }
    }

    /// Tells that the end of a connection is near, if it was not told for this end.
    pub(super) async fn tell_of_end(
        &self,
        connection: &Connection,
        ending: Ending,
    ) -> Result<(), Fault> {
        self.put_down(&Event::about_to_expire(connection, ending))
            .await
    }

    async fn tell(&self, connection: &Connection) -> Result<(), Fault> {
        if self.parts.webhooks.is_empty() {
            return Ok(());
        }
        let ending = if connection.is_active() {
            self.forecast(connection).await?.ending()
        } else {
            None
        };
        self.put_down(&Event::of(connection, ending)).await
    }

    /// Puts an event down for every webhook that wants it.
    async fn put_down(&self, event: &Event) -> Result<(), Fault> {
        let id = self.event_id(event);
        let wanting = self.parts.webhooks.iter();
        for webhook in wanting.filter(|webhook| webhook.wants(event.kind)) {
            self.put_down_for(webhook, &id, event).await?;
            webhook.nudge();
        }
        Ok(())
    }

    async fn put_down_for(
        &self,
        webhook: &Webhook,
        id: &EventId,
        event: &Event,
    ) -> Result<(), Fault> {
        let now = self.parts.clock.now();
        let delivery = Delivery {
            event: id.clone(),
            kind: event.kind,
            person: event.person().clone(),
            webhook: webhook.name().to_owned(),
            body: event.body(webhook.with_account()),
            made: now,
            state: DeliveryState::Waiting { next: now },
            tries: 0,
            attempts: Vec::new(),
        };
        let deliveries = self.parts.store.deliveries();
        let key = self.delivery_key(webhook, id, event.at);
        let next = match deliveries
            .create_until(&key, &delivery, now + Delivery::KEPT)
            .await
        {
            Ok(_) => now,
            // It was told before. Whether its note was left as well is not known.
            Err(WriteError::Conflict) => match self
                .set_apart(deliveries.get(&key).await)?
                .ok()
                .flatten()
                .map(|it| it.value.state)
            {
                Some(DeliveryState::Waiting { next }) => next,
                _ => return Ok(()),
            },
            Err(error) => return Err(error.into()),
        };
        let lane = self.lane(webhook);
        Ok(self.parts.store.note_due_in(&lane, next, &key).await?)
    }

    /// The same event has the same identifier, whoever puts it down, and however often.
    fn event_id(&self, event: &Event) -> EventId {
        let [connection, connects, kind, moment] = event.identity();
        let digest = self
            .parts
            .store
            .index(&["event", &connection, &connects, &kind, &moment]);
        let mut bytes = [0; 16];
        let known = data_encoding::HEXLOWER
            .decode(digest.as_bytes())
            .unwrap_or_default();
        for (byte, known) in bytes.iter_mut().zip(known) {
            *byte = known;
        }
        EventId::from_bytes(bytes)
    }

    /// Begins with the time, so that the latest are found without reading all.
    fn delivery_key(&self, webhook: &Webhook, id: &EventId, at: Timestamp) -> String {
        let seconds = at.as_unix().max(0);
        format!("{seconds:012}/{id}/{}", self.webhook_digest(webhook))
    }

    /// Where the notes of a webhook are.
    pub(super) fn lane(&self, webhook: &Webhook) -> Lane {
        Lane::new(&self.webhook_digest(webhook))
    }

    /// What stands for a webhook in keys: not the name, which may be that of a company.
    fn webhook_digest(&self, webhook: &Webhook) -> String {
        let mut digest = self.parts.store.index(&["webhook", webhook.name()]);
        digest.truncate(16);
        digest
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::base::{Clock, ConnectionId, PersonId, Random, Secret};
    use crate::catalogue::{Account, Catalogue, ScopeSet};
    use crate::connection::{EventKind, ExpiredReason, GrantedBy, Status};
    use crate::egress::{self, Egress};
    use crate::gateway::{Links, Services, Settings, WebhookSettings};
    use crate::store::{MasterKey, Store};

    const NOON: Timestamp = Timestamp::from_unix(1_800_000_000);

    /// A gateway whose webhook nobody delivers to.
    fn gateway() -> Gateway {
        let random = Random::seeded(7);
        let store = Store::memory(MasterKey::generate(&random), random.clone());
        let settings = WebhookSettings {
            url: Some("https://ops.example.com/".into()),
            secret: Some(Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")),
            ..WebhookSettings::default()
        };
        let egress = egress::Settings::default();
        let settings = Settings {
            webhooks: vec![Webhook::new("ops", &settings, &egress).unwrap()],
            ..Settings::default()
        };
        Gateway::new(
            store,
            Egress::new(egress).unwrap(),
            Services::new(Catalogue::load(None).unwrap(), &BTreeMap::new()).unwrap(),
            Links::new("http://127.0.0.1:8080").unwrap(),
            Clock::manual(NOON),
            random,
            settings,
        )
    }

    fn connection(gateway: &Gateway) -> Connection {
        Connection {
            id: ConnectionId::new(gateway.random()),
            person: PersonId::new(gateway.random()),
            service: "acme".into(),
            account: Account {
                id: "1".into(),
                label: "ana".into(),
                workspace: None,
            },
            granted_by: GrantedBy {
                issuer: None,
                token_endpoint: "https://acme.example/token".into(),
                client_id: "c".into(),
            },
            requested: ScopeSet::default(),
            granted: ScopeSet::default(),
            status: Status::Active,
            since: NOON,
            connects: 0,
            reach: crate::catalogue::Reach::default(),
        }
    }

    async fn told(gateway: &Gateway) -> Vec<EventKind> {
        let latest = gateway.latest_deliveries(10).await.unwrap();
        latest.iter().map(|delivery| delivery.kind).collect()
    }

    #[tokio::test]
    async fn a_change_that_a_crash_kept_from_being_told_is_told_a_little_later() {
        let gateway = gateway();
        let new = connection(&gateway);
        let connections = gateway.parts.store.connections();
        gateway.foretell(&new).await.unwrap();
        connections.create(&record_key(&new), &new).await.unwrap();
        // The process ends here: nobody makes it known. Whoever starts next finds the note.
        gateway.do_due_work().await.unwrap();
        assert_eq!(
            told(&gateway).await,
            [],
            "not while the change may be under way"
        );
        gateway.clock().advance(LOOK_AFTER);
        gateway.do_due_work().await.unwrap();
        assert_eq!(told(&gateway).await, [EventKind::Connected]);
        // What was told is not told again.
        gateway.make_known(&new).await;
        assert_eq!(told(&gateway).await.len(), 1);
    }

    #[tokio::test]
    async fn a_change_right_after_a_crash_does_not_hide_the_one_before() {
        let gateway = gateway();
        let new = connection(&gateway);
        let connections = gateway.parts.store.connections();
        gateway.foretell(&new).await.unwrap();
        let record = connections.create(&record_key(&new), &new).await.unwrap();
        gateway.clock().advance(Duration::from_secs(1));
        let now = gateway.clock().now();
        let expired = new.expire(ExpiredReason::RefusedByProvider, now).unwrap();
        gateway.foretell(&expired).await.unwrap();
        connections.replace(&record, &expired).await.unwrap();
        gateway.make_known(&expired).await;
        let expected = [EventKind::Expired, EventKind::Connected];
        assert_eq!(told(&gateway).await, expected, "the latest first");
    }

    #[tokio::test]
    async fn a_change_that_was_not_made_is_not_told() {
        let gateway = gateway();
        gateway.foretell(&connection(&gateway)).await.unwrap();
        gateway.clock().advance(LOOK_AFTER * 2);
        gateway.do_due_work().await.unwrap();
        assert_eq!(told(&gateway).await, []);
    }
}
