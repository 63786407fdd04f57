//! `attache webhooks`: where events go, what was sent, a test, sending one again.

use clap::{Args, Subcommand};

use super::ask::{Form, ask, print, print_json, unexpected};
use super::{Failure, Places};
use crate::app::control::{Answer, AttemptLine, Command, DeliveryLine, TestLine, WebhookReport};
use crate::config::Environment;

#[derive(Debug, Args)]
pub(super) struct WebhooksOptions {
    #[command(subcommand)]
    action: Option<WebhookAction>,
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Subcommand)]
enum WebhookAction {
    /// List the webhooks, and the latest events that were sent.
    List,
    /// Send a test now, and show what the receiver answers.
    Test {
        /// To this webhook alone.
        name: Option<String>,
    },
    /// Send an event again now, whatever became of it before.
    Resend {
        /// The event, as the list names it.
        id: String,
    },
}

/// `attache webhooks`.
pub(super) fn webhooks(options: WebhooksOptions, environment: &Environment) -> Result<(), Failure> {
    let command = match options.action.unwrap_or(WebhookAction::List) {
        WebhookAction::List => Command::Webhooks,
        WebhookAction::Test { name } => Command::TestWebhooks { name },
        WebhookAction::Resend { id } => Command::ResendEvent { id },
    };
    let json = options.form.json;
    match ask(options.places, environment, &command, options.form)? {
        Answer::Webhooks(report) if json => print_json(&report),
        Answer::Webhooks(report) => list(&report),
        Answer::WebhookTests(tests) => tested(&tests, json),
        Answer::Resent(sent) => resent(&sent, json),
        _ => Err(unexpected()),
    }
}

fn list(report: &WebhookReport) -> Result<(), Failure> {
    if report.webhooks.is_empty() {
        eprintln!(
            "No webhook is set up: add [webhooks.NAME] with url and secret to the configuration."
        );
    }
    for webhook in &report.webhooks {
        let gone = webhook.gone_since.as_ref().map(|since| {
            format!("  gets nothing since {since}, when it answered 410; `attache webhooks test {}` asks it again", webhook.name)
        });
        print(&format!(
            "{:<16} {}  {}{}",
            webhook.name,
            webhook.origin,
            webhook.events.join(", "),
            gone.unwrap_or_default()
        ))?;
    }
    report
        .deliveries
        .iter()
        .try_for_each(|line| print(&delivery(line)))
}

fn delivery(line: &DeliveryLine) -> String {
    let next = line.next.as_ref().map(|next| format!(", next {next}"));
    let last = line
        .attempts
        .last()
        .map(|last| format!(": {}", answer(last)));
    format!(
        "{}  {}  {:<26} {:<16} {} after {} attempts{}{}",
        line.made,
        line.event,
        line.kind,
        line.webhook,
        line.status.replace('_', " "),
        line.attempts.len(),
        last.unwrap_or_default(),
        next.unwrap_or_default()
    )
}

fn answer(attempt: &AttemptLine) -> String {
    match (attempt.status, &attempt.failure) {
        (Some(status), _) => format!("answered {status}"),
        (None, Some(why)) => why.clone(),
        (None, None) => "no answer".to_owned(),
    }
}

fn tested(tests: &[TestLine], json: bool) -> Result<(), Failure> {
    if json {
        print_json(tests)?;
    } else {
        for test in tests {
            print(&format!("{:<16} {}", test.webhook, answer(&test.attempt)))?;
        }
    }
    let not_taken = tests.iter().filter(|test| !test.delivered).count();
    conclude(not_taken, "webhooks did not take the test")
}

fn resent(sent: &[DeliveryLine], json: bool) -> Result<(), Failure> {
    if json {
        print_json(sent)?;
    } else {
        for line in sent {
            print(&delivery(line))?;
        }
    }
    let not_taken = sent
        .iter()
        .filter(|line| line.status != "delivered")
        .count();
    conclude(not_taken, "webhooks did not take the event")
}

fn conclude(not_taken: usize, what: &str) -> Result<(), Failure> {
    if not_taken == 0 {
        return Ok(());
    }
    Err(Failure::new(format!("{not_taken} {what}")))
}
