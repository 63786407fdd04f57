//! The state file: one JSON document that only its owner can read, replaced as a whole.
//!
//! A change is written to a new file, forced to disk, and renamed over the old one, so that a crash at any moment
//! leaves the state before or after it. A lock beside the file keeps a second Sandbox away. Knows nothing of what the
//! state means.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::state::{FORMAT, State};

/// Why a state file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateFileError {
    /// Somebody else has it open.
    #[error("the Sandbox's state file {} is in use by another Sandbox; stop that one, or name another file", .0.display())]
    InUse(PathBuf),
    /// It cannot be read, locked or made.
    #[error("the Sandbox's state file {} cannot be opened ({source}); check the path and its permissions", path.display())]
    Unreachable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// It is not what a Sandbox writes.
    #[error("the Sandbox's state file {} is damaged at line {line}, column {column}; restore a copy, or remove it to start anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where it stops making sense.
        line: usize,
        /// Where in that line.
        column: usize,
    },
    /// A later version wrote it.
    #[error("the Sandbox's state file {} has format {format} and this version reads format {FORMAT}; use the version that wrote it, or name another file", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What it says.
        format: u64,
    },
}

/// A change could not be made durable, so it did not happen.
#[derive(Debug, thiserror::Error)]
#[error(
    "the Sandbox could not save its state ({0}); check the disk and the permissions of the state file"
)]
pub struct SaveError(#[from] io::Error);

/// The state file of one running Sandbox.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    /// Held as long as the Sandbox runs; the operating system lets go of it however the process ends.
    _lock: File,
}

impl StateFile {
    /// Takes hold of the file at `path` and reads it; a file that is not there is an empty state.
    pub(super) fn open(path: PathBuf) -> Result<(Self, State), StateFileError> {
        let unreachable = |source| StateFileError::Unreachable {
            path: path.clone(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder(&path))
            .map_err(unreachable)?;
        let lock = owner_only()
            .create(true)
            .truncate(false)
            .open(beside(&path, ".lock"))
            .map_err(unreachable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StateFileError::InUse(path)),
            Err(TryLockError::Error(source)) => return Err(unreachable(source)),
        }
        let state = match fs::read(&path) {
            Ok(bytes) => read(&path, &bytes)?,
            Err(error) if error.kind() == ErrorKind::NotFound => State::new(),
            Err(error) => return Err(unreachable(error)),
        };
        Ok((Self { path, _lock: lock }, state))
    }

    /// Replaces the file's content; when this returns, the new state survives a crash. Blocks on the disk.
    pub(super) fn save(&self, state: &State) -> Result<(), SaveError> {
        let json = serde_json::to_vec_pretty(state).map_err(io::Error::from)?;
        let temporary = beside(&self.path, ".new");
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let mut file = owner_only().create_new(true).open(&temporary)?;
        file.write_all(&json)?;
        file.sync_all()?;
        fs::rename(&temporary, &self.path)?;
        File::open(folder(&self.path))?.sync_all()?;
        Ok(())
    }
}

/// Reads the state. Says where a damaged file breaks but never what it says there: that may be a secret.
fn read(path: &Path, bytes: &[u8]) -> Result<State, StateFileError> {
    let damaged = |error: &serde_json::Error| StateFileError::Damaged {
        path: path.to_owned(),
        line: error.line(),
        column: error.column(),
    };
    let document: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|error| damaged(&error))?;
    match document.get("format").and_then(serde_json::Value::as_u64) {
        Some(format) if format != u64::from(FORMAT) => Err(StateFileError::Format {
            path: path.to_owned(),
            format,
        }),
        _ => serde_json::from_slice(bytes).map_err(|error| damaged(&error)),
    }
}

fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
