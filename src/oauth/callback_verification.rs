//! Proofs that a callback carries besides `state` and `iss`, each by its name in provider files.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER_PERMISSIVE;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use thiserror::Error;

use crate::catalogue::{CallbackVerification, OAuthProfile};
use crate::connection::ClientRegistration;

/// The parameter that carries the proof.
const HMAC: &str = "hmac";
/// Its older brother, which neither proves anything nor is covered by the proof.
const SIGNATURE: &str = "signature";

/// A callback does not carry the proof that the provider file demands: nothing in it may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the callback is not verified: its proof is missing or wrong")]
pub struct NotVerified;

/// Checks the proof of a callback, where the profile demands one. `parameters` are all of its query, decoded. A parameter
/// that stands there twice is ambiguous, and so refused. The comparison takes the same time wherever the two differ.
///
/// # Errors
/// [`NotVerified`], which does not say what is wrong.
pub fn verify_callback(
    profile: &OAuthProfile,
    registration: &ClientRegistration,
    parameters: &[(&str, &str)],
) -> Result<(), NotVerified> {
    match profile.callback_verification {
        None => Ok(()),
        Some(CallbackVerification::HmacOfQuery) => verify_hmac(registration, parameters),
    }
}

/// HMAC-SHA256 of all other parameters, keyed with the client secret, in hexadecimal.
fn verify_hmac(
    registration: &ClientRegistration,
    parameters: &[(&str, &str)],
) -> Result<(), NotVerified> {
    let mut covered: BTreeMap<&str, &str> = parameters.iter().copied().collect();
    if covered.len() != parameters.len() {
        return Err(NotVerified);
    }
    let given = covered.remove(HMAC).ok_or(NotVerified)?;
    covered.remove(SIGNATURE);
    let given = HEXLOWER_PERMISSIVE.decode(given.as_bytes());
    let given = given.map_err(|_| NotVerified)?;
    let secret = registration.client_secret.as_ref().ok_or(NotVerified)?;
    let mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes());
    mac.map_err(|_| NotVerified)?
        .chain_update(message(&covered))
        .verify_slice(&given)
        .map_err(|_| NotVerified)
}

/// `name=value` in the order of the names, joined by `&`. What separates them is escaped inside of them, so that no two
/// sets of parameters make the same message.
fn message(covered: &BTreeMap<&str, &str>) -> String {
    let escape = |text: &str| text.replace('%', "%25").replace('&', "%26");
    let pairs: Vec<_> = covered
        .iter()
        .map(|(name, value)| format!("{}={}", escape(name).replace('=', "%3D"), escape(value)))
        .collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Secret;
    use crate::oauth::fake_provider::profile_at;

    /// The provider's own example: <https://shopify.dev>, "Verify a request".
    const EXAMPLE: [(&str, &str); 5] = [
        ("code", "0907a61c0c8d55e99db179b68161bc00"),
        (
            "hmac",
            "700e2dadb827fcc8609e9d5ce208b2e9cdaab9df07390d2cbca10d7c328fc4bf",
        ),
        ("shop", "some-shop.myshopify.com"),
        ("state", "0.6784241404160823"),
        ("timestamp", "1337178173"),
    ];

    fn verify(secret: Option<&str>, parameters: &[(&str, &str)]) -> Result<(), NotVerified> {
        let mut profile = profile_at("https://provider.example");
        profile.callback_verification = Some(CallbackVerification::HmacOfQuery);
        let registration = ClientRegistration {
            client_id: "client".to_owned(),
            client_secret: secret.map(Secret::new),
        };
        verify_callback(&profile, &registration, parameters)
    }

    /// The example with the proof that belongs to `parameters` by a hand-written message.
    fn proof(message: &str) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(b"hush").unwrap();
        let mac = mac.chain_update(message).finalize().into_bytes();
        HEXLOWER_PERMISSIVE.encode(&mac)
    }

    #[test]
    fn the_documented_example_is_verified_in_any_order() {
        assert_eq!(verify(Some("hush"), &EXAMPLE), Ok(()));
        let mut turned = EXAMPLE;
        turned.reverse();
        assert_eq!(verify(Some("hush"), &turned), Ok(()));
        let mut signed = EXAMPLE.to_vec();
        signed.push(("signature", "of-old"));
        assert_eq!(verify(Some("hush"), &signed), Ok(()));
        let upper = EXAMPLE[1].1.to_ascii_uppercase();
        let mut loud = EXAMPLE;
        loud[1].1 = &upper;
        assert_eq!(verify(Some("hush"), &loud), Ok(()));
    }

    #[test]
    fn whatever_is_changed_is_noticed() {
        for at in 0..EXAMPLE.len() {
            let mut without = EXAMPLE.to_vec();
            without.remove(at);
            assert_eq!(verify(Some("hush"), &without), Err(NotVerified), "{at}");
            let mut other = EXAMPLE;
            other[at].1 = "another";
            assert_eq!(verify(Some("hush"), &other), Err(NotVerified), "{at}");
            let mut twice = EXAMPLE.to_vec();
            twice.push(EXAMPLE[at]);
            assert_eq!(verify(Some("hush"), &twice), Err(NotVerified), "{at}");
        }
        let mut more = EXAMPLE.to_vec();
        more.push(("return_to", "https://attacker.example"));
        assert_eq!(verify(Some("hush"), &more), Err(NotVerified));
        let mut short = EXAMPLE;
        short[1].1 = &EXAMPLE[1].1[..32];
        assert_eq!(verify(Some("hush"), &short), Err(NotVerified));
        let mut empty = EXAMPLE;
        empty[1].1 = "";
        assert_eq!(verify(Some("hush"), &empty), Err(NotVerified));
        assert_eq!(verify(Some("another"), &EXAMPLE), Err(NotVerified));
        assert_eq!(verify(None, &EXAMPLE), Err(NotVerified));
        assert_eq!(verify(Some("hush"), &[]), Err(NotVerified));
    }

    #[test]
    fn separators_in_values_stay_values() {
        let hmac = proof("a%3Db=1&code=x%26shop=evil&shop=100%25=sure");
        let parameters = [
            ("shop", "100%=sure"),
            ("code", "x&shop=evil"),
            ("a=b", "1"),
            ("hmac", &hmac),
        ];
        assert_eq!(verify(Some("hush"), &parameters), Ok(()));
        let hmac = proof("code=x&shop=evil");
        let hidden = [("code", "x&shop=evil"), ("hmac", hmac.as_str())];
        assert_eq!(verify(Some("hush"), &hidden), Err(NotVerified));
    }

    #[test]
    fn nothing_is_demanded_unless_the_file_does() {
        let profile = profile_at("https://provider.example");
        let registration = ClientRegistration {
            client_id: "client".to_owned(),
            client_secret: None,
        };
        assert_eq!(verify_callback(&profile, &registration, &[]), Ok(()));
    }
}
