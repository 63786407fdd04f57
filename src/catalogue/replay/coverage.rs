//! Which fixtures a catalogue must have, and what those there are leave unproven.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

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

/// What the tools of `owners` pick and no fixture fills: for each such tool a problem with every place. `outputs` are those
/// of the replayed fixtures, by tool; a tool without one is left to [`missing_fixtures`].
#[must_use]
pub fn unfilled_picks(
    catalogue: &Catalogue,
    outputs: &BTreeMap<String, Vec<Value>>,
    owners: &BTreeSet<String>,
) -> Vec<Problem> {
    let tools = catalogue.providers().iter().flat_map(|one| one.tools());
    tools
        .filter(|tool| owners.contains(tool.product()))
        .filter_map(|tool| unfilled(tool, outputs.get(tool.name())?))
        .collect()
}

fn unfilled(tool: &Tool, outputs: &[Value]) -> Option<Problem> {
    let outputs: Vec<&Value> = outputs.iter().collect();
    let missing = tool.picks().flat_map(|pick| pick.unfilled(&outputs));
    let places: Vec<String> = missing
        .map(|one| format!("`{}` (from `{}`)", one.place, one.source))
        .collect();
    (!places.is_empty()).then(|| Problem {
        file: format!("{}/{}.json", tool.product(), tool.name()),
        place: format!("tool {}.pick", tool.name()),
        check: "picks_are_filled",
        message: format!("no fixture of this tool fills {}", places.join(", ")),
        remedy:
            "correct the path in the provider file, or give a fixture a reply that has the field"
                .to_owned(),
    })
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
