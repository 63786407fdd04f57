//! Removing a record that cannot be read.
//!
//! Owns the one way to be rid of bytes that do not open. Refuses to know what they were.

use super::backend::Swap;
use super::{Store, StoreError};

impl Store {
    /// Removes whatever stands at the full key `full_key`, whether it can be read or not, so that the key is free again.
    /// For records that are damaged: one that can be read is removed by [`Table::delete`](super::Table::delete), which
    /// minds who wrote last.
    ///
    /// # Errors
    /// Those of the store as a whole.
    pub async fn discard(&self, full_key: &str) -> Result<(), StoreError> {
        let backend = &self.0.backend;
        while let Some(found) = backend.get(full_key).await? {
            match backend.swap(full_key, Some(&found), None).await? {
                Swap::Done => return Ok(()),
                Swap::Conflict => {}
                Swap::Unknown => {
                    let key = full_key.to_owned();
                    return Err(StoreError::Unknown { key });
                }
            }
        }
        Ok(())
    }
}
