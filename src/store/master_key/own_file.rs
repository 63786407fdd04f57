//! Another key in the place of the one in our own key file.
//!
//! Owns the file beside it that holds the next key until a store has changed over, and the one that keeps the old key
//! after. Both names are durable before anything relies on them. Refuses to know how the store changes over.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::{Exposure, MasterKey, MasterKeyError, Unread, absent, make, read};
use crate::base::Random;
use crate::store::folder;

/// `master.key.next`, beside `master.key`.
fn next(path: &Path) -> PathBuf {
    beside(path, "next")
}

/// `master.key.retired-{id}`, beside `master.key`.
fn retired(path: &Path, id: &str) -> PathBuf {
    beside(path, &format!("retired-{id}"))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or(OsStr::new("key")).to_owned();
    name.push(format!(".{suffix}"));
    path.with_file_name(name)
}

/// The key that is to take the place of the one at `path`.
pub(super) fn find_next(path: &Path) -> Result<Option<MasterKey>, MasterKeyError> {
    let next = next(path);
    read(&next, Exposure::Refused).map_err(Unread::at(&next))
}

/// The same, made when there is none.
pub(in crate::store) fn make_next(
    path: &Path,
    random: &Random,
) -> Result<MasterKey, MasterKeyError> {
    if let Some(key) = find_next(path)? {
        return Ok(key);
    }
    let next = next(path);
    make(&next, random).map_err(|source| MasterKeyError::File {
        path: next.clone(),
        source,
    })?;
    find_next(path)?.ok_or_else(|| absent(&next))
}

/// Puts the next key in the place of the one at `path`, which is kept under the id it had. Answers where. May be repeated
/// after it was cut off anywhere; none: there is no next key, so that was done before.
pub(in crate::store) fn promote_next(path: &Path, old_id: &str) -> io::Result<Option<PathBuf>> {
    let next = next(path);
    if !next.try_exists()? {
        return Ok(None);
    }
    let retired = retired(path, old_id);
    folder::link(path, &retired)?;
    folder::sync_parent(path)?;
    match fs::rename(&next, path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    folder::sync_parent(path)?;
    Ok(Some(retired))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{KeySource, MasterKeys, Settings};

    #[test]
    fn the_next_key_takes_the_place_of_the_old_one_which_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::new(folder.path().to_owned());
        let source = KeySource::beside(&settings);
        let load = || MasterKeys::load(&source, None, &settings, &Random::System).unwrap();
        let path = folder.path().join("master.key");
        let old = load().current;
        assert!(promote_next(&path, "1").unwrap().is_none());

        let new = make_next(&path, &Random::System).unwrap();
        assert_eq!(make_next(&path, &Random::System).unwrap().0, new.0);
        let both = load();
        assert_eq!(both.current.0, new.0);
        assert_eq!(both.previous.unwrap().0, old.0);

        // Cut off after the first of its two steps.
        folder::link(&path, &retired(&path, "1")).unwrap();
        let kept = promote_next(&path, "1").unwrap().unwrap();
        let kept = read(&kept, Exposure::Refused).ok().flatten().unwrap();
        assert_eq!(kept.0, old.0);
        let after = load();
        assert_eq!(after.current.0, new.0);
        assert!(after.previous.is_none());
    }
}
