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
mod envelope;
mod error;
mod folder;
mod key_check;
mod master_key;
mod memory;
mod seal;
mod sled;
mod sweep;
mod table;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

pub use error::{OpenError, StoreError, WriteError};
pub use master_key::{KeySource, MasterKey, MasterKeyError};
pub use seal::{Seal, SealError, SubKey};
pub use table::{Listing, Record, Table};

use crate::base::Random;
use backend::{Backend, KeyRange, Order, Swap};
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
        self.store_dir().join(sled::LOG).exists()
    }
}

/// An open store. Clones share it.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    backend: Backend,
    /// Seals the records.
    records: Seal,
    index_key: IndexKey,
    master_key: MasterKey,
}

#[derive(Clone, Zeroize, ZeroizeOnDrop)]
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
        let sled = Sled::open(settings.store_dir(), settings.cache_bytes).await?;
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
        Self(Arc::new(Inner {
            backend,
            records: Seal::new(&master_key.store_key("records"), random),
            index_key,
            master_key,
        }))
    }

    /// The table whose keys begin with `prefix/`. The prefixes `store` and `exp` are the store's own.
    #[must_use]
    pub fn table<V>(&self, prefix: &'static str) -> Table<V> {
        debug_assert!(
            !matches!(prefix, "store" | sweep::HINTS),
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
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    use sha2::Digest;

    use super::*;
    use crate::base::{Secret, Timestamp};

    const CANARY: &str = "canary-9f3b1c7e-refresh-token";

    fn settings() -> (tempfile::TempDir, Settings) {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::new(folder.path().join("data"));
        (folder, settings)
    }

    fn key(byte: u8) -> MasterKey {
        let text = data_encoding::BASE64.encode(&[byte; 32]);
        let source = KeySource::Value(Secret::new(text));
        let settings = Settings::new(PathBuf::new());
        MasterKey::load(&source, &settings, &Random::System).unwrap()
    }

    async fn open(settings: &Settings, byte: u8) -> Result<Store, OpenError> {
        Store::open(settings, key(byte), Random::System).await
    }

    /// Every file below `folder` with its digest.
    fn digests(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                found.extend(digests(&entry.path()));
            } else {
                let digest = Sha256::digest(fs::read(entry.path()).unwrap());
                found.insert(entry.path(), digest.to_vec());
            }
        }
        found
    }

    #[tokio::test]
    async fn records_and_index_survive_reopening() {
        let (_folder, settings) = settings();
        let store = open(&settings, 1).await.unwrap();
        let index = store.index(&["https://id.example", "alice"]);
        let table: Table<String> = store.table("con");
        table.create("1", &"value".to_owned()).await.unwrap();
        store.close().await;

        let store = open(&settings, 1).await.unwrap();
        assert_eq!(store.index(&["https://id.example", "alice"]), index);
        let table: Table<String> = store.table("con");
        let record = table.get("1").await.unwrap().unwrap();
        assert_eq!(record.value, "value");
        table.replace(&record, &"other".to_owned()).await.unwrap();
    }

    #[tokio::test]
    async fn a_wrong_key_is_refused_and_no_byte_changes() {
        let (_folder, settings) = settings();
        let store = open(&settings, 1).await.unwrap();
        let table: Table<String> = store.table("con");
        table.create("1", &"value".to_owned()).await.unwrap();
        store.close().await;

        let before = digests(&settings.data_dir);
        let error = open(&settings, 2).await.unwrap_err();
        assert!(matches!(error, OpenError::WrongKey { .. }), "{error}");
        assert_eq!(error.to_string().lines().count(), 1);
        assert_eq!(digests(&settings.data_dir), before);
        assert!(open(&settings, 1).await.is_ok());
    }

    /// Without the file beside it, sled must be opened to ask, and writes a new snapshot of its log as it does; so here
    /// the content is compared.
    #[tokio::test]
    async fn a_wrong_key_is_refused_without_the_key_check_too() {
        let (_folder, settings) = settings();
        let store = open(&settings, 1).await.unwrap();
        let table: Table<String> = store.table("con");
        table.create("1", &"value".to_owned()).await.unwrap();
        let before = rows(&store).await;
        store.close().await;

        let check = settings.store_dir().join("key-check");
        fs::remove_file(&check).unwrap();
        let error = open(&settings, 2).await.unwrap_err();
        assert!(matches!(error, OpenError::WrongKey { .. }), "{error}");
        assert!(!check.exists(), "a check was left for the wrong key");
        let store = open(&settings, 1).await.unwrap();
        assert_eq!(rows(&store).await, before);
        assert!(check.exists());
    }

    async fn rows(store: &Store) -> Vec<backend::Row> {
        let everything = KeyRange::prefix("");
        let rows = store.0.backend.scan(&everything, Order::Ascending, 1_000);
        rows.await.unwrap()
    }

    #[tokio::test]
    async fn a_store_that_has_lost_its_log_or_its_index_key_is_not_begun_anew() {
        let (_folder, settings) = settings();
        let store = open(&settings, 1).await.unwrap();
        let wrapped = store.0.backend.get(INDEX_KEY).await.unwrap();
        let swap = store.0.backend.swap(INDEX_KEY, wrapped.as_deref(), None);
        assert_eq!(swap.await, Ok(Swap::Done));
        store.close().await;
        let error = open(&settings, 1).await.unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");

        fs::remove_file(settings.store_dir().join(sled::LOG)).unwrap();
        let error = open(&settings, 1).await.unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
        assert!(!settings.store_exists());
    }

    #[tokio::test]
    async fn a_damaged_key_check_says_nothing() {
        let (_folder, settings) = settings();
        open(&settings, 1).await.unwrap().close().await;
        let check = settings.store_dir().join("key-check");
        fs::write(&check, b"").unwrap();
        open(&settings, 1).await.unwrap().close().await;
        let error = open(&settings, 2).await.unwrap_err();
        assert!(matches!(error, OpenError::WrongKey { .. }), "{error}");
    }

    #[tokio::test]
    async fn no_plaintext_reaches_the_files() {
        let (_folder, settings) = settings();
        let store = open(&settings, 1).await.unwrap();
        let table: Table<String> = store.table("con");
        let index = store.index(&[CANARY]);
        let record = table.create(&index, &CANARY.to_owned()).await.unwrap();
        let large = CANARY.repeat(20_000);
        let record = table.replace(&record, &large).await.unwrap();
        table.replace(&record, &CANARY.to_owned()).await.unwrap();
        let expires = Timestamp::from_unix(60);
        table
            .create_until("2", &CANARY.to_owned(), expires)
            .await
            .unwrap();
        let files = || digests(&settings.data_dir).into_keys();
        let holds = |needle: &str| {
            let holds = |path: &PathBuf| {
                let bytes = fs::read(path).unwrap();
                bytes
                    .windows(needle.len())
                    .any(|window| window == needle.as_bytes())
            };
            files().any(|path| holds(&path))
        };
        assert!(holds("con/"), "the search finds nothing at all");
        assert!(!holds(CANARY));
        store.close().await;
        assert!(!holds(CANARY));
    }

    #[test]
    fn an_index_tells_parts_apart_and_stores_too() {
        let store = |seed| {
            let random = Random::seeded(seed);
            Store::memory(MasterKey::generate(&random), random)
        };
        let one = store(1);
        assert_eq!(one.index(&["ab", "c"]), one.index(&["ab", "c"]));
        assert_eq!(one.index(&["ab", "c"]).len(), 64);
        for other in [&["a", "bc"][..], &["abc"], &["ab", "c", ""], &[]] {
            assert_ne!(one.index(&["ab", "c"]), one.index(other));
        }
        assert_ne!(one.index(&["a"]), store(2).index(&["a"]));
    }

    #[test]
    fn sub_keys_are_per_purpose_and_seal_for_others() {
        let store = Store::memory(key(1), Random::seeded(1));
        let state = store.sub_key("request state");
        assert_eq!(state.as_bytes(), store.sub_key("request state").as_bytes());
        assert_ne!(state.as_bytes(), store.sub_key("cookies").as_bytes());
        assert_ne!(
            store.sub_key("records").as_bytes(),
            key(1).store_key("records").as_bytes()
        );
        let seal = Seal::new(&state, Random::System);
        let sealed = seal.seal(b"alice", b"text");
        assert_eq!(seal.open(b"alice", &sealed).unwrap().as_slice(), b"text");
        assert!(seal.open(b"bob", &sealed).is_err());
    }

    #[tokio::test]
    async fn a_closed_store_says_so_to_every_clone() {
        let (_folder, settings) = settings();
        let store = open(&settings, 1).await.unwrap();
        let table: Table<String> = store.table("con");
        store.clone().close().await;
        let error = table.create("1", &"value".to_owned()).await.unwrap_err();
        assert_eq!(error, WriteError::Store(StoreError::Closed));
    }
}
