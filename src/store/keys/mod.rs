//! The keys that records are sealed with.
//!
//! Owns which key opens and which key seals the record at a key. Refuses to know what a record looks like inside its
//! seal.
//!
//! The master key only wraps. The house's data key seals manifests and what belongs to nobody in particular; each person
//! has a data key of their own, which seals every record whose key names them. A seal names its key, so that the keys of
//! before and after a change are readable at once.

mod data_key;
mod house;
mod person;
mod rotation;
mod shredding;
mod wrapping;

use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::Notify;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use zeroize::Zeroizing;

use super::Inner;
use super::backend::Backend;
use super::envelope::Envelope;
use super::error::StoreError;
use super::key_check::Check;
use super::master_key::MasterKey;
use super::seal::{KeyId, Seal};
use crate::base::{PersonId, Random};
use data_key::{DataKeys, OpenKeys};
pub(super) use house::{HOUSE_KEY, HouseKeyError};
use person::DATA_KEYS;
use person::PersonKeys;
pub(super) use rotation::KeyPlace;
pub use rotation::{KeyStatus, PreviousKey, RotationEnd, RotationError, RotationProgress};
pub use shredding::Shredded;
pub(super) use wrapping::Wrapping;

/// Tables whose records are sealed with the key of the person that their keys begin with.
const OF_A_PERSON: [&str; 8] = ["per", "con", "cre", "tom", "def", "use", "sta", "stp"];

/// The keys of one store.
pub(super) struct Keys {
    random: Random,
    ring: RwLock<Ring>,
    people: PersonKeys,
    /// Writes under way whose records may be sealed with the keys of now.
    writes: Mutex<TaskTracker>,
    /// Held by whoever changes keys.
    changing: tokio::sync::Mutex<()>,
    /// Told when a change of the master key was begun.
    wanted: Notify,
    counters: rotation::Counters,
    held_up: Mutex<Option<String>>,
    last: Mutex<Option<RotationEnd>>,
}

/// What is there to open with, apart from people's keys.
struct Ring {
    /// What wraps.
    current: Arc<Wrapping>,
    /// What wrapped until a change that is not done.
    previous: Option<Arc<Wrapping>>,
    /// The change is not done: records may still be sealed under the previous one.
    is_changing: bool,
    /// A previous key is named, be it needed or not.
    previous_is_named: bool,
    house: OpenKeys,
}

/// A master key that nobody changes for now.
pub(super) struct Steady<'a> {
    master_key: MasterKey,
    _unchanged: tokio::sync::MutexGuard<'a, ()>,
}

impl Steady<'_> {
    pub(super) fn master_key(&self) -> &MasterKey {
        &self.master_key
    }
}

impl Ring {
    fn wrappings(&self) -> impl Iterator<Item = &Arc<Wrapping>> {
        [Some(&self.current), self.previous.as_ref()]
            .into_iter()
            .flatten()
    }

    /// Whichever key a master key stands for has this id.
    fn wrapping_of(&self, id: KeyId) -> Option<Arc<Seal>> {
        self.wrappings().find_map(|wrapping| wrapping.of(id))
    }
}

/// Whose key seals a record.
#[derive(Debug, PartialEq, Eq)]
enum Owner<'a> {
    House,
    Person(&'a str),
    /// Nobody's: it holds a data key, and the master key wraps it.
    MasterKey,
}

fn owner_of(full_key: &str) -> Owner<'_> {
    let Some((table, key)) = full_key.split_once('/') else {
        return Owner::House;
    };
    if table == DATA_KEYS || full_key == HOUSE_KEY {
        return Owner::MasterKey;
    }
    let person = key.split_once('/').map_or(key, |(person, _)| person);
    if OF_A_PERSON.contains(&table) && PersonId::parse(person).is_ok() {
        return Owner::Person(person);
    }
    Owner::House
}

impl Keys {
    /// The keys of a new store, and the record that holds the house's.
    pub(super) fn make(wrapping: Wrapping, random: Random) -> (Self, Vec<u8>) {
        let house = DataKeys::new(&random);
        let wrapped = wrapping
            .wrap(HOUSE_KEY, &house, 1)
            .expect("keys can be written as JSON");
        (Self::with(wrapping, None, &house, random), wrapped)
    }

    /// The keys of the store in `backend`.
    pub(super) async fn find_or_make(
        backend: &Backend,
        current: Wrapping,
        previous: Option<Wrapping>,
        check: Check,
        random: Random,
    ) -> Result<Self, HouseKeyError> {
        let made_before = check.tells_of_a_house_key();
        let wrappings: Vec<_> = [Some(&current), previous.as_ref()]
            .into_iter()
            .flatten()
            .collect();
        let house = house::find_or_make(backend, &wrappings, made_before, &random).await?;
        Ok(Self::with(current, previous, &house, random))
    }

    fn with(
        current: Wrapping,
        previous: Option<Wrapping>,
        house: &DataKeys,
        random: Random,
    ) -> Self {
        let ring = Ring {
            current: Arc::new(current),
            is_changing: previous.is_some(),
            previous_is_named: previous.is_some(),
            previous: previous.map(Arc::new),
            house: house.open(&random),
        };
        Self {
            random,
            ring: RwLock::new(ring),
            people: PersonKeys::default(),
            writes: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            wanted: Notify::new(),
            counters: rotation::Counters::default(),
            held_up: Mutex::default(),
            last: Mutex::default(),
        }
    }

    /// The store is known to be sealed under the current master key.
    pub(super) fn previous_is_unneeded(&self) {
        let mut ring = self.ring_mut();
        ring.previous = None;
        ring.is_changing = false;
    }

    /// To be held from before a record is sealed until it is written, so that a change of keys can wait for it.
    pub(super) fn writing(&self) -> TaskTrackerToken {
        self.writes().token()
    }

    /// Waits for every write that is under way now. Those that begin meanwhile are sealed with the keys of now.
    async fn end_epoch(&self) {
        let ended = std::mem::take(&mut *self.writes());
        ended.close();
        ended.wait().await;
    }

    /// The master key, which stays the only one until this is dropped. None while it is being changed.
    pub(super) async fn steady(&self) -> Option<Steady<'_>> {
        let unchanged = self.changing.lock().await;
        let ring = self.ring();
        (!ring.is_changing).then(|| Steady {
            master_key: ring.current.master_key.clone(),
            _unchanged: unchanged,
        })
    }

    /// Where nonces come from.
    pub(super) fn random(&self) -> &Random {
        &self.random
    }

    fn writes(&self) -> std::sync::MutexGuard<'_, TaskTracker> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) -> RwLockReadGuard<'_, Ring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring_mut(&self) -> RwLockWriteGuard<'_, Ring> {
        self.ring.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a record of data keys is wrapped with the current master key.
    fn is_wrapped_anew(&self, wrapped: &[u8]) -> bool {
        self.ring().current.wrapped(wrapped)
    }

    /// The bytes of the record at `row` that holds `keys`.
    fn wrap(&self, row: &str, keys: &DataKeys, generation: u64) -> Result<Vec<u8>, StoreError> {
        self.ring().current.wrap(row, keys, generation)
    }

    /// What a record of data keys holds, whichever master key wrapped it, with its generation.
    fn unwrap(&self, row: &str, wrapped: &[u8]) -> Result<(DataKeys, u64), StoreError> {
        let ring = self.ring();
        let wrapping = ring.wrappings().find(|one| one.wrapped(wrapped));
        wrapping.unwrap_or(&ring.current).unwrap(row, wrapped)
    }
}

impl Inner {
    /// Opens the bytes found at `full_key`.
    pub(super) async fn open_record(
        &self,
        full_key: &str,
        sealed: &[u8],
    ) -> Result<Envelope, StoreError> {
        let plaintext = self.unseal(full_key, sealed).await?;
        Envelope::parse(full_key, plaintext)
    }

    /// Seals what [`super::envelope::compose`] made for `full_key`.
    pub(super) async fn seal_record(
        &self,
        full_key: &str,
        plaintext: &Zeroizing<Vec<u8>>,
    ) -> Result<Vec<u8>, StoreError> {
        let seal = self.seal_for(full_key).await?;
        Ok(seal.seal(full_key.as_bytes(), plaintext))
    }

    /// What the seal of the record at `full_key` held.
    async fn unseal(
        &self,
        full_key: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let seal = match KeyId::of(sealed) {
            Some(id) => self.seal_of(full_key, id).await?,
            None => None,
        };
        // None of ours: the current one says in which way.
        let seal = seal.unwrap_or_else(|| Arc::clone(&self.keys.ring().house.current));
        let opened = seal.open(full_key.as_bytes(), sealed);
        opened.map_err(|error| StoreError::unsealing(full_key, error))
    }

    /// The key of this id, if it may have sealed the record at `full_key`.
    async fn seal_of(&self, full_key: &str, id: KeyId) -> Result<Option<Arc<Seal>>, StoreError> {
        if let Some(seal) = self.keys.ring().wrapping_of(id) {
            return Ok(Some(seal));
        }
        match owner_of(full_key) {
            Owner::House => Ok(self.keys.ring().house.of(id)),
            Owner::MasterKey => Ok(None),
            Owner::Person(person) => {
                let cached = self.cached_person_keys(person);
                if let Some(seal) = cached.and_then(|keys| keys.of(id)) {
                    return Ok(Some(seal));
                }
                let keys = self.read_person_keys(person).await?;
                Ok(keys.and_then(|keys| keys.of(id)))
            }
        }
    }

    /// The key that seals the record at `full_key` from now on.
    async fn seal_for(&self, full_key: &str) -> Result<Arc<Seal>, StoreError> {
        match owner_of(full_key) {
            Owner::House => Ok(Arc::clone(&self.keys.ring().house.current)),
            Owner::MasterKey => Ok(Arc::clone(self.keys.ring().current.data_keys())),
            Owner::Person(person) => Ok(self.person_keys(person).await?.current),
        }
    }
}

#[cfg(test)]
mod tests;
