//! Texts with values in them: what goes in without quotes cannot be anything but one word.

use serde_json::{Map, Value};

use super::Report;
use super::steps::lines;
use crate::catalogue::file::ToolFile;
use crate::catalogue::places::{ITEM, root};
use crate::catalogue::problem::ParsedFile;
use crate::catalogue::quoter::Quoter;
use crate::catalogue::value_template::Quoted;

pub(super) fn plain_values_are_harmless(files: &[ParsedFile], report: &mut Report) {
    for file in files {
        for tool in &file.provider.tools {
            for line in lines(tool) {
                let quoted = line.request.quoted();
                let plain = quoted
                    .into_iter()
                    .filter(|quoted| quoted.quoter == Quoter::Plain);
                for quoted in plain.filter(|quoted| !is_harmless(tool, quoted)) {
                    report.add(
                        file,
                        &line.place,
                        format!(
                            "`{{{}|plain}}` puts a text without quotes into an expression",
                            quoted.name
                        ),
                        "use the quoter of that language, or give the input the type `integer`, `number` or `boolean`, or \
                         an `enum`",
                    );
                }
            }
        }
    }
}

/// Whether the schema leaves the value no room to be an expression. What a reply said never is.
fn is_harmless(tool: &ToolFile, quoted: &Quoted<'_>) -> bool {
    let input = |name: &str| tool.inputs.get(name).map(|input| &input.schema);
    let schema = match quoted.list {
        Some(list) => input(list)
            .and_then(|list| list.get("items"))
            .and_then(Value::as_object),
        None if root(quoted.name) == ITEM => None,
        None => input(quoted.name),
    };
    let fields = quoted.name.split('.').skip(1);
    let schema = fields.fold(schema, |schema, field| {
        schema?.get("properties")?.get(field)?.as_object()
    });
    schema.is_some_and(takes_only_words)
}

fn takes_only_words(schema: &Map<String, Value>) -> bool {
    if schema.get("enum").is_some_and(Value::is_array) || schema.contains_key("const") {
        return true;
    }
    let is_word = |kind: &Value| matches!(kind.as_str(), Some("integer" | "number" | "boolean"));
    match schema.get("type") {
        Some(Value::Array(kinds)) => !kinds.is_empty() && kinds.iter().all(is_word),
        Some(kind) => is_word(kind),
        None => false,
    }
}
