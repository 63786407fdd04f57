//! The requests that are sent, and how their answers are checked.

use bytes::Bytes;
use clap::ValueEnum;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::Full;
use memchr::memmem;
use serde_json::{Value, json};

/// The tool that makes one request to the API.
pub(crate) const GET: &str = "bench_get";
/// The tool that says whose account the API sees.
pub(crate) const WHOAMI: &str = "bench_whoami";
/// The tool of the bare server that asks nobody.
pub(crate) const ECHO: &str = "bench_echo";
/// What it says.
pub(crate) const ECHOED: &str = "Bench is not connected for you. To connect it, open a link in a browser, then run \
    bench_get again: this is as long as such a sentence is.";

/// How large the API's answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Size {
    /// 2,000 bytes.
    #[value(name = "2k")]
    Small,
    /// 10,000 bytes.
    #[value(name = "10k")]
    Medium,
    /// 100,000 bytes.
    #[value(name = "100k")]
    Large,
    /// 1,000,000 bytes.
    #[value(name = "1m")]
    Huge,
}

impl Size {
    pub(crate) const ALL: [Self; 4] = [Self::Small, Self::Medium, Self::Large, Self::Huge];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Small => "2k",
            Self::Medium => "10k",
            Self::Large => "100k",
            Self::Huge => "1m",
        }
    }

    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::Small => 2_000,
            Self::Medium => 10_000,
            Self::Large => 100_000,
            Self::Huge => 1_000_000,
        }
    }

    /// What stands at the end of an answer of this size and nowhere else.
    pub(crate) const fn mark(self) -> &'static str {
        match self {
            Self::Small => "the-end-of-2k",
            Self::Medium => "the-end-of-10k",
            Self::Large => "the-end-of-100k",
            Self::Huge => "the-end-of-1m",
        }
    }
}

/// What an answer must be.
#[derive(Clone, Debug)]
pub(crate) enum Expected {
    /// The API's answer itself.
    Reply(Size),
    /// A tool's result with the API's answer in it.
    ToolReply(Size),
    /// A tool's result with this in its text.
    Text(&'static str),
    /// A tool's result that is an error and holds a link to connect.
    Link,
}

/// One request that can be sent over and over, each time with an id of its own.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Body,
    expected: Expected,
}

/// What is sent along.
#[derive(Clone, Debug)]
enum Body {
    /// A plain GET.
    Nothing,
    /// A notification, which has no id.
    Notification(Bytes),
    /// A request: what stands before and after its id.
    Request(String, String),
}

/// The place of the id in a body.
const ID: &str = "\"ID\"";

impl Call {
    /// A GET of one answer of the API.
    pub(crate) fn get(size: Size) -> Self {
        Self {
            method: Method::GET,
            path: format!("/items/{}", size.name()),
            headers: HeaderMap::new(),
            body: Body::Nothing,
            expected: Expected::Reply(size),
        }
    }

    /// A POST to an MCP server. `more` are further headers.
    pub(crate) fn post(
        message: &Value,
        token: Option<&str>,
        more: &[(HeaderName, String)],
        expected: Expected,
    ) -> Self {
        let mut headers = HeaderMap::new();
        let fixed = |value: &'static str| HeaderValue::from_static(value);
        headers.insert(ACCEPT, fixed("application/json, text/event-stream"));
        headers.insert(CONTENT_TYPE, fixed("application/json"));
        let given = token.map(|token| (AUTHORIZATION, format!("Bearer {token}")));
        for (name, value) in given.iter().chain(more) {
            let value = HeaderValue::from_str(value).expect("tokens and ids are plain");
            headers.insert(name, value);
        }
        let text = message.to_string();
        let body = match text.split_once(ID) {
            Some((before, after)) => Body::Request(before.to_owned(), after.to_owned()),
            None => Body::Notification(text.into()),
        };
        Self {
            method: Method::POST,
            path: "/mcp".to_owned(),
            headers,
            body,
            expected,
        }
    }

    /// A tool call in the revision 2026-07-28, which stands alone. `capabilities` are the client's, and `more` goes
    /// beside name and arguments.
    pub(crate) fn modern(
        tool: &str,
        arguments: &Value,
        token: Option<&str>,
        expected: Expected,
        (capabilities, more): (&Value, &Value),
    ) -> Self {
        let mut parameters = json!({
            "name": tool,
            "arguments": arguments,
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": capabilities,
                "io.modelcontextprotocol/clientInfo": { "name": "bench", "version": "1" },
            },
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            if name == "_meta" {
                for (name, value) in value.as_object().into_iter().flatten() {
                    parameters["_meta"][name] = value.clone();
                }
            } else {
                parameters[name] = value.clone();
            }
        }
        let headers = [
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", tool),
        ];
        let headers =
            headers.map(|(name, value)| (HeaderName::from_static(name), value.to_owned()));
        Self::post(&message(&parameters), token, &headers, expected)
    }

    /// A tool call within a session of the revision 2025-11-25.
    pub(crate) fn legacy(
        tool: &str,
        arguments: &Value,
        token: Option<&str>,
        session: &str,
        expected: Expected,
    ) -> Self {
        let headers = [
            ("mcp-protocol-version", "2025-11-25"),
            ("mcp-session-id", session),
        ];
        let headers =
            headers.map(|(name, value)| (HeaderName::from_static(name), value.to_owned()));
        let parameters = json!({ "name": tool, "arguments": arguments });
        Self::post(&message(&parameters), token, &headers, expected)
    }

    /// The request with this id, for a server at `host`.
    pub(crate) fn request(&self, id: u64, host: &HeaderValue) -> Request<Full<Bytes>> {
        let body = match &self.body {
            Body::Nothing => Bytes::new(),
            Body::Notification(text) => text.clone(),
            Body::Request(before, after) => Bytes::from(format!("{before}{id}{after}")),
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.path.parse().expect("our own paths are right");
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().insert(HOST, host.clone());
        request
    }

    /// Whether this is the answer to the request with this id, whole and right.
    pub(crate) fn is_answered_by(&self, id: u64, status: StatusCode, body: &[u8]) -> bool {
        let holds = |text: &str| memmem::find(body, text.as_bytes()).is_some();
        let is_error = || holds("\"isError\":true");
        let answers = || {
            let id = format!("\"id\":{id}");
            let end = |at: usize| {
                body.get(at + id.len())
                    .is_none_or(|next| !next.is_ascii_digit())
            };
            memmem::find_iter(body, id.as_bytes()).any(end) && holds("\"result\":")
        };
        // The mark stands at the end, so looking for it from there is quick however large the body is.
        let marked = |size: Size| memmem::rfind(body, size.mark().as_bytes()).is_some();
        let right = match self.expected {
            Expected::Reply(size) => body.len() == size.bytes() && marked(size),
            Expected::ToolReply(size) => {
                body.len() > size.bytes() && marked(size) && answers() && !is_error()
            }
            Expected::Text(text) => answers() && holds(text) && !is_error(),
            Expected::Link => answers() && holds("/connect/") && is_error(),
        };
        status == StatusCode::OK && right
    }
}

fn message(parameters: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": "ID", "method": "tools/call", "params": parameters })
}
