//! What can go wrong with a store, told as something that the reader can do next.

use std::io;
use std::path::PathBuf;

use super::seal::SealError;

/// Why a store cannot be opened. No record has been touched when one of these is returned; sled may have rewritten files
/// of its own while it recovered its log.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The master key is not the one that this store was sealed with.
    #[error(
        "the master key is not the one that the store in {} was sealed with: start with the key it was made with; nothing was changed",
        folder.display()
    )]
    WrongKey {
        /// The store's folder.
        folder: PathBuf,
    },
    /// Another process, or another part of this one, has the store open.
    #[error("another process holds the store in {}: stop it first, or give this one another data folder", folder.display())]
    InUse {
        /// The store's folder.
        folder: PathBuf,
    },
    /// The disk is full.
    #[error("there is no space left on the disk that holds the store in {}: free some and start again", folder.display())]
    NoSpace {
        /// The store's folder.
        folder: PathBuf,
    },
    /// The store's files are damaged, or some of them are gone.
    #[error(
        "the store in {} is damaged ({detail}): keep a copy of the folder, and put back what it was from a backup with `attache restore`",
        folder.display()
    )]
    Damaged {
        /// The store's folder.
        folder: PathBuf,
        /// What was found.
        detail: String,
    },
    /// A later version of Attache wrote this store.
    #[error(
        "the store in {} was written in format {format}, which this version of Attache does not know: use the version that wrote it",
        folder.display()
    )]
    NewerFormat {
        /// The store's folder.
        folder: PathBuf,
        /// The format that was found.
        format: u8,
    },
    /// The folder or a file in it cannot be made, read or synced.
    #[error("cannot use {}: {source}", path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Why the store cannot do what was asked. Messages name keys, which hold no personal data, and never values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The record's bytes were changed outside Attache, or belong to another record.
    #[error(
        "the record `{key}` cannot be opened: it was changed outside Attache, or another record's bytes were put in its place; restore it from a backup or remove it"
    )]
    Damaged {
        /// The record's full key.
        key: String,
    },
    /// The record was written, and is gone without having been removed.
    #[error(
        "the record `{key}` is missing: it was written and not removed, so the store's files were damaged or changed; `attache store verify` shows what else is"
    )]
    Missing {
        /// The record's full key.
        key: String,
    },
    /// An older copy stands in the record's place.
    #[error(
        "the record `{key}` is older than one that was written later: the store's files were damaged, or an old copy was put back; `attache store verify` shows what else is"
    )]
    RolledBack {
        /// The record's full key.
        key: String,
    },
    /// The record stands in no manifest.
    #[error(
        "the record `{key}` is in no manifest: it was put there from outside, or its manifest is older than it; `attache store verify` shows what else is"
    )]
    Unlisted {
        /// The record's full key.
        key: String,
    },
    /// The record says that a later version wrote it.
    #[error(
        "the record `{key}` says format {format}, which this version of Attache does not know: use the version that wrote it"
    )]
    NewerFormat {
        /// The record's full key.
        key: String,
        /// The format that was found.
        format: u8,
    },
    /// The record opens, but its content is not what is expected at this key.
    #[error(
        "the record `{key}` was sealed by us but has another shape than this version expects: use the version that wrote it"
    )]
    OtherShape {
        /// The record's full key.
        key: String,
    },
    /// The value cannot be written as JSON, for example because it holds a map whose keys are no text.
    #[error("the value for `{key}` cannot be written as JSON")]
    Unwritable {
        /// The record's full key.
        key: String,
    },
    /// It cannot be known whether the write took effect.
    #[error(
        "it is not known whether the write of `{key}` took effect, since it could not be made durable: look again once the store has been reopened"
    )]
    Unknown {
        /// The record's full key.
        key: String,
    },
    /// The disk is nearly full, so nothing new is begun. Reading goes on, and what has begun can end.
    #[error(
        "the disk that holds the store is nearly full, so nothing new is written: free some space; Attache goes on by itself then"
    )]
    NoSpace,
    /// An earlier write could not be made durable, and the store could not be reopened since, so no more are taken. Reading
    /// goes on where it can.
    #[error(
        "the store takes no writes for now, since one could not be made durable ({reason}): see to the disk; Attache tries again by itself"
    )]
    Poisoned {
        /// What failed.
        reason: String,
    },
    /// The storage engine cannot read.
    #[error(
        "the storage engine cannot read ({reason}): see to the disk; if that is sound, restore a backup"
    )]
    Engine {
        /// What the engine said.
        reason: String,
    },
    /// The store was closed.
    #[error("the store is closed, since Attache is stopping")]
    Closed,
}

impl StoreError {
    /// The full key of the record that alone is concerned; none when the store as a whole is.
    #[must_use]
    pub fn record(&self) -> Option<&str> {
        match self {
            Self::Damaged { key }
            | Self::Missing { key }
            | Self::RolledBack { key }
            | Self::Unlisted { key }
            | Self::NewerFormat { key, .. }
            | Self::OtherShape { key }
            | Self::Unwritable { key } => Some(key),
            Self::Unknown { .. }
            | Self::NoSpace
            | Self::Poisoned { .. }
            | Self::Engine { .. }
            | Self::Closed => None,
        }
    }

    /// The error of one record whose sealed bytes do not open.
    pub(super) fn unsealing(key: &str, error: SealError) -> Self {
        let key = key.to_owned();
        match error {
            SealError::UnknownFormat(format) => Self::NewerFormat { key, format },
            SealError::OtherKey | SealError::Damaged => Self::Damaged { key },
        }
    }
}

/// Why a record was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// Another write came first: read again and decide anew.
    #[error("another write came first")]
    Conflict,
    /// The store itself failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
