//! `attache providers --requests SERVICE`: what a login, its renewal and its end would send.

use std::collections::BTreeMap;
use std::fmt::Write;

use data_encoding::BASE64;
use http::Request;
use http::header::AUTHORIZATION;
use url::Url;

use super::Failure;
use crate::catalogue::{Catalogue, Provider, Variable};
use crate::oauth::{Preview, preview};

/// Where this gateway would be found.
const ORIGIN: &str = "https://attache.example.com";

/// The requests of one service as text. `given` are values of its variables; what is not given has its default, or a
/// word that its pattern accepts.
pub(super) fn requests(
    catalogue: &Catalogue,
    service: &str,
    given: &BTreeMap<String, String>,
) -> Result<String, Failure> {
    let of_product = || catalogue.product(service).map(|(provider, _)| provider);
    let provider = catalogue.provider(service).or_else(of_product);
    let provider = provider.ok_or_else(|| unknown(catalogue, service))?;
    let profile = provider
        .resolve(&filled_in(provider, given))
        .map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Failure::new(format!(
                "{}; give values with --variable NAME=VALUE",
                problems.join("; ")
            ))
        })
        .and_then(|variables| Ok(provider.oauth(&variables)?))?;
    let redirect_uri = Url::parse(&format!("{ORIGIN}/oauth/callback/{}", provider.id()))?;
    let asked = provider.scope_plan().by_default();
    let preview = preview(&profile, &redirect_uri, &asked)?;
    Ok(page(provider, &preview))
}

fn unknown(catalogue: &Catalogue, service: &str) -> Failure {
    let ids: Vec<&str> = catalogue.providers().iter().map(|one| one.id()).collect();
    Failure::new(format!(
        "there is no service `{service}`; there are {}",
        ids.join(", ")
    ))
}

/// What is given, and a word for each variable that must be given and is not.
fn filled_in(provider: &Provider, given: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut values = given.clone();
    let open = provider.variables().iter();
    for (name, variable) in open.filter(|(_, variable)| variable.must_be_given()) {
        if let Some(word) = word_for(name, variable) {
            values.entry(name.clone()).or_insert(word);
        }
    }
    values
}

fn word_for(name: &str, variable: &Variable) -> Option<String> {
    let words = [
        name.to_owned(),
        name.replace('_', "-"),
        "example".to_owned(),
    ];
    let words = variable.choices().iter().cloned().chain(words);
    words.into_iter().find(|word| variable.accepts(word))
}

fn page(provider: &Provider, preview: &Preview) -> String {
    let mut text = format!(
        "What {} would be sent. Words in capitals stand for what only a registration or a login knows.\n",
        provider.name()
    );
    let _ = writeln!(
        text,
        "\nThe browser, for the scopes that are asked for when no tool is named\n  {}",
        preview.authorization_url
    );
    section(&mut text, "The code for tokens", &preview.exchange);
    match &preview.refresh {
        Some(request) => section(&mut text, "A renewal", request),
        None => text.push_str("\nNo renewal: a person signs in again when access ends.\n"),
    }
    for request in &preview.revocation {
        section(&mut text, "A disconnect", request);
    }
    if preview.revocation.is_empty() {
        let page = provider.removal_page();
        let page = page.map_or_else(String::new, |page| format!(" People do it at {page}"));
        let _ = writeln!(
            text,
            "\nNo disconnect: the provider takes no token back.{page}"
        );
    }
    text
}

/// Method, address, headers and body, as they go over the wire.
fn section(text: &mut String, heading: &str, request: &Request<Vec<u8>>) {
    let _ = writeln!(
        text,
        "\n{heading}\n  {} {}",
        request.method(),
        request.uri()
    );
    for (name, value) in request.headers() {
        let value = String::from_utf8_lossy(value.as_bytes());
        let plain = if *name == AUTHORIZATION {
            readable(&value)
        } else {
            value.into_owned()
        };
        let _ = writeln!(text, "  {name}: {plain}");
    }
    if !request.body().is_empty() {
        let _ = writeln!(text, "\n  {}", String::from_utf8_lossy(request.body()));
    }
}

/// HTTP Basic with its two halves in words.
fn readable(value: &str) -> String {
    let halves = value.strip_prefix("Basic ");
    let halves = halves.and_then(|encoded| BASE64.decode(encoded.as_bytes()).ok());
    match halves.and_then(|halves| String::from_utf8(halves).ok()) {
        Some(halves) => format!("Basic base64({halves})"),
        None => value.to_owned(),
    }
}
