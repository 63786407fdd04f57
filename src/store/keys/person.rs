//! People's data keys: one each, made with the first record of a person, kept open for a while.
//!
//! Owns the records `key/{person}` and the cache of those that are open. Refuses to know what is sealed with them, and
//! when they are changed.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::data_key::{DataKeys, OpenKeys};
use crate::store::backend::Swap;
use crate::store::error::StoreError;
use crate::store::{Inner, group_of};

/// The prefix of the records that hold people's data keys.
pub(in crate::store) const DATA_KEYS: &str = "key";

/// How many people's keys are kept open in each half of the cache.
const HALF: usize = 2_048;

/// What is to become of a person's data keys.
#[derive(Clone, Copy)]
pub(super) enum KeyChange {
    /// A new one in front, under the current master key. Not for keys that are wrapped with it already.
    Renewed,
    /// A new one in front, so that the one before can go.
    Destroyed,
    /// The one before goes.
    Alone,
}

/// The full key of the record that holds the data keys of `person`.
pub(in crate::store) fn key_row(person: &str) -> String {
    format!("{DATA_KEYS}/{person}")
}

/// Open data keys: the most recently used, in two halves. What is asked for moves to the young half; when that is full it
/// becomes the old one, whose keys are wiped.
#[derive(Default)]
pub(super) struct PersonKeys(Mutex<Halves>);

#[derive(Default)]
struct Halves {
    young: HashMap<String, OpenKeys>,
    old: HashMap<String, OpenKeys>,
    /// How often keys were forgotten. What was read before is not kept after.
    forgotten: u64,
}

impl PersonKeys {
    fn halves(&self) -> MutexGuard<'_, Halves> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, person: &str) -> Option<OpenKeys> {
        let mut halves = self.halves();
        if let Some(keys) = halves.young.get(person) {
            return Some(keys.clone());
        }
        let (name, keys) = halves.old.remove_entry(person)?;
        halves.keep(name, keys.clone());
        Some(keys)
    }

    fn forgotten(&self) -> u64 {
        self.halves().forgotten
    }

    /// Keeps keys that were read when [`PersonKeys::forgotten`] said `then`, unless some were forgotten since: they may
    /// have been these.
    fn keep(&self, person: &str, keys: &OpenKeys, then: u64) {
        let mut halves = self.halves();
        if halves.forgotten == then {
            halves.keep(person.to_owned(), keys.clone());
        }
    }

    /// Forgets a person's keys, since they are about to change or have just done so.
    pub(super) fn forget(&self, person: &str) {
        let mut halves = self.halves();
        halves.forgotten += 1;
        halves.young.remove(person);
        halves.old.remove(person);
    }
}

impl Halves {
    fn keep(&mut self, person: String, keys: OpenKeys) {
        if self.young.len() >= HALF {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(person, keys);
    }
}

impl Inner {
    /// The person's data keys, from the cache.
    pub(super) fn cached_person_keys(&self, person: &str) -> Option<OpenKeys> {
        self.keys.people.find(person)
    }

    /// The person's data keys, read anew; none when there are none.
    pub(super) async fn read_person_keys(
        &self,
        person: &str,
    ) -> Result<Option<OpenKeys>, StoreError> {
        let then = self.keys.people.forgotten();
        let row = key_row(person);
        let Some(wrapped) = self.find_key_row(&row).await? else {
            return Ok(None);
        };
        let (keys, _) = self.keys.unwrap(&row, &wrapped)?;
        let open = keys.open(&self.keys.random);
        self.keys.people.keep(person, &open, then);
        Ok(Some(open))
    }

    /// The person's data keys, which are made when there are none yet. Of all who make them at once, one does.
    pub(super) async fn person_keys(&self, person: &str) -> Result<OpenKeys, StoreError> {
        if let Some(keys) = self.cached_person_keys(person) {
            return Ok(keys);
        }
        let row = key_row(person);
        loop {
            if let Some(keys) = self.read_person_keys(person).await? {
                return Ok(keys);
            }
            self.make_key_row(&row, &DataKeys::new(&self.keys.random))
                .await?;
        }
    }
}

/// The records `key/{person}` as they are written and removed. Listed in a manifest like any other record of the person.
impl Inner {
    pub(super) async fn find_key_row(&self, row: &str) -> Result<Option<Vec<u8>>, StoreError> {
        debug_assert!(group_of(row).is_some(), "`{row}` must be in a manifest");
        self.backend.get(row).await
    }

    /// Changes the keys in the record at `row`, in which `wrapped` was found. The generation stays.
    pub(super) async fn change_key_row(
        &self,
        row: String,
        mut wrapped: Vec<u8>,
        change: KeyChange,
    ) -> Result<(), StoreError> {
        loop {
            let (keys, generation) = match self.keys.unwrap(&row, &wrapped) {
                Ok(found) => found,
                Err(error) if error.record().is_some() => {
                    tracing::warn!(%error, "a person's data key was left as it is, since it does not open");
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            let keys = match change {
                KeyChange::Renewed if self.keys.is_wrapped_anew(&wrapped) => return Ok(()),
                KeyChange::Alone if !keys.has_previous() => return Ok(()),
                KeyChange::Renewed | KeyChange::Destroyed => keys.renewed(&self.keys.random),
                KeyChange::Alone => keys.alone(),
            };
            let anew = self.keys.wrap(&row, &keys, generation)?;
            let changed = self.put_raw(&row, &wrapped, &anew).await?;
            if let Some((_, person)) = row.split_once('/') {
                self.keys.people.forget(person);
            }
            if changed {
                return Ok(());
            }
            match self.find_key_row(&row).await? {
                Some(found) => wrapped = found,
                None => return Ok(()),
            }
        }
    }

    /// Removes the record, whatever it is by now.
    pub(super) async fn destroy_key_row(&self, row: &str) -> Result<(), StoreError> {
        while let Some(wrapped) = self.find_key_row(row).await? {
            match self.backend.swap(row, Some(&wrapped), None).await? {
                Swap::Done => return Ok(()),
                Swap::Conflict => {}
                Swap::Unknown => {
                    return Err(StoreError::Unknown {
                        key: row.to_owned(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Puts a new record, unless somebody else has.
    async fn make_key_row(&self, row: &str, keys: &DataKeys) -> Result<(), StoreError> {
        let wrapped = self.keys.wrap(row, keys, 1)?;
        match self.backend.swap(row, None, Some(&wrapped)).await? {
            Swap::Done | Swap::Conflict => Ok(()),
            Swap::Unknown => Err(StoreError::Unknown {
                key: row.to_owned(),
            }),
        }
    }
}
