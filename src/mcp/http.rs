//! MCP over streamable HTTP: who calls is settled before rmcp sees the request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use rmcp::model::ProtocolVersion;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use super::Settings;
use super::names::Names;
use super::server::{Advertised, Server};
use super::sse;
use crate::base::AgentId;
use crate::gateway::Gateway;
use crate::identity::{AgentToken, Caller};

/// How many sessions of the 2025 era are kept at once; each costs about 50 KB.
const MAX_SESSIONS: usize = 5_000;

const SESSION_ID: &str = "mcp-session-id";

/// The `/mcp` endpoint for both eras. `authorities` are the values of `Host` that are answered (DNS rebinding), and
/// `stop` ends open streams.
pub fn router(
    gateway: Gateway,
    settings: Settings,
    authorities: Vec<String>,
    stop: CancellationToken,
) -> Router {
    let sessions = Arc::new(LocalSessionManager::default());
    let sse = sse::Sessions::new(gateway.random().clone(), stop.clone());
    let names = Names::new(&authorities, gateway.links().origin());
    let config = StreamableHttpServerConfig::default()
        .with_json_response(true)
        .with_allowed_hosts(authorities)
        .with_allowed_origins([gateway.links().origin().to_owned()])
        .with_cancellation_token(stop);
    let tools = Arc::new(Advertised::new(&gateway));
    let handlers = gateway.clone();
    let server = move || Server::for_requests(handlers.clone(), settings, Arc::clone(&tools));
    let new_server = server.clone();
    let service =
        StreamableHttpService::new(move || Ok(new_server()), Arc::clone(&sessions), config);
    let door = Door {
        gateway,
        sessions,
        sse: sse.clone(),
        owners: Arc::default(),
    };
    let legacy = match settings.legacy_sse {
        true => sse::router(door.clone(), sse, names, Arc::new(server)),
        false => sse::router_when_off(),
    };
    Router::new()
        .route_service("/mcp", service)
        .layer(from_fn_with_state(door, let_in))
        .merge(legacy)
}

/// Who may pass, and whose each session is.
#[derive(Clone)]
pub(super) struct Door {
    gateway: Gateway,
    sessions: Arc<LocalSessionManager>,
    sse: sse::Sessions,
    owners: Arc<Mutex<HashMap<String, AgentId>>>,
}

/// Lets a request in with its caller, or answers why not. A session belongs to the agent that began it: to everyone
/// else it does not exist.
async fn let_in(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let caller = match door.caller(request.headers()).await {
        Ok(caller) => caller,
        Err(refusal) => return refusal,
    };
    let agent = caller.agent.clone();
    let stateless = is_stateless(request.headers());
    if stateless {
        request.headers_mut().remove(SESSION_ID);
    }
    match session_id(request.headers()) {
        Some(id) if !door.owns(&agent, &id) => return unknown_session(),
        None if !stateless && request.method() == Method::POST && door.is_full().await => {
            return too_many_sessions();
        }
        _ => {}
    }
    request.extensions_mut().insert(caller);
    let response = next.run(request).await;
    if let Some(id) = session_id(response.headers()) {
        door.bind(id, agent).await;
    }
    response
}

impl Door {
    /// Whose token the request bears.
    pub(super) async fn caller(&self, headers: &HeaderMap) -> Result<Caller, Response> {
        let bearer = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let Some((scheme, text)) = bearer.and_then(|value| value.split_once(' ')) else {
            return Err(unauthorized(
                "This MCP server needs an agent token: send it as `Authorization: Bearer att_…`.",
            ));
        };
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(unauthorized(
                "The Authorization header must be `Bearer att_…`.",
            ));
        }
        let unknown = "This agent token is not known here. Copy the token that Attache printed, or make a new one.";
        let token = AgentToken::parse(text.trim()).map_err(|_| unauthorized(unknown))?;
        match self.gateway.authenticate(&token).await {
            Ok(Some(caller)) => Ok(caller),
            Ok(None) => Err(unauthorized(unknown)),
            Err(fault) => {
                tracing::error!(%fault, "an agent could not be recognised");
                Err((StatusCode::SERVICE_UNAVAILABLE, fault.sentence()).into_response())
            }
        }
    }

    fn owns(&self, agent: &AgentId, session: &str) -> bool {
        let owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.get(session).is_some_and(|owner| owner == agent)
    }

    /// Whether there are as many sessions as there may be, of both transports together.
    pub(super) async fn is_full(&self) -> bool {
        self.sessions.sessions.read().await.len() + self.sse.count() >= MAX_SESSIONS
    }

    /// Remembers whose a session is, and forgets those that have ended.
    async fn bind(&self, session: String, agent: AgentId) {
        let live = self.sessions.sessions.read().await;
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.entry(session).or_insert(agent);
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

/// One human sentence: clients print it as it is. No `resource_metadata`: there is no authorization server to find.
fn unauthorized(sentence: &'static str) -> Response {
    let mut response = (StatusCode::UNAUTHORIZED, sentence).into_response();
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
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
