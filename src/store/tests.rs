//! A store as a whole: keys, reopening, and what its files give away.

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
    store.settle().await.unwrap();
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
