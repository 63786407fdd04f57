//! `attache backup`: make one, verify one, list them.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::ask::{Form, print, print_json, unexpected};
use super::progress::Bar;
use super::run::{in_runtime, resolve};
use super::{Failure, Places, local};
use crate::app::control::{Answer, BackupLine, BackupPlace, Command, ShelvedLine, Step};
use crate::base::{Clock, Random};
use crate::config::{Config, Environment, Options};
use crate::store::{MasterKey, Store};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct BackupOptions {
    #[command(subcommand)]
    action: Option<BackupAction>,
    /// The file to write, which must not be there yet, or a folder.
    #[arg(long, value_name = "FILE|FOLDER")]
    to: Option<PathBuf>,
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Subcommand)]
enum BackupAction {
    /// Read a backup to its end, authenticate all of it, and open every record in it.
    Verify {
        /// The backup.
        file: PathBuf,
    },
    /// List the backups in the folder where they are kept.
    List,
}

/// `attache backup`.
pub(super) fn run(options: BackupOptions, environment: &Environment) -> Result<(), Failure> {
    let BackupOptions {
        action,
        to,
        places,
        form,
    } = options;
    let options = Options::from(places);
    match action {
        None => make(to.as_deref(), &options, environment, form),
        Some(BackupAction::Verify { file }) => verify(&file, &options, environment, form),
        Some(BackupAction::List) => list(&options, environment, form),
    }
}

fn make(
    to: Option<&Path>,
    options: &Options,
    environment: &Environment,
    form: Form,
) -> Result<(), Failure> {
    let config = resolve(options, environment)?;
    if !config.store.store_exists() {
        return Err(Failure::new(format!(
            "there is no store in {} yet, so there is nothing to back up",
            config.store.store_dir().display()
        )));
    }
    let command = Command::Backup {
        to: to.map(place).transpose()?,
    };
    let bar = Bar::new(form.json);
    let answer = local::ask_following(options, environment, &command, &|step| bar.show(step));
    bar.end();
    match answer? {
        Answer::BackedUp(line) if form.json => print_json(&line),
        Answer::BackedUp(line) => print(&sentence("A backup was made and read back", &line)),
        Answer::Refused(refusal) => {
            if form.json {
                print_json(&refusal)?;
            }
            Err(refusal.into())
        }
        _ => Err(unexpected()),
    }
}

/// The gateway may be in another folder than we are.
fn place(path: &Path) -> Result<BackupPlace, Failure> {
    let is_folder = path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/");
    let path = std::path::absolute(path)?;
    Ok(if is_folder {
        BackupPlace::Folder(path)
    } else {
        BackupPlace::File(path)
    })
}

fn sentence(what: &str, line: &BackupLine) -> String {
    format!(
        "{what}: {} ({} bytes), with {} people, {} connections and {} agents in {} records. It needs the master key {}; \
         without that key nothing in it can be read, so keep a copy of the key elsewhere.",
        line.path.display(),
        line.bytes,
        line.people,
        line.connections,
        line.agents,
        line.rows,
        line.key,
    )
}

fn verify(
    file: &Path,
    options: &Options,
    environment: &Environment,
    form: Form,
) -> Result<(), Failure> {
    let key = key(&resolve(options, environment)?)?;
    let bar = Bar::new(form.json);
    let checked = in_runtime(async {
        let follow = |stage, done, total| bar.show(Step { stage, done, total });
        Ok(Store::check_backup(file, &key, &Random::System, &follow).await?)
    });
    bar.end();
    let line = BackupLine::from(&checked?);
    if form.json {
        return print_json(&line);
    }
    let what = format!("The backup of {} is whole", line.made);
    print(&sentence(&what, &line))
}

/// The master key, which is never made for a backup.
pub(super) fn key(config: &Config) -> Result<MasterKey, Failure> {
    MasterKey::find(&config.master_key, &config.store)?.ok_or_else(|| {
        Failure::new(format!(
            "there is no master key in {}: put the key there that was in use when the backup was made",
            config.data_dir.display()
        ))
    })
}

fn list(options: &Options, environment: &Environment, form: Form) -> Result<(), Failure> {
    let shelf = resolve(options, environment)?.backups;
    let found = shelf.list().map_err(|error| {
        Failure::new(format!("cannot read {}: {error}", shelf.folder.display()))
    })?;
    let lines: Vec<_> = found.iter().map(ShelvedLine::from).collect();
    if form.json {
        return print_json(&lines);
    }
    if lines.is_empty() {
        eprintln!("There is no backup in {}.", shelf.folder.display());
    } else if shelf.is_due(Clock::System.now()).unwrap_or(false) {
        eprintln!("A backup is due; the running gateway makes it within minutes.");
    }
    lines.iter().try_for_each(|line| {
        let why = if line.automatic {
            "by itself"
        } else {
            "asked for"
        };
        print(&format!(
            "{}  {why:<9}  {:>12} bytes  {}",
            line.made,
            line.bytes,
            line.path.display()
        ))
    })
}
