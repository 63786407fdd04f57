//! What a reply means to the caller: an output, or a refusal that somebody can act on.
//!
//! JSON that no file reshapes passes through as the text that came, and no value is built of it: for a reply of a
//! megabyte that is the difference between one and twenty milliseconds. Structured content is given where the value had
//! to be built anyway: when a file picks fields, and for an empty reply that a file gives a meaning.

use std::time::Duration;

use http::Response;
use serde_json::{Map, Value};

use serde::Deserialize;

use super::RefusalKind;
use super::condition::Condition;
use super::error_rules::ErrorRules;
use super::field_path::FieldPath;
use super::graphql::Graphql;
use super::pick::Pick;
use super::wanted::Wanted;

const NOT_JSON: &str = "the provider answered with something that is not JSON";

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
    /// The refusal that says that the wish is fulfilled already.
    pub(super) treat_as_success: Option<AlreadyDone>,
}

/// A refusal that stands for a success: nothing is left to do.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AlreadyDone {
    when: Condition,
    output: Map<String, Value>,
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
    /// The data of a GraphQL reply, cut down if the file says so.
    Graphql(Box<GraphqlData>),
}

/// Where the data of a GraphQL reply stand, and what is wanted of them.
#[derive(Clone, Debug)]
pub(super) struct GraphqlData {
    data: FieldPath,
    success: Option<FieldPath>,
    pick: Option<Pick>,
    wanted: Wanted,
}

impl GraphqlData {
    pub(super) fn new(graphql: &Graphql, pick: Option<Pick>) -> Self {
        let mut wanted = Wanted::default();
        let data = wanted.at(&graphql.data);
        match &pick {
            Some(pick) => pick.want(data),
            None => data.want_whole(),
        }
        if let Some(success) = &graphql.success {
            data.at(success).want_whole();
        }
        Self {
            data: graphql.data.clone(),
            success: graphql.success.clone(),
            pick,
            wanted,
        }
    }

    /// The data of a reply in which no error rule found a refusal.
    fn read(&self, body: &[u8]) -> Result<Value, &'static str> {
        let body = self.wanted.read(body).map_err(|_| NOT_JSON)?;
        let data = self
            .data
            .find(&body)
            .ok_or("the provider answered without the data that were asked for")?;
        let is_done = self
            .success
            .as_ref()
            .is_none_or(|path| path.find(data) == Some(&Value::Bool(true)));
        if !is_done {
            return Err("the provider says that it was not done, and not why");
        }
        Ok(match &self.pick {
            Some(pick) => pick.of(data),
            None => data.clone(),
        })
    }
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
        if let Some(output) = self.already_done(response) {
            return Reply::Success(ToolOutput::structured(output));
        }
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

    /// What stands for a refusal that says that nothing is left to do.
    fn already_done(&self, response: &Response<Vec<u8>>) -> Option<Value> {
        let already_done = self.treat_as_success.as_ref()?;
        let status = response.status().as_u16();
        let body = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
        already_done
            .when
            .fits(status, response.headers(), &body)
            .then(|| Value::Object(already_done.output.clone()))
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
                .map_err(|_| NOT_JSON),
            BodyShape::Pick(pick) => pick
                .read(body)
                .map(ToolOutput::structured)
                .map_err(|_| NOT_JSON),
            // Structured content is an object (MCP 2025-11-25, server/tools).
            BodyShape::Graphql(shape) => shape.read(body).map(|data| match data {
                Value::Object(_) => ToolOutput::structured(data),
                other => ToolOutput::text(other.to_string()),
            }),
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
            treat_as_success: None,
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
            ..ReplyShape::default()
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

    fn graphql(pick: Option<Value>) -> ReplyShape {
        let graphql = json!({"document": "mutation { noteCreate { success } }", "data": "noteCreate", "success": "success"});
        let graphql: Graphql = serde_json::from_value(graphql).unwrap();
        let pick = pick.map(|tree| Pick::try_from(tree).unwrap());
        ReplyShape {
            body: BodyShape::Graphql(Box::new(GraphqlData::new(&graphql, pick))),
            ..ReplyShape::default()
        }
    }

    #[test]
    fn the_data_of_graphql_are_found_and_cut_down() {
        let body = br#"{"data": {"noteCreate": {"success": true, "note": {"id": 7, "url": "x"}}}}"#;
        let Reply::Success(output) = read(&graphql(Some(json!({"id": "note.id"}))), 200, body)
        else {
            panic!("it was done")
        };
        assert_eq!(output.structured, Some(json!({"id": 7})));
        let Reply::Success(output) = read(&graphql(None), 200, body) else {
            panic!("it was done")
        };
        assert_eq!(
            output.structured,
            Some(json!({"success": true, "note": {"id": 7, "url": "x"}}))
        );
    }

    #[test]
    fn graphql_without_data_or_without_success_is_no_success() {
        for body in [
            r#"{"data": null}"#,
            r#"{"data": {"noteCreate": null}}"#,
            r#"{"errors": [{"message": "no"}]}"#,
            r#"{"data": {"noteCreate": {"success": false}}}"#,
            r#"{"data": {"noteCreate": {"success": "true"}}}"#,
            r#"{"data": {"noteCreate": {}}}"#,
            "<html>",
        ] {
            let reply = read(
                &graphql(Some(json!({"id": "note.id"}))),
                200,
                body.as_bytes(),
            );
            assert!(matches!(reply, Reply::Refused(_)), "{body}");
        }
    }

    #[test]
    fn what_is_already_done_is_a_success_and_nothing_else_is() {
        let already_done = json!({
            "when": {"body": {"path": "error", "equals": "already_there"}},
            "output": {"ok": true},
        });
        let shape = ReplyShape {
            treat_as_success: Some(serde_json::from_value(already_done).unwrap()),
            ..ReplyShape::default()
        };
        let rules = json!([{"when": {"body": {"path": "ok", "equals": "false"}}, "is": "invalid"}]);
        let rules = ErrorRules::new(serde_json::from_value(rules).unwrap(), Vec::new());
        let read = |body: &str| shape.read(&Response::new(body.as_bytes().to_vec()), &rules);
        assert_eq!(
            read(r#"{"ok": false, "error": "already_there"}"#),
            Reply::Success(ToolOutput::structured(json!({"ok": true})))
        );
        assert!(matches!(
            read(r#"{"ok": false, "error": "gone"}"#),
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
