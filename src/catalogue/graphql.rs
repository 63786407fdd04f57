//! A GraphQL operation as the request of a tool: a constant document, typed variables, and where the data stand.
//!
//! Architecture invariant: the document is sent as the file writes it, whatever the arguments. A value reaches the
//! provider as a variable or not at all (GraphQL specification of October 2021, section 6.1.2), so that no argument can
//! change what is asked. Absent arguments are left out of the variables: a null would clear a field.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::field_path::FieldPath;
use super::graphql_document::Document;
use super::value_template::ValueTemplate;

/// `graphql = { document, variables, data, success }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "GraphqlKeys")]
pub(super) struct Graphql {
    pub(super) document: Document,
    pub(super) variables: Vec<(String, ValueTemplate)>,
    /// Where the data stand in the whole reply.
    pub(super) data: FieldPath,
    /// A flag below the data that must be true.
    pub(super) success: Option<FieldPath>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GraphqlKeys {
    document: Document,
    #[serde(default)]
    variables: Map<String, Value>,
    #[serde(default = "whole")]
    data: FieldPath,
    success: Option<FieldPath>,
}

fn whole() -> FieldPath {
    FieldPath::whole()
}

impl TryFrom<GraphqlKeys> for Graphql {
    type Error = String;

    fn try_from(keys: GraphqlKeys) -> Result<Self, String> {
        let variables = keys
            .variables
            .into_iter()
            .map(|(name, value)| Ok((name, ValueTemplate::try_from(value)?)))
            .collect::<Result<_, String>>()?;
        Ok(Self {
            document: keys.document,
            variables,
            data: keys.data.below("data"),
            success: keys.success,
        })
    }
}

impl Graphql {
    /// The body of the request: GraphQL over HTTP, section 5.4.
    pub(super) fn body(&self) -> ValueTemplate {
        let document = Value::String(self.document.text().to_owned());
        let mut fields = vec![("query".to_owned(), ValueTemplate::Constant(document))];
        if !self.variables.is_empty() {
            let variables = ValueTemplate::Object(self.variables.clone());
            fields.push(("variables".to_owned(), variables));
        }
        ValueTemplate::Object(fields)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalogue::arguments::Arguments;
    use crate::catalogue::inputs::Inputs;

    fn graphql(value: Value) -> Result<Graphql, serde_json::Error> {
        serde_json::from_value(value)
    }

    #[test]
    fn the_document_is_constant_and_the_variables_are_typed() {
        let inputs = json!({
            "name": {"type": "string"},
            "labels": {"type": "array", "items": {"type": "string"}, "required": false},
            "limit": {"type": "integer", "default": 20},
        });
        let inputs = Inputs::try_from(inputs.as_object().unwrap().clone()).unwrap();
        let document =
            "query Notes($filter: F, $first: Int) { notes(filter: $filter, first: $first) { id } }";
        let graphql = graphql(json!({
            "document": document,
            "variables": {"filter": {"name": {"eq": "$name"}, "labels": {"in": "$labels"}}, "first": "$limit"},
        }))
        .unwrap();
        let given = json!({"name": "\") { secrets } #", "labels": null});
        let body = graphql.body().render(&Arguments {
            given: given.as_object().unwrap(),
            inputs: &inputs,
        });
        assert_eq!(
            body,
            Ok(Some(json!({
                "query": document,
                "variables": {"filter": {"name": {"eq": "\") { secrets } #"}}, "first": 20},
            })))
        );
    }

    #[test]
    fn an_operation_without_variables_sends_none() {
        let graphql = graphql(json!({"document": "{ viewer { id } }", "data": "viewer"})).unwrap();
        let arguments = Arguments {
            given: &Map::new(),
            inputs: &Inputs::default(),
        };
        assert_eq!(
            graphql.body().render(&arguments),
            Ok(Some(json!({"query": "{ viewer { id } }"})))
        );
        assert_eq!(graphql.data.keys(), ["data", "viewer"]);
    }

    #[test]
    fn malformed_operations_are_refused() {
        for bad in [
            json!({}),
            json!({"document": "{ a }", "variables": {"a": "$A"}}),
            json!({"document": "{ a }", "query": "{ b }"}),
            json!({"document": "{ a }", "data": "a...b"}),
        ] {
            assert!(graphql(bad.clone()).is_err(), "{bad}");
        }
    }
}
