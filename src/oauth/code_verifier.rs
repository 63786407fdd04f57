//! Proof keys for the code exchange (RFC 7636).

use oauth2::{PkceCodeChallenge, PkceCodeVerifier};

use crate::base::{Random, Secret};
use crate::catalogue::Pkce;

/// The secret half of a proof key: 43 characters of base64url, 256 random bits (RFC 7636 section 4.1). Its public half
/// is always made with S256; `plain` does not exist here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeVerifier(Secret);

impl CodeVerifier {
    /// A fresh verifier when the provider takes proof keys, `None` when it fails on them.
    #[must_use]
    pub fn for_provider(pkce: Pkce, random: &Random) -> Option<Self> {
        match pkce {
            Pkce::Required | Pkce::Optional => Some(Self(random.token())),
            Pkce::Off => None,
        }
    }

    /// The verifier as the authorization request keeps it until the callback.
    #[must_use]
    pub fn into_secret(self) -> Secret {
        self.0
    }
}

/// The public half of `verifier` (RFC 7636 section 4.2).
pub(super) fn challenge(verifier: &Secret) -> PkceCodeChallenge {
    PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(
        verifier.expose().to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_rfc() {
        // RFC 7636 appendix B.
        let challenge = challenge(&Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        assert_eq!(
            challenge.as_str(),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
        assert_eq!(challenge.method().as_str(), "S256");
    }

    #[test]
    fn a_verifier_has_the_alphabet_and_length_of_the_rfc() {
        let verifier = CodeVerifier::for_provider(Pkce::Optional, &Random::System)
            .unwrap()
            .into_secret();
        let text = verifier.expose();
        assert!((43..=128).contains(&text.len()));
        assert!(
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
        );
        assert!(CodeVerifier::for_provider(Pkce::Off, &Random::System).is_none());
    }
}
