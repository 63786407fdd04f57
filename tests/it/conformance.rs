//! The official conformance suite against the gateway, in every revision that the suite covers.
//!
//! Two runs: the program as a new user starts it, and the gateway with a catalogue that gives the suite the tools that
//! it calls by name. What does not apply is in `conformance/not_applicable.toml`; `docs/conformance.md` is what came out.

mod catalogue;
mod document;
mod judgement;
mod not_applicable;

use std::path::Path;

use serde::Deserialize;

use crate::support::conformance_suite::{Scenarios, Suite};
use crate::support::environment;
use crate::support::program::Program;
use crate::support::relay::{Bare, Relay};
use catalogue::Fixture;
use judgement::{Observation, judge};
use not_applicable::NotApplicable;

/// What the suite runs against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Run {
    /// `attache demo`, the release.
    Program,
    /// The gateway with a catalogue of the suite's own tools, and a person who is connected.
    Catalogue,
}

#[tokio::test]
async fn every_scenario_that_applies_passes_and_the_document_says_so() {
    let Some(suite) = Suite::installed() else {
        return;
    };
    let scenarios = suite.scenarios().await;
    let (mut observations, more) = tokio::join!(
        against_the_program(&suite, &scenarios),
        against_the_catalogue(&suite, &scenarios)
    );
    observations.extend(more);

    let not_applicable = NotApplicable::load();
    let judgement = judge(&observations, &not_applicable);
    assert!(
        judgement.problems.is_empty(),
        "the conformance suite finds {} problem(s):\n- {}",
        judgement.problems.len(),
        judgement.problems.join("\n- ")
    );
    let document = document::write(&suite.version(), &judgement.verdicts, &not_applicable);
    assert_is_committed(&document);
}

/// What a new user has: the demo, and nothing connected.
async fn against_the_program(suite: &Suite, scenarios: &Scenarios) -> Vec<Observation> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = Program::demo(folder.path()).await;
    let url = program.text("/mcp_url");
    let gateway = url.strip_suffix("/mcp").expect("the MCP endpoint");
    let relay = Relay::start(gateway, program.text("/agent_token"), Bare).await;
    observe(suite, scenarios, Run::Program, &relay).await
}

async fn against_the_catalogue(suite: &Suite, scenarios: &Scenarios) -> Vec<Observation> {
    let fixture = Fixture::start().await;
    let relay = fixture.relay().await;
    observe(suite, scenarios, Run::Catalogue, &relay).await
}

async fn observe(
    suite: &Suite,
    scenarios: &Scenarios,
    run: Run,
    relay: &Relay,
) -> Vec<Observation> {
    let url = format!("{}/mcp", relay.origin());
    let mut observations = Vec::new();
    for (revision, names) in scenarios {
        let mut results = suite.run(&url, revision, names).await;
        observations.extend(names.iter().map(|scenario| Observation {
            run,
            revision: revision.clone(),
            scenario: scenario.clone(),
            checks: results.remove(scenario).unwrap_or_default(),
        }));
    }
    observations
}

/// Compares with the committed document, as with a snapshot.
fn assert_is_committed(document: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/conformance.md");
    if environment::updates_snapshots() {
        std::fs::write(&path, document).expect("the document can be written");
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let difference = document
        .lines()
        .zip(committed.lines().chain(std::iter::repeat("(nothing)")))
        .find(|(new, old)| new != old);
    assert!(
        committed == document,
        "docs/conformance.md is out of date, first here (now, then):\n{difference:#?}\nRead what changed, then write it \
         anew: `INSTA_UPDATE=always cargo nextest run conformance`"
    );
}
