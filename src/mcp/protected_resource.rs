//! This gateway as a protected resource (RFC 9728): what clients are told about the tokens that it takes, and why a
//! request was not let in (RFC 6750 section 3; MCP 2026-07-28, authorization).
//!
//! Only where access tokens are accepted: elsewhere there is no authorization server to find, and so nothing that would
//! make a client look for one.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Selection;
use crate::gateway::{AccessTokenError, Gateway};
use crate::identity::AccessTokenRefusal;

/// RFC 9728 section 3: the path of the resource follows it.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// When a client may try again while the keys of an issuer cannot be had, in seconds.
const AGAIN_IN: &str = "30";

/// The metadata; nothing where no access tokens are accepted.
pub(super) fn router(gateway: &Gateway) -> Router {
    if !gateway.accepts_access_tokens() {
        return Router::new();
    }
    Router::new()
        .route(WELL_KNOWN, get(whole))
        .route(&format!("{WELL_KNOWN}/mcp"), get(whole))
        .route(&format!("{WELL_KNOWN}/mcp/{{services}}"), get(part))
        .with_state(gateway.clone())
}

async fn whole(State(gateway): State<Gateway>) -> Json<Value> {
    Json(metadata(&gateway, &gateway.links().mcp()))
}

async fn part(State(gateway): State<Gateway>, Path(services): Path<String>) -> Response {
    let named = services.split(',').filter(|id| !id.is_empty());
    match Selection::of(named, &gateway.services()) {
        Ok(_) => {
            let resource = format!("{}/{services}", gateway.links().mcp());
            Json(metadata(&gateway, &resource)).into_response()
        }
        Err(unknown) => (StatusCode::NOT_FOUND, unknown.to_string()).into_response(),
    }
}

/// RFC 9728 section 2.
fn metadata(gateway: &Gateway, resource: &str) -> Value {
    let mut metadata = json!({
        "resource": resource,
        "resource_name": "Attache",
        "authorization_servers": gateway.token_issuers(),
        "bearer_methods_supported": ["header"],
    });
    let scopes = gateway.token_scopes();
    if !scopes.is_empty() {
        metadata["scopes_supported"] = json!(scopes);
    }
    metadata
}

/// What a request asks, as a resource: the endpoint with every service, or one with some.
pub(super) fn resource(gateway: &Gateway, path: &str) -> String {
    let whole = gateway.links().mcp();
    match path.strip_prefix("/mcp/") {
        Some(services) if !services.is_empty() => format!("{whole}/{services}"),
        _ => whole,
    }
}

/// Why a request is not let in.
pub(super) enum Challenge {
    /// It bears no token.
    Absent,
    /// Its agent token is nobody's.
    Unknown,
    /// Its access token does not do.
    Refused(AccessTokenRefusal),
}

impl Challenge {
    const fn status(&self) -> StatusCode {
        match self {
            Self::Refused(AccessTokenRefusal::MissingScopes) => StatusCode::FORBIDDEN,
            _ => StatusCode::UNAUTHORIZED,
        }
    }

    /// One human sentence: clients print it as it is.
    fn sentence(&self, takes_access_tokens: bool) -> String {
        match self {
            Self::Absent if takes_access_tokens => {
                "This MCP server needs to know who calls: sign in through your client, or send an agent token as \
                 `Authorization: Bearer att_…`."
                    .to_owned()
            }
            Self::Absent => {
                "This MCP server needs an agent token: send it as `Authorization: Bearer att_…`.".to_owned()
            }
            Self::Unknown => "This agent token is not known here. Copy the token that Attache printed, or make a \
                                 new one."
                .to_owned(),
            Self::Refused(refusal) => {
                format!("You are not let in: {refusal}. Sign in through your client again.")
            }
        }
    }

    /// The header `WWW-Authenticate`.
    fn challenge(&self, gateway: &Gateway, path: &str) -> String {
        if !gateway.accepts_access_tokens() {
            return "Bearer".to_owned();
        }
        let mut parts = Vec::new();
        match self {
            Self::Absent => {}
            Self::Unknown => parts.push(r#"error="invalid_token""#.to_owned()),
            Self::Refused(refusal) => {
                let error = match refusal {
                    AccessTokenRefusal::MissingScopes => "insufficient_scope",
                    _ => "invalid_token",
                };
                // Quotes and backslashes have no place in a description (RFC 6750 section 3).
                let description = refusal.to_string().replace(['`', '"', '\\'], "'");
                parts.push(format!(
                    r#"error="{error}", error_description="{description}""#
                ));
            }
        }
        let scopes = gateway.token_scopes();
        if !scopes.is_empty() {
            parts.push(format!(r#"scope="{}""#, scopes.join(" ")));
        }
        let place = match path.strip_prefix("/mcp/") {
            // What was asked is repeated only if it can be part of an address.
            Some(services) if services.bytes().all(is_plain) && !services.is_empty() => {
                format!("/mcp/{services}")
            }
            _ => "/mcp".to_owned(),
        };
        let origin = gateway.links().origin();
        parts.push(format!(
            r#"resource_metadata="{origin}{WELL_KNOWN}{place}""#
        ));
        format!("Bearer {}", parts.join(", "))
    }

    /// The answer to a request for `path`.
    pub(super) fn answer(&self, gateway: &Gateway, path: &str) -> Response {
        let sentence = self.sentence(gateway.accepts_access_tokens());
        let mut response = (self.status(), sentence).into_response();
        // Only what the settings and we ourselves say is in it.
        if let Ok(value) = HeaderValue::from_str(&self.challenge(gateway, path)) {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, value);
        }
        response
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b',' | b'_' | b'-')
}

/// The answer where an access token lets nobody in.
pub(super) fn refuse(gateway: &Gateway, path: &str, error: AccessTokenError) -> Response {
    match error {
        AccessTokenError::Refused(refusal) => Challenge::Refused(refusal).answer(gateway, path),
        AccessTokenError::NoKeys => {
            let sentence = "Your access token cannot be checked at the moment: the keys of its issuer cannot be had. \
                            Try again in a moment; the log of this gateway says why.";
            let again = [(header::RETRY_AFTER, AGAIN_IN)];
            (StatusCode::SERVICE_UNAVAILABLE, again, sentence).into_response()
        }
        AccessTokenError::Fault(fault) => {
            tracing::error!(%fault, "the sender of an access token could not be recognised");
            (StatusCode::SERVICE_UNAVAILABLE, fault.sentence()).into_response()
        }
    }
}
