//! A file that is there whole or not at all.
//!
//! Owns the draft beside the place where the file will be, and that a draft never outlives its maker for long. Refuses to
//! know what is in it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::BackupError;
use crate::base::Random;
use crate::store::folder;

const ENDING: &str = ".backup-draft";

/// A file for its owner alone, under a name of its own until it is whole. Gone when it is dropped before that.
pub(super) struct Draft {
    path: PathBuf,
    place: PathBuf,
    /// Holds the lock by which others know that somebody is at it.
    _lock: File,
    is_placed: bool,
}

impl Draft {
    /// Begins a file that will be at `place`, whose folder is made when it is missing. Drafts that others left behind
    /// there are removed.
    pub(super) fn begin(place: &Path, random: &Random) -> Result<(Self, File), BackupError> {
        if place.exists() {
            return Err(BackupError::Exists(place.to_owned()));
        }
        let parent = folder_of(place);
        folder::create(parent).map_err(BackupError::file(parent))?;
        remove_abandoned(parent);
        let mut path = place.as_os_str().to_owned();
        path.push(format!(
            ".{}{ENDING}",
            HEXLOWER.encode(&random.bytes::<4>())
        ));
        let path = PathBuf::from(path);
        let open = || {
            let mut options = OpenOptions::new();
            let file = options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)?;
            file.lock()?;
            let shared = file.try_clone()?;
            Ok((file, shared))
        };
        let (lock, file) = open().map_err(BackupError::file(&path))?;
        let draft = Self {
            path,
            place: place.to_owned(),
            _lock: lock,
            is_placed: false,
        };
        Ok((draft, file))
    }

    /// Where it is until it is placed.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file, which is whole and durable, its name, and makes that durable.
    pub(super) fn place(mut self) -> Result<(), BackupError> {
        match rename_new(&self.path, &self.place) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(BackupError::Exists(self.place.clone()));
            }
            Err(error) => return Err(BackupError::file(&self.place)(error)),
        }
        self.is_placed = true;
        folder::sync_parent(&self.place).map_err(BackupError::file(&self.place))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_placed {
            // What cannot be removed is sealed, its owner's alone, and removed by the next one.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The folder of a file.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Never replaces what is there, where the file system can promise that.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => fs::rename(from, to),
        renamed => Ok(renamed?),
    }
}

/// Drafts that nobody holds were left by processes that are gone.
fn remove_abandoned(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_draft = name.ends_with(ENDING);
        let path = entry.path();
        let is_abandoned = || File::open(&path).is_ok_and(|file| file.try_lock().is_ok());
        if is_draft && is_abandoned() {
            let _ = fs::remove_file(&path);
        }
    }
}
