//! `attache keys`: how the master key stands, and changing it.

use std::io::IsTerminal;
use std::thread;
use std::time::Duration;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use super::ask::{Form, ask, print, print_json, unexpected};
use super::{Failure, Places};
use crate::app::control::{Answer, Command, KeyReport, RotationEndLine};
use crate::config::{Environment, Options};

/// How often it is asked how far a change has got.
const LOOK_EVERY: Duration = Duration::from_millis(250);

#[derive(Debug, Args)]
pub(super) struct KeysOptions {
    #[command(subcommand)]
    action: Option<KeysAction>,
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum KeysAction {
    /// Show how the master key stands, and how far a change has got.
    Status,
    /// Change the master key for a new one, and seal everything anew. The gateway may run on.
    Rotate,
}

/// `attache keys`.
pub(super) fn keys(options: KeysOptions, environment: &Environment) -> Result<(), Failure> {
    let (places, form) = (Options::from(options.places), options.form);
    match options.action.unwrap_or(KeysAction::Status) {
        KeysAction::Status => {
            let report = report(&places, environment, &Command::Keys, form)?;
            if form.json {
                return print_json(&report);
            }
            status(&report)
        }
        KeysAction::Rotate => rotate(&places, environment, form),
    }
}

fn report(
    places: &Options,
    environment: &Environment,
    command: &Command,
    form: Form,
) -> Result<KeyReport, Failure> {
    match ask(places.clone(), environment, command, form)? {
        Answer::Keys(report) => Ok(report),
        _ => Err(unexpected()),
    }
}

fn rotate(places: &Options, environment: &Environment, form: Form) -> Result<(), Failure> {
    let mut now = report(places, environment, &Command::RotateKeys, form)?;
    let bar = bar(form);
    while let Some(rotation) = &now.rotation {
        if let Some(reason) = &rotation.held_up {
            return Err(Failure::new(format!(
                "the change of the master key is held up: {reason}. The gateway goes on with it by itself; `attache keys \
                 status` shows how far it is"
            )));
        }
        bar.set_length(rotation.total);
        bar.set_position(rotation.done);
        thread::sleep(LOOK_EVERY);
        now = report(places, environment, &Command::Keys, form)?;
    }
    bar.finish_and_clear();
    if form.json {
        return print_json(&now);
    }
    status(&now)
}

fn bar(form: Form) -> ProgressBar {
    if form.json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} records ({percent}%)");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn status(report: &KeyReport) -> Result<(), Failure> {
    print(&format!(
        "The master key in use has the identifier {}.",
        report.key
    ))?;
    if let Some(rotation) = &report.rotation {
        print(&format!(
            "It is taking the place of another: {} of {} records are sealed anew ({}%). Keep both keys until that is done.",
            rotation.done, rotation.total, rotation.percent
        ))?;
        if let Some(reason) = &rotation.held_up {
            print(&format!("That is held up, and tried again: {reason}."))?;
        }
    }
    if let Some(last) = &report.last {
        done(last)?;
    }
    if report.previous == "unneeded" {
        print(
            "A previous key is named in the configuration; nothing here needs it any more, so take it out.",
        )?;
    }
    Ok(())
}

fn done(last: &RotationEndLine) -> Result<(), Failure> {
    print(&format!(
        "It took the place of {}: {} records are sealed under it, and nothing in the store opens with the old one.",
        last.old_key, last.records
    ))?;
    if last.unreadable > 0 {
        print(&format!(
            "{} records could not be opened before either, and were left as they are: run `attache doctor`.",
            last.unreadable
        ))?;
    }
    if let Some(retired) = &last.retired {
        print(&format!(
            "The old key is kept in {retired}. It opens older backups, and copies of this folder made before: delete it with \
             them, for example with `shred -u {retired}`."
        ))?;
    }
    Ok(())
}
