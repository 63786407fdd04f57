//! The JSON body of a request: a tree in which a leaf `$x` is replaced by the argument, as the value that it is.
//!
//! Nothing is ever spliced into text, so no value can change the shape of the body.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::arguments::Arguments;
use super::inputs::Inputs;
use super::placeholder::Leaf;

/// A JSON tree with places for arguments.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub(super) enum BodyTemplate {
    /// `$x`.
    Argument(String),
    /// Anything without a place in it.
    Constant(Value),
    /// An object with places somewhere below.
    Object(Vec<(String, BodyTemplate)>),
    /// An array with places somewhere below.
    Array(Vec<BodyTemplate>),
}

impl TryFrom<Value> for BodyTemplate {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        Ok(match value {
            Value::String(text) => match Leaf::parse(&text)? {
                Leaf::Argument(name) => Self::Argument(name),
                Leaf::Constant(text) => Self::Constant(Value::String(text)),
            },
            Value::Object(fields) => Self::Object(
                fields
                    .into_iter()
                    .map(|(key, value)| Ok((key, Self::try_from(value)?)))
                    .collect::<Result<_, String>>()?,
            ),
            Value::Array(items) => Self::Array(
                items
                    .into_iter()
                    .map(Self::try_from)
                    .collect::<Result<_, _>>()?,
            ),
            constant => Self::Constant(constant),
        })
    }
}

impl BodyTemplate {
    /// The arguments that are named.
    pub(super) fn arguments(&self) -> Vec<&str> {
        match self {
            Self::Argument(name) => vec![name],
            Self::Constant(_) => Vec::new(),
            Self::Object(fields) => fields
                .iter()
                .flat_map(|(_, field)| field.arguments())
                .collect(),
            Self::Array(items) => items.iter().flat_map(Self::arguments).collect(),
        }
    }

    /// Whether something is rendered whatever the arguments of a call are.
    pub(super) fn is_always_there(&self, inputs: &Inputs) -> bool {
        match self {
            Self::Argument(name) => inputs
                .get(name)
                .is_some_and(|input| input.required || input.default.is_some()),
            Self::Constant(_) => true,
            Self::Object(fields) => {
                fields.is_empty()
                    || fields
                        .iter()
                        .any(|(_, field)| field.is_always_there(inputs))
            }
            Self::Array(items) => {
                items.is_empty() || items.iter().any(|item| item.is_always_there(inputs))
            }
        }
    }

    /// The body. A leaf whose argument is absent is left out, and so is an object or array of which nothing else is left.
    pub(super) fn render(&self, arguments: Arguments<'_>) -> Option<Value> {
        match self {
            Self::Argument(name) => arguments.value(name).cloned(),
            Self::Constant(value) => Some(value.clone()),
            Self::Object(fields) => {
                let rendered: Map<String, Value> = fields
                    .iter()
                    .filter_map(|(key, field)| Some((key.clone(), field.render(arguments)?)))
                    .collect();
                (fields.is_empty() || !rendered.is_empty()).then_some(Value::Object(rendered))
            }
            Self::Array(items) => {
                let rendered: Vec<Value> = items
                    .iter()
                    .filter_map(|item| item.render(arguments))
                    .collect();
                (items.is_empty() || !rendered.is_empty()).then_some(Value::Array(rendered))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn render(template: Value, given: &Value) -> Option<Value> {
        let inputs = json!({
            "text": {"type": "string"},
            "public": {"type": "boolean", "default": false},
            "labels": {"type": "array", "required": false},
        });
        let inputs = Inputs::try_from(inputs.as_object().unwrap().clone()).unwrap();
        BodyTemplate::try_from(template).unwrap().render(Arguments {
            given: given.as_object().unwrap(),
            inputs: &inputs,
        })
    }

    #[test]
    fn arguments_go_in_as_typed_values() {
        let template =
            json!({"ticket": {"comment": {"body": "$text", "public": "$public"}, "kind": "note"}});
        assert_eq!(
            render(template, &json!({"text": "\"}, \"admin\": true, {\""})),
            Some(
                json!({"ticket": {"comment": {"body": "\"}, \"admin\": true, {\"", "public": false}, "kind": "note"}})
            )
        );
    }

    #[test]
    fn what_is_absent_is_left_out_with_what_held_it() {
        let template =
            json!({"text": "$text", "filter": {"labels": ["$labels"]}, "flags": {}, "cost": "$$5"});
        assert_eq!(
            render(template, &json!({"text": "a"})),
            Some(json!({"text": "a", "flags": {}, "cost": "$5"}))
        );
        assert_eq!(render(json!({"labels": "$labels"}), &json!({})), None);
    }

    #[test]
    fn a_dollar_without_a_name_is_refused() {
        assert!(BodyTemplate::try_from(json!({"a": ["$Text"]})).is_err());
    }
}
