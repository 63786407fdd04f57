//! The schema of one argument: closed, without references, no deeper than a model can fill in.

use serde_json::{Map, Value, json};

use super::document::Document;
use super::text::sentence;

/// Deeper objects are free: nobody fills in what stands below.
const DEEPEST: usize = 5;
/// More fields than a model can weigh.
const MOST_FIELDS: usize = 60;
/// Longest list of choices that is written out.
const MOST_CHOICES: usize = 100;
/// How long the words of an argument may be.
const LONGEST_DESCRIPTION: usize = 300;

/// What is copied as it stands, from `OpenAPI`'s dialect into ours.
const PLAIN_KEYS: [&str; 9] = [
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "multipleOf",
    "uniqueItems",
    "pattern",
];

/// A schema in the form that provider files ask for.
pub(super) fn closed(document: &Document, schema: &Value) -> Map<String, Value> {
    closed_below(document, schema, 0)
}

fn closed_below(document: &Document, schema: &Value, depth: usize) -> Map<String, Value> {
    let Some(schema) = document.resolve(schema).and_then(Value::as_object) else {
        return free();
    };
    if depth >= DEEPEST {
        return free();
    }
    let schema = merged(document, schema);
    let mut closed = Map::new();
    let kinds = kinds(&schema);
    match kinds.as_slice() {
        [] => return free(),
        [kind] => closed.insert("type".to_owned(), json!(kind)),
        several => closed.insert("type".to_owned(), json!(several)),
    };
    for key in PLAIN_KEYS {
        if let Some(value) = schema.get(key).filter(|value| is_sound(key, value)) {
            closed.insert(key.to_owned(), value.clone());
        }
    }
    if let Some(choices) = schema.get("enum").and_then(Value::as_array) {
        let choices: Vec<&Value> = choices.iter().filter(|choice| !choice.is_null()).collect();
        if (1..=MOST_CHOICES).contains(&choices.len()) {
            closed.insert("enum".to_owned(), json!(choices));
        }
    }
    if kinds.iter().any(|kind| kind == "array") {
        let items = schema.get("items").unwrap_or(&Value::Null);
        closed.insert(
            "items".to_owned(),
            closed_below(document, items, depth + 1).into(),
        );
    }
    if kinds.iter().any(|kind| kind == "object") {
        close_object(document, &schema, depth, &mut closed);
    }
    closed
}

fn close_object(
    document: &Document,
    schema: &Map<String, Value>,
    depth: usize,
    closed: &mut Map<String, Value>,
) {
    let fields: Map<String, Value> = writable(document, schema)
        .take(MOST_FIELDS)
        .map(|(name, field)| {
            let mut below = closed_below(document, field, depth + 1);
            if let Some(words) = described(document, field) {
                below.insert("description".to_owned(), json!(words));
            }
            (name.to_owned(), below.into())
        })
        .collect();
    if fields.is_empty() {
        closed.extend(free());
        return;
    }
    let required: Vec<&str> = required(schema)
        .filter(|name| fields.contains_key(*name))
        .collect();
    if !required.is_empty() {
        closed.insert("required".to_owned(), json!(required));
    }
    closed.insert("properties".to_owned(), fields.into());
    closed.insert("additionalProperties".to_owned(), json!(false));
}

/// An object whose fields only its users know.
fn free() -> Map<String, Value> {
    let free = json!({"type": "object", "additionalProperties": true});
    free.as_object().cloned().unwrap_or_default()
}

/// The fields of an object that a caller may set.
pub(super) fn writable<'d>(
    document: &'d Document,
    schema: &'d Map<String, Value>,
) -> impl Iterator<Item = (&'d str, &'d Value)> {
    let fields = schema.get("properties").and_then(Value::as_object);
    let is_writable = |field: &Value| {
        let field = document.resolve(field);
        field.is_none_or(|field| field.get("readOnly") != Some(&Value::Bool(true)))
    };
    fields
        .into_iter()
        .flatten()
        .filter(move |(_, field)| is_writable(field))
        .map(|(name, field)| (name.as_str(), field))
}

/// The names of the fields that must be there.
pub(super) fn required(schema: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let names = schema.get("required").and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str)
}

/// The words of a schema, as a sentence.
pub(super) fn described(document: &Document, schema: &Value) -> Option<String> {
    let words = |schema: &Value| {
        schema
            .get("description")
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let words = words(schema).or_else(|| words(document.resolve(schema)?))?;
    sentence(&words, LONGEST_DESCRIPTION)
}

/// One object out of those that `allOf` names, and out of the first of several that are possible.
pub(super) fn merged(document: &Document, schema: &Map<String, Value>) -> Map<String, Value> {
    let mut merged = schema.clone();
    let parts = |key: &str| {
        schema
            .get(key)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let first = parts("oneOf").into_iter().chain(parts("anyOf"));
    let first = first
        .filter(|part| part.get("type") != Some(&json!("null")))
        .take(1);
    for part in parts("allOf").into_iter().take(MOST_FIELDS).chain(first) {
        let Some(part) = document.resolve(&part).and_then(Value::as_object) else {
            continue;
        };
        for (key, value) in part {
            match (merged.get_mut(key), value) {
                (Some(Value::Object(fields)), Value::Object(more)) if key == "properties" => {
                    fields.extend(more.clone());
                }
                (Some(Value::Array(names)), Value::Array(more)) if key == "required" => {
                    names.extend(more.iter().cloned());
                }
                (Some(_), _) => {}
                (None, value) => {
                    merged.insert(key.clone(), value.clone());
                }
            }
        }
    }
    merged
}

/// What kinds of values are taken; a null stands for an absent argument and is none.
fn kinds(schema: &Map<String, Value>) -> Vec<String> {
    const KNOWN: [&str; 6] = ["string", "integer", "number", "boolean", "array", "object"];
    let is_known = |kind: &&str| KNOWN.contains(kind);
    let named: Vec<String> = match schema.get("type") {
        Some(Value::String(kind)) => [kind.as_str()]
            .into_iter()
            .filter(is_known)
            .map(str::to_owned)
            .collect(),
        Some(Value::Array(kinds)) => kinds
            .iter()
            .filter_map(Value::as_str)
            .filter(is_known)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    };
    if !named.is_empty() {
        return named;
    }
    let implied = if schema.contains_key("properties") {
        "object"
    } else if schema.contains_key("items") {
        "array"
    } else if schema.get("enum").is_some() {
        "string"
    } else {
        return Vec::new();
    };
    vec![implied.to_owned()]
}

/// Whether a keyword has a value that JSON Schema takes.
fn is_sound(key: &str, value: &Value) -> bool {
    match key {
        "pattern" => value.as_str().is_some_and(|pattern| {
            pattern.len() <= 200
                && jsonschema::draft202012::new(&json!({"pattern": pattern})).is_ok()
        }),
        "uniqueItems" => value.is_boolean(),
        "minimum" | "maximum" => value.is_number(),
        "multipleOf" => value.as_f64().is_some_and(|number| number > 0.0),
        _ => value.is_u64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(
        clippy::needless_pass_by_value,
        reason = "what json! makes is passed as it is"
    )]
    fn closed_of(schemas: &Value, schema: Value) -> Value {
        let text = json!({"openapi": "3.1.0", "components": {"schemas": schemas}}).to_string();
        closed(&Document::parse(&text).unwrap(), &schema).into()
    }

    #[test]
    fn schemas_are_closed_and_without_references() {
        let schemas = json!({"Pet": {"type": "object", "required": ["name", "id"], "properties": {
            "id": {"type": "integer", "readOnly": true},
            "name": {"type": ["string", "null"], "maxLength": 9, "description": "what it is called"},
            "tags": {"type": "array", "items": {"$ref": "#/components/schemas/Tag"}},
        }}, "Tag": {"enum": ["a", "b", null]}});
        assert_eq!(
            closed_of(&schemas, json!({"$ref": "#/components/schemas/Pet"})),
            json!({"type": "object", "required": ["name"], "additionalProperties": false, "properties": {
                "name": {"type": "string", "maxLength": 9, "description": "What it is called."},
                "tags": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
            }})
        );
    }

    #[test]
    fn several_schemas_become_one() {
        let schemas = json!({"A": {"properties": {"a": {"type": "string"}}, "required": ["a"]}});
        let both = json!({"allOf": [{"$ref": "#/components/schemas/A"}, {"properties": {"b": {"type": "boolean"}}, "required": ["b"]}]});
        let closed = closed_of(&schemas, both);
        assert_eq!(closed["required"], json!(["a", "b"]));
        assert_eq!(closed["properties"]["b"], json!({"type": "boolean"}));
    }

    #[test]
    fn what_turns_in_circles_ends_as_a_free_object() {
        let schemas = json!({"Node": {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}}}});
        let closed = closed_of(&schemas, json!({"$ref": "#/components/schemas/Node"}));
        let mut below = &closed;
        for _ in 0..DEEPEST {
            below = &below["properties"]["next"];
        }
        assert_eq!(
            *below,
            json!({"type": "object", "additionalProperties": true})
        );
        assert_eq!(
            closed_of(&json!({}), json!({"$ref": "https://x"}))["additionalProperties"],
            json!(true)
        );
    }
}
