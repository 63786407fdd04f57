//! Sealing: XChaCha20-Poly1305 with a random nonce, bound to what the caller says the text belongs to.
//!
//! Owns the layout of sealed bytes and the derivation of keys from keys. Refuses to know what is sealed, and where the
//! bytes are kept: the store seals its records with it, and others seal what they hand to strangers (a state that comes
//! back with a request) under a key of their own.
//!
//! ```text
//! format (1 byte, now 1) | key id (8 bytes) | nonce (24 bytes) | ciphertext | tag (16 bytes)
//! ```
//!
//! The first two are the header. It is authenticated together with the caller's associated data, so bytes that were
//! sealed for one place open at no other.

use std::fmt;

use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut, KeyInit, Tag, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::base::Random;

const FORMAT: u8 = 1;
const KEY_ID: usize = 8;
const HEADER: usize = 1 + KEY_ID;
const NONCE: usize = 24;
const TAG: usize = 16;

/// 256 bits that serve one purpose. Wiped when dropped, never shown.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SubKey([u8; 32]);

impl SubKey {
    /// Derives the key for `purpose` from `key` (HKDF-SHA-256, RFC 5869). Different purposes give independent keys.
    pub(super) fn derive(key: &[u8; 32], purpose: &str) -> Self {
        let mut derived = Self([0; 32]);
        Hkdf::<Sha256>::new(Some(b"attache"), key)
            .expand(purpose.as_bytes(), &mut derived.0)
            .expect("32 bytes are within what HKDF-SHA-256 can give");
        derived
    }

    /// A new random key.
    pub(super) fn generate(random: &Random) -> Self {
        Self(random.bytes())
    }

    /// The key that is these bytes, if they are 32.
    pub(super) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The key's bytes, for a construction other than [`Seal`], such as HMAC.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SubKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[key]")
    }
}

/// What a key is called in the header of what it sealed. It tells keys apart and says nothing about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyId([u8; KEY_ID]);

impl KeyId {
    /// The id of the key that sealed these bytes, going by their header; none when they are of another format.
    pub(super) fn of(sealed: &[u8]) -> Option<Self> {
        let (format, rest) = sealed.split_first()?;
        let id = rest.first_chunk().filter(|_| *format == FORMAT)?;
        Some(Self(*id))
    }
}

/// Why sealed bytes do not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The bytes name a format that this version does not know.
    #[error("sealed in format {0}, which this version of Attache does not know")]
    UnknownFormat(u8),
    /// The bytes name another key.
    #[error("sealed with another key")]
    OtherKey,
    /// The bytes are no sealed text of this key, were changed, or were sealed for another place.
    #[error("changed since it was sealed, or sealed for another place")]
    Damaged,
}

/// Seals and opens under one key. Made once per key and shared.
pub struct Seal {
    cipher: XChaCha20Poly1305,
    key_id: [u8; KEY_ID],
    random: Random,
}

impl Seal {
    /// A seal under `key` that takes its nonces from `random`.
    ///
    /// Nonces are 192 random bits, so one key may seal as often as it likes.
    #[must_use]
    pub fn new(key: &SubKey, random: Random) -> Self {
        let named = SubKey::derive(&key.0, "key id");
        let mut key_id = [0; KEY_ID];
        key_id.copy_from_slice(&named.0[..KEY_ID]);
        Self {
            cipher: XChaCha20Poly1305::new(&key.0.into()),
            key_id,
            random,
        }
    }

    /// What the key is called in the header of what it sealed.
    pub(super) fn key_id(&self) -> KeyId {
        KeyId(self.key_id)
    }

    /// Seals `plaintext` for the place that `aad` names. Sealing twice never gives the same bytes.
    ///
    /// # Panics
    /// When `plaintext` is longer than 256 GiB, the limit of the cipher (RFC 8439, section 2.8).
    #[must_use]
    pub fn seal(&self, aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE] = self.random.bytes();
        // Reserved in full at once: growing would leave a copy of the plaintext behind in freed memory.
        let mut sealed = Vec::with_capacity(HEADER + NONCE + plaintext.len() + TAG);
        sealed.push(FORMAT);
        sealed.extend_from_slice(&self.key_id);
        let bound = bind(&sealed, aad);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plaintext);
        let body = InOutBuf::from(&mut sealed[HEADER + NONCE..]);
        let tag = self
            .cipher
            .encrypt_inout_detached(&XNonce::from(nonce), &bound, body)
            .expect("the plaintext is shorter than 256 GiB");
        sealed.extend_from_slice(&tag);
        sealed
    }

    /// Opens what [`Seal::seal`] made under the same key and for the same `aad`.
    ///
    /// # Errors
    /// [`SealError`], without a word on where the bytes differ.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (header, rest) = sealed.split_at_checked(HEADER).ok_or(SealError::Damaged)?;
        if header[0] != FORMAT {
            return Err(SealError::UnknownFormat(header[0]));
        }
        if header[1..] != self.key_id {
            return Err(SealError::OtherKey);
        }
        let (nonce, rest) = rest
            .split_first_chunk::<NONCE>()
            .ok_or(SealError::Damaged)?;
        let (body, tag) = rest.split_last_chunk::<TAG>().ok_or(SealError::Damaged)?;
        let mut plaintext = Zeroizing::new(body.to_vec());
        self.cipher
            .decrypt_inout_detached(
                &XNonce::from(*nonce),
                &bind(header, aad),
                InOutBuf::from(plaintext.as_mut_slice()),
                &Tag::from(*tag),
            )
            .map_err(|_| SealError::Damaged)?;
        Ok(plaintext)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Seal")
    }
}

/// The header has a fixed length, so header and place cannot be shifted into each other.
fn bind(header: &[u8], aad: &[u8]) -> Vec<u8> {
    [header, aad].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seal(key: u8) -> Seal {
        Seal::new(&SubKey([key; 32]), Random::seeded(u64::from(key)))
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(aad: Vec<u8>, plaintext: Vec<u8>) {
            let sealed = seal(1).seal(&aad, &plaintext);
            prop_assert_eq!(sealed.len(), plaintext.len() + 49);
            let opened = seal(1).open(&aad, &sealed).unwrap();
            prop_assert_eq!(opened.as_slice(), plaintext.as_slice());
        }

        #[test]
        fn a_flipped_bit_another_key_or_another_place_is_refused(
            aad: Vec<u8>, other: Vec<u8>, plaintext: Vec<u8>, at: prop::sample::Index, bit in 0..8_u8,
        ) {
            let sealed = seal(1).seal(&aad, &plaintext);
            let mut flipped = sealed.clone();
            flipped[at.index(sealed.len())] ^= 1 << bit;
            prop_assert!(seal(1).open(&aad, &flipped).is_err());
            prop_assert_eq!(seal(2).open(&aad, &sealed).unwrap_err(), SealError::OtherKey);
            if other != aad {
                prop_assert_eq!(seal(1).open(&other, &sealed).unwrap_err(), SealError::Damaged);
            }
            let cut = at.index(sealed.len());
            prop_assert!(seal(1).open(&aad, &sealed[..cut]).is_err());
        }

        #[test]
        fn strangers_bytes_never_open(aad: Vec<u8>, bytes: Vec<u8>) {
            prop_assert!(seal(1).open(&aad, &bytes).is_err());
        }
    }

    #[test]
    fn the_key_id_is_no_proof_of_the_key() {
        // Same header, other key: what a forger would write. The tag decides, not the id.
        let forged = Seal {
            key_id: seal(1).key_id,
            ..seal(2)
        };
        let sealed = forged.seal(b"place", b"text");
        assert_eq!(
            seal(1).open(b"place", &sealed).unwrap_err(),
            SealError::Damaged
        );
    }

    #[test]
    fn the_same_text_never_seals_to_the_same_bytes() {
        let seal = seal(1);
        assert_ne!(seal.seal(b"place", b"text"), seal.seal(b"place", b"text"));
    }

    #[test]
    fn a_later_format_is_named_as_such() {
        let mut sealed = seal(1).seal(b"place", b"text");
        sealed[0] = 2;
        assert_eq!(
            seal(1).open(b"place", &sealed).unwrap_err(),
            SealError::UnknownFormat(2)
        );
    }

    #[test]
    fn purposes_give_independent_keys_and_none_is_shown() {
        let (one, other) = (
            SubKey::derive(&[7; 32], "records"),
            SubKey::derive(&[7; 32], "index"),
        );
        assert_ne!(one.as_bytes(), other.as_bytes());
        assert_eq!(
            one.as_bytes(),
            SubKey::derive(&[7; 32], "records").as_bytes()
        );
        assert_eq!(format!("{one:?}"), "[key]");
    }
}
