//! `attache drill`: a fault is practised, and what happened is printed step by step.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::ask::{Form, ask, print, print_json, unexpected};
use super::run::resolve;
use super::{Failure, Places};
use crate::app::control::{Answer, Command};
use crate::config::{Environment, Options};
use crate::gateway::{Drill, DrillReport};

/// The service whose drills are for real, while `attache demo` runs.
const SANDBOX: &str = "sandbox";

#[derive(Debug, Args)]
pub(super) struct DrillOptions {
    /// The service, as `attache connections` names it.
    service: String,
    /// The fault.
    #[arg(value_parser = PossibleValuesParser::new(Drill::ALL.map(Drill::word)).try_map(drill))]
    fault: Drill,
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    form: Form,
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that clap wants")]
fn drill(word: String) -> Result<Drill, String> {
    let found = Drill::ALL.into_iter().find(|drill| drill.word() == word);
    found.ok_or_else(|| format!("there is no drill `{word}`"))
}

/// `attache drill`.
pub(super) fn run(options: DrillOptions, environment: &Environment) -> Result<(), Failure> {
    let places = at_the_demo(options.places.into(), &options.service, environment)?;
    let command = Command::Drill {
        service: options.service,
        drill: options.fault,
    };
    let Answer::Drilled(report) = ask(places, environment, &command, options.form)? else {
        return Err(unexpected());
    };
    if options.form.json {
        return print_json(&report);
    }
    print(&in_words(&report))
}

/// The Sandbox is in the demo, whose data folder is its own unless another is named.
fn at_the_demo(
    mut places: Options,
    service: &str,
    environment: &Environment,
) -> Result<Options, Failure> {
    let is_named = places.data_dir.is_some() || environment.find("ATTACHE_DATA_DIR").is_some();
    if service == SANDBOX && !is_named {
        let demo = resolve(&places, environment)?.in_folder("demo");
        places.data_dir = Some(demo.data_dir);
    }
    Ok(places)
}

fn in_words(report: &DrillReport) -> String {
    let kind = if report.for_real {
        "a drill for real"
    } else {
        "a rehearsal: nothing was sent, nothing changed"
    };
    let mut lines = vec![
        format!(
            "{} on {} as {}; {kind}.",
            report.drill.word(),
            report.service,
            report.account
        ),
        report.drill.sentence().to_owned(),
        line("before", &report.before),
    ];
    let steps = report.steps.iter();
    lines.extend(steps.map(|step| line(step.who.word(), &step.what)));
    lines.push(line("after", &report.after));
    lines.push(line("mends it", &report.mends));
    lines.join("\n")
}

fn line(name: &str, text: &str) -> String {
    format!("  {name:<9} {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_drill_has_a_word_of_its_own() {
        for known in Drill::ALL {
            assert_eq!(drill(known.word().to_owned()).unwrap(), known);
            let written = serde_json::to_value(known).unwrap();
            assert_eq!(written, known.word(), "one name everywhere");
        }
    }
}
