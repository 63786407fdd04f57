//! A sign-in under way at an OpenID Connect issuer, from the moment the browser leaves until it comes back.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::base::{Secret, Timestamp};

/// One authentication request (OpenID Connect Core section 3.1.2.1). Found by the digest of its `state`, taken exactly once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignInAttempt {
    /// The issuer that the browser was sent to.
    pub issuer: String,
    /// Digest of the cookie that the beginning browser was given.
    pub flow_digest: String,
    /// The proof key (RFC 7636).
    #[serde(with = "crate::base::secret::for_sealing")]
    pub code_verifier: Secret,
    /// What the ID token must repeat.
    #[serde(with = "crate::base::secret::for_sealing")]
    pub nonce: Secret,
    /// The page that was wanted: a path of our own.
    pub return_path: String,
    /// When it stops being accepted.
    pub expires: Timestamp,
}

impl SignInAttempt {
    /// How long a person may take at the issuer.
    pub const LIFETIME: Duration = Duration::from_mins(10);

    /// Whether a browser that comes back now with this cookie is the one that left, and in time.
    #[must_use]
    pub fn is_of(&self, flow_cookie: Option<&Secret>, now: Timestamp) -> bool {
        let presented = flow_cookie.map(Secret::digest).unwrap_or_default();
        let same = presented.as_bytes().ct_eq(self.flow_digest.as_bytes());
        bool::from(same) && now < self.expires
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Random;

    #[test]
    fn only_the_browser_that_began_comes_back_and_in_time() {
        let random = Random::seeded(1);
        let (cookie, now) = (random.token(), Timestamp::from_unix(0));
        let attempt = SignInAttempt {
            issuer: "https://id.example".into(),
            flow_digest: cookie.digest(),
            code_verifier: random.token(),
            nonce: random.token(),
            return_path: "/connections".into(),
            expires: now + SignInAttempt::LIFETIME,
        };
        assert!(attempt.is_of(Some(&cookie), now));
        assert!(!attempt.is_of(Some(&random.token()), now));
        assert!(!attempt.is_of(None, now));
        assert!(!attempt.is_of(Some(&cookie), attempt.expires));
    }
}
