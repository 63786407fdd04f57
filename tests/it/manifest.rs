//! `mcp-manifest.json`: what is written there is what is printed, and what a gateway with every service advertises.

use std::collections::BTreeMap;

use attache::base::Secret;
use attache::catalogue::{Catalogue, Provider, Variable};
use attache::gateway::ServiceSettings;
use serde_json::Value;

use crate::support::gateway::{TestGateway, clock};
use crate::support::program::run;

const COMMITTED: &str = include_str!("../../mcp-manifest.json");

fn printed(arguments: &[&str]) -> String {
    let ended = run(&[&["manifest"], arguments].concat());
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    ended.stdout
}

fn manifest() -> Value {
    serde_json::from_str(&printed(&[])).expect("the manifest is JSON")
}

#[test]
fn the_committed_file_is_what_is_printed() {
    assert!(
        printed(&[]) == COMMITTED,
        "mcp-manifest.json is out of date: run `cargo run --quiet -- manifest > mcp-manifest.json`"
    );
}

#[tokio::test]
async fn it_lists_what_a_gateway_with_every_service_advertises() {
    let clock = clock();
    let gateway = TestGateway::start_configured(&clock, &[], |config| {
        for provider in Catalogue::load(None).unwrap().providers() {
            let id = provider.id().to_owned();
            config.services.insert(id, registration(provider));
        }
    })
    .await;
    let ana = gateway.person("ana").await;
    let manifest = manifest();
    assert_eq!(manifest["tools"], Value::Array(ana.tools().await));
    assert_eq!(
        manifest["protocolVersions"],
        ana.discover().await["supportedVersions"]
    );
    let services = gateway.app().gateway().services();
    assert_eq!(services.enabled().count(), services.iter().count());
}

#[test]
fn the_form_of_the_registry_is_the_same_without_what_the_registry_does_not_know() {
    let plain: Value = serde_json::from_str(&printed(&["--format", "server-json"])).unwrap();
    let plain = plain.as_object().unwrap();
    let manifest = manifest();
    let manifest = manifest.as_object().unwrap();
    let shared = |(name, value): (&String, &Value)| manifest.get(name) == Some(value);
    assert!(plain.iter().all(shared), "{plain:#?}");
    let more: Vec<_> = manifest
        .keys()
        .filter(|name| !plain.contains_key(*name))
        .collect();
    assert_eq!(more, ["transports", "protocolVersions", "tools"]);
}

/// What the schema 2025-12-11 demands of the fields that are there.
#[test]
fn it_keeps_the_limits_of_the_registry() {
    let manifest = manifest();
    let text = |name: &str| manifest[name].as_str().unwrap_or_default().to_owned();
    let (space, server) = text("name")
        .split_once('/')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .expect("one slash");
    let plain = |part: &str, more: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
        !part.is_empty() && part.chars().all(fits)
    };
    assert!(plain(&space, ".-") && plain(&server, "._-"));
    for (name, most) in [("title", 100), ("description", 100), ("version", 255)] {
        assert!((1..=most).contains(&text(name).chars().count()), "{name}");
    }
    assert_eq!(text("version"), env!("CARGO_PKG_VERSION"));
    let remote = &manifest["remotes"][0];
    assert_eq!(remote["type"], "streamable-http");
    for variable in placeholders(remote["url"].as_str().unwrap()) {
        assert!(remote["variables"][&variable].is_object(), "{variable}");
    }
    for header in remote["headers"].as_array().unwrap() {
        for variable in placeholders(header["value"].as_str().unwrap()) {
            assert_eq!(header["variables"][&variable]["isSecret"], true);
        }
    }
}

/// The names in `{curly_braces}`.
fn placeholders(template: &str) -> Vec<String> {
    let parts = template.split('{').skip(1);
    let names = parts.map(|part| part.split('}').next().unwrap().to_owned());
    let names: Vec<_> = names.collect();
    assert!(!names.is_empty(), "{template} has no variable");
    names
}

/// What an operator would say about a service, made up.
fn registration(provider: &Provider) -> ServiceSettings {
    let variables = provider.variables().iter();
    ServiceSettings {
        client_id: Some("client".to_owned()),
        client_secret: Some(Secret::new("secret")),
        variables: variables
            .filter(|(_, variable)| variable.default().is_none())
            .map(|(name, variable)| (name.clone(), some_value(variable)))
            .collect::<BTreeMap<_, _>>(),
    }
}

fn some_value(variable: &Variable) -> String {
    let fitting = ["example", "1"]
        .into_iter()
        .find(|value| variable.accepts(value));
    let fitting = fitting.unwrap_or_else(|| panic!("none fits {}", variable.pattern()));
    fitting.to_owned()
}
