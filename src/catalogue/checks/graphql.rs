//! GraphQL operations: the document, its variables and the hints say the same, and a refusal inside a success is seen.

use super::Report;
use crate::catalogue::file::ToolFile;
use crate::catalogue::graphql::Graphql;
use crate::catalogue::graphql_document::Operation;
use crate::catalogue::inputs::Inputs;
use crate::catalogue::problem::ParsedFile;

/// Every operation of a file, with its place and the inputs that its variables are made of.
fn operations<'f>(
    file: &'f ParsedFile,
    no_inputs: &'f Inputs,
) -> Vec<(String, &'f Graphql, &'f Inputs)> {
    let account = file.provider.account.graphql.as_ref();
    let account = account.map(|graphql| ("account.graphql".to_owned(), graphql, no_inputs));
    let tools = file.provider.tools.iter().filter_map(|tool| {
        let place = format!("tool {}.graphql", tool.name);
        Some((place, tool.graphql.as_ref()?, &tool.inputs))
    });
    account.into_iter().chain(tools).collect()
}

pub(super) fn graphql_variables_match(files: &[ParsedFile], report: &mut Report) {
    let no_inputs = Inputs::default();
    for file in files {
        for (place, graphql, inputs) in operations(file, &no_inputs) {
            for message in mismatches(graphql, inputs) {
                report.add(
                    file,
                    &place,
                    message,
                    "declare each variable in the document, use it there, and give it a value in `variables`",
                );
            }
        }
    }
}

fn mismatches(graphql: &Graphql, inputs: &Inputs) -> Vec<String> {
    let document = &graphql.document;
    let declares = |name: &str| {
        document
            .declared()
            .iter()
            .any(|declared| declared.name == name)
    };
    let mut messages = Vec::new();
    for declared in document.declared() {
        let name = &declared.name;
        let given = graphql.variables.iter().find(|(given, _)| given == name);
        match given {
            None => messages.push(format!("the variable `${name}` has no value")),
            Some((_, template)) if declared.required && !template.is_always_there(inputs) => {
                messages.push(format!(
                    "the variable `${name}` is required, but its arguments may all be absent"
                ));
            }
            Some(_) => {}
        }
        if !document.used().contains(name) {
            messages.push(format!("the document never uses the variable `${name}`"));
        }
    }
    let undeclared = document.used().iter().filter(|name| !declares(name));
    messages.extend(undeclared.map(|name| format!("the document does not declare `${name}`")));
    let unknown = graphql.variables.iter().filter(|(name, _)| !declares(name));
    messages.extend(
        unknown.map(|(name, _)| format!("there is a value for `{name}`, which is no variable")),
    );
    messages
}

/// GraphQL answers a refusal with 200 and `errors` (GraphQL specification, section 7.1).
pub(super) fn graphql_errors_are_recognised(files: &[ParsedFile], report: &mut Report) {
    let no_inputs = Inputs::default();
    for file in files {
        let mut rules = file.provider.errors.iter();
        let is_recognised = rules.any(|rule| rule.when.looks_into_successes("errors"));
        if !operations(file, &no_inputs).is_empty() && !is_recognised {
            report.add(
                file,
                "error",
                "no rule sees the errors in a GraphQL reply with status 200",
                "add an `[[error]]` without `status` whose `body` has the path `errors.0.message`",
            );
        }
    }
}

/// What contradicts the claim that a tool only reads.
pub(super) fn may_write(tool: &ToolFile) -> bool {
    tool.graphql
        .as_ref()
        .is_some_and(|graphql| graphql.document.operation() == Operation::Mutation)
}
