//! A bounded cache of sealed records, and of absences, in front of a backend that reads from a disk.
//!
//! Owns which bytes may be shown without asking the backend, and the promise that they are never older than a swap that
//! was applied. Refuses to know what the bytes are, and where they come from: they go in sealed and come out sealed, so
//! that what lies in memory is as unreadable as what lies on the disk.
//!
//! What makes it exact is a count of writes. Each key belongs to one of a fixed number of *lanes*. The one who applies a
//! swap announces it ([`RecordCache::begin`]): the key's entry goes, the lane's count rises, and nothing is put into that
//! lane until the swap has been applied, when the count rises once more. A reader notes the count before it reads the
//! backend and puts what it found into the cache only when the count is still the same and nobody is writing. So bytes
//! that were read before a swap can never be put back after it, and while a swap is being applied every reader asks the
//! backend itself. Each step takes the lane's lock for some nanoseconds; none is held while a disk is waited for.
//!
//! Absences have a share of their own: keys that were guessed, of tickets and tokens, can push out other absences, but
//! never a record. Among records, one that was read once goes before one that was read again.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

/// How many keys share a count, in the mean: few enough that a write seldom keeps another key's bytes out.
const LANES: usize = 256;

/// What an entry weighs beside its key and its bytes: two allocations, their lengths and counts, and its place.
const OVERHEAD: u64 = 144;

/// Absences have one part in so many of the capacity.
const ABSENT_PART: u64 = 16;

/// What an entry weighs in the mean. It decides no more than how many keys are remembered that were pushed out.
const USUAL_RECORD: u64 = 2048;

/// Sealed bytes, or that there are none, under their full keys.
pub(super) struct RecordCache {
    present: Entries<Arc<[u8]>>,
    absent: Entries<()>,
    lanes: Box<[Mutex<Lane>]>,
    hasher: RandomState,
}

type Entries<V> = Cache<Box<[u8]>, V, Bytes, RandomState>;

/// What a look into the cache showed.
#[derive(Debug)]
pub(super) enum Look {
    /// What the backend would have answered at this moment.
    Known(Option<Vec<u8>>),
    /// The backend must be asked, after this and not before.
    Missed(Glance),
}

/// How many writes its lane had seen when a reader found nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Glance {
    lane: usize,
    writes: u64,
}

#[derive(Default)]
struct Lane {
    /// Rises with each announcement and each end of a write, and when everything is forgotten.
    writes: u64,
    /// How many writes are between the two.
    under_way: usize,
}

/// A write that was announced: nothing enters its lane until it ends, which it does when it is dropped.
#[must_use]
pub(super) struct Turn<'c> {
    cache: &'c RecordCache,
    lane: usize,
    /// What the lane's count was then.
    writes: u64,
    key: &'c [u8],
    /// Whether the key's bytes had been worth keeping.
    was_kept: bool,
    applied: Option<&'c [u8]>,
}

impl RecordCache {
    /// A cache that holds about `capacity` bytes at most, what it needs for itself included; with 0 it holds nothing.
    pub(super) fn new(capacity: u64) -> Self {
        let absent = capacity / ABSENT_PART;
        let hasher = RandomState::new();
        Self {
            present: entries(capacity - absent, USUAL_RECORD, &hasher),
            absent: entries(absent, OVERHEAD, &hasher),
            lanes: (0..LANES).map(|_| Mutex::default()).collect(),
            hasher,
        }
    }

    /// What is known of `key`.
    pub(super) fn look(&self, key: &[u8]) -> Look {
        if let Some(bytes) = self.present.get(key) {
            return Look::Known(Some(bytes.to_vec()));
        }
        if self.absent.get(key).is_some() {
            return Look::Known(None);
        }
        let lane = self.lane_of(key);
        let writes = self.lane(lane).writes;
        Look::Missed(Glance { lane, writes })
    }

    /// Keeps what the backend held at `key` when it was asked after `glance`, unless something was written meanwhile.
    pub(super) fn keep(&self, glance: Glance, key: &[u8], found: Option<&[u8]>) {
        let lane = self.lane(glance.lane);
        if lane.under_way > 0 || lane.writes != glance.writes {
            return;
        }
        match found {
            Some(bytes) => self.present.insert(key.into(), bytes.into()),
            None => self.absent.insert(key.into(), ()),
        }
    }

    /// Announces that a swap of `key` is about to be applied.
    pub(super) fn begin<'c>(&'c self, key: &'c [u8]) -> Turn<'c> {
        let lane = self.lane_of(key);
        let mut entered = self.lane(lane);
        entered.writes += 1;
        entered.under_way += 1;
        self.absent.remove(key);
        Turn {
            cache: self,
            lane,
            writes: entered.writes,
            key,
            was_kept: self.present.remove(key).is_some(),
            applied: None,
        }
    }

    /// Forgets everything, and what is being read now is not kept either.
    ///
    /// For when the backend is opened anew: after the new one has taken the place of the old, and before the first write
    /// to it. A reader takes its glance before it takes hold of the backend.
    pub(super) fn clear(&self) {
        for lane in &self.lanes {
            lane.lock().unwrap_or_else(PoisonError::into_inner).writes += 1;
        }
        self.present.clear();
        self.absent.clear();
    }

    /// How many bytes it holds now, by its own reckoning.
    #[cfg(test)]
    fn weight(&self) -> u64 {
        self.present.weight() + self.absent.weight()
    }

    fn lane_of(&self, key: &[u8]) -> usize {
        // A remainder below the number of lanes.
        usize::try_from(self.hasher.hash_one(key) % LANES as u64).unwrap_or_default()
    }

    fn lane(&self, lane: usize) -> MutexGuard<'_, Lane> {
        self.lanes[lane]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'c> Turn<'c> {
    /// The swap was applied: `new` is there now. Bytes that had been kept are kept again; those that nobody had read of
    /// late are not.
    pub(super) fn applied(mut self, new: Option<&'c [u8]>) {
        self.applied = new.filter(|_| self.was_kept);
    }
}

/// A swap that was refused, or that ended in a panic, may have left anything: nothing is kept of its key.
impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut lane = self.cache.lane(self.lane);
        // Any other write of the lane may be one of this key, and the later of the two.
        let alone = lane.writes == self.writes;
        lane.writes += 1;
        lane.under_way -= 1;
        if alone && let Some(bytes) = self.applied {
            self.cache.present.insert(self.key.into(), bytes.into());
        }
    }
}

fn entries<V: Clone>(capacity: u64, usual: u64, hasher: &RandomState) -> Entries<V>
where
    Bytes: Weighter<Box<[u8]>, V>,
{
    let items = usize::try_from(capacity / usual).unwrap_or(usize::MAX);
    let options = OptionsBuilder::new()
        .weight_capacity(capacity)
        .estimated_items_capacity(items)
        .build()
        .expect("both capacities are set");
    Cache::with_options(options, Bytes, hasher.clone(), DefaultLifecycle::default())
}

/// Weighs entries by the memory they take.
#[derive(Clone, Copy)]
struct Bytes;

impl Weighter<Box<[u8]>, Arc<[u8]>> for Bytes {
    fn weight(&self, key: &Box<[u8]>, bytes: &Arc<[u8]>) -> u64 {
        OVERHEAD + key.len() as u64 + bytes.len() as u64
    }
}

impl Weighter<Box<[u8]>, ()> for Bytes {
    fn weight(&self, key: &Box<[u8]>, (): &()) -> u64 {
        OVERHEAD + key.len() as u64
    }
}

#[cfg(test)]
mod tests;
