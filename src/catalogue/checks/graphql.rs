//! GraphQL operations: the document, its variables and the hints say the same, and a refusal inside a success is seen.

use super::Report;
use super::steps::{Line, lines};
use crate::catalogue::file::ToolFile;
use crate::catalogue::graphql::Graphql;
use crate::catalogue::graphql_document::Operation;
use crate::catalogue::problem::ParsedFile;
use crate::catalogue::value_template::Scope;

/// Every operation of a file, with its place and what its variables are made of.
fn operations(file: &ParsedFile) -> Vec<(String, &Graphql, Known<'_>)> {
    let account = file.provider.account.request.graphql.as_ref();
    let account = account.map(|graphql| ("account.graphql".to_owned(), graphql, Known(None)));
    let tools = file.provider.tools.iter().flat_map(|tool| {
        lines(tool).into_iter().filter_map(move |line| {
            let graphql = line.request.graphql.as_ref()?;
            let place = format!("{}.graphql", line.place);
            Some((place, graphql, Known(Some((tool, line)))))
        })
    });
    account.into_iter().chain(tools).collect()
}

/// What is known of the values of a request; the account call has none.
struct Known<'f>(Option<(&'f ToolFile, Line<'f>)>);

impl Scope for Known<'_> {
    fn is_always_there(&self, name: &str) -> bool {
        let known = self.0.as_ref();
        known.is_some_and(|(tool, line)| line.is_certain(tool, name))
    }
}

pub(super) fn graphql_variables_match(files: &[ParsedFile], report: &mut Report) {
    for file in files {
        for (place, graphql, known) in operations(file) {
            for message in mismatches(graphql, &known) {
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

fn mismatches(graphql: &Graphql, known: &dyn Scope) -> Vec<String> {
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
            Some((_, template)) if declared.required && !template.is_always_there(known) => {
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
    for file in files {
        let mut rules = file.provider.errors.iter();
        let is_recognised = rules.any(|rule| rule.when.looks_into_successes("errors"));
        if !operations(file).is_empty() && !is_recognised {
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
    tool.request
        .graphql
        .as_ref()
        .is_some_and(|graphql| graphql.document.operation() == Operation::Mutation)
}
