//! An agent's HTTP requests, spoken by hand: for headers and bodies that no client sends.

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use super::gateway::TestGateway;
use super::person::Person;

/// What a client of 2026-07-28 says in every request.
pub(crate) fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
    })
}

/// A request of 2026-07-28 as a body.
pub(crate) fn body(method: &str, mut parameters: Value) -> String {
    parameters["_meta"] = meta();
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": parameters }).to_string()
}

/// A call of 2026-07-28 as a body.
pub(crate) fn call(tool: &str) -> String {
    body("tools/call", json!({ "name": tool, "arguments": {} }))
}

/// One agent's way to the gateway.
#[derive(Clone)]
pub(crate) struct Wire {
    http: reqwest::Client,
    origin: String,
    token: String,
}

impl Wire {
    pub(crate) fn of(gateway: &TestGateway, person: &Person) -> Self {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .expect("an HTTP client");
        Self {
            http,
            origin: gateway.origin(),
            token: person.token().to_owned(),
        }
    }

    /// Scheme, host and port of the gateway.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// A request with the agent's token and nothing else.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.origin))
            .header("authorization", format!("Bearer {}", self.token))
    }

    /// A POST of JSON to `/mcp`, without the headers of 2026-07-28.
    pub(crate) fn post(&self) -> RequestBuilder {
        self.request(Method::POST, "/mcp")
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json")
    }

    /// A request of 2026-07-28 with the headers that belong to it.
    pub(crate) async fn ask(&self, method: &str, parameters: Value) -> Response {
        let mut request = self
            .post()
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", method);
        if let Some(name) = parameters["name"].as_str() {
            request = request.header("mcp-name", name);
        }
        let sent = request.body(body(method, parameters)).send().await;
        sent.expect("the gateway answers")
    }

    /// A stream on which the gateway tells of other tools, open.
    pub(crate) async fn listen(&self) -> Response {
        let wanted = json!({ "notifications": { "toolsListChanged": true } });
        self.ask("subscriptions/listen", wanted).await
    }

    /// Fails when the gateway does not answer this agent as it should.
    pub(crate) async fn assert_served(&self) {
        let answer = self.ask("tools/list", json!({})).await;
        assert_eq!(answer.status(), 200);
        let answer = answer.text().await.expect("a body");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        let tools = answer["result"]["tools"].as_array();
        assert!(tools.is_some_and(|tools| !tools.is_empty()), "{answer:#}");
    }
}
