//! The arguments of a tool: the schema that is advertised, and the check of what comes.
//!
//! Each argument has a JSON Schema fragment of its own, compiled once when the file is read. Arguments are checked one by
//! one, so that every complaint names the argument it is about.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use jsonschema::Validator;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::from_url::FromUrl;
use super::nearest::nearest;
use super::plain_text::plain_text;
use super::scope::CURSOR;
use super::value_template::Scope;

/// How much of a complaint is shown: it may quote the argument.
const LONGEST_COMPLAINT: usize = 240;

/// The arguments of a tool, in the order of the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub(super) struct Inputs {
    inputs: Vec<Input>,
    schema: Arc<Map<String, Value>>,
}

/// One argument.
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub(super) name: String,
    pub(super) schema: Map<String, Value>,
    pub(super) required: bool,
    pub(super) default: Option<Value>,
    /// Takes the value out of an address that a person copied.
    from_url: Option<FromUrl>,
    validator: Validator,
}

impl Default for Inputs {
    fn default() -> Self {
        Self::from_inputs(Vec::new())
    }
}

impl TryFrom<Map<String, Value>> for Inputs {
    type Error = String;

    fn try_from(properties: Map<String, Value>) -> Result<Self, String> {
        properties
            .into_iter()
            .map(|(name, fragment)| Input::parse(name, fragment))
            .collect::<Result<Vec<_>, _>>()
            .map(Self::from_inputs)
    }
}

impl Input {
    fn parse(name: String, fragment: Value) -> Result<Self, String> {
        let Value::Object(mut schema) = fragment else {
            return Err(format!(
                "the input `{name}` is not a table with a JSON Schema in it"
            ));
        };
        let default = schema.get("default").cloned();
        let required = match schema.shift_remove("required") {
            None => default.is_none(),
            Some(Value::Bool(required)) => required,
            Some(_) => {
                return Err(format!(
                    "`required` of the input `{name}` is neither true nor false"
                ));
            }
        };
        let from_url = schema
            .shift_remove("from_url")
            .map(FromUrl::parse)
            .transpose()
            .map_err(|error| format!("`from_url` of the input `{name}`: {error}"))?;
        let validator = jsonschema::draft202012::new(&Value::Object(schema.clone()))
            .map_err(|error| format!("the input `{name}` is no JSON Schema (2020-12): {error}"))?;
        Ok(Self {
            name,
            schema,
            required,
            default,
            from_url,
            validator,
        })
    }

    /// The complaints about one value.
    pub(super) fn complaints<'v>(&'v self, value: &'v Value) -> impl Iterator<Item = String> + 'v {
        self.validator.iter_errors(value).map(|error| {
            let place = error.instance_path().to_string();
            let complaint = if place.is_empty() {
                error.to_string()
            } else {
                format!("at {place}: {error}")
            };
            plain_text(&complaint, LONGEST_COMPLAINT)
        })
    }

    /// The value that is meant: an address that a person copied is replaced by what it is about.
    ///
    /// # Errors
    /// What is wrong with an address that is about something else.
    fn meant<'v>(&self, value: &'v Value) -> Result<Cow<'v, Value>, String> {
        match (&self.from_url, value.as_str()) {
            (Some(from_url), Some(text)) => Ok(match from_url.read(text)? {
                Some(part) => Cow::Owned(Value::from(part)),
                None => Cow::Borrowed(value),
            }),
            _ => Ok(Cow::Borrowed(value)),
        }
    }

    /// Whether null is a value of its own here rather than a way to say "absent".
    fn takes_null(&self) -> bool {
        self.validator.is_valid(&Value::Null)
    }
}

impl Scope for Inputs {
    fn is_always_there(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|input| input.required || input.default.is_some())
    }
}

impl Inputs {
    /// The same with the argument that asks for a further page of a list.
    pub(super) fn with_cursor(mut self) -> Result<Self, String> {
        if self.get(CURSOR).is_some() {
            return Err(format!(
                "the input `{CURSOR}` comes with `pagination`: remove it from `[tool.input]`"
            ));
        }
        let fragment = json!({
            "type": "string",
            "minLength": 1,
            "required": false,
            "description": "The `next_cursor` of the page before, with the same other arguments; without it, the first page.",
        });
        self.inputs.push(Input::parse(CURSOR.to_owned(), fragment)?);
        Ok(Self::from_inputs(self.inputs))
    }

    fn from_inputs(inputs: Vec<Input>) -> Self {
        let properties: Map<String, Value> = inputs
            .iter()
            .map(|input| (input.name.clone(), Value::Object(input.schema.clone())))
            .collect();
        let required: Vec<&str> = inputs
            .iter()
            .filter(|input| input.required)
            .map(|input| input.name.as_str())
            .collect();
        let mut schema = Map::new();
        schema.insert("type".to_owned(), json!("object"));
        schema.insert("properties".to_owned(), Value::Object(properties));
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        schema.insert("additionalProperties".to_owned(), json!(false));
        Self {
            inputs,
            schema: Arc::new(schema),
        }
    }

    /// The whole schema, as advertised.
    pub(super) fn schema(&self) -> &Arc<Map<String, Value>> {
        &self.schema
    }

    /// The arguments in the order of the file.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Input> {
        self.inputs.iter()
    }

    /// One argument. Tools have a handful: a walk is faster than a map.
    pub(super) fn get(&self, name: &str) -> Option<&Input> {
        self.inputs.iter().find(|input| input.name == name)
    }

    /// The value of an argument: what was given, else its default. Null means absent unless the schema takes null.
    pub(super) fn value<'v>(
        &'v self,
        given: &'v Map<String, Value>,
        name: &str,
    ) -> Option<&'v Value> {
        let input = self.get(name)?;
        match given.get(name) {
            Some(value) if !value.is_null() || input.takes_null() => Some(value),
            _ => input.default.as_ref(),
        }
    }

    /// What is meant by those arguments that are addresses a person copied.
    pub(super) fn out_of_addresses(&self, given: &Map<String, Value>) -> Map<String, Value> {
        let meant = |input: &Input| match input.meant(given.get(&input.name)?) {
            Ok(Cow::Owned(meant)) => Some((input.name.clone(), meant)),
            Ok(Cow::Borrowed(_)) | Err(_) => None,
        };
        self.inputs.iter().filter_map(meant).collect()
    }

    /// The arguments as they are used: addresses that a person copied are replaced by what they are about.
    pub(super) fn normalised(&self, given: &Map<String, Value>) -> Map<String, Value> {
        let mut normalised = given.clone();
        normalised.extend(self.out_of_addresses(given));
        normalised
    }

    /// Every problem with the arguments of a call, by argument.
    pub(super) fn check(&self, given: &Map<String, Value>) -> Vec<ArgumentProblem> {
        let mut problems = Vec::new();
        for input in &self.inputs {
            match given.get(&input.name) {
                Some(value) if !value.is_null() || input.takes_null() => {
                    let complaints = match input.meant(value) {
                        Ok(value) => input.complaints(&value).collect(),
                        Err(complaint) => vec![complaint],
                    };
                    problems.extend(complaints.into_iter().map(|complaint| ArgumentProblem {
                        argument: input.name.clone(),
                        message: complaint,
                    }));
                }
                _ if input.required => problems.push(ArgumentProblem {
                    argument: input.name.clone(),
                    message: "it is required".to_owned(),
                }),
                _ => {}
            }
        }
        for name in given.keys().filter(|name| self.get(name).is_none()) {
            problems.push(self.unknown(name));
        }
        problems
    }

    fn unknown(&self, name: &str) -> ArgumentProblem {
        let known = self.inputs.iter().map(|input| input.name.as_str());
        ArgumentProblem {
            argument: plain_text(name, 64),
            message: match nearest(name, known) {
                Some(meant) => format!("there is no such argument (did you mean `{meant}`?)"),
                None => "there is no such argument".to_owned(),
            },
        }
    }
}

/// What is wrong with one argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgumentProblem {
    /// The argument.
    pub argument: String,
    /// What is wrong, as a clause. It may quote the argument, shortened and made harmless.
    pub message: String,
}

/// Arguments that do not fit the tool: every problem at once, so that a model can mend them in one go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidArguments {
    /// The tool that was not called.
    pub tool: String,
    /// The problems, in the order of the tool's arguments.
    pub problems: Vec<ArgumentProblem>,
}

impl fmt::Display for InvalidArguments {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} was not called, its arguments do not fit:",
            self.tool
        )?;
        for (index, problem) in self.problems.iter().enumerate() {
            let separator = if index == 0 { " " } else { "; " };
            write!(
                formatter,
                "{separator}`{}`: {}",
                problem.argument, problem.message
            )?;
        }
        formatter.write_str(". Correct them and call again.")
    }
}

impl std::error::Error for InvalidArguments {}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs() -> Inputs {
        let properties = json!({
            "owner": {"type": "string", "minLength": 1},
            "state": {"type": "string", "enum": ["open", "closed"], "default": "open"},
            "labels": {"type": "array", "items": {"type": "string"}, "required": false},
            "parent": {"type": ["string", "null"], "required": false},
        });
        Inputs::try_from(properties.as_object().unwrap().clone()).unwrap()
    }

    fn complaints(given: &Value) -> String {
        InvalidArguments {
            tool: "t".into(),
            problems: inputs().check(given.as_object().unwrap()),
        }
        .to_string()
    }

    #[test]
    fn the_schema_is_closed_and_keeps_the_order_of_the_file() {
        assert_eq!(
            serde_json::to_string(inputs().schema().as_ref()).unwrap(),
            r#"{"type":"object","properties":{"owner":{"type":"string","minLength":1},"state":{"type":"string","enum":["open","closed"],"default":"open"},"labels":{"type":"array","items":{"type":"string"}},"parent":{"type":["string","null"]}},"required":["owner"],"additionalProperties":false}"#
        );
    }

    #[test]
    fn every_problem_is_named_by_its_argument() {
        assert!(
            inputs()
                .check(json!({"owner": "a"}).as_object().unwrap())
                .is_empty()
        );
        assert_eq!(
            complaints(&json!({"state": "opened", "labels": ["a", 1], "ownr": "a"})),
            "t was not called, its arguments do not fit: `owner`: it is required; `state`: \"opened\" is not one of \
             \"open\" or \"closed\"; `labels`: at /1: 1 is not of type \"string\"; `ownr`: there is no such argument \
             (did you mean `owner`?). Correct them and call again."
        );
    }

    #[test]
    fn a_complaint_never_repeats_a_whole_argument() {
        let long = complaints(&json!({"owner": "a", "state": "x".repeat(10_000)}));
        assert!(long.len() < 500, "{}", long.len());
    }

    #[test]
    fn null_is_absent_unless_the_schema_takes_it() {
        let given = json!({"owner": null, "state": null, "parent": null});
        let given = given.as_object().unwrap();
        let inputs = inputs();
        assert_eq!(inputs.check(given).len(), 1);
        assert_eq!(inputs.value(given, "owner"), None);
        assert_eq!(inputs.value(given, "state"), Some(&json!("open")));
        assert_eq!(inputs.value(given, "parent"), Some(&Value::Null));
        assert_eq!(inputs.value(given, "nothing"), None);
    }

    #[test]
    fn an_address_stands_for_what_it_is_about() {
        let properties =
            json!({"id": {"type": "string", "pattern": "^[a-z0-9]+$", "from_url": "/d/([^/?#]+)"}});
        let inputs = Inputs::try_from(properties.as_object().unwrap().clone()).unwrap();
        assert!(!inputs.schema().contains_key("from_url"));
        assert!(inputs.get("id").unwrap().schema.get("from_url").is_none());
        for (given, meant) in [
            ("abc1", Some("abc1")),
            (
                "https://docs.example.com/document/d/abc1/edit#heading",
                Some("abc1"),
            ),
            ("http://docs.example.com/d/abc1", Some("abc1")),
            ("https://docs.example.com/spreadsheets", None),
            ("https://docs.example.com/d/ABC", None),
        ] {
            let given = json!({"id": given});
            let given = given.as_object().unwrap();
            assert_eq!(inputs.check(given).is_empty(), meant.is_some(), "{given:?}");
            if let Some(meant) = meant {
                assert_eq!(inputs.normalised(given)["id"], meant);
            }
        }
        let elsewhere = json!({"id": "https://evil.example/x"});
        assert_eq!(
            inputs.check(elsewhere.as_object().unwrap())[0].message,
            "the address is not of the kind that is wanted here: send the id, or the address of the thing itself"
        );
    }

    #[test]
    fn fragments_that_are_no_schema_are_refused() {
        for bad in [
            json!({"a": 1}),
            json!({"a": {"type": "strin"}}),
            json!({"a": {"type": "string", "required": "yes"}}),
            json!({"a": {"type": "string", "from_url": "/d/.+"}}),
            json!({"a": {"type": "string", "from_url": "/(d)/(.+)"}}),
            json!({"a": {"type": "string", "from_url": "/d/("}}),
            json!({"a": {"type": "string", "from_url": 1}}),
            json!({"a": {"$ref": "https://example.com/schema"}}),
        ] {
            assert!(
                Inputs::try_from(bad.as_object().unwrap().clone()).is_err(),
                "{bad}"
            );
        }
    }
}
