//! Access tokens of external issuers: JSON Web Tokens (RFC 7519) in the profile of RFC 9068, checked as RFC 8725 asks.
//!
//! Nothing that a token says is believed before its signature was checked with a key of the issuer that it names; and
//! the key is found by comparing `kid`, never by following what the header says (`jku`, `x5u`, `jwk`).

mod claims;
mod keys;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jsonwebtoken::dangerous::insecure_decode;
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header};
use serde::Deserialize;

use crate::base::{Secret, Timestamp};
use claims::Claims;
pub use keys::{InvalidKeys, SigningKeys};

/// The longest token that is read, in bytes.
const LONGEST: usize = 16 << 10;

/// The longest subject, client or name, in bytes.
const LONGEST_NAME: usize = 255;

/// How far the issuer's clock may be from ours.
const SKEW: Duration = Duration::from_secs(30);

/// How an issuer may sign. Only algorithms with a public key: with a shared secret, whoever checks a token could make
/// one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[expect(
    missing_docs,
    reason = "RFC 7518 section 3.1 and RFC 8037 say what they are"
)]
pub enum SigningAlgorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

impl SigningAlgorithm {
    /// All of them: what is allowed where the operator names none.
    pub const ALL: [Self; 9] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::EdDSA,
    ];

    fn of(algorithm: Algorithm) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|known| known.algorithm() == algorithm)
    }

    fn algorithm(self) -> Algorithm {
        match self {
            Self::RS256 => Algorithm::RS256,
            Self::RS384 => Algorithm::RS384,
            Self::RS512 => Algorithm::RS512,
            Self::PS256 => Algorithm::PS256,
            Self::PS384 => Algorithm::PS384,
            Self::PS512 => Algorithm::PS512,
            Self::ES256 => Algorithm::ES256,
            Self::ES384 => Algorithm::ES384,
            Self::EdDSA => Algorithm::EdDSA,
        }
    }
}

/// An issuer whose access tokens are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedIssuer {
    /// What its tokens say in `iss`, character by character.
    pub issuer: String,
    /// What they may say in `aud` besides the resource that is asked (RFC 8707): other names of this gateway.
    pub audiences: Vec<String>,
    /// How they may be signed.
    pub algorithms: Vec<SigningAlgorithm>,
    /// The scopes that each of them must carry.
    pub scopes: Vec<String>,
    /// Where its keys are; none: where its metadata says.
    pub jwks_url: Option<String>,
}

/// Why a text is no access token that could be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not a signed JSON Web Token")]
pub struct InvalidAccessToken;

/// Why an access token lets nobody in. The sentence is for `error_description` (RFC 6750 section 3) and repeats nothing
/// of the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessTokenRefusal {
    /// It is no token, of nobody whom we trust, or not signed by them.
    #[error("the access token is not one of an issuer that this gateway trusts")]
    NotTrusted,
    /// The issuer's keys have no such key: they may have changed.
    #[error("the access token is signed with a key that its issuer does not publish")]
    UnknownKey,
    /// It is over.
    #[error("the access token has expired")]
    Expired,
    /// It is not yet good.
    #[error("the access token is not valid yet")]
    NotYet,
    /// It is meant for somebody else (RFC 8707).
    #[error("the access token was issued for another resource")]
    AnotherAudience,
    /// Whoever sends it would have to prove that they hold a key, and this gateway does not ask for such proofs.
    #[error("the access token is bound to a key, and this gateway takes bearer tokens only")]
    Bound,
    /// The person has revoked the agent that this client is, or stopped all of their agents.
    #[error("the person has ended what this client may do")]
    Ended,
    /// A claim is missing or of the wrong kind.
    #[error("the access token has no usable `{0}`")]
    Claim(&'static str),
    /// It does not carry the scopes that it needs.
    #[error("the access token does not carry the scopes that it needs")]
    MissingScopes,
}

/// What a token says about who sends it, once it is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessGrant {
    /// The issuer's name for the person.
    pub subject: String,
    /// The issuer's name for the client.
    pub client: String,
    /// What the issuer calls the person; for people to read only.
    pub name: Option<String>,
    /// When it ends.
    pub expires: Timestamp,
}

/// An access token that has been read and is not believed yet.
pub struct AccessToken<'t> {
    text: &'t str,
    algorithm: SigningAlgorithm,
    key: Option<String>,
    issuer: String,
}

impl std::fmt::Debug for AccessToken<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("AccessToken");
        shown.field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl<'t> AccessToken<'t> {
    /// Reads a token, to learn whose key it must be checked with.
    ///
    /// # Errors
    /// [`InvalidAccessToken`] when it is none, or is signed with a shared secret or not at all.
    pub fn parse(text: &'t str) -> Result<Self, InvalidAccessToken> {
        #[derive(Deserialize)]
        struct Named {
            iss: String,
        }
        if text.len() > LONGEST {
            return Err(InvalidAccessToken);
        }
        let header = decode_header(text).map_err(|_| InvalidAccessToken)?;
        let algorithm = understood(&header).ok_or(InvalidAccessToken)?;
        let named = insecure_decode::<Named>(text).map_err(|_| InvalidAccessToken)?;
        Ok(Self {
            text,
            algorithm,
            key: header.kid,
            issuer: named.claims.iss,
        })
    }

    /// Who is said to have issued it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What it is remembered by: a digest, never the token.
    #[must_use]
    pub fn digest(&self) -> String {
        Secret::new(self.text).digest()
    }

    /// Checks everything: the signature first, then what it says. `resource` is what is asked, as it is named to clients
    /// (RFC 9728): a token for a part of the gateway is good for that part alone.
    ///
    /// # Errors
    /// [`AccessTokenRefusal`].
    pub fn verify(
        &self,
        trusted: &TrustedIssuer,
        keys: &SigningKeys,
        resource: &str,
        now: Timestamp,
    ) -> Result<AccessGrant, AccessTokenRefusal> {
        if self.issuer != trusted.issuer || !trusted.algorithms.contains(&self.algorithm) {
            return Err(AccessTokenRefusal::NotTrusted);
        }
        let claims = self.signed_claims(keys)?;
        claims.check(trusted, resource, now, SKEW)?;
        claims.grant()
    }

    /// The claims, if one of the keys signed them.
    fn signed_claims(&self, keys: &SigningKeys) -> Result<Claims, AccessTokenRefusal> {
        let mut found = false;
        for key in keys.candidates(self.key.as_deref(), self.algorithm) {
            found = true;
            if let Ok(token) = decode::<Claims>(self.text, key, &signature_only(self.algorithm)) {
                return Ok(token.claims);
            }
        }
        Err(if found {
            AccessTokenRefusal::NotTrusted
        } else {
            AccessTokenRefusal::UnknownKey
        })
    }
}

/// How the token is signed, if its header is one that we understand.
fn understood(header: &Header) -> Option<SigningAlgorithm> {
    // RFC 9068 section 2.1 wants `at+jwt`; many issuers say `JWT` or nothing. An ID token is told apart by its audience.
    let is_token = header.typ.as_deref().is_none_or(|kind| {
        let kind = kind.strip_prefix("application/").unwrap_or(kind);
        kind.eq_ignore_ascii_case("at+jwt") || kind.eq_ignore_ascii_case("jwt")
    });
    // RFC 7515 section 4.1.11: what must be understood and is not, makes it invalid. RFC 8725 section 3.6: nothing
    // compressed.
    let is_plain = header.crit.is_none() && header.enc.is_none() && header.zip.is_none();
    (is_token && is_plain)
        .then(|| SigningAlgorithm::of(header.alg))
        .flatten()
}

/// The crate checks the signature; what the claims say is checked here, by our own clock.
fn signature_only(algorithm: SigningAlgorithm) -> Validation {
    let mut validation = Validation::new(algorithm.algorithm());
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation
}
