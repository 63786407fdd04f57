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

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"
        [reasons]
        prompts = "There are none."

        [[entry]]
        reason = "prompts"
        scenarios = ["prompts-list"]

        [[entry]]
        reason = "prompts"
        scenarios = ["caching"]
        checks = ["prompts-hints"]
    "#;

    fn observation(scenario: &str, checks: &[(&str, Status)]) -> Observation {
        let check = |(id, status): &(&str, Status)| Check {
            id: (*id).to_owned(),
            status: *status,
            description: String::new(),
            error_message: None,
        };
        Observation {
            run: Run::Program,
            revision: "2026-07-28".to_owned(),
            scenario: scenario.to_owned(),
            checks: checks.iter().map(check).collect(),
        }
    }

    /// A suite with which the list is right, but for what `change` does to it.
    fn problems(change: impl FnOnce(&mut Vec<Observation>)) -> Vec<String> {
        use Status::{Failure, Info, Skipped, Success};
        let mut observations = vec![
            observation("ping", &[("ping", Success), ("note", Info)]),
            observation("prompts-list", &[("list", Failure), (WIRE_SCHEMA, Success)]),
            observation(
                "caching",
                &[("prompts-hints", Skipped), ("tools-hints", Success)],
            ),
        ];
        change(&mut observations);
        judge(&observations, &NotApplicable::parse(LIST)).problems
    }

    fn assert_one(problems: &[String], words: &str) {
        assert!(
            problems.len() == 1 && problems[0].contains(words),
            "{problems:#?}"
        );
    }

    #[test]
    fn a_suite_that_passes_as_far_as_it_applies_is_no_problem() {
        assert_eq!(problems(|_| {}), Vec::<String>::new());
    }

    #[test]
    fn a_check_that_applies_must_pass() {
        for status in [Status::Failure, Status::Warning, Status::Skipped] {
            let failing = problems(|it| it[0].checks[0].status = status);
            assert!(failing[0].contains("ping: "), "{failing:#?}");
            let failing = problems(|it| it[2].checks[1].status = status);
            assert_one(&failing, "caching (Program): tools-hints");
        }
    }

    #[test]
    fn an_answer_that_says_no_must_fit_its_schema_too() {
        let broken = problems(|it| it[1].checks[1].status = Status::Failure);
        assert_one(&broken, WIRE_SCHEMA);
    }

    #[test]
    fn a_scenario_that_breaks_off_is_a_problem() {
        assert_one(&problems(|it| it[0].checks.clear()), "it broke off");
    }

    #[test]
    fn a_scenario_that_is_new_and_fails_is_a_problem() {
        let new = observation("roots-list", &[("roots", Status::Failure)]);
        let new = problems(|it| it.push(new));
        assert!(new[0].contains("roots-list"), "{new:#?}");
    }

    #[test]
    fn an_entry_that_is_not_needed_is_a_problem() {
        let passes = problems(|it| it[2].checks[0].status = Status::Success);
        assert_one(&passes, "prompts-hints passes now");
        let gone = problems(|it| drop(it[2].checks.remove(0)));
        assert_one(&gone, "there is no check prompts-hints");
        let in_part = observation(
            "prompts-list",
            &[("list", Status::Failure), ("order", Status::Success)],
        );
        assert_one(&problems(|it| it[1] = in_part), "order passes, although");
        let nothing_fails = problems(|it| drop(it[1].checks.remove(0)));
        assert_one(&nothing_fails, "nothing in it fails");
    }

    #[test]
    fn an_entry_about_a_scenario_that_is_not_there_is_a_problem() {
        assert_one(&problems(|it| drop(it.remove(1))), "names prompts-list");
    }
}
