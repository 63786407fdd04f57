//! What only a whole file, or all files together, can tell: named checks, all run, all reported.
//!
//! Each check is a pure function over every file that could be read. What a single key can tell by itself (a template, a
//! pattern, an unknown transform, a hint that is missing) is already refused while the file is read.

mod accounts;
mod addresses;
mod grants;
mod graphql;
mod inputs;
mod replies;
mod scopes;
mod steps;
mod tenants;
mod texts;
mod token_replies;
mod tools;

#[cfg(test)]
mod tests;

pub(super) use addresses::id_complaint;

use super::index::parse;
use super::problem::ParsedFile;
use super::{Problem, Source};

/// A named check.
pub struct Check {
    /// Its name, as problems show it.
    pub name: &'static str,
    run: fn(&[ParsedFile], &mut Report),
}

/// Every check, in the order of a file.
pub static CHECKS: &[Check] = &[
    Check {
        name: "id_is_file_stem",
        run: addresses::id_is_file_stem,
    },
    Check {
        name: "ids_are_unique",
        run: addresses::ids_are_unique,
    },
    Check {
        name: "urls_are_https",
        run: addresses::urls_are_https,
    },
    Check {
        name: "hosts_are_constant_or_allowed",
        run: addresses::hosts_are_constant_or_allowed,
    },
    Check {
        name: "variables_are_declared_and_used",
        run: addresses::variables_are_declared_and_used,
    },
    Check {
        name: "variable_defaults_match",
        run: addresses::variable_defaults_match,
    },
    Check {
        name: "derived_variables_follow",
        run: addresses::derived_variables_follow,
    },
    Check {
        name: "captures_are_used_and_free",
        run: tenants::captures_are_used_and_free,
    },
    Check {
        name: "tenants_can_be_asked_for",
        run: tenants::tenants_can_be_asked_for,
    },
    Check {
        name: "tenant_argument_is_no_input",
        run: tenants::tenant_argument_is_no_input,
    },
    Check {
        name: "issuer_is_named_when_required",
        run: addresses::issuer_is_named_when_required,
    },
    Check {
        name: "refresh_rules_agree",
        run: grants::refresh_rules_agree,
    },
    Check {
        name: "lifetimes_are_positive",
        run: grants::lifetimes_are_positive,
    },
    Check {
        name: "lifetime_has_one_source",
        run: token_replies::lifetime_has_one_source,
    },
    Check {
        name: "scopes_have_one_source",
        run: token_replies::scopes_have_one_source,
    },
    Check {
        name: "client_secret_is_there",
        run: token_replies::client_secret_is_there,
    },
    Check {
        name: "fixed_parameters_are_free",
        run: grants::fixed_parameters_are_free,
    },
    Check {
        name: "revocation_names_the_token_once",
        run: grants::revocation_names_the_token_once,
    },
    Check {
        name: "revocation_rules_agree",
        run: grants::revocation_rules_agree,
    },
    Check {
        name: "scopes_are_listed",
        run: scopes::scopes_are_listed,
    },
    Check {
        name: "deciding_arguments_are_enums",
        run: scopes::deciding_arguments_are_enums,
    },
    Check {
        name: "scopes_have_words",
        run: scopes::scopes_have_words,
    },
    Check {
        name: "listed_scopes_are_needed",
        run: scopes::listed_scopes_are_needed,
    },
    Check {
        name: "default_scopes_only_read",
        run: scopes::default_scopes_only_read,
    },
    Check {
        name: "optional_scopes_have_a_place",
        run: scopes::optional_scopes_have_a_place,
    },
    Check {
        name: "base_scopes_are_not_for_tools",
        run: scopes::base_scopes_are_not_for_tools,
    },
    Check {
        name: "read_only_tools_need_no_write_scope",
        run: scopes::read_only_tools_need_no_write_scope,
    },
    Check {
        name: "account_call_is_read_only",
        run: tools::account_call_is_read_only,
    },
    Check {
        name: "account_is_no_input",
        run: accounts::account_is_no_input,
    },
    Check {
        name: "account_rules_can_decide",
        run: accounts::account_rules_can_decide,
    },
    Check {
        name: "sign_in_parameters_are_free",
        run: accounts::sign_in_parameters_are_free,
    },
    Check {
        name: "dead_tokens_are_recognised",
        run: tools::dead_tokens_are_recognised,
    },
    Check {
        name: "error_rules_can_be_reached",
        run: replies::error_rules_can_be_reached,
    },
    Check {
        name: "cursor_has_its_place",
        run: replies::cursor_has_its_place,
    },
    Check {
        name: "outputs_name_what_is_there",
        run: replies::outputs_name_what_is_there,
    },
    Check {
        name: "transforms_face_their_way",
        run: replies::transforms_face_their_way,
    },
    Check {
        name: "tool_names_are_unique",
        run: tools::tool_names_are_unique,
    },
    Check {
        name: "descriptions_are_sentences",
        run: tools::descriptions_are_sentences,
    },
    Check {
        name: "hints_are_consistent",
        run: tools::hints_are_consistent,
    },
    Check {
        name: "already_done_is_idempotent",
        run: tools::already_done_is_idempotent,
    },
    Check {
        name: "graphql_variables_match",
        run: graphql::graphql_variables_match,
    },
    Check {
        name: "graphql_errors_are_recognised",
        run: graphql::graphql_errors_are_recognised,
    },
    Check {
        name: "steps_are_few_and_named",
        run: steps::steps_are_few_and_named,
    },
    Check {
        name: "captures_are_new_and_used",
        run: steps::captures_are_new_and_used,
    },
    Check {
        name: "places_of_steps_are_known",
        run: steps::places_of_steps_are_known,
    },
    Check {
        name: "changing_steps_say_so",
        run: steps::changing_steps_say_so,
    },
    Check {
        name: "one_way_to_go_on",
        run: steps::one_way_to_go_on,
    },
    Check {
        name: "bases_are_declared",
        run: steps::bases_are_declared,
    },
    Check {
        name: "every_placeholder_is_declared",
        run: inputs::every_placeholder_is_declared,
    },
    Check {
        name: "plain_values_are_harmless",
        run: texts::plain_values_are_harmless,
    },
    Check {
        name: "every_input_is_used",
        run: inputs::every_input_is_used,
    },
    Check {
        name: "path_inputs_are_required",
        run: inputs::path_inputs_are_required,
    },
    Check {
        name: "input_schema_is_closed",
        run: inputs::input_schema_is_closed,
    },
    Check {
        name: "input_defaults_match",
        run: inputs::input_defaults_match,
    },
    Check {
        name: "example_matches_schema",
        run: inputs::example_matches_schema,
    },
];

/// Every problem of these files, for `attache check`.
#[must_use]
pub fn check(sources: &[Source]) -> Vec<Problem> {
    let (files, mut problems) = parse(sources);
    problems.extend(run_checks(&files));
    problems
}

/// What the checks find in the files that could be read.
pub(super) fn run_checks(files: &[ParsedFile]) -> Vec<Problem> {
    let run = |check: &Check| {
        let mut report = Report {
            check: check.name,
            problems: Vec::new(),
        };
        (check.run)(files, &mut report);
        report.problems
    };
    CHECKS.iter().flat_map(run).collect()
}

/// The files that people connect: what belongs to a connection is judged once, there.
fn providers(files: &[ParsedFile]) -> impl Iterator<Item = &ParsedFile> {
    files.iter().filter(|file| file.is_provider())
}

/// A provider and its products: everything that uses one connection.
fn family<'f>(
    files: &'f [ParsedFile],
    provider: &'f ParsedFile,
) -> impl Iterator<Item = &'f ParsedFile> {
    files.iter().filter(|file| file.is_of(provider))
}

/// Where a check puts what it finds.
struct Report {
    check: &'static str,
    problems: Vec<Problem>,
}

impl Report {
    fn add(
        &mut self,
        file: &ParsedFile,
        place: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.problems.push(Problem {
            file: file.file.clone(),
            place: place.into(),
            check: self.check,
            message: message.into(),
            remedy: remedy.into(),
        });
    }
}
