//! A look at a store that leaves every byte of it as it is.
//!
//! Owns the way to learn whether a store would open without opening it: sled rewrites files of its own as it opens, so
//! what is opened is a copy. Refuses to know what the records hold.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use tokio::task::spawn_blocking;

use super::backend::{KeyRange, Order};
use super::manifest::Group;
use super::probe::{self, Seen};
use super::{
    MasterKeys, OpenError, Settings, SpaceSettings, Store, StoreError, due, folder, key_check,
    sweep,
};
use crate::base::Random;

/// A store larger than this is not copied: 1 GiB.
const LARGEST_COPY: u64 = 1 << 30;

/// How many records are held at once.
const PAGE: usize = 1_000;

/// What a look at a store showed, when nothing speaks against opening it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// None was made yet.
    Absent,
    /// A process has it open, and the master key is the one that it was sealed with, as far as can be told from outside.
    InUse,
    /// A copy of it opened, and every record in it.
    Whole {
        /// How many records there are.
        records: usize,
    },
    /// A copy of it opened, but some records in it do not.
    RecordsDamaged {
        /// How many records there are.
        records: usize,
        /// How many of them do not open.
        damaged: usize,
    },
    /// No copy could be made or opened, for a reason that says nothing about the store.
    NotTried {
        /// What stood in the way.
        reason: String,
    },
}

/// Why no answer can be given that is about the store.
enum Unanswered {
    /// It is about the store after all.
    Store(OpenError),
    /// It is about the place for the copy.
    Scratch(String),
}

impl Store {
    /// Looks whether the store in `settings.data_dir` would open, and each record in it, without changing a byte there.
    /// The copy is made in a folder of its own inside `scratch`, for its owner alone and as sealed as the store itself,
    /// and is removed again.
    ///
    /// While the copy is made, a start of the gateway waits, or finds the store in use.
    ///
    /// # Errors
    /// What [`Store::open`] would say, except that it is in use.
    pub async fn examine(
        settings: &Settings,
        master_keys: impl Into<MasterKeys>,
        random: Random,
        scratch: PathBuf,
    ) -> Result<Condition, OpenError> {
        let master_keys = master_keys.into();
        key_check::confirm(settings, &master_keys, &random)?;
        if !settings.store_exists() {
            return Ok(Condition::Absent);
        }
        let from = settings.store_dir();
        let Some(lock) = lock(settings.log_file())? else {
            return Ok(Condition::InUse);
        };
        let name = format!("attache-{}", HEXLOWER.encode(&random.bytes::<8>()));
        let copy = ScratchFolder(scratch.join(name));
        match open_copy(lock, &from, &copy, settings, master_keys, random).await {
            Ok(condition) => Ok(condition),
            Err(Unanswered::Scratch(reason)) => Ok(Condition::NotTried { reason }),
            Err(Unanswered::Store(error)) => Err(error),
        }
    }
}

/// A data folder that is gone when this is.
struct ScratchFolder(PathBuf);

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        // What cannot be removed is sealed, and its owner's alone.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Keeps others from opening the store; none when somebody has. sled takes the same lock for itself alone.
pub(super) fn lock(path: PathBuf) -> Result<Option<File>, OpenError> {
    let locked = File::open(&path).and_then(|log| match log.try_lock_shared() {
        Ok(()) => Ok(Some(log)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(source),
    });
    locked.map_err(|source| OpenError::Folder { path, source })
}

async fn open_copy(
    lock: File,
    from: &Path,
    copy: &ScratchFolder,
    settings: &Settings,
    master_keys: MasterKeys,
    random: Random,
) -> Result<Condition, Unanswered> {
    let copied = Settings {
        data_dir: copy.0.clone(),
        ..settings.clone()
    };
    let (source, target) = (from.to_owned(), copied.store_dir());
    let copying = move || {
        let size = size(&source)?;
        if size > LARGEST_COPY {
            let reason = format!("it is larger than {LARGEST_COPY} bytes ({size})");
            return Err(io::Error::other(reason));
        }
        copy_folder(&source, &target)?;
        drop(lock);
        Ok(())
    };
    spawn_blocking(copying)
        .await
        .unwrap_or_else(|cut_short| Err(cut_short.into()))
        .map_err(|error| Unanswered::Scratch(error.to_string()))?;
    if let Some(program) = &settings.probe {
        match probe::look(program, &copied.store_dir()).await {
            Seen::Whole { .. } => {}
            Seen::NotTried(reason) => return Err(Unanswered::Scratch(reason)),
            Seen::Damaged(detail) => {
                let folder = from.to_owned();
                return Err(Unanswered::Store(OpenError::Damaged { folder, detail }));
            }
        }
    }
    let copied = Settings {
        probe: None,
        space: SpaceSettings {
            floor_bytes: Some(0),
            ballast_bytes: Some(0),
        },
        ..copied
    };
    let store = Store::open(&copied, master_keys, random)
        .await
        .map_err(|error| about(error, from))?;
    let counted = count(&store).await;
    store.close().await;
    counted.map_err(|error| {
        Unanswered::Store(OpenError::Damaged {
            folder: from.to_owned(),
            detail: error.to_string(),
        })
    })
}

/// What opening the copy says about the store that it was made of.
fn about(error: OpenError, store: &Path) -> Unanswered {
    let folder = store.to_owned();
    Unanswered::Store(match error {
        OpenError::WrongKey { .. } => OpenError::WrongKey { folder },
        OpenError::Damaged { detail, .. } => OpenError::Damaged { folder, detail },
        OpenError::NewerFormat { format, .. } => OpenError::NewerFormat { folder, format },
        OpenError::InUse { .. } | OpenError::NoSpace { .. } | OpenError::Folder { .. } => {
            return Unanswered::Scratch(error.to_string());
        }
    })
}

/// Opens every record, except those that the store keeps for itself: index key and house key are proven by the opening, and hints and
/// notes are not sealed.
async fn count(store: &Store) -> Result<Condition, StoreError> {
    let unsealed = [sweep::HINTS, due::NOTES, due::LANES].map(|prefix| format!("{prefix}/"));
    let (mut records, mut damaged) = (0, 0);
    let mut range = KeyRange::prefix("");
    loop {
        let rows = store.0.backend.scan(&range, Order::Ascending, PAGE).await?;
        let Some((last, _)) = rows.last() else {
            break;
        };
        range = range.past(last, Order::Ascending);
        for (key, sealed) in &rows {
            let key = String::from_utf8_lossy(key);
            if key.starts_with("store/") || unsealed.iter().any(|prefix| key.starts_with(prefix)) {
                continue;
            }
            // A manifest is no record of anybody's, but as good as one when it is damaged.
            let is_manifest = Group::of_manifest(&key).is_some();
            records += usize::from(!is_manifest);
            damaged += usize::from(store.0.open_record(&key, sealed).await.is_err());
        }
    }
    Ok(match damaged {
        0 => Condition::Whole { records },
        damaged => Condition::RecordsDamaged { records, damaged },
    })
}

/// The bytes of all files in `folder` and below.
fn size(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() {
            size(&entry.path())?
        } else {
            metadata.len()
        };
    }
    Ok(bytes)
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    folder::create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::store::{MasterKey, Table};

    struct Place {
        folder: tempfile::TempDir,
        settings: Settings,
        key: MasterKey,
    }

    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let settings = Settings::new(folder.path().join("data"));
            let key = MasterKey::generate(&Random::System);
            fs::create_dir(folder.path().join("scratch")).unwrap();
            Self {
                folder,
                settings,
                key,
            }
        }

        async fn open(&self) -> Store {
            let opened = Store::open(&self.settings, self.key.clone(), Random::System).await;
            opened.unwrap()
        }

        /// Looks, and proves that nothing was changed and nothing left behind.
        async fn look(&self, key: &MasterKey) -> Result<Condition, OpenError> {
            let before = self.bytes();
            let scratch = self.folder.path().join("scratch");
            let seen = Store::examine(&self.settings, key.clone(), Random::System, scratch.clone());
            let seen = seen.await;
            assert!(self.bytes() == before, "the store was changed");
            assert_eq!(fs::read_dir(scratch).unwrap().count(), 0);
            seen
        }

        fn bytes(&self) -> BTreeMap<PathBuf, Vec<u8>> {
            let Ok(entries) = fs::read_dir(self.settings.store_dir()) else {
                return BTreeMap::new();
            };
            let paths = entries.map(|entry| entry.unwrap().path());
            paths
                .filter(|path| path.is_file())
                .map(|path| (path.clone(), fs::read(path).unwrap()))
                .collect()
        }
    }

    #[tokio::test]
    async fn a_store_is_told_absent_whole_and_in_use() {
        let place = Place::new();
        assert_eq!(place.look(&place.key).await.unwrap(), Condition::Absent);
        assert!(!place.settings.data_dir.exists());

        let store = place.open().await;
        let table: Table<u8> = store.table("con");
        for n in 0..3 {
            table.create(&n.to_string(), &n).await.unwrap();
        }
        assert_eq!(place.look(&place.key).await.unwrap(), Condition::InUse);
        store.close().await;
        let whole = Condition::Whole { records: 3 };
        assert_eq!(place.look(&place.key).await.unwrap(), whole);
        place.open().await.close().await;
    }

    #[tokio::test]
    async fn another_key_is_told_even_while_the_store_is_in_use() {
        let place = Place::new();
        let store = place.open().await;
        let other = MasterKey::generate(&Random::System);
        for _ in ["in use", "closed"] {
            let error = place.look(&other).await.unwrap_err();
            assert!(matches!(error, OpenError::WrongKey { .. }), "{error}");
            store.clone().close().await;
        }
    }

    #[tokio::test]
    async fn damage_is_told_with_the_place_of_the_store() {
        let place = Place::new();
        place.open().await.close().await;
        let log = place.settings.log_file();
        let length = fs::metadata(&log).unwrap().len();
        fs::write(&log, vec![0xa5; usize::try_from(length).unwrap()]).unwrap();
        let error = place.look(&place.key).await.unwrap_err();
        let OpenError::Damaged { folder, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(folder, place.settings.store_dir());
    }

    #[tokio::test]
    async fn records_that_do_not_open_are_counted() {
        let place = Place::new();
        let store = place.open().await;
        let table: Table<u8> = store.table("con");
        table.create("1", &1).await.unwrap();
        let put = store.0.backend.swap("con/2", None, Some(b"rubbish"));
        put.await.unwrap();
        store.close().await;
        let expected = Condition::RecordsDamaged {
            records: 2,
            damaged: 1,
        };
        assert_eq!(place.look(&place.key).await.unwrap(), expected);
    }

    #[tokio::test]
    async fn without_a_place_for_the_copy_nothing_is_said_about_the_store() {
        let place = Place::new();
        place.open().await.close().await;
        let nowhere = place.folder.path().join("scratch-file");
        fs::write(&nowhere, b"").unwrap();
        let seen = Store::examine(&place.settings, place.key.clone(), Random::System, nowhere);
        let seen = seen.await.unwrap();
        assert!(matches!(seen, Condition::NotTried { .. }), "{seen:?}");
    }
}
