//! One request and its reply.

use data_encoding::BASE64;
use http::{Request, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Headers that say nothing about a tool.
const USUAL: [&str; 2] = ["accept", "user-agent"];

/// One request and its reply.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exchange {
    /// What is to be sent; a fixture that is being written leaves it out.
    pub(super) request: Option<Value>,
    response: ResponseKeys,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResponseKeys {
    status: u16,
    #[serde(default)]
    headers: Map<String, Value>,
    body: Option<Value>,
    text: Option<String>,
    base64: Option<String>,
}

impl Exchange {
    /// The reply as it would come.
    pub(super) fn response(&self) -> Result<Response<Vec<u8>>, String> {
        let keys = &self.response;
        let body = match (&keys.body, &keys.text, &keys.base64) {
            (None, None, None) => Vec::new(),
            (Some(body), None, None) => body.to_string().into_bytes(),
            (None, Some(text), None) => text.clone().into_bytes(),
            (None, None, Some(encoded)) => {
                let decoded = BASE64.decode(encoded.as_bytes());
                decoded.map_err(|error| {
                    format!("the `base64` of a response cannot be read: {error}")
                })?
            }
            _ => return Err("a response has at most one of `body`, `text` and `base64`".to_owned()),
        };
        let mut response = Response::builder().status(keys.status);
        for (name, value) in &keys.headers {
            let value = value
                .as_str()
                .ok_or_else(|| format!("the header `{name}` of a response is no text"))?;
            response = response.header(name, value);
        }
        response
            .body(body)
            .map_err(|error| format!("a response cannot be one: {error}"))
    }
}

/// A request in the form of a fixture.
pub(super) fn shown(request: &Request<Vec<u8>>) -> Value {
    let mut shown = Map::new();
    shown.insert("method".to_owned(), json!(request.method().as_str()));
    shown.insert("url".to_owned(), json!(request.uri().to_string()));
    let json_body: Option<Value> = serde_json::from_slice(request.body())
        .ok()
        .filter(|_| media_type(request) == "application/json");
    let is_usual =
        |name: &str| USUAL.contains(&name) || (name == "content-type" && json_body.is_some());
    let headers: Map<String, Value> = request
        .headers()
        .iter()
        .filter(|(name, _)| !is_usual(name.as_str()))
        .map(|(name, value)| {
            (
                name.to_string(),
                json!(String::from_utf8_lossy(value.as_bytes())),
            )
        })
        .collect();
    if !headers.is_empty() {
        shown.insert("headers".to_owned(), headers.into());
    }
    match (request.body(), json_body) {
        (body, _) if body.is_empty() => {}
        (_, Some(body)) => {
            shown.insert("body".to_owned(), body);
        }
        (body, None) => {
            let (key, value) = match std::str::from_utf8(body) {
                Ok(text) => ("text", text.to_owned()),
                Err(_) => ("base64", BASE64.encode(body)),
            };
            shown.insert(key.to_owned(), json!(value));
        }
    }
    shown.into()
}

fn media_type(request: &Request<Vec<u8>>) -> &str {
    let header = request.headers().get(http::header::CONTENT_TYPE);
    header
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// What was sent, with those headers only that the fixture cares about.
pub(super) fn with_listed_headers(sent: &Value, expected: &Value) -> Value {
    let mut sent = sent.clone();
    let listed = expected.get("headers").and_then(Value::as_object);
    if let Some(sent) = sent.as_object_mut() {
        match (
            listed,
            sent.get_mut("headers").and_then(Value::as_object_mut),
        ) {
            (Some(listed), Some(headers)) => {
                let is_listed =
                    |name: &String| listed.keys().any(|key| key.eq_ignore_ascii_case(name));
                headers.retain(|name, _| is_listed(name));
            }
            (None, _) => {
                sent.shift_remove("headers");
            }
            (Some(_), None) => {}
        }
    }
    sent
}
