//! What a record looks like inside its seal.
//!
//! Owns the few bytes in front of the value. Refuses to know what the value is, and how it is sealed.
//!
//! ```text
//! 2 (1 byte) | 0 (1 byte) | generation (8 bytes)                          | value as JSON
//! 2 (1 byte) | 1 (1 byte) | generation (8 bytes) | expiry (8 bytes, Unix) | value as JSON
//! ```
//!
//! Numbers are big-endian. The generation counts the writes at a key, through removal and return: what was written later
//! has a higher one. Version 1 had none, and reads as generation 0.

use std::io::{self, Write};
use std::mem;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::error::StoreError;
use super::seal::SealError;
use crate::base::Timestamp;

/// What is written.
const VERSION: u8 = 2;
/// Still read: without a generation.
const WITHOUT_GENERATION: u8 = 1;
const NO_EXPIRY: u8 = 0;
const EXPIRY: u8 = 1;

/// An opened record whose value has not been read yet. Wiped when dropped.
pub(super) struct Envelope {
    plaintext: Zeroizing<Vec<u8>>,
    /// Where the value begins.
    value: usize,
    pub(super) generation: u64,
    pub(super) expires: Option<Timestamp>,
}

impl Envelope {
    /// Reads what the seal of the record at the full key `key` held.
    pub(super) fn parse(key: &str, plaintext: Zeroizing<Vec<u8>>) -> Result<Self, StoreError> {
        let (generation, expires, value) = {
            let mut rest = Rest(&plaintext);
            let front = rest.front();
            let (generation, expires) = front.map_err(|error| StoreError::unsealing(key, error))?;
            (generation, expires, plaintext.len() - rest.0.len())
        };
        Ok(Self {
            plaintext,
            value,
            generation,
            expires,
        })
    }

    /// The value's bytes, where it is not JSON.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.plaintext[self.value..]
    }

    /// Whether this is what [`compose`] makes of these.
    pub(super) fn is<V: Serialize>(
        &self,
        key: &str,
        value: &V,
        expires: Option<Timestamp>,
    ) -> bool {
        compose(key, value, self.generation, expires)
            .is_ok_and(|plaintext| plaintext.as_slice() == self.plaintext.as_slice())
    }

    /// Reads the value.
    pub(super) fn value<V: DeserializeOwned>(&self, key: &str) -> Result<V, StoreError> {
        // What serde_json says quotes the value, which may be a secret.
        serde_json::from_slice(self.bytes()).map_err(|_| StoreError::OtherShape {
            key: key.to_owned(),
        })
    }
}

/// What of a record has not been read yet.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn front(&mut self) -> Result<(u64, Option<Timestamp>), SealError> {
        let [version] = self.take()?;
        let [expiry] = self.take()?;
        let generation = match version {
            VERSION => u64::from_be_bytes(self.take()?),
            WITHOUT_GENERATION => 0,
            0 => return Err(SealError::Damaged),
            later => return Err(SealError::UnknownFormat(later)),
        };
        let expires = match expiry {
            NO_EXPIRY => None,
            EXPIRY => Some(Timestamp::from_unix(i64::from_be_bytes(self.take()?))),
            _ => return Err(SealError::Damaged),
        };
        Ok((generation, expires))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], SealError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(SealError::Damaged)?;
        self.0 = rest;
        Ok(*taken)
    }
}

/// What goes into the seal of the record at the full key `key`.
pub(super) fn compose<V: Serialize>(
    key: &str,
    value: &V,
    generation: u64,
    expires: Option<Timestamp>,
) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let mut plaintext = Wiped::default();
    plaintext.push(&[VERSION, if expires.is_some() { EXPIRY } else { NO_EXPIRY }]);
    plaintext.push(&generation.to_be_bytes());
    if let Some(expires) = expires {
        plaintext.push(&expires.as_unix().to_be_bytes());
    }
    serde_json::to_writer(&mut plaintext, value).map_err(|_| StoreError::Unwritable {
        key: key.to_owned(),
    })?;
    Ok(plaintext.0)
}

/// What goes into the seal of a record whose value is not JSON.
pub(super) fn compose_bytes(value: &[u8], generation: u64) -> Zeroizing<Vec<u8>> {
    let mut plaintext = Wiped::default();
    plaintext.push(&[VERSION, NO_EXPIRY]);
    plaintext.push(&generation.to_be_bytes());
    plaintext.push(value);
    plaintext.0
}

/// Gives what [`compose`] made another generation.
pub(super) fn set_generation(plaintext: &mut [u8], generation: u64) {
    const FRONT: usize = 2;
    plaintext[FRONT..FRONT + size_of::<u64>()].copy_from_slice(&generation.to_be_bytes());
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

    use super::*;

    proptest! {
        #[test]
        fn value_generation_and_expiry_come_back(
            value: String, generation: u64, expires: Option<i64>, filler in 0..5_000_usize,
        ) {
            let value = value + &"x".repeat(filler);
            let expires = expires.map(Timestamp::from_unix);
            let plaintext = compose("con/1", &value, generation, expires).unwrap();
            let envelope = Envelope::parse("con/1", plaintext).unwrap();
            prop_assert_eq!((envelope.generation, envelope.expires), (generation, expires));
            prop_assert_eq!(envelope.value::<String>("con/1").unwrap(), value);
        }

        #[test]
        fn no_bytes_are_too_odd(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }

    fn parse(plaintext: &[u8]) -> Result<(u64, u64), StoreError> {
        let envelope = Envelope::parse("con/1", Zeroizing::new(plaintext.to_vec()))?;
        Ok((envelope.generation, envelope.value("con/1")?))
    }

    #[test]
    fn a_generation_can_be_filled_in() {
        for expires in [None, Some(Timestamp::from_unix(9))] {
            let mut plaintext = compose("con/1", &7, 0, expires).unwrap();
            set_generation(&mut plaintext, u64::MAX - 1);
            let expected = compose("con/1", &7, u64::MAX - 1, expires).unwrap();
            assert_eq!(plaintext, expected);
        }
        assert_eq!(
            compose_bytes(b"7", 5),
            compose("con/1", &7, 5, None).unwrap()
        );
    }

    #[test]
    fn a_later_envelope_is_refused_by_its_number() {
        assert_eq!(parse(b"\x02\x00\0\0\0\0\0\0\0\x057"), Ok((5, 7)));
        let key = "con/1".to_owned();
        assert_eq!(
            parse(b"\x03\x007"),
            Err(StoreError::NewerFormat { key, format: 3 })
        );
    }

    #[test]
    fn a_record_of_the_first_version_is_read() {
        assert_eq!(parse(b"\x01\x007"), Ok((0, 7)));
        assert_eq!(parse(b"\x01\x01\0\0\0\0\0\0\0\x097"), Ok((0, 7)));
    }

    #[test]
    fn what_is_sealed_but_no_record_is_damaged() {
        let damaged = Err(StoreError::Damaged {
            key: "con/1".to_owned(),
        });
        for plaintext in [
            b"".as_slice(),
            b"\x01",
            b"\x01\x02{}",
            b"\x01\x01short",
            b"\x02\x00short",
            b"\x02\x02\0\0\0\0\0\0\0\x057",
        ] {
            assert_eq!(parse(plaintext), damaged);
        }
    }

    #[test]
    fn errors_do_not_repeat_the_value() {
        let error = parse(b"\x01\x00\"hunter2\"").unwrap_err();
        assert!(matches!(error, StoreError::OtherShape { .. }));
        assert!(!format!("{error} {error:?}").contains("hunter2"));

        let keyed_by_lists = HashMap::from([(vec![1], 1)]);
        let error = compose("con/1", &keyed_by_lists, 1, None).unwrap_err();
        assert!(matches!(error, StoreError::Unwritable { .. }));
    }
}
