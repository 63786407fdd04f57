//! Least privilege: what is asked for is listed, needed, and not more than a tool's hints promise.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Report, family, providers};
use crate::catalogue::problem::ParsedFile;
use crate::catalogue::{ScopeRequirement, ScopeSet};

/// Everything of a file that needs a grant, with its place.
fn requirements(file: &ParsedFile) -> Vec<(String, &ScopeRequirement)> {
    let account = ("account.scopes".to_owned(), &file.provider.account.scopes);
    let tools = &file.provider.tools;
    let account = file.is_provider().then_some(account);
    account
        .into_iter()
        .chain(
            tools
                .iter()
                .map(|tool| (format!("tool {}.scopes", tool.name), &tool.scopes)),
        )
        .collect()
}

pub(super) fn scopes_are_listed(files: &[ParsedFile], report: &mut Report) {
    for file in files {
        let oauth = &file.provider.oauth;
        let known: BTreeSet<&str> = oauth.scopes.iter().chain(oauth.implies.iter()).collect();
        for (place, requirement) in requirements(file) {
            for scope in requirement.iter().filter(|scope| !known.contains(scope)) {
                report.add(
                    file,
                    &place,
                    format!(
                        "the scope `{scope}` is neither in `oauth.scopes` nor in `oauth.implies`"
                    ),
                    "list the scope, or correct its spelling",
                );
            }
            let missing = requirement.missing(&oauth.scopes, &oauth.implies);
            if !missing.is_empty() {
                report.add(
                    file,
                    &place,
                    format!("`{missing}` is needed, but `oauth.scopes` never asks for it"),
                    "add it to `oauth.scopes`",
                );
            }
        }
        let write_scopes = file.is_provider().then_some(&oauth.write_scopes);
        for scope in write_scopes
            .into_iter()
            .flat_map(ScopeSet::iter)
            .filter(|scope| !known.contains(scope))
        {
            report.add(
                file,
                "oauth.write_scopes",
                format!("the scope `{scope}` is neither in `oauth.scopes` nor in `oauth.implies`"),
                "list the scope, or correct its spelling",
            );
        }
    }
}

/// People decide by these words, so every scope that is asked for has some, and no words stand for another scope.
pub(super) fn scopes_have_words(files: &[ParsedFile], report: &mut Report) {
    for file in providers(files) {
        let oauth = &file.provider.oauth;
        let asked_for = oauth.scopes.union(&oauth.base_scopes);
        let known = |scope: &str| {
            asked_for.contains(scope) || oauth.implies.iter().any(|implied| implied == scope)
        };
        for scope in asked_for
            .iter()
            .filter(|scope| !oauth.scope_words.contains_key(*scope))
        {
            let message = format!("the scope `{scope}` has no words for people");
            report.add(
                file,
                "oauth.scope_words",
                message,
                "say what it allows, beginning with a verb",
            );
        }
        for scope in oauth.scope_words.keys().filter(|scope| !known(scope)) {
            let message =
                format!("there are words for `{scope}`, which is not a scope of this provider");
            report.add(
                file,
                "oauth.scope_words",
                message,
                "list the scope, or correct its spelling",
            );
        }
    }
}

pub(super) fn listed_scopes_are_needed(files: &[ParsedFile], report: &mut Report) {
    for file in providers(files) {
        let oauth = &file.provider.oauth;
        for scope in oauth.scopes.iter() {
            let others = oauth.scopes.difference(&ScopeSet::from_iter([scope]));
            // A scope that a wider one covers is still of use to a person who grants only the narrower one.
            let mut needs = family(files, file).flat_map(requirements);
            let is_needed = needs.any(|(_, requirement)| {
                requirement.iter().any(|named| named == scope)
                    || !requirement.missing(&others, &oauth.implies).is_empty()
            });
            if !is_needed {
                report.add(
                    file,
                    "oauth.scopes",
                    format!("nothing needs the scope `{scope}`"),
                    "remove it: people are asked for what is used and no more",
                );
            }
        }
    }
}

/// Who names no tool is asked for what the file lists, and for nothing that allows writing.
pub(super) fn default_scopes_only_read(files: &[ParsedFile], report: &mut Report) {
    const PLACE: &str = "oauth.default_scopes";
    for file in providers(files) {
        let oauth = &file.provider.oauth;
        let Some(default) = &oauth.default_scopes else {
            continue;
        };
        let known: BTreeSet<&str> = oauth.scopes.iter().chain(oauth.implies.iter()).collect();
        for scope in default.iter().filter(|scope| !known.contains(scope)) {
            report.add(
                file,
                PLACE,
                format!("the scope `{scope}` is neither in `oauth.scopes` nor in `oauth.implies`"),
                "list the scope, or correct its spelling",
            );
        }
        for scope in default
            .iter()
            .filter(|scope| oauth.write_scopes.contains(scope))
        {
            report.add(
                file,
                PLACE,
                format!("the scope `{scope}` allows writing, and nobody has asked to write yet"),
                "take it out: it is asked for when a tool needs it",
            );
        }
    }
}

/// What the protocol needs and what tools need are two lists: a person may refuse the one and not the other.
pub(super) fn base_scopes_are_not_for_tools(files: &[ParsedFile], report: &mut Report) {
    for file in providers(files) {
        let oauth = &file.provider.oauth;
        let needed = |scope: &str| {
            let named = |(_, need): &(String, &ScopeRequirement)| need.iter().any(|s| s == scope);
            let mut needs = family(files, file).flat_map(requirements);
            oauth.scopes.contains(scope) || needs.any(|need| named(&need))
        };
        for scope in oauth.base_scopes.iter().filter(|scope| needed(scope)) {
            report.add(
                file,
                "oauth.base_scopes",
                format!("the scope `{scope}` is also one that tools or the account call need"),
                "keep it in `oauth.scopes` alone: what is needed is asked for anyway",
            );
        }
    }
}

/// A scope that is asked for and never demanded must be one that can be asked for, and have a parameter to stand in.
pub(super) fn optional_scopes_have_a_place(files: &[ParsedFile], report: &mut Report) {
    for file in providers(files) {
        let oauth = &file.provider.oauth;
        let unlisted = oauth.optional_scopes.difference(&oauth.scopes);
        for scope in unlisted.iter() {
            report.add(
                file,
                "oauth.optional_scopes",
                format!("the scope `{scope}` is not in `oauth.scopes`"),
                "list it there too: tools need it, and people read its words",
            );
        }
        if oauth.optional_scopes.iter().next().is_some() && oauth.optional_scopes().is_none() {
            report.add(
                file,
                "oauth.optional_scopes",
                "no parameter of the authorization request is for optional scopes",
                "add `authorize.scopes` with an entry `from = \"optional\"`",
            );
        }
    }
}

pub(super) fn read_only_tools_need_no_write_scope(files: &[ParsedFile], report: &mut Report) {
    for file in files {
        let oauth = &file.provider.oauth;
        let reading = oauth.scopes.difference(&oauth.write_scopes);
        for tool in file
            .provider
            .tools
            .iter()
            .filter(|tool| tool.hints.read_only)
        {
            let named: Vec<&str> = tool
                .scopes
                .iter()
                .filter(|scope| oauth.write_scopes.contains(scope))
                .collect();
            let all_write = match &tool.scopes {
                ScopeRequirement::All(_) | ScopeRequirement::ByArgument(_) => !named.is_empty(),
                ScopeRequirement::Any(_) => {
                    !tool.scopes.missing(&reading, &oauth.implies).is_empty()
                }
            };
            if all_write && !named.is_empty() {
                report.add(
                    file,
                    format!("tool {}.scopes", tool.name),
                    format!("a tool that only reads needs `{}`, which allows writing", named.join("`, `")),
                    "name the narrower scope; if the provider has none, take it out of `oauth.write_scopes`",
                );
            }
        }
    }
}

/// A requirement that depends on an argument is known for every call.
pub(super) fn deciding_arguments_are_enums(files: &[ParsedFile], report: &mut Report) {
    let remedy =
        "make it a required input with an `enum`, and give each of its values a line in the table";
    for file in files {
        if let ScopeRequirement::ByArgument(_) = &file.provider.account.scopes {
            let message = "the call that names the account has no arguments";
            report.add(file, "account.scopes", message, "list the scopes");
        }
        for tool in &file.provider.tools {
            let ScopeRequirement::ByArgument(cases) = &tool.scopes else {
                continue;
            };
            let input = tool.inputs.get(cases.argument());
            let values = input
                .filter(|input| input.required)
                .and_then(|input| input.schema.get("enum")?.as_array());
            let message = match values {
                None => format!("`{}` is no required input with an `enum`", cases.argument()),
                Some(values) => {
                    let values: BTreeSet<_> = values.iter().map(Value::as_str).collect();
                    let cases: BTreeSet<_> = cases.cases().map(|(case, _)| Some(case)).collect();
                    if values == cases {
                        continue;
                    }
                    "the table has other values than the `enum` of its argument".to_owned()
                }
            };
            report.add(file, format!("tool {}.scopes", tool.name), message, remedy);
        }
    }
}
