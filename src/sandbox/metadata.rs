//! `GET /.well-known/oauth-authorization-server`: what this server can do (RFC 8414).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::scope::Scope;
use super::server::Service;

/// The document.
pub(super) async fn show(State(service): State<Arc<Service>>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", service.url);
    let client_auth = ["client_secret_basic", "client_secret_post"];
    Json(json!({
        "issuer": service.url,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "revocation_endpoint": at("/revoke"),
        "introspection_endpoint": at("/introspect"),
        "service_documentation": at("/"),
        "scopes_supported": Scope::ALL.map(Scope::as_str),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": client_auth,
        "revocation_endpoint_auth_methods_supported": client_auth,
        "introspection_endpoint_auth_methods_supported": client_auth,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    }))
}
