//! The HTTP+SSE transport of 2024-11-05, for clients that still ask for it: `GET /sse` opens a stream whose first event
//! says where messages are to be posted, and everything that the server says comes on that stream.
//!
//! Source: MCP 2024-11-05, basic/transports, "HTTP with SSE". Owns the routes, and what is checked before a message
//! counts; rmcp does none of that here. The rules are those of `/mcp`: an agent token on every request, known names, and
//! a session belongs to the agent that began it. The revisions are those that `initialize` negotiates: 2026-07-28 has
//! no sessions, and its clients are told to begin one or to use `/mcp`.

mod session;

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Extension, FromRequest, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{BoxError, Router};
use futures::{Stream, StreamExt};
use rmcp::ErrorData;
use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, GetExtensions, GetMeta, JsonRpcMessage, ProtocolVersion,
    ServerJsonRpcMessage,
};
use serde::Deserialize;

use super::http::{Door, is_json, take_in, too_busy, too_many_sessions};
use super::names::ForeignName;
use super::{Server, Surface};
use crate::base::Held;
use crate::identity::Caller;
use session::{NotTaken, Said};

pub(super) use session::Sessions;

/// How often a silent stream shows that it lives, so that proxies keep it open and a dead client is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What the routes share.
#[derive(Clone)]
struct Legacy {
    door: Door,
    sessions: Sessions,
    surface: Surface,
}

/// `/sse` and `/messages`.
pub(super) fn router(door: Door, sessions: Sessions, surface: Surface) -> Router {
    let legacy = Legacy {
        door,
        sessions,
        surface,
    };
    Router::new()
        .route("/sse", get(open))
        .route("/messages", post(take))
        // Bounded before: nothing longer comes this far.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(legacy.clone(), let_in))
        .with_state(legacy)
}

/// The same addresses where the transport is switched off.
pub(super) fn router_when_off() -> Router {
    let off = || async {
        let sentence = "The HTTP+SSE transport is switched off on this gateway (`legacy_sse`): use streamable HTTP at /mcp.";
        (StatusCode::NOT_FOUND, sentence)
    };
    Router::new()
        .route("/sse", any(off))
        .route("/messages", any(off))
}

/// Lets a request in with its caller, or answers why not.
async fn let_in(State(legacy): State<Legacy>, mut request: Request, next: Next) -> Response {
    if let Err(foreign) = legacy.door.names.check(request.headers()) {
        return (ForeignName::STATUS, foreign.to_string()).into_response();
    }
    let caller = match legacy
        .door
        .caller(request.headers(), request.uri().path())
        .await
    {
        Ok(caller) => caller,
        Err(refusal) => return legacy.door.turn_away(refusal, &request),
    };
    let room = match legacy.door.admit(&caller) {
        Ok(room) => room,
        Err(busy) => return too_busy(busy),
    };
    request.extensions_mut().insert(caller);
    let request = match take_in(request).await {
        Ok(request) => request,
        Err(refusal) => return refusal,
    };
    let response = next.run(request).await;
    response.map(|body| Body::new(Held::new(body, room)))
}

/// Opens a session.
async fn open(State(legacy): State<Legacy>, Extension(caller): Extension<Caller>) -> Response {
    if legacy.door.is_full().await {
        return too_many_sessions();
    }
    let listener = caller.clone();
    let (id, said) = {
        let server = Server::for_requests(legacy.surface.clone());
        legacy.sessions.begin(caller.agent, server)
    };
    let events = Sse::new(events(&id, said)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    let headers = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        ),
    ];
    let response = (headers, events).into_response();
    legacy.door.ends_with(listener, response)
}

/// The first event says where to post; a relative address, so that no name under which we are asked gets into it.
fn events(id: &str, said: Said) -> impl Stream<Item = Result<Event, BoxError>> + use<> {
    let endpoint = Event::default()
        .event("endpoint")
        .data(format!("/messages?sessionId={id}"));
    let message =
        |message: ServerJsonRpcMessage| Ok(Event::default().event("message").json_data(message)?);
    futures::stream::iter([Ok(endpoint)]).chain(said.map(message))
}

/// The session that a message is for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Address {
    session_id: String,
}

/// Takes a message.
async fn take(State(legacy): State<Legacy>, request: Request) -> Result<StatusCode, NoMessage> {
    let (parts, body) = request.into_parts();
    let caller = parts.extensions.get::<Caller>().cloned();
    let agent = caller
        .ok_or(NoMessage::NotTaken(NotTaken::UnknownSession))?
        .agent;
    let Query(address) = Query::<Address>::try_from_uri(&parts.uri)
        .map_err(|_| NoMessage::NotTaken(NotTaken::UnknownSession))?;
    if !is_json(&parts.headers) {
        return Err(NoMessage::NotJson);
    }
    let mut limited = Request::new(body);
    *limited.extensions_mut() = parts.extensions.clone();
    let body = Bytes::from_request(limited, &()).await?;
    let mut message: ClientJsonRpcMessage = serde_json::from_slice(&body)?;
    if let Some(refusal) = without_sessions(&mut message) {
        legacy
            .sessions
            .say(&agent, &address.session_id, refusal)
            .await?;
        return Ok(StatusCode::ACCEPTED);
    }
    came_with(&mut message, parts);
    legacy
        .sessions
        .hear(&agent, &address.session_id, message)
        .await?;
    Ok(StatusCode::ACCEPTED)
}

/// The answer to a request of a revision that has no sessions.
fn without_sessions(message: &mut ClientJsonRpcMessage) -> Option<ServerJsonRpcMessage> {
    let JsonRpcMessage::Request(request) = message else {
        return None;
    };
    if matches!(request.request, ClientRequest::InitializeRequest(_)) {
        return None;
    }
    let version = request.request.get_meta_mut().protocol_version()?;
    if version.has_initialize() {
        return None;
    }
    let known = ProtocolVersion::KNOWN_VERSIONS.iter();
    let spoken: Vec<_> = known
        .filter(|version| version.has_initialize())
        .cloned()
        .collect();
    let error = ErrorData::unsupported_protocol_version(version, &spoken);
    Some(ServerJsonRpcMessage::error(error, Some(request.id.clone())))
}

/// Lets the handler see the request that a message came with, as rmcp does for `/mcp`: the caller is in it.
fn came_with(message: &mut ClientJsonRpcMessage, parts: Parts) {
    match message {
        JsonRpcMessage::Request(request) => {
            request.request.extensions_mut().insert(parts);
        }
        JsonRpcMessage::Notification(notification) => {
            notification.notification.extensions_mut().insert(parts);
        }
        JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => {}
    }
}

/// Why there is no message for a session.
#[derive(Debug, thiserror::Error)]
enum NoMessage {
    #[error("A message must be sent as `Content-Type: application/json`.")]
    NotJson,
    #[error("The message did not arrive whole; send it again.")]
    Broken,
    #[error("This is not a JSON-RPC message of MCP: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error(transparent)]
    NotTaken(#[from] NotTaken),
}

impl From<BytesRejection> for NoMessage {
    fn from(_: BytesRejection) -> Self {
        Self::Broken
    }
}

impl IntoResponse for NoMessage {
    fn into_response(self) -> Response {
        let status = match self {
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotTaken(NotTaken::UnknownSession) => StatusCode::NOT_FOUND,
            Self::NotTaken(NotTaken::TooManyRequests) => StatusCode::TOO_MANY_REQUESTS,
            Self::Broken | Self::Unreadable(_) | Self::NotTaken(NotTaken::IdInUse) => {
                StatusCode::BAD_REQUEST
            }
        };
        (status, self.to_string()).into_response()
    }
}
