//! A receiver of webhooks that a test can tell how to answer.
//!
//! Owns a small HTTP server. It checks the signature of all that arrives by itself, from the specification alone (Standard
//! Webhooks), and fails the test when one is wrong.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use attache::base::Secret;
use attache::config::Config;
use attache::gateway::{Webhook, WebhookSettings};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

/// What the receiver and the gateway both know. A canary: it may never be seen anywhere.
pub(crate) const SECRET: &str = "whsec_Y2FuYXJ5X3dlYmhvb2tfc2VjcmV0XzAxMjM0NTY3ODk=";

/// One event as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// `webhook-id`.
    pub(crate) id: String,
    /// `webhook-timestamp`.
    pub(crate) sent: i64,
    /// The path that it was sent to.
    pub(crate) path: String,
    /// The body, to the byte.
    pub(crate) text: String,
    /// The body as JSON.
    pub(crate) body: Value,
}

impl Received {
    /// Its `type`.
    pub(crate) fn kind(&self) -> &str {
        self.body["type"].as_str().expect("a type")
    }
}

#[derive(Default)]
struct Seen {
    received: Vec<Received>,
    answers: VecDeque<(u16, Vec<(&'static str, String)>)>,
    wrong: Vec<String>,
}

struct Shared {
    seen: Mutex<Seen>,
    count: watch::Sender<usize>,
    gate: Semaphore,
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A receiver that runs as long as the test. It takes everything with 204 until it is told otherwise.
pub(crate) struct Receiver {
    shared: Arc<Shared>,
    authority: String,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        let shared = Arc::new(Shared {
            seen: Mutex::default(),
            count: watch::Sender::new(0),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
        });
        let router = Router::new()
            .fallback(receive)
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            shared,
            authority: format!("localhost:{port}"),
        }
    }

    /// Where it is.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.authority)
    }

    /// Makes `config` send all events here, under the name `name`.
    pub(crate) fn set_up(&self, config: &mut Config, name: &str) {
        self.set_up_with(config, name, |_| {});
    }

    /// The same, with settings that the test changes first.
    pub(crate) fn set_up_with(
        &self,
        config: &mut Config,
        name: &str,
        change: impl FnOnce(&mut WebhookSettings),
    ) {
        let authority = self.authority.parse().expect("a loopback authority");
        config.egress.dangerously_allow_loopback.push(authority);
        let mut settings = WebhookSettings {
            url: Some(self.url("/hooks")),
            secret: Some(Secret::new(SECRET)),
            ..WebhookSettings::default()
        };
        change(&mut settings);
        let webhook = Webhook::new(name, &settings, &config.egress).expect("right settings");
        config.webhooks.push(webhook);
    }

    /// The next `times` events are answered with this status.
    pub(crate) fn answers(&self, times: usize, status: u16) -> &Self {
        self.answers_with(times, status, &[])
    }

    /// The same, with these headers.
    pub(crate) fn answers_with(
        &self,
        times: usize,
        status: u16,
        headers: &[(&'static str, String)],
    ) -> &Self {
        let answers = std::iter::repeat_n((status, headers.to_vec()), times);
        self.shared.seen().answers.extend(answers);
        self
    }

    /// Answers nobody until [`Receiver::answers_again`].
    pub(crate) fn is_silent(&self) {
        self.shared.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// Answers those who wait and those who come.
    pub(crate) fn answers_again(&self) {
        self.shared.gate.add_permits(1_000);
    }

    /// Everything that arrived, in order.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.seen().received.clone()
    }

    /// Waits until `count` events have arrived in all, and returns them.
    pub(crate) async fn arrived(&self, count: usize) -> Vec<Received> {
        let mut counts = self.shared.count.subscribe();
        counts
            .wait_for(|seen| *seen >= count)
            .await
            .expect("the receiver runs");
        let received = self.received();
        assert_eq!(received.len(), count, "{received:#?}");
        received
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let wrong = std::mem::take(&mut self.shared.seen().wrong);
            assert!(wrong.is_empty(), "{wrong:#?}");
        }
    }
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let header = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let text = String::from_utf8_lossy(&body).into_owned();
    let (id, sent) = (header("webhook-id"), header("webhook-timestamp"));
    let signature = header("webhook-signature");
    let (status, more) = {
        let mut seen = shared.seen();
        if !is_signed(&id, &sent, &text, &signature) {
            seen.wrong
                .push(format!("wrong signature {signature} of {id}.{sent}.{text}"));
        }
        if header("content-type") != "application/json" {
            seen.wrong
                .push(format!("content type {}", header("content-type")));
        }
        seen.received.push(Received {
            id,
            sent: sent.parse().unwrap_or_default(),
            path: uri.path().to_owned(),
            body: serde_json::from_str(&text).unwrap_or_default(),
            text,
        });
        seen.answers.pop_front().unwrap_or((204, Vec::new()))
    };
    shared.count.send_modify(|count| *count += 1);
    drop(shared.gate.acquire().await);
    let mut answer = StatusCode::from_u16(status)
        .expect("a status")
        .into_response();
    for (name, value) in more {
        let value = value.parse().expect("a header value");
        answer.headers_mut().insert(name, value);
    }
    answer
}

/// Standard Webhooks, "Signature scheme", as a receiver would write it.
fn is_signed(id: &str, sent: &str, body: &str, signatures: &str) -> bool {
    let key = BASE64.decode(
        SECRET
            .strip_prefix("whsec_")
            .expect("the prefix")
            .as_bytes(),
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(&key.expect("base64")).expect("any length");
    mac.update(format!("{id}.{sent}.{body}").as_bytes());
    let expected = format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()));
    signatures.split(' ').any(|one| one == expected)
}
