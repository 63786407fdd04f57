//! A small file beside sled's own that tells the right master key from a wrong one before sled is opened.
//!
//! Owns that file. Refuses to know more: the record in the store that holds the index key has the last word, this file
//! only spares a store the sight of a wrong key, since sled rewrites files of its own as it opens.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use tokio::task::spawn_blocking;

use super::error::OpenError;
use super::master_key::{MasterKey, MasterKeys};
use super::seal::{Seal, SealError};
use super::unlock::Place;
use super::{Settings, folder};
use crate::base::Random;

const NAME: &str = "key-check";
const PLACE: &[u8] = b"store/key-check";

/// What the file holds once the house has a data key. Before that it held nothing.
const HOUSE_HAS_A_KEY: &[u8] = b"house key";

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// Nothing: it is not there.
    Absent,
    /// Nothing: it is damaged.
    Unreadable,
    /// The store is sealed under the current master key.
    Current {
        /// The house has a data key.
        house_has_a_key: bool,
    },
    /// The store is still sealed, at least in part, under the previous master key.
    Previous {
        /// The house has a data key.
        house_has_a_key: bool,
    },
}

impl Check {
    /// The house's data key was made, so it must be there.
    pub(super) fn tells_of_a_house_key(self) -> bool {
        match self {
            Self::Absent | Self::Unreadable => false,
            Self::Current { house_has_a_key } | Self::Previous { house_has_a_key } => {
                house_has_a_key
            }
        }
    }
}

/// Checks, without changing anything, that one of the master keys is the one the store was sealed with, as far as the file
/// can tell.
pub(super) fn confirm(
    settings: &Settings,
    master_keys: &MasterKeys,
    random: &Random,
) -> Result<Check, OpenError> {
    let path = path(settings);
    let folder = settings.store_dir();
    let sealed = match fs::read(&path) {
        Ok(sealed) => sealed,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Check::Absent),
        Err(source) => return Err(OpenError::Folder { path, source }),
    };
    let check = read(&sealed, master_keys, random);
    match check {
        Err(SealError::OtherKey) => Err(OpenError::WrongKey { folder }),
        // The file is written once the store is there, so the store is gone.
        Ok(_) if !settings.store_exists() => Err(OpenError::Damaged {
            folder,
            detail: "its log is missing".to_owned(),
        }),
        Ok(check) => Ok(check),
        Err(SealError::Damaged | SealError::UnknownFormat(_)) => Ok(Check::Unreadable),
    }
}

fn read(sealed: &[u8], master_keys: &MasterKeys, random: &Random) -> Result<Check, SealError> {
    let open = |key: &MasterKey| {
        let held = seal(key, random).open(PLACE, sealed)?;
        Ok(held.as_slice() == HOUSE_HAS_A_KEY)
    };
    match (open(&master_keys.current), &master_keys.previous) {
        (Ok(house_has_a_key), _) => Ok(Check::Current { house_has_a_key }),
        (Err(SealError::OtherKey), Some(previous)) => {
            open(previous).map(|house_has_a_key| Check::Previous { house_has_a_key })
        }
        (Err(error), _) => Err(error),
    }
}

/// Leaves the file for the next start, when it is not there or says less than is true. While a change of the master key is
/// under way it names the previous one.
pub(super) async fn leave(place: &Place<'_>, check: Check) -> Result<(), OpenError> {
    let keys = place.master_keys;
    let under = match (check, &keys.previous) {
        (Check::Unreadable, _) => return Ok(()),
        (Check::Current { house_has_a_key } | Check::Previous { house_has_a_key }, _)
            if house_has_a_key =>
        {
            return Ok(());
        }
        (Check::Current { .. }, _) | (_, None) => &keys.current,
        (_, Some(previous)) => previous,
    };
    write(place.settings, under, place.random).await
}

/// Writes the file anew: the store is sealed under `master_key` from now on.
pub(super) async fn write(
    settings: &Settings,
    master_key: &MasterKey,
    random: &Random,
) -> Result<(), OpenError> {
    let path = path(settings);
    let sealed = seal(master_key, random).seal(PLACE, HOUSE_HAS_A_KEY);
    let (target, random) = (path.clone(), random.clone());
    spawn_blocking(move || folder::replace(&target, &sealed, &random))
        .await
        .unwrap_or_else(|cut_short| Err(cut_short.into()))
        .map_err(|source| match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => OpenError::NoSpace {
                folder: settings.store_dir(),
            },
            _ => OpenError::Folder { path, source },
        })
}

/// Whether the file is there, and so a store was made here before.
pub(super) fn is_present(settings: &Settings) -> bool {
    path(settings).exists()
}

fn path(settings: &Settings) -> PathBuf {
    settings.store_dir().join(NAME)
}

fn seal(master_key: &MasterKey, random: &Random) -> Seal {
    Seal::new(&master_key.store_key("check"), random.clone())
}
