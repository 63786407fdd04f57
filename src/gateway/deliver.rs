//! Delivering events to webhooks: at least once, in no promised order, and never in anybody's way.
//!
//! Owns one pass over what is due for a webhook, one attempt, and the log of both. Each webhook has a lane of notes and a
//! turn of its own, so that a slow receiver delays nobody else's events, and none delays a call, a page or a renewal.
//! Receivers know an event that they have by its `webhook-id`.

use std::time::Duration;

use futures::{StreamExt, stream};
use http::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use http::{Method, Request};

use super::webhook::Webhook;
use super::{Fault, Gateway};
use crate::base::{EventId, Timestamp};
use crate::connection::{Attempt, AttemptOutcome, Delivery, DeliveryState, test_body};
use crate::egress::{EgressError, Limits};
use crate::store::{DueNote, Record, WriteError};

/// How long a receiver may take (Standard Webhooks, "Delivery": 15 to 30 seconds), and how much it may say.
const LIMITS: Limits = Limits {
    headers: Duration::from_secs(15),
    total: Duration::from_secs(20),
    wire_bytes: 1 << 20,
    decoded_bytes: 1 << 20,
};

/// Somebody named what is not there.
#[derive(Debug)]
pub enum WebhookError {
    /// No webhook has this name.
    UnknownWebhook,
    /// No event with this identifier was told in the last thirty days.
    UnknownEvent,
    /// Something failed on our side.
    Fault(Fault),
}

impl<E: Into<Fault>> From<E> for WebhookError {
    fn from(error: E) -> Self {
        Self::Fault(error.into())
    }
}

impl Gateway {
    /// The webhooks that are set up.
    #[must_use]
    pub fn webhooks(&self) -> &[Webhook] {
        &self.parts.webhooks
    }

    /// Tries all that is due for one webhook: one pass. Returns how many notes were followed.
    ///
    /// # Errors
    /// [`Fault`] when the store cannot say what is due. A delivery that fails on our side is told in the log and tried again.
    pub async fn deliver(&self, webhook: &Webhook) -> Result<usize, Fault> {
        const AT_MOST: usize = 1_000;
        const AT_ONCE: usize = 8;
        let _turn = webhook.turn().lock().await;
        let (lane, now) = (self.lane(webhook), self.parts.clock.now());
        let notes = self.parts.store.due_in(&lane, now, AT_MOST).await?;
        let count = notes.len();
        stream::iter(notes)
            .for_each_concurrent(AT_ONCE, async |note| {
                if let Err(fault) = self.follow_delivery(webhook, &note).await {
                    tracing::error!(%fault, webhook = webhook.name(), "a delivery failed on our side; it is tried again");
                }
            })
            .await;
        Ok(count)
    }

    /// Drops what waits for webhooks that are no longer set up, once it is too old to be sent. To be called at the start.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn forget_old_webhooks(&self) -> Result<(), Fault> {
        const AT_MOST: usize = 10_000;
        let lanes: Vec<_> = self
            .webhooks()
            .iter()
            .map(|known| self.lane(known))
            .collect();
        let kept = i64::try_from(Delivery::KEPT.as_secs()).unwrap_or(i64::MAX);
        let before = Timestamp::from_unix(self.parts.clock.now().as_unix().saturating_sub(kept));
        let dropped = self.parts.store.drop_strange_lanes(&lanes, before, AT_MOST);
        Ok(dropped.await?)
    }

    async fn follow_delivery(&self, webhook: &Webhook, note: &DueNote) -> Result<(), Fault> {
        let store = &self.parts.store;
        let found = self.set_apart(store.deliveries().get(&note.task).await)?;
        // One that cannot be read cannot be sent, however often it is tried.
        let Some(record) = found.ok().flatten() else {
            return Ok(store.drop_due(note).await?);
        };
        let now = self.parts.clock.now();
        let state = match record.value.state {
            DeliveryState::Waiting { next } if next <= now => {
                self.attempt(webhook, record).await?.state
            }
            state => state,
        };
        match state {
            DeliveryState::Waiting { next } => Ok(store.put_off(note, next).await?),
            DeliveryState::Delivered { .. } | DeliveryState::GivenUp { .. } => {
                Ok(store.drop_due(note).await?)
            }
        }
    }

    /// One attempt, and its line in the log.
    async fn attempt(
        &self,
        webhook: &Webhook,
        record: Record<Delivery>,
    ) -> Result<Delivery, Fault> {
        let deliveries = self.parts.store.deliveries();
        let after = if self.is_gone(webhook).await? {
            record.value.clone().given_up()
        } else {
            let event = &record.value;
            let (attempt, retry_after) = self.send_event(webhook, &event.event, &event.body).await;
            if attempt.says_gone() {
                self.remember_gone(webhook, attempt.at).await?;
            }
            let [spread] = self.parts.random.bytes();
            event.clone().after(attempt, retry_after, spread)
        };
        log(webhook, &after);
        match deliveries.replace(&record, &after).await {
            Ok(_) => Ok(after),
            // Somebody wanted it sent again meanwhile: that stands, and its note is the one that is followed here.
            Err(WriteError::Conflict) => Ok(Delivery {
                state: DeliveryState::Waiting {
                    next: self.parts.clock.now(),
                },
                ..after
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends one event, signed now (Standard Webhooks, "Headers"). Redirects are answers like any other: nobody follows
    /// them.
    async fn send_event(
        &self,
        webhook: &Webhook,
        id: &EventId,
        body: &str,
    ) -> (Attempt, Option<Duration>) {
        let at = self.parts.clock.now();
        let mut retry_after = None;
        let request = Request::builder()
            .method(Method::POST)
            .uri(webhook.url())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id.as_str())
            .header("webhook-timestamp", at.as_unix())
            .header("webhook-signature", webhook.signature(id, at, body))
            .body(body.as_bytes().to_vec());
        let outcome = match request {
            Ok(request) => match self.parts.egress.send(request, LIMITS).await {
                Ok(response) => {
                    retry_after = asked_pause(response.headers(), at);
                    AttemptOutcome::Answered {
                        status: response.status().as_u16(),
                    }
                }
                Err(error) => failed(&error),
            },
            Err(error) => AttemptOutcome::Failed {
                why: error.to_string(),
            },
        };
        (Attempt { at, outcome }, retry_after)
    }

    /// Sends a test to one webhook, at once, and says what came of it. One that said 410 before gets events again if it
    /// takes this.
    ///
    /// # Errors
    /// [`WebhookError::UnknownWebhook`] and [`WebhookError::Fault`].
    pub async fn test_webhook(&self, name: &str) -> Result<Attempt, WebhookError> {
        let webhook = self.webhooks().iter().find(|known| known.name() == name);
        let webhook = webhook.ok_or(WebhookError::UnknownWebhook)?;
        let id = EventId::new(&self.parts.random);
        let body = test_body(self.parts.clock.now());
        let (attempt, _) = self.send_event(webhook, &id, &body).await;
        if attempt.succeeded() {
            let gone = self.parts.store.gone_webhooks();
            match self.set_apart(gone.take(&self.gone_key(webhook)).await)? {
                Ok(_) => {}
                Err(damaged) => self.discard(&damaged).await?,
            }
        }
        Ok(attempt)
    }

    /// Sends an event again to every webhook that it was put down for, at once, whatever became of it before.
    ///
    /// # Errors
    /// [`WebhookError::UnknownEvent`] and [`WebhookError::Fault`].
    pub async fn resend_event(&self, id: &EventId) -> Result<Vec<Delivery>, WebhookError> {
        let store = &self.parts.store;
        let mut sent = Vec::new();
        for record in self.deliveries_by_latest().await? {
            let delivery = &record.value;
            let webhook = self
                .webhooks()
                .iter()
                .find(|known| known.name() == delivery.webhook);
            let Some(webhook) = webhook.filter(|_| delivery.event == *id) else {
                continue;
            };
            let _turn = webhook.turn().lock().await;
            let now = self.parts.clock.now();
            let deliveries = store.deliveries();
            let latest = self.set_apart(deliveries.get(record.key()).await)?;
            let Some(latest) = latest.ok().flatten() else {
                continue;
            };
            let again = latest.value.clone().again(now);
            let again = deliveries.replace(&latest, &again).await?;
            // Written first, so that a crash in the middle sends it all the same.
            store
                .note_due_in(&self.lane(webhook), now, record.key())
                .await?;
            let after = self.attempt(webhook, again).await?;
            if let DeliveryState::Waiting { next } = after.state {
                let lane = self.lane(webhook);
                store.note_due_in(&lane, next, record.key()).await?;
            }
            sent.push(after);
        }
        if sent.is_empty() {
            return Err(WebhookError::UnknownEvent);
        }
        Ok(sent)
    }

    /// The latest deliveries, the latest event first, at most `limit`.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn latest_deliveries(&self, limit: usize) -> Result<Vec<Delivery>, Fault> {
        let listed = self.parts.store.deliveries().list_last("", limit).await?;
        let records = self.readable(listed).into_iter();
        Ok(records.map(|record| record.value).collect())
    }

    async fn deliveries_by_latest(&self) -> Result<Vec<Record<Delivery>>, Fault> {
        const AT_MOST: usize = 10_000;
        let listed = self.parts.store.deliveries().list_last("", AT_MOST).await?;
        Ok(self.readable(listed))
    }

    async fn is_gone(&self, webhook: &Webhook) -> Result<bool, Fault> {
        Ok(self.gone_since(webhook).await?.is_some())
    }

    /// Standard Webhooks, "Delivery": a receiver that says 410 is not sent anything any more.
    async fn remember_gone(&self, webhook: &Webhook, at: Timestamp) -> Result<(), Fault> {
        let gone = self.parts.store.gone_webhooks();
        match gone.create(&self.gone_key(webhook), &at).await {
            Ok(_) | Err(WriteError::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Since when a webhook wants no events any more; none: it does.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn gone_since(&self, webhook: &Webhook) -> Result<Option<Timestamp>, Fault> {
        let gone = self.parts.store.gone_webhooks();
        let key = self.gone_key(webhook);
        match self.set_apart(gone.get(&key).await)? {
            Ok(record) => Ok(record.map(|record| record.value)),
            Err(damaged) => {
                // It says so again when it is sent something.
                self.discard(&damaged).await?;
                Ok(None)
            }
        }
    }

    /// Another address is another receiver.
    fn gone_key(&self, webhook: &Webhook) -> String {
        let url = webhook.url().to_string();
        self.parts.store.index(&["gone", webhook.name(), &url])
    }
}

fn failed(error: &EgressError) -> AttemptOutcome {
    AttemptOutcome::Failed {
        why: error.to_string(),
    }
}

/// `Retry-After`: seconds or a date (RFC 9110 section 10.2.3).
fn asked_pause(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(Timestamp::from_unix(date.timestamp().as_second()).since(now))
}

fn log(webhook: &Webhook, delivery: &Delivery) {
    let (name, event) = (webhook.name(), &delivery.event);
    let last = delivery.attempts.last().map(|attempt| &attempt.outcome);
    match delivery.state {
        DeliveryState::Delivered { .. } => {
            tracing::info!(webhook = name, %event, "an event was delivered");
        }
        DeliveryState::Waiting { next } => {
            tracing::warn!(webhook = name, %event, outcome = ?last, %next, "an event was not taken");
        }
        DeliveryState::GivenUp { why } => {
            tracing::error!(webhook = name, %event, outcome = ?last, ?why, "an event is given up");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_asked_for_in_seconds_or_until_a_date() {
        let now = Timestamp::from_unix(784_111_777);
        let asked = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            asked_pause(&headers, now).map(|pause| pause.as_secs())
        };
        assert_eq!(asked("120"), Some(120));
        assert_eq!(asked("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60));
        assert_eq!(asked("Sun, 06 Nov 1994 08:40:37 GMT"), Some(0));
        assert_eq!(asked("soon"), None);
    }
}
