//! The JSON Schema of provider files, for editors.
//!
//! Owns its form. What the keys are and what kind each has stands in `places.json`, what they mean in
//! `docs/provider-file.md`: an editor shows the words of the page. The parser stays the judge: the schema is looser
//! wherever JSON Schema could only say a rule at length, and tests hold that both know the same keys.

mod page;

use serde_json::{Map, Value, json};

/// The kinds of all keys, by the table that they stand in.
pub(super) const PLACES: &str = include_str!("places.json");

/// A JSON Schema (2020-12) that every right provider file satisfies.
#[must_use]
pub fn schema() -> Value {
    // The file is part of the program: a mistake in it fails every test that prints the schema.
    let places: Map<String, Value> = serde_json::from_str(PLACES).unwrap_or_default();
    let mut definitions = own_kinds();
    for (name, place) in &places {
        definitions.insert(name.clone(), table(name, place, &places));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A provider file of Attache",
        "if": { "required": ["authorization"] },
        "then": { "$ref": "#/$defs/product" },
        "else": { "$ref": "#/$defs/provider" },
        "$defs": definitions,
    })
}

/// A table that has the keys of `place`, and no others.
fn table(name: &str, place: &Value, places: &Map<String, Value>) -> Value {
    let mut properties = properties(name, place);
    for shared in place["with"].as_array().into_iter().flatten() {
        if let Some(shared) = shared.as_str()
            && let Some(place) = places.get(shared)
        {
            properties.extend(self::properties(shared, place));
        }
    }
    let mut table = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if let Some(required) = place.get("required") {
        table["required"] = required.clone();
    }
    table
}

fn properties(name: &str, place: &Value) -> Map<String, Value> {
    let keys = place["keys"].as_object().into_iter().flatten();
    let described = keys.map(|(key, of)| {
        let mut schema = kind(of);
        if let Some(meaning) = page::meaning(name, key)
            && let Some(schema) = schema.as_object_mut()
        {
            schema.insert("description".to_owned(), meaning.into());
        }
        (key.clone(), schema)
    });
    described.collect()
}

/// The schema of a kind: `string`, `@another place`, `[list of]`, `{table of}`, or a schema as it is.
fn kind(of: &Value) -> Value {
    let Some(text) = of.as_str() else {
        let mut schema = of.clone();
        if let Some(kinds) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
            for one in kinds {
                *one = kind(one);
            }
        }
        return schema;
    };
    let inner = |text: &str| kind(&Value::from(&text[1..text.len() - 1]));
    match text {
        "any" => json!({}),
        "count" => json!({ "type": "integer", "minimum": 0 }),
        text if text.starts_with('@') => json!({ "$ref": format!("#/$defs/{}", &text[1..]) }),
        text if text.starts_with('[') => json!({ "type": "array", "items": inner(text) }),
        text if text.starts_with('{') => {
            json!({ "type": "object", "additionalProperties": inner(text) })
        }
        name => json!({ "type": name }),
    }
}

/// What is not a table of its own.
fn own_kinds() -> Map<String, Value> {
    let scopes = json!({ "type": "array", "items": { "type": "string" } });
    let kinds = json!({
        "address": { "type": "string", "pattern": "^https?://" },
        "scalar": { "type": ["string", "number", "boolean"] },
        "value": { "type": ["string", "number", "boolean", "array", "object"] },
        "status": { "anyOf": [
            { "type": "integer", "minimum": 100, "maximum": 599 },
            { "type": "array", "items": { "type": "integer", "minimum": 100, "maximum": 599 } },
            { "enum": ["4xx", "5xx"] },
        ] },
        "scopes": { "anyOf": [
            scopes,
            { "type": "object", "properties": { "any": scopes }, "required": ["any"], "additionalProperties": false },
            { "type": "object",
              "properties": {
                  "by_argument": { "type": "string" },
                  "table": { "type": "object", "additionalProperties": scopes },
              },
              "required": ["by_argument", "table"], "additionalProperties": false },
        ] },
        "node": { "anyOf": [
            { "type": "string" },
            { "$ref": "#/$defs/list" }, { "$ref": "#/$defs/apply" }, { "$ref": "#/$defs/entries" },
            { "$ref": "#/$defs/first" }, { "$ref": "#/$defs/cut" },
            { "type": "object", "additionalProperties": { "$ref": "#/$defs/node" },
              "not": { "anyOf": [
                  { "required": ["each"] }, { "required": ["apply"] },
              ] } },
            { "type": "object", "required": ["constant"], "maxProperties": 1 },
        ] },
        "captured": { "anyOf": [{ "type": "string" }, { "$ref": "#/$defs/capture" }] },
    });
    match kinds {
        Value::Object(kinds) => kinds,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `places.json` is read when the schema is printed; here it is held that it can be.
    #[test]
    fn every_reference_leads_to_a_definition() {
        let schema = schema();
        let text = schema.to_string();
        let named = text.split("#/$defs/").skip(1);
        for name in named.filter_map(|rest| rest.split('"').next()) {
            assert!(schema["$defs"].get(name).is_some(), "{name}");
        }
        assert!(schema["$defs"].as_object().unwrap().len() > 30);
        jsonschema::validator_for(&schema).unwrap();
    }
}
