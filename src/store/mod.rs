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
//! What is not noticed here: a record that is missing, or an old one put back. Sealing shows only that what is there
//! was put there under this key, at this place.

mod backend;
mod commit;
#[cfg(test)]
mod conformance;
mod due;
mod envelope;
mod error;
mod examine;
mod folder;
mod key_check;
mod keys;
mod manifest;
mod master_key;
mod memory;
mod probe;
mod records;
mod seal;
mod sled;
mod space;
mod sweep;
mod table;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

pub use due::{DueNote, Lane};
pub use error::{OpenError, StoreError, WriteError};
pub use examine::Condition;
pub use master_key::{KeySource, MasterKey, MasterKeyError};
pub use probe::{PROBE_COMMAND, Verdict, probe};
pub use seal::{Seal, SealError, SubKey};
pub use space::{Circumstances, SpaceSettings};
pub use table::{Listing, Record, Table};

use crate::base::Random;
use backend::{Backend, KeyRange, Order, Swap};
use keys::Keys;
use manifest::Manifests;
use memory::Memory;
use sled::Sled;

/// The record that holds the index key. It is made with the store and opens only under the right master key.
const INDEX_KEY: &str = "store/index-key";

/// Where the store is and how much memory it may use.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data folder. The store is in `store` inside it. Made, for its owner alone, when it is missing.
    pub data_dir: PathBuf,
    /// The most bytes that sled keeps in memory; reads beyond them go to the disk.
    pub cache_bytes: u64,
    /// How much of the disk is kept free.
    pub space: SpaceSettings,
    /// The program that looks at a copy of the store before it is opened, called with [`PROBE_COMMAND`]; `None`: nobody
    /// looks.
    pub probe: Option<PathBuf>,
}

impl Settings {
    /// What [`Settings::cache_bytes`] is unless set: 64 MiB.
    pub const CACHE_BYTES: u64 = 64 * 1024 * 1024;

    /// A store in `data_dir`, everything else as usual.
    #[must_use]
    pub fn new(data_dir: PathBuf) -> Self {
        Self {
            data_dir,
            cache_bytes: Self::CACHE_BYTES,
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
    /// This itself, for work that is put off and must not keep the store open.
    me: Weak<Inner>,
    index_key: IndexKey,
    master_key: MasterKey,
}

#[derive(Zeroize, ZeroizeOnDrop)]
struct IndexKey([u8; 32]);

impl Store {
    /// Opens the store in `settings.data_dir`, making it when there is none.
    ///
    /// # Errors
    /// [`OpenError`], each with what to do. A wrong key leaves every file of the store as it is.
    pub async fn open(
        settings: &Settings,
        master_key: MasterKey,
        random: Random,
    ) -> Result<Self, OpenError> {
        key_check::confirm(settings, &master_key, &random)?;
        if let Some(program) = &settings.probe {
            probe::confirm(settings, program, &random).await?;
        }
        let sled = Sled::open(settings.store_dir(), settings.cache_bytes, settings.space).await?;
        let sled = match &settings.probe {
            Some(_) => sled.marked(probe::Mark::of(settings)),
            None => sled,
        };
        let backend = Backend::Sled(sled);
        let unlocked = unlock(&backend, settings, &master_key, &random).await;
        let checked = match unlocked {
            Ok(key) => key_check::leave(settings, &master_key, &random)
                .await
                .map(|()| key),
            Err(error) => Err(error),
        };
        match checked {
            Ok(index_key) => Ok(Self::with(backend, index_key, master_key, random)),
            Err(error) => {
                backend.close().await;
                Err(error)
            }
        }
    }

    /// A store that is gone with the process, sealed all the same.
    #[must_use]
    pub fn memory(master_key: MasterKey, random: Random) -> Self {
        let (index_key, wrapped) = new_index_key(&master_key, &random);
        let memory = Memory::default();
        memory.swap(INDEX_KEY.as_bytes(), None, Some(&wrapped));
        Self::with(Backend::Memory(memory), index_key, master_key, random)
    }

    fn with(backend: Backend, index_key: IndexKey, master_key: MasterKey, random: Random) -> Self {
        Self(Arc::new_cyclic(|me| Inner {
            backend,
            keys: Keys::new(&master_key, random),
            manifests: Manifests::new(),
            me: me.clone(),
            index_key,
            master_key,
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
    /// those of other purposes.
    #[must_use]
    pub fn sub_key(&self, purpose: &str) -> SubKey {
        self.0.master_key.sub_key(purpose)
    }

    /// How many times writes have been synced to the disk: with many writers at once, fewer than there were writes.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        match &self.0.backend {
            Backend::Memory(_) => 0,
            Backend::Sled(sled) => sled.syncs(),
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

/// Reads the index key, and proves the master key by it. Makes one when the store is new.
async fn unlock(
    backend: &Backend,
    settings: &Settings,
    master_key: &MasterKey,
    random: &Random,
) -> Result<IndexKey, OpenError> {
    let folder = settings.store_dir();
    let unusable = |error: StoreError| OpenError::Damaged {
        folder: folder.clone(),
        detail: error.to_string(),
    };
    let damaged = |detail: &str| OpenError::Damaged {
        folder: folder.clone(),
        detail: detail.to_owned(),
    };
    let Some(wrapped) = backend.get(INDEX_KEY).await.map_err(unusable)? else {
        let everything = KeyRange::prefix("");
        let rows = backend.scan(&everything, Order::Ascending, 1).await;
        // sled loses records without a word when its log is damaged. A new index key would orphan every record that
        // is found through the old one.
        if key_check::is_present(settings) || !rows.map_err(unusable)?.is_empty() {
            return Err(damaged("the record that holds its index key is missing"));
        }
        return make_index_key(backend, settings, master_key, random).await;
    };
    let opened = wrapping(master_key, random).open(INDEX_KEY.as_bytes(), &wrapped);
    match opened {
        Ok(key) => {
            let key = <[u8; 32]>::try_from(key.as_slice());
            key.map(IndexKey)
                .map_err(|_| damaged("its index key has the wrong length"))
        }
        Err(SealError::OtherKey) => Err(OpenError::WrongKey { folder }),
        Err(SealError::UnknownFormat(format)) => Err(OpenError::NewerFormat { folder, format }),
        Err(SealError::Damaged) => Err(damaged("the record that holds its index key was changed")),
    }
}

async fn make_index_key(
    backend: &Backend,
    settings: &Settings,
    master_key: &MasterKey,
    random: &Random,
) -> Result<IndexKey, OpenError> {
    let (key, wrapped) = new_index_key(master_key, random);
    let cause = match backend.swap(INDEX_KEY, None, Some(&wrapped)).await {
        Ok(Swap::Done) => return Ok(key),
        // Only the holder of the lock writes.
        Ok(Swap::Conflict) => "another process wrote first".to_owned(),
        Ok(Swap::Unknown) => "the first record could not be made durable".to_owned(),
        Err(StoreError::NoSpace) => {
            let folder = settings.store_dir();
            return Err(OpenError::NoSpace { folder });
        }
        Err(error) => error.to_string(),
    };
    Err(OpenError::Folder {
        path: settings.store_dir(),
        source: std::io::Error::other(cause),
    })
}

fn new_index_key(master_key: &MasterKey, random: &Random) -> (IndexKey, Vec<u8>) {
    let key = IndexKey(random.bytes());
    let wrapped = wrapping(master_key, random).seal(INDEX_KEY.as_bytes(), &key.0);
    (key, wrapped)
}

fn wrapping(master_key: &MasterKey, random: &Random) -> Seal {
    Seal::new(&master_key.store_key("index"), random.clone())
}

#[cfg(test)]
mod tests;
