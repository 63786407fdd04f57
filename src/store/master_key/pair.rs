//! The master key of now, and the one of before while a store changes from one to the other.
//!
//! Owns which of the two is which. Refuses to know how a store is changed over.

use std::path::PathBuf;

use super::own_file;
use super::{KeySource, MasterKey, MasterKeyError};
use crate::base::Random;
use crate::store::Settings;

/// The master keys that a store is opened with.
pub struct MasterKeys {
    /// The one that the store is sealed under, or shall be.
    pub current: MasterKey,
    /// The one that it may still be sealed under.
    pub previous: Option<MasterKey>,
    /// The key file, when it is our own: another key may be put into it.
    pub(in crate::store) own_file: Option<PathBuf>,
    /// The current key is still to take the previous one's place in our own file.
    pub(in crate::store) is_to_be_promoted: bool,
}

impl MasterKeys {
    /// Reads the keys: the current one from `source`, as [`MasterKey::load`] does, and the one before from `previous`. A
    /// file of our own that is being replaced is read together with the one that takes its place.
    ///
    /// # Errors
    /// [`MasterKeyError`], each with what to do.
    pub fn load(
        source: &KeySource,
        previous: Option<&KeySource>,
        settings: &Settings,
        random: &Random,
    ) -> Result<Self, MasterKeyError> {
        let current = MasterKey::load(source, settings, random)?;
        Self::pair(current, source, previous, settings)
    }

    /// As [`MasterKeys::load`], but makes no key: `None` while it is still to be made.
    ///
    /// # Errors
    /// [`MasterKeyError`], each with what to do.
    pub fn find(
        source: &KeySource,
        previous: Option<&KeySource>,
        settings: &Settings,
    ) -> Result<Option<Self>, MasterKeyError> {
        let current = MasterKey::find(source, settings)?;
        current
            .map(|current| Self::pair(current, source, previous, settings))
            .transpose()
    }

    fn pair(
        current: MasterKey,
        source: &KeySource,
        previous: Option<&KeySource>,
        settings: &Settings,
    ) -> Result<Self, MasterKeyError> {
        let KeySource::File(path) = source else {
            let previous = previous.map(|source| MasterKey::find(source, settings));
            return Ok(Self {
                current,
                previous: previous.transpose()?.flatten(),
                own_file: None,
                is_to_be_promoted: false,
            });
        };
        let own_file = Some(path.clone());
        if let Some(next) = own_file::find_next(path)? {
            return Ok(Self {
                current: next,
                previous: Some(current),
                own_file,
                is_to_be_promoted: true,
            });
        }
        let previous = previous.map(|source| MasterKey::find(source, settings));
        Ok(Self {
            current,
            previous: previous.transpose()?.flatten(),
            own_file,
            is_to_be_promoted: false,
        })
    }
}

impl From<MasterKey> for MasterKeys {
    fn from(current: MasterKey) -> Self {
        Self {
            current,
            previous: None,
            own_file: None,
            is_to_be_promoted: false,
        }
    }
}
