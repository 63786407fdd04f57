//! Room on the disk: how much is left, what may still use it, and a file that is there only to be removed.
//!
//! Owns the floor of free space, the ballast, and the look at the file system. Refuses to know what is written, and what a
//! database is.
//!
//! Free space is what the file system offers a process without privileges (`statvfs(3)`, `f_bavail`); a quota on the
//! project or the mount shows there, one on the user does not. For that one the ballast stands: it is fully allocated,
//! so that making it proves that there was room for it, and once it had to be freed nothing new is begun until it could be
//! made again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;

use super::{Settings, folder};
use crate::base::Random;

/// The file that is removed when the last of the space is needed. It holds nothing.
const BALLAST: &str = "ballast";

/// The file whose writing shows whether the disk takes anything.
const TRIAL: &str = "ballast.trial";

/// One part in so many of the file system is the floor, and the ballast, unless set.
const PARTS: u64 = 12;

/// What is left alone even by the last writes: below it sled would run into the end of the disk, and then be of no use
/// until it is reopened.
const LEAST: u64 = 64 << 10;

/// What is written to see whether the disk takes it, in bytes.
const TRIAL_BYTES: usize = 16 << 10;

/// How much of the disk is kept free, and how much is held back for what has begun: `[store]` of the configuration file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpaceSettings {
    /// Nothing new is written while less than this many bytes are free. `None`: a twelfth of the file system, at most
    /// 64 MiB.
    pub floor_bytes: Option<u64>,
    /// The size of the ballast file in bytes; 0 for none. `None`: a twelfth of the file system, at most 16 MiB.
    pub ballast_bytes: Option<u64>,
}

impl SpaceSettings {
    /// The most that [`SpaceSettings::floor_bytes`] is unless set: 64 MiB.
    pub const LARGEST_FLOOR: u64 = 64 << 20;
    /// The most that [`SpaceSettings::ballast_bytes`] is unless set: 16 MiB.
    pub const LARGEST_BALLAST: u64 = 16 << 20;
}

/// What decides whether a store that did not open may open now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circumstances {
    free: Option<u64>,
    /// Length, change time and number of the log.
    log: Option<(u64, i64, i64, u64)>,
}

impl Circumstances {
    /// How they are now.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let known = fs::metadata(settings.log_file()).ok();
        Self {
            free: free(&settings.data_dir),
            log: known.map(|known| (known.len(), known.mtime(), known.mtime_nsec(), known.ino())),
        }
    }

    /// Whether it is worth a try, when it was not at `before`: there is more room, or other files.
    #[must_use]
    pub fn are_better_than(&self, before: &Self) -> bool {
        self.free > before.free || self.log != before.log
    }
}

/// What may be written now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Room {
    /// Nothing: it would not fit.
    None,
    /// What ends something that has begun.
    Scarce,
    /// Everything.
    Plenty,
}

/// How the ballast stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ballast {
    /// It is there.
    Held,
    /// It was freed, or never made: it is made when there is room.
    Wanted,
    /// There is to be none, or this file system cannot have one.
    None,
}

/// The room on the file system of one data folder.
#[derive(Debug)]
pub(super) struct Space {
    folder: PathBuf,
    floor: u64,
    ballast_bytes: u64,
    ballast: Ballast,
}

impl Space {
    /// The room around `folder`, which exists.
    pub(super) fn of(folder: &Path, settings: SpaceSettings) -> Self {
        let total = total(folder).unwrap_or(u64::MAX);
        let share = |most: u64| (total / PARTS).min(most);
        let floor = settings.floor_bytes;
        let ballast_bytes = settings
            .ballast_bytes
            .unwrap_or_else(|| share(SpaceSettings::LARGEST_BALLAST));
        let mut space = Self {
            folder: folder.to_owned(),
            floor: floor.unwrap_or_else(|| share(SpaceSettings::LARGEST_FLOOR)),
            ballast_bytes,
            ballast: Ballast::None,
        };
        if ballast_bytes > 0 {
            space.ballast = if space.is_whole() {
                Ballast::Held
            } else {
                Ballast::Wanted
            };
        }
        space
    }

    /// Room without an end, for stores whose files are nobody's worry.
    #[cfg(test)]
    pub(super) fn endless(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            floor: 0,
            ballast_bytes: 0,
            ballast: Ballast::None,
        }
    }

    /// What may be written, when what comes is `bytes` long. sled writes more than it is given: what else is on a page is
    /// written again from time to time.
    pub(super) fn room(&self, bytes: u64) -> Room {
        let Some(free) = self.free() else {
            return Room::Plenty;
        };
        if self.floor == 0 && self.ballast_bytes == 0 {
            return Room::Plenty;
        }
        let needed = LEAST.saturating_add(bytes.saturating_mul(4));
        if free < needed {
            Room::None
        } else if free < self.floor.max(needed) || self.ballast == Ballast::Wanted {
            Room::Scarce
        } else {
            Room::Plenty
        }
    }

    /// Whether `bytes` more leave the floor free.
    pub(super) fn takes(&self, bytes: u64) -> bool {
        let wanted = self.floor.saturating_add(bytes);
        self.free().is_none_or(|free| free >= wanted)
    }

    /// Frees the ballast when less is free than half the floor: what comes now has to fit.
    pub(super) fn make_way(&mut self, bytes: u64) {
        let needed = LEAST.saturating_add(bytes.saturating_mul(4));
        let low = self
            .free()
            .is_some_and(|free| free < needed.max(self.floor / 2));
        if low {
            self.free_ballast();
        }
    }

    /// Removes the ballast. Answers whether there was one.
    pub(super) fn free_ballast(&mut self) -> bool {
        let path = self.folder.join(BALLAST);
        // Some file systems need room to remove a file, and none to shorten it.
        let shortened = OpenOptions::new()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_len(0));
        let removed = fs::remove_file(&path).and_then(|()| folder::sync(&self.folder));
        let freed = shortened.or(removed).is_ok();
        if self.ballast == Ballast::Held {
            self.ballast = Ballast::Wanted;
        }
        if freed {
            tracing::warn!(
                folder = %self.folder.display(),
                "the disk is nearly full: the ballast was freed, so that what has begun can end; free some space"
            );
        }
        freed
    }

    /// Whether something is wanted that time may bring: room for the ballast.
    pub(super) fn waits(&self) -> bool {
        self.ballast == Ballast::Wanted
    }

    /// Makes the ballast if it is wanted and there is room for it beside the floor.
    pub(super) fn restore(&mut self) {
        let room = self.floor.saturating_add(self.ballast_bytes);
        if !self.waits() || self.free().is_some_and(|free| free < room) {
            return;
        }
        self.ballast = match self.make_ballast() {
            Ok(()) => Ballast::Held,
            Err(error) if is_full(error.kind()) => Ballast::Wanted,
            Err(error) => {
                tracing::warn!(
                    %error,
                    folder = %self.folder.display(),
                    "the ballast cannot be made: a full disk will be met without one"
                );
                Ballast::None
            }
        };
    }

    /// Whether the disk takes a write and makes it durable.
    pub(super) fn try_out(&self) -> io::Result<()> {
        let path = self.folder.join(TRIAL);
        let tried = private(&path).and_then(|mut file| {
            file.write_all(&[0x5a; TRIAL_BYTES])?;
            file.sync_all()
        });
        let removed = match fs::remove_file(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        };
        tried.and(removed)
    }

    /// The bytes that are left for us; `None` when the system does not say.
    fn free(&self) -> Option<u64> {
        free(&self.folder)
    }

    fn is_whole(&self) -> bool {
        let found = fs::metadata(self.folder.join(BALLAST));
        // `st_blocks` counts 512 bytes each, whatever the file system's own are.
        found.is_ok_and(|found| {
            found.len() == self.ballast_bytes && found.blocks() * 512 >= found.len()
        })
    }

    fn make_ballast(&self) -> io::Result<()> {
        let path = self.folder.join(BALLAST);
        let made = private(&path).and_then(|mut file| {
            allocate(&mut file, self.ballast_bytes)?;
            file.sync_all()
        });
        match made {
            Ok(()) => folder::sync(&self.folder),
            Err(error) => {
                // Half a ballast is only in the way.
                let _ = fs::remove_file(&path);
                Err(error)
            }
        }
    }
}

/// Whether an error says that there is no more room.
pub(super) fn is_full(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// The same for the text of one: sled's panics, and the copies that it makes of errors, have nothing else.
pub(super) fn speaks_of_a_full_disk(text: &str) -> bool {
    [
        "No space left",
        "StorageFull",
        "Disk quota exceeded",
        "QuotaExceeded",
    ]
    .iter()
    .any(|words| text.contains(words))
}

fn free(folder: &Path) -> Option<u64> {
    let seen = statvfs(folder).ok()?;
    Some(seen.f_bavail.saturating_mul(seen.f_frsize))
}

fn total(folder: &Path) -> Option<u64> {
    let seen = statvfs(folder).ok()?;
    Some(seen.f_blocks.saturating_mul(seen.f_frsize))
}

fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)
}

/// Takes `bytes` of the disk for `file`. Where the file system cannot promise them, they are written: by chance, since
/// some file systems keep what can be compressed in less room.
fn allocate(file: &mut File, bytes: u64) -> io::Result<()> {
    match fallocate(&*file, FallocateFlags::empty(), 0, bytes) {
        Ok(()) => return Ok(()),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
        Err(error) => return Err(error.into()),
    }
    let mut left = bytes;
    while left > 0 {
        let block: [u8; 4096] = Random::System.bytes();
        let length = left.min(block.len() as u64);
        file.write_all(&block[..usize::try_from(length).unwrap_or(block.len())])?;
        left -= length;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn space(folder: &Path, floor: u64, ballast: u64) -> Space {
        let settings = SpaceSettings {
            floor_bytes: Some(floor),
            ballast_bytes: Some(ballast),
        };
        Space::of(folder, settings)
    }

    #[test]
    fn the_ballast_takes_its_room_is_private_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = space(folder.path(), 1, 1 << 20);
        assert_eq!(
            first.room(0),
            Room::Scarce,
            "nothing new before it is there"
        );
        first.restore();
        assert_eq!(first.room(0), Room::Plenty);
        let found = fs::metadata(folder.path().join(BALLAST)).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, 0o600);
        assert!(found.blocks() * 512 >= 1 << 20, "it takes no room");

        let mut second = space(folder.path(), 1, 1 << 20);
        assert!(!second.waits());
        assert!(second.free_ballast() && second.waits());
        assert!(!folder.path().join(BALLAST).exists());
        assert!(!second.free_ballast(), "there is none to free");
        second.restore();
        assert!(!second.waits());
    }

    #[test]
    fn below_the_floor_only_the_last_writes_are_let_through() {
        let folder = tempfile::tempdir().unwrap();
        let mut low = space(folder.path(), u64::MAX / 2, 1 << 20);
        low.restore();
        assert!(
            low.waits(),
            "there is no room for the ballast beside the floor"
        );
        assert_eq!(low.room(0), Room::Scarce);
        assert_eq!(low.room(u64::MAX / 8), Room::None);
        assert_eq!(Space::endless(folder.path()).room(1 << 40), Room::Plenty);
    }

    #[test]
    fn defaults_are_a_share_of_the_disk_and_never_much() {
        let folder = tempfile::tempdir().unwrap();
        let usual = Space::of(folder.path(), SpaceSettings::default());
        let total = total(folder.path()).unwrap();
        assert_eq!(usual.floor, (total / 12).min(64 << 20));
        assert_eq!(usual.ballast_bytes, (total / 12).min(16 << 20));
    }

    #[test]
    fn a_trial_leaves_nothing_behind_and_notices_a_folder_that_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let space = Space::endless(folder.path());
        space.try_out().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        folder.close().unwrap();
        assert!(space.try_out().is_err());
    }

    #[test]
    fn a_full_disk_is_known_by_its_words() {
        let error = io::Error::from_raw_os_error(28);
        assert!(is_full(error.kind()));
        for text in [error.to_string(), format!("{error:?}")] {
            assert!(speaks_of_a_full_disk(&text), "{text}");
        }
        assert!(!speaks_of_a_full_disk("Input/output error (os error 5)"));
    }
}
