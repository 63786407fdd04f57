//! Backups: everything worth keeping of a store in one sealed file, and a store again from such a file.
//!
//! Owns what goes into a backup, how the file is made, read and kept, and how a store takes another's place. Refuses to know
//! who makes one, and what anybody is told.
//!
//! A backup is made while the store is written to. Records that belong together are copied together, as they stood at one
//! moment ([`group`]); the parts themselves are of different moments, which is no more than what a reader of the store
//! sees. Records stay sealed as they are in the store: whoever has the file and not the master key learns what whoever has
//! the disk learns, less the keys.
//!
//! | file | what |
//! |---|---|
//! | `keeping` | which table goes into a backup, and why |
//! | `format` | the file, byte by byte |
//! | `draft` | a file that is there whole or not at all |
//! | `group` | records that belong together, as they stood at one moment |
//! | `make` | from a store to a file |
//! | `check` | reading a file back, down to the last record |
//! | `shelf` | the folder where backups are kept, and how long |
//! | `restore`, `place` | from a file to a store, and that store to its place |

mod check;
mod draft;
mod error;
mod format;
mod group;
mod keeping;
mod make;
mod place;
mod restore;
mod shelf;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use self::error::{BackupError, RestoreError};
pub use self::format::BackupHeader;
pub(super) use self::place::tidy;
pub use self::restore::{ConnectionBack, Restore, Restored};
pub use self::shelf::{Shelf, Shelved};

/// A backup that was read back to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Where it is.
    pub path: PathBuf,
    /// What its file says of itself in clear.
    pub header: BackupHeader,
    /// What is in it.
    pub counts: BackupCounts,
    /// The length of the file.
    pub bytes: u64,
}

/// What is in a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupCounts {
    /// All rows.
    pub rows: u64,
    /// The rows of each table, by its prefix.
    pub tables: BTreeMap<String, u64>,
}

impl BackupCounts {
    /// How many people are in it.
    #[must_use]
    pub fn people(&self) -> u64 {
        self.of("per")
    }

    /// How many connections are in it.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.of("con")
    }

    /// How many agents are in it.
    #[must_use]
    pub fn agents(&self) -> u64 {
        self.of("agt")
    }

    fn of(&self, table: &str) -> u64 {
        self.tables.get(table).copied().unwrap_or(0)
    }

    fn add(&mut self, key: &str) {
        self.rows += 1;
        let table = keeping::table_of(key);
        // Almost always there already, and then no text is copied.
        match self.tables.get_mut(table) {
            Some(rows) => *rows += 1,
            None => drop(self.tables.insert(table.to_owned(), 1)),
        }
    }
}

/// What is being done, for whoever shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Rows are copied into the file; nobody knows how many there are.
    Writing,
    /// The file is read back, or read for a restore: bytes of its length.
    Reading,
    /// The records of a restored store are opened one by one.
    Checking,
}

/// Hears how far the work is: the stage, how much is done, and of how much, where that is known.
pub type Progress<'a> = &'a (dyn Fn(Stage, u64, Option<u64>) + Send + Sync);

#[cfg(test)]
mod tests;
