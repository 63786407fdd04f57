//! Is there a backup, and is it recent?

use std::path::{Path, PathBuf};

use super::Gravity;
use crate::app::control::{Answer, Command, ask_running};
use crate::base::{Clock, Timestamp};
use crate::store::Shelf;

/// How backups stand.
#[derive(Debug)]
pub enum BackupFinding {
    /// The newest one, and where they are.
    Newest {
        /// The folder.
        folder: PathBuf,
        /// When it was begun.
        made: Timestamp,
    },
    /// There is none; the running gateway makes one within minutes.
    NoneYet {
        /// The folder.
        folder: PathBuf,
    },
    /// A gateway runs, and none was made for twice as long as there should be between two.
    Late {
        /// The folder.
        folder: PathBuf,
        /// When the newest was begun.
        made: Timestamp,
    },
    /// None are made by themselves.
    SwitchedOff {
        /// When the newest that somebody asked for was begun.
        newest: Option<Timestamp>,
    },
    /// The last one that was due was not made: why, and what to do.
    Failed(String),
    /// The folder cannot be read.
    Unreadable {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        why: String,
    },
}

impl BackupFinding {
    pub(super) fn gravity(&self) -> Gravity {
        match self {
            Self::Newest { .. } | Self::NoneYet { .. } | Self::SwitchedOff { newest: Some(_) } => {
                Gravity::Ok
            }
            Self::SwitchedOff { newest: None } | Self::Late { .. } | Self::Unreadable { .. } => {
                Gravity::Warning
            }
            Self::Failed(_) => Gravity::Problem,
        }
    }
}

/// Looks into the folder, and asks the gateway on `socket`, if one runs, how its last backup went.
pub(super) fn examine(shelf: &Shelf, socket: Option<&Path>, clock: &Clock) -> BackupFinding {
    let folder = shelf.folder.clone();
    let running = socket.map(|socket| ask_running(socket, &Command::Backups));
    if let Some(Ok(Some(Answer::Backups(report)))) = &running
        && let Some(failure) = &report.failure
    {
        return BackupFinding::Failed(failure.clone());
    }
    let newest = match shelf.list() {
        Ok(list) => list.first().map(|newest| newest.made),
        Err(error) => {
            let why = error.to_string();
            return BackupFinding::Unreadable { folder, why };
        }
    };
    match (shelf.every, newest) {
        (None, newest) => BackupFinding::SwitchedOff { newest },
        (Some(_), None) => BackupFinding::NoneYet { folder },
        (Some(every), Some(made)) if running.is_some() && clock.now().since(made) > every * 2 => {
            BackupFinding::Late { folder, made }
        }
        (Some(_), Some(made)) => BackupFinding::Newest { folder, made },
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_newest_backup_is_told_and_whether_there_is_one() {
        let data = tempfile::tempdir().unwrap();
        let shelf = Shelf::beside(data.path());
        let now = Timestamp::from_unix(1_800_000_000);
        let clock = Clock::manual(now);
        let look = |shelf: &Shelf, socket| examine(shelf, socket, &clock);
        assert!(matches!(look(&shelf, None), BackupFinding::NoneYet { .. }));
        let off = Shelf {
            every: None,
            ..shelf.clone()
        };
        assert_eq!(look(&off, None).gravity(), Gravity::Warning);
        fs::create_dir_all(&shelf.folder).unwrap();
        fs::write(shelf.place_for(now, true), b"x").unwrap();
        assert_eq!(look(&off, None).gravity(), Gravity::Ok);
        assert!(matches!(look(&shelf, None), BackupFinding::Newest { made, .. } if made == now));
        // Nobody makes any while nothing runs.
        clock.advance(Duration::from_hours(72));
        let nobody = data.path().join("control.sock");
        assert_eq!(look(&shelf, None).gravity(), Gravity::Ok);
        assert!(matches!(
            look(&shelf, Some(&nobody)),
            BackupFinding::Late { .. }
        ));
        fs::remove_dir_all(&shelf.folder).unwrap();
        fs::write(&shelf.folder, b"in the way").unwrap();
        assert!(matches!(
            look(&shelf, None),
            BackupFinding::Unreadable { .. }
        ));
    }
}
