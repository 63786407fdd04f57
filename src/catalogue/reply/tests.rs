//! How replies are read, shape by shape.

use serde_json::json;

use super::*;

/// A scope in which nothing has a value.
struct Nothing;

impl Places for Nothing {
    fn value(&self, _: &str) -> Option<&Value> {
        None
    }
}

const NO_ARGUMENTS: ReplyScope<'static> = ReplyScope {
    places: &Nothing,
    page: None,
};

fn shape(keys: ReplyKeys) -> ReplyShape {
    ReplyShape::parse(keys, None, None).unwrap()
}

fn picking(tree: Value) -> ReplyKeys {
    ReplyKeys {
        pick: Some(Pick::try_from(tree).unwrap()),
        ..ReplyKeys::default()
    }
}

fn read(shape: &ReplyShape, status: u16, body: &[u8]) -> Reply {
    let response = Response::builder()
        .status(status)
        .body(body.to_vec())
        .unwrap();
    shape.read(&response, &ErrorRules::default(), NO_ARGUMENTS)
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
    let shape = shape(ReplyKeys {
        empty: json!({"ok": true}).as_object().cloned(),
        ..picking(json!({"a": "b"}))
    });
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

fn graphql(pick: Option<Value>) -> ReplyShape {
    let graphql = json!({"document": "mutation { noteCreate { success } }", "data": "noteCreate", "success": "success"});
    let graphql: Graphql = serde_json::from_value(graphql).unwrap();
    let keys = ReplyKeys {
        pick: pick.map(|tree| Pick::try_from(tree).unwrap()),
        ..ReplyKeys::default()
    };
    ReplyShape::parse(keys, Some(&graphql), None).unwrap()
}

#[test]
fn the_data_of_graphql_are_found_and_cut_down() {
    let body = br#"{"data": {"noteCreate": {"success": true, "note": {"id": 7, "url": "x"}}}}"#;
    let Reply::Success(output) = read(&graphql(Some(json!({"id": "note.id"}))), 200, body) else {
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
    let read = |body: &str| {
        let response = Response::new(body.as_bytes().to_vec());
        shape.read(&response, &rules, NO_ARGUMENTS)
    };
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

#[test]
fn what_is_already_done_names_arguments_and_fields() {
    let already_done = json!({
        "when": {"status": 409},
        "output": {"ok": true, "gone": "$none"},
        "pick": {"channel": "error.channel"},
    });
    let shape = ReplyShape {
        treat_as_success: Some(serde_json::from_value(already_done).unwrap()),
        ..ReplyShape::default()
    };
    let Reply::Success(output) = read(&shape, 409, br#"{"error": {"channel": "C1"}}"#) else {
        panic!("it is done")
    };
    assert_eq!(
        output.structured,
        Some(json!({"ok": true, "channel": "C1"}))
    );
}

#[test]
fn untouched_json_above_its_cap_is_refused_with_what_to_do() {
    let body = format!("[{}1]", "1,".repeat(MAX_BYTES / 2));
    let Reply::Refused(refusal) = read(&ReplyShape::default(), 200, body.as_bytes()) else {
        panic!("it is too long")
    };
    assert!(
        refusal.message.contains("262147 bytes and at most 262144")
            && refusal.message.contains("ask for less")
    );
    let body = &body.as_bytes()[3..];
    let body = [b"[1", &body[2..]].concat();
    assert!(matches!(
        read(&ReplyShape::default(), 200, &body),
        Reply::Success(_)
    ));
}

#[test]
fn a_picked_output_is_cut_to_its_cap_and_says_so() {
    let shape = shape(ReplyKeys {
        max_bytes: Some(LEAST_BYTES),
        ..picking(
            json!({"notes": {"each": "notes", "pick": {"id": "id", "text": "text"}}, "total": "total"}),
        )
    });
    let notes: Vec<Value> = (0..400)
        .map(|id| json!({"id": id, "text": "word ".repeat(20)}))
        .collect();
    let body = json!({"notes": notes, "total": 400}).to_string();
    let Reply::Success(output) = read(&shape, 200, body.as_bytes()) else {
        panic!("it can be cut")
    };
    assert!(output.text.len() <= LEAST_BYTES && output.text.len() > LEAST_BYTES / 2);
    let structured = output.structured.unwrap();
    let kept = structured["notes"].as_array().unwrap().len();
    assert_eq!(structured["total"], 400);
    assert!(
        structured["left_out"]
            .as_str()
            .unwrap()
            .contains(&format!("{} items of `notes`", 400 - kept))
    );
}

#[test]
fn a_created_thing_that_is_only_named_in_a_header_is_an_output() {
    let shape = shape(picking(json!({"url": {"header": "Location"}})));
    let response = Response::builder()
        .status(201)
        .header("Location", "https://a.example/7")
        .body(Vec::new())
        .unwrap();
    let Reply::Success(output) = shape.read(&response, &ErrorRules::default(), NO_ARGUMENTS) else {
        panic!("it was created")
    };
    assert_eq!(
        output.structured,
        Some(json!({"url": "https://a.example/7"}))
    );
}

#[test]
fn keys_that_contradict_each_other_are_refused() {
    let text = || ReplyKeys {
        text: true,
        ..ReplyKeys::default()
    };
    let bad = [
        ReplyKeys {
            keep: Some(Keep::Tail),
            ..ReplyKeys::default()
        },
        ReplyKeys {
            max_chars: Some(7),
            ..ReplyKeys::default()
        },
        ReplyKeys {
            keep: Some(Keep::Tail),
            ..text()
        },
        ReplyKeys {
            max_chars: Some(0),
            ..text()
        },
        ReplyKeys {
            max_bytes: Some(MOST_BYTES + 1),
            ..text()
        },
        ReplyKeys {
            max_bytes: Some(7),
            ..text()
        },
        ReplyKeys {
            max_items: Some(0),
            ..text()
        },
        ReplyKeys {
            text: true,
            ..picking(json!({"a": "b"}))
        },
        picking(json!({"left_out": "b"})),
    ];
    for keys in bad {
        let shown = format!("{keys:?}");
        assert!(ReplyShape::parse(keys, None, None).is_err(), "{shown}");
    }
    let tail = ReplyKeys {
        keep: Some(Keep::Tail),
        max_chars: Some(60_000),
        ..text()
    };
    assert!(ReplyShape::parse(tail, None, None).is_ok());
}
