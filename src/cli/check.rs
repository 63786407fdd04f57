//! `attache check`: are the provider files right?

use std::path::PathBuf;

use clap::Args;

use super::Failure;
use crate::catalogue;

#[derive(Debug, Args)]
pub(super) struct CheckOptions {
    /// A folder with more provider files.
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Runs every check and reports every problem with file, place and remedy.
pub(super) fn run(options: &CheckOptions) -> Result<(), Failure> {
    let mut sources = catalogue::embedded();
    if let Some(folder) = &options.folder {
        sources.extend(catalogue::read_directory(folder).map_err(|problems| report(&problems))?);
    }
    let files = sources.len();
    let problems = catalogue::check(&sources);
    if problems.is_empty() {
        println!("{files} provider files are right.");
        return Ok(());
    }
    Err(report(&problems))
}

pub(super) fn report(problems: &[catalogue::Problem]) -> Failure {
    let blocks: Vec<_> = problems.iter().map(ToString::to_string).collect();
    let count = match problems.len() {
        1 => "1 problem".to_owned(),
        many => format!("{many} problems"),
    };
    Failure::new(format!(
        "{count} in the provider files\n\n{}",
        blocks.join("\n\n")
    ))
}
