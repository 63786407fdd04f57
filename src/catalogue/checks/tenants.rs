//! What a login says besides its tokens: it is used, it takes no other name, and the call that asks for it can be sent.

use std::collections::BTreeSet;

use super::replies::{is_in_scope, named};
use super::{Report, family, providers};
use crate::catalogue::ACCOUNT_ARGUMENT;
use crate::catalogue::placeholder::is_name;
use crate::catalogue::problem::ParsedFile;
use crate::catalogue::provider::captured_forms;
use crate::catalogue::url_template::UrlTemplate;

/// Names that other values have in the places of a request.
const TAKEN: [&str; 5] = [ACCOUNT_ARGUMENT, "client_id", "cursor", "item", "token"];

pub(super) fn captures_are_used_and_free(files: &[ParsedFile], report: &mut Report) {
    for file in providers(files) {
        let oauth = &file.provider.oauth;
        let used: BTreeSet<&str> = family(files, file)
            .flat_map(|one| in_addresses(one).chain(in_outputs(one)))
            .collect();
        let of_tenants = oauth.tenants.iter().flat_map(|one| one.captures.keys());
        for name in of_tenants
            .clone()
            .filter(|name| oauth.capture.contains_key(*name))
        {
            report.add(
                file,
                "oauth.tenants.capture",
                format!("`{name}` is captured from the login already"),
                "choose another name",
            );
        }
        for name in captured_forms(oauth).keys() {
            let place = format!("oauth.capture.{name}");
            let is_taken =
                TAKEN.contains(&name.as_str()) || file.provider.variables.contains_key(name);
            if is_taken || !is_name(name) {
                report.add(
                    file,
                    &place,
                    format!("`{name}` cannot be the name of a captured value"),
                    "use a-z, 0-9 and `_`, and no name that a variable or the gateway has",
                );
            }
            if !used.contains(name.as_str()) {
                report.add(
                    file,
                    &place,
                    format!("no base address uses `{{{name}}}`, and no output `{{${name}}}`"),
                    "use it in `base_url`, `bases` or `pick`, or remove it: what is not needed is not kept",
                );
            }
            for (one, tool) in with_a_place_called(files, file, name) {
                report.add(
                    one,
                    format!("tool {tool}"),
                    format!("`{name}` is kept of the login: an input or a capture of this name would hide it"),
                    "choose another name",
                );
            }
        }
    }
}

/// What base addresses are made of.
fn in_addresses(file: &ParsedFile) -> impl Iterator<Item = &str> {
    let bases = file.provider.bases.values();
    let bases = std::iter::once(&file.provider.base_url).chain(bases);
    bases.flat_map(UrlTemplate::variables)
}

/// What outputs of tools name.
fn in_outputs(file: &ParsedFile) -> impl Iterator<Item = &str> {
    file.provider.tools.iter().flat_map(named)
}

/// The tools of a provider and its products in which something else is called `name`.
fn with_a_place_called<'f>(
    files: &'f [ParsedFile],
    provider: &'f ParsedFile,
    name: &str,
) -> impl Iterator<Item = (&'f ParsedFile, &'f str)> {
    let tools = family(files, provider)
        .flat_map(|one| one.provider.tools.iter().map(move |tool| (one, tool)));
    tools
        .filter(move |(_, tool)| is_in_scope(tool, name))
        .map(|(one, tool)| (one, tool.name.as_str()))
}

pub(super) fn tenants_can_be_asked_for(files: &[ParsedFile], report: &mut Report) {
    const PLACE: &str = "oauth.tenants";
    for file in providers(files) {
        let provider = &file.provider;
        let Some(tenants) = &provider.oauth.tenants else {
            continue;
        };
        if !tenants.request.places().is_empty() {
            report.add(
                file,
                PLACE,
                "the call has no arguments: it is made right after the login",
                "use a call without arguments",
            );
        }
        let needs_tenant = |name: &str| tenants.captures.contains_key(name);
        let account = provider.account.request.base.as_ref();
        let account = match account {
            None => Some(&provider.base_url),
            Some(name) => provider.bases.get(name),
        };
        if account.is_some_and(|address| address.variables().any(needs_tenant)) {
            report.add(
                file,
                "account",
                "the account is named before anybody knows what the grant reaches",
                "use a base address without what `[oauth.tenants]` captures",
            );
        }
    }
}

pub(super) fn tenant_argument_is_no_input(files: &[ParsedFile], report: &mut Report) {
    for file in providers(files) {
        let Some(tenants) = &file.provider.oauth.tenants else {
            continue;
        };
        if TAKEN.contains(&tenants.argument.as_str()) {
            report.add(
                file,
                "oauth.tenants.argument",
                format!("`{}` has another meaning", tenants.argument),
                "choose another name, such as `site`",
            );
        }
        for one in family(files, file) {
            for tool in &one.provider.tools {
                let mut inputs = tool.inputs.iter();
                if inputs.any(|input| input.name.eq_ignore_ascii_case(&tenants.argument)) {
                    report.add(
                        one,
                        format!("tool {}.input.{}", tool.name, tenants.argument),
                        "Attache takes this argument itself, to pick among several tenants",
                        "call it otherwise, or remove it",
                    );
                }
            }
        }
    }
}
