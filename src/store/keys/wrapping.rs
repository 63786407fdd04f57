//! What the master key does inside the store: it wraps the keys that do the sealing.
//!
//! Owns which derived key wraps what. Refuses to know where the wrapped keys are kept, and where the master key comes
//! from.

use std::sync::Arc;

use crate::base::Random;
use crate::store::envelope::{self, Envelope};
use crate::store::error::StoreError;
use crate::store::master_key::MasterKey;
use crate::store::seal::{KeyId, Seal};

use super::data_key::DataKeys;

/// One master key's derived keys.
pub(in crate::store) struct Wrapping {
    pub(super) master_key: MasterKey,
    /// Wraps the index key.
    pub(in crate::store) index: Seal,
    /// Wraps data keys.
    data_keys: Arc<Seal>,
    /// What sealed records before there were data keys.
    records: Arc<Seal>,
}

impl Wrapping {
    pub(in crate::store) fn new(master_key: &MasterKey, random: &Random) -> Self {
        let seal = |purpose: &str| Seal::new(&master_key.store_key(purpose), random.clone());
        Self {
            master_key: master_key.clone(),
            index: seal("index"),
            data_keys: Arc::new(seal("data keys")),
            records: Arc::new(seal("records")),
        }
    }

    /// The key of this id that wraps data keys, or that sealed a record before there were any.
    pub(super) fn of(&self, id: KeyId) -> Option<Arc<Seal>> {
        let known = [&self.data_keys, &self.records];
        known.into_iter().find(|seal| seal.key_id() == id).cloned()
    }

    /// What the master key is called.
    pub(super) fn id(&self) -> String {
        self.master_key.id()
    }

    pub(super) fn data_keys(&self) -> &Arc<Seal> {
        &self.data_keys
    }

    /// The bytes of the record at `full_key` that holds `keys`.
    pub(super) fn wrap(
        &self,
        full_key: &str,
        keys: &DataKeys,
        generation: u64,
    ) -> Result<Vec<u8>, StoreError> {
        let plaintext = envelope::compose(full_key, keys, generation, None)?;
        Ok(self.data_keys.seal(full_key.as_bytes(), &plaintext))
    }

    /// What [`Wrapping::wrap`] made, with the generation of its record.
    pub(super) fn unwrap(
        &self,
        full_key: &str,
        sealed: &[u8],
    ) -> Result<(DataKeys, u64), StoreError> {
        let plaintext = self.data_keys.open(full_key.as_bytes(), sealed);
        let plaintext = plaintext.map_err(|error| StoreError::unsealing(full_key, error))?;
        let envelope = Envelope::parse(full_key, plaintext)?;
        Ok((envelope.value(full_key)?, envelope.generation))
    }

    /// Whether this master key wrapped these bytes.
    pub(super) fn wrapped(&self, sealed: &[u8]) -> bool {
        KeyId::of(sealed) == Some(self.data_keys.key_id())
    }
}
