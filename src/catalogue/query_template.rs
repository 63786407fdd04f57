//! The query of a request, or its form: names with a value, or with a list or a tree that becomes several parameters.

use serde::Deserialize;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::RenderError;
use super::arguments::scalar_text;
use super::operator::item_texts;
use super::places::Places;
use super::value_template::{Quoted, ValueTemplate};

/// Query parameters in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub(super) struct QueryTemplate(Vec<(String, QueryValue)>);

#[derive(Clone, Debug, PartialEq)]
enum QueryValue {
    /// `k=a`.
    One(ValueTemplate),
    /// `repeat`: `k=a&k=b`.
    Repeat(ValueTemplate),
    /// `brackets`: `k[]=a&k[]=b`.
    Brackets(ValueTemplate),
    /// `form_brackets`: `k[0][f]=v`.
    FormBrackets(ValueTemplate),
}

impl TryFrom<Map<String, Value>> for QueryTemplate {
    type Error = String;

    fn try_from(parameters: Map<String, Value>) -> Result<Self, String> {
        parameters
            .into_iter()
            .map(|(name, value)| {
                let parsed = QueryValue::parse(value);
                let parsed =
                    parsed.map_err(|error| format!("the query parameter `{name}`: {error}"))?;
                Ok((name, parsed))
            })
            .collect::<Result<_, String>>()
            .map(Self)
    }
}

impl QueryValue {
    fn parse(value: Value) -> Result<Self, String> {
        type Make = fn(ValueTemplate) -> QueryValue;
        let several: [(&str, Make); 3] = [
            ("repeat", Self::Repeat),
            ("brackets", Self::Brackets),
            ("form_brackets", Self::FormBrackets),
        ];
        let operator = several
            .into_iter()
            .find(|(name, _)| value.get(name).is_some());
        let Some((name, style)) = operator else {
            return ValueTemplate::value(value).map(Self::One);
        };
        match value {
            Value::Object(mut table) if table.len() == 1 => {
                let of = table.shift_remove(name).unwrap_or_default();
                match ValueTemplate::tree(of)? {
                    ValueTemplate::Constant(_) => {
                        Err(format!("`{name}` names no argument: write `\"$argument\"`"))
                    }
                    of => Ok(style(of)),
                }
            }
            _ => Err(format!("nothing can stand beside `{name}`")),
        }
    }

    fn template(&self) -> &ValueTemplate {
        match self {
            Self::One(value)
            | Self::Repeat(value)
            | Self::Brackets(value)
            | Self::FormBrackets(value) => value,
        }
    }

    fn render(
        &self,
        name: &str,
        places: &dyn Places,
        pairs: &mut Vec<(String, String)>,
    ) -> Result<(), RenderError> {
        match self {
            Self::One(value) => {
                let text = value.render_text(places)?;
                pairs.extend(text.map(|text| (name.to_owned(), text)));
            }
            Self::Repeat(list) => {
                let texts = item_texts(list, places)?;
                pairs.extend(texts.into_iter().map(|text| (name.to_owned(), text)));
            }
            Self::Brackets(list) => {
                let texts = item_texts(list, places)?;
                pairs.extend(texts.into_iter().map(|text| (format!("{name}[]"), text)));
            }
            Self::FormBrackets(tree) => {
                if let Some(value) = tree.render(places)? {
                    in_brackets(name.to_owned(), &value, tree, pairs)?;
                }
            }
        }
        Ok(())
    }
}

/// A tree as parameters: each key and each index of a list in brackets of its own. Nulls are left out.
fn in_brackets(
    name: String,
    value: &Value,
    tree: &ValueTemplate,
    pairs: &mut Vec<(String, String)>,
) -> Result<(), RenderError> {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                if key.is_empty() || key.contains(['[', ']']) {
                    return Err(
                        tree.refused("has a field whose name is empty or has a bracket in it")
                    );
                }
                in_brackets(format!("{name}[{key}]"), field, tree, pairs)?;
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                in_brackets(format!("{name}[{index}]"), item, tree, pairs)?;
            }
        }
        scalar => pairs.extend(scalar_text(scalar).map(|text| (name, text.into_owned()))),
    }
    Ok(())
}

impl QueryTemplate {
    /// The places that are named.
    pub(super) fn places(&self) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .flat_map(|(_, value)| value.template().places())
    }

    /// The places that go into text.
    pub(super) fn quoted(&self) -> impl Iterator<Item = Quoted<'_>> {
        self.0
            .iter()
            .flat_map(|(_, value)| value.template().quoted())
    }

    /// The parameters, in the order of the file.
    pub(super) fn pairs(&self, places: &dyn Places) -> Result<Vec<(String, String)>, RenderError> {
        let mut pairs = Vec::new();
        for (name, value) in &self.0 {
            value.render(name, places, &mut pairs)?;
        }
        Ok(pairs)
    }

    /// The query without its `?`; empty when every argument is absent.
    pub(super) fn render(&self, places: &dyn Places) -> Result<String, RenderError> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.pairs(places)?);
        Ok(query.finish())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::catalogue::arguments::Arguments;
    use crate::catalogue::inputs::Inputs;

    fn render(template: &Value, given: &Value) -> Result<String, RenderError> {
        let inputs = json!({
            "state": {"type": "string", "default": "open"},
            "page": {"required": false},
            "labels": {"required": false},
        });
        let inputs = Inputs::try_from(inputs.as_object().unwrap().clone()).unwrap();
        let template = QueryTemplate::try_from(template.as_object().unwrap().clone()).unwrap();
        template.render(&Arguments {
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
            json!({"a": {"repeat": "a"}}),
            json!({"a": {"repeat": "$a", "csv": "$a"}}),
            json!({"a": {"comma": "$a"}}),
            json!({"a": {"csv": "$a", "of": "$a"}}),
            json!({"a": {"$csv": "$a"}}),
            json!({"a": {"each": "$a", "put": "$item"}}),
            json!({"a": {"join": ","}}),
            json!({"a": {"join": ",", "of": []}}),
            json!({"a": {"text": "{q}"}}),
            json!({"a": {"lookup": "$a", "in": {}}}),
            json!({"a": {"apply": "rot13", "to": "$a"}}),
            json!({"a": {"apply": "base64_decode_text", "to": "$a"}}),
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
