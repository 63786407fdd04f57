//! MCP over streamable HTTP: who calls is settled before rmcp sees the request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use futures::StreamExt;
use rmcp::model::ProtocolVersion;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::bounds::{Excess, NO_MESSAGE};
use super::intake::{self, Refusal};
use super::names::{ForeignName, Names};
use super::protected_resource::{self, Challenge};
use super::server::{Server, UnderWay};
use super::stream::after_the_last_call;
use super::{Selection, Surface, UnknownService, sse};
use crate::base::{AgentId, Held};
use crate::gateway::{Attempt, Busy, Gateway, Permit, TooManyAttempts};
use crate::identity::{AgentToken, Caller, ClientAddress};

/// How many sessions of the 2025 era are kept at once; each costs about 50 KB.
const MAX_SESSIONS: usize = 5_000;

const SESSION_ID: &str = "mcp-session-id";

/// The endpoints `/mcp`, with every service, and `/mcp/{services}`, with those named, for both eras. `authorities` are the
/// values of `Host` that are answered (DNS rebinding), and `stop` ends open streams.
pub fn router(surface: &Surface, authorities: Vec<String>) -> Router {
    let sessions = Arc::new(LocalSessionManager::default());
    let (gateway, stop) = (surface.gateway(), &surface.parts.stop);
    let sse = sse::Sessions::new(gateway.random().clone(), stop.clone());
    let answering = watch::Sender::default();
    let over = after_the_last_answer(stop.clone(), &answering);
    let names = Names::new(&authorities, gateway.links().origin());
    let config = StreamableHttpServerConfig::default()
        .with_json_response(true)
        .with_allowed_hosts(authorities)
        .with_allowed_origins([gateway.links().origin().to_owned()])
        .with_cancellation_token(over.clone());
    let handlers = surface.clone();
    let service = StreamableHttpService::new(
        move || Ok(Server::for_requests(handlers.clone())),
        Arc::clone(&sessions),
        config,
    );
    let door = Door {
        gateway: gateway.clone(),
        sessions,
        sse: sse.clone(),
        names,
        owners: Arc::default(),
        answering,
        over,
    };
    let legacy = if surface.settings().legacy_sse {
        sse::router(door.clone(), sse, surface.clone())
    } else {
        sse::router_when_off()
    };
    Router::new()
        .route_service("/mcp", service.clone())
        .route_service("/mcp/{services}", service)
        .layer(from_fn_with_state(door, let_in))
        .merge(legacy)
        .merge(protected_resource::router(gateway))
}

/// Who may pass, and whose each session is.
#[derive(Clone)]
pub(super) struct Door {
    gateway: Gateway,
    sessions: Arc<LocalSessionManager>,
    sse: sse::Sessions,
    pub(super) names: Names,
    owners: Arc<Mutex<HashMap<String, Owner>>>,
    /// How many requests wait for the beginning of their answer, which is all of it where it is JSON.
    answering: watch::Sender<usize>,
    /// Nothing is answered any more.
    over: CancellationToken,
}

/// For a request that comes when we end: nothing of it was done.
fn ending() -> Response {
    let sentence = "This gateway is ending. Nothing was done: send the request again in a moment.";
    (
        StatusCode::SERVICE_UNAVAILABLE,
        [(header::RETRY_AFTER, "2")],
        sentence,
    )
        .into_response()
}

/// Cancelled once somebody says stop and every request that was under way then has its answer: rmcp cuts off with it
/// whatever has not been answered, and open streams.
fn after_the_last_answer(
    stop: CancellationToken,
    answering: &watch::Sender<usize>,
) -> CancellationToken {
    let (over, answering) = (CancellationToken::new(), answering.subscribe());
    let told = over.clone();
    tokio::spawn(async move {
        after_the_last_call(stop, answering).await;
        told.cancel();
    });
    over
}

/// Whose a session is, and what it sees.
#[derive(Clone, PartialEq, Eq)]
struct Owner {
    agent: AgentId,
    selection: Selection,
}

/// Lets a request in with its caller, or answers why not. A session belongs to the agent that began it: to everyone
/// else it does not exist.
async fn let_in(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let answering = door.answering.clone();
    let under_way = UnderWay::begin(&answering);
    if door.over.is_cancelled() {
        return ending();
    }
    if let Err(foreign) = door.names.check(request.headers()) {
        return (ForeignName::STATUS, foreign.to_string()).into_response();
    }
    let caller = match door.caller(request.headers(), request.uri().path()).await {
        Ok(caller) => caller,
        Err(refusal) => return door.turn_away(refusal, &request),
    };
    let selection = match door.selection(request.uri().path()) {
        Ok(selection) => selection,
        Err(unknown) => return (StatusCode::NOT_FOUND, unknown.to_string()).into_response(),
    };
    let owner = Owner {
        agent: caller.agent.clone(),
        selection: selection.clone(),
    };
    let room = match door.admit(&caller) {
        Ok(room) => room,
        Err(busy) => return too_busy(busy),
    };
    let stateless = is_stateless(request.headers());
    if stateless {
        request.headers_mut().remove(SESSION_ID);
    }
    match session_id(request.headers()) {
        Some(id) if !door.owns(&owner, &id) => return unknown_session(),
        None if !stateless && request.method() == Method::POST && door.is_full().await => {
            return too_many_sessions();
        }
        _ => {}
    }
    let listener = (request.method() == Method::GET).then(|| caller.clone());
    request.extensions_mut().insert(caller);
    request.extensions_mut().insert(selection);
    let request = match take_in(request).await {
        Ok(request) => request,
        Err(refusal) => return refusal,
    };
    let was_json = is_json(request.headers());
    let response = next.run(request).await;
    drop(under_way);
    if was_json && response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        return no_message();
    }
    if let Some(id) = session_id(response.headers()) {
        door.bind(id, owner).await;
    }
    let response = match listener {
        Some(caller) => door.ends_with(caller, response),
        None => response,
    };
    response.map(|body| Body::new(Held::new(body, room)))
}

/// The request with its whole body, if that is a message within bounds. What is not sent as JSON is refused elsewhere,
/// unread.
pub(super) async fn take_in(request: Request) -> Result<Request, Response> {
    if request.method() != Method::POST || !is_json(request.headers()) {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    match intake::take_in(&parts.headers, body).await {
        Ok(body) => Ok(Request::from_parts(parts, body.into())),
        Err(Refusal::Excess(excess)) if !matches!(excess, Excess::TooLong) => {
            Err((StatusCode::BAD_REQUEST, Json(excess.answer())).into_response())
        }
        Err(refusal) => Err((refusal.status(), refusal.sentence()).into_response()),
    }
}

/// JSON that is no JSON-RPC message, which rmcp takes for the wrong media type.
fn no_message() -> Response {
    let error = json!({ "code": -32600, "message": NO_MESSAGE });
    let body = json!({ "jsonrpc": "2.0", "id": null, "error": error });
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

impl Door {
    /// Whose token the request for `path` bears.
    pub(super) async fn caller(&self, headers: &HeaderMap, path: &str) -> Result<Caller, Response> {
        let refused = |challenge: Challenge| challenge.answer(&self.gateway, path);
        let token = bearer(headers).ok_or_else(|| refused(Challenge::Absent))?;
        if self.gateway.accepts_access_tokens() && !AgentToken::is_meant(token) {
            let resource = protected_resource::resource(&self.gateway, path);
            let caller = self.gateway.authenticate_access_token(token, &resource);
            return caller
                .await
                .map_err(|error| protected_resource::refuse(&self.gateway, path, error));
        }
        let token = AgentToken::parse(token).map_err(|_| refused(Challenge::Unknown))?;
        match self.gateway.authenticate(&token).await {
            Ok(Some(caller)) => Ok(caller),
            Ok(None) => Err(refused(Challenge::Unknown)),
            Err(fault) => {
                tracing::error!(%fault, "an agent could not be recognised");
                Err((StatusCode::SERVICE_UNAVAILABLE, fault.sentence()).into_response())
            }
        }
    }

    /// Answers a request that bears no token of anybody's. Whoever was wrong too often is told to wait; who is right never
    /// comes here, whatever others behind the same address do.
    pub(super) fn turn_away(&self, refusal: Response, request: &Request) -> Response {
        let is_wrong = refusal.status() == StatusCode::UNAUTHORIZED
            && request.headers().contains_key(header::AUTHORIZATION);
        let address = request.extensions().get::<ClientAddress>().copied();
        match address.filter(|_| is_wrong) {
            Some(address) => match self.gateway.attempt_failed(Attempt::Bearer, address) {
                Ok(()) => refusal,
                Err(too_many) => too_many_attempts(too_many),
            },
            None => refusal,
        }
    }

    /// A stream ends once its agent is nobody any more.
    pub(super) fn ends_with(&self, caller: Caller, response: Response) -> Response {
        if !response.status().is_success() {
            return response;
        }
        let gateway = self.gateway.clone();
        let nobody = async move { gateway.until_nobody(&caller).await };
        response.map(|body| Body::from_stream(body.into_data_stream().take_until(Box::pin(nobody))))
    }

    /// Room for one more request of this agent, as long as it is held.
    pub(super) fn admit(&self, caller: &Caller) -> Result<Permit, Busy> {
        self.gateway.admit_request(caller)
    }

    /// What an address below `/mcp` offers: `/mcp/slack`, or several with commas between.
    fn selection(&self, path: &str) -> Result<Selection, UnknownService> {
        let named = path.strip_prefix("/mcp/").unwrap_or_default();
        let named = named.split(',').filter(|id| !id.is_empty());
        Selection::of(named, &self.gateway.services())
    }

    fn owns(&self, owner: &Owner, session: &str) -> bool {
        let owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.get(session) == Some(owner)
    }

    /// Whether there are as many sessions as there may be, of both transports together.
    pub(super) async fn is_full(&self) -> bool {
        self.sessions.sessions.read().await.len() + self.sse.count() >= MAX_SESSIONS
    }

    /// Remembers whose a session is, and forgets those that have ended.
    async fn bind(&self, session: String, owner: Owner) {
        let live = self.sessions.sessions.read().await;
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.entry(session).or_insert(owner);
        if owners.len() > 64 && owners.len() > 2 * live.len() {
            owners.retain(|id, _| live.contains_key(id.as_str()));
        }
    }
}

fn session_id(headers: &HeaderMap) -> Option<String> {
    headers
        .get(SESSION_ID)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned)
}

/// From 2026-07-28 on there are no sessions, and a session's name is to be ignored (streamable HTTP, 2026-07-28).
fn is_stateless(headers: &HeaderMap) -> bool {
    let version = headers
        .get("mcp-protocol-version")
        .and_then(|value| value.to_str().ok());
    version.is_some_and(|version| version >= ProtocolVersion::V_2026_07_28.as_str())
}

/// The token of the header `Authorization` (RFC 6750 section 2.1), where it stands once. In no other place is one looked
/// for.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (scheme, token) = values.next()?.to_str().ok()?.split_once(' ')?;
    let is_single = values.next().is_none();
    (is_single && scheme.eq_ignore_ascii_case("bearer")).then(|| token.trim())
}

/// RFC 6585 section 4.
pub(super) fn too_busy(busy: Busy) -> Response {
    let wait = [(header::RETRY_AFTER, busy.again_in_seconds().to_string())];
    (StatusCode::TOO_MANY_REQUESTS, wait, busy.to_string()).into_response()
}

/// RFC 6585 section 4.
fn too_many_attempts(too_many: TooManyAttempts) -> Response {
    let wait = [(header::RETRY_AFTER, too_many.again_in_seconds.to_string())];
    (StatusCode::TOO_MANY_REQUESTS, wait, too_many.to_string()).into_response()
}

fn unknown_session() -> Response {
    (
        StatusCode::NOT_FOUND,
        "There is no such session; begin a new one.",
    )
        .into_response()
}

pub(super) fn too_many_sessions() -> Response {
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "Too many MCP sessions are open; end some, or try again in a few minutes.",
    )
        .into_response()
}
