//! Text that must not be shown: tokens, client secrets, code verifiers.
//!
//! A [`Secret`] prints as `[secret]`, is wiped from memory when dropped, compares in constant time and cannot be
//! serialized by accident. The files that may call [`Secret::expose`] or use [`for_sealing`] are listed in
//! `tests/it/floors.rs`.

use std::fmt;

use data_encoding::HEXLOWER;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A text that is never shown.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes `text` in.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// SHA-256 of the text, as 64 hexadecimal digits: what is kept of a token that only has to be recognised.
    #[must_use]
    pub fn digest(&self) -> String {
        HEXLOWER.encode(&Sha256::digest(self.expose().as_bytes()))
    }

    /// The text itself. Every caller of this is a place where the secret leaves our hands.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[secret]")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose()
            .as_bytes()
            .ct_eq(other.expose().as_bytes())
            .into()
    }
}

impl Eq for Secret {}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// `#[serde(with = "…")]` for a secret inside a record that is sealed before it leaves memory.
pub mod for_sealing {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Secret;

    /// A secret that writes itself out: named so that a reader stumbles over it.
    trait Sealable: Sized {
        fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
    }

    impl Sealable for Secret {
        fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_str(self.expose())
        }
    }

    impl Sealable for Option<Secret> {
        fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.as_ref().map(Secret::expose).serialize(serializer)
        }
    }

    /// Writes the secret out in clear.
    ///
    /// # Errors
    /// Those of the serializer.
    #[expect(
        private_bounds,
        reason = "only secrets are meant, and only these two shapes"
    )]
    pub fn serialize<T: Sealable, S: Serializer>(
        secret: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        secret.write(serializer)
    }

    /// Reads a secret back.
    ///
    /// # Errors
    /// Those of the deserializer.
    pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        T::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Record {
        #[serde(with = "for_sealing")]
        token: Secret,
        #[serde(with = "for_sealing", default)]
        refresh: Option<Secret>,
    }

    #[test]
    fn a_secret_is_not_shown_but_survives_a_sealed_record() {
        let record = Record {
            token: Secret::new("hunter2"),
            refresh: None,
        };
        assert_eq!(format!("{:?}", record.token), "[secret]");
        let json = serde_json::to_string(&record).unwrap();
        let back: Record = serde_json::from_str(&json).unwrap();
        assert!(back.token == Secret::new("hunter2") && back.refresh.is_none());
        assert!(back.token != Secret::new("hunter3"));
    }
}
