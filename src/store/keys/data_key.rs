//! Data keys: what seals records, and how such keys are kept themselves.
//!
//! Owns the shape of the record that holds the data keys of the house or of one person. Refuses to know what wraps that
//! record, and what is sealed with the keys.

use std::fmt;
use std::sync::Arc;

use data_encoding::BASE64;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::base::Random;
use crate::store::seal::{KeyId, Seal, SubKey};

/// 32 random bytes that seal records.
pub(super) struct DataKey(SubKey);

impl DataKey {
    pub(super) fn generate(random: &Random) -> Self {
        Self(SubKey::generate(random))
    }

    fn seal(&self, random: &Random) -> Arc<Seal> {
        Arc::new(Seal::new(&self.0, random.clone()))
    }
}

impl Serialize for DataKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = Zeroizing::new(BASE64.encode(self.0.as_bytes()));
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for DataKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Read where it stands: an owned text would leave a copy behind.
        deserializer.deserialize_str(Base64Key)
    }
}

struct Base64Key;

impl Visitor<'_> for Base64Key {
    type Value = DataKey;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("32 bytes written as base64")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<DataKey, E> {
        let malformed = || E::custom("no key");
        let bytes = BASE64.decode(text.as_bytes()).map_err(|_| malformed())?;
        let bytes = Zeroizing::new(bytes);
        SubKey::from_slice(&bytes)
            .map(DataKey)
            .ok_or_else(malformed)
    }
}

/// The data keys of the house, or of one person, as they are kept: one, and while records are sealed anew the one before.
#[derive(Serialize, Deserialize)]
pub(super) struct DataKeys {
    current: DataKey,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<DataKey>,
}

impl DataKeys {
    pub(super) fn new(random: &Random) -> Self {
        Self {
            current: DataKey::generate(random),
            previous: None,
        }
    }

    /// A new key in front; what the current one sealed stays readable. One that was still the previous one is dropped.
    pub(super) fn renewed(self, random: &Random) -> Self {
        Self {
            current: DataKey::generate(random),
            previous: Some(self.current),
        }
    }

    /// Without the previous key: what it sealed is readable no more.
    pub(super) fn alone(self) -> Self {
        Self {
            current: self.current,
            previous: None,
        }
    }

    pub(super) fn has_previous(&self) -> bool {
        self.previous.is_some()
    }

    pub(super) fn open(&self, random: &Random) -> OpenKeys {
        OpenKeys {
            current: self.current.seal(random),
            previous: self.previous.as_ref().map(|key| key.seal(random)),
        }
    }
}

/// Data keys ready for use. Wiped when the last clone is dropped.
#[derive(Clone)]
pub(super) struct OpenKeys {
    pub(super) current: Arc<Seal>,
    pub(super) previous: Option<Arc<Seal>>,
}

impl OpenKeys {
    /// The one of this id.
    pub(super) fn of(&self, id: KeyId) -> Option<Arc<Seal>> {
        let known = [Some(&self.current), self.previous.as_ref()];
        known
            .into_iter()
            .flatten()
            .find(|seal| seal.key_id() == id)
            .cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back_and_the_one_before_goes_when_it_is_told_to() {
        let random = Random::seeded(1);
        let keys = DataKeys::new(&random);
        let first = keys.open(&random).current.key_id();
        let keys = keys.renewed(&random);
        let text = serde_json::to_vec(&keys).unwrap();
        let keys: DataKeys = serde_json::from_slice(&text).unwrap();
        let open = keys.open(&random);
        assert_eq!(open.of(first).unwrap().key_id(), first);
        assert_ne!(open.current.key_id(), first);
        let keys = keys.alone();
        assert!(keys.open(&random).of(first).is_none() && !keys.has_previous());
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_repeated() {
        for text in [
            r#"{"current":"aHVudGVyMg=="}"#,
            r#"{"current":"hunter2"}"#,
            "{}",
        ] {
            let error = serde_json::from_str::<DataKeys>(text).err().unwrap();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
