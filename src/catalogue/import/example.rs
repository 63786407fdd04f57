//! An example of an argument, out of its schema.

use serde_json::{Map, Value, json};

/// An example in the document, if it fits; otherwise the plainest value that fits.
pub(super) fn example(schema: &Map<String, Value>, given: Option<&Value>) -> Option<Value> {
    let whole = Value::Object(schema.clone());
    let validator = jsonschema::draft202012::new(&whole).ok()?;
    let candidates = given.cloned().into_iter().chain(plain(schema, 0));
    candidates
        .into_iter()
        .find(|value| !value.is_null() && validator.is_valid(value))
}

fn plain(schema: &Map<String, Value>, depth: usize) -> Option<Value> {
    if let Some(choice) = schema.get("enum").and_then(|choices| choices.get(0)) {
        return Some(choice.clone());
    }
    let number = |key: &str| schema.get(key).and_then(Value::as_f64);
    let kind = match schema.get("type")? {
        Value::Array(kinds) => kinds.first()?.as_str()?,
        kind => kind.as_str()?,
    };
    let below = |key: &str| schema.get(key).and_then(Value::as_object);
    Some(match kind {
        "string" => {
            let shortest = schema.get("minLength").and_then(Value::as_u64).unwrap_or(0);
            let longest = schema
                .get("maxLength")
                .and_then(Value::as_u64)
                .unwrap_or(u64::MAX);
            let length = usize::try_from(shortest.max(7).min(longest).min(1_000)).ok()?;
            json!("example".chars().cycle().take(length).collect::<String>())
        }
        "integer" => json!(number("minimum").or(number("maximum")).map_or(1, |number| {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "`as` saturates, and what does not fit is refused"
            )]
            let whole = number.ceil() as i64;
            whole
        })),
        "number" => json!(number("minimum").or(number("maximum")).unwrap_or(1.0)),
        "boolean" => json!(true),
        "array" if depth < 4 => json!([plain(below("items")?, depth + 1)?]),
        "object" if depth < 4 => {
            let fields = below("properties");
            let required = schema
                .get("required")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            let field = |name: &Value| {
                let name = name.as_str()?;
                Some((
                    name.to_owned(),
                    plain(fields?.get(name)?.as_object()?, depth + 1)?,
                ))
            };
            required.filter_map(field).collect::<Map<_, _>>().into()
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(
        clippy::needless_pass_by_value,
        reason = "what json! makes is passed as it is"
    )]
    fn of(schema: Value, given: Option<Value>) -> Option<Value> {
        example(schema.as_object().unwrap(), given.as_ref())
    }

    #[test]
    fn an_example_always_fits_its_schema() {
        let pet = json!({"type": "object", "required": ["name"], "additionalProperties": false,
            "properties": {"name": {"type": "string", "maxLength": 3}, "age": {"type": "integer"}}});
        assert_eq!(of(pet, None), Some(json!({"name": "exa"})));
        assert_eq!(
            of(json!({"type": "integer", "minimum": 5}), Some(json!(3))),
            Some(json!(5))
        );
        assert_eq!(
            of(json!({"type": "string"}), Some(json!("given"))),
            Some(json!("given"))
        );
        assert_eq!(
            of(json!({"type": "string", "pattern": "^[0-9]{9}$"}), None),
            None
        );
        assert_eq!(
            of(
                json!({"type": "array", "items": {"enum": ["a"], "type": "string"}}),
                None
            ),
            Some(json!(["a"]))
        );
    }
}
