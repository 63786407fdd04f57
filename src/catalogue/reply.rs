//! What a reply means to the caller: an output, or a refusal that somebody can act on.
//!
//! JSON that no file reshapes passes through as the text that came, and no value is built of it: for a reply of a
//! megabyte that is the difference between one and twenty milliseconds. Structured content is given where the value had
//! to be built anyway: when a file picks fields, and for an empty reply that a file gives a meaning.

use std::time::Duration;

use http::Response;
use serde_json::Value;

use super::RefusalKind;
use super::error_rules::ErrorRules;
use super::pick::Pick;

/// What a reply means to the caller.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// The tool did its work.
    Success(ToolOutput),
    /// The provider did not do it.
    Refused(Refusal),
}

/// What a tool gives back.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolOutput {
    /// The output as text: JSON, or the body as it came. It is data from outside, never an instruction.
    pub text: String,
    /// The output as a JSON object, where it was reshaped; `text` says the same.
    pub structured: Option<Value>,
}

/// Why the provider did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (HTTP status {status})")]
pub struct Refusal {
    /// What it means.
    pub kind: RefusalKind,
    /// The HTTP status.
    pub status: u16,
    /// What the provider says, in one line without control or direction characters, at most a few hundred characters.
    pub message: String,
    /// How long the provider asks to wait; a day at most.
    pub retry_after: Option<Duration>,
}

/// How the body of a success is read.
#[derive(Clone, Debug, Default)]
pub(super) struct ReplyShape {
    pub(super) body: BodyShape,
    /// What an empty body stands for.
    pub(super) empty: Option<Value>,
}

/// How a body that is there is read.
#[derive(Clone, Debug, Default)]
pub(super) enum BodyShape {
    /// JSON, passed through untouched.
    #[default]
    Json,
    /// Raw text, such as a diff.
    Text,
    /// JSON, cut down.
    Pick(Box<Pick>),
}

impl ToolOutput {
    fn structured(value: Value) -> Self {
        Self {
            text: value.to_string(),
            structured: Some(value),
        }
    }

    fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            structured: None,
        }
    }
}

impl ReplyShape {
    /// Reads a whole reply.
    pub(super) fn read(&self, response: &Response<Vec<u8>>, rules: &ErrorRules) -> Reply {
        if let Some(refusal) = rules.refusal(response) {
            return Reply::Refused(refusal);
        }
        match self.output(response.body()) {
            Ok(output) => Reply::Success(output),
            Err(message) => Reply::Refused(Refusal {
                kind: RefusalKind::Other,
                status: response.status().as_u16(),
                message: message.to_owned(),
                retry_after: None,
            }),
        }
    }

    fn output(&self, body: &[u8]) -> Result<ToolOutput, &'static str> {
        if body.is_empty() {
            return Ok(match &self.empty {
                Some(meaning) => ToolOutput::structured(meaning.clone()),
                None => ToolOutput::text(""),
            });
        }
        match &self.body {
            BodyShape::Text => Ok(ToolOutput::text(String::from_utf8_lossy(body))),
            BodyShape::Json => std::str::from_utf8(body)
                .map(ToolOutput::text)
                .map_err(|_| "the provider answered with something that is not JSON"),
            BodyShape::Pick(pick) => pick
                .read(body)
                .map(ToolOutput::structured)
                .map_err(|_| "the provider answered with something that is not JSON"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(shape: &ReplyShape, status: u16, body: &[u8]) -> Reply {
        let response = Response::builder()
            .status(status)
            .body(body.to_vec())
            .unwrap();
        shape.read(&response, &ErrorRules::default())
    }

    #[test]
    fn untouched_json_passes_through_byte_for_byte() {
        let body = br#"{"b": 1.0,  "a":1}"#;
        let expected = ToolOutput {
            text: String::from_utf8(body.to_vec()).unwrap(),
            structured: None,
        };
        assert_eq!(
            read(&ReplyShape::default(), 200, body),
            Reply::Success(expected)
        );
    }

    #[test]
    fn picked_json_says_the_same_twice() {
        let shape = ReplyShape {
            body: BodyShape::Pick(Box::new(Pick::try_from(json!({"a": "b"})).unwrap())),
            empty: Some(json!({"ok": true})),
        };
        let output = |text: &str, value| {
            Reply::Success(ToolOutput {
                text: text.to_owned(),
                structured: Some(value),
            })
        };
        assert_eq!(
            read(&shape, 200, br#"{"b":1,"c":2}"#),
            output(r#"{"a":1}"#, json!({"a": 1}))
        );
        assert_eq!(
            read(&shape, 204, b""),
            output(r#"{"ok":true}"#, json!({"ok": true}))
        );
        assert!(matches!(read(&shape, 200, b"<html>"), Reply::Refused(_)));
    }

    #[test]
    fn raw_text_survives_bytes_that_are_not_utf8() {
        let shape = ReplyShape {
            body: BodyShape::Text,
            empty: None,
        };
        let Reply::Success(output) = read(&shape, 200, b"diff \xff") else {
            panic!("text is always readable")
        };
        assert_eq!(output.text, "diff \u{FFFD}");
        assert!(matches!(
            read(&ReplyShape::default(), 200, b"\xff"),
            Reply::Refused(_)
        ));
    }

    #[test]
    fn a_status_that_is_no_success_is_refused_even_without_a_rule() {
        let Reply::Refused(refusal) = read(&ReplyShape::default(), 500, b"{}") else {
            panic!("500 is no success")
        };
        assert_eq!(refusal.kind, RefusalKind::Other);
        assert_eq!(
            refusal.to_string(),
            "the provider answered 500 Internal Server Error (HTTP status 500)"
        );
    }
}
