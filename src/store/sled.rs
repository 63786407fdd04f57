//! The embedded backend: sled 0.34 in one folder, with the durability that sled itself does not give.
//!
//! Owns everything that is particular to sled: its files, its lock, its panics, its cache. Refuses to know what it
//! keeps.
//!
//! sled's own `flush` ends in `sync_file_range`, which flushes neither the file's metadata nor the drive's cache, so
//! what it calls durable can be gone after a power cut. Here every batch of swaps is flushed by sled and then synced by
//! us: first the blob files that appeared (sled keeps large pages outside its log), with their folder, then the log. A
//! pointer in the log is thereby never older than what it points to.
//!
//! Reads run where they are called. They take microseconds from sled's cache; a miss reads one page from the disk.
//! Scans, writes, opening and closing run on threads of their own.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{iter, thread};

use ::sled::{Config, Db, Error, IVec};
use tokio::task::spawn_blocking;

use super::backend::{KeyRange, Order, Row, Swap};
use super::commit::{Committer, Journal, Write, guarded, panic_text};
use super::error::{OpenError, StoreError};
use super::folder;

/// sled's log. Its presence means that a store was made here.
pub(super) const LOG: &str = "db";
const BLOBS: &str = "blobs";

/// sled's worker threads hold the lock for a moment after the database was dropped, and a process that is being
/// replaced for as long as it takes to die. Neither can be waited for otherwise.
const LOCK_ATTEMPTS: u32 = 40;
const LOCK_PAUSE: Duration = Duration::from_millis(25);

/// A sled database and the thread that writes to it.
pub(super) struct Sled {
    /// `None` once closed.
    db: RwLock<Option<Db>>,
    committer: Committer,
}

impl Sled {
    /// Opens the database in `folder`, making it when there is none, and makes what was recovered durable.
    ///
    /// Runs on a thread of its own: sled reads the whole log, and on a damaged one it may panic, which ends that thread
    /// and becomes [`OpenError::Damaged`] here.
    pub(super) async fn open(folder: PathBuf, cache_bytes: u64) -> Result<Self, OpenError> {
        let opening = folder.clone();
        spawn_blocking(move || Self::open_here(&opening, cache_bytes))
            .await
            .unwrap_or_else(|died| {
                Err(OpenError::Damaged {
                    folder,
                    detail: died.try_into_panic().map_or_else(
                        |_| "opening was cut short".to_owned(),
                        |panic| panic_text(panic.as_ref()),
                    ),
                })
            })
    }

    fn open_here(folder: &Path, cache_bytes: u64) -> Result<Self, OpenError> {
        let prepare = || {
            folder::create(folder)?;
            folder::make_private(folder)
        };
        prepare().map_err(|error| cannot_use(folder, error))?;
        let db = open_db(folder, cache_bytes)?;
        let journal =
            SledJournal::new(db.clone(), folder).map_err(|error| cannot_use(folder, error))?;
        Self::assemble(db, journal).map_err(|error| cannot_use(folder, error))
    }

    fn assemble(db: Db, journal: SledJournal) -> io::Result<Self> {
        Ok(Self {
            db: RwLock::new(Some(db)),
            committer: Committer::start(journal)?,
        })
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
        let db = db.as_ref().ok_or(StoreError::Closed)?;
        reading(|| Ok(db.get(key)?.map(|value| value.to_vec())))
    }

    pub(super) async fn swap(
        &self,
        key: &[u8],
        expected: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        let write = Write {
            key: key.to_vec(),
            expected: expected.map(<[u8]>::to_vec),
            new: new.map(<[u8]>::to_vec),
        };
        self.committer.swap(write).await
    }

    pub(super) async fn scan(
        &self,
        range: &KeyRange,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let db = self.db()?;
        let range = range.clone();
        spawn_blocking(move || scan_here(&db, range, order, limit))
            .await
            .unwrap_or(Err(StoreError::Closed))
    }

    /// How many syncs have been made for swaps.
    pub(super) fn syncs(&self) -> u64 {
        self.committer.syncs()
    }

    /// Waits for the writes under way and closes the database.
    pub(super) async fn close(&self) {
        let (thread, db) = self.let_go();
        // Cut short only when the runtime ends, and the process with it.
        let _ = spawn_blocking(move || put_away(thread, db)).await;
    }

    fn let_go(&self) -> (Option<JoinHandle<()>>, Option<Db>) {
        let db = self
            .db
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        (self.committer.stop(), db)
    }

    fn db(&self) -> Result<Db, StoreError> {
        self.db
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .ok_or(StoreError::Closed)
    }
}

/// A store that was not closed is closed here, at the cost of the thread that drops it.
impl Drop for Sled {
    fn drop(&mut self) {
        let (thread, db) = self.let_go();
        put_away(thread, db);
    }
}

/// sled syncs as it is dropped, and panics when that fails. What was acknowledged is durable by then, so there is
/// nothing left to save.
fn put_away(committing: Option<JoinHandle<()>>, db: Option<Db>) {
    let _ = guarded(|| {
        let ended = committing.map(JoinHandle::join);
        drop((ended, db));
        Ok(())
    });
}

fn open_db(folder: &Path, cache_bytes: u64) -> Result<Db, OpenError> {
    let open = || {
        Config::new()
            .path(folder)
            .cache_capacity(cache_bytes)
            .open()
    };
    let mut attempts = LOCK_ATTEMPTS;
    loop {
        match open() {
            Ok(db) => return Ok(db),
            Err(error) if is_locked(&error) && attempts > 0 => {
                attempts -= 1;
                thread::sleep(LOCK_PAUSE);
            }
            Err(error) => return Err(refused(folder, error)),
        }
    }
}

/// sled reports a held lock as an error without a kind; this is the text of version 0.34.7.
fn is_locked(error: &Error) -> bool {
    matches!(error, Error::Io(io) if io.to_string().starts_with("could not acquire lock"))
}

fn refused(folder: &Path, error: Error) -> OpenError {
    if is_locked(&error) {
        let folder = folder.to_owned();
        return OpenError::InUse { folder };
    }
    match error {
        // A file that ends too early, or was never a log.
        Error::Io(error)
            if !matches!(
                error.kind(),
                ErrorKind::UnexpectedEof | ErrorKind::InvalidData
            ) =>
        {
            cannot_use(folder, error)
        }
        other => OpenError::Damaged {
            folder: folder.to_owned(),
            detail: other.to_string(),
        },
    }
}

fn cannot_use(folder: &Path, source: io::Error) -> OpenError {
    let path = folder.to_owned();
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => OpenError::NoSpace { folder: path },
        _ => OpenError::Folder { path, source },
    }
}

fn scan_here(db: &Db, range: KeyRange, order: Order, limit: usize) -> Result<Vec<Row>, StoreError> {
    reading(|| {
        let mut found = match range.to {
            Some(to) => db.range(range.from..to),
            None => db.range(range.from..),
        };
        let rows = iter::from_fn(|| match order {
            Order::Ascending => found.next(),
            Order::Descending => found.next_back(),
        });
        rows.take(limit)
            .map(|row| row.map(|(key, value)| (key.to_vec(), value.to_vec())))
            .collect()
    })
}

/// A read of sled, whose panics and errors are told alike.
fn reading<T>(read: impl FnOnce() -> Result<T, Error>) -> Result<T, StoreError> {
    guarded(|| read().map_err(|error| error.to_string()))
        .map_err(|reason| StoreError::Engine { reason })
}

/// sled as the committer sees it.
struct SledJournal {
    db: Db,
    /// A descriptor of our own for sled's log, open as long as the store is. The kernel tells each descriptor once of a
    /// failed write-back, so the failure that sled's background thread meets and only logs is met again here.
    log: File,
    blobs: PathBuf,
    synced_blobs: HashSet<OsString>,
}

impl SledJournal {
    /// Makes all files private and durable, as sled has just left them.
    fn new(db: Db, folder: &Path) -> io::Result<Self> {
        let mut journal = Self {
            db,
            log: File::open(folder.join(LOG))?,
            blobs: folder.join(BLOBS),
            synced_blobs: HashSet::new(),
        };
        folder::make_private(&journal.blobs)?;
        journal.sync_blobs()?;
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                folder::make_private(&entry.path())?;
                File::open(entry.path())?.sync_all()?;
            }
        }
        folder::sync(&journal.blobs)?;
        folder::sync(folder)?;
        folder::sync_parent(folder)?;
        Ok(journal)
    }

    /// Syncs the blobs that appeared since the last time. A blob is never changed once it is written, and its name, a
    /// position in the log, is not used again while the store is open.
    fn sync_blobs(&mut self) -> io::Result<()> {
        let mut present = HashSet::new();
        let mut appeared = false;
        for entry in fs::read_dir(&self.blobs)? {
            let entry = entry?;
            if !self.synced_blobs.contains(&entry.file_name()) {
                appeared |= sync_blob(&entry.path())?;
            }
            present.insert(entry.file_name());
        }
        if appeared {
            folder::sync(&self.blobs)?;
        }
        self.synced_blobs = present;
        Ok(())
    }
}

/// Answers whether the blob was still there: sled removes those that nothing points to any more.
fn sync_blob(path: &Path) -> io::Result<bool> {
    let sync = || {
        folder::make_private(path)?;
        File::open(path)?.sync_all()
    };
    match sync() {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

impl Journal for SledJournal {
    fn apply(&mut self, write: &Write) -> Result<bool, String> {
        let new = write.new.as_deref().map(IVec::from);
        self.db
            .compare_and_swap(&write.key, write.expected.as_ref(), new)
            .map(|swapped| swapped.is_ok())
            .map_err(|error| error.to_string())
    }

    fn sync(&mut self) -> Result<(), String> {
        self.db.flush().map_err(|error| error.to_string())?;
        self.sync_blobs()
            .and_then(|()| self.log.sync_data())
            .map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use futures::future::join_all;
    use tempfile::TempDir;

    use super::super::backend::Backend;
    use super::super::{MasterKey, Store, Table, WriteError, new_index_key};
    use super::*;
    use crate::base::Random;

    const CACHE: u64 = 1 << 20;

    fn folder() -> (TempDir, PathBuf) {
        let top = tempfile::tempdir().unwrap();
        let folder = top.path().join("data/store");
        (top, folder)
    }

    async fn open(folder: &Path) -> Result<Sled, OpenError> {
        Sled::open(folder.to_owned(), CACHE).await
    }

    async fn put(sled: &Sled, key: &str, value: &[u8]) {
        let old = sled.get(key.as_bytes()).unwrap();
        let swap = sled.swap(key.as_bytes(), old.as_deref(), Some(value));
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
                let found = sled.get(&[b'k', earlier]).unwrap();
                assert_eq!(found, Some(vec![earlier; 100]));
            }
            let swap = sled.swap(&[b'k', round], None, Some(&[round; 100])).await;
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
            let found = sled.get(format!("large/{n}").as_bytes());
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
            .map(|key| sled.swap(key.as_bytes(), None, Some(b"value")));
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
        assert_eq!(sled.get(b"key"), Ok(Some(b"value".to_vec())));
    }

    #[tokio::test]
    async fn a_closed_store_says_so() {
        let (_top, folder) = folder();
        let sled = open(&folder).await.unwrap();
        sled.close().await;
        sled.close().await;
        assert_eq!(sled.get(b"key"), Err(StoreError::Closed));
        let swap = sled.swap(b"key", None, Some(b"value")).await;
        assert_eq!(swap, Err(StoreError::Closed));
        let scan = sled.scan(&KeyRange::prefix(""), Order::Ascending, 1).await;
        assert_eq!(scan, Err(StoreError::Closed));
    }

    /// A store on a real file whose sync really fails: there is nothing behind it to sync to.
    fn failing(folder: &Path) -> Sled {
        let db = open_db(folder, CACHE).unwrap();
        let journal = SledJournal {
            log: File::open("/dev/null").unwrap(),
            ..SledJournal::new(db.clone(), folder).unwrap()
        };
        Sled::assemble(db, journal).unwrap()
    }

    #[tokio::test]
    async fn a_failed_sync_stops_writing_but_not_reading_until_reopened() {
        let (_top, folder) = folder();
        open(&folder).await.unwrap().close().await;
        let sled = failing(&folder);
        let swap = sled.swap(b"key", None, Some(b"value")).await;
        assert_eq!(swap, Ok(Swap::Unknown));
        let error = sled.swap(b"other", None, Some(b"value")).await.unwrap_err();
        assert!(matches!(error, StoreError::Poisoned { .. }), "{error}");
        assert!(sled.get(b"key").is_ok());
        sled.close().await;

        let sled = open(&folder).await.unwrap();
        put(&sled, "key", b"value").await;
        assert_eq!(sled.get(b"other"), Ok(None));
    }

    #[tokio::test]
    async fn a_table_calls_a_write_unknown_and_never_done_when_its_sync_failed() {
        let (_top, folder) = folder();
        open(&folder).await.unwrap().close().await;
        let random = Random::seeded(1);
        let key = MasterKey::generate(&random);
        let (index_key, _) = new_index_key(&key, &random);
        let backend = Backend::Sled(failing(&folder));
        let table: Table<u8> = Store::with(backend, index_key, key, random).table("con");
        let key = "con/1".to_owned();
        let unknown = WriteError::Store(StoreError::Unknown { key });
        assert_eq!(table.create("1", &1).await.unwrap_err(), unknown);
        let later = table.create("2", &1).await.unwrap_err();
        let poisoned = WriteError::Store(StoreError::Poisoned {
            reason: "Invalid argument (os error 22)".to_owned(),
        });
        assert_eq!(later, poisoned);
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
                    assert!(text.contains("attache restore"), "{text}");
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
}
