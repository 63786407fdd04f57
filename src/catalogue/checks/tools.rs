//! What a tool says about itself, and what the gateway must be able to tell about a provider.

use std::collections::BTreeMap;

use super::graphql::may_write;
use super::replies::hidden_dead_tokens;
use super::{Report, providers};
use crate::catalogue::file::ProviderFile;
use crate::catalogue::graphql_document::Operation;
use crate::catalogue::plain_text::plain_text;
use crate::catalogue::problem::ParsedFile;
use crate::catalogue::{Effect, RefusalKind};

/// Longer names are cut off by clients that put the name of the server before them.
const LONGEST_NAME: usize = 40;
/// A description is read by a model on every turn.
const LONGEST_DESCRIPTION: usize = 1024;

pub(super) fn account_call_is_read_only(files: &[ParsedFile], report: &mut Report) {
    for file in providers(files) {
        let account = &file.provider.account;
        let sends_mutation = account
            .request
            .graphql
            .as_ref()
            .is_some_and(|graphql| graphql.document.operation() == Operation::Mutation);
        if !account.read_only || sends_mutation {
            report.add(
                file,
                "account",
                "the call that proves a credential may change something",
                "use a call that only reads; if a POST does, say `read_only = true`",
            );
        }
        for place in account.request.path.places() {
            report.add(
                file,
                "account",
                format!(
                    "`{{{}}}` has nothing to fill it: the account is not known yet",
                    place.name
                ),
                "use a call without arguments, such as `/me`",
            );
        }
    }
}

pub(super) fn dead_tokens_are_recognised(files: &[ParsedFile], report: &mut Report) {
    for file in providers(files) {
        let is_recognised = |file: &ParsedFile| {
            file.provider
                .errors
                .iter()
                .any(|rule| rule.is == RefusalKind::TokenInvalid)
        };
        if !is_recognised(file) {
            report.add(
                file,
                "error",
                "no rule says how an expired or withdrawn token is refused",
                "add an `[[error]]` with `is = \"token_invalid\"`, or connections are never repaired",
            );
        }
        for place in hidden_dead_tokens(file) {
            report.add(
                file,
                place,
                "an expired or withdrawn token is taken for something else: a rule before fits it too",
                "ask for more in the rule before, so that the one with `token_invalid` is reached",
            );
        }
    }
}

pub(super) fn tool_names_are_unique(files: &[ParsedFile], report: &mut Report) {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for file in files {
        for tool in &file.provider.tools {
            let name = tool.name.as_str();
            let place = format!("tool {name}.name");
            let rest = name
                .strip_prefix(&file.id)
                .and_then(|rest| rest.strip_prefix('_'));
            let is_well_formed = rest.is_some_and(|rest| {
                !rest.is_empty()
                    && rest
                        .chars()
                        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            });
            if !is_well_formed || name.len() > LONGEST_NAME {
                report.add(
                    file,
                    &place,
                    format!("`{name}` is no name for a tool of `{}`", file.id),
                    format!(
                        "write `{}_`, then a-z, 0-9 or `_`, at most {LONGEST_NAME} characters in all",
                        file.id
                    ),
                );
            }
            if let Some(first) = seen.insert(name, &file.file) {
                report.add(
                    file,
                    &place,
                    format!("`{name}` is already a tool of {first}"),
                    "choose another name",
                );
            }
        }
    }
}

pub(super) fn descriptions_are_sentences(files: &[ParsedFile], report: &mut Report) {
    for file in files {
        let provider = &file.provider;
        let mut texts = if file.is_provider() {
            texts_of_the_connection(provider)
        } else {
            Vec::new()
        };
        texts.extend(
            provider
                .unconfirmed
                .iter()
                .map(|fact| ("unconfirmed".to_owned(), fact.as_str())),
        );
        for tool in &provider.tools {
            texts.push((format!("tool {}.description", tool.name), &tool.description));
            for input in tool.inputs.iter() {
                let description = input
                    .schema
                    .get("description")
                    .and_then(|text| text.as_str());
                let place = format!("tool {}.input.{}.description", tool.name, input.name);
                texts.push((place, description.unwrap_or_default()));
            }
            if tool.title.is_empty() || tool.title.ends_with('.') || !is_clean(&tool.title, 60) {
                report.add(
                    file,
                    format!("tool {}.title", tool.name),
                    "the title is not a short name for people",
                    "write a few words without a full stop, at most 60 characters",
                );
            }
        }
        for (place, text) in texts {
            if !is_sentence(text) {
                report.add(
                    file,
                    place,
                    "this is no sentence",
                    format!(
                        "start with a capital letter, end with a full stop, on one line, without invisible characters, \
                         at most {LONGEST_DESCRIPTION} characters"
                    ),
                );
            }
        }
    }
}

/// What a product shares with its provider is judged in the file of the provider.
fn texts_of_the_connection(provider: &ProviderFile) -> Vec<(String, &str)> {
    let setup = &provider.setup;
    let rules = (
        "setup.redirect_rules".to_owned(),
        setup.redirect_rules.as_str(),
    );
    let steps = setup.steps.iter();
    let steps = steps.map(|step| ("setup.steps".to_owned(), step.as_str()));
    let variables = provider.variables.iter().map(|(name, variable)| {
        let place = format!("variables.{name}.description");
        (place, variable.description())
    });
    std::iter::once(rules)
        .chain(steps)
        .chain(variables)
        .collect()
}

pub(super) fn is_sentence(text: &str) -> bool {
    text.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit() || c == '`')
        && text.ends_with('.')
        && text.contains(' ')
        && is_clean(text, LONGEST_DESCRIPTION)
}

/// Nothing hidden, nothing cut: what a model reads is what a reviewer saw.
fn is_clean(text: &str, limit: usize) -> bool {
    plain_text(text, limit) == text
}

pub(super) fn hints_are_consistent(files: &[ParsedFile], report: &mut Report) {
    for file in files {
        for tool in &file.provider.tools {
            let hints = tool.hints;
            let deletes = tool.effects.contains(&Effect::Deletes);
            let method = &tool.request.method;
            let contradictions = [
                (
                    hints.read_only && hints.destructive,
                    "a tool that only reads destroys nothing",
                ),
                (
                    hints.read_only && !hints.idempotent,
                    "a tool that only reads can be called twice",
                ),
                (
                    hints.read_only && !tool.effects.is_empty(),
                    "a tool that only reads has no effects",
                ),
                (
                    deletes && !hints.destructive,
                    "a tool that deletes is destructive",
                ),
                (
                    hints.read_only && may_write(tool),
                    "a tool that only reads sends no mutation",
                ),
                (
                    *method == http::Method::DELETE && !deletes,
                    "a `delete` deletes: say so in `effects`",
                ),
            ];
            for (_, message) in contradictions.iter().filter(|(is_so, _)| *is_so) {
                report.add(
                    file,
                    format!("tool {}", tool.name),
                    *message,
                    "correct the hints or the effects: policies and clients rely on them",
                );
            }
        }
    }
}

/// A tool for which a repetition is no failure can be called again: clients rely on the hint to know it.
pub(super) fn already_done_is_idempotent(files: &[ParsedFile], report: &mut Report) {
    for file in files {
        for tool in &file.provider.tools {
            if tool.reply.treat_as_success.is_some() && !tool.hints.idempotent {
                report.add(
                    file,
                    format!("tool {}.treat_as_success", tool.name),
                    "a refusal stands for a success, but the tool is not idempotent",
                    "say `idempotent = true`, or let the refusal be one",
                );
            }
        }
    }
}
