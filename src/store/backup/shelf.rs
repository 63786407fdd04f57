//! The folder where backups are kept.
//!
//! Owns their names, which of them are there, whether one is due, and which are old enough to go. A name says when the
//! backup was made and whether somebody asked for it; those that somebody asked for are never removed. Refuses to know what
//! is in them.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;
use crate::store::folder;

const BEGINNING: &str = "attache-";
const ENDING: &str = ".backup";
const AUTOMATIC: &str = ".auto";

/// Where backups are kept, how often one is made by itself, and how many of those stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shelf {
    /// The folder. Made, for its owner alone, with the first backup.
    pub folder: PathBuf,
    /// How often one is made by itself; none: never.
    pub every: Option<Duration>,
    /// How many of those that were made by themselves stay: the newest. One at least.
    pub keep: usize,
}

/// One backup on the shelf, by its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shelved {
    /// The file.
    pub path: PathBuf,
    /// When it was begun.
    pub made: Timestamp,
    /// Whether it was made by itself.
    pub automatic: bool,
    /// The length of the file.
    pub bytes: u64,
}

impl Shelf {
    /// What [`Shelf::every`] is unless set: a day.
    pub const EVERY: Duration = Duration::from_hours(24);
    /// What [`Shelf::keep`] is unless set.
    pub const KEEP: usize = 7;

    /// The shelf of a data folder, as usual.
    #[must_use]
    pub fn beside(data_dir: &Path) -> Self {
        Self {
            folder: data_dir.join("backups"),
            every: Some(Self::EVERY),
            keep: Self::KEEP,
        }
    }

    /// Where a backup that is begun at `now` goes.
    #[must_use]
    pub fn place_for(&self, now: Timestamp, automatic: bool) -> PathBuf {
        self.folder.join(Self::name(now, automatic))
    }

    /// What a backup that is begun at `now` is called, as in `attache-20261123T062245Z.backup`.
    #[must_use]
    pub fn name(now: Timestamp, automatic: bool) -> String {
        let time = now.to_string().replace(['-', ':'], "");
        let automatic = if automatic { AUTOMATIC } else { "" };
        format!("{BEGINNING}{time}{automatic}{ENDING}")
    }

    /// The backups that are there, the newest first. Files of other names are none.
    ///
    /// # Errors
    /// Those of the file system; a folder that is not there is empty.
    pub fn list(&self) -> io::Result<Vec<Shelved>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let Some((made, automatic)) = name.to_str().and_then(parse) else {
                continue;
            };
            let metadata = match entry.metadata() {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                metadata => metadata?,
            };
            if metadata.is_file() {
                found.push(Shelved {
                    path: entry.path(),
                    made,
                    automatic,
                    bytes: metadata.len(),
                });
            }
        }
        found.sort_by(|one, other| other.made.cmp(&one.made).then(one.path.cmp(&other.path)));
        Ok(found)
    }

    /// Whether one should be made by itself now. One from the future, made under a clock that was wrong, does not count.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn is_due(&self, now: Timestamp) -> io::Result<bool> {
        let Some(every) = self.every else {
            return Ok(false);
        };
        let newest = self
            .list()?
            .into_iter()
            .find(|backup| backup.automatic && backup.made <= now);
        Ok(newest.is_none_or(|newest| now.since(newest.made) >= every))
    }

    /// Removes all but the newest of those that were made by themselves. Only to be called once a new one was read back.
    /// Answers how many went.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn remove_old(&self) -> io::Result<usize> {
        let old = self.list()?.into_iter().filter(|backup| backup.automatic);
        let mut removed = 0;
        for backup in old.skip(self.keep.max(1)) {
            fs::remove_file(&backup.path)?;
            removed += 1;
        }
        if removed > 0 {
            folder::sync(&self.folder)?;
        }
        Ok(removed)
    }
}

fn parse(name: &str) -> Option<(Timestamp, bool)> {
    let rest = name.strip_prefix(BEGINNING)?.strip_suffix(ENDING)?;
    let (time, automatic) = match rest.strip_suffix(AUTOMATIC) {
        Some(time) => (time, true),
        None => (rest, false),
    };
    Some((Timestamp::parse(time)?, automatic))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_unix(1_800_000_000);
    const DAY: Duration = Duration::from_hours(24);

    fn put(shelf: &Shelf, made: Timestamp, automatic: bool) {
        fs::create_dir_all(&shelf.folder).unwrap();
        fs::write(shelf.place_for(made, automatic), b"x").unwrap();
    }

    #[test]
    fn names_say_when_and_why() {
        let name = Shelf::name(NOON, true);
        assert_eq!(name, "attache-20270115T080000Z.auto.backup");
        assert_eq!(parse(&name), Some((NOON, true)));
        assert_eq!(parse(&Shelf::name(NOON, false)), Some((NOON, false)));
        for other in [
            "attache-x.backup",
            "notes.backup",
            "attache-20270115T080000Z.backup.1.backup-draft",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn one_is_due_when_the_newest_of_its_kind_is_too_old() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::beside(folder.path());
        assert!(shelf.is_due(NOON).unwrap());
        put(&shelf, NOON, false);
        assert!(
            shelf.is_due(NOON).unwrap(),
            "one that somebody asked for is another matter"
        );
        put(&shelf, NOON, true);
        assert!(!shelf.is_due(NOON + DAY / 2).unwrap());
        assert!(shelf.is_due(NOON + DAY).unwrap());
        put(&shelf, NOON + DAY * 400, true);
        assert!(
            shelf.is_due(NOON + DAY).unwrap(),
            "the clock was wrong once"
        );
        let off = Shelf {
            every: None,
            ..shelf
        };
        assert!(!off.is_due(NOON + DAY).unwrap());
    }

    #[test]
    fn the_newest_stay_and_what_somebody_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf {
            keep: 2,
            ..Shelf::beside(folder.path())
        };
        for day in 0..5 {
            put(&shelf, NOON + DAY * day, true);
        }
        put(&shelf, NOON, false);
        fs::write(shelf.folder.join("mine.txt"), b"").unwrap();
        assert_eq!(shelf.remove_old().unwrap(), 3);
        let left: Vec<_> = shelf
            .list()
            .unwrap()
            .iter()
            .map(|left| (left.made, left.automatic))
            .collect();
        assert_eq!(
            left,
            [
                (NOON + DAY * 4, true),
                (NOON + DAY * 3, true),
                (NOON, false)
            ]
        );
        assert!(shelf.folder.join("mine.txt").exists());
    }
}
