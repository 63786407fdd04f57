//! The master key of the store: how it stands, and changing it while people work.
//!
//! Owns nothing but the verbs; the store does it. Refuses to know where keys are kept.

use super::Gateway;
use crate::store::{KeyStatus, RotationEnd, RotationError};

impl Gateway {
    /// How the keys stand, and how far a change of the master key has got.
    #[must_use]
    pub fn key_status(&self) -> KeyStatus {
        self.parts.store.key_status()
    }

    /// Begins to change the master key. A running gateway does the rest by itself.
    ///
    /// # Errors
    /// [`RotationError`]; then nothing was begun.
    pub async fn begin_key_rotation(&self) -> Result<(), RotationError> {
        self.parts.store.begin_rotation().await
    }

    /// Changes over to the new master key, if one was begun with, to the end.
    ///
    /// # Errors
    /// [`RotationError`]; it may be repeated.
    pub async fn finish_key_rotation(&self) -> Result<Option<RotationEnd>, RotationError> {
        self.parts.store.rotate().await
    }

    /// Does every change of the master key that is begun, now or later. Never ends by itself; may be dropped at any moment.
    pub async fn rotate_keys_when_wanted(&self) {
        self.parts.store.rotate_when_wanted().await;
    }
}
