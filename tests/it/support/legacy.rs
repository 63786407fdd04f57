//! An MCP session of the `initialize` era over streamable HTTP, spoken by hand: for what no client can be made to say.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::events::Events;

/// One session.
pub(crate) struct LegacySession {
    url: String,
    token: String,
    id: String,
    version: String,
    http: reqwest::Client,
}

impl LegacySession {
    /// Begins a session with these client capabilities; the server's choice of version is taken.
    pub(crate) async fn begin(url: &str, token: &str, version: &str, capabilities: Value) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("an HTTP client");
        let mut session = Self {
            url: url.to_owned(),
            token: token.to_owned(),
            id: String::new(),
            version: version.to_owned(),
            http,
        };
        let parameters = json!({
            "protocolVersion": version,
            "capabilities": capabilities,
            "clientInfo": { "name": "test", "version": "1" },
        });
        let body =
            json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": parameters });
        let response = session.post(token, &body).await;
        assert_eq!(response.status(), StatusCode::OK);
        let id = response.headers().get("mcp-session-id").expect("a session");
        id.to_str().expect("plain").clone_into(&mut session.id);
        let answer = message(&response.text().await.expect("a body"));
        let chosen = answer["result"]["protocolVersion"]
            .as_str()
            .expect("a version");
        chosen.clone_into(&mut session.version);
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        assert_eq!(
            session.post(token, &initialized).await.status(),
            StatusCode::ACCEPTED
        );
        session
    }

    /// The version that was negotiated.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Calls a tool; the whole JSON-RPC answer.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Value {
        let response = self.call_as(&self.token, tool, arguments).await;
        assert_eq!(response.status(), StatusCode::OK);
        message(&response.text().await.expect("a body"))
    }

    /// Sends a request; the whole JSON-RPC answer.
    pub(crate) async fn ask(&self, method: &str, parameters: Value) -> Value {
        let body = json!({ "jsonrpc": "2.0", "id": 2, "method": method, "params": parameters });
        let response = self.post(&self.token, &body).await;
        assert_eq!(response.status(), StatusCode::OK);
        message(&response.text().await.expect("a body"))
    }

    /// Calls a tool whose answer may never come.
    pub(crate) async fn call_and_leave(&self, tool: &str) {
        let answer = self.call_as(&self.token, tool, json!({})).await;
        // A call that was cancelled need not be answered (MCP 2025-11-25, cancellation).
        let _ = answer.text().await;
    }

    /// Sends a notification.
    pub(crate) async fn notify(&self, message: &Value) {
        let answer = self.post(&self.token, message).await;
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
    }

    /// Calls a tool in this session with another agent's token; the raw status.
    pub(crate) async fn call_with_token(&self, token: &str, tool: &str) -> StatusCode {
        self.call_as(token, tool, json!({})).await.status()
    }

    /// Opens the stream of this session with another agent's token, or ends the session; the raw status.
    pub(crate) async fn touch_with_token(
        &self,
        token: &str,
        method: reqwest::Method,
    ) -> StatusCode {
        let request = self
            .http
            .request(method, &self.url)
            .header("accept", "text/event-stream");
        let response = self
            .headers(request, token)
            .send()
            .await
            .expect("the gateway answers");
        response.status()
    }

    /// Goes on at another endpoint.
    pub(crate) fn moves_to(&mut self, url: &str) {
        url.clone_into(&mut self.url);
    }

    /// Opens the stream of this session.
    pub(crate) async fn listen(&self) -> Events {
        let request = self
            .http
            .get(&self.url)
            .header("accept", "text/event-stream");
        let response = self.headers(request, &self.token).send().await;
        Events::of(response.expect("the gateway answers"))
    }

    async fn call_as(&self, token: &str, tool: &str, arguments: Value) -> reqwest::Response {
        let parameters = json!({ "name": tool, "arguments": arguments });
        let body =
            json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": parameters });
        self.post(token, &body).await
    }

    async fn post(&self, token: &str, body: &Value) -> reqwest::Response {
        let request = self
            .http
            .post(&self.url)
            .header("content-type", "application/json");
        let request = request.header("accept", "application/json, text/event-stream");
        let request = self.headers(request, token).body(body.to_string());
        request.send().await.expect("the gateway answers")
    }

    fn headers(&self, request: reqwest::RequestBuilder, token: &str) -> reqwest::RequestBuilder {
        let request = request.header("authorization", format!("Bearer {token}"));
        if self.id.is_empty() {
            return request;
        }
        request
            .header("mcp-session-id", &self.id)
            .header("mcp-protocol-version", &self.version)
    }
}

/// The JSON-RPC answer in a body, which is JSON or a stream of events.
fn message(body: &str) -> Value {
    let events = body
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .map(str::trim);
    let mut candidates = events
        .chain([body.trim()])
        .filter_map(|text| serde_json::from_str::<Value>(text).ok());
    candidates
        .find(|value| value.get("id").is_some())
        .unwrap_or_else(|| panic!("no answer in {body}"))
}
