//! The commands about backups: make one, and say which there are.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Answer, BackupPlace, Command, RefusalKind};
use crate::app::backup::{BackupTo, Backups};
use crate::store::{Backup, BackupError, Progress, Shelved, Stage};

/// How far a command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What is being done.
    pub stage: Stage,
    /// How much of it is done.
    pub done: u64,
    /// Of how much, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub total: Option<u64>,
}

/// A backup that was made, or read to its end, and found whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupLine {
    /// The file.
    pub path: PathBuf,
    /// When it was begun, as RFC 3339.
    pub made: String,
    /// The identifier of the master key that it needs.
    pub key: String,
    /// The version that made it.
    pub attache: String,
    /// The length of the file.
    pub bytes: u64,
    /// How many rows are in it.
    pub rows: u64,
    /// How many people.
    pub people: u64,
    /// How many connections, those that were disconnected included.
    pub connections: u64,
    /// How many agents.
    pub agents: u64,
}

/// The backups that there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupReport {
    /// Where they are kept.
    pub folder: PathBuf,
    /// The seconds between two that are made by themselves; none: they are switched off.
    pub every_seconds: Option<u64>,
    /// The backups in the folder, the newest first.
    pub backups: Vec<ShelvedLine>,
    /// Why the last one that was due was not made, and what to do.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<String>,
}

/// A backup, by its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShelvedLine {
    /// The file.
    pub path: PathBuf,
    /// When it was begun, as RFC 3339.
    pub made: String,
    /// Whether it was made by itself; those go when newer ones are there.
    pub automatic: bool,
    /// The length of the file.
    pub bytes: u64,
}

impl From<&Backup> for BackupLine {
    fn from(backup: &Backup) -> Self {
        Self {
            path: backup.path.clone(),
            made: backup.header.made.to_string(),
            key: backup.header.key.clone(),
            attache: backup.header.attache.clone(),
            bytes: backup.bytes,
            rows: backup.counts.rows,
            people: backup.counts.people(),
            connections: backup.counts.connections(),
            agents: backup.counts.agents(),
        }
    }
}

impl From<&Shelved> for ShelvedLine {
    fn from(shelved: &Shelved) -> Self {
        Self {
            path: shelved.path.clone(),
            made: shelved.made.to_string(),
            automatic: shelved.automatic,
            bytes: shelved.bytes,
        }
    }
}

/// Carries out a command about backups.
pub async fn run(backups: &Backups, command: &Command, progress: Progress<'_>) -> Answer {
    let done = match command {
        Command::Backup { to } => make(backups, to.as_ref(), progress).await,
        _ => report(backups).await,
    };
    done.unwrap_or_else(|error| {
        tracing::warn!(%error, "a command about backups failed");
        Answer::refused(RefusalKind::Failed, error.to_string())
    })
}

async fn make(
    backups: &Backups,
    to: Option<&BackupPlace>,
    progress: Progress<'_>,
) -> Result<Answer, BackupError> {
    let to = match to {
        None => BackupTo::Shelf,
        Some(BackupPlace::File(path)) => BackupTo::File(path.clone()),
        Some(BackupPlace::Folder(path)) => BackupTo::Folder(path.clone()),
    };
    let backup = backups.make(&to, progress).await?;
    Ok(Answer::BackedUp(BackupLine::from(&backup)))
}

async fn report(backups: &Backups) -> Result<Answer, BackupError> {
    let shelf = backups.shelf();
    let found = backups.list().await?;
    Ok(Answer::Backups(BackupReport {
        folder: shelf.folder.clone(),
        every_seconds: shelf.every.map(|every| every.as_secs()),
        backups: found.iter().map(ShelvedLine::from).collect(),
        failure: backups.failure().map(|failure| failure.sentence),
    }))
}
