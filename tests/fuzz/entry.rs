//! The two ways in that speak JSON-RPC, in process and with hostile bytes.
//!
//! The real router and the real stream server stand on a store in memory, with the catalogue of the release; one service
//! is set up, and nobody has connected it, so that no call leaves the process. The clock of the runtime stands still until
//! nothing else can happen, and then jumps: a wait of minutes costs nothing, and whatever hangs is found at once.
//!
//! The fuzz targets use this, and so does the test that replays the kept corpus.

use std::collections::BTreeMap;
use std::time::Duration;

use attache::base::{Clock, Random, Secret, Timestamp};
use attache::catalogue::Catalogue;
use attache::egress::{self, Egress};
use attache::gateway::{Gateway, Limits, Links, ServiceSettings, Services};
use attache::identity::Caller;
use attache::mcp::{self, Selection, Server, Surface};
use attache::store::{MasterKey, Store};
use axum::Router;
use axum::body::Body;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// No answer, no stream of lines takes longer; streams of events may.
const PATIENCE: Duration = Duration::from_mins(10);

/// How long and how many parts of an endless answer are heard. What keeps a stream alive goes by the clock on the wall, and
/// so may come without a pause here.
const LISTENING: Duration = Duration::from_secs(20);
const PARTS: usize = 4;

const AUTHORITY: &str = "127.0.0.1:8080";

/// Stands in an input for the session of the 2025 era that is open.
const SESSION: &str = "SESSION";

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"fuzz","version":"1"}}}"#;

/// One gateway and one agent.
pub struct Entry {
    runtime: Runtime,
    router: Router,
    surface: Surface,
    caller: Caller,
    token: String,
}

impl Entry {
    /// Starts them.
    ///
    /// # Panics
    /// When they do not start.
    #[must_use]
    pub fn new() -> Self {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let gateway = gateway();
        let agent = gateway.startup_caller("fuzz", "ana", "Ana", "agent");
        let (caller, token) = runtime.block_on(agent).expect("the store is in memory");
        let surface = Surface::new(gateway, mcp::Settings::default(), CancellationToken::new());
        let router = runtime.block_on(async { mcp::router(&surface, vec![AUTHORITY.to_owned()]) });
        Self {
            runtime,
            router,
            surface,
            caller,
            token: token.expose().to_owned(),
        }
    }

    /// `METHOD PATH`, headers one a line, an empty line, the body. What a request cannot do without is added when it is
    /// missing; what is no header is left out.
    ///
    /// # Panics
    /// When the gateway panics, fails on its own side, hangs, or answers JSON that is none.
    pub fn http(&self, input: &[u8]) {
        self.runtime.block_on(async {
            let Some(request) = self.request(input).await else {
                return;
            };
            let answer = timeout(PATIENCE, self.router.clone().oneshot(request)).await;
            let answer = answer.expect("it answers").expect("it never fails");
            judge(answer).await;
        });
    }

    /// What a client writes before it closes its side.
    ///
    /// # Panics
    /// When the gateway panics, hangs, or writes anything but JSON-RPC messages.
    pub fn line(&self, input: &[u8]) {
        self.runtime.block_on(async {
            let surface = self.surface.clone();
            let server = Server::for_process(surface, self.caller.clone(), Selection::All);
            let (mut heard, output) = tokio::io::duplex(1 << 16);
            let input = std::io::Cursor::new(input.to_vec());
            let serving = mcp::serve_stream(server, input, output, CancellationToken::new());
            let mut said = String::new();
            let both = Box::pin(async { tokio::join!(serving, heard.read_to_string(&mut said)) });
            // A client that never began with a request is an error that it is told of, and no more.
            let (_, read) = timeout(PATIENCE, Box::pin(both)).await.expect("it ends");
            read.expect("UTF-8");
            for line in said.lines() {
                judge_message(line.as_bytes());
            }
        });
    }

    async fn request(&self, input: &[u8]) -> Option<Request<Body>> {
        let end = input.windows(2).position(|pair| pair == b"\n\n");
        let (head, body) = match end {
            Some(end) => (&input[..end], &input[end + 2..]),
            None => (input, &b""[..]),
        };
        let mut lines = head.split(|byte| *byte == b'\n');
        let first = std::str::from_utf8(lines.next()?).ok()?;
        let (method, path) = first.split_once(' ')?;
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).ok()?)
            .uri(path)
            .body(Body::from(body.to_vec()))
            .ok()?;
        let headers = request.headers_mut();
        for line in lines {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = HeaderName::from_bytes(line[..colon].trim_ascii()).ok()?;
            let value = line[colon + 1..].trim_ascii();
            let value = if value == SESSION.as_bytes() {
                self.session().await
            } else {
                HeaderValue::from_bytes(value).ok()?
            };
            headers.append(name, value);
        }
        let bearer = format!("Bearer {}", self.token);
        for (name, value) in [
            (AUTHORIZATION, bearer.as_str()),
            (HOST, AUTHORITY),
            (ACCEPT, "application/json, text/event-stream"),
            (CONTENT_TYPE, "application/json"),
        ] {
            let value = HeaderValue::from_str(value).expect("plain");
            headers.entry(name).or_insert(value);
        }
        Some(request)
    }

    async fn session(&self) -> HeaderValue {
        let request = Request::post("/mcp")
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .header(HOST, AUTHORITY)
            .header(ACCEPT, "application/json, text/event-stream")
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(INITIALIZE))
            .expect("a request");
        let answer = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("never fails");
        let id = answer.headers().get("mcp-session-id").cloned();
        let _ = answer.into_body().collect().await;
        id.unwrap_or_else(|| HeaderValue::from_static("none"))
    }
}

fn gateway() -> Gateway {
    let random = Random::seeded(1);
    let store = Store::memory(MasterKey::generate(&random), random.clone());
    let egress = Egress::new(egress::Settings::default()).expect("a way out");
    let github = ServiceSettings {
        client_id: Some("client".into()),
        client_secret: Some(Secret::new("secret")),
        variables: BTreeMap::new(),
    };
    let settings = BTreeMap::from([("github".to_owned(), github)]);
    let catalogue = Catalogue::load(None).expect("the catalogue of the release");
    let services = Services::new(catalogue, &settings).expect("a right registration");
    let links = Links::new(&format!("http://{AUTHORITY}")).expect("a public URL");
    let clock = Clock::manual(Timestamp::from_unix(1_795_413_600));
    let unlimited = Limits {
        calls_at_once: 0,
        calls_per_second: 0,
        requests_at_once: 0,
    };
    let settings = attache::gateway::Settings {
        limits: unlimited,
        ..attache::gateway::Settings::default()
    };
    Gateway::new(store, egress, services, links, clock, random, settings)
}

async fn judge(answer: Response<Body>) {
    let status = answer.status();
    let is_full = status == StatusCode::SERVICE_UNAVAILABLE;
    assert!(!status.is_server_error() || is_full, "it failed: {status}");
    let kind = answer.headers().get(CONTENT_TYPE);
    let is_json = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let mut body = answer.into_body();
    if is_json {
        let body = timeout(PATIENCE, body.collect()).await.expect("it ends");
        judge_message(&body.expect("a whole body").to_bytes());
        return;
    }
    // An open stream is left after a while, as a client that goes away would.
    for _ in 0..PARTS {
        match timeout(LISTENING, body.frame()).await {
            Ok(Some(part)) => drop(part.expect("a part")),
            Ok(None) | Err(_) => return,
        }
    }
}

/// A message of ours, as text.
///
/// # Panics
/// When it is none.
pub fn judge_message(text: &[u8]) {
    let message: Value = serde_json::from_slice(text).expect("JSON");
    assert_eq!(message["jsonrpc"], "2.0", "{message}");
}
