//! Floor 2: state at rest.
//!
//! Owns where state is kept (in memory, or in sled), its sealing under the master key, and typed tables above both.
//! Refuses to know what a tool, a person or a connection is: it keeps values under keys.
//!
//! Everything is built on three verbs: `get`, `swap` (compare and swap) and `scan`. Create, replace, delete and
//! take-once are one verb, since a sealed value has a fresh nonce: equal bytes mean the same write. There are no
//! transactions over several records; flows are ordered so that a cut between two writes is safe.
//!
//! A write is durable before it is acknowledged. A read may show what is not durable yet; anything later written on the
//! strength of it can only be durable together with it, since the log is one sequence, and an effect outside this
//! process must wait for an acknowledged write of its own in any case.
//!
//! Keys are readable to whoever holds the files; values are not. So keys are made of random ids and of
//! [`Store::index`], never of names, addresses or accounts.
//!
//! Sealing shows that what is there was put there under this key, at this place. That something is missing, that an old
//! copy was put back, or that a row was added shows by the manifests, and on sled by the root above them.

mod backend;
mod backup;
mod cache;
mod commit;
#[cfg(test)]
mod conformance;
mod due;
mod envelope;
mod error;
mod examine;
mod first_look;
mod folder;
mod format;
mod key_check;
mod keys;
mod manifest;
mod master_key;
mod memory;
mod probe;
mod reads;
mod records;
mod root;
mod seal;
mod sled;
mod space;
mod sweep;
mod table;
mod unlock;
mod verify;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, Weak};

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::task::spawn_blocking;
use zeroize::{Zeroize, ZeroizeOnDrop};

pub use backup::{
    Backup, BackupCounts, BackupError, BackupHeader, ConnectionBack, Progress, Restore,
    RestoreError, Restored, Shelf, Shelved, Stage,
};
pub use due::{DueNote, Lane};
pub use error::{OpenError, StoreError, WriteError};
pub use examine::Condition;
pub use keys::{KeyStatus, PreviousKey, RotationEnd, RotationError, RotationProgress, Shredded};
pub use master_key::{
    KeyCommand, KeyCommandError, KeySource, MasterKey, MasterKeyError, MasterKeys,
};
#[cfg(test)]
pub(crate) use memory::Room;
pub use probe::{PROBE_COMMAND, Verdict, probe};
pub use seal::{Seal, SealError, SubKey};
pub use space::{Circumstances, SpaceSettings};
pub use table::{Listing, Record, Table};
pub use verify::{Finding, Problem, Report, RootState};

use crate::base::Random;
use backend::Backend;
use format::Origin;
use keys::{HOUSE_KEY, KeyPlace, Keys, Wrapping};
use manifest::Manifests;
use memory::Memory;
use reads::Reads;
use root::Root;
use sled::Sled;
use unlock::Place;

/// The record that holds the index key. It is made with the store and opens only under the right master key.
const INDEX_KEY: &str = "store/index-key";

/// Where the store is and how much memory it may use.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data folder. The store is in `store` inside it. Made, for its owner alone, when it is missing.
    pub data_dir: PathBuf,
    /// The most bytes that sled keeps in memory; reads beyond them go to the disk.
    pub cache_bytes: u64,
    /// About the most bytes of sealed records that are kept in front of sled, as they are read. With 0, none.
    pub record_cache_bytes: u64,
    /// How much of the disk is kept free.
    pub space: SpaceSettings,
    /// The program that looks at a copy of the store before it is opened, called with [`PROBE_COMMAND`]; `None`: nobody
    /// looks.
    pub probe: Option<PathBuf>,
}

impl Settings {
    /// What [`Settings::cache_bytes`] is unless set: 64 MiB.
    pub const CACHE_BYTES: u64 = 64 * 1024 * 1024;

    /// What [`Settings::record_cache_bytes`] is unless set: 64 MiB, the records of some 25,000 people who call.
    pub const RECORD_CACHE_BYTES: u64 = 64 * 1024 * 1024;

    /// A store in `data_dir`, everything else as usual.
    #[must_use]
    pub fn new(data_dir: PathBuf) -> Self {
        Self {
            data_dir,
            cache_bytes: Self::CACHE_BYTES,
            record_cache_bytes: Self::RECORD_CACHE_BYTES,
            space: SpaceSettings::default(),
            probe: None,
        }
    }

    /// The folder that holds the store's files.
    #[must_use]
    pub fn store_dir(&self) -> PathBuf {
        self.data_dir.join("store")
    }

    /// Whether a store was ever made here, be it whole or not.
    #[must_use]
    pub fn store_exists(&self) -> bool {
        self.log_file().exists()
    }

    /// The file that is there once a store was made, and that its holder locks.
    fn log_file(&self) -> PathBuf {
        self.store_dir().join(sled::LOG)
    }
}

/// An open store. Clones share it. [`Store::close`] it: the last clone to be dropped would otherwise wait for the disk
/// wherever that happens to be.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    backend: Backend,
    keys: Keys,
    manifests: Manifests,
    /// None for a store that is gone with the process.
    root: OnceLock<Root>,
    /// This itself, for work that is put off and must not keep the store open.
    me: Weak<Inner>,
    index_key: IndexKey,
    /// What [`Store::sub_key`] derives from. A change of the master key is felt there at the next start.
    purposes: MasterKey,
    /// None in memory.
    place: Option<KeyPlace>,
}

#[derive(Zeroize, ZeroizeOnDrop)]
struct IndexKey([u8; 32]);

impl IndexKey {
    /// The key that seals the root of the manifests: it stays when the master key is changed, and what it seals are
    /// digests and counts.
    fn of_root(&self) -> SubKey {
        SubKey::derive(&self.0, "root")
    }
}

impl Store {
    /// Opens the store in `settings.data_dir`, making it when there is none.
    ///
    /// # Errors
    /// [`OpenError`], each with what to do. A wrong key leaves every file of the store as it is.
    pub async fn open(
        settings: &Settings,
        master_keys: impl Into<MasterKeys>,
        random: Random,
    ) -> Result<Self, OpenError> {
        let master_keys = master_keys.into();
        backup::tidy(settings).map_err(|source| OpenError::Folder {
            path: settings.data_dir.clone(),
            source,
        })?;
        Self::open_from(Origin::Disk, settings, master_keys, random).await
    }

    /// The same, where a restore that is under way is not to be ended.
    async fn open_from(
        origin: Origin,
        settings: &Settings,
        master_keys: MasterKeys,
        random: Random,
    ) -> Result<Self, OpenError> {
        let check = key_check::confirm(settings, &master_keys, &random)?;
        if let Some(program) = &settings.probe {
            probe::confirm(settings, program, &random).await?;
        }
        let reads = Reads::new(settings.record_cache_bytes);
        let sled = Sled::open(
            settings.store_dir(),
            settings.cache_bytes,
            settings.space,
            reads,
        );
        let sled = sled.await?;
        let sled = match &settings.probe {
            Some(_) => sled.marked(probe::Mark::of(settings)),
            None => sled,
        };
        let backend = Backend::Sled(sled);
        let place = Place {
            settings,
            master_keys: &master_keys,
            random: &random,
        };
        let unlocked = match unlock::unlock(&backend, &place, check).await {
            Ok(unlocked) => key_check::leave(&place, check).await.map(|()| unlocked),
            Err(error) => Err(error),
        };
        let (index_key, keys) = match unlocked {
            Ok(unlocked) => unlocked,
            Err(error) => {
                backend.close().await;
                return Err(error);
            }
        };
        let key_place = KeyPlace {
            settings: settings.clone(),
            own_file: master_keys.own_file,
        };
        let purposes = master_keys.current;
        let store = Self::with(backend, index_key, keys, purposes, Some(key_place));
        match store.0.admit(origin, settings, &random).await {
            Ok(()) => Ok(store),
            Err(error) => {
                store.0.backend.close().await;
                Err(error)
            }
        }
    }

    /// A store that is gone with the process, sealed all the same.
    #[must_use]
    pub fn memory(master_key: MasterKey, random: Random) -> Self {
        let wrapping = Wrapping::new(&master_key, &random);
        let (index_key, wrapped) = unlock::new_index_key(&wrapping, &random);
        let memory = Memory::default();
        memory.swap(INDEX_KEY.as_bytes(), None, Some(&wrapped));
        let (keys, wrapped) = Keys::make(wrapping, random);
        memory.swap(HOUSE_KEY.as_bytes(), None, Some(&wrapped));
        Self::with(Backend::Memory(memory), index_key, keys, master_key, None)
    }

    /// A store of what is in `backend`, which must have its keys. None when they are missing or changed.
    async fn of_backend(
        backend: Backend,
        master_keys: MasterKeys,
        random: &Random,
    ) -> Option<Self> {
        let place = Place {
            settings: &Settings::new(PathBuf::new()),
            master_keys: &master_keys,
            random,
        };
        let made_before = key_check::Check::Current {
            house_has_a_key: true,
        };
        let (index_key, keys) = unlock::unlock(&backend, &place, made_before).await.ok()?;
        Some(Self::with(
            backend,
            index_key,
            keys,
            master_keys.current,
            None,
        ))
    }

    fn with(
        backend: Backend,
        index_key: IndexKey,
        keys: Keys,
        purposes: MasterKey,
        place: Option<KeyPlace>,
    ) -> Self {
        Self(Arc::new_cyclic(|me| Inner {
            backend,
            keys,
            manifests: Manifests::new(),
            root: OnceLock::new(),
            me: me.clone(),
            index_key,
            purposes,
            place,
        }))
    }

    /// The table whose keys begin with `prefix/`. The prefixes `store`, `man`, `exp`, `due` and `out` are the store's
    /// own.
    #[must_use]
    pub fn table<V>(&self, prefix: &'static str) -> Table<V> {
        debug_assert!(
            !matches!(
                prefix,
                "store" | sweep::HINTS | due::NOTES | due::LANES | manifest::MANIFESTS
            ),
            "the prefix `{prefix}` is the store's own"
        );
        Table::new(self.clone(), prefix)
    }

    /// A text to look something up by without its name in the key: HMAC-SHA-256 of `parts` under a key that is made with
    /// the store and never changes, as 64 hexadecimal digits. `["ab", "c"]` and `["a", "bc"]` differ.
    #[must_use]
    pub fn index(&self, parts: &[&str]) -> String {
        let mut mac = keyed(&self.0.index_key);
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        HEXLOWER.encode(&mac.finalize().into_bytes())
    }

    /// A key for one purpose outside the store, derived from the master key: the same on every start, and unrelated to
    /// those of other purposes. After the master key was changed, another one from the next start on.
    #[must_use]
    pub fn sub_key(&self, purpose: &str) -> SubKey {
        self.0.purposes.sub_key(purpose)
    }

    /// How many times writes have been synced to the disk: with many writers at once, fewer than there were writes.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        match &self.0.backend {
            Backend::Memory(_) => 0,
            Backend::Sled(sled) => sled.syncs(),
        }
    }

    /// A store in memory acts from now on as if it had this much room; any other stays as it is.
    #[cfg(test)]
    pub(crate) fn leave(&self, room: Room) {
        if let Backend::Memory(memory) = &self.0.backend {
            memory.leave(room);
        }
    }

    /// Finishes the writes under way and closes the files, for all clones. Later calls on any of them say
    /// [`StoreError::Closed`]; a store in memory stays as it is.
    pub async fn close(self) {
        match self.0.settle().await {
            Ok(()) | Err(StoreError::Closed) => {}
            Err(error) => {
                tracing::warn!(%error, "the manifests could not be brought up to date; the next start does it");
            }
        }
        let inner = Arc::clone(&self.0);
        // Cut short only when the runtime ends, and the process with it.
        let _ = spawn_blocking(move || inner.root.get().map(Root::stop)).await;
        self.0.backend.close().await;
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match &self.0.backend {
            Backend::Memory(_) => "Store::Memory",
            Backend::Sled(_) => "Store::Sled",
        })
    }
}

fn keyed(key: &IndexKey) -> Hmac<Sha256> {
    Hmac::new_from_slice(&key.0).expect("HMAC takes keys of any length")
}

#[cfg(test)]
mod tests;
