//! Which fixtures a catalogue must have.

use std::collections::BTreeSet;

use super::FixtureFile;
use crate::catalogue::{Catalogue, Problem, Provider, Tool};

/// The refusals that every provider is tried with.
const KINDS: [&str; 4] = ["token_invalid", "rate_limited", "not_found", "invalid"];

/// The fixtures that the providers and products `owners` lack: one of each tool, of the account call, and of each kind of
/// refusal.
#[must_use]
pub fn missing_fixtures(
    catalogue: &Catalogue,
    files: &[FixtureFile],
    owners: &BTreeSet<String>,
) -> Vec<Problem> {
    let there: BTreeSet<(&str, &str)> = files
        .iter()
        .map(|file| (file.owner.as_str(), file.stem.as_str()))
        .collect();
    let mut missing = Vec::new();
    for provider in catalogue.providers() {
        let mut need = |owner: &str, stem: &str| {
            if owners.contains(owner) && !there.contains(&(owner, stem)) {
                missing.push(Problem {
                    file: format!("{owner}/{stem}.json"),
                    place: "the whole file".to_owned(),
                    check: "fixtures_exist",
                    message: "there is no such fixture".to_owned(),
                    remedy:
                        "write one with `source` and the response, then run this again with --write"
                            .to_owned(),
                });
            }
        };
        need(provider.id(), "account");
        for tool in provider.tools() {
            need(tool.product(), tool.name());
        }
        for (owner, tools) in groups(provider) {
            if tools.is_empty() {
                continue;
            }
            for kind in KINDS {
                need(owner, &format!("error.{kind}"));
            }
            if tools
                .iter()
                .any(|tool| tool.scopes().iter().next().is_some())
            {
                need(owner, "error.scope_missing");
            }
        }
    }
    missing
}

/// The provider and its products, each with its own tools.
fn groups(provider: &Provider) -> Vec<(&str, Vec<&Tool>)> {
    let ids = std::iter::once(provider.id()).chain(
        provider
            .products()
            .iter()
            .map(crate::catalogue::Product::id),
    );
    ids.map(|id| {
        let own = provider.tools().iter().filter(|tool| tool.product() == id);
        (id, own.map(AsRef::as_ref).collect())
    })
    .collect()
}
