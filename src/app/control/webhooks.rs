//! The commands about events: what was sent where, a test, sending again; and what will end soon.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Answer, RefusalKind};
use crate::base::EventId;
use crate::connection::{Attempt, AttemptOutcome, Delivery, DeliveryState, EventKind, GivenUp};
use crate::gateway::{Fault, Gateway, Webhook, WebhookError};

/// How many deliveries are shown.
const SHOWN: usize = 50;

/// The webhooks, and what was sent to them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookReport {
    /// Those that are set up.
    pub webhooks: Vec<WebhookLine>,
    /// The latest deliveries, the latest event first.
    pub deliveries: Vec<DeliveryLine>,
}

/// One webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookLine {
    /// The name that the configuration gives it.
    pub name: String,
    /// Scheme, host and port of its address; the rest may be a secret.
    pub origin: String,
    /// The types of events that it gets.
    pub events: Vec<String>,
    /// Since when it gets none, because it said 410, as RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gone_since: Option<String>,
}

/// One event for one webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryLine {
    /// The event: its `webhook-id`.
    pub event: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The webhook.
    pub webhook: String,
    /// When it was put down, as RFC 3339.
    pub made: String,
    /// `delivered`, `waiting` or `given_up`.
    pub status: String,
    /// When it is tried next, as RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
    /// The latest attempts, oldest first.
    pub attempts: Vec<AttemptLine>,
}

/// One attempt to deliver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptLine {
    /// When, as RFC 3339.
    pub at: String,
    /// The status that the receiver answered with.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<u16>,
    /// Why there was no answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<String>,
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestLine {
    /// The webhook.
    pub webhook: String,
    /// Whether it took the event.
    pub delivered: bool,
    /// What it answered.
    pub attempt: AttemptLine,
}

/// A connection whose end is near.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndingLine {
    /// The service's identifier.
    pub service: String,
    /// Its name.
    pub name: String,
    /// The account.
    pub account: String,
    /// When it ends, as RFC 3339.
    pub ends: String,
    /// Why, in a sentence.
    pub why: String,
}

/// Whose connections end soon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndingReport {
    /// Those whose end can be foreseen, the nearest first.
    pub endings: Vec<EndingLine>,
    /// The records of connections that cannot be read, by their full keys: nothing is foreseen of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<String>,
}

pub(super) async fn report(gateway: &Gateway) -> Result<Answer, Fault> {
    let mut webhooks = Vec::new();
    for webhook in gateway.webhooks() {
        let gone = gateway.gone_since(webhook).await?;
        webhooks.push(WebhookLine {
            name: webhook.name().to_owned(),
            origin: webhook.origin(),
            events: webhook
                .events()
                .iter()
                .map(|kind| kind.name().to_owned())
                .collect(),
            gone_since: gone.map(|since| since.to_string()),
        });
    }
    let deliveries = gateway.latest_deliveries(SHOWN).await?;
    Ok(Answer::Webhooks(WebhookReport {
        webhooks,
        deliveries: deliveries.iter().map(delivery_line).collect(),
    }))
}

/// Sends a test to one webhook, or to all.
pub(super) async fn test(gateway: &Gateway, name: Option<&str>) -> Result<Answer, Fault> {
    let names: Vec<_> = match name {
        Some(name) => vec![name.to_owned()],
        None => gateway
            .webhooks()
            .iter()
            .map(|known| known.name().to_owned())
            .collect(),
    };
    if names.is_empty() {
        let sentence =
            "no webhook is set up: add [webhooks.NAME] with url and secret to the configuration";
        return Ok(Answer::refused(RefusalKind::Usage, sentence));
    }
    let mut lines = Vec::new();
    for name in names {
        match gateway.test_webhook(&name).await {
            Ok(attempt) => lines.push(TestLine {
                webhook: name,
                delivered: attempt.succeeded(),
                attempt: attempt_line(&attempt),
            }),
            Err(WebhookError::Fault(fault)) => return Err(fault),
            Err(WebhookError::UnknownWebhook | WebhookError::UnknownEvent) => {
                return Ok(unknown_webhook(gateway, &name));
            }
        }
    }
    Ok(Answer::WebhookTests(lines))
}

fn unknown_webhook(gateway: &Gateway, name: &str) -> Answer {
    let known: Vec<_> = gateway.webhooks().iter().map(Webhook::name).collect();
    let known = if known.is_empty() {
        "none is set up".to_owned()
    } else {
        format!("there are {}", known.join(", "))
    };
    let sentence = format!("there is no webhook `{name}`; {known}");
    Answer::refused(RefusalKind::Usage, sentence)
}

pub(super) async fn resend(gateway: &Gateway, id: &str) -> Result<Answer, Fault> {
    let unknown = || {
        let sentence = format!(
            "no event `{id}` was sent to a webhook of now in the last 30 days; `attache webhooks` lists the latest"
        );
        Answer::refused(RefusalKind::Usage, sentence)
    };
    let Ok(event) = EventId::parse(id) else {
        return Ok(unknown());
    };
    match gateway.resend_event(&event).await {
        Ok(sent) => Ok(Answer::Resent(sent.iter().map(delivery_line).collect())),
        Err(WebhookError::Fault(fault)) => Err(fault),
        Err(WebhookError::UnknownEvent | WebhookError::UnknownWebhook) => Ok(unknown()),
    }
}

/// What will end within fourteen days, of everybody.
pub(super) async fn ending_soon(gateway: &Gateway) -> Result<Answer, Fault> {
    const SOON: Duration = Duration::from_hours(14 * 24);
    let until = gateway.clock().now() + SOON;
    let found = gateway.foreseen_endings(until).await?;
    let line = |found: &crate::gateway::Foreseen| EndingLine {
        service: found.connection.service.clone(),
        name: found.service_name.clone(),
        account: found.connection.account.label.clone(),
        ends: found.ending.at.to_string(),
        why: found.ending.why.sentence().to_owned(),
    };
    Ok(Answer::EndingSoon(EndingReport {
        endings: found.found.iter().map(line).collect(),
        unreadable: found.unreadable,
    }))
}

fn delivery_line(delivery: &Delivery) -> DeliveryLine {
    let (status, next) = match delivery.state {
        DeliveryState::Delivered { .. } => ("delivered", None),
        DeliveryState::Waiting { next } => ("waiting", Some(next.to_string())),
        DeliveryState::GivenUp {
            why: GivenUp::TriedTooOften | GivenUp::Gone,
        } => ("given_up", None),
    };
    DeliveryLine {
        event: delivery.event.to_string(),
        kind: EventKind::name(delivery.kind).to_owned(),
        webhook: delivery.webhook.clone(),
        made: delivery.made.to_string(),
        status: status.to_owned(),
        next,
        attempts: delivery.attempts.iter().map(attempt_line).collect(),
    }
}

fn attempt_line(attempt: &Attempt) -> AttemptLine {
    let at = attempt.at.to_string();
    match &attempt.outcome {
        AttemptOutcome::Answered { status } => AttemptLine {
            at,
            status: Some(*status),
            failure: None,
        },
        AttemptOutcome::Failed { why } => AttemptLine {
            at,
            status: None,
            failure: Some(why.clone()),
        },
    }
}
