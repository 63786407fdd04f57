//! What streamable HTTP wants beside a message: the headers that repeat it, and the two forms of an answer.

use std::borrow::Cow;

use data_encoding::BASE64;
use http::Response;
use http::header::CONTENT_TYPE;
use http::request::Builder;
use serde_json::Value;

/// As much of a message as HTTP repeats.
pub(super) struct Message {
    /// The message itself.
    pub(super) line: String,
    /// The id, as JSON.
    pub(super) id: Option<String>,
    pub(super) method: Option<String>,
    /// What it is about: a tool, a prompt, a resource.
    pub(super) name: Option<String>,
    /// The revision that it names itself: from 2026-07-28 on.
    pub(super) version: Option<String>,
}

impl Message {
    /// Reads what HTTP repeats; what is no JSON is sent as it is.
    pub(super) fn read(line: &str) -> Self {
        let body: Value = serde_json::from_str(line).unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let parameters = &body["params"];
        Self {
            line: line.to_owned(),
            id: body
                .get("id")
                .filter(|id| !id.is_null())
                .map(Value::to_string),
            method: text(&body["method"]),
            name: text(&parameters["name"]).or_else(|| text(&parameters["uri"])),
            version: text(&parameters["_meta"]["io.modelcontextprotocol/protocolVersion"]),
        }
    }

    /// Whether it is of this method.
    pub(super) fn is(&self, method: &str) -> bool {
        self.method.as_deref() == Some(method)
    }

    /// The request whose answer nobody wants any more.
    pub(super) fn cancels(&self) -> Option<String> {
        let body: Value = serde_json::from_str(&self.line).ok()?;
        let id = &body["params"]["requestId"];
        (self.is("notifications/cancelled") && !id.is_null()).then(|| id.to_string())
    }
}

/// The headers that repeat the body, so that what stands between need not read it (streamable HTTP, 2026-07-28).
pub(super) fn repeat(mut request: Builder, message: &Message) -> Builder {
    if let Some(method) = &message.method {
        request = request.header("mcp-method", header_text(method).as_ref());
    }
    if let Some(name) = &message.name {
        request = request.header("mcp-name", header_text(name).as_ref());
    }
    request
}

/// As it is, or in the wrapping for what a header cannot hold.
fn header_text(text: &str) -> Cow<'_, str> {
    let is_plain = text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) && text.trim() == text;
    if is_plain && !text.starts_with("=?base64?") {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("=?base64?{}?=", BASE64.encode(text.as_bytes())))
}

/// The messages of a reply: one JSON document, or the data of server-sent events.
pub(super) fn messages(reply: &Response<Vec<u8>>) -> Vec<String> {
    let text = String::from_utf8_lossy(reply.body());
    let kind = reply.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|value| value.to_str().ok()).unwrap_or("");
    let found = if kind.starts_with("text/event-stream") {
        events(&text)
    } else {
        vec![text.into_owned()]
    };
    let is_message = |text: &String| {
        serde_json::from_str::<Value>(text).is_ok_and(|value| value["jsonrpc"] == "2.0")
    };
    found.into_iter().filter(is_message).collect()
}

/// The data of each event (HTML, server-sent events).
fn events(stream: &str) -> Vec<String> {
    let mut events = vec![String::new()];
    for line in stream.lines() {
        if line.is_empty() {
            events.push(String::new());
        } else if let (Some(data), Some(event)) = (line.strip_prefix("data:"), events.last_mut()) {
            if !event.is_empty() {
                event.push('\n');
            }
            event.push_str(data.strip_prefix(' ').unwrap_or(data));
        }
    }
    events.retain(|event| !event.is_empty());
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_with_and_without_a_space_and_over_several_lines() {
        let stream = ": comment\nid: 1\ndata: {\"a\":\ndata:1}\n\nevent: x\ndata:{}\n\nretry: 3\n";
        assert_eq!(events(stream), ["{\"a\":\n1}", "{}"]);
    }

    #[test]
    fn only_messages_are_passed_on() {
        let reply = |kind: &str, body: &str| {
            let reply = Response::builder().header(CONTENT_TYPE, kind);
            messages(&reply.body(body.as_bytes().to_vec()).unwrap())
        };
        let message = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
        assert_eq!(reply("application/json", message), [message]);
        let stream = format!("data: {message}\n\ndata: keep\n\n");
        assert_eq!(reply("text/event-stream", &stream), [message]);
        assert!(reply("text/plain", "Bad token").is_empty());
    }

    #[test]
    fn what_a_header_cannot_hold_is_wrapped() {
        assert_eq!(header_text("acme_list"), "acme_list");
        for text in ["größe", " a", "=?base64?x?="] {
            assert!(header_text(text).starts_with("=?base64?"), "{text}");
        }
    }
}
