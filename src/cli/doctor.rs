//! `attache doctor`: does everything that a start depends on stand as it should?

mod words;

use std::fmt::Write;

use clap::Args;
use serde::Serialize;

use super::{Failure, Places};
use crate::app::doctor::{self, Finding, Gravity};
use crate::base::{Clock, Random};
use crate::config::Environment;

#[derive(Debug, Args)]
pub(super) struct DoctorOptions {
    #[command(flatten)]
    places: Places,
    /// Print the findings as a JSON array.
    #[arg(long)]
    json: bool,
}

/// One finding as scripts read it.
#[derive(Debug, Serialize)]
struct Line {
    /// What was looked at: one of a fixed set of names.
    check: &'static str,
    /// The identifier of the service, where the finding is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    /// `ok`, `warning` or `problem`.
    status: &'static str,
    what: String,
    why: Option<String>,
    what_to_do: Option<String>,
}

/// Prints every finding on stdout. Fails when one of them is a problem.
pub(super) fn run(options: DoctorOptions, environment: &Environment) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let DoctorOptions { places, json } = options;
    let places = places.into();
    let examined = doctor::examine(&places, environment, &Clock::System, &Random::System);
    let findings = runtime.block_on(examined);
    let lines: Vec<_> = findings.iter().map(words::tell).collect();
    if json {
        println!("{}", serde_json::to_string_pretty(&lines)?);
    } else {
        print!("{}", page(&lines));
    }
    conclude(&findings, json)
}

fn conclude(findings: &[Finding], json: bool) -> Result<(), Failure> {
    let count = |gravity: Gravity| {
        let same = findings
            .iter()
            .filter(|finding| finding.gravity() == gravity);
        same.count()
    };
    let warnings = counted(count(Gravity::Warning), "warning");
    match count(Gravity::Problem) {
        0 => {
            if !json {
                eprintln!("\nNo problem, {warnings}.");
            }
            Ok(())
        }
        problems => Err(Failure::new(format!(
            "{} and {warnings} found",
            counted(problems, "problem")
        ))),
    }
}

fn counted(count: usize, thing: &str) -> String {
    match count {
        0 => format!("no {thing}"),
        1 => format!("1 {thing}"),
        many => format!("{many} {thing}s"),
    }
}

/// The findings for a person: the gravity in a column of its own, reasons and remedies below.
fn page(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        let _ = writeln!(text, "{:<8} {}", line.status, line.what);
        for (label, detail) in [("why", &line.why), ("do", &line.what_to_do)] {
            if let Some(detail) = detail {
                let _ = writeln!(text, "{label:>12}: {detail}");
            }
        }
    }
    text
}
