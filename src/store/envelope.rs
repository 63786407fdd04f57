//! What a record looks like inside its seal.
//!
//! Owns the few bytes in front of the value. Refuses to know what the value is.
//!
//! ```text
//! version (1 byte, now 1) | 0                                       | value as JSON
//! version (1 byte, now 1) | 1 | expiry (8 bytes, Unix, big-endian)  | value as JSON
//! ```

use std::io::{self, Write};
use std::mem;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::error::StoreError;
use super::seal::{Seal, SealError};
use crate::base::Timestamp;

const VERSION: u8 = 1;
const NO_EXPIRY: u8 = 0;
const EXPIRY: u8 = 1;

/// An opened record whose value has not been read yet. Wiped when dropped.
pub(super) struct Envelope {
    plaintext: Zeroizing<Vec<u8>>,
    /// Where the value begins.
    value: usize,
    pub(super) expires: Option<Timestamp>,
}

impl Envelope {
    /// Opens the record at the full key `key`.
    pub(super) fn open(seal: &Seal, key: &str, sealed: &[u8]) -> Result<Self, StoreError> {
        let plaintext = seal
            .open(key.as_bytes(), sealed)
            .map_err(|error| StoreError::unsealing(key, error))?;
        let damaged = || StoreError::unsealing(key, SealError::Damaged);
        let (value, expires) = match *plaintext.as_slice() {
            [VERSION, NO_EXPIRY, ..] => (2, None),
            [VERSION, EXPIRY, ref rest @ ..] => {
                let seconds = rest.first_chunk().ok_or_else(damaged)?;
                let expires = Timestamp::from_unix(i64::from_be_bytes(*seconds));
                (2 + seconds.len(), Some(expires))
            }
            [VERSION, ..] | [] => return Err(damaged()),
            [later, ..] => {
                return Err(StoreError::unsealing(key, SealError::UnknownFormat(later)));
            }
        };
        Ok(Self {
            plaintext,
            value,
            expires,
        })
    }

    /// Reads the value.
    pub(super) fn value<V: DeserializeOwned>(&self, key: &str) -> Result<V, StoreError> {
        // What serde_json says quotes the value, which may be a secret.
        serde_json::from_slice(&self.plaintext[self.value..]).map_err(|_| StoreError::OtherShape {
            key: key.to_owned(),
        })
    }
}

/// Seals `value` for the full key `key`.
pub(super) fn seal<V: Serialize>(
    seal: &Seal,
    key: &str,
    value: &V,
    expires: Option<Timestamp>,
) -> Result<Vec<u8>, StoreError> {
    let mut plaintext = Wiped::default();
    plaintext.push(&[VERSION]);
    match expires {
        None => plaintext.push(&[NO_EXPIRY]),
        Some(expires) => {
            plaintext.push(&[EXPIRY]);
            plaintext.push(&expires.as_unix().to_be_bytes());
        }
    }
    serde_json::to_writer(&mut plaintext, value).map_err(|_| StoreError::Unwritable {
        key: key.to_owned(),
    })?;
    Ok(seal.seal(key.as_bytes(), &plaintext.0))
}

/// A buffer that wipes what it leaves behind when it grows, which a `Vec` alone would hand back to the allocator.
struct Wiped(Zeroizing<Vec<u8>>);

impl Default for Wiped {
    fn default() -> Self {
        Self(Zeroizing::new(Vec::with_capacity(1024)))
    }
}

impl Wiped {
    fn push(&mut self, bytes: &[u8]) {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let larger = Zeroizing::new(Vec::with_capacity(needed.next_power_of_two()));
            let outgrown = mem::replace(&mut self.0, larger);
            self.0.extend_from_slice(&outgrown);
        }
        self.0.extend_from_slice(bytes);
    }
}

impl Write for Wiped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::super::master_key::MasterKey;
    use super::*;
    use crate::base::Random;

    fn records() -> Seal {
        let random = Random::seeded(1);
        Seal::new(&MasterKey::generate(&random).store_key("records"), random)
    }

    proptest! {
        #[test]
        fn value_and_expiry_come_back(
            value: String, expires: Option<i64>, filler in 0..5_000_usize,
        ) {
            let value = value + &"x".repeat(filler);
            let expires = expires.map(Timestamp::from_unix);
            let sealed = seal(&records(), "con/1", &value, expires).unwrap();
            let envelope = Envelope::open(&records(), "con/1", &sealed).unwrap();
            prop_assert_eq!(envelope.expires, expires);
            prop_assert_eq!(envelope.value::<String>("con/1").unwrap(), value);
        }
    }

    fn open(plaintext: &[u8]) -> Result<u64, StoreError> {
        let sealed = records().seal(b"con/1", plaintext);
        Envelope::open(&records(), "con/1", &sealed)?.value("con/1")
    }

    #[test]
    fn a_later_envelope_is_refused_by_its_number() {
        assert_eq!(open(b"\x01\x007"), Ok(7));
        let key = "con/1".to_owned();
        assert_eq!(
            open(b"\x02\x007"),
            Err(StoreError::NewerFormat { key, format: 2 })
        );
    }

    #[test]
    fn what_is_sealed_but_no_record_is_damaged() {
        let damaged = Err(StoreError::Damaged {
            key: "con/1".to_owned(),
        });
        for plaintext in [b"".as_slice(), b"\x01", b"\x01\x02{}", b"\x01\x01short"] {
            assert_eq!(open(plaintext), damaged);
        }
    }

    #[test]
    fn errors_do_not_repeat_the_value() {
        let error = open(b"\x01\x00\"hunter2\"").unwrap_err();
        assert!(matches!(error, StoreError::OtherShape { .. }));
        assert!(!format!("{error} {error:?}").contains("hunter2"));

        let keyed_by_lists = HashMap::from([(vec![1], 1)]);
        let error = seal(&records(), "con/1", &keyed_by_lists, None).unwrap_err();
        assert!(matches!(error, StoreError::Unwritable { .. }));
    }
}
