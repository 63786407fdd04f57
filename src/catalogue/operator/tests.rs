//! What each operator makes, in a value and in a tree, and which ones are refused.

use serde_json::json;

use super::*;
use crate::catalogue::arguments::Arguments;
use crate::catalogue::inputs::Inputs;
use crate::catalogue::places::InCall;

fn rendered(template: &ValueTemplate, given: &Value) -> Result<Option<Value>, RenderError> {
    let inputs = json!({
        "q": {"type": "string", "required": false},
        "n": {"type": "integer", "required": false},
        "state": {"type": "string", "default": "open"},
        "list": {"type": "array", "required": false},
        "on": {"type": "boolean", "required": false},
    });
    let inputs = Inputs::try_from(inputs.as_object().unwrap().clone()).unwrap();
    let outside = &Arguments {
        given: given.as_object().unwrap(),
        inputs: &inputs,
    };
    template.render(&InCall {
        outside,
        unique: "run-7",
    })
}

fn value(template: Value, given: &Value) -> Result<Option<Value>, RenderError> {
    rendered(&ValueTemplate::value(template).unwrap(), given)
}

fn tree(template: Value, given: &Value) -> Result<Option<Value>, RenderError> {
    rendered(&ValueTemplate::tree(template).unwrap(), given)
}

#[test]
fn lists_become_text() {
    let list = json!({"list": ["a", 2, true]});
    assert_eq!(
        value(json!({"csv": "$list"}), &list),
        Ok(Some(json!("a,2,true")))
    );
    assert_eq!(
        value(json!({"join": " OR ", "of": "$list"}), &list),
        Ok(Some(json!("a OR 2 OR true")))
    );
    for nothing in [json!({}), json!({"list": []})] {
        assert_eq!(value(json!({"csv": "$list"}), &nothing), Ok(None));
        assert_eq!(
            value(json!({"join": " ", "of": "$list"}), &nothing),
            Ok(None)
        );
    }
    assert!(
        value(
            json!({"join": " OR ", "of": "$list"}),
            &json!({"list": ["a OR b"]})
        )
        .is_err()
    );
    assert!(value(json!({"csv": "$list"}), &json!({"list": ["a,b"]})).is_err());
}

#[test]
fn clauses_that_are_there_are_joined() {
    let clauses = json!({"join": " and ", "of": [
        {"text": "name contains {q|single_quoted}"},
        {"text": "size > {n|plain}"},
        "trashed = false",
    ]});
    assert_eq!(
        value(clauses.clone(), &json!({"q": "it's"})),
        Ok(Some(json!("name contains 'it\\'s' and trashed = false")))
    );
    assert_eq!(
        value(clauses, &json!({"n": 3, "q": "a"})),
        Ok(Some(json!(
            "name contains 'a' and size > 3 and trashed = false"
        )))
    );
    let optional = json!({"join": " and ", "of": [{"text": "name = {q|double_quoted}"}]});
    assert_eq!(value(optional, &json!({})), Ok(None));
}

#[test]
fn a_lookup_gives_any_constant() {
    let table = json!({"lookup": "$state", "in": {"open": "OPEN", "closed": "DONE"}});
    assert_eq!(value(table.clone(), &json!({})), Ok(Some(json!("OPEN"))));
    assert_eq!(value(table, &json!({"state": "other"})), Ok(None));
    let flags = json!({"sort": {"$lookup": "$on", "in": {"true": {"by": "time"}}}, "k": 1});
    assert_eq!(
        tree(flags.clone(), &json!({"on": true})),
        Ok(Some(json!({"sort": {"by": "time"}, "k": 1})))
    );
    assert_eq!(
        tree(flags, &json!({"on": false})),
        Ok(Some(json!({"k": 1})))
    );
}

#[test]
fn transforms_and_json_take_trees() {
    assert_eq!(
        value(
            json!({"apply": "reply_subject", "to": "$q"}),
            &json!({"q": "Lunch"})
        ),
        Ok(Some(json!("Re: Lunch")))
    );
    assert_eq!(
        value(json!({"apply": "reply_subject", "to": "$q"}), &json!({})),
        Ok(None)
    );
    assert_eq!(
        tree(
            json!({"raw": {"$apply": "base64_encode", "to": {"$json": {"q": "$q", "n": "$n"}}}}),
            &json!({"q": "a"})
        ),
        Ok(Some(json!({"raw": "eyJxIjoiYSJ9"})))
    );
    let refused = value(
        json!({"apply": "reply_subject", "to": "$list"}),
        &json!({"list": []}),
    );
    assert_eq!(refused, Err(RenderError::refused("list", "is not a text")));
}

#[test]
fn each_item_is_put_into_a_tree() {
    let template = json!({"people": {"$each": "$list", "put": {"mail": {"address": "$item.mail"}, "role": "$state", "quoted": {"$text": "<{item.mail|double_quoted}>"}}}});
    assert_eq!(
        tree(template, &json!({"list": [{"mail": "a@b"}, {"name": "x"}]})),
        Ok(Some(json!({"people": [
            {"mail": {"address": "a@b"}, "role": "open", "quoted": "<\"a@b\">"},
            {"role": "open"},
        ]})))
    );
    let whole = json!({"$each": "$list", "put": "$item"});
    assert_eq!(
        tree(whole.clone(), &json!({"list": [1, "a"]})),
        Ok(Some(json!([1, "a"])))
    );
    assert_eq!(
        tree(whole.clone(), &json!({"list": []})),
        Ok(Some(json!([])))
    );
    assert_eq!(tree(whole.clone(), &json!({})), Ok(None));
    assert!(tree(whole, &json!({"list": "a"})).is_err());
    let nested = ValueTemplate::tree(
        json!({"$each": "$list", "put": {"$each": "$item.parts", "put": ["$item.id", "$q"]}}),
    );
    let nested = nested.unwrap();
    assert_eq!(nested.places(), ["list", "q"]);
    assert_eq!(
        rendered(
            &nested,
            &json!({"q": 0, "list": [{"parts": [{"id": 1}, {"id": 2}]}]})
        ),
        Ok(Some(json!([[[1, 0], [2, 0]]])))
    );
}

#[test]
fn the_first_that_is_there_is_taken() {
    let first = json!({"first": ["$q", "$n", "nobody"]});
    assert_eq!(
        value(first.clone(), &json!({"q": "a", "n": 1})),
        Ok(Some(json!("a")))
    );
    assert_eq!(value(first.clone(), &json!({"n": 1})), Ok(Some(json!(1))));
    assert_eq!(value(first, &json!({})), Ok(Some(json!("nobody"))));
    assert_eq!(tree(json!({"$first": ["$q"]}), &json!({})), Ok(None));
}

#[test]
fn a_flag_decides_about_a_tree_and_about_the_id_of_the_call() {
    let body = json!({"body": {"$if": "$q", "put": {"type": "text", "content": "$q"}}, "id": {"$unique": "$on"}, "k": 1});
    assert_eq!(tree(body.clone(), &json!({})), Ok(Some(json!({"k": 1}))));
    assert_eq!(
        tree(body.clone(), &json!({"on": false})),
        Ok(Some(json!({"k": 1})))
    );
    assert_eq!(
        tree(body, &json!({"on": true, "q": "a"})),
        Ok(Some(
            json!({"body": {"type": "text", "content": "a"}, "id": "run-7", "k": 1})
        ))
    );
}

#[test]
fn an_operator_says_whether_it_is_always_there() {
    let inputs = json!({"q": {"type": "string", "required": false}, "state": {"default": "open"}});
    let inputs = Inputs::try_from(inputs.as_object().unwrap().clone()).unwrap();
    for (template, is_there) in [
        (json!({"$text": "{state|plain}"}), true),
        (json!({"$text": "{state|plain} {q|plain}"}), false),
        (json!({"$join": " ", "of": ["$q", "$state"]}), true),
        (json!({"$join": " ", "of": ["$q"]}), false),
        (json!({"$first": ["$q", "$state"]}), true),
        (json!({"$apply": "json_string", "to": "$q"}), false),
        (json!({"$json": {"a": "$state"}}), true),
        (json!({"$csv": "$state"}), false),
        (json!({"$lookup": "$state", "in": {"open": 1}}), false),
        (json!({"$if": "$state", "put": 1}), false),
        (json!({"$each": "$state", "put": "$item"}), true),
    ] {
        let parsed = ValueTemplate::tree(template.clone()).unwrap();
        assert_eq!(parsed.is_always_there(&inputs), is_there, "{template}");
    }
}

#[test]
fn malformed_operators_are_refused_with_what_was_meant() {
    let error =
        ValueTemplate::tree(json!({"a": {"$aply": "json_string", "to": "$q"}})).unwrap_err();
    assert!(error.contains("did you mean `$apply`?"), "{error}");
    for bad in [
        json!({"$csv": "a"}),
        json!({"$csv": {"a": 1}}),
        json!({"$text": 1}),
        json!({"$text": "{q}"}),
        json!({"$join": 1, "of": ["$q"]}),
        json!({"$join": ",", "of": {}}),
        json!({"$join": ","}),
        json!({"$apply": "base64_decode_text", "to": "$q"}),
        json!({"$apply": "rot13", "to": "$q"}),
        json!({"$apply": "json_string"}),
        json!({"$lookup": "$q", "in": "a"}),
        json!({"$lookup": "q", "in": {"a": 1}}),
        json!({"$each": "$list"}),
        json!({"$each": ["$list"], "put": 1}),
        json!({"$each": "$list", "put": "$item", "max": 3}),
        json!({"$first": []}),
        json!({"$first": "$q"}),
        json!({"$if": "q", "put": 1}),
        json!({"$unique": true}),
        json!({"$csv": "$list", "$json": 1}),
    ] {
        assert!(ValueTemplate::tree(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn a_field_that_begins_with_a_dollar_sign_is_told_how_it_is_written() {
    let problem = ValueTemplate::tree(json!({"user": {"$id": "7"}})).unwrap_err();
    assert!(
        problem.ends_with(r#"a field that is called `$id` is written as `"$$id"`"#),
        "{problem}"
    );
    assert_eq!(
        tree(json!({"user": {"$$id": "7"}}), &json!({})),
        Ok(Some(json!({"user": {"$id": "7"}})))
    );
}
