//! The keys that records are sealed with.
//!
//! Owns which key opens and which key seals the record at a key. Refuses to know what a record looks like inside its
//! seal.

use zeroize::Zeroizing;

use super::Inner;
use super::envelope::Envelope;
use super::error::StoreError;
use super::master_key::MasterKey;
use super::seal::Seal;
use crate::base::Random;

/// The keys of one store.
pub(super) struct Keys {
    house: Seal,
}

impl Keys {
    pub(super) fn new(master_key: &MasterKey, random: Random) -> Self {
        Self {
            house: Seal::new(&master_key.store_key("records"), random),
        }
    }
}

impl Inner {
    /// Opens the bytes found at `full_key`.
    #[expect(clippy::unused_async, reason = "a person's key is read from the store")]
    pub(super) async fn open_record(
        &self,
        full_key: &str,
        sealed: &[u8],
    ) -> Result<Envelope, StoreError> {
        let opened = self.keys.house.open(full_key.as_bytes(), sealed);
        let plaintext = opened.map_err(|error| StoreError::unsealing(full_key, error))?;
        Envelope::parse(full_key, plaintext)
    }

    /// Seals what [`super::envelope::compose`] made for `full_key`.
    #[expect(clippy::unused_async, reason = "a person's key is read from the store")]
    pub(super) async fn seal_record(
        &self,
        full_key: &str,
        plaintext: &Zeroizing<Vec<u8>>,
    ) -> Result<Vec<u8>, StoreError> {
        Ok(self.keys.house.seal(full_key.as_bytes(), plaintext))
    }
}
