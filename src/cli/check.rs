//! `attache check`: are the provider files right?

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::Failure;
use crate::catalogue::{self, Catalogue, Evidence, FixtureFile, Problem, Source};

#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub(super) struct CheckOptions {
    /// A folder with more provider files.
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Leave the built-in files out: the folder is checked alone.
    #[arg(long, requires = "folder")]
    alone: bool,
    /// Replay the contract fixtures in this folder: what each tool sends, and how it reads the reply.
    #[arg(long, value_name = "DIR")]
    fixtures: Option<PathBuf>,
    /// Fill in what fixtures leave out, with what is sent and read now. Read it before you keep it.
    #[arg(long, requires = "fixtures")]
    write: bool,
    /// Treat warnings as problems: what tools pick and no fixture has.
    #[arg(long, requires = "fixtures")]
    strict: bool,
    /// Print the JSON Schema of provider files, for editors, and check nothing.
    #[arg(long, exclusive = true)]
    schema: bool,
}

/// Runs every check and reports every problem with file, place and remedy.
pub(super) fn run(options: &CheckOptions) -> Result<(), Failure> {
    if options.schema {
        println!("{}", serde_json::to_string_pretty(&catalogue::schema())?);
        return Ok(());
    }
    let built_in = catalogue::embedded();
    let mut sources = if options.alone {
        Vec::new()
    } else {
        built_in.clone()
    };
    let mut own = Vec::new();
    if let Some(folder) = &options.folder {
        own = catalogue::read_directory(folder).map_err(|problems| report(&problems))?;
        sources.extend(own.iter().cloned());
    }
    let mut problems = catalogue::check(&sources);
    let mut summary = match sources.len() {
        1 => "1 provider file is right.".to_owned(),
        many => format!("{many} provider files are right."),
    };
    if let Some(folder) = &options.fixtures {
        let owners = if options.folder.is_some() {
            &own
        } else {
            &built_in
        };
        let owners = owners.iter().map(|source| source.id().to_owned()).collect();
        let fixtures = catalogue::read_fixtures(folder).map_err(|problems| report(&problems))?;
        let replayed = Fixtures::replay(
            &sound(sources, &problems),
            &fixtures,
            &owners,
            options.write,
        )?;
        summary = format!("{summary} {}", replayed.summary());
        problems.extend(replayed.problems);
        if options.strict {
            problems.extend(replayed.warnings);
        } else {
            for warning in &replayed.warnings {
                eprintln!("warning: {warning}\n");
            }
        }
    }
    if problems.is_empty() {
        println!("{summary}");
        return Ok(());
    }
    Err(report(&problems))
}

/// The files that no problem was found in, so that the others do not hold up their fixtures.
fn sound(mut sources: Vec<Source>, problems: &[Problem]) -> Catalogue {
    let mut problems = problems.to_vec();
    loop {
        let before = sources.len();
        sources.retain(|source| !problems.iter().any(|problem| problem.file == source.file));
        // A problem that belongs to no file leaves nothing to build on.
        if sources.len() == before && !problems.is_empty() {
            sources.clear();
        }
        match Catalogue::from_sources(sources.clone()) {
            Ok(catalogue) => return catalogue,
            Err(more) => problems = more,
        }
    }
}

/// What the fixtures of a folder prove.
struct Fixtures {
    count: BTreeMap<Evidence, usize>,
    problems: Vec<Problem>,
    /// What may be wrong, and may be as it should.
    warnings: Vec<Problem>,
}

impl Fixtures {
    fn replay(
        catalogue: &Catalogue,
        fixtures: &[FixtureFile],
        owners: &BTreeSet<String>,
        write: bool,
    ) -> Result<Self, Failure> {
        let mut found = Self {
            count: BTreeMap::new(),
            problems: catalogue::missing_fixtures(catalogue, fixtures, owners),
            warnings: Vec::new(),
        };
        let mut outputs: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        let is_known = |file: &&FixtureFile| {
            owners.contains(&file.owner)
                && (catalogue.provider(&file.owner).is_some()
                    || catalogue.product(&file.owner).is_some())
        };
        for file in fixtures.iter().filter(is_known) {
            let replayed = catalogue::replay(catalogue, file);
            found.problems.extend(replayed.problems);
            if let Some(evidence) = replayed.evidence {
                *found.count.entry(evidence).or_default() += 1;
            }
            if let Some((tool, output)) = replayed.output {
                outputs.entry(tool).or_default().push(output);
            }
            match replayed.completed {
                Some(text) if write => {
                    std::fs::write(&file.file, text).map_err(|error| {
                        Failure::new(format!("{} cannot be written: {error}", file.file))
                    })?;
                    eprintln!("{}: filled in", file.file);
                }
                Some(_) => found.problems.push(Problem {
                    file: file.file.clone(),
                    place: "exchanges".to_owned(),
                    check: "fixtures_replay",
                    message: format!("it leaves out `{}`", replayed.left_out.join("` and `")),
                    remedy: "run this again with --write: it fills in what is sent and read now; read it before you keep it"
                        .to_owned(),
                }),
                None => {}
            }
        }
        found.warnings = catalogue::unfilled_picks(catalogue, &outputs, owners);
        Ok(found)
    }

    fn summary(&self) -> String {
        let count = |evidence| self.count.get(&evidence).copied().unwrap_or(0);
        format!(
            "{} fixtures replayed: {} documented, {} from facts, {} constructed.",
            self.count.values().sum::<usize>(),
            count(Evidence::Documented),
            count(Evidence::Facts),
            count(Evidence::Constructed),
        )
    }
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
