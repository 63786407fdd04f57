//! The house's data keys: for manifests, and for records that belong to nobody in particular.
//!
//! Owns the record that holds them. Refuses to know what is sealed with them, and when they are changed.

use super::data_key::DataKeys;
use super::person::DATA_KEYS;
use super::wrapping::Wrapping;
use crate::base::Random;
use crate::store::backend::{Backend, KeyRange, Order, Swap};
use crate::store::error::StoreError;

/// The record that holds the house's data keys.
pub(in crate::store) const HOUSE_KEY: &str = "store/house-key";

/// Why the house's data keys cannot be had.
pub(in crate::store) enum HouseKeyError {
    /// They were made once, and their record is gone.
    Gone,
    /// The store's own.
    Store(StoreError),
}

impl From<StoreError> for HouseKeyError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Reads the house's data keys, which one of `wrappings` wrapped; makes them when the store has none yet, under the first.
pub(super) async fn find_or_make(
    backend: &Backend,
    wrappings: &[&Wrapping],
    made_before: bool,
    random: &Random,
) -> Result<DataKeys, HouseKeyError> {
    loop {
        if let Some(wrapped) = backend.get(HOUSE_KEY).await? {
            let wrapping = wrappings.iter().find(|one| one.wrapped(&wrapped));
            let wrapping = wrapping.unwrap_or(&wrappings[0]);
            return Ok(wrapping.unwrap(HOUSE_KEY, &wrapped)?.0);
        }
        if made_before || has_people(backend).await? {
            return Err(HouseKeyError::Gone);
        }
        let wrapped = wrappings[0].wrap(HOUSE_KEY, &DataKeys::new(random), 1)?;
        if backend.swap(HOUSE_KEY, None, Some(&wrapped)).await? == Swap::Unknown {
            let key = HOUSE_KEY.to_owned();
            return Err(StoreError::Unknown { key }.into());
        }
    }
}

/// A person's data key is never made before the house's.
async fn has_people(backend: &Backend) -> Result<bool, StoreError> {
    let range = KeyRange::prefix(&format!("{DATA_KEYS}/"));
    let first = backend.scan(&range, Order::Ascending, 1).await?;
    Ok(!first.is_empty())
}
