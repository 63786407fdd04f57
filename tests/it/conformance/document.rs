//! `docs/conformance.md`: a table of all revisions, a table per revision, and the reasons.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::Run;
use super::judgement::Verdict;
use super::not_applicable::NotApplicable;
use crate::support::conformance_suite::EXTENSION;

const RUNS: [Run; 2] = [Run::Program, Run::Catalogue];

/// The document. It depends on nothing but its arguments.
pub(super) fn write(version: &str, verdicts: &[Verdict], list: &NotApplicable) -> String {
    let mut revisions: BTreeMap<&str, Vec<&Verdict>> = BTreeMap::new();
    for verdict in verdicts {
        revisions
            .entry(&verdict.revision)
            .or_default()
            .push(verdict);
    }
    let mut text = introduction(version);
    text.push_str(
        "| revision | run | scenarios that pass | pass as far as they apply | do not apply | checks that pass |\n\
         |---|---|---|---|---|---|\n",
    );
    for (revision, verdicts) in &revisions {
        for run in RUNS {
            text.push_str(&summary(revision, run, verdicts));
        }
    }
    for (revision, verdicts) in &revisions {
        text.push_str(&table(revision, verdicts));
    }
    text.push_str(&reasons(verdicts, list));
    text
}

fn introduction(version: &str) -> String {
    format!(
        "# Conformance\n\n\
         What the official suite, `@modelcontextprotocol/conformance` {version}, finds in Attache. `tests/it/conformance.rs` writes\n\
         this page, and fails when a check that applies fails or is skipped, when something that is said not to apply passes, and\n\
         when this page is not what came out. What does not apply is listed in `tests/it/conformance/not_applicable.toml`. To write\n\
         this page anew: `INSTA_UPDATE=always cargo nextest run conformance`.\n\n\
         The suite runs twice in each revision, each time behind a relay that adds the agent's token:\n\n\
         - **program**: the release, as `attache demo` starts it; nothing is connected;\n\
         - **catalogue**: the same server with provider files that have the tools which the suite calls by name, as far as a tool\n  \
         over REST can be what is asked, and a person who is connected. The suite has no client that opens links, the one kind of\n  \
         question that Attache asks: here the relay says for it that it does, and the person opens them.\n\n"
    )
}

fn title(revision: &str) -> &str {
    if revision == EXTENSION {
        "extensions"
    } else {
        revision
    }
}

fn word(run: Run) -> &'static str {
    match run {
        Run::Program => "program",
        Run::Catalogue => "catalogue",
    }
}

fn summary(revision: &str, run: Run, verdicts: &[&Verdict]) -> String {
    let of_run: Vec<_> = verdicts.iter().filter(|it| it.run == run).collect();
    let count = |of: fn(&Verdict) -> bool| of_run.iter().filter(|it| of(it)).count();
    let whole = count(|it| it.excused.is_empty());
    let in_part = count(|it| !it.excused.is_empty() && it.passes_in_part);
    let none = of_run.len() - whole - in_part;
    let checks: usize = of_run.iter().map(|it| it.passed).sum();
    format!(
        "| {} | {} | {whole} | {in_part} | {none} | {checks} |\n",
        title(revision),
        word(run)
    )
}

fn table(revision: &str, verdicts: &[&Verdict]) -> String {
    let mut rows: Vec<(&str, BTreeMap<Run, &Verdict>)> = Vec::new();
    for verdict in verdicts {
        match rows.iter_mut().find(|(name, _)| *name == verdict.scenario) {
            Some((_, row)) => {
                row.insert(verdict.run, verdict);
            }
            None => rows.push((&verdict.scenario, BTreeMap::from([(verdict.run, *verdict)]))),
        }
    }
    let mut text = format!(
        "\n## {}\n\n| scenario | program | catalogue | what does not apply, and why |\n|---|---|---|---|\n",
        title(revision)
    );
    for (scenario, row) in rows {
        let results = RUNS.map(|run| row.get(&run).map_or_else(String::new, |it| result(it)));
        let [program, catalogue] = results;
        let why = why(row.values().copied());
        let _ = writeln!(text, "| {scenario} | {program} | {catalogue} | {why} |");
    }
    text
}

/// How a scenario came out, with the number of checks.
fn result(verdict: &Verdict) -> String {
    match (verdict.excused.len(), verdict.passes_in_part) {
        (0, _) => format!("passes ({})", verdict.passed),
        (without, true) => format!("passes ({}), {without} not applicable", verdict.passed),
        (_, false) => "not applicable".to_owned(),
    }
}

/// The reasons in all runs; with the checks that they are about, when others in the scenario apply.
fn why<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> String {
    let mut reasons: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for verdict in verdicts {
        for (check, reason) in &verdict.excused {
            let checks = reasons.entry(reason).or_default();
            if verdict.passes_in_part {
                checks.insert(check);
            }
        }
    }
    let sentences = reasons.into_iter().map(|(reason, checks)| {
        if checks.is_empty() {
            return format!("*{reason}*");
        }
        let checks: Vec<_> = checks.iter().map(|check| format!("`{check}`")).collect();
        format!("*{reason}*: {}", checks.join(", "))
    });
    sentences.collect::<Vec<_>>().join("<br>")
}

fn reasons(verdicts: &[Verdict], list: &NotApplicable) -> String {
    let used: BTreeSet<_> = verdicts.iter().flat_map(|it| it.excused.values()).collect();
    let mut text = "\n## Reasons\n\n| reason | what it stands for |\n|---|---|\n".to_owned();
    for reason in used {
        let _ = writeln!(text, "| *{reason}* | {} |", list.reasons[reason]);
    }
    text
}
