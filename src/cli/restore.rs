//! `attache restore`: a store from a backup.

use std::iter;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::ask::{Form, print, print_json};
use super::backup::key;
use super::progress::Bar;
use super::run::{in_runtime, resolve};
use super::{Failure, Places};
use crate::app::control::{BackupLine, GatewayLock, Step};
use crate::base::{Clock, Random};
use crate::config::{Environment, Options};
use crate::store::{BackupHeader, KeySource, Restore, Restored};

/// How many connections and agents are named at a terminal.
const SHOWN: usize = 20;

#[derive(Debug, Args)]
pub(super) struct RestoreOptions {
    /// The backup.
    file: PathBuf,
    /// Move the store that is there aside first. Nothing of it is deleted.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    form: Form,
}

/// `attache restore`.
pub(super) fn run(options: RestoreOptions, environment: &Environment) -> Result<(), Failure> {
    let RestoreOptions {
        file,
        replace,
        places,
        form,
    } = options;
    let config = resolve(&Options::from(places), environment)?;
    let lock = GatewayLock::try_take(&config.data_dir)?.ok_or_else(|| {
        Failure::new(format!(
            "nothing was restored: a gateway is running on {}. End it first, and keep clients from starting another",
            config.data_dir.display()
        ))
    })?;
    let bar = Bar::new(form.json);
    let restored = in_runtime(async {
        // Whose key is missing is told which one it is.
        let header = BackupHeader::read(&file).await?;
        let key = key(&config).map_err(|failure| {
            Failure::new(format!(
                "nothing was restored, since {} needs the master key {}: {failure}",
                file.display(),
                header.key
            ))
        })?;
        let now = Clock::System.now().to_string().replace(['-', ':'], "");
        let restore = Restore {
            settings: config.store.clone(),
            backup: file.clone(),
            replace,
            aside: free_name(&config.data_dir, &format!("store.before-{now}")),
        };
        let follow = |stage, done, total| bar.show(Step { stage, done, total });
        Ok(restore.run(&key, &Random::System, &follow).await?)
    });
    bar.end();
    drop(lock);
    let restored = restored?;
    if form.json {
        return print_json(&as_json(&restored));
    }
    tell(&restored)?;
    if !matches!(config.master_key, KeySource::File(_)) {
        print(&format!(
            "It opens with the master key that was given to this command: start Attache with the same one, or put it into {}.",
            config.data_dir.join("master.key").display()
        ))?;
    }
    Ok(())
}

/// `name`, or the first of `name-2`, `name-3`... that nothing in `folder` has yet.
fn free_name(folder: &Path, name: &str) -> String {
    let others = (2_u32..).map(|number| format!("{name}-{number}"));
    let mut names = iter::once(name.to_owned()).chain(others);
    let free = names.find(|name| !folder.join(name).exists());
    free.unwrap_or_else(|| name.to_owned())
}

fn as_json(restored: &Restored) -> serde_json::Value {
    json!({
        "backup": BackupLine::from(&restored.backup),
        "aside": restored.aside,
        "records_damaged": restored.damaged,
        "credentials_in_doubt": restored.doubted,
        "connections": restored.connections,
        "agents": restored.agents,
    })
}

fn tell(restored: &Restored) -> Result<(), Failure> {
    let line = BackupLine::from(&restored.backup);
    print(&format!(
        "Restored from the backup of {}: {} people, {} connections and {} agents in {} records.",
        line.made, line.people, line.connections, line.agents, line.rows
    ))?;
    if let Some(aside) = &restored.aside {
        print(&format!(
            "The store that was there is in {}; delete it when you are sure.",
            aside.display()
        ))?;
    }
    if restored.damaged > 0 {
        print(&format!(
            "{} records cannot be read, as in the store that the backup was made of; whatever they were is to be connected \
             again, and an older backup may have them whole.",
            restored.damaged
        ))?;
    }
    if restored.doubted > 0 {
        print(&format!(
            "{} connections have a refresh token that may have been used since. Each is tried once more at most; where the \
             service refuses it, the person connects again with the link that they get.",
            restored.doubted
        ))?;
    }
    print(
        "What happened since the backup is not known here. Connections and agents that were removed since work again until \
         somebody looks at them, and people who were removed since are back; where their keys were destroyed, remove them \
         again:",
    )?;
    let connections = restored.connections.iter().map(|back| {
        format!(
            "  {} is connected to {} as {}",
            back.person, back.service, back.account
        )
    });
    let agents = restored
        .agents
        .iter()
        .map(|name| format!("  the agent {name} may call"));
    let all: Vec<_> = connections.chain(agents).collect();
    all.iter().take(SHOWN).try_for_each(|line| print(line))?;
    match all.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => print(&format!(
            "  and {more} more; --json names a thousand of each"
        )),
    }
}
