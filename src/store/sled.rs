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
//! What the record cache knows is answered where it is asked for. Everything else, scans, writes, opening and closing
//! included, runs on threads of its own: from outside, a read from sled's cache looks like one that waits for the disk.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use std::{iter, thread};

use ::sled::{Config, Db, Error, IVec};
use tokio::sync::{RwLock as Gate, RwLockWriteGuard as GateGuard};
use tokio::task::spawn_blocking;

use super::backend::{KeyRange, Order, Row, Swap, Urgency};
use super::commit::{Committer, Journal, Write, guarded, panic_text};
use super::error::{OpenError, StoreError};
use super::probe::{Mark, patiently};
use super::reads::Reads;
use super::space::{Room, Space, SpaceSettings, is_full, speaks_of_a_full_disk};
use super::{first_look, folder};
use crate::base::Clock;
use slot::Slot;

mod slot;

/// sled's log. Its presence means that a store was made here.
pub(super) const LOG: &str = "db";
pub(super) const BLOBS: &str = "blobs";

/// sled's worker threads hold the lock for a moment after the database was dropped, and a process that is being
/// replaced for as long as it takes to die. Neither can be waited for otherwise.
const LOCK_ATTEMPTS: u32 = 40;
const LOCK_PAUSE: Duration = Duration::from_millis(25);

/// How long a database that failed may take to let go of its files. sled 0.34.7 flushes as it is dropped, and waits for ever
/// when a file beside its log could not be made.
const LEAVING_ATTEMPTS: u32 = 1_000;
const LEAVING_PAUSE: Duration = Duration::from_millis(10);

/// The cache of a database that is read once, in bytes.
const PROBE_CACHE: u64 = 16 << 20;

/// A sled database and the thread that writes to it.
pub(super) struct Sled {
    slot: Arc<Slot>,
    committer: Committer,
    reads: Reads,
    /// Shared by all writers. Whoever has it alone sees no write begin.
    gate: Gate<()>,
    /// What is left behind when it was closed in order.
    mark: Option<Mark>,
}

impl Sled {
    /// Opens the database in `folder`, making it when there is none, and makes what was recovered durable.
    ///
    /// Runs on a thread of its own: sled reads the whole log, and on a damaged one it may panic, which ends that thread
    /// and becomes [`OpenError::Damaged`] here.
    ///
    /// When there is no room for what sled writes as it opens, the ballast is freed for it.
    pub(super) async fn open(
        folder: PathBuf,
        cache_bytes: u64,
        space: SpaceSettings,
        reads: Reads,
    ) -> Result<Self, OpenError> {
        let opening = folder.clone();
        apart(folder, move || {
            Self::open_here(&opening, cache_bytes, space, reads)
        })
        .await
    }

    fn open_here(
        folder: &Path,
        cache_bytes: u64,
        space: SpaceSettings,
        reads: Reads,
    ) -> Result<Self, OpenError> {
        let prepare = || {
            folder::create(folder)?;
            folder::make_private(folder)?;
            first_look::read_through(folder)
        };
        prepare().map_err(|error| cannot_use(folder, error))?;
        // The ballast lies beside the store's folder, whose files are copied and compared as a whole.
        let mut space = Space::of(folder.parent().unwrap_or(folder), space);
        let open = || {
            let db = open_db(folder, cache_bytes)?;
            let files = Files::new(folder).map_err(|error| cannot_use(folder, error))?;
            Ok((db, files))
        };
        let opened = match open() {
            Err(OpenError::NoSpace { .. }) if space.free_ballast() => open(),
            other => other,
        };
        let (db, files) = opened?;
        space.restore();
        let slot = Arc::new(Slot::new(db.clone()));
        let journal = SledJournal {
            db: Some(db),
            files,
            space,
            slot: Arc::clone(&slot),
            folder: folder.to_owned(),
            cache_bytes,
            leaving: None,
        };
        Self::assemble(slot, journal, reads).map_err(|error| cannot_use(folder, error))
    }

    fn assemble(slot: Arc<Slot>, journal: SledJournal, reads: Reads) -> io::Result<Self> {
        Ok(Self {
            slot,
            committer: Committer::start(reads.watching(journal), Clock::System)?,
            reads,
            gate: Gate::new(()),
            mark: None,
        })
    }

    /// The same, leaving `mark` behind when it is closed in order.
    pub(super) fn marked(mut self, mark: Mark) -> Self {
        self.mark = Some(mark);
        self
    }

    pub(super) async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let open = || {
            let db = self.slot.db()?;
            Ok(move |key: &[u8]| get_here(&db, key))
        };
        self.slot.settled().await;
        self.reads.read(key, open).await
    }

    pub(super) async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let open = || {
            let db = self.slot.db()?;
            Ok(move |key: &[u8]| get_here(&db, key))
        };
        self.slot.settled().await;
        self.reads.read_many(keys, open).await
    }

    /// Waits while the database is being reopened, so that readers do not notice.
    #[cfg(test)]
    pub(super) async fn settled(&self) {
        self.slot.settled().await;
    }

    pub(super) async fn swap(
        &self,
        key: &[u8],
        expected: Option<&[u8]>,
        new: Option<&[u8]>,
        urgency: Urgency,
    ) -> Result<Swap, StoreError> {
        let write = Write {
            key: key.to_vec(),
            expected: expected.map(<[u8]>::to_vec),
            new: new.map(<[u8]>::to_vec),
            urgency,
        };
        let _through = self.gate.read().await;
        self.committer.swap(write).await
    }

    /// Lets no write begin while what comes back is held. Those under way whose callers went away may still be applied.
    pub(super) async fn hold_writes(&self) -> GateGuard<'_, ()> {
        self.gate.write().await
    }

    pub(super) async fn scan(
        &self,
        range: &KeyRange,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let db = self.slot.db()?;
        let range = range.clone();
        spawn_blocking(move || scan_here(&db, range, order, limit))
            .await
            .unwrap_or(Err(StoreError::Closed))
    }

    /// The bytes of its files.
    pub(super) async fn bytes_on_disk(&self) -> Result<u64, StoreError> {
        let db = self.slot.db()?;
        spawn_blocking(move || reading(|| db.size_on_disk()))
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
        let was_open = db.is_some();
        // Cut short only when the runtime ends, and the process with it.
        let put_away = spawn_blocking(move || put_away(thread, db)).await;
        if let (Some(mark), true, Ok(Ok(()))) = (&self.mark, was_open, put_away) {
            let mark = mark.clone();
            let _ = spawn_blocking(move || mark.leave()).await;
        }
    }

    fn let_go(&self) -> (Option<JoinHandle<()>>, Option<Db>) {
        self.reads.forget();
        (self.committer.stop(), self.slot.close())
    }
}

/// A store that was not closed is closed here, at the cost of the thread that drops it.
impl Drop for Sled {
    fn drop(&mut self) {
        let (thread, db) = self.let_go();
        // There is nobody to be told.
        let _ = put_away(thread, db);
    }
}

/// sled syncs as it is dropped, and panics when that fails. What was acknowledged is durable by then, so there is
/// nothing left to save.
///
/// # Errors
/// The panic: then the files are not as they should be.
fn put_away(committing: Option<JoinHandle<()>>, db: Option<Db>) -> Result<(), String> {
    guarded(|| {
        let ended = committing.map(JoinHandle::join);
        drop((ended, db));
        Ok(())
    })
}

/// Keeps others from opening the database whose log is at `path`; none when somebody has it open and keeps it. sled takes
/// the same lock for itself alone.
pub(super) fn lock_files(path: &Path) -> io::Result<Option<File>> {
    patiently(LOCK_ATTEMPTS, LOCK_PAUSE, || {
        let log = File::open(path)?;
        match log.try_lock_shared() {
            Ok(()) => Ok(Some(log)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    })
}

/// Opens the database in `folder` and reads everything in it: how many rows there are, and whether `landmark` is
/// the key of one, or what the engine says.
pub(super) fn read_everything(folder: &Path, landmark: &str) -> Result<(u64, bool), String> {
    guarded(|| {
        let db = open_db(folder, PROBE_CACHE).map_err(|error| cause(&error))?;
        let (mut rows, mut found) = (0, false);
        for row in db.iter() {
            let (key, _) = row.map_err(told)?;
            rows += 1;
            found |= key == landmark.as_bytes();
        }
        Ok((rows, found))
    })
}

/// Runs `open` on a thread of its own, whose death by panic is one more way to be told that the store is damaged.
async fn apart<T: Send + 'static>(
    folder: PathBuf,
    open: impl FnOnce() -> Result<T, OpenError> + Send + 'static,
) -> Result<T, OpenError> {
    let died = match spawn_blocking(open).await {
        Ok(opened) => return opened,
        Err(died) => died,
    };
    let detail = match died.try_into_panic() {
        Ok(panic) => panic_text(panic.as_ref()),
        Err(_) => "opening was cut short".to_owned(),
    };
    Err(OpenError::Damaged { folder, detail })
}

fn open_db(folder: &Path, cache_bytes: u64) -> Result<Db, OpenError> {
    let open = || {
        Config::new()
            .path(folder)
            .cache_capacity(cache_bytes)
            .open()
    };
    let mut attempts = LOCK_ATTEMPTS;
    // What cannot be cleared away is sled's to complain about.
    let _ = first_look::clear_unfinished(folder, &folder.join(LOG));
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
            detail: told(other),
        },
    }
}

/// sled's own words for these two are meant for its authors.
fn told(error: Error) -> String {
    match error {
        Error::Io(error) => error.to_string(),
        Error::Corruption { .. } => "what it read does not match its checksum".to_owned(),
        other => other.to_string(),
    }
}

fn cannot_use(folder: &Path, source: io::Error) -> OpenError {
    let path = folder.to_owned();
    match source.kind() {
        kind if is_full(kind) => OpenError::NoSpace { folder: path },
        _ => OpenError::Folder { path, source },
    }
}

fn get_here(db: &Db, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    reading(|| Ok(db.get(key)?.map(|value| value.to_vec())))
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
    guarded(|| read().map_err(told)).map_err(|reason| StoreError::Engine { reason })
}

/// sled as the committer sees it.
struct SledJournal {
    /// `None` while it is reopened, and for as long as that fails.
    db: Option<Db>,
    files: Files,
    space: Space,
    slot: Arc<Slot>,
    folder: PathBuf,
    cache_bytes: u64,
    /// The thread on which a database that failed is dropped, while it hangs there.
    leaving: Option<JoinHandle<()>>,
}

impl SledJournal {
    fn db(&self) -> Result<&Db, String> {
        self.db.as_ref().ok_or_else(|| "it is not open".to_owned())
    }

    /// Drops the database that failed, on a thread that it may hold for ever.
    fn let_go_of_the_old_one(&mut self) -> Result<(), String> {
        let (shown, own) = (self.slot.begin_reopening(), self.db.take());
        let has_left = if let Some(leaving) = &self.leaving {
            leaving.is_finished()
        } else {
            let leaving = thread::Builder::new().name("store-leave".to_owned());
            let leaving = leaving.spawn(move || {
                let _ = put_away(None, shown);
                let _ = put_away(None, own);
            });
            let leaving = leaving.map_err(|error| error.to_string())?;
            let has_left = waited_for(&leaving);
            self.leaving = Some(leaving);
            has_left
        };
        if has_left {
            self.leaving = None;
            return Ok(());
        }
        Err(
            "the storage engine does not let go of its files after a failure: restart Attache"
                .to_owned(),
        )
    }

    /// Closes the database, so that nothing of what it believes to have written is left, and opens it again.
    ///
    /// Readers keep the old one until the disk is known to take writes and to give what is on it, since it cannot be opened
    /// without.
    fn open_anew(&mut self) -> Result<(), String> {
        self.space.try_out().map_err(|error| error.to_string())?;
        first_look::read_through(&self.folder).map_err(|error| error.to_string())?;
        let opened = self.let_go_of_the_old_one().and_then(|()| {
            let db = open_db(&self.folder, self.cache_bytes).map_err(|error| cause(&error))?;
            let files = Files::new(&self.folder).map_err(|error| error.to_string())?;
            Ok((db, files))
        });
        match opened {
            Ok((db, files)) => {
                self.files = files;
                self.db = self.slot.put(db.clone()).then_some(db);
                Ok(())
            }
            Err(reason) => {
                self.slot.fail(&reason);
                Err(reason)
            }
        }
    }
}

/// Waits until `leaving` has ended, for as long as sled may take; answers whether it has.
fn waited_for(leaving: &JoinHandle<()>) -> bool {
    for _ in 0..LEAVING_ATTEMPTS {
        if leaving.is_finished() {
            return true;
        }
        thread::sleep(LEAVING_PAUSE);
    }
    false
}

/// The cause alone, without the advice that belongs to a start.
fn cause(error: &OpenError) -> String {
    match error {
        OpenError::Damaged { detail, .. } => detail.clone(),
        OpenError::Folder { source, .. } => source.to_string(),
        OpenError::NoSpace { .. } => io::Error::from(ErrorKind::StorageFull).to_string(),
        other => other.to_string(),
    }
}

/// sled's files, made private and durable.
struct Files {
    /// A descriptor of our own for sled's log, open as long as the store is. The kernel tells each descriptor once of a
    /// failed write-back, so the failure that sled's background thread meets and only logs is met again here.
    log: File,
    blobs: PathBuf,
    synced_blobs: HashSet<OsString>,
}

impl Files {
    /// Makes all files private and durable, as sled has just left them.
    fn new(folder: &Path) -> io::Result<Self> {
        let mut journal = Self {
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
    fn room(&mut self, bytes: u64) -> Room {
        self.space.room(bytes)
    }

    fn make_way(&mut self, bytes: u64) {
        self.space.make_way(bytes);
    }

    fn reopen(&mut self, reason: &str) -> Result<(), String> {
        if speaks_of_a_full_disk(reason) {
            self.space.free_ballast();
        }
        self.open_anew()
    }

    fn tend(&mut self) -> bool {
        self.space.restore();
        self.space.waits()
    }

    fn apply(&mut self, write: &Write) -> Result<bool, String> {
        let new = write.new.as_deref().map(IVec::from);
        self.db()?
            .compare_and_swap(&write.key, write.expected.as_ref(), new)
            .map(|swapped| swapped.is_ok())
            .map_err(told)
    }

    fn sync(&mut self) -> Result<(), String> {
        self.db()?.flush().map_err(told)?;
        self.files
            .sync_blobs()
            .and_then(|()| self.files.log.sync_data())
            .map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests;
