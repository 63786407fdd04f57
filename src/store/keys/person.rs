//! People's data keys: one each, made with the first record of a person, kept open for a while.
//!
//! Owns the records `key/{person}` and the cache of those that are open. Refuses to know what is sealed with them, and
//! when they are changed.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;

use super::data_key::{DataKeys, OpenKeys};
use crate::store::backend::Urgency;
use crate::store::error::{StoreError, WriteError};
use crate::store::manifest::{Group, group_of};
use crate::store::{Inner, envelope};

/// The prefix of the records that hold people's data keys.
pub(in crate::store) const DATA_KEYS: &str = "key";

/// How many people's keys are kept open in each half of the cache.
const HALF: usize = 2_048;

/// What is to become of a person's data keys.
#[derive(Clone, Copy, PartialEq, Eq)]
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
    /// The bytes at `row`, if its manifest says that they count.
    ///
    /// Boxed, since opening a record may read its person's key, which is a record.
    pub(super) fn find_key_row<'a>(
        &'a self,
        row: &'a str,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        Box::pin(async move {
            let found = self.find(&group(row), row).await?;
            Ok(found.map(|found| found.sealed))
        })
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
            // A destroyed key must not come back; one that was only changed opens nothing with the master key of now.
            let generation = generation + u64::from(change == KeyChange::Destroyed);
            let anew = self.keys.wrap(&row, &keys, generation)?;
            let changed = self.put_raw(&row, &wrapped, &anew).await?;
            if let Some((_, person)) = row.split_once('/') {
                self.keys.people.forget(person);
            }
            if changed {
                if change == KeyChange::Destroyed {
                    self.note_written(&group(&row), &row, generation);
                }
                return Ok(());
            }
            match self.find_key_row(&row).await? {
                Some(found) => wrapped = found,
                None => return Ok(()),
            }
        }
    }

    /// Removes the record, whatever it is by now: put back, it counts as nothing.
    pub(super) async fn destroy_key_row(&self, row: &str) -> Result<(), StoreError> {
        self.discard_listed(&group(row), row).await
    }

    /// Puts a new record, unless somebody else has.
    ///
    /// Boxed, since creating a record may make its person's key, which is a record.
    fn make_key_row<'a>(
        &'a self,
        row: &'a str,
        keys: &'a DataKeys,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let plaintext = envelope::compose(row, keys, 1, None)?;
            let group = group(row);
            let made = self.create_listed(&group, row, plaintext, Urgency::Usual);
            match made.await {
                Ok(_) | Err(WriteError::Conflict) => Ok(()),
                Err(WriteError::Store(error)) => Err(error),
            }
        })
    }
}

/// The group of a record of data keys, which is its person's.
fn group(row: &str) -> Group {
    group_of(row).expect("data keys are in a manifest")
}
