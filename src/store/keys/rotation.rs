//! Changing the master key while people work.
//!
//! Owns the steps from one master key to the next, each of which may be cut off anywhere and is then repeated: every
//! data key is replaced and wrapped anew, every record is sealed anew under the new data keys, the old data keys are
//! dropped, and the new master key takes the old one's place. Until then both are readable. Refuses to know where a
//! master key comes from that is not in our own file.
//!
//! A record keeps its generation: sealing it anew is no write of its value. What was sealed with an old data key and is
//! still on its way when the data keys change is waited for ([`Keys::writing`]), so that a pass over the records after
//! that finds everything there is.

use std::io;
use std::path::PathBuf;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures::future::join_all;
use tokio::task::spawn_blocking;

use super::house::HOUSE_KEY;
use super::person::{DATA_KEYS, KeyChange};
use super::{KeyId, Keys, Owner, Ring, Wrapping, owner_of};
use crate::store::backend::{Backend, KeyRange, Order, Swap};
use crate::store::error::{OpenError, StoreError};
use crate::store::master_key::{MasterKeyError, make_next, promote_next};
use crate::store::{INDEX_KEY, Inner, Settings, Store, due, key_check, sweep};

/// How many records are sealed anew at once, so that their writes share a sync.
const PAGE: usize = 256;

/// How long it takes after a failure until it is gone on with.
pub(super) const PAUSE: Duration = Duration::from_secs(10);

/// How the keys of a store stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyStatus {
    /// What the master key is called: the same for the same key, and nothing can be learnt from it.
    pub key: String,
    /// Where a change of the master key stands; none when none is under way.
    pub rotation: Option<RotationProgress>,
    /// The key of before, if one is named.
    pub previous: PreviousKey,
    /// How the last change ended that was finished since the store was opened.
    pub last: Option<RotationEnd>,
}

/// A change of the master key that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationProgress {
    /// How many records are sealed under the new key.
    pub done: u64,
    /// How many there are, as counted at the beginning; 0 before that.
    pub total: u64,
    /// Why it does not get on just now. It is tried again.
    pub held_up: Option<String>,
}

/// Whether a previous master key is named, and needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreviousKey {
    /// None is named.
    NotNamed,
    /// It still opens records.
    Needed,
    /// It opens nothing here any more: it can be taken out of the configuration.
    Unneeded,
}

/// A change of the master key that is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationEnd {
    /// How many records are sealed under the new key.
    pub records: u64,
    /// How many could not be opened before, and were left as they are.
    pub unreadable: u64,
    /// What the old key was called.
    pub old_key: String,
    /// Where the old key is kept; none when it came from elsewhere.
    pub retired: Option<PathBuf>,
}

/// Why the master key was not changed.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// It is not in a file of our own.
    #[error(
        "the master key comes from outside, so Attache cannot change it: put a new key there, name the old one as the previous key, and start again; everything is sealed anew then"
    )]
    FromOutside,
    /// The file of the next key cannot be made.
    #[error(transparent)]
    Key(#[from] MasterKeyError),
    /// A file beside the store cannot be written.
    #[error(transparent)]
    File(#[from] OpenError),
    /// The key file cannot be replaced.
    #[error("the new master key cannot be put in the place of {}: {source}", path.display())]
    Replace {
        /// The key file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Counts what is done.
#[derive(Default)]
pub(super) struct Counters {
    done: AtomicU64,
    total: AtomicU64,
    unreadable: AtomicU64,
}

/// What became of one row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Resealed {
    /// It is sealed under the new key now.
    Now,
    /// It was already, or it is gone.
    Before,
    /// It does not open, so it stays as it is.
    Unreadable,
}

impl Store {
    /// How the keys stand.
    #[must_use]
    pub fn key_status(&self) -> KeyStatus {
        self.0.keys.status()
    }

    /// Makes the next master key, durable, beside the one of now, and begins to change over to it. [`Store::rotate`] does
    /// the work; a change that is under way already is gone on with.
    ///
    /// # Errors
    /// [`RotationError::FromOutside`] when the key is not in a file of our own.
    pub async fn begin_rotation(&self) -> Result<(), RotationError> {
        let keys = &self.0.keys;
        let _alone = keys.changing.lock().await;
        if keys.ring().is_changing {
            return Ok(());
        }
        let place = self.0.place.as_ref();
        let path = place.and_then(|place| place.own_file.clone());
        let path = path.ok_or(RotationError::FromOutside)?;
        let random = keys.random.clone();
        let next = spawn_blocking(move || make_next(&path, &random))
            .await
            .map_err(|_| StoreError::Closed)??;
        let next = Wrapping::new(&next, &keys.random);
        keys.change_to(next);
        tracing::info!("the master key is being changed");
        keys.wanted.notify_waiters();
        Ok(())
    }

    /// Changes over to the current master key, if records may still be sealed under another. Runs to the end; what is cut
    /// off is gone on with by the next call, also of another process.
    ///
    /// # Errors
    /// [`RotationError`]. Both keys are needed until it has succeeded.
    pub async fn rotate(&self) -> Result<Option<RotationEnd>, RotationError> {
        let keys = &self.0.keys;
        let _alone = keys.changing.lock().await;
        if !keys.ring().is_changing {
            return Ok(None);
        }
        let ended = self.0.change_over().await;
        keys.hold_up(ended.as_ref().err());
        ended.map(Some)
    }

    /// Does every change of the master key that is begun, now or later. Ends only when it is dropped, at any moment.
    pub async fn rotate_when_wanted(&self) {
        loop {
            let wanted = self.0.keys.wanted.notified();
            tokio::pin!(wanted);
            // From here on no call is missed.
            wanted.as_mut().enable();
            match self.rotate().await {
                Ok(None) => wanted.await,
                Ok(Some(end)) => tell(&end),
                Err(error) => {
                    tracing::error!(%error, "the change of the master key is held up, and tried again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

fn tell(end: &RotationEnd) {
    let (records, unreadable) = (end.records, end.unreadable);
    if let Some(retired) = &end.retired {
        tracing::info!(
            records, unreadable, retired = %retired.display(),
            "the master key was changed; the old one opens nothing but older backups"
        );
    } else {
        tracing::info!(
            records,
            unreadable,
            "the master key was changed; the previous one can be taken out of the configuration"
        );
    }
}

impl Keys {
    pub(super) fn status(&self) -> KeyStatus {
        let ring = self.ring();
        let count = |counter: &AtomicU64| counter.load(Relaxed);
        let held_up = self.held_up.lock().unwrap_or_else(PoisonError::into_inner);
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let total = count(&self.counters.total);
        KeyStatus {
            key: ring.current.id(),
            rotation: ring.is_changing.then(|| RotationProgress {
                // What was added since the count is not more than all.
                done: count(&self.counters.done).min(total),
                total,
                held_up: held_up.clone(),
            }),
            previous: ring.previous_key(),
            last: last.clone(),
        }
    }

    fn hold_up(&self, error: Option<&RotationError>) {
        let mut held_up = self.held_up.lock().unwrap_or_else(PoisonError::into_inner);
        *held_up = error.map(ToString::to_string);
    }

    fn change_to(&self, next: Wrapping) {
        let mut ring = self.ring_mut();
        let old = std::mem::replace(&mut ring.current, next.into());
        ring.previous = Some(old);
        ring.is_changing = true;
        self.counters.done.store(0, Relaxed);
        self.counters.total.store(0, Relaxed);
    }
}

impl Ring {
    fn previous_key(&self) -> PreviousKey {
        match (&self.previous, self.is_changing) {
            (Some(_), true) => PreviousKey::Needed,
            (Some(_), false) => PreviousKey::Unneeded,
            (None, _) if self.previous_is_named => PreviousKey::Unneeded,
            (None, _) => PreviousKey::NotNamed,
        }
    }
}

impl Inner {
    async fn change_over(&self) -> Result<RotationEnd, RotationError> {
        self.count_sealed().await?;
        self.rewrap_index_key().await?;
        self.renew_house_key().await?;
        self.renew_person_keys().await?;
        self.wait_for_writes().await?;
        while self.reseal_everything().await? > 0 {}
        self.drop_previous_of_people().await?;
        self.drop_previous_of_house().await?;
        self.finish().await
    }

    /// Counts what is to be done.
    async fn count_sealed(&self) -> Result<(), StoreError> {
        let mut total = 0;
        let mut pages = Pages::below("");
        while let Some(rows) = pages.next(&self.backend).await? {
            total += rows.iter().filter(|(key, _)| is_sealed(key)).count() as u64;
        }
        let counters = &self.keys.counters;
        counters.done.store(0, Relaxed);
        counters.unreadable.store(0, Relaxed);
        counters.total.store(total, Relaxed);
        Ok(())
    }

    async fn rewrap_index_key(&self) -> Result<(), StoreError> {
        loop {
            let missing = || StoreError::Missing {
                key: INDEX_KEY.to_owned(),
            };
            let wrapped = self.backend.get(INDEX_KEY).await?.ok_or_else(missing)?;
            let current = self.keys.ring().current.clone();
            if current.index.open(INDEX_KEY.as_bytes(), &wrapped).is_ok() {
                return Ok(());
            }
            let anew = current.index.seal(INDEX_KEY.as_bytes(), &self.index_key.0);
            if self.put_raw(INDEX_KEY, &wrapped, &anew).await? {
                return Ok(());
            }
        }
    }

    async fn renew_house_key(&self) -> Result<(), StoreError> {
        loop {
            let Some(wrapped) = self.backend.get(HOUSE_KEY).await? else {
                let key = HOUSE_KEY.to_owned();
                return Err(StoreError::Missing { key });
            };
            if self.keys.is_wrapped_anew(&wrapped) {
                return Ok(());
            }
            let (keys, generation) = self.keys.unwrap(HOUSE_KEY, &wrapped)?;
            let keys = keys.renewed(&self.keys.random);
            let anew = self.keys.wrap(HOUSE_KEY, &keys, generation)?;
            if self.put_raw(HOUSE_KEY, &wrapped, &anew).await? {
                self.keys.ring_mut().house = keys.open(&self.keys.random);
                return Ok(());
            }
        }
    }

    async fn renew_person_keys(&self) -> Result<(), StoreError> {
        let mut pages = Pages::below(&format!("{DATA_KEYS}/"));
        while let Some(rows) = pages.next(&self.backend).await? {
            let renewed = rows
                .into_iter()
                .map(|(row, wrapped)| self.change_key_row(row, wrapped, KeyChange::Renewed));
            join_all(renewed)
                .await
                .into_iter()
                .collect::<Result<(), _>>()?;
        }
        Ok(())
    }

    async fn drop_previous_of_people(&self) -> Result<(), StoreError> {
        let mut pages = Pages::below(&format!("{DATA_KEYS}/"));
        while let Some(rows) = pages.next(&self.backend).await? {
            let alone = rows
                .into_iter()
                .map(|(row, wrapped)| self.change_key_row(row, wrapped, KeyChange::Alone));
            join_all(alone)
                .await
                .into_iter()
                .collect::<Result<(), _>>()?;
        }
        Ok(())
    }

    async fn drop_previous_of_house(&self) -> Result<(), StoreError> {
        loop {
            let Some(wrapped) = self.backend.get(HOUSE_KEY).await? else {
                let key = HOUSE_KEY.to_owned();
                return Err(StoreError::Missing { key });
            };
            let (keys, generation) = self.keys.unwrap(HOUSE_KEY, &wrapped)?;
            let keys = keys.alone();
            let anew = self.keys.wrap(HOUSE_KEY, &keys, generation)?;
            if self.put_raw(HOUSE_KEY, &wrapped, &anew).await? {
                self.keys.ring_mut().house = keys.open(&self.keys.random);
                return Ok(());
            }
        }
    }

    /// Waits until no write is under way whose record was sealed before now, and applied in the store.
    pub(super) async fn wait_for_writes(&self) -> Result<(), StoreError> {
        self.keys.end_epoch().await;
        // Writes whose callers went away may still stand in the queue; this one stands behind them.
        let Some(wrapped) = self.backend.get(INDEX_KEY).await? else {
            let key = INDEX_KEY.to_owned();
            return Err(StoreError::Missing { key });
        };
        self.put_raw(INDEX_KEY, &wrapped, &wrapped).await?;
        Ok(())
    }

    /// Seals everything under the keys of now that is not yet. Answers how many records that were.
    async fn reseal_everything(&self) -> Result<usize, StoreError> {
        let mut anew = 0;
        let counters = &self.keys.counters;
        counters.done.store(0, Relaxed);
        counters.unreadable.store(0, Relaxed);
        let mut pages = Pages::below("");
        while let Some(rows) = pages.next(&self.backend).await? {
            let rows = rows.into_iter().filter(|(key, _)| is_sealed(key));
            let resealed = rows.map(|(key, sealed)| self.reseal_counted(key, sealed));
            for resealed in join_all(resealed).await {
                anew += usize::from(resealed? == Resealed::Now);
            }
        }
        Ok(anew)
    }

    async fn reseal_counted(&self, key: String, sealed: Vec<u8>) -> Result<Resealed, StoreError> {
        let resealed = self.reseal(&key, sealed).await?;
        let counters = &self.keys.counters;
        counters.done.fetch_add(1, Relaxed);
        if resealed == Resealed::Unreadable {
            counters.unreadable.fetch_add(1, Relaxed);
        }
        Ok(resealed)
    }

    /// Seals the record at `full_key` under the key of now. Its content, and so its generation, stays.
    pub(super) async fn reseal(
        &self,
        full_key: &str,
        mut sealed: Vec<u8>,
    ) -> Result<Resealed, StoreError> {
        if owner_of(full_key) == Owner::MasterKey {
            return Ok(if self.keys.is_wrapped_anew(&sealed) {
                Resealed::Before
            } else {
                Resealed::Unreadable
            });
        }
        loop {
            let opened = match self.seal_for(full_key).await {
                Ok(seal) if KeyId::of(&sealed) == Some(seal.key_id()) => {
                    return Ok(Resealed::Before);
                }
                Ok(seal) => self
                    .unseal(full_key, &sealed)
                    .await
                    .map(|held| seal.seal(full_key.as_bytes(), &held)),
                Err(error) => Err(error),
            };
            let anew = match opened {
                Ok(anew) => anew,
                Err(error) if error.record().is_some() => {
                    tracing::warn!(%error, "a record was left as it is, since it does not open");
                    return Ok(Resealed::Unreadable);
                }
                Err(error) => return Err(error),
            };
            if self.put_raw(full_key, &sealed, &anew).await? {
                return Ok(Resealed::Now);
            }
            match self.backend.get(full_key).await? {
                Some(found) => sealed = found,
                None => return Ok(Resealed::Before),
            }
        }
    }

    async fn finish(&self) -> Result<RotationEnd, RotationError> {
        let (current, old) = {
            let ring = self.keys.ring();
            let old = ring.previous.as_ref().map(|old| old.id());
            (ring.current.clone(), old.unwrap_or_default())
        };
        let mut retired = None;
        if let Some(place) = &self.place {
            let random = &self.keys.random;
            key_check::write(&place.settings, &current.master_key, random).await?;
            if let Some(path) = place.own_file.clone() {
                retired = promote(path, old.clone()).await?;
            }
        }
        let counters = &self.keys.counters;
        let end = RotationEnd {
            records: counters.done.load(Relaxed),
            unreadable: counters.unreadable.load(Relaxed),
            old_key: old,
            retired,
        };
        let mut ring = self.keys.ring_mut();
        ring.previous = None;
        ring.is_changing = false;
        *self
            .keys
            .last
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(end.clone());
        Ok(end)
    }

    /// Puts `new` in the place of `old`; answers whether `old` was still there.
    pub(super) async fn put_raw(
        &self,
        full_key: &str,
        old: &[u8],
        new: &[u8],
    ) -> Result<bool, StoreError> {
        match self.backend.swap(full_key, Some(old), Some(new)).await? {
            Swap::Done => Ok(true),
            Swap::Conflict => Ok(false),
            Swap::Unknown => Err(StoreError::Unknown {
                key: full_key.to_owned(),
            }),
        }
    }
}

/// Every row below a prefix, a page at a time.
pub(super) struct Pages(KeyRange);

impl Pages {
    pub(super) fn below(prefix: &str) -> Self {
        Self(KeyRange::prefix(prefix))
    }

    /// The next page; none after the last.
    pub(super) async fn next(
        &mut self,
        backend: &Backend,
    ) -> Result<Option<Vec<(String, Vec<u8>)>>, StoreError> {
        let rows = backend.scan(&self.0, Order::Ascending, PAGE).await?;
        let Some((last, _)) = rows.last() else {
            return Ok(None);
        };
        self.0 = self.0.clone().past(last, Order::Ascending);
        let readable =
            |(key, bytes): (Vec<u8>, Vec<u8>)| Some((String::from_utf8(key).ok()?, bytes));
        Ok(Some(rows.into_iter().filter_map(readable).collect()))
    }
}

async fn promote(path: PathBuf, old: String) -> Result<Option<PathBuf>, RotationError> {
    let file = path.clone();
    let promoted = spawn_blocking(move || promote_next(&file, &old)).await;
    promoted
        .unwrap_or_else(|cut_short| Err(cut_short.into()))
        .map_err(|source| RotationError::Replace { path, source })
}

/// Hints and notes are not sealed; the index key is wrapped in a way of its own.
fn is_sealed(full_key: &str) -> bool {
    let table = full_key.split('/').next().unwrap_or_default();
    full_key != INDEX_KEY && ![sweep::HINTS, due::NOTES, due::LANES].contains(&table)
}

/// Where the store's keys are changed, for a store on a disk.
pub(in crate::store) struct KeyPlace {
    pub(in crate::store) settings: Settings,
    pub(in crate::store) own_file: Option<PathBuf>,
}

#[cfg(test)]
mod tests;
