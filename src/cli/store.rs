//! `attache store`: look at everything that is kept, and put right what can be.

use clap::{Args, Subcommand};

use super::ask::{Form, ask, print, print_json, unexpected};
use super::{Failure, Places};
use crate::app::control::{Answer, Command, StoreReport};
use crate::config::Environment;

#[derive(Debug, Args)]
pub(super) struct StoreOptions {
    #[command(subcommand)]
    action: StoreAction,
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Subcommand)]
enum StoreAction {
    /// Look at every record and change nothing; the exit status is 0 only when all is whole.
    Verify,
    /// Forget what is missing, remove what is damaged, old or added, and make lost manifests anew.
    Repair {
        /// Yes, do it: what is removed can only come back from a backup.
        #[arg(long)]
        yes: bool,
    },
}

/// `attache store`.
pub(super) fn run(options: StoreOptions, environment: &Environment) -> Result<(), Failure> {
    let command = match options.action {
        StoreAction::Verify => Command::VerifyStore,
        StoreAction::Repair { yes: true } => Command::RepairStore,
        StoreAction::Repair { yes: false } => {
            return Err(Failure::usage(
                "what is removed can only come back from a backup; look first with `attache store verify`, then say --yes",
            ));
        }
    };
    let json = options.form.json;
    match ask(options.places, environment, &command, options.form)? {
        Answer::Store(report) => {
            if json {
                print_json(&report)?;
            } else {
                show(&report)?;
            }
            if report.whole {
                Ok(())
            } else {
                Err(Failure::new("the store is not whole"))
            }
        }
        _ => Err(unexpected()),
    }
}

fn show(answer: &StoreReport) -> Result<(), Failure> {
    let report = &answer.report;
    for line in &answer.done {
        print(&format!("done: {line}"))?;
    }
    for finding in &report.findings {
        print(&finding.sentence())?;
    }
    if report.left_out > 0 {
        print(&format!("and {} more", report.left_out))?;
    }
    if let Some(root) = &report.root {
        if root.lost > 0 {
            print(&format!(
                "{} manifests are gone with everything that they listed: restore a backup, or have them forgotten: `attache store repair --yes`",
                root.lost
            ))?;
        }
        if let Some(why) = &root.made_anew {
            print(&format!(
                "the root of the manifests was {why} and was made anew from what was there: whole groups that vanished before that cannot be told; `attache store repair --yes` takes note of it"
            ))?;
        }
    }
    print(&format!(
        "{} records and {} manifests are whole",
        report.records, report.manifests
    ))
}
