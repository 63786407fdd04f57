//! A small file beside sled's own that tells the right master key from a wrong one before sled is opened.
//!
//! Owns that file. Refuses to know more: the record in the store that holds the index key has the last word, this file
//! only spares a store the sight of a wrong key, since sled rewrites files of its own as it opens.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use tokio::task::spawn_blocking;

use super::error::OpenError;
use super::master_key::MasterKey;
use super::seal::{Seal, SealError};
use super::{Settings, folder};
use crate::base::Random;

const NAME: &str = "key-check";
const PLACE: &[u8] = b"store/key-check";

/// Checks, without changing anything, that `master_key` is the one the store was sealed with, as far as the file can
/// tell. A file that is missing or damaged says nothing.
pub(super) fn confirm(
    settings: &Settings,
    master_key: &MasterKey,
    random: &Random,
) -> Result<(), OpenError> {
    let path = path(settings);
    let folder = settings.store_dir();
    let sealed = match fs::read(&path) {
        Ok(sealed) => sealed,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(OpenError::Folder { path, source }),
    };
    match seal(master_key, random).open(PLACE, &sealed) {
        Err(SealError::OtherKey) => Err(OpenError::WrongKey { folder }),
        // The file is written once the store is there, so the store is gone.
        Ok(_) if !settings.store_exists() => Err(OpenError::Damaged {
            folder,
            detail: "its log is missing".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Whether the file is there, and so a store was made here before.
pub(super) fn is_present(settings: &Settings) -> bool {
    path(settings).exists()
}

/// Leaves the file for the next start, when it is not there.
pub(super) async fn leave(
    settings: &Settings,
    master_key: &MasterKey,
    random: &Random,
) -> Result<(), OpenError> {
    let path = path(settings);
    if path.exists() {
        return Ok(());
    }
    let sealed = seal(master_key, random).seal(PLACE, b"");
    let (place, random) = (path.clone(), random.clone());
    spawn_blocking(move || folder::place_new(&place, &sealed, &random))
        .await
        .unwrap_or_else(|cut_short| Err(cut_short.into()))
        .map(drop)
        .map_err(|source| match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => OpenError::NoSpace {
                folder: settings.store_dir(),
            },
            _ => OpenError::Folder { path, source },
        })
}

fn path(settings: &Settings) -> PathBuf {
    settings.store_dir().join(NAME)
}

fn seal(master_key: &MasterKey, random: &Random) -> Seal {
    Seal::new(&master_key.store_key("check"), random.clone())
}
