//! The arguments of a tool: each is declared, used, described, closed, and shown in an example that works.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Report;
use crate::catalogue::arguments::Arguments;
use crate::catalogue::path_template::Span;
use crate::catalogue::problem::ParsedFile;

pub(super) fn every_placeholder_is_declared(files: &[ParsedFile], report: &mut Report) {
    for file in files {
        for tool in &file.provider.tools {
            for argument in tool.request.arguments() {
                if tool.inputs.get(argument).is_none() {
                    report.add(
                        file,
                        format!("tool {}", tool.name),
                        format!("the request uses `{argument}`, which is no input"),
                        format!("add `{argument}` to `[tool.input]`, or correct the name"),
                    );
                }
            }
        }
    }
}

pub(super) fn every_input_is_used(files: &[ParsedFile], report: &mut Report) {
    for file in files {
        for tool in &file.provider.tools {
            let used: BTreeSet<&str> = tool.request.arguments().into_iter().collect();
            for input in tool
                .inputs
                .iter()
                .filter(|input| !used.contains(input.name.as_str()))
            {
                report.add(
                    file,
                    format!("tool {}.input.{}", tool.name, input.name),
                    "the request never uses this input",
                    "use it in the path, `query` or `body`, or remove it",
                );
            }
        }
    }
}

pub(super) fn path_inputs_are_required(files: &[ParsedFile], report: &mut Report) {
    for file in files {
        for tool in &file.provider.tools {
            for place in tool.request.path.places() {
                let Some(input) = tool.inputs.get(&place.name) else {
                    continue;
                };
                let at = format!("tool {}.input.{}", tool.name, place.name);
                if place.span != Span::OptionalSegments
                    && !input.required
                    && input.default.is_none()
                {
                    report.add(
                        file,
                        &at,
                        format!(
                            "the path `{}` cannot do without it",
                            tool.request.path.source()
                        ),
                        "make it required, or write `{/+name}` where the path may end before it",
                    );
                }
                let kind = input.schema.get("type").and_then(Value::as_str);
                if !matches!(kind, Some("string" | "integer")) {
                    report.add(
                        file,
                        &at,
                        "it stands in the path and is neither a string nor an integer",
                        "give it the type `string` or `integer`",
                    );
                }
            }
        }
    }
}

pub(super) fn input_schema_is_closed(files: &[ParsedFile], report: &mut Report) {
    for file in files {
        for tool in &file.provider.tools {
            for input in tool.inputs.iter() {
                let mut complaints = Vec::new();
                if !input.schema.contains_key("type") && !input.schema.contains_key("enum") {
                    complaints.push("it has neither `type` nor `enum`");
                }
                if input.required && input.default.is_some() {
                    complaints.push("it is required and has a default that is never used");
                }
                open_places(&input.schema, &mut complaints);
                for complaint in complaints {
                    report.add(
                        file,
                        format!("tool {}.input.{}", tool.name, input.name),
                        complaint,
                        "say exactly what is accepted: a model can only fill in what is described",
                    );
                }
            }
        }
    }
}

/// Looks through a schema for places that accept anything, or that lead elsewhere.
fn open_places(schema: &Map<String, Value>, complaints: &mut Vec<&'static str>) {
    let is = |kind: &str| schema.get("type").and_then(Value::as_str) == Some(kind);
    if schema.contains_key("$ref") {
        complaints.push("it refers to another schema");
    }
    if (is("object") || schema.contains_key("properties"))
        && schema.get("additionalProperties") != Some(&Value::Bool(false))
    {
        complaints.push("an object in it is open: add `additionalProperties = false`");
    }
    if is("array") && !schema.contains_key("items") {
        complaints.push("an array in it takes anything: add `items`");
    }
    for (key, below) in schema {
        // A value of these is an instance, not a schema.
        if matches!(key.as_str(), "default" | "enum" | "const" | "examples") {
            continue;
        }
        match below {
            Value::Object(table) if key == "properties" => {
                let schemas = table.values().filter_map(Value::as_object);
                schemas.for_each(|schema| open_places(schema, complaints));
            }
            Value::Object(schema) => open_places(schema, complaints),
            Value::Array(schemas) => {
                let schemas = schemas.iter().filter_map(Value::as_object);
                schemas.for_each(|schema| open_places(schema, complaints));
            }
            _ => {}
        }
    }
}

pub(super) fn input_defaults_match(files: &[ParsedFile], report: &mut Report) {
    for file in files {
        for tool in &file.provider.tools {
            for input in tool.inputs.iter() {
                let Some(default) = &input.default else {
                    continue;
                };
                for complaint in input.complaints(default) {
                    report.add(
                        file,
                        format!("tool {}.input.{}.default", tool.name, input.name),
                        format!("the default does not match its own schema: {complaint}"),
                        "correct the default or the schema",
                    );
                }
            }
        }
    }
}

pub(super) fn example_matches_schema(files: &[ParsedFile], report: &mut Report) {
    let remedy = "write an example that a model could copy";
    for file in files {
        for tool in &file.provider.tools {
            let place = format!("tool {}.example", tool.name);
            let problems = tool.inputs.check(&tool.example);
            for problem in &problems {
                report.add(
                    file,
                    &place,
                    format!("`{}`: {}", problem.argument, problem.message),
                    remedy,
                );
            }
            let arguments = Arguments {
                given: &tool.example,
                inputs: &tool.inputs,
            };
            if let (true, Err(error)) = (problems.is_empty(), tool.request.render_target(arguments))
            {
                report.add(
                    file,
                    &place,
                    format!("the request cannot be rendered: {error}"),
                    remedy,
                );
            }
        }
    }
}
