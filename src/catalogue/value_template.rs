//! A value of a request: a constant, `$x`, an operator over them, or a JSON tree of these.
//!
//! A leaf `$x` is replaced by the argument, as the value that it is: nothing is ever spliced into text without a quoter,
//! so no value can change the shape of what is around it. There are two ways of writing: a *value* (in a query, a form, a
//! header), where a table is an operator; and a *tree* (in a body), where a table is an object and an operator's key is
//! marked with a `$`.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::RenderError;
use super::arguments::scalar_text;
use super::operator::{Dialect, Operator};
use super::placeholder::Leaf;
use super::places::{ITEM, Places, root};
use super::quoter::Quoter;
use super::transforms::TransformError;

/// A value with places for arguments. Deserialized, it is a tree.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub(super) enum ValueTemplate {
    /// `$x`.
    Argument(String),
    /// Anything without a place in it.
    Constant(Value),
    /// An object with places somewhere below.
    Object(Vec<(String, ValueTemplate)>),
    /// An array with places somewhere below.
    Array(Vec<ValueTemplate>),
    /// What is made of other values.
    Operator(Box<Operator>),
}

/// What is known about the values of a scope before there is a call.
pub(super) trait Scope {
    /// Whether the name has a value whatever the arguments of a call are.
    fn is_always_there(&self, name: &str) -> bool;
}

impl TryFrom<Value> for ValueTemplate {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        Self::tree(value)
    }
}

impl ValueTemplate {
    /// Reads a tree, as it stands in a body: operators are marked with `$`, every other table is an object.
    pub(super) fn tree(value: Value) -> Result<Self, String> {
        Ok(match value {
            Value::String(text) => Self::leaf(&text)?,
            Value::Object(fields) => match Operator::marked(&fields) {
                Some(operator) => {
                    Self::Operator(Box::new(Operator::parse(operator, fields, Dialect::Tree)?))
                }
                None => Self::Object(
                    fields
                        .into_iter()
                        .map(|(key, value)| Ok((object_key(&key)?, Self::tree(value)?)))
                        .collect::<Result<_, String>>()?,
                ),
            },
            Value::Array(items) => Self::Array(
                items
                    .into_iter()
                    .map(Self::tree)
                    .collect::<Result<_, _>>()?,
            ),
            constant => Self::Constant(constant),
        })
    }

    /// Reads a value, as it stands in a query: a constant, `$x`, or a table with one operator.
    pub(super) fn value(value: Value) -> Result<Self, String> {
        match value {
            Value::String(text) => Self::leaf(&text),
            Value::Object(table) => {
                let operator = Operator::named(&table)?;
                let operator = Operator::parse(operator, table, Dialect::Value)?;
                Ok(Self::Operator(Box::new(operator)))
            }
            constant if scalar_text(&constant).is_some() => Ok(Self::Constant(constant)),
            other => Err(format!(
                "`{other}` is neither a constant, nor `\"$argument\"`, nor a table with an operator such as `{{ csv = \"$argument\" }}`"
            )),
        }
    }

    /// `$x`, or the text itself.
    pub(super) fn leaf(text: &str) -> Result<Self, String> {
        Ok(match Leaf::parse(text)? {
            Leaf::Argument(name) => Self::Argument(name),
            Leaf::Constant(text) => Self::Constant(Value::String(text)),
        })
    }

    /// The places that are named, without the `item` that an operator brings itself.
    pub(super) fn places(&self) -> Vec<&str> {
        match self {
            Self::Argument(name) => vec![name],
            Self::Constant(_) => Vec::new(),
            Self::Object(fields) => fields
                .iter()
                .flat_map(|(_, field)| field.places())
                .collect(),
            Self::Array(items) => items.iter().flat_map(Self::places).collect(),
            Self::Operator(operator) => operator.places(),
        }
    }

    /// The places that go into text, each with its quoter and with the list whose `item` it is a part of.
    pub(super) fn quoted(&self) -> Vec<Quoted<'_>> {
        match self {
            Self::Argument(_) | Self::Constant(_) => Vec::new(),
            Self::Object(fields) => fields
                .iter()
                .flat_map(|(_, field)| field.quoted())
                .collect(),
            Self::Array(items) => items.iter().flat_map(Self::quoted).collect(),
            Self::Operator(operator) => operator.quoted(),
        }
    }

    /// Whether something is rendered whatever the arguments of a call are.
    pub(super) fn is_always_there(&self, scope: &dyn Scope) -> bool {
        match self {
            Self::Argument(name) => scope.is_always_there(name),
            Self::Constant(_) => true,
            Self::Object(fields) => {
                fields.is_empty() || fields.iter().any(|(_, field)| field.is_always_there(scope))
            }
            Self::Array(items) => {
                items.is_empty() || items.iter().any(|item| item.is_always_there(scope))
            }
            Self::Operator(operator) => operator.is_always_there(scope),
        }
    }

    /// The value. A leaf whose argument is absent is left out, and so is an object or array of which nothing else is left.
    pub(super) fn render(&self, places: &dyn Places) -> Result<Option<Value>, RenderError> {
        match self {
            Self::Argument(name) => Ok(places.find(name).cloned()),
            Self::Constant(value) => Ok(Some(value.clone())),
            Self::Object(fields) => {
                let mut rendered = Map::new();
                for (key, field) in fields {
                    if let Some(value) = field.render(places)? {
                        rendered.insert(key.clone(), value);
                    }
                }
                let is_there = fields.is_empty() || !rendered.is_empty();
                Ok(is_there.then_some(Value::Object(rendered)))
            }
            Self::Array(items) => {
                let mut rendered = Vec::new();
                for item in items {
                    rendered.extend(item.render(places)?);
                }
                let is_there = items.is_empty() || !rendered.is_empty();
                Ok(is_there.then_some(Value::Array(rendered)))
            }
            Self::Operator(operator) => operator.render(places),
        }
    }

    /// The value as text, for an address, a form or a header.
    pub(super) fn render_text(&self, places: &dyn Places) -> Result<Option<String>, RenderError> {
        self.render(places)?
            .map(|value| match value {
                Value::String(text) => Ok(text),
                other => match scalar_text(&other) {
                    Some(text) => Ok(text.into_owned()),
                    None => Err(self.refused("is neither a text nor a number nor a boolean")),
                },
            })
            .transpose()
    }

    /// A refusal that names the argument that the value is made of.
    pub(super) fn refused(&self, reason: &'static str) -> RenderError {
        RenderError::refused(
            self.places().first().map_or(ITEM, |name| root(name)),
            reason,
        )
    }

    /// A refusal of a transform of this value: it names the argument of the field that the transform could not use.
    pub(super) fn refused_by(&self, error: &TransformError) -> RenderError {
        let field = match (self, error.field()) {
            (Self::Object(fields), Some(unfit)) => fields
                .iter()
                .find(|(key, field)| key == unfit && !field.places().is_empty()),
            _ => None,
        };
        field
            .map_or(self, |(_, field)| field)
            .refused(error.reason())
    }
}

/// A place that goes into text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quoted<'t> {
    /// Its name.
    pub(super) name: &'t str,
    /// How it is quoted.
    pub(super) quoter: Quoter,
    /// For a part of `item`: the list that the operator around it walks, when it is an argument.
    pub(super) list: Option<&'t str>,
}

/// `$$` at the start of a key is a plain `$`; any other `$` was meant as an operator.
fn object_key(key: &str) -> Result<String, String> {
    match key.strip_prefix('$') {
        Some(rest) if rest.starts_with('$') => Ok(rest.to_owned()),
        Some(_) => Err(format!(
            "{}; a field that is called `{key}` is written as `\"${key}\"`",
            Operator::unknown(key, Dialect::Tree),
            key = key.escape_default(),
        )),
        None => Ok(key.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalogue::arguments::Arguments;
    use crate::catalogue::inputs::Inputs;

    fn render(template: Value, given: &Value) -> Option<Value> {
        let inputs = json!({
            "text": {"type": "string"},
            "public": {"type": "boolean", "default": false},
            "labels": {"type": "array", "required": false},
        });
        let inputs = Inputs::try_from(inputs.as_object().unwrap().clone()).unwrap();
        ValueTemplate::tree(template)
            .unwrap()
            .render(&Arguments {
                given: given.as_object().unwrap(),
                inputs: &inputs,
            })
            .unwrap()
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
        let template = json!({"text": "$text", "filter": {"labels": ["$labels"]}, "flags": {}, "cost": "$$5", "$$top": 1});
        assert_eq!(
            render(template, &json!({"text": "a"})),
            Some(json!({"text": "a", "flags": {}, "cost": "$5", "$top": 1}))
        );
        assert_eq!(render(json!({"labels": "$labels"}), &json!({})), None);
    }

    #[test]
    fn a_dollar_without_a_name_is_refused() {
        assert!(ValueTemplate::tree(json!({"a": ["$Text"]})).is_err());
        assert!(ValueTemplate::tree(json!({"a": {"$top": 1}})).is_err());
    }
}
