//! What is kept of a token, a code, a cookie or a handle: its SHA-256, never the text itself.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The SHA-256 of a random text, as unpadded base64url. Safe as a key without a salt: every text that is hashed here
/// has 256 random bits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Digest(String);

impl Digest {
    /// The digest of `text`.
    pub(super) fn of(text: &str) -> Self {
        Self(BASE64URL_NOPAD.encode(&Sha256::digest(text.as_bytes())))
    }

    /// The digest as text: what PKCE's S256 method compares (RFC 7636 section 4.6).
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}
