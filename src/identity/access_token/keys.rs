//! The keys of an issuer (RFC 7517).

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use serde::Deserialize;
use serde_json::Value;

use super::SigningAlgorithm;

/// Far more keys than an issuer has at once.
const MOST: usize = 100;

/// How many keys are tried for a token that does not say which one signed it.
const MOST_TRIED: usize = 8;

/// Why a text is no set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeys {
    /// It is not JSON with a list `keys`.
    #[error("it is not a JSON Web Key Set")]
    NotASet,
    /// None of them is a public key that signs.
    #[error("it holds no public key that signatures could be checked with")]
    None,
}

/// The public keys of an issuer with which signatures are checked. Others in the set are left out: keys for encryption,
/// shared secrets, and kinds that are not known here.
#[derive(Clone, Debug)]
pub struct SigningKeys(Vec<SigningKey>);

#[derive(Clone, Debug)]
struct SigningKey {
    id: Option<String>,
    /// All that the kind of key can do, or the one that the set names.
    algorithms: Vec<SigningAlgorithm>,
    key: DecodingKey,
}

impl SigningKeys {
    /// Reads a set. A key that cannot be used does not spoil the others (RFC 7517 section 5).
    ///
    /// # Errors
    /// [`InvalidKeys`].
    pub fn parse(text: &[u8]) -> Result<Self, InvalidKeys> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = serde_json::from_slice(text).map_err(|_| InvalidKeys::NotASet)?;
        let keys: Vec<_> = set
            .keys
            .into_iter()
            .take(MOST)
            .filter_map(|key| SigningKey::of(&serde_json::from_value(key).ok()?))
            .collect();
        if keys.is_empty() {
            return Err(InvalidKeys::None);
        }
        Ok(Self(keys))
    }

    /// The keys that a token may be signed with, given what its header says. An id is compared and nothing else.
    pub(super) fn candidates(
        &self,
        id: Option<&str>,
        algorithm: SigningAlgorithm,
    ) -> impl Iterator<Item = &DecodingKey> {
        self.0
            .iter()
            .filter(move |key| id.is_none() || key.id.as_deref() == id)
            .filter(move |key| key.algorithms.contains(&algorithm))
            .take(MOST_TRIED)
            .map(|key| &key.key)
    }
}

impl SigningKey {
    fn of(jwk: &Jwk) -> Option<Self> {
        let common = &jwk.common;
        let usage = common.public_key_use.as_ref();
        let operations = common.key_operations.as_ref();
        let signs = usage.is_none_or(|usage| *usage == PublicKeyUse::Signature)
            && operations.is_none_or(|known| known.contains(&KeyOperations::Verify));
        let mut algorithms = algorithms(&jwk.algorithm);
        if let Some(named) = common.key_algorithm {
            let named = named.to_string();
            algorithms.retain(|algorithm| format!("{algorithm:?}") == named);
        }
        if !signs || algorithms.is_empty() {
            return None;
        }
        Some(Self {
            id: common.key_id.clone(),
            algorithms,
            key: DecodingKey::from_jwk(jwk).ok()?,
        })
    }
}

/// What a kind of key can sign with.
fn algorithms(parameters: &AlgorithmParameters) -> Vec<SigningAlgorithm> {
    use SigningAlgorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    match parameters {
        AlgorithmParameters::RSA(_) => vec![RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => vec![ES256],
            EllipticCurve::P384 => vec![ES384],
            _ => Vec::new(),
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            vec![EdDSA]
        }
        _ => Vec::new(),
    }
}
