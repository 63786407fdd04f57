//! An OAuth authorization request under way, from the moment the browser leaves until it comes back.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::GrantedBy;
use crate::base::{ConnectionId, PersonId, Secret, Timestamp};
use crate::catalogue::ScopeSet;

/// One authorization request (RFC 6749 section 4.1.1). Found by the digest of its `state`, taken exactly once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// Who began it, and must finish it.
    pub person: PersonId,
    /// The service that is being connected; the callback path must name the same.
    pub service: String,
    /// The last part of the connect link it serves; none when it began on the Connections page.
    #[serde(with = "crate::base::secret::for_sealing", default)]
    pub ticket: Option<Secret>,
    /// Digest of the cookie that the beginning browser was given.
    pub flow_digest: String,
    /// The proof key (RFC 7636), where the provider takes one.
    #[serde(with = "crate::base::secret::for_sealing", default)]
    pub code_verifier: Option<Secret>,
    /// The redirect URI as sent.
    pub redirect_uri: String,
    /// The authority the browser was sent to.
    pub sent_to: GrantedBy,
    /// The scopes asked for.
    pub requested: ScopeSet,
    /// The connection that is expected to be made again, where one is. Nothing depends on it but what the person is told:
    /// which account signs in is theirs to choose.
    #[serde(default)]
    pub expected: Option<ConnectionId>,
    /// When it stops being accepted.
    pub expires: Timestamp,
}

/// Why a callback does not belong to the authorization request that its `state` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallbackRefusal {
    /// Its time is over.
    Expired,
    /// It arrived at another provider's redirect URI (mix-up).
    WrongService,
    /// The browser is signed in as someone else.
    WrongPerson,
    /// The browser lacks the cookie of the browser that began.
    WrongBrowser,
}

impl AuthorizationRequest {
    /// How long a person may take at the provider.
    pub const LIFETIME: Duration = Duration::from_mins(10);

    /// Whether this callback is the answer to this request: same provider, same person, same browser, in time.
    /// Checked before the token request (draft-ietf-oauth-security-topics-update, cross-user session fixation).
    ///
    /// # Errors
    /// The first of these that is not so.
    pub fn check(
        &self,
        service: &str,
        person: &PersonId,
        flow_cookie: Option<&Secret>,
        now: Timestamp,
    ) -> Result<(), CallbackRefusal> {
        if self.service != service {
            return Err(CallbackRefusal::WrongService);
        }
        if self.person != *person {
            return Err(CallbackRefusal::WrongPerson);
        }
        let presented = flow_cookie.map(Secret::digest).unwrap_or_default();
        if !bool::from(presented.as_bytes().ct_eq(self.flow_digest.as_bytes())) {
            return Err(CallbackRefusal::WrongBrowser);
        }
        if now >= self.expires {
            return Err(CallbackRefusal::Expired);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Random;

    #[test]
    fn a_callback_is_accepted_only_from_where_the_request_began() {
        let random = Random::seeded(8);
        let (ana, ben) = (PersonId::new(&random), PersonId::new(&random));
        let (cookie, other) = (random.token(), random.token());
        let now = Timestamp::from_unix(0);
        let request = AuthorizationRequest {
            person: ana.clone(),
            service: "acme".into(),
            ticket: None,
            flow_digest: cookie.digest(),
            code_verifier: None,
            redirect_uri: "https://gw.example/oauth/callback/acme".into(),
            sent_to: GrantedBy {
                issuer: None,
                token_endpoint: "https://acme.example/token".into(),
                client_id: "c".into(),
            },
            requested: ScopeSet::default(),
            expected: None,
            expires: now + AuthorizationRequest::LIFETIME,
        };
        assert_eq!(request.check("acme", &ana, Some(&cookie), now), Ok(()));
        let refusals = [
            (
                request.check("other", &ana, Some(&cookie), now),
                CallbackRefusal::WrongService,
            ),
            (
                request.check("acme", &ben, Some(&cookie), now),
                CallbackRefusal::WrongPerson,
            ),
            (
                request.check("acme", &ana, Some(&other), now),
                CallbackRefusal::WrongBrowser,
            ),
            (
                request.check("acme", &ana, None, now),
                CallbackRefusal::WrongBrowser,
            ),
            (
                request.check("acme", &ana, Some(&cookie), request.expires),
                CallbackRefusal::Expired,
            ),
        ];
        for (outcome, expected) in refusals {
            assert_eq!(outcome, Err(expected));
        }
    }
}
