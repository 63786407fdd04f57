//! What stands for a reply that says nothing by itself: the output that a file writes down.

use serde_json::{Map, Value};

use crate::catalogue::placeholder::Leaf;
use crate::catalogue::places::{Places, is_place};

/// An object of constants, in which a text `$name` is an argument or what an earlier step captured.
#[derive(Clone, Debug)]
pub(in crate::catalogue) struct Meaning(Map<String, Value>);

impl TryFrom<Map<String, Value>> for Meaning {
    type Error = String;

    fn try_from(fields: Map<String, Value>) -> Result<Self, String> {
        fn check(value: &Value) -> Result<(), String> {
            match value {
                Value::String(text) => Leaf::parse(text).map(drop),
                Value::Array(items) => items.iter().try_for_each(check),
                Value::Object(fields) => fields.values().try_for_each(check),
                _ => Ok(()),
            }
        }
        fields.values().try_for_each(check)?;
        Ok(Self(fields))
    }
}

impl Meaning {
    /// Every argument that is named.
    pub(in crate::catalogue) fn arguments(&self) -> Vec<&str> {
        fn collect<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
            match value {
                Value::String(text) => {
                    found.extend(text.strip_prefix('$').filter(|name| is_place(name)));
                }
                Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
                Value::Object(fields) => fields.values().for_each(|field| collect(field, found)),
                _ => {}
            }
        }
        let mut found = Vec::new();
        self.0.values().for_each(|field| collect(field, &mut found));
        found
    }

    /// The output of this call. What is absent is left out.
    pub(super) fn of(&self, places: &dyn Places) -> Map<String, Value> {
        self.0
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), fill(value, places)?)))
            .collect()
    }
}

fn fill(value: &Value, places: &dyn Places) -> Option<Value> {
    Some(match value {
        Value::String(text) => match Leaf::parse(text) {
            Ok(Leaf::Argument(name)) => places.find(&name)?.clone(),
            Ok(Leaf::Constant(constant)) => Value::String(constant),
            Err(_) => value.clone(),
        },
        Value::Array(items) => items.iter().filter_map(|item| fill(item, places)).collect(),
        Value::Object(fields) => fields
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), fill(value, places)?)))
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalogue::arguments::Arguments;
    use crate::catalogue::inputs::Inputs;

    #[test]
    fn arguments_are_filled_in_and_absent_ones_left_out() {
        let inputs =
            json!({"id": {"type": "integer"}, "note": {"type": "string", "required": false}});
        let inputs = Inputs::try_from(inputs.as_object().unwrap().clone()).unwrap();
        let given = json!({"id": 7});
        let places = Arguments {
            given: given.as_object().unwrap(),
            inputs: &inputs,
        };
        let file = json!({"ok": true, "id": "$id", "note": "$note", "price": "$$5", "in": [{"id": "$id"}]});
        let meaning = Meaning::try_from(file.as_object().unwrap().clone()).unwrap();
        assert_eq!(meaning.arguments(), ["id", "note", "id"]);
        assert_eq!(
            Value::Object(meaning.of(&places)),
            json!({"ok": true, "id": 7, "price": "$5", "in": [{"id": 7}]})
        );
    }

    #[test]
    fn a_dollar_that_names_nothing_is_refused() {
        let file = json!({"ok": ["$Id"]});
        assert!(Meaning::try_from(file.as_object().unwrap().clone()).is_err());
    }
}
