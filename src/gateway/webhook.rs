//! One webhook: where events go, and how a receiver knows that they are ours.
//!
//! Owns what can be said about a webhook, and the signature (Standard Webhooks,
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>). Refuses to know events and
//! how they are delivered.

use std::fmt;
use std::sync::Arc;

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use http::Uri;
use sha2::Sha256;
use tokio::sync::{Mutex, Notify};
use zeroize::Zeroizing;

use crate::base::{EventId, Secret, Timestamp};
use crate::connection::EventKind;
use crate::egress;

/// What an operator says about one webhook.
#[derive(Clone, Debug, Default)]
pub struct WebhookSettings {
    /// Where events are sent: https, or a loopback authority that the way out is allowed to reach.
    pub url: Option<String>,
    /// `whsec_` and the key as base64. Several, with spaces between, while receivers learn a new one: each signs.
    pub secret: Option<Secret>,
    /// The types of events that are sent; none: all.
    pub events: Option<Vec<String>>,
    /// Whether the label of the account, mostly an e-mail address, is sent along.
    pub with_account: bool,
}

/// A webhook that events can be sent to. Clones share what is known about it while the gateway runs.
#[derive(Clone)]
pub struct Webhook {
    parts: Arc<Parts>,
}

struct Parts {
    name: String,
    url: Uri,
    keys: Vec<SigningKey>,
    events: Vec<EventKind>,
    with_account: bool,
    nudge: Notify,
    turn: Mutex<()>,
}

/// A key that signs. Wiped when dropped, never shown.
struct SigningKey(Zeroizing<Vec<u8>>);

/// What is wrong with the settings of a webhook. None of it repeats a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookProblem {
    /// There is no address.
    #[error("url is missing: where are events sent?")]
    NoUrl,
    /// The address cannot be used.
    #[error("url cannot be used: {0}")]
    Url(String),
    /// There is no secret.
    #[error(
        "secret is missing: without it a receiver cannot tell who sent an event. `echo whsec_$(head -c 32 /dev/urandom | \
         base64)` makes one; set secret or secret_file"
    )]
    NoSecret,
    /// The secret has another form.
    #[error(
        "secret must be `whsec_` and 24 to 64 bytes as base64; several are separated by spaces"
    )]
    Secret,
    /// There is no such type of event.
    #[error("`{0}` is no type of event; there are {known}", known = kinds())]
    UnknownEvent(String),
    /// Nothing would ever be sent.
    #[error("events is empty: name at least one type, or leave it out to get all")]
    NoEvents,
}

impl WebhookProblem {
    /// The setting that is wrong.
    #[must_use]
    pub fn setting(&self) -> &'static str {
        match self {
            Self::NoUrl | Self::Url(_) => "url",
            Self::NoSecret | Self::Secret => "secret",
            Self::UnknownEvent(_) | Self::NoEvents => "events",
        }
    }
}

fn kinds() -> String {
    EventKind::ALL.map(EventKind::name).join(", ")
}

impl Webhook {
    /// The webhook `name`, as the settings say.
    ///
    /// # Errors
    /// Every [`WebhookProblem`] at once.
    pub fn new(
        name: &str,
        settings: &WebhookSettings,
        egress: &egress::Settings,
    ) -> Result<Self, Vec<WebhookProblem>> {
        let mut problems = Vec::new();
        let mut keep = |problem| problems.push(problem);
        let url = parse_url(settings, egress).map_err(&mut keep).ok();
        let keys = parse_keys(settings).map_err(&mut keep).ok();
        let events = parse_events(settings)
            .map_err(|found| found.into_iter().for_each(keep))
            .ok();
        let (Some(url), Some(keys), Some(events)) = (url, keys, events) else {
            return Err(problems);
        };
        let parts = Parts {
            name: name.to_owned(),
            url,
            keys,
            events,
            with_account: settings.with_account,
            nudge: Notify::new(),
            turn: Mutex::default(),
        };
        Ok(Self {
            parts: Arc::new(parts),
        })
    }

    /// The name that the configuration gives it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.parts.name
    }

    /// Scheme, host and port of where events go. The rest of the address may be a secret, and is not shown.
    #[must_use]
    pub fn origin(&self) -> String {
        let scheme = self.parts.url.scheme_str().unwrap_or("https");
        let authority = self
            .parts
            .url
            .authority()
            .map_or("", |known| known.as_str());
        format!("{scheme}://{authority}")
    }

    /// The types of events that it gets.
    #[must_use]
    pub fn events(&self) -> &[EventKind] {
        &self.parts.events
    }

    pub(super) fn url(&self) -> &Uri {
        &self.parts.url
    }

    pub(super) fn wants(&self, kind: EventKind) -> bool {
        self.parts.events.contains(&kind)
    }

    pub(super) fn with_account(&self) -> bool {
        self.parts.with_account
    }

    /// Tells whoever delivers to it that there is something to deliver.
    pub(super) fn nudge(&self) {
        self.parts.nudge.notify_one();
    }

    /// Waits until there is something to deliver. What was told while nobody waited counts.
    pub async fn nudged(&self) {
        self.parts.nudge.notified().await;
    }

    /// One pass over its deliveries at a time.
    pub(super) fn turn(&self) -> &Mutex<()> {
        &self.parts.turn
    }

    /// The value of `webhook-signature`: `v1,` and HMAC-SHA256 of `id.timestamp.body` as base64, one for each key
    /// (Standard Webhooks, "Signature scheme").
    pub(super) fn signature(&self, id: &EventId, at: Timestamp, body: &str) -> String {
        let signed = format!("{id}.{}.{body}", at.as_unix());
        let one = |key: &SigningKey| format!("v1,{}", BASE64.encode(&key.sign(signed.as_bytes())));
        let all: Vec<_> = self.parts.keys.iter().map(one).collect();
        all.join(" ")
    }
}

/// Shows no key, and no path of the address.
impl fmt::Debug for Webhook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Webhook")
            .field("name", &self.name())
            .field("origin", &self.origin())
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    fn parse(text: &str) -> Option<Self> {
        let encoded = text.strip_prefix("whsec_")?;
        let key = Zeroizing::new(BASE64.decode(encoded.as_bytes()).ok()?);
        (24..=64).contains(&key.len()).then_some(Self(key))
    }

    fn sign(&self, text: &[u8]) -> Vec<u8> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(text);
        mac.finalize().into_bytes().to_vec()
    }
}

fn parse_url(settings: &WebhookSettings, egress: &egress::Settings) -> Result<Uri, WebhookProblem> {
    let text = settings.url.as_deref().ok_or(WebhookProblem::NoUrl)?;
    let url: Uri = text
        .parse()
        .map_err(|_| WebhookProblem::Url("it is not a web address".to_owned()))?;
    egress
        .admit(&url)
        .map_err(|error| WebhookProblem::Url(error.to_string()))?;
    Ok(url)
}

fn parse_keys(settings: &WebhookSettings) -> Result<Vec<SigningKey>, WebhookProblem> {
    let secret = settings.secret.as_ref().ok_or(WebhookProblem::NoSecret)?;
    let keys: Option<Vec<_>> = secret
        .expose()
        .split_whitespace()
        .map(SigningKey::parse)
        .collect();
    keys.filter(|keys| !keys.is_empty())
        .ok_or(WebhookProblem::Secret)
}

fn parse_events(settings: &WebhookSettings) -> Result<Vec<EventKind>, Vec<WebhookProblem>> {
    let Some(names) = &settings.events else {
        return Ok(EventKind::ALL.to_vec());
    };
    if names.is_empty() {
        return Err(vec![WebhookProblem::NoEvents]);
    }
    let mut unknown = Vec::new();
    let mut kinds = Vec::new();
    for name in names {
        match EventKind::parse(name) {
            Some(kind) => kinds.push(kind),
            None => unknown.push(WebhookProblem::UnknownEvent(name.clone())),
        }
    }
    if unknown.is_empty() {
        Ok(kinds)
    } else {
        Err(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(secret: &str) -> WebhookSettings {
        WebhookSettings {
            url: Some("https://ops.example.com/hooks/1".into()),
            secret: Some(Secret::new(secret)),
            ..WebhookSettings::default()
        }
    }

    fn made(settings: &WebhookSettings) -> Result<Webhook, Vec<WebhookProblem>> {
        Webhook::new("ops", settings, &egress::Settings::default())
    }

    /// The example of the specification's own libraries.
    #[test]
    fn the_signature_is_that_of_the_specification() {
        let webhook = made(&settings("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signed = format!("{id}.1614265330.{}", r#"{"test": 2432232314}"#);
        let signature = BASE64.encode(&webhook.parts.keys[0].sign(signed.as_bytes()));
        assert_eq!(signature, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    /// What the specification's own Python library (`standardwebhooks` 1.1.0) makes of the same.
    #[test]
    fn the_signature_is_that_of_another_library() {
        let id = EventId::parse("evt_0w3ge1r70w3ge1r70w3ge1r70w").unwrap();
        let body = r#"{"type":"attache.test","n":"ü"}"#;
        for (secret, signature) in [
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "v1,449FwSdBOXyBeTFak7v6gAK6yr6f+4XEEqmziwU7vB4=",
            ),
            (
                "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
                "v1,4UEyllXvwap2QqaUPbS/gklICzbPVlTagkCrHRp+lVI=",
            ),
        ] {
            let webhook = made(&settings(secret)).unwrap();
            let at = Timestamp::from_unix(1_795_413_600);
            assert_eq!(webhook.signature(&id, at, body), signature);
        }
    }

    #[test]
    fn while_a_secret_changes_both_sign() {
        let (old, new) = (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        );
        let id = EventId::from_bytes([7; 16]);
        let sign = |secret: &str| {
            let webhook = made(&settings(secret)).unwrap();
            webhook.signature(&id, Timestamp::from_unix(1_800_000_000), "{}")
        };
        let both = format!("{} {}", sign(new), sign(old));
        assert_eq!(sign(&format!("{new} {old}\n")), both);
        assert!(both.starts_with("v1,") && both.matches("v1,").count() == 2);
    }

    #[test]
    fn everything_that_is_wrong_is_said_and_no_secret_is() {
        let wrong = WebhookSettings {
            url: Some("http://hunter2.example.com/hunter3".into()),
            secret: Some(Secret::new("whsec_hunter4")),
            events: Some(vec![
                "connection.lost".into(),
                "connection.connected".into(),
            ]),
            with_account: false,
        };
        let problems = made(&wrong).unwrap_err();
        let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
        let settings: Vec<_> = problems.iter().map(WebhookProblem::setting).collect();
        assert_eq!(settings, ["url", "secret", "events"]);
        assert!(told[0].contains("https"), "{told:?}");
        assert!(told[2].contains("connection.lost") && told[2].contains("connection.expired"));
        assert!(!told.concat().contains("hunter3") && !told.concat().contains("hunter4"));

        let nothing = made(&WebhookSettings::default()).unwrap_err();
        assert_eq!(nothing, [WebhookProblem::NoUrl, WebhookProblem::NoSecret]);
    }

    #[test]
    fn an_address_inside_and_a_short_secret_are_refused() {
        for url in [
            "https://10.0.0.1/x",
            "http://localhost:9/x",
            "https://a:b@example.com/",
            "/relative",
        ] {
            let inside = WebhookSettings {
                url: Some(url.into()),
                ..settings("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
            };
            let problems = made(&inside).unwrap_err();
            assert!(matches!(problems[..], [WebhookProblem::Url(_)]), "{url}");
        }
        for secret in [
            "",
            "whsec_",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_c2hvcnQ=",
        ] {
            let problems = made(&settings(secret)).unwrap_err();
            assert_eq!(problems, [WebhookProblem::Secret], "{secret}");
        }
        let shown = format!(
            "{:?}",
            made(&settings("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
        );
        assert!(
            !shown.contains("hooks") && !shown.contains("MfKQ"),
            "{shown}"
        );
    }
}
