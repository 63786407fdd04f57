//! Whether an ID token vouches for anybody (OpenID Connect Core section 3.1.3.7), and for whom.

use std::time::{Duration, SystemTime};

use openidconnect::core::CoreJwsSigningAlgorithm as Algorithm;
use openidconnect::{
    AdditionalClaims, ClaimsVerificationError, ClientId, IdTokenVerifier, Nonce,
    SignatureVerificationError,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Answer, Issuer};
use crate::base::{Secret, Timestamp};
use crate::oauth::provider_text::clean;

/// How far the issuer's clock and ours may be apart.
const SKEW: Duration = Duration::from_mins(1);

/// The algorithms that prove something with a public key of the issuer. No `none`, and none with a shared secret: a public key
/// could be mistaken for one.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RsaSsaPkcs1V15Sha256,
    Algorithm::RsaSsaPkcs1V15Sha384,
    Algorithm::RsaSsaPkcs1V15Sha512,
    Algorithm::RsaSsaPssSha256,
    Algorithm::RsaSsaPssSha384,
    Algorithm::RsaSsaPssSha512,
    Algorithm::EcdsaP256Sha256,
    Algorithm::EcdsaP384Sha384,
    Algorithm::EdDsa,
];

/// What is kept of a name: longer ones are cut.
const NAME_CHARS: usize = 100;

/// Claims beyond the standard ones.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub(super) struct MoreClaims {
    #[serde(flatten)]
    all: Map<String, Value>,
}

impl AdditionalClaims for MoreClaims {}

/// Whom the issuer vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    /// The issuer's name for them: with the issuer, this is the person.
    pub subject: String,
    /// What they are called. A label and nothing else: people choose it themselves at many issuers.
    pub name: String,
    /// Their groups; none when the token names none.
    pub groups: Option<Vec<String>>,
}

/// What is wrong with an ID token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdTokenProblem {
    /// It is over, or not valid yet. Where that is not an attack, two clocks are apart.
    #[error("by our clock it is not valid now ({0}); are the clocks right?")]
    Clock(String),
    /// None of the known keys made its signature. The issuer may have new keys.
    #[error("no known key of the issuer made its signature")]
    UnknownKey,
    /// Anything else.
    #[error("{0}")]
    Wrong(String),
}

impl Issuer {
    /// Verifies an ID token: signature, issuer, audience and authorized party, time, nonce.
    ///
    /// # Errors
    /// [`IdTokenProblem`]: it vouches for nobody.
    pub fn verify(
        &self,
        answer: &Answer,
        nonce: &Secret,
        groups_claim: &str,
        now: Timestamp,
    ) -> Result<Vouched, IdTokenProblem> {
        let verifier = IdTokenVerifier::new_public_client(
            ClientId::new(self.settings.client_id.clone()),
            self.metadata.issuer().clone(),
            self.metadata.jwks().clone(),
        )
        .set_allowed_algs(ALGORITHMS)
        .set_time_fn(|| moment(now, -skew_seconds()).into())
        .set_issue_time_verifier_fn(|issued| {
            let latest = now.as_unix().saturating_add(skew_seconds());
            (issued.timestamp() <= latest)
                .then_some(())
                .ok_or_else(|| "it was issued in the future".to_owned())
        });
        let nonce = Nonce::new(nonce.expose().to_owned());
        let claims = answer
            .0
            .claims(&verifier, &nonce)
            .map_err(|error| problem(&error))?;
        let party = claims.authorized_party().map(|party| party.as_str());
        if party.is_some_and(|party| party != self.settings.client_id) {
            let message = "it was made for another client (azp)";
            return Err(IdTokenProblem::Wrong(message.to_owned()));
        }
        let more = &claims.additional_claims().all;
        check_not_before(more, now)?;
        let subject = claims.subject().as_str();
        if subject.is_empty() || subject.len() > 255 {
            let message = "its subject is empty or longer than 255 characters";
            return Err(IdTokenProblem::Wrong(message.to_owned()));
        }
        let full_name = claims.name().and_then(|names| names.get(None));
        let name = full_name.map(|name| name.as_str());
        let name = name.or_else(|| claims.preferred_username().map(|name| name.as_str()));
        Ok(Vouched {
            subject: subject.to_owned(),
            name: label(name.unwrap_or_default(), subject),
            groups: groups(more, groups_claim),
        })
    }
}

fn skew_seconds() -> i64 {
    i64::try_from(SKEW.as_secs()).unwrap_or(0)
}

fn moment(now: Timestamp, by: i64) -> SystemTime {
    let seconds = now.as_unix().saturating_add(by).try_into().unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// RFC 7519 section 4.1.5: an ID token need not have it, and some do.
fn check_not_before(more: &Map<String, Value>, now: Timestamp) -> Result<(), IdTokenProblem> {
    let Some(value) = more.get("nbf") else {
        return Ok(());
    };
    match value.as_i64() {
        Some(begins) if begins <= now.as_unix().saturating_add(skew_seconds()) => Ok(()),
        Some(_) => Err(IdTokenProblem::Clock("it begins later".to_owned())),
        None => Err(IdTokenProblem::Wrong("its nbf is no time".to_owned())),
    }
}

/// A name that can be printed on one line, and the subject where there is none.
fn label(name: &str, subject: &str) -> String {
    let short = |text: &str| {
        clean(text, &[])
            .chars()
            .take(NAME_CHARS)
            .collect::<String>()
    };
    let name = short(name);
    if name.is_empty() {
        short(subject)
    } else {
        name
    }
}

/// A list of texts, or one text. Where an issuer has too many to fit, it says under `_claim_names` that they are elsewhere
/// (OpenID Connect Core section 5.6.2): nobody looks there.
fn groups(more: &Map<String, Value>, claim: &str) -> Option<Vec<String>> {
    let texts = |list: &Vec<Value>| {
        let texts = list.iter().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    };
    match more.get(claim) {
        Some(Value::Array(list)) => Some(texts(list)),
        Some(Value::String(one)) => Some(vec![one.clone()]),
        Some(_) => None,
        None => {
            let elsewhere = more.get("_claim_names").and_then(|names| names.get(claim));
            if elsewhere.is_some() {
                tracing::warn!(
                    claim,
                    "the issuer keeps a person's groups elsewhere since there are too many; have it send fewer"
                );
            }
            None
        }
    }
}

fn problem(error: &ClaimsVerificationError) -> IdTokenProblem {
    use SignatureVerificationError::{CryptoError, NoMatchingKey};
    let wrong = |text: &str| IdTokenProblem::Wrong(text.to_owned());
    match error {
        ClaimsVerificationError::Expired(_) => {
            IdTokenProblem::Clock("it is over, or begins later".to_owned())
        }
        ClaimsVerificationError::SignatureVerification(NoMatchingKey | CryptoError(_)) => {
            IdTokenProblem::UnknownKey
        }
        ClaimsVerificationError::SignatureVerification(_) => {
            wrong("its signature is of a kind that is not accepted")
        }
        ClaimsVerificationError::InvalidAudience(_) => {
            wrong("it was made for another client (aud)")
        }
        ClaimsVerificationError::InvalidIssuer(_) => wrong("another issuer made it (iss)"),
        ClaimsVerificationError::InvalidNonce(_) => wrong("it answers another request (nonce)"),
        _ => wrong("its form is not accepted"),
    }
}
