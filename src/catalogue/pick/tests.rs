//! What is picked, node by node.

use serde_json::json;

use http::HeaderMap;

use super::*;
use crate::catalogue::arguments::Arguments;
use crate::catalogue::inputs::Inputs;

/// What is picked, and what had to be left out.
fn read(tree: Value, body: &Value, max_items: usize) -> (Value, Option<String>) {
    let inputs =
        json!({"note_id": {"type": "integer"}, "none": {"type": "string", "required": false}});
    let inputs = Inputs::try_from(inputs.as_object().unwrap().clone()).unwrap();
    let given = json!({"note_id": 7});
    let places = Arguments {
        given: given.as_object().unwrap(),
        inputs: &inputs,
    };
    let mut headers = HeaderMap::new();
    headers.insert("location", "https://a.example/7".parse().unwrap());
    let pick = Pick::try_from(tree).unwrap();
    let pruned = pick.wanted().read(body.to_string().as_bytes()).unwrap();
    let reading = Reading::new(&headers, &places, max_items);
    let picked = pick.of(&pruned, &reading);
    (Value::Object(picked), reading.into_left_out().sentence())
}

fn pick(tree: Value, body: &Value) -> Value {
    read(tree, body, 500).0
}

#[test]
fn fields_are_picked_renamed_and_nested() {
    assert_eq!(
        pick(
            json!({"id": "ticket.id", "who": {"name": "ticket.user.name", "mail": "ticket.user.mail"}}),
            &json!({"ticket": {"id": 7, "url": "x", "user": {"name": "Ada", "mail": null}}}),
        ),
        json!({"id": 7, "who": {"name": "Ada"}})
    );
}

#[test]
fn lists_are_picked_item_by_item() {
    let body = json!([
        {"number": 1, "labels": [{"name": "bug", "url": "x"}], "pull_request": null},
        {"number": 2, "labels": [], "pull_request": {"url": "x"}},
    ]);
    let issue = json!({"number": "number", "labels": {"each": "labels", "pick": "name"}});
    assert_eq!(
        pick(
            json!({"issues": {"each": ".", "drop_with": "pull_request", "pick": issue}}),
            &body
        ),
        json!({"issues": [{"number": 1, "labels": ["bug"]}]})
    );
}

#[test]
fn transforms_are_applied_and_leave_out_what_they_cannot_read() {
    let tree = json!({"path": "path", "text": {"apply": "base64_decode_text", "to": "content"}});
    assert_eq!(
        pick(tree.clone(), &json!({"path": "a", "content": "aGk="})),
        json!({"path": "a", "text": "hi"})
    );
    assert_eq!(
        pick(tree, &json!({"path": "a", "content": "//8="})),
        json!({"path": "a"})
    );
}

#[test]
fn a_reply_of_another_shape_gives_an_empty_object() {
    assert_eq!(pick(json!({"id": "a.b"}), &json!([1, 2])), json!({}));
}

#[test]
fn malformed_trees_are_refused() {
    for bad in [
        json!("id"),
        json!({"a": 1}),
        json!({"a": {"each": "x"}}),
        json!({"each": ".", "pick": "a"}),
        json!({"a": {"apply": "rot13", "to": "x"}}),
        json!({"a": {"each": "x", "pick": "y", "drop": "z"}}),
        json!({"a": "b...c"}),
        json!({"a": {"each": "x", "pick": "y", "max": 0}}),
        json!({"a": {"first": []}}),
        json!({"a": {"first": ["x"], "then": "y"}}),
        json!({"a": {"entries": "x", "pick": "y"}}),
        json!({"a": {"entries": "x", "key": "name", "pick": {"name": "y"}}}),
        json!({"a": {"header": "a b"}}),
        json!({"a": {"argument": "Id"}}),
        json!({"a": {"template": "{id"}}),
        json!({"a": {"template": "{$Id}"}}),
        json!({"a": {"cut": "x", "chars": 3, "from": 1}}),
        json!({"a": {"apply": "mail_header", "to": "x"}}),
        json!({"a": {"apply": "csv_list", "to": "x", "name": "y"}}),
    ] {
        assert!(Pick::try_from(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn lists_keep_and_drop_by_a_field_and_are_cut_by_name() {
    let body = json!({"items": [
        {"id": 1, "mail": "a"}, {"id": 2}, {"id": 3, "mail": "c", "gone": 1}, {"id": 4, "mail": "d"}, {"id": 5, "mail": "e"},
    ]});
    let people = json!({"people": {"each": "items", "keep_with": "mail", "drop_with": "gone", "max": 2, "pick": "id"}});
    let (picked, left_out) = read(people, &body, 500);
    assert_eq!(picked, json!({"people": [1, 4]}));
    assert!(left_out.unwrap().contains("1 item of `people` left out"));
    let (picked, left_out) = read(json!({"all": {"each": "items", "pick": "id"}}), &body, 3);
    assert_eq!(picked, json!({"all": [1, 2, 3]}));
    assert!(left_out.unwrap().contains("2 items of `all` left out"));
}

#[test]
fn the_first_that_is_there_is_taken() {
    let tree = json!({"name": {"first": ["user.name", "user.login"]}, "count": {"first": ["n"], "otherwise": 0}});
    assert_eq!(
        pick(
            tree.clone(),
            &json!({"user": {"name": null, "login": "ada"}})
        ),
        json!({"name": "ada", "count": 0})
    );
    assert_eq!(pick(tree, &json!({"n": 4})), json!({"count": 4}));
}

#[test]
fn an_object_becomes_a_list_of_its_fields() {
    let tree = json!({"fields": {"entries": "props", "key": "name", "pick": {"type": "type"}}});
    let body = json!({"props": {"Status": {"type": "select", "id": "x"}, "Due": {"type": "date"}, "Odd": {"id": 1}}});
    assert_eq!(
        pick(tree, &body),
        json!({"fields": [{"name": "Status", "type": "select"}, {"name": "Due", "type": "date"}]})
    );
    let tree = json!({"rates": {"entries": ".", "key": "currency", "pick": "."}});
    assert_eq!(
        pick(tree, &json!({"EUR": 1, "USD": 2})),
        json!({"rates": [{"currency": "EUR", "value": 1}, {"currency": "USD", "value": 2}]})
    );
}

#[test]
fn headers_arguments_constants_and_texts_are_put_in() {
    let tree = json!({
        "at": {"header": "Location"}, "none": {"header": "X-None"}, "note_id": {"argument": "note_id"},
        "missing": {"argument": "none"}, "kind": {"constant": "note"}, "tags": {"constant": ["a"]},
        "url": {"template": "https://a.example/{team.id}/{$note_id}"}, "no_url": {"template": "https://a.example/{none}"},
        "start": {"cut": "text", "chars": 3}, "whole": {"cut": "text", "chars": 99}, "number": {"cut": "team.id", "chars": 1},
    });
    assert_eq!(
        pick(tree, &json!({"team": {"id": 12}, "text": "äöüß"})),
        json!({
            "at": "https://a.example/7", "note_id": 7, "kind": "note", "tags": ["a"],
            "url": "https://a.example/12/7", "start": "äöü…", "whole": "äöüß", "number": 12,
        })
    );
}

#[test]
fn fields_may_have_the_names_of_nodes() {
    let tree = json!({"page": {"header": "h", "first": "f", "template": "t", "constant": "c", "entries": "e", "cut": "s"}});
    assert_eq!(
        pick(
            tree,
            &json!({"h": 1, "f": 2, "t": 3, "c": 4, "e": 5, "s": 6})
        ),
        json!({"page": {"header": 1, "first": 2, "template": 3, "constant": 4, "entries": 5, "cut": 6}})
    );
}
