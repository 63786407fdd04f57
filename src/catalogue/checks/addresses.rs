//! Where requests may go, and what the operator may say about it.

use std::collections::{BTreeMap, BTreeSet};

use url::Url;

use super::{Report, family, providers};
use crate::catalogue::file::{ProviderFile, RevokeFile};
use crate::catalogue::problem::ParsedFile;
use crate::catalogue::provider::captured_forms;
use crate::catalogue::url_template::{HostTemplate, Scheme, UrlTemplate};
use crate::catalogue::variables::{Pattern, Variable};

/// The only host that may be reached without TLS: a service on this machine.
const LOOPBACK: &str = "localhost";
/// Filled in by the `oauth` floor where access is taken back, never declared.
const FILLED_IN: [&str; 2] = ["client_id", "token"];

/// Every address of a file that requests are sent to.
fn addresses(file: &ParsedFile) -> Vec<(&'static str, &UrlTemplate)> {
    let provider = &file.provider;
    let mut addresses = vec![("base_url", &provider.base_url)];
    addresses.extend(provider.bases.values().map(|base| ("bases", base)));
    if file.is_provider() {
        addresses.extend(addresses_of_the_connection(provider));
    }
    addresses
}

fn addresses_of_the_connection(provider: &ProviderFile) -> Vec<(&'static str, &UrlTemplate)> {
    let mut addresses = vec![
        ("oauth.authorize.url", &provider.oauth.authorize.url),
        ("oauth.token.url", &provider.oauth.token.url),
    ];
    let tenants = provider.oauth.tenants.as_ref();
    addresses.extend(tenants.map(|tenants| ("oauth.tenants", &tenants.url)));
    addresses.extend(
        provider
            .oauth
            .issuer
            .as_ref()
            .map(|issuer| ("oauth.issuer", issuer)),
    );
    let refresh = provider.oauth.refresh.url.as_ref();
    addresses.extend(refresh.map(|url| ("oauth.refresh.url", url)));
    let introspection = provider.oauth.introspection.as_ref();
    addresses.extend(introspection.map(|asked| ("oauth.introspection.url", &asked.url)));
    if let RevokeFile::Request(request) = &provider.oauth.revoke {
        addresses.push(("oauth.revoke", &request.url));
    }
    addresses
}

/// Every address that a person is shown.
fn links(file: &ParsedFile) -> Vec<(&'static str, &Url)> {
    let provider = &file.provider;
    let mut links = Vec::new();
    links.extend(provider.docs.as_ref().map(|url| ("docs", url)));
    if !file.is_provider() {
        return links;
    }
    links.extend(provider.setup.url.as_ref().map(|url| ("setup.url", url)));
    links.extend(provider.setup.docs.as_ref().map(|url| ("setup.docs", url)));
    let removal_page = provider.oauth.revoke.manual_url();
    links.extend(removal_page.map(|url| ("oauth.revoke.manual_url", url)));
    links
}

pub(super) fn id_is_file_stem(files: &[ParsedFile], report: &mut Report) {
    for file in files {
        if !is_id(&file.id) {
            report.add(
                file,
                "the file name",
                format!("`{}` cannot be the id of a provider", file.id),
                format!("name the file after the id: {AN_ID}, then `.toml`"),
            );
        }
    }
}

/// What an id is.
const AN_ID: &str = "a-z, then a-z, 0-9 or `_`, at most 20 characters";

fn is_id(id: &str) -> bool {
    let mut characters = id.chars();
    let starts = characters.next().is_some_and(|c| c.is_ascii_lowercase());
    let goes_on = characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    starts && goes_on && id.len() <= 20
}

/// Why no file can have this id, whatever stands in it.
pub(in crate::catalogue) fn id_complaint(id: &str) -> Option<&'static str> {
    if !is_id(id) {
        return Some(AN_ID);
    }
    (id == OWN_ID).then_some("that name stands for Attache itself")
}

/// What the names of Attache's own tools begin with.
const OWN_ID: &str = "attache";

pub(super) fn ids_are_unique(files: &[ParsedFile], report: &mut Report) {
    let mut seen: BTreeMap<&str, &ParsedFile> = BTreeMap::new();
    for file in files {
        if file.id == OWN_ID {
            report.add(
                file,
                "the file name",
                format!("`{OWN_ID}` stands for Attache itself: its own tools begin with it"),
                "rename the file",
            );
        }
        if let Some(first) = seen.insert(&file.id, file) {
            report.add(
                file,
                "the file name",
                format!(
                    "`{}` is already the provider or product of {}",
                    file.id, first.file
                ),
                "rename the file: no file may take the place of another silently",
            );
        }
    }
}

pub(super) fn urls_are_https(files: &[ParsedFile], report: &mut Report) {
    let remedy = format!("write `https://`; `http://` is for the host `{LOOPBACK}` alone");
    for file in files {
        for (place, address) in addresses(file) {
            if address.scheme == Scheme::Http && address.host.source() != LOOPBACK {
                let message = format!("`{}` would be reached without TLS", address.source());
                report.add(file, place, message, &remedy);
            }
        }
        for (place, link) in links(file) {
            if link.scheme() != "https" && link.host_str() != Some(LOOPBACK) {
                report.add(
                    file,
                    place,
                    format!("`{link}` does not start with `https://`"),
                    &remedy,
                );
            }
        }
    }
}

pub(super) fn hosts_are_constant_or_allowed(files: &[ParsedFile], report: &mut Report) {
    for file in files {
        let allowed: BTreeSet<&str> = file
            .provider
            .host_allow
            .iter()
            .map(HostTemplate::source)
            .collect();
        let addresses = addresses(file);
        for (place, address) in &addresses {
            if !allowed.contains(address.host.source()) {
                let message = format!(
                    "the host `{}` is not in `host_allow`",
                    address.host.source()
                );
                report.add(
                    file,
                    *place,
                    message,
                    "list every host in `host_allow`, spelled as in the address",
                );
            }
        }
        for host in &file.provider.host_allow {
            if !addresses.iter().any(|(_, address)| address.host == *host) {
                let message = format!("no address uses the host `{}`", host.source());
                report.add(
                    file,
                    "host_allow",
                    message,
                    "remove it: what is not needed is not allowed",
                );
            }
            if let Some(message) = too_open(file, host) {
                report.add(
                    file,
                    "host_allow",
                    message,
                    "end the host with a fixed domain of the provider, such as `{tenant}.example.com`, or give the \
                     variable a `pattern` that names the hosts",
                );
            }
        }
    }
}

/// Why a variable could lead to a host of somebody else.
fn too_open(file: &ParsedFile, host: &HostTemplate) -> Option<String> {
    let variable = host.variables().next()?;
    if host.is_bare_variable() {
        let declared = file.provider.variables.get(variable);
        let has_pattern = declared.is_some_and(Variable::has_pattern)
            || captured_forms(&file.provider.oauth)
                .get(variable)
                .is_some_and(Pattern::is_declared);
        return (!has_pattern).then(|| {
            format!("the host is nothing but `{{{variable}}}`, and that variable has no pattern of its own")
        });
    }
    let fixed_end = host.source().rsplit('}').next().unwrap_or_default();
    let is_domain = fixed_end.starts_with('.') && fixed_end.matches('.').count() >= 2;
    (!is_domain).then(|| format!("`{}` does not end with a fixed domain", host.source()))
}

pub(super) fn variables_are_declared_and_used(files: &[ParsedFile], report: &mut Report) {
    for file in files {
        let declared = &file.provider.variables;
        let captured = captured_forms(&file.provider.oauth);
        for (place, address) in addresses(file) {
            for variable in address.variables() {
                let is_filled_in = FILLED_IN.contains(&variable) && place == "oauth.revoke";
                // The login itself goes to addresses that are known before it.
                let is_captured = captured.contains_key(variable) && !place.starts_with("oauth.");
                if !declared.contains_key(variable) && !is_filled_in && !is_captured {
                    report.add(
                        file,
                        place,
                        format!("`{{{variable}}}` is no declared variable"),
                        format!("add `[variables.{variable}]`, or correct the name"),
                    );
                }
            }
        }
    }
    for file in providers(files) {
        let used = used_variables(files, file);
        for name in file.provider.variables.keys() {
            let place = format!("variables.{name}");
            if FILLED_IN.contains(&name.as_str()) {
                report.add(
                    file,
                    place,
                    format!("`{name}` is filled in by the gateway"),
                    "choose another name",
                );
            } else if !used.contains(name.as_str()) {
                report.add(
                    file,
                    place,
                    "no address uses this variable",
                    "use it or remove it",
                );
            }
        }
    }
}

/// What the addresses of a provider and of its products name.
fn used_variables<'f>(files: &'f [ParsedFile], provider: &'f ParsedFile) -> BTreeSet<&'f str> {
    let derived = provider.provider.variables.values();
    let derived = derived.filter_map(|variable| variable.derive());
    let mut used: BTreeSet<_> = derived.map(|derived| derived.from.as_str()).collect();
    for file in family(files, provider) {
        used.extend(addresses(file).iter().flat_map(|(_, url)| url.variables()));
        used.extend(
            file.provider
                .host_allow
                .iter()
                .flat_map(HostTemplate::variables),
        );
    }
    used
}

/// Values that follow from others are known for every one of those, and are as good as values that are given.
pub(super) fn derived_variables_follow(files: &[ParsedFile], report: &mut Report) {
    for file in providers(files) {
        for (name, variable) in &file.provider.variables {
            let Some(derived) = variable.derive() else {
                continue;
            };
            let place = format!("variables.{name}.derive");
            let from = file.provider.variables.get(&derived.from);
            let from = from.filter(|from| from.derive().is_none());
            let choices: BTreeSet<_> = from.iter().flat_map(|from| from.choices()).collect();
            if choices.is_empty() || choices != derived.table.keys().collect() {
                report.add(
                    file,
                    &place,
                    format!("the table has other values than the `enum` of `{}`", derived.from),
                    "name a variable with an `enum`, and give each of its values a line in the table",
                );
            }
            if variable.default().is_some() || !variable.choices().is_empty() {
                report.add(
                    file,
                    &place,
                    "it follows from another variable, and yet it has a default or choices of its own",
                    "keep `derive` alone",
                );
            }
            for value in derived.table.values() {
                if !variable.accepts(value) {
                    report.add(
                        file,
                        &place,
                        format!("`{value}` does not match `{}`", variable.pattern()),
                        "correct the value, or give the variable a `pattern`",
                    );
                }
            }
        }
    }
}

pub(super) fn variable_defaults_match(files: &[ParsedFile], report: &mut Report) {
    for file in providers(files) {
        for (name, variable) in &file.provider.variables {
            if let Some(choice) = variable
                .choices()
                .iter()
                .find(|choice| !variable.accepts(choice))
            {
                report.add(
                    file,
                    format!("variables.{name}.enum"),
                    format!("`{choice}` does not match `{}`", variable.pattern()),
                    "correct the choice or the pattern",
                );
            }
            if variable
                .default()
                .is_some_and(|default| !variable.accepts(default))
            {
                report.add(
                    file,
                    format!("variables.{name}.default"),
                    format!("the default does not match `{}`", variable.pattern()),
                    "correct the default or the pattern",
                );
            }
        }
    }
}

pub(super) fn issuer_is_named_when_required(files: &[ParsedFile], report: &mut Report) {
    for file in providers(files) {
        if file.provider.oauth.iss_required && file.provider.oauth.issuer.is_none() {
            report.add(
                file,
                "oauth.iss_required",
                "`iss` is required in the callback, but there is no issuer to compare it with",
                "add `issuer`, exactly as the provider sends it",
            );
        }
    }
}
