//! The provider on the wire: reads a request whole, writes it down, judges what holds for every request, and answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use attache::base::Timestamp;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use http_body_util::BodyExt;
use tokio_util::sync::CancellationToken;
use url::form_urlencoded;

use super::dialect::Requests;
use super::hold::{Gate, Hold};
use super::ledger::Ledger;
use super::revocation::{REVOCATION_PATH, RevocationStyle};
use super::{
    INBOUND_TOKEN, INTROSPECTION_PATH, REFRESH_PATH, Violation, api, authorization, introspection,
    revocation, tokens,
};

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// `GET`, `POST`…
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    /// As written in the URL; empty when there is none.
    pub(crate) query: String,
    /// Names in lower case; values as text, with `\u{fffd}` for what is none.
    pub(crate) headers: Vec<(String, String)>,
    /// As text, with `\u{fffd}` for what is none.
    pub(crate) body: String,
    /// When it arrived, by the test's clock.
    pub(crate) at: Timestamp,
}

impl Request {
    /// The first header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The first parameter of this name in a form or JSON body.
    pub(crate) fn param(&self, name: &str) -> Option<String> {
        self.params().remove(name)
    }

    /// The parameters of a form or JSON body; those of the URL when there is no body.
    pub(crate) fn params(&self) -> BTreeMap<String, String> {
        if self.body.is_empty() {
            return first_of_each(self.query_pairs().into_iter());
        }
        let is_json = self
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("application/json"));
        if is_json {
            let fields: BTreeMap<String, serde_json::Value> =
                serde_json::from_str(&self.body).unwrap_or_default();
            let text = |value: serde_json::Value| match value {
                serde_json::Value::String(text) => text,
                other => other.to_string(),
            };
            fields
                .into_iter()
                .map(|(name, value)| (name, text(value)))
                .collect()
        } else {
            first_of_each(form_urlencoded::parse(self.body.as_bytes()).into_owned())
        }
    }

    /// The parameters of the URL, in order.
    pub(crate) fn query_pairs(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(self.query.as_bytes())
            .into_owned()
            .collect()
    }

    /// The token of an `Authorization: Bearer` header (RFC 6750 section 2.1).
    pub(crate) fn bearer(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }

    /// Whether it asks for tokens.
    pub(super) fn is_token_request(&self) -> bool {
        is_token_request(&self.path)
    }

    /// Whether it takes tokens back.
    pub(super) fn is_revocation(&self) -> bool {
        is_revocation(&self.path)
    }

    fn title(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

fn is_token_request(path: &str) -> bool {
    matches!(path, "/token" | REFRESH_PATH)
}

fn is_revocation(path: &str) -> bool {
    path.strip_prefix(REVOCATION_PATH)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The first of each name wins.
fn first_of_each(pairs: impl Iterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let mut map = BTreeMap::new();
    for (name, value) in pairs {
        map.entry(name).or_insert(value);
    }
    map
}

/// What goes back.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
    breaks_off: bool,
}

impl Answer {
    pub(super) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("content-type", content_type.to_owned())],
            body: Bytes::from(body.into()),
            breaks_off: false,
        }
    }

    pub(super) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, "application/json", body.to_string()).header("cache-control", "no-store")
    }

    pub(super) fn html(status: u16, body: impl Into<String>) -> Self {
        Self::new(status, "text/html; charset=utf-8", body.into())
    }

    pub(super) fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
            breaks_off: false,
        }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The connection breaks instead of a body: what was done stays done, and nobody learns of it.
    pub(super) fn broken_off(mut self) -> Self {
        self.breaks_off = true;
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let body = if self.breaks_off {
            let broken = std::io::Error::other("lost on the wire");
            Body::from_stream(futures::stream::once(async { Err::<Bytes, _>(broken) }))
        } else {
            Body::from(self.body)
        };
        let mut response = Response::builder().status(self.status);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        response
            .body(body)
            .expect("a scripted answer is valid HTTP")
    }
}

/// What the test's side and the server's side share.
pub(super) struct Shared {
    ledger: Mutex<Ledger>,
    gates: Mutex<Vec<Arc<Gate>>>,
}

impl Shared {
    pub(super) fn new(ledger: Ledger) -> Self {
        Self {
            ledger: Mutex::new(ledger),
            gates: Mutex::default(),
        }
    }

    /// The provider's state. A test that panicked elsewhere does not make it unreadable.
    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn hold(&self, path: &str) -> Hold {
        let hold = Hold::on(path);
        self.gates().push(hold.gate());
        hold
    }

    fn gates(&self) -> MutexGuard<'_, Vec<Arc<Gate>>> {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn wait_for_release(&self, path: &str) {
        let gates: Vec<_> = self
            .gates()
            .iter()
            .filter(|gate| gate.path == path)
            .cloned()
            .collect();
        for gate in gates {
            gate.pass().await;
        }
    }
}

/// Serves until `stop` is cancelled; open connections are dropped then.
pub(super) fn serve(
    listener: std::net::TcpListener,
    shared: Arc<Shared>,
    stop: &CancellationToken,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime for the provider");
    runtime.block_on(async {
        listener
            .set_nonblocking(true)
            .expect("a socket that can be awaited");
        let listener = tokio::net::TcpListener::from_std(listener)
            .expect("a socket that can be awaited")
            // A small reply would otherwise wait 40 ms for the peer's acknowledgement.
            .tap_io(|stream| {
                let _ = stream.set_nodelay(true);
            });
        let app = axum::Router::new().fallback(answer).with_state(shared);
        tokio::select! {
            served = axum::serve(listener, app) => served.expect("the provider serves"),
            () = stop.cancelled() => {}
        }
    });
}

async fn answer(State(shared): State<Arc<Shared>>, request: axum::extract::Request) -> Answer {
    let now = shared.ledger().clock.now();
    let request = read(request, now).await;
    let _in_flight = arrive(&shared, &request);
    shared.wait_for_release(&request.path).await;
    let ledger = &mut shared.ledger();
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/authorize") => authorization::show_consent_page(ledger, &request),
        ("POST", "/authorize") => authorization::decide(ledger, &request),
        ("POST", "/token") => tokens::answer(ledger, &request),
        ("POST", REFRESH_PATH) if ledger.dialect.refresh.elsewhere => {
            tokens::answer(ledger, &request)
        }
        ("POST", INTROSPECTION_PATH) => introspection::answer(ledger, &request),
        (_, path) if is_revocation(path) => revocation::answer(ledger, &request),
        ("GET", "/.well-known/oauth-authorization-server") => authorization::metadata(ledger),
        (_, path) if path.starts_with("/api/") => api::answer(ledger, &request),
        _ => Answer::html(404, "<h1>Not here</h1>"),
    }
}

async fn read(request: axum::extract::Request, at: Timestamp) -> Request {
    let (parts, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let header = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        (
            name.as_str().to_owned(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    };
    Request {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers.iter().map(header).collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
        at,
    }
}

/// Writes the request down and judges what holds for every request.
fn arrive(shared: &Arc<Shared>, request: &Request) -> Option<InFlight> {
    let mut ledger = shared.ledger();
    ledger.requests.push(request.clone());
    judge_url(&mut ledger, request);
    judge_inbound_tokens(&mut ledger, request);
    if !is_token_request(&request.path) {
        return None;
    }
    let token = request.param("refresh_token")?;
    if !ledger.refreshes_in_flight.insert(token.clone()) {
        ledger.violations.push(Violation::RefreshesOverlap);
    }
    let shared = Arc::clone(shared);
    Some(InFlight { shared, token })
}

/// A refresh token that is being used right now.
struct InFlight {
    shared: Arc<Shared>,
    token: String,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.shared.ledger().refreshes_in_flight.remove(&self.token);
    }
}

fn judge_url(ledger: &mut Ledger, request: &Request) {
    let names_secret = |name: &str| {
        matches!(
            name,
            "client_secret" | "access_token" | "refresh_token" | "code_verifier"
        )
    };
    let is_secret = |text: &str| {
        ledger
            .canaries
            .iter()
            .any(|canary| text.contains(canary.as_str()))
    };
    // In these places the provider leaves no choice.
    let stands_in_path =
        ledger.dialect.revocation == RevocationStyle::DeletePath && is_revocation(&request.path);
    let stands_in_query =
        ledger.dialect.requests == Requests::Query && is_token_request(&request.path);
    let query_tells = request
        .query_pairs()
        .iter()
        .any(|(name, value)| names_secret(name) || is_secret(value));
    let in_url = (is_secret(&request.path) && !stands_in_path) || (query_tells && !stands_in_query);
    if in_url {
        let request = request.title();
        ledger.violations.push(Violation::SecretInUrl { request });
    }
}

fn judge_inbound_tokens(ledger: &mut Ledger, request: &Request) {
    let url = format!("{}?{}", request.path, request.query);
    let places = request
        .headers
        .iter()
        .map(|(name, value)| (format!("the header `{name}`"), value.as_str()))
        .chain([
            ("the URL".to_owned(), url.as_str()),
            ("the body".to_owned(), request.body.as_str()),
        ]);
    for (place, text) in places {
        if text.contains(INBOUND_TOKEN) {
            let request = request.title();
            ledger
                .violations
                .push(Violation::InboundToken { place, request });
        }
    }
}
