//! Typed tables: values of one kind under keys, sealed, with optimistic writes.
//!
//! Owns what create, replace, delete and take mean in terms of swaps, and what is done when it is not known how a swap
//! ended. Refuses to know which backend it stands on, and what the values mean.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::sync::Arc;
use std::{fmt, mem};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::backend::{KeyRange, Order, Swap, Urgency};
use super::envelope::{self, Envelope};
use super::error::{StoreError, WriteError};
use super::manifest::{Found, Known, group_of, group_of_all, to_its_end};
use super::{Inner, Store, sweep};
use crate::base::Timestamp;

/// How many rows one scan fetches.
const PAGE: usize = 256;

/// Values of one kind, at the keys that begin with the table's prefix.
pub struct Table<V> {
    store: Store,
    prefix: &'static str,
    urgency: Urgency,
    values: PhantomData<fn() -> V>,
}

/// A value as it was read or written, with what the next write needs to know.
pub struct Record<V> {
    /// The value.
    pub value: V,
    key: String,
    /// The bytes that a replacing swap expects to find.
    sealed: Vec<u8>,
    generation: u64,
    expires: Option<Timestamp>,
}

impl<V> Record<V> {
    /// The key within the table.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// When the record may be swept away. It can be read until it has been, so whoever minds must look.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        self.expires
    }
}

/// Shows the key alone: values hold secrets.
impl<V> fmt::Debug for Record<V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Record")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// What a listing found. Nothing is left out: a record is either read, or named among the damaged.
#[derive(Debug)]
#[must_use]
pub struct Listing<V> {
    /// The records that could be read, in key order.
    pub records: Vec<Record<V>>,
    /// One error for each record that could not be read, which names it.
    pub damaged: Vec<StoreError>,
}

impl<V> Listing<V> {
    /// The records, if all could be read.
    ///
    /// # Errors
    /// The first of [`Listing::damaged`].
    pub fn whole(self) -> Result<Vec<Record<V>>, StoreError> {
        match self.damaged.into_iter().next() {
            None => Ok(self.records),
            Some(error) => Err(error),
        }
    }
}

impl<V> Clone for Table<V> {
    fn clone(&self) -> Self {
        Self {
            urgency: self.urgency,
            ..Self::new(self.store.clone(), self.prefix)
        }
    }
}

impl<V> fmt::Debug for Table<V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Table").field(&self.prefix).finish()
    }
}

impl<V> Table<V> {
    pub(super) fn new(store: Store, prefix: &'static str) -> Self {
        Self {
            store,
            prefix,
            urgency: Urgency::Usual,
            values: PhantomData,
        }
    }

    /// The same table for writes that end something that cannot be done again, such as keeping a token that was received:
    /// they may use the last of a nearly full disk.
    #[must_use]
    pub fn finishing(self) -> Self {
        Self {
            urgency: Urgency::Last,
            ..self
        }
    }

    fn full_key(&self, key: &str) -> String {
        format!("{}/{key}", self.prefix)
    }

    fn inner(&self) -> &Inner {
        &self.store.0
    }
}

impl<V: Serialize + DeserializeOwned> Table<V> {
    /// The record at `key`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] and its like for this record; others for the store.
    pub async fn get(&self, key: &str) -> Result<Option<Record<V>>, StoreError> {
        let full_key = self.full_key(key);
        let found = match group_of(&full_key) {
            Some(group) => self.inner().find(&group, &full_key).await?,
            None => self.inner().find_unlisted(&full_key).await?,
        };
        found.map(|found| self.record(&full_key, found)).transpose()
    }

    /// Puts a new record at `key`.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] when there is one, even if it has expired.
    pub async fn create(&self, key: &str, value: &V) -> Result<Record<V>, WriteError> {
        self.put_new(key, value, None).await
    }

    /// Puts a new record at `key` that [`Store::sweep`] removes once `expires` has passed.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] when there is one, even if it has expired.
    pub async fn create_until(
        &self,
        key: &str,
        value: &V,
        expires: Timestamp,
    ) -> Result<Record<V>, WriteError> {
        sweep::hint(&self.inner().backend, &self.full_key(key), expires).await?;
        self.put_new(key, value, Some(expires)).await
    }

    /// Puts `value` in the place of `old`, which keeps its expiry.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] when the record is no longer the one that was read.
    pub async fn replace(&self, old: &Record<V>, value: &V) -> Result<Record<V>, WriteError> {
        self.put_over(old, value, old.expires).await
    }

    /// Puts `value` in the place of `old`, with another expiry.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] when the record is no longer the one that was read.
    pub async fn replace_until(
        &self,
        old: &Record<V>,
        value: &V,
        expires: Timestamp,
    ) -> Result<Record<V>, WriteError> {
        sweep::hint(&self.inner().backend, &self.full_key(&old.key), expires).await?;
        self.put_over(old, value, Some(expires)).await
    }

    /// Removes `old`.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] when the record is no longer the one that was read, or is gone.
    pub async fn delete(&self, old: &Record<V>) -> Result<(), WriteError> {
        let full_key = self.full_key(&old.key);
        let removed = match self.remove(&full_key, old).await? {
            // Swapping nothing for nothing both looks whether it is gone and makes that durable if so.
            Swap::Unknown => {
                let nothing =
                    self.inner()
                        .backend
                        .swap_urgently(&full_key, None, None, Urgency::Last);
                nothing.await.unwrap_or(Swap::Unknown)
            }
            known => known,
        };
        ended(removed, &full_key)
    }

    /// Reads and removes the record at `key`: of all who try, at most one gets it.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] when it cannot be known who took it; then nobody gets it. A record that cannot be read
    /// stays where it is.
    pub async fn take(&self, key: &str) -> Result<Option<V>, StoreError> {
        let full_key = self.full_key(key);
        loop {
            let Some(record) = self.get(key).await? else {
                return Ok(None);
            };
            match self.remove(&full_key, &record).await? {
                Swap::Done => return Ok(Some(record.value)),
                Swap::Conflict => {}
                // Absence would not tell who removed it, so it is not looked for.
                Swap::Unknown => return Err(StoreError::Unknown { key: full_key }),
            }
        }
    }

    /// At most `limit` of the records whose keys begin with `key_prefix`, in ascending order of their keys' bytes.
    ///
    /// Not a snapshot: a record that is written meanwhile may show or not.
    ///
    /// # Errors
    /// Only those of the store; a record that cannot be read is in [`Listing::damaged`].
    pub async fn list(&self, key_prefix: &str, limit: usize) -> Result<Listing<V>, StoreError> {
        self.collect(key_prefix, Order::Ascending, limit).await
    }

    /// As [`Table::list`], from the last key downwards: the latest first, where keys begin with a time.
    ///
    /// # Errors
    /// As [`Table::list`].
    pub async fn list_last(
        &self,
        key_prefix: &str,
        limit: usize,
    ) -> Result<Listing<V>, StoreError> {
        self.collect(key_prefix, Order::Descending, limit).await
    }

    async fn collect(
        &self,
        key_prefix: &str,
        order: Order,
        limit: usize,
    ) -> Result<Listing<V>, StoreError> {
        let prefix = self.full_key(key_prefix);
        let mut listing = Listing {
            records: Vec::new(),
            damaged: Vec::new(),
        };
        match group_of_all(&prefix) {
            Some(group) => {
                let all = self.inner().find_all(&group, &prefix, order, limit).await;
                match all {
                    Ok(all) => {
                        for (full_key, found) in all {
                            self.show(&mut listing, &full_key, found.map(Some));
                        }
                    }
                    // The manifest itself.
                    Err(error) if error.record().is_some() => listing.damaged.push(error),
                    Err(error) => return Err(error),
                }
            }
            None => self.scan(&mut listing, &prefix, order, limit).await?,
        }
        Ok(listing)
    }

    async fn scan(
        &self,
        listing: &mut Listing<V>,
        prefix: &str,
        order: Order,
        limit: usize,
    ) -> Result<(), StoreError> {
        let mut range = KeyRange::prefix(prefix);
        loop {
            let wanted = limit - listing.records.len() - listing.damaged.len();
            let page = wanted.min(PAGE);
            let rows = self.inner().backend.scan(&range, order, page).await?;
            let ended = rows.len() < page || page == 0;
            if let Some((last, _)) = rows.last() {
                range = range.past(last, order);
            }
            for (key, sealed) in rows {
                let full_key = String::from_utf8_lossy(&key);
                let found = self.inner().find_scanned(&full_key, sealed).await;
                self.show(listing, &full_key, found);
            }
            if ended {
                return Ok(());
            }
        }
    }

    fn show(
        &self,
        listing: &mut Listing<V>,
        full_key: &str,
        found: Result<Option<Found>, StoreError>,
    ) {
        let record =
            found.and_then(|found| found.map(|found| self.record(full_key, found)).transpose());
        match record {
            Ok(Some(record)) => listing.records.push(record),
            Ok(None) => {}
            Err(error) => listing.damaged.push(error),
        }
    }

    fn record(&self, full_key: &str, found: Found) -> Result<Record<V>, StoreError> {
        let Found { sealed, envelope } = found;
        let own = full_key.strip_prefix(self.prefix);
        let key = own.and_then(|key| key.strip_prefix('/'));
        Ok(Record {
            value: envelope.value(full_key)?,
            key: key.unwrap_or(full_key).to_owned(),
            sealed,
            generation: envelope.generation,
            expires: envelope.expires,
        })
    }

    async fn put_new(
        &self,
        key: &str,
        value: &V,
        expires: Option<Timestamp>,
    ) -> Result<Record<V>, WriteError> {
        let full_key = self.full_key(key);
        let mut plaintext = envelope::compose(&full_key, value, 1, expires)?;
        let value = reread(&full_key, &plaintext)?;
        let (sealed, generation) = if let Some(group) = group_of(&full_key) {
            let (inner, urgency) = (Arc::clone(&self.store.0), self.urgency);
            let plaintext = mem::take(&mut plaintext);
            to_its_end(full_key.clone(), async move {
                inner
                    .create_listed(&group, &full_key, plaintext, urgency)
                    .await
            })
            .await?
        } else {
            let _writing = self.inner().keys.writing();
            let sealed = self.inner().seal_record(&full_key, &plaintext).await?;
            let swap = self.confirmed(&full_key, None, Some(&sealed));
            ended(swap.await?, &full_key)?;
            (sealed, 1)
        };
        Ok(Record {
            value,
            key: key.to_owned(),
            sealed,
            generation,
            expires,
        })
    }

    async fn put_over(
        &self,
        old: &Record<V>,
        value: &V,
        expires: Option<Timestamp>,
    ) -> Result<Record<V>, WriteError> {
        let full_key = self.full_key(&old.key);
        let _writing = self.inner().keys.writing();
        let generation = old.generation + 1;
        let plaintext = envelope::compose(&full_key, value, generation, expires)?;
        let value = reread(&full_key, &plaintext)?;
        let sealed = self.inner().seal_record(&full_key, &plaintext).await?;
        let mut before = Cow::Borrowed(old.sealed.as_slice());
        loop {
            let swap = self.confirmed(&full_key, Some(&before), Some(&sealed));
            let swap = swap.await?;
            match swap {
                Swap::Conflict => match self.sealed_anew(&full_key, old, &before).await? {
                    Some(anew) => before = Cow::Owned(anew),
                    None => return Err(WriteError::Conflict),
                },
                known => {
                    ended(known, &full_key)?;
                    break;
                }
            }
        }
        if let Some(group) = group_of(&full_key) {
            self.inner().note_written(&group, &full_key, generation);
        }
        Ok(Record {
            value,
            key: old.key.clone(),
            sealed,
            generation,
            expires,
        })
    }

    /// Removes `old`, also when it was sealed anew since.
    async fn remove(&self, full_key: &str, old: &Record<V>) -> Result<Swap, StoreError> {
        if let Some(group) = group_of(full_key) {
            let inner = Arc::clone(&self.store.0);
            let known = Known {
                full_key: full_key.to_owned(),
                generation: old.generation,
                sealed: old.sealed.clone(),
            };
            return to_its_end(full_key.to_owned(), async move {
                inner.remove_listed(&group, known).await
            })
            .await;
        }
        let mut sealed = Cow::Borrowed(old.sealed.as_slice());
        loop {
            let backend = &self.inner().backend;
            let swap = backend.swap_urgently(full_key, Some(&sealed), None, Urgency::Last);
            match swap.await? {
                Swap::Conflict => match self.sealed_anew(full_key, old, &sealed).await? {
                    Some(anew) => sealed = Cow::Owned(anew),
                    None => return Ok(Swap::Conflict),
                },
                known => return Ok(known),
            }
        }
    }

    /// The bytes at the key of `old`, when they are no longer `before` and still hold what `old` does: a key of the store
    /// was changed, and the record sealed under the new one.
    async fn sealed_anew(
        &self,
        full_key: &str,
        old: &Record<V>,
        before: &[u8],
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(sealed) = self.inner().backend.get(full_key).await? else {
            return Ok(None);
        };
        if sealed == before {
            return Ok(None);
        }
        let envelope = match self.inner().open_record(full_key, &sealed).await {
            Ok(envelope) => envelope,
            Err(error) if error.record().is_some() => return Ok(None),
            Err(error) => return Err(error),
        };
        let same = envelope.generation == old.generation
            // Where no manifest keeps count, a key begins again at the first generation.
            && (group_of(full_key).is_some() || envelope.is(full_key, &old.value, old.expires));
        Ok(same.then_some(sealed))
    }

    async fn confirmed(
        &self,
        full_key: &str,
        expected: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        self.inner()
            .confirmed(full_key, expected, new, self.urgency)
            .await
    }
}

/// Read back before it is written: what does not survive JSON must not get into the store.
fn reread<V: DeserializeOwned>(
    full_key: &str,
    plaintext: &Zeroizing<Vec<u8>>,
) -> Result<V, StoreError> {
    Envelope::parse(full_key, plaintext.clone())?.value(full_key)
}

fn ended(swap: Swap, full_key: &str) -> Result<(), WriteError> {
    match swap {
        Swap::Done => Ok(()),
        Swap::Conflict => Err(WriteError::Conflict),
        Swap::Unknown => Err(WriteError::Store(StoreError::Unknown {
            key: full_key.to_owned(),
        })),
    }
}

impl Inner {
    /// The record at a key that no manifest lists.
    pub(super) async fn find_unlisted(&self, full_key: &str) -> Result<Option<Found>, StoreError> {
        let Some(sealed) = self.backend.get(full_key).await? else {
            return Ok(None);
        };
        let envelope = self.open_record(full_key, &sealed).await?;
        Ok(Some(Found { sealed, envelope }))
    }

    /// The record whose row a scan found.
    async fn find_scanned(
        &self,
        full_key: &str,
        sealed: Vec<u8>,
    ) -> Result<Option<Found>, StoreError> {
        let Some(group) = group_of(full_key) else {
            let envelope = self.open_record(full_key, &sealed).await?;
            return Ok(Some(Found { sealed, envelope }));
        };
        let roll = self.roll(&group).await?;
        self.find_on(&group, &roll, full_key, Some(sealed)).await
    }

    /// As [`Backend::swap_urgently`], and looks again when it is not known how that ended.
    ///
    /// [`Backend::swap_urgently`]: super::backend::Backend::swap_urgently
    pub(super) async fn confirmed(
        &self,
        full_key: &str,
        expected: Option<&[u8]>,
        new: Option<&[u8]>,
        urgency: Urgency,
    ) -> Result<Swap, StoreError> {
        let backend = &self.backend;
        let swap = backend.swap_urgently(full_key, expected, new, urgency);
        match swap.await? {
            // Swapping the new bytes for themselves both looks whether they are there and makes them durable if so.
            Swap::Unknown => {
                let again = backend.swap_urgently(full_key, new, new, urgency);
                Ok(again.await.unwrap_or(Swap::Unknown))
            }
            known => Ok(known),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Random;
    use crate::store::MasterKey;

    fn store() -> Store {
        let random = Random::seeded(1);
        Store::memory(MasterKey::generate(&random), random)
    }

    async fn raw(store: &Store, key: &str) -> Vec<u8> {
        store.0.backend.get(key).await.unwrap().unwrap()
    }

    async fn put_raw(store: &Store, key: &str, bytes: &[u8]) {
        let old = store.0.backend.get(key).await.unwrap();
        let swap = store.0.backend.swap(key, old.as_deref(), Some(bytes));
        assert_eq!(swap.await, Ok(Swap::Done));
    }

    fn damaged(key: &str) -> StoreError {
        let key = key.to_owned();
        StoreError::Damaged { key }
    }

    #[tokio::test]
    async fn a_record_lives_and_dies() {
        let table: Table<String> = store().table("con");
        assert!(table.get("1").await.unwrap().is_none());
        let made = table.create("1", &"a".to_owned()).await.unwrap();
        assert_eq!((made.key(), made.value.as_str()), ("1", "a"));
        let again = table.create("1", &"b".to_owned()).await;
        assert_eq!(again.unwrap_err(), WriteError::Conflict);

        let replaced = table.replace(&made, &"b".to_owned()).await.unwrap();
        let stale = table.replace(&made, &"c".to_owned()).await;
        assert_eq!(stale.unwrap_err(), WriteError::Conflict);
        assert_eq!(table.delete(&made).await, Err(WriteError::Conflict));
        assert_eq!(table.get("1").await.unwrap().unwrap().value, "b");

        table.delete(&replaced).await.unwrap();
        assert_eq!(table.delete(&replaced).await, Err(WriteError::Conflict));
        assert_eq!(table.take("1").await, Ok(None));
    }

    #[tokio::test]
    async fn an_expiry_stays_through_a_replacement_and_can_be_moved() {
        let table: Table<u8> = store().table("session");
        let (soon, later) = (Timestamp::from_unix(600), Timestamp::from_unix(6_000));
        let made = table.create_until("1", &1, soon).await.unwrap();
        let replaced = table.replace(&made, &2).await.unwrap();
        assert_eq!([made.expires(), replaced.expires()], [Some(soon); 2]);
        table.replace_until(&replaced, &3, later).await.unwrap();
        let found = table.get("1").await.unwrap().unwrap();
        assert_eq!((found.value, found.expires()), (3, Some(later)));
    }

    #[tokio::test]
    async fn changed_bytes_damage_that_record_alone() {
        let store = store();
        let table: Table<u32> = store.table("con");
        for n in 0..3 {
            table.create(&n.to_string(), &n).await.unwrap();
        }
        let mut bytes = raw(&store, "con/1").await;
        *bytes.last_mut().unwrap() ^= 1;
        put_raw(&store, "con/1", &bytes).await;

        assert_eq!(table.get("1").await.unwrap_err(), damaged("con/1"));
        assert_eq!(table.take("1").await.unwrap_err(), damaged("con/1"));
        assert_eq!(table.get("2").await.unwrap().unwrap().value, 2);
        let listing = table.list("", 10).await.unwrap();
        let found: Vec<u32> = listing.records.iter().map(|record| record.value).collect();
        assert_eq!(
            (found, &listing.damaged),
            (vec![0, 2], &vec![damaged("con/1")])
        );
        assert_eq!(listing.whole().unwrap_err(), damaged("con/1"));
        assert_eq!(
            raw(&store, "con/1").await,
            bytes,
            "the evidence was touched"
        );
    }

    #[tokio::test]
    async fn swapped_rows_open_at_neither_place() {
        let store = store();
        let table: Table<String> = store.table("con");
        table.create("alice", &"hers".to_owned()).await.unwrap();
        table.create("bob", &"his".to_owned()).await.unwrap();
        let (hers, his) = (raw(&store, "con/alice").await, raw(&store, "con/bob").await);
        put_raw(&store, "con/alice", &his).await;
        put_raw(&store, "con/bob", &hers).await;
        for key in ["alice", "bob"] {
            let error = table.get(key).await.unwrap_err();
            assert_eq!(error, damaged(&format!("con/{key}")));
        }
    }

    #[tokio::test]
    async fn a_record_of_a_later_format_is_refused_by_its_number() {
        let store = store();
        let table: Table<u32> = store.table("con");
        table.create("1", &1).await.unwrap();
        let mut bytes = raw(&store, "con/1").await;
        bytes[0] = 9;
        put_raw(&store, "con/1", &bytes).await;
        let key = "con/1".to_owned();
        assert_eq!(
            table.get("1").await.unwrap_err(),
            StoreError::NewerFormat { key, format: 9 }
        );
    }

    #[tokio::test]
    async fn a_value_that_would_not_read_back_is_not_written() {
        let store = store();
        // JSON has no NaN: it is written as null, which is no number.
        let table: Table<f64> = store.table("ratio");
        let error = table.create("1", &f64::NAN).await.unwrap_err();
        let key = "ratio/1".to_owned();
        assert_eq!(error, WriteError::Store(StoreError::OtherShape { key }));
        assert_eq!(store.0.backend.get("ratio/1").await, Ok(None));
    }

    #[test]
    fn a_record_shows_its_key_alone() {
        let record = Record {
            value: "hunter2",
            key: "1".to_owned(),
            sealed: b"sealed".to_vec(),
            generation: 1,
            expires: None,
        };
        assert_eq!(format!("{record:?}"), "Record { key: \"1\", .. }");
    }
}
