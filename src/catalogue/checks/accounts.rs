//! Picking among several accounts: the argument for it stays free, and rules can decide.

use super::{Report, family, providers};
use crate::catalogue::problem::ParsedFile;
use crate::catalogue::{ACCOUNT_ARGUMENT, AccountField};

pub(super) fn account_is_no_input(files: &[ParsedFile], report: &mut Report) {
    for file in files {
        for tool in &file.provider.tools {
            let taken = tool
                .inputs
                .iter()
                .find(|input| input.name.eq_ignore_ascii_case(ACCOUNT_ARGUMENT));
            if let Some(input) = taken {
                report.add(
                    file,
                    format!("tool {}.input.{}", tool.name, input.name),
                    "Attache takes this argument itself, to pick among several accounts",
                    "call it otherwise, and place it in the request under the provider's own name",
                );
            }
        }
    }
}

pub(super) fn account_rules_can_decide(files: &[ParsedFile], report: &mut Report) {
    for file in providers(files) {
        let provider = &file.provider;
        for (at, rule) in provider.account_rules.iter().enumerate() {
            let place = format!("account_rule {}", rule.argument());
            let known = family(files, file)
                .flat_map(|one| &one.provider.tools)
                .any(|tool| tool.inputs.get(rule.argument()).is_some());
            if !known {
                report.add(
                    file,
                    &place,
                    "no tool has an input of this name",
                    "name an input of a tool, or remove the rule",
                );
            }
            if rule.field() == AccountField::Workspace && provider.account.workspace.is_none() {
                report.add(
                    file,
                    &place,
                    "accounts have no workspace to compare it with",
                    "add `workspace` to `[account]`, or compare with another field",
                );
            }
            if provider.account_rules[..at].contains(rule) {
                report.add(
                    file,
                    &place,
                    "the same rule stands above it",
                    "remove one of the two",
                );
            }
        }
    }
}

/// What an authorization request holds by itself (RFC 6749 section 4.1.1, RFC 7636 section 4.3).
pub(super) const OF_AN_AUTHORIZATION: [&str; 8] = [
    "response_type",
    "client_id",
    "client_secret",
    "redirect_uri",
    "state",
    "scope",
    "code_challenge",
    "code_challenge_method",
];

pub(super) fn sign_in_parameters_are_free(files: &[ParsedFile], report: &mut Report) {
    for file in providers(files) {
        let (authorize, sign_in) = (
            &file.provider.oauth.authorize,
            &file.provider.account.sign_in,
        );
        for name in sign_in.expected.keys().chain(sign_in.choose.keys()) {
            if OF_AN_AUTHORIZATION.contains(&name.as_str()) || authorize.carries_scopes(name) {
                report.add(
                    file,
                    format!("account.sign_in {name}"),
                    "the protocol itself uses this parameter",
                    "name a parameter that the provider documents for choosing an account",
                );
            }
        }
    }
}
