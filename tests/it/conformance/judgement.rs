//! What passes, what does not apply, and what is wrong: with the gateway, or with the list of what does not apply.

use std::collections::{BTreeMap, BTreeSet};

use super::Run;
use super::not_applicable::{Entry, NotApplicable, WIRE_SCHEMA};
use crate::support::conformance_suite::{Check, Status};

/// One scenario, once run.
pub(super) struct Observation {
    pub(super) run: Run,
    pub(super) revision: String,
    pub(super) scenario: String,
    /// None when it broke off.
    pub(super) checks: Vec<Check>,
}

/// What came out of an observation.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) run: Run,
    pub(super) revision: String,
    pub(super) scenario: String,
    /// How many checks passed.
    pub(super) passed: usize,
    /// Whether any passed but the one that every answer passes.
    pub(super) passes_in_part: bool,
    /// Check to the reason for which it does not apply.
    pub(super) excused: BTreeMap<String, String>,
}

pub(super) struct Judgement {
    pub(super) verdicts: Vec<Verdict>,
    /// Sentences. None of them may stand.
    pub(super) problems: Vec<String>,
}

/// Judges every observation by the list, and the list by the observations.
pub(super) fn judge(observations: &[Observation], list: &NotApplicable) -> Judgement {
    let mut problems = Vec::new();
    let verdicts = observations
        .iter()
        .map(|observation| judge_one(observation, list, &mut problems))
        .collect();
    for entry in &list.entries {
        problems.extend(about_nothing(entry, observations));
    }
    Judgement { verdicts, problems }
}

fn judge_one(
    observation: &Observation,
    list: &NotApplicable,
    problems: &mut Vec<String>,
) -> Verdict {
    let Observation {
        run,
        revision,
        scenario,
        checks,
    } = observation;
    let place = format!("{revision} {scenario} ({run:?})");
    let entries: Vec<_> = list
        .entries
        .iter()
        .filter(|entry| entry.is_about(*run, revision, scenario))
        .collect();
    let mut verdict = Verdict {
        run: *run,
        revision: revision.clone(),
        scenario: scenario.clone(),
        passed: 0,
        passes_in_part: false,
        excused: BTreeMap::new(),
    };
    for check in checks.iter().filter(|check| check.status != Status::Info) {
        let id = &check.id;
        let entry = entries.iter().find(|entry| entry.covers(id));
        match (check.status == Status::Success, entry) {
            (true, None) => {
                verdict.passed += 1;
                verdict.passes_in_part |= id != WIRE_SCHEMA;
            }
            (true, Some(entry)) => problems.push(passes_now(&place, id, entry)),
            (false, Some(entry)) => {
                verdict.excused.insert(id.clone(), entry.reason.clone());
            }
            (false, None) => problems.push(failure(&place, check)),
        }
    }
    for entry in entries {
        problems.extend(not_seen(&place, entry, checks));
        if entry.checks.is_none() && verdict.excused.is_empty() {
            problems.push(format!(
                "{place}: nothing in it fails: take it out of not_applicable.toml"
            ));
        }
    }
    if verdict.passed + verdict.excused.len() == 0 {
        problems.push(format!("{place}: it broke off, or checked nothing"));
    }
    verdict
}

fn failure(place: &str, check: &Check) -> String {
    let Check {
        id,
        status,
        description,
        error_message,
    } = check;
    let message = error_message.as_ref().unwrap_or(description);
    format!(
        "{place}: {id}: {status:?}: {message}. Mend it, or say in not_applicable.toml why it does not apply"
    )
}

fn passes_now(place: &str, id: &str, entry: &Entry) -> String {
    if entry.checks.is_some() {
        format!("{place}: {id} passes now: take it out of not_applicable.toml")
    } else {
        format!(
            "{place}: {id} passes, although the whole scenario is in not_applicable.toml: take it out, or name its checks"
        )
    }
}

/// Checks that the entry names, and that the scenario no longer makes.
fn not_seen<'a>(
    place: &'a str,
    entry: &'a Entry,
    checks: &'a [Check],
) -> impl Iterator<Item = String> + 'a {
    let seen: BTreeSet<_> = checks.iter().map(|check| &check.id).collect();
    let named = entry.checks.iter().flatten();
    named
        .filter(move |name| !seen.contains(name))
        .map(move |name| {
            format!("{place}: there is no check {name}: take it out of not_applicable.toml")
        })
}

/// Scenarios and revisions that the entry names, and that the suite does not have.
fn about_nothing(entry: &Entry, observations: &[Observation]) -> Vec<String> {
    let some = |of: &dyn Fn(&Observation) -> bool| observations.iter().any(of);
    let about = |it: &Observation| entry.is_about(it.run, &it.revision, &it.scenario);
    let scenarios = entry
        .scenarios
        .iter()
        .filter(|name| !some(&|it| about(it) && it.scenario == **name));
    let revisions = entry.revisions.iter().flatten();
    let revisions = revisions.filter(|name| !some(&|it| about(it) && it.revision == **name));
    scenarios
        .chain(revisions)
        .map(|name| {
            format!("not_applicable.toml names {name}, which the suite does not have there")
        })
        .collect()
}
