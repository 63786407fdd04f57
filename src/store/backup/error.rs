//! Why there is no backup, or no store from one.

use std::io;
use std::path::{Path, PathBuf};

use crate::store::{OpenError, StoreError};

/// Why a backup was not made, or is none. A backup that was not made leaves nothing behind.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file is something else.
    #[error("{} is no backup of Attache", .0.display())]
    NotABackup(PathBuf),
    /// A later version wrote it.
    #[error(
        "{} was written by Attache {attache} in format {format}, which this version does not know: use that version or a later one",
        path.display()
    )]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// The format that was found.
        format: u8,
        /// The version that wrote it, as far as it can be read.
        attache: String,
    },
    /// Another master key was in use when it was made.
    #[error(
        "{} needs the master key {needed}, and the one that is given is {given}: give the key that was in use when the backup was made (one that was changed since lies beside the key file as master.key.retired-{needed}; ATTACHE_MASTER_KEY_FILE names it)",
        path.display()
    )]
    OtherKey {
        /// The file.
        path: PathBuf,
        /// The identifier of the key that it needs.
        needed: String,
        /// That of the key that is given.
        given: String,
    },
    /// It was changed, cut off, or put together from several.
    #[error("{} is damaged ({detail}): use another backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// The master key of the store is being changed, so its records need two keys for now.
    #[error(
        "the master key is being changed, and a backup made now would need both keys: try again when `attache keys status` says that it is done"
    )]
    KeysChange,
    /// The file itself is whole, and records in it are not: they were damaged in the store already.
    #[error(
        "{} is whole, but {damaged} of {records} records in it cannot be read, as in the store that it was made of; the first: {first}",
        path.display()
    )]
    Records {
        /// The file.
        path: PathBuf,
        /// How many records do not open.
        damaged: u64,
        /// How many there are.
        records: u64,
        /// What is wrong with the first of them.
        first: StoreError,
    },
    /// The disk has too little room.
    #[error(
        "the disk that holds {} has {free} bytes free, and {needed} are wanted: free some space, or name a folder on another disk",
        folder.display()
    )]
    NoSpace {
        /// The folder.
        folder: PathBuf,
        /// The bytes that are wanted, a reserve included.
        needed: u64,
        /// The bytes that are free.
        free: u64,
    },
    /// A file of that name is there already.
    #[error("{} is there already, and no backup is ever replaced: name another file", .0.display())]
    Exists(PathBuf),
    /// The keys of the store were changed meanwhile.
    #[error(
        "the keys of the store changed while the backup was made, so it was given up: make one when the change of keys has ended (`attache keys status`)"
    )]
    KeysChanged,
    /// A file or folder cannot be read or written.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BackupError {
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::File { path, source }
    }

    pub(super) fn damaged(path: &Path, detail: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            detail: detail.into(),
        }
    }
}

/// Why nothing was restored. What was there before is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The backup cannot be used.
    #[error("nothing was restored: {0}")]
    Backup(#[from] BackupError),
    /// A store is there already.
    #[error(
        "nothing was restored: there is a store in {} already. With --replace it is moved aside, and nothing of it is deleted",
        .0.display()
    )]
    StoreExists(PathBuf),
    /// The new store does not open, or cannot be moved to its place.
    #[error("nothing was restored: {0}")]
    Store(#[from] OpenError),
    /// A file or folder cannot be used.
    #[error("nothing was restored: cannot use {}: {source}", path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl RestoreError {
    pub(super) fn folder(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Folder { path, source }
    }
}

impl From<StoreError> for RestoreError {
    fn from(error: StoreError) -> Self {
        Self::Backup(error.into())
    }
}
