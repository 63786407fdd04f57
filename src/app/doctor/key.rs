//! Is there a master key, and is it a secret?

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::Gravity;
use crate::config::Config;
use crate::store::{KeyCommand, KeySource, MasterKeyError, MasterKeys};

/// How the master key stands.
#[derive(Debug)]
pub enum KeyFinding {
    /// It is in a file that only its owner can read.
    InFile(PathBuf),
    /// It is in a file that somebody else provides and that more than its owner can read.
    InSharedFile(PathBuf),
    /// It comes from the environment.
    InEnvironment,
    /// A program prints it.
    FromCommand(KeyCommand),
    /// There is none, and no store either: the first start makes it in this file.
    NotMadeYet(PathBuf),
    /// There is none that can be used.
    Failed(MasterKeyError),
}

impl KeyFinding {
    pub(super) fn gravity(&self) -> Gravity {
        match self {
            Self::InFile(_) | Self::InEnvironment | Self::FromCommand(_) | Self::NotMadeYet(_) => {
                Gravity::Ok
            }
            Self::InSharedFile(_) => Gravity::Warning,
            Self::Failed(_) => Gravity::Problem,
        }
    }
}

/// Reads the key, and makes none.
pub(super) fn examine(config: &Config) -> (Option<MasterKeys>, KeyFinding) {
    let previous = config.previous_key.as_ref();
    let key = match MasterKeys::find(&config.master_key, previous, &config.store) {
        Ok(key) => key,
        Err(error) => return (None, KeyFinding::Failed(error)),
    };
    let finding = match &config.master_key {
        KeySource::Value(_) => KeyFinding::InEnvironment,
        KeySource::Command(command) => KeyFinding::FromCommand(command.clone()),
        KeySource::File(path) if key.is_none() => KeyFinding::NotMadeYet(path.clone()),
        KeySource::File(path) => KeyFinding::InFile(path.clone()),
        KeySource::NamedFile(path) => {
            let shared =
                fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0);
            if shared {
                KeyFinding::InSharedFile(path.clone())
            } else {
                KeyFinding::InFile(path.clone())
            }
        }
    };
    (key, finding)
}
