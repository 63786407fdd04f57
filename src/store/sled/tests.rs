//! What is particular to sled: its files, its lock, its failures and its damages.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use futures::FutureExt;
use futures::future::join_all;
use tempfile::TempDir;

use super::super::backend::Backend;
use super::super::keys::{Keys, Wrapping};
use super::super::unlock::new_index_key;
use super::super::{MasterKey, Store, Table, WriteError};
use super::*;
use crate::base::Random;

const CACHE: u64 = 1 << 20;
const NO_BALLAST: SpaceSettings = SpaceSettings {
    floor_bytes: Some(0),
    ballast_bytes: Some(0),
};

fn folder() -> (TempDir, PathBuf) {
    let top = tempfile::tempdir().unwrap();
    let folder = top.path().join("data/store");
    (top, folder)
}

async fn open(folder: &Path) -> Result<Sled, OpenError> {
    Sled::open(folder.to_owned(), CACHE, NO_BALLAST, Reads::new(CACHE)).await
}

async fn put(sled: &Sled, key: &str, value: &[u8]) {
    let old = sled.get(key.as_bytes()).await.unwrap();
    let swap = sled.swap(key.as_bytes(), old.as_deref(), Some(value), Urgency::Usual);
    assert_eq!(swap.await, Ok(Swap::Done));
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn values_survive_reopening() {
    let (_top, folder) = folder();
    for round in 0..5_u8 {
        let sled = open(&folder).await.unwrap();
        for earlier in 0..round {
            let found = sled.get(&[b'k', earlier]).await.unwrap();
            assert_eq!(found, Some(vec![earlier; 100]));
        }
        let swap = sled
            .swap(&[b'k', round], None, Some(&[round; 100]), Urgency::Usual)
            .await;
        assert_eq!(swap, Ok(Swap::Done));
        sled.close().await;
    }
}

#[tokio::test]
async fn large_values_live_in_files_that_are_private_and_survive_too() {
    let (_top, folder) = folder();
    let large = |n: usize| vec![u8::try_from(n).unwrap(); 400_000];
    let sled = open(&folder).await.unwrap();
    for n in 0..8 {
        put(&sled, &format!("large/{n}"), &large(n)).await;
    }
    let blobs: Vec<_> = fs::read_dir(folder.join(BLOBS))
        .unwrap()
        .map(|blob| mode(&blob.unwrap().path()))
        .collect();
    assert!(!blobs.is_empty(), "sled keeps them elsewhere by now");
    assert!(blobs.iter().all(|mode| *mode == 0o600), "{blobs:?}");
    sled.close().await;
    let sled = open(&folder).await.unwrap();
    for n in 0..8 {
        let found = sled.get(format!("large/{n}").as_bytes()).await;
        assert!(found == Ok(Some(large(n))), "large/{n} is not the same");
    }
}

#[tokio::test]
async fn folder_and_files_are_for_their_owner_alone() {
    let (_top, folder) = folder();
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    for _ in 0..2 {
        let sled = open(&folder).await.unwrap();
        put(&sled, "key", b"value").await;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join(BLOBS)), 0o700);
        let files = fs::read_dir(&folder).unwrap().map(Result::unwrap);
        for file in files.filter(|file| file.file_type().unwrap().is_file()) {
            assert_eq!(mode(&file.path()), 0o600, "{:?}", file.path());
        }
        sled.close().await;
    }
}

#[tokio::test]
async fn many_writers_share_syncs() {
    let (_top, folder) = folder();
    let sled = open(&folder).await.unwrap();
    let keys: Vec<String> = (0..256).map(|n| n.to_string()).collect();
    let swaps = keys
        .iter()
        .map(|key| sled.swap(key.as_bytes(), None, Some(b"value"), Urgency::Usual));
    let swaps = join_all(swaps).await;
    assert!(swaps.iter().all(|swap| *swap == Ok(Swap::Done)));
    assert!(sled.syncs() < 256, "{} syncs", sled.syncs());
    assert!(sled.syncs() > 0);
}

#[tokio::test]
async fn a_second_holder_is_told_so() {
    let (_top, folder) = folder();
    let first = open(&folder).await.unwrap();
    let error = open(&folder).await.err().unwrap();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    first.close().await;
    assert!(open(&folder).await.is_ok());
}

#[tokio::test]
async fn a_store_that_was_only_dropped_can_be_opened_again() {
    let (_top, folder) = folder();
    let sled = open(&folder).await.unwrap();
    put(&sled, "key", b"value").await;
    drop(sled);
    let sled = open(&folder).await.unwrap();
    assert_eq!(sled.get(b"key").await, Ok(Some(b"value".to_vec())));
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let (_top, folder) = folder();
    let sled = open(&folder).await.unwrap();
    sled.close().await;
    sled.close().await;
    assert_eq!(sled.get(b"key").await, Err(StoreError::Closed));
    let swap = sled
        .swap(b"key", None, Some(b"value"), Urgency::Usual)
        .await;
    assert_eq!(swap, Err(StoreError::Closed));
    let scan = sled.scan(&KeyRange::prefix(""), Order::Ascending, 1).await;
    assert_eq!(scan, Err(StoreError::Closed));
}

/// A store on a real file whose first sync really fails: there is nothing behind it to sync to.
fn failing(folder: &Path) -> Sled {
    let db = open_db(folder, CACHE).unwrap();
    let slot = Arc::new(Slot::new(db.clone()));
    let journal = SledJournal {
        db: Some(db),
        files: Files {
            log: File::open("/dev/null").unwrap(),
            ..Files::new(folder).unwrap()
        },
        space: Space::endless(folder.parent().unwrap()),
        slot: Arc::clone(&slot),
        folder: folder.to_owned(),
        cache_bytes: CACHE,
        leaving: None,
    };
    Sled::assemble(slot, journal, Reads::new(CACHE)).unwrap()
}

#[tokio::test]
async fn after_a_failed_sync_the_store_goes_on_from_what_is_on_the_disk() {
    let (_top, folder) = folder();
    let sled = open(&folder).await.unwrap();
    put(&sled, "before", b"kept").await;
    sled.close().await;
    let sled = failing(&folder);
    let swap = sled
        .swap(b"key", None, Some(b"value"), Urgency::Usual)
        .await;
    assert_eq!(swap, Ok(Swap::Unknown));
    let look = sled
        .swap(b"key", Some(b"value"), Some(b"value"), Urgency::Usual)
        .await;
    // Whether it was there, the reopened log alone could tell; now it is known.
    let there = look == Ok(Swap::Done);
    assert!(there || look == Ok(Swap::Conflict), "{look:?}");
    sled.settled().await;
    assert_eq!(sled.get(b"key").await.unwrap().is_some(), there);
    assert_eq!(sled.get(b"before").await, Ok(Some(b"kept".to_vec())));
    put(&sled, "after", b"kept too").await;
    sled.close().await;

    let sled = open(&folder).await.unwrap();
    assert_eq!(sled.get(b"key").await.unwrap().is_some(), there);
    assert_eq!(sled.get(b"after").await, Ok(Some(b"kept too".to_vec())));
}

#[tokio::test]
async fn while_the_disk_takes_nothing_reading_goes_on_and_writing_begins_again_by_itself() {
    let (top, folder) = folder();
    let sled = open(&folder).await.unwrap();
    put(&sled, "before", b"kept").await;
    sled.close().await;
    let sled = failing(&folder);
    let (data, away) = (folder.parent().unwrap(), top.path().join("away"));
    fs::rename(data, &away).unwrap();
    let attempt = || sled.swap(b"key", None, Some(b"value"), Urgency::Usual);
    assert_eq!(attempt().await, Ok(Swap::Unknown));
    let error = attempt().await.unwrap_err();
    assert!(matches!(error, StoreError::Poisoned { .. }), "{error}");
    assert_eq!(sled.get(b"before").await, Ok(Some(b"kept".to_vec())));

    fs::rename(&away, data).unwrap();
    // When it tries again is its own affair.
    while attempt().await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(sled.get(b"key").await, Ok(Some(b"value".to_vec())));
    sled.close().await;
}

#[tokio::test]
async fn a_table_finds_out_what_became_of_a_write_whose_sync_failed() {
    let (_top, folder) = folder();
    open(&folder).await.unwrap().close().await;
    let random = Random::seeded(1);
    let key = MasterKey::generate(&random);
    let wrapping = Wrapping::new(&key, &random);
    let (index_key, _) = new_index_key(&wrapping, &random);
    let (keys, _) = Keys::make(wrapping, random);
    let backend = Backend::Sled(failing(&folder));
    let table: Table<u8> = Store::with(backend, index_key, keys, key, None).table("con");
    let made = table.create("1", &1).await.is_ok();
    assert_eq!(table.get("1").await.unwrap().is_some(), made);
    table.create("2", &1).await.unwrap();
}

#[tokio::test]
async fn a_table_calls_a_write_unknown_and_never_done_while_nothing_can_be_made_durable() {
    let (top, folder) = folder();
    open(&folder).await.unwrap().close().await;
    let random = Random::seeded(1);
    let key = MasterKey::generate(&random);
    let wrapping = Wrapping::new(&key, &random);
    let (index_key, _) = new_index_key(&wrapping, &random);
    let (keys, _) = Keys::make(wrapping, random);
    let backend = Backend::Sled(failing(&folder));
    fs::rename(folder.parent().unwrap(), top.path().join("away")).unwrap();
    let table: Table<u8> = Store::with(backend, index_key, keys, key, None).table("con");
    let key = "con/1".to_owned();
    let unknown = WriteError::Store(StoreError::Unknown { key });
    assert_eq!(table.create("1", &1).await.unwrap_err(), unknown);
    let later = table.create("2", &1).await.unwrap_err();
    let poisoned = WriteError::Store(StoreError::Poisoned {
        reason: "No such file or directory (os error 2)".to_owned(),
    });
    assert_eq!(later, poisoned);
}

#[tokio::test]
async fn a_snapshot_that_was_only_begun_is_no_damage() {
    let (_top, folder) = folder();
    let sled = open(&folder).await.unwrap();
    put(&sled, "key", b"kept").await;
    sled.close().await;
    // As a full disk leaves it: later than every other, and empty.
    let begun = folder.join("snap.00000000FFFFFFFF.generating");
    fs::write(&begun, b"").unwrap();
    let sled = open(&folder).await.unwrap();
    assert_eq!(sled.get(b"key").await, Ok(Some(b"kept".to_vec())));
    assert!(!begun.exists());
}

#[tokio::test]
async fn a_panic_while_opening_is_damage() {
    let folder = PathBuf::from("/data/store");
    let died = apart(folder, || -> Result<(), _> { panic!("page {} is odd", 7) });
    let error = died.await.unwrap_err().to_string();
    assert_eq!(
        error,
        "the store in /data/store is damaged (the storage engine panicked: page 7 is odd): keep a copy of the folder, and put back what it was from a backup with `attache restore`"
    );
}

/// One bit turned over at many places of every file, and files cut short: whatever sled makes of it, a clear error
/// or a store comes out, never a panic of ours, and the error names the folder and the remedy.
#[tokio::test]
async fn a_damaged_file_is_an_error_that_names_the_remedy() {
    let (_top, folder) = folder();
    for round in 0..2 {
        let sled = open(&folder).await.unwrap();
        for n in 0..100 {
            put(&sled, &format!("con/{n}"), &[round; 300]).await;
        }
        sled.close().await;
    }
    let whole = files(&folder);
    let mut refused = 0;
    for (name, bytes) in &whole {
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0);
        let cut = bytes[..used / 2].to_vec();
        let flips = (0..used).step_by(1 + used / 12).map(|at| {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            flipped
        });
        for damaged in flips.chain([cut]) {
            restore(&folder, &whole);
            fs::write(folder.join(name), damaged).unwrap();
            if let Err(error) = open_and_read(&folder).await {
                let text = error.to_string();
                assert!(text.contains("from a backup"), "{text}");
                assert!(text.contains(folder.to_str().unwrap()), "{text}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "nothing was damaged enough to be refused");
}

async fn open_and_read(folder: &Path) -> Result<(), OpenError> {
    let sled = open(folder).await?;
    let everything = KeyRange::prefix("");
    let rows = sled.scan(&everything, Order::Ascending, 1_000).await;
    if let Err(error) = rows {
        assert!(matches!(error, StoreError::Engine { .. }), "{error}");
    }
    sled.close().await;
    Ok(())
}

fn files(folder: &Path) -> Vec<(OsString, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    files
        .map(|file| (file.file_name(), fs::read(file.path()).unwrap()))
        .collect()
}

fn restore(folder: &Path, whole: &[(OsString, Vec<u8>)]) {
    for (name, _) in files(folder) {
        fs::remove_file(folder.join(name)).unwrap();
    }
    for (name, bytes) in whole {
        fs::write(folder.join(name), bytes).unwrap();
    }
}

/// With one thread for everything that blocks, and that thread held: what is in memory is answered all the same, and
/// what is not waits without holding up the worker.
#[test]
fn a_read_that_may_need_the_disk_is_not_done_by_the_worker() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    let (_top, folder) = folder();
    runtime.block_on(async {
        let sled = open(&folder).await.unwrap();
        for key in ["warm", "cold"] {
            let swap = sled.swap(key.as_bytes(), None, Some(b"value"), Urgency::Usual);
            assert_eq!(swap.await, Ok(Swap::Done));
        }
        let value = Ok(Some(b"value".to_vec()));
        assert_eq!(sled.get(b"warm").await, value);

        let (gate, opened) = std::sync::mpsc::channel::<()>();
        let held = spawn_blocking(move || opened.recv());
        assert_eq!(sled.get(b"warm").now_or_never(), Some(value.clone()));
        let mut cold = Box::pin(sled.get(b"cold"));
        assert_eq!(cold.as_mut().now_or_never(), None, "the worker read it");
        gate.send(()).unwrap();
        assert_eq!(cold.await, value);
        held.await.unwrap().unwrap();
    });
}

/// What is in memory is answered at once; with the one thread that may block held, anything else is not.
#[test]
fn a_scan_leaves_nothing_in_the_cache() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    let (_top, folder) = folder();
    runtime.block_on(async {
        let sled = open(&folder).await.unwrap();
        put(&sled, "created", b"value").await;
        sled.close().await;
        let sled = open(&folder).await.unwrap();
        let everything = KeyRange::prefix("");
        let rows = sled.scan(&everything, Order::Ascending, 10).await.unwrap();
        assert_eq!(rows.len(), 1);

        let (gate, opened) = std::sync::mpsc::channel::<()>();
        let held = spawn_blocking(move || opened.recv());
        assert_eq!(sled.get(b"created").now_or_never(), None);
        gate.send(()).unwrap();
        held.await.unwrap().unwrap();
    });
}

/// The swap is applied though nobody waits for it any more, and from then on nobody is shown what was there before.
#[tokio::test]
async fn a_swap_whose_caller_went_away_is_seen_all_the_same() {
    let (_top, folder) = folder();
    let sled = open(&folder).await.unwrap();
    put(&sled, "key", b"old").await;
    assert_eq!(sled.get(b"key").await, Ok(Some(b"old".to_vec())));
    let mut swap = Box::pin(sled.swap(b"key", Some(b"old"), Some(b"new"), Urgency::Usual));
    assert!(swap.as_mut().now_or_never().is_none());
    drop(swap);
    // Writes are applied in order, so this one ends after it.
    put(&sled, "other", b"value").await;
    assert_eq!(sled.get(b"key").await, Ok(Some(b"new".to_vec())));
}
