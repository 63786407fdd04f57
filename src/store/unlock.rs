//! Opening what the master key wraps: the index key and the data keys, when a store is opened.
//!
//! Owns the proof that a master key is the store's, and making those keys when the store is new. Refuses to know what they
//! are used for.

use std::io;

use super::backend::{Backend, KeyRange, Order, Swap};
use super::error::{OpenError, StoreError};
use super::key_check::Check;
use super::keys::{HouseKeyError, Keys, Wrapping};
use super::master_key::MasterKeys;
use super::seal::SealError;
use super::{INDEX_KEY, IndexKey, Settings};
use crate::base::Random;

/// Where a store is, and what it is opened with.
pub(super) struct Place<'a> {
    pub(super) settings: &'a Settings,
    pub(super) master_keys: &'a MasterKeys,
    pub(super) random: &'a Random,
}

impl Place<'_> {
    fn damaged(&self, detail: impl Into<String>) -> OpenError {
        OpenError::Damaged {
            folder: self.settings.store_dir(),
            detail: detail.into(),
        }
    }

    fn unusable(&self, error: &StoreError) -> OpenError {
        self.damaged(error.to_string())
    }

    fn unwritable(&self, cause: impl Into<String>) -> OpenError {
        OpenError::Folder {
            path: self.settings.store_dir(),
            source: io::Error::other(cause.into()),
        }
    }
}

/// Reads the index key, which proves the master key, and the house's data keys. Makes them when the store is new.
pub(super) async fn unlock(
    backend: &Backend,
    place: &Place<'_>,
    check: Check,
) -> Result<(IndexKey, Keys), OpenError> {
    let MasterKeys {
        current, previous, ..
    } = place.master_keys;
    let current = Wrapping::new(current, place.random);
    let previous = previous
        .as_ref()
        .map(|previous| Wrapping::new(previous, place.random));
    let index_key = find_or_make_index_key(backend, place, &current, previous.as_ref(), check);
    let index_key = index_key.await?;
    let random = place.random.clone();
    let keys = Keys::find_or_make(backend, current, previous, check, random).await;
    let keys = keys.map_err(|error| match error {
        HouseKeyError::Gone => {
            place.damaged("the record that holds the house's data key is missing")
        }
        HouseKeyError::Store(error) => place.unusable(&error),
    })?;
    // A change that got as far as this file is done, except that the key may have to take its place.
    if matches!(check, Check::Current { .. }) && !place.master_keys.is_to_be_promoted {
        keys.previous_is_unneeded();
    }
    Ok((index_key, keys))
}

async fn find_or_make_index_key(
    backend: &Backend,
    place: &Place<'_>,
    current: &Wrapping,
    previous: Option<&Wrapping>,
    check: Check,
) -> Result<IndexKey, OpenError> {
    let found = backend.get(INDEX_KEY).await;
    let Some(wrapped) = found.map_err(|error| place.unusable(&error))? else {
        let everything = KeyRange::prefix("");
        let rows = backend.scan(&everything, Order::Ascending, 1).await;
        // sled loses records without a word when its log is damaged. A new index key would orphan every record that
        // is found through the old one.
        let is_empty = rows.map_err(|error| place.unusable(&error))?.is_empty();
        if check != Check::Absent || !is_empty {
            return Err(place.damaged("the record that holds its index key is missing"));
        }
        return make_index_key(backend, place, current).await;
    };
    let mut opened = current.index.open(INDEX_KEY.as_bytes(), &wrapped);
    if let (Err(SealError::OtherKey), Some(previous)) = (&opened, previous) {
        opened = previous.index.open(INDEX_KEY.as_bytes(), &wrapped);
    }
    let folder = place.settings.store_dir();
    match opened {
        Ok(key) => {
            let key = <[u8; 32]>::try_from(key.as_slice());
            key.map(IndexKey)
                .map_err(|_| place.damaged("its index key has the wrong length"))
        }
        Err(SealError::OtherKey) => Err(OpenError::WrongKey { folder }),
        Err(SealError::UnknownFormat(format)) => Err(OpenError::NewerFormat { folder, format }),
        Err(SealError::Damaged) => {
            Err(place.damaged("the record that holds its index key was changed"))
        }
    }
}

async fn make_index_key(
    backend: &Backend,
    place: &Place<'_>,
    wrapping: &Wrapping,
) -> Result<IndexKey, OpenError> {
    let (key, wrapped) = new_index_key(wrapping, place.random);
    match backend.swap(INDEX_KEY, None, Some(&wrapped)).await {
        Ok(Swap::Done) => Ok(key),
        // Only the holder of the lock writes.
        Ok(Swap::Conflict) => Err(place.unwritable("another process wrote first")),
        Ok(Swap::Unknown) => Err(place.unwritable("the first record could not be made durable")),
        Err(StoreError::NoSpace) => Err(OpenError::NoSpace {
            folder: place.settings.store_dir(),
        }),
        Err(error) => Err(place.unwritable(error.to_string())),
    }
}

/// A random index key, and the bytes of its record.
pub(super) fn new_index_key(wrapping: &Wrapping, random: &Random) -> (IndexKey, Vec<u8>) {
    let key = IndexKey(random.bytes());
    let wrapped = wrapping.index.seal(INDEX_KEY.as_bytes(), &key.0);
    (key, wrapped)
}
