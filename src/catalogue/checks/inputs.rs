//! The arguments of a tool: each is declared, used, described, closed, and shown in an example that works.

use serde_json::{Map, Value};

use super::Report;
use super::steps::{Line, lines, used};
use crate::catalogue::arguments::Arguments;
use crate::catalogue::file::ToolFile;
use crate::catalogue::path_template::{Place, Span};
use crate::catalogue::problem::ParsedFile;

pub(super) fn every_placeholder_is_declared(files: &[ParsedFile], report: &mut Report) {
    for file in files {
        for tool in &file.provider.tools {
            for line in lines(tool) {
                for name in line.request.places() {
                    if !line.knows(tool, name) {
                        report.add(
                            file,
                            &line.place,
                            format!("the request uses `{name}`, which is no input"),
                            format!(
                                "add `{name}` to `[tool.input]`, capture it in an earlier step, or correct the name"
                            ),
                        );
                    }
                }
            }
        }
    }
}

pub(super) fn every_input_is_used(files: &[ParsedFile], report: &mut Report) {
    for file in files {
        for tool in &file.provider.tools {
            let used = used(tool);
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
            for line in lines(tool) {
                for place in line.request.path.places() {
                    for (message, remedy) in unfit_for_a_path(tool, &line, place) {
                        let at = format!("tool {}.input.{}", tool.name, place.name);
                        report.add(file, at, message, remedy);
                    }
                }
            }
        }
    }
}

fn unfit_for_a_path(
    tool: &ToolFile,
    line: &Line<'_>,
    place: &Place,
) -> Vec<(String, &'static str)> {
    let mut problems = Vec::new();
    let Some(input) = tool.inputs.get(&place.name) else {
        return problems;
    };
    let must_be_there = place.span != Span::OptionalSegments;
    if must_be_there && !line.is_certain(tool, &place.name) {
        problems.push((
            format!(
                "the path `{}` cannot do without it",
                line.request.path.source()
            ),
            "make it required, or write `{/+name}` where the path may end before it",
        ));
    }
    if !is_text_or_number(input.schema.get("type")) {
        problems.push((
            "it stands in the path and is neither a string nor an integer".to_owned(),
            "give it the type `string` or `integer`",
        ));
    }
    problems
}

/// Whether `type` names nothing but `string` and `integer`.
fn is_text_or_number(kind: Option<&Value>) -> bool {
    let fits = |kind: &Value| matches!(kind.as_str(), Some("string" | "integer"));
    match kind {
        Some(Value::Array(kinds)) => !kinds.is_empty() && kinds.iter().all(fits),
        kind => kind.is_some_and(fits),
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
    // Some objects are shaped by the provider's own users, such as the fields of a database. A file says so by name.
    let is_free = schema.get("additionalProperties") == Some(&Value::Bool(true))
        && !schema.contains_key("properties");
    if (is("object") || schema.contains_key("properties"))
        && schema.get("additionalProperties") != Some(&Value::Bool(false))
        && !is_free
    {
        complaints.push(
            "an object in it is open: add `additionalProperties = false`, or `true` where the provider's users choose \
             the fields and `properties` cannot name them",
        );
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
            let example = tool.inputs.normalised(&tool.example);
            let arguments = Arguments {
                given: &example,
                inputs: &tool.inputs,
            };
            // The first request is the one that needs nothing but arguments.
            let needed = tool.steps.iter().find(|step| step.when.fits(&arguments));
            let first = needed.map_or(&tool.request, |step| &step.request);
            if let (true, Err(error)) = (problems.is_empty(), first.render_target(&arguments)) {
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
