//! The smallest MCP server that shows a link in both eras, written by hand so that no SDK talks to itself.

use std::net::Ipv4Addr;

use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

pub(super) const LINK: &str = "https://gw.test/connect/7Kp2";
pub(super) const TOKEN: &str = "the-token";

/// Runs until it is dropped.
pub(super) struct Stub {
    pub(super) url: String,
    server: AbortHandle,
}

impl Stub {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let app = Router::new().route("/mcp", axum::routing::post(answer));
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            url: format!("http://{address}/mcp"),
            server: server.abort_handle(),
        }
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(headers: HeaderMap, Json(request): Json<Value>) -> Response {
    let authorization = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    if authorization != Some(&format!("Bearer {TOKEN}")) {
        return (StatusCode::UNAUTHORIZED, "The token is missing or unknown.").into_response();
    }
    let Some(id) = request.get("id") else {
        return StatusCode::ACCEPTED.into_response();
    };
    let modern = !request["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"].is_null();
    let outcome = match request["method"].as_str().unwrap_or_default() {
        "server/discover" => json!({ "result": discovered() }),
        "initialize" => json!({ "result": initialized(&request["params"]) }),
        "tools/list" => {
            json!({ "result": { "resultType": "complete", "tools": [tool()], "ttlMs": 0, "cacheScope": "private" } })
        }
        "tools/call" if modern => json!({ "result": called(&request["params"]) }),
        "tools/call" => {
            json!({ "error": { "code": -32042, "message": "Connect first", "data": { "elicitations": [link()] } } })
        }
        _ => json!({ "error": { "code": -32601, "message": "Method not found" } }),
    };
    let mut reply = json!({ "jsonrpc": "2.0", "id": id });
    for (name, value) in outcome.as_object().into_iter().flatten() {
        reply[name] = value.clone();
    }
    Json(reply).into_response()
}

fn discovered() -> Value {
    json!({
        "resultType": "complete",
        "supportedVersions": ["2026-07-28"],
        "capabilities": { "tools": {} },
        "ttlMs": 0,
        "cacheScope": "private",
    })
}

fn initialized(params: &Value) -> Value {
    json!({
        "protocolVersion": params["protocolVersion"],
        "capabilities": { "tools": {} },
        "serverInfo": { "name": "stub", "version": "1" },
    })
}

fn tool() -> Value {
    let schema = json!({ "type": "object", "properties": {} });
    json!({ "name": "greet", "description": "Greets.", "inputSchema": schema })
}

fn link() -> Value {
    json!({ "mode": "url", "elicitationId": "el_1", "url": LINK, "message": "Connect first" })
}

/// The first call shows the link; the retry says what the person did.
fn called(params: &Value) -> Value {
    let action = params["inputResponses"]["connect"]["action"].as_str();
    match action {
        None => json!({
            "resultType": "input_required",
            "inputRequests": { "connect": { "method": "elicitation/create", "params": link() } },
            "requestState": "state",
        }),
        Some(action) => json!({
            "resultType": "complete",
            "content": [{ "type": "text", "text": action }],
            "isError": action != "accept",
        }),
    }
}
