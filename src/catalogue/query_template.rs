//! The query of a request: names with a constant, an argument, or a list written as comma-separated values.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::RenderError;
use super::arguments::{Arguments, scalar_text};
use super::placeholder::Leaf;

/// Query parameters in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub(super) struct QueryTemplate(Vec<(String, QueryValue)>);

#[derive(Clone, Debug, PartialEq)]
enum QueryValue {
    Constant(String),
    Argument(String),
    CommaSeparated(String),
}

impl TryFrom<Map<String, Value>> for QueryTemplate {
    type Error = String;

    fn try_from(parameters: Map<String, Value>) -> Result<Self, String> {
        parameters
            .into_iter()
            .map(|(name, value)| Ok((QueryValue::parse(&name, value)?, name)))
            .map(|parsed| parsed.map(|(value, name)| (name, value)))
            .collect::<Result<_, String>>()
            .map(Self)
    }
}

impl QueryValue {
    fn parse(name: &str, value: Value) -> Result<Self, String> {
        let shape = || {
            format!(
                "the query parameter `{name}` is neither a constant, nor `\"$argument\"`, nor `{{ csv = \"$argument\" }}`"
            )
        };
        match value {
            Value::String(text) => Ok(match Leaf::parse(&text)? {
                Leaf::Argument(argument) => Self::Argument(argument),
                Leaf::Constant(text) => Self::Constant(text),
            }),
            Value::Object(_) => {
                let mut styles: BTreeMap<String, String> =
                    serde_json::from_value(value).map_err(|_| shape())?;
                let list = styles
                    .remove("csv")
                    .filter(|_| styles.is_empty())
                    .ok_or_else(shape)?;
                match Leaf::parse(&list)? {
                    Leaf::Argument(argument) => Ok(Self::CommaSeparated(argument)),
                    Leaf::Constant(_) => Err(shape()),
                }
            }
            scalar => scalar_text(&scalar)
                .map(|text| Self::Constant(text.into_owned()))
                .ok_or_else(shape),
        }
    }
}

impl QueryTemplate {
    /// The arguments that are named.
    pub(super) fn arguments(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|(_, value)| match value {
            QueryValue::Argument(name) | QueryValue::CommaSeparated(name) => Some(name.as_str()),
            QueryValue::Constant(_) => None,
        })
    }

    /// The query without its `?`; empty when every argument is absent.
    pub(super) fn render(&self, arguments: Arguments<'_>) -> Result<String, RenderError> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &self.0 {
            match value {
                QueryValue::Constant(text) => {
                    query.append_pair(name, text);
                }
                QueryValue::Argument(argument) => {
                    if let Some(text) = arguments.text(argument)? {
                        query.append_pair(name, &text);
                    }
                }
                QueryValue::CommaSeparated(argument) => {
                    if let Some(text) = comma_separated(argument, arguments)? {
                        query.append_pair(name, &text);
                    }
                }
            }
        }
        Ok(query.finish())
    }
}

/// A list as one text. An item with a comma in it would become two, so it is refused.
fn comma_separated(
    argument: &str,
    arguments: Arguments<'_>,
) -> Result<Option<String>, RenderError> {
    let Some(value) = arguments.value(argument) else {
        return Ok(None);
    };
    let items = value
        .as_array()
        .ok_or_else(|| RenderError::refused(argument, "is not a list"))?
        .iter()
        .map(|item| match scalar_text(item) {
            Some(text) if text.contains(',') => Err(RenderError::refused(
                argument,
                "has an item with a comma in it",
            )),
            Some(text) => Ok(text),
            None => Err(RenderError::refused(
                argument,
                "has an item that is neither a text nor a number nor a boolean",
            )),
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok((!items.is_empty()).then(|| items.join(",")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::catalogue::inputs::Inputs;

    fn render(template: &Value, given: &Value) -> Result<String, RenderError> {
        let inputs = json!({
            "state": {"type": "string", "default": "open"},
            "page": {"required": false},
            "labels": {"required": false},
        });
        let inputs = Inputs::try_from(inputs.as_object().unwrap().clone()).unwrap();
        let template = QueryTemplate::try_from(template.as_object().unwrap().clone()).unwrap();
        template.render(Arguments {
            given: given.as_object().unwrap(),
            inputs: &inputs,
        })
    }

    #[test]
    fn a_query_has_constants_arguments_and_lists() {
        let template =
            json!({"v": 2, "state": "$state", "page": "$page", "labels": {"csv": "$labels"}});
        assert_eq!(
            render(&template, &json!({"labels": ["a&b=c", "d e"]})).unwrap(),
            "v=2&state=open&labels=a%26b%3Dc%2Cd+e"
        );
        assert_eq!(
            render(&template, &json!({"page": 3, "labels": []})).unwrap(),
            "v=2&state=open&page=3"
        );
    }

    #[test]
    fn values_that_would_become_others_are_refused() {
        let list = json!({"labels": {"csv": "$labels"}});
        assert!(render(&list, &json!({"labels": ["a,b"]})).is_err());
        assert!(render(&list, &json!({"labels": [["a"]]})).is_err());
        assert!(render(&list, &json!({"labels": "a"})).is_err());
        assert!(render(&json!({"page": "$page"}), &json!({"page": {"a": 1}})).is_err());
    }

    #[test]
    fn malformed_parameters_are_refused() {
        for bad in [
            json!({"a": []}),
            json!({"a": {"repeat": "$a"}}),
            json!({"a": {"csv": "a"}}),
            json!({"a": "$A"}),
        ] {
            assert!(
                QueryTemplate::try_from(bad.as_object().unwrap().clone()).is_err(),
                "{bad}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_value_stays_one_parameter(value in "\\PC*") {
            let query = render(&json!({"state": "$state", "z": "1"}), &json!({"state": value})).unwrap();
            let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            prop_assert_eq!(pairs, [("state".to_owned(), value), ("z".to_owned(), "1".to_owned())]);
        }
    }
}
