//! What does not apply to a gateway of tools, and why: `not_applicable.toml`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::Run;

/// The check that every message fits the schema of its revision. An answer that says no must fit it too, so only an
/// entry that names it covers it.
pub(super) const WIRE_SCHEMA: &str = "wire-schema-valid";

/// The list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NotApplicable {
    /// A word for each reason, and the sentence that it stands for.
    pub(super) reasons: BTreeMap<String, String>,
    #[serde(rename = "entry")]
    pub(super) entries: Vec<Entry>,
}

/// Some scenarios, or some checks in them, and the reason that they share.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) reason: String,
    pub(super) scenarios: BTreeSet<String>,
    /// All that the scenarios check, when absent; then nothing in them may pass.
    pub(super) checks: Option<BTreeSet<String>>,
    /// All, when absent.
    pub(super) runs: Option<BTreeSet<Run>>,
    /// All that have the scenario, when absent.
    pub(super) revisions: Option<BTreeSet<String>>,
}

impl NotApplicable {
    pub(super) fn load() -> Self {
        Self::parse(include_str!("not_applicable.toml"))
    }

    pub(super) fn parse(text: &str) -> Self {
        let list: Self = toml::from_str(text).expect("a list of what does not apply");
        for entry in &list.entries {
            let reason = &entry.reason;
            assert!(list.reasons.contains_key(reason), "no reason `{reason}`");
        }
        list
    }
}

impl Entry {
    pub(super) fn is_about(&self, run: Run, revision: &str, scenario: &str) -> bool {
        self.scenarios.contains(scenario)
            && self.runs.as_ref().is_none_or(|runs| runs.contains(&run))
            && self
                .revisions
                .as_ref()
                .is_none_or(|revisions| revisions.contains(revision))
    }

    pub(super) fn covers(&self, check: &str) -> bool {
        match &self.checks {
            Some(checks) => checks.contains(check),
            None => check != WIRE_SCHEMA,
        }
    }
}
