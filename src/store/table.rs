//! Typed tables: values of one kind under keys, sealed, with optimistic writes.
//!
//! Owns what create, replace, delete and take mean in terms of swaps, and what is done when it is not known how a swap
//! ended. Refuses to know which backend it stands on, and what the values mean.

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::backend::{KeyRange, Order, Swap, Urgency};
use super::envelope;
use super::error::{StoreError, WriteError};
use super::seal::KeyId;
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
        let sealed = self.inner().backend.get(&full_key).await?;
        match sealed {
            Some(sealed) => self.read(&full_key, sealed).await.map(Some),
            None => Ok(None),
        }
    }

    /// Puts a new record at `key`.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] when there is one, even if it has expired.
    pub async fn create(&self, key: &str, value: &V) -> Result<Record<V>, WriteError> {
        self.put(key, None, value, None).await
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
        self.put(key, None, value, Some(expires)).await
    }

    /// Puts `value` in the place of `old`, which keeps its expiry.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] when the record is no longer the one that was read.
    pub async fn replace(&self, old: &Record<V>, value: &V) -> Result<Record<V>, WriteError> {
        self.put(&old.key, Some(old), value, old.expires).await
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
        self.put(&old.key, Some(old), value, Some(expires)).await
    }

    /// Removes `old`.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] when the record is no longer the one that was read, or is gone.
    pub async fn delete(&self, old: &Record<V>) -> Result<(), WriteError> {
        let full_key = self.full_key(&old.key);
        let mut expected = old.sealed.clone();
        loop {
            match self.swap(&full_key, Some(&expected), None).await {
                Err(WriteError::Conflict) => expected = self.resealed(old, &expected).await?,
                ended => return ended,
            }
        }
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
            let swap = self
                .inner()
                .backend
                .swap(&full_key, Some(&record.sealed), None);
            match swap.await? {
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
        let mut range = KeyRange::prefix(&self.full_key(key_prefix));
        let mut listing = Listing {
            records: Vec::new(),
            damaged: Vec::new(),
        };
        let mut wanted = limit;
        loop {
            let page = wanted.min(PAGE);
            let rows = self.inner().backend.scan(&range, order, page).await?;
            wanted -= rows.len();
            let last = rows.last().map(|(key, _)| key.clone());
            let ended = rows.len() < page;
            for (key, sealed) in rows {
                match self.read(&String::from_utf8_lossy(&key), sealed).await {
                    Ok(record) => listing.records.push(record),
                    Err(error) => listing.damaged.push(error),
                }
            }
            match last {
                Some(last) if !ended && wanted > 0 => range = range.past(&last, order),
                _ => return Ok(listing),
            }
        }
    }

    async fn read(&self, full_key: &str, sealed: Vec<u8>) -> Result<Record<V>, StoreError> {
        let envelope = self.inner().open_record(full_key, &sealed).await?;
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

    async fn put(
        &self,
        key: &str,
        old: Option<&Record<V>>,
        value: &V,
        expires: Option<Timestamp>,
    ) -> Result<Record<V>, WriteError> {
        let full_key = self.full_key(key);
        let _writing = self.inner().keys.writing();
        let generation = old.map_or(1, |old| old.generation + 1);
        let plaintext = envelope::compose(&full_key, value, generation, expires)?;
        let sealed = self.inner().seal_record(&full_key, &plaintext).await?;
        // Read back before it is written: what does not survive JSON must not get into the store.
        let record = self.read(&full_key, sealed).await?;
        let Some(old) = old else {
            self.swap(&full_key, None, Some(&record.sealed)).await?;
            return Ok(record);
        };
        let mut expected = old.sealed.clone();
        loop {
            let new = Some(record.sealed.as_slice());
            match self.swap(&full_key, Some(&expected), new).await {
                Err(WriteError::Conflict) => expected = self.resealed(old, &expected).await?,
                ended => return ended.map(|()| record),
            }
        }
    }

    /// The bytes of `old` as they are now, if all that became of it since it was `expected` is that its keys were changed.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] when it was written to.
    async fn resealed(&self, old: &Record<V>, expected: &[u8]) -> Result<Vec<u8>, WriteError> {
        let full_key = self.full_key(&old.key);
        let found = self.inner().backend.get(&full_key).await?;
        let found = found.filter(|found| KeyId::of(found) != KeyId::of(expected));
        let found = self
            .read(&full_key, found.ok_or(WriteError::Conflict)?)
            .await?;
        // The generation alone would not tell a record from one that was made again at its key.
        let is_same = found.generation == old.generation
            && found.expires == old.expires
            && *envelope::compose(&full_key, &found.value, 0, None)?
                == *envelope::compose(&full_key, &old.value, 0, None)?;
        if is_same {
            Ok(found.sealed)
        } else {
            Err(WriteError::Conflict)
        }
    }

    async fn swap(
        &self,
        full_key: &str,
        expected: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Result<(), WriteError> {
        let backend = &self.inner().backend;
        let swap = backend.swap_urgently(full_key, expected, new, self.urgency);
        let outcome = match swap.await? {
            // Swapping the new bytes for themselves both looks whether they are there and makes them durable if so.
            Swap::Unknown => backend
                .swap_urgently(full_key, new, new, self.urgency)
                .await
                .ok(),
            known => Some(known),
        };
        match outcome {
            Some(Swap::Done) => Ok(()),
            Some(Swap::Conflict) => Err(WriteError::Conflict),
            Some(Swap::Unknown) | None => Err(WriteError::Store(StoreError::Unknown {
                key: full_key.to_owned(),
            })),
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
