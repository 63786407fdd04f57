//! Reading one record: from the cache where it is, and otherwise on a thread that may wait for a disk.
//!
//! Owns that no asynchronous worker ever waits for a disk, how many readers may wait for one at a time, and the cache in
//! front of them. Refuses to know what is read: it is handed the way to read it.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::cache::{Look, RecordCache};
use super::commit::{Journal, Write};
use super::error::StoreError;
use super::space::Room;

/// How many threads wait for the disk at once, so that a flood of reads that miss leaves threads to everything else that
/// blocks.
const AT_ONCE: usize = 32;

/// The reads of one backend.
pub(super) struct Reads {
    cache: Arc<RecordCache>,
    places: Arc<Semaphore>,
}

impl Reads {
    /// Reads with a cache of about `cache_bytes`.
    pub(super) fn new(cache_bytes: u64) -> Self {
        Self {
            cache: Arc::new(RecordCache::new(cache_bytes)),
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// The bytes at `key`: at once when they are known, otherwise as the reader says that `open` makes. `open` runs here,
    /// and only hands out what to read from; the reader runs where it may block.
    ///
    /// A caller that stops waiting leaves the reader at work, and what it finds is kept.
    pub(super) async fn read<R>(
        &self,
        key: &[u8],
        open: impl FnOnce() -> Result<R, StoreError>,
    ) -> Result<Option<Vec<u8>>, StoreError>
    where
        R: FnOnce(&[u8]) -> Result<Option<Vec<u8>>, StoreError> + Send + 'static,
    {
        let glance = match self.cache.look(key) {
            Look::Known(found) => return Ok(found),
            Look::Missed(glance) => glance,
        };
        let reader = open()?;
        let place = Arc::clone(&self.places).acquire_owned().await;
        let cache = Arc::clone(&self.cache);
        let key = key.to_vec();
        let read = spawn_blocking(move || {
            let found = reader(&key)?;
            cache.keep(glance, &key, found.as_deref());
            drop(place);
            Ok(found)
        });
        // Cut short only when the runtime ends.
        read.await.unwrap_or(Err(StoreError::Closed))
    }

    /// The bytes at each of `keys`, as [`Reads::read`] answers: those that are not known are read by one thread in one go,
    /// one after the other, since a change of threads costs more than a read that needs no disk. Not a snapshot.
    pub(super) async fn read_many<R>(
        &self,
        keys: &[&str],
        open: impl FnOnce() -> Result<R, StoreError>,
    ) -> Result<Vec<Option<Vec<u8>>>, StoreError>
    where
        R: Fn(&[u8]) -> Result<Option<Vec<u8>>, StoreError> + Send + 'static,
    {
        let mut all = vec![None; keys.len()];
        let mut missed = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            match self.cache.look(key.as_bytes()) {
                Look::Known(found) => all[at] = found,
                Look::Missed(glance) => missed.push((at, glance, (*key).to_owned())),
            }
        }
        if missed.is_empty() {
            return Ok(all);
        }
        let reader = open()?;
        let place = Arc::clone(&self.places).acquire_owned().await;
        let cache = Arc::clone(&self.cache);
        let read = spawn_blocking(move || {
            let mut read = Vec::with_capacity(missed.len());
            for (at, glance, key) in missed {
                let found = reader(key.as_bytes())?;
                cache.keep(glance, key.as_bytes(), found.as_deref());
                read.push((at, found));
            }
            drop(place);
            Ok(read)
        });
        // Cut short only when the runtime ends.
        for (at, found) in read.await.unwrap_or(Err(StoreError::Closed))? {
            all[at] = found;
        }
        Ok(all)
    }

    /// `journal`, with every swap that it applies made known to the cache before anybody is told of it.
    pub(super) fn watching<J: Journal>(&self, journal: J) -> impl Journal + use<J> {
        Watched {
            journal,
            cache: Arc::clone(&self.cache),
        }
    }

    /// Forgets what was read, as [`RecordCache::clear`] says: for a backend that was opened anew, or closed.
    pub(super) fn forget(&self) {
        self.cache.clear();
    }
}

/// The committing thread is the one that applies swaps, and it answers a swap only after its batch was synced: by then
/// the cache has long known. A caller that has stopped waiting changes nothing.
struct Watched<J> {
    journal: J,
    cache: Arc<RecordCache>,
}

impl<J: Journal> Journal for Watched<J> {
    fn room(&mut self, bytes: u64) -> Room {
        self.journal.room(bytes)
    }

    fn make_way(&mut self, bytes: u64) {
        self.journal.make_way(bytes);
    }

    fn reopen(&mut self, reason: &str) -> Result<(), String> {
        let reopened = self.journal.reopen(reason);
        // What was applied and never synced may be gone.
        self.cache.clear();
        reopened
    }

    fn tend(&mut self) -> bool {
        self.journal.tend()
    }

    fn apply(&mut self, write: &Write) -> Result<bool, String> {
        let turn = self.cache.begin(&write.key);
        let swapped = self.journal.apply(write)?;
        if swapped {
            turn.applied(write.new.as_deref());
        }
        Ok(swapped)
    }

    fn sync(&mut self) -> Result<(), String> {
        self.journal.sync()
    }
}

#[cfg(test)]
mod tests;
