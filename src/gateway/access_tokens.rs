//! Access tokens of external issuers: who sends one, and what clients are told when it does not do.
//!
//! Owns the issuers' keys, when they are fetched again, and what is remembered of tokens that were checked. A token goes
//! no further than here: what comes out is a caller.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quick_cache::sync::Cache;

use super::{Fault, Gateway};
use crate::base::{AgentId, Clock, plain_line};
use crate::egress::Egress;
use crate::identity::{
    AccessGrant, AccessToken, AccessTokenRefusal, Agent, Caller, Principal, SigningKeys,
    TrustedIssuer,
};
use crate::oauth::signing_keys;
use crate::store::WriteError;

/// How long keys are used before they are fetched again.
const FRESH: Duration = Duration::from_hours(1);

/// How long after the last attempt they may be fetched again because a token names an unknown key, or because the attempt
/// failed: whoever sends made-up tokens must not make us ask the issuer for each of them.
const AGAIN_AFTER: Duration = Duration::from_secs(30);

/// How much of a person's name is kept.
const NAME_CHARS: usize = 100;

/// For how many tokens it is remembered that they were checked.
const REMEMBERED: usize = 10_000;

/// Why an access token lets nobody in.
#[derive(Debug)]
pub enum AccessTokenError {
    /// It does not do.
    Refused(AccessTokenRefusal),
    /// It cannot be checked at the moment.
    NoKeys,
    /// Something failed on our side.
    Fault(Fault),
}

impl<E: Into<Fault>> From<E> for AccessTokenError {
    fn from(error: E) -> Self {
        Self::Fault(error.into())
    }
}

/// The trusted issuers and their keys.
pub(super) struct AccessTokens {
    issuers: Vec<Issuer>,
    /// What tokens have said, by their digest and the resource that was asked.
    believed: Cache<(String, String), Arc<AccessGrant>>,
}

struct Issuer {
    trusted: TrustedIssuer,
    keys: Mutex<Known>,
    /// Held by whoever fetches.
    fetching: tokio::sync::Mutex<()>,
}

/// What is known of an issuer's keys.
#[derive(Clone, Default)]
struct Known {
    keys: Option<(Arc<SigningKeys>, Duration)>,
    /// When they were last asked for, by the monotonic clock.
    asked: Option<Duration>,
}

impl Known {
    fn usable(&self) -> Option<Arc<SigningKeys>> {
        self.keys.as_ref().map(|(keys, _)| Arc::clone(keys))
    }

    fn is_fresh(&self, now: Duration) -> bool {
        let fetched = self.keys.as_ref().map(|(_, at)| *at);
        fetched.is_some_and(|at| now.saturating_sub(at) < FRESH)
    }

    fn may_be_asked_for(&self, now: Duration) -> bool {
        self.asked
            .is_none_or(|at| now.saturating_sub(at) >= AGAIN_AFTER)
    }
}

impl AccessTokens {
    /// Tokens for `resource`, the whole gateway, are good for each part of it.
    pub(super) fn new(issuers: Vec<TrustedIssuer>, resource: &str) -> Self {
        let issuer = |trusted: TrustedIssuer| Issuer {
            trusted: TrustedIssuer {
                audiences: [trusted.audiences, vec![resource.to_owned()]].concat(),
                ..trusted
            },
            keys: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
        };
        Self {
            issuers: issuers.into_iter().map(issuer).collect(),
            believed: Cache::new(REMEMBERED),
        }
    }

    /// What `token` says, if it does.
    async fn believe(
        &self,
        token: &AccessToken<'_>,
        resource: &str,
        egress: &Egress,
        clock: &Clock,
    ) -> Result<Arc<AccessGrant>, AccessTokenError> {
        let name = (token.digest(), resource.to_owned());
        if let Some(known) = self.believed.get(&name) {
            if known.expires > clock.now() {
                return Ok(known);
            }
            self.believed.remove(&name);
        }
        let issuer = self
            .issuers
            .iter()
            .find(|known| known.trusted.issuer == token.issuer())
            .ok_or(AccessTokenError::Refused(AccessTokenRefusal::NotTrusted))?;
        let grant = Arc::new(issuer.check(token, resource, egress, clock).await?);
        self.believed.insert(name, Arc::clone(&grant));
        Ok(grant)
    }
}

impl Issuer {
    /// Checks a token; with keys fetched anew when those that are known are old or do not hold its key.
    async fn check(
        &self,
        token: &AccessToken<'_>,
        resource: &str,
        egress: &Egress,
        clock: &Clock,
    ) -> Result<AccessGrant, AccessTokenError> {
        let known = self.known();
        let before = known.usable().filter(|_| known.is_fresh(clock.monotonic()));
        let now = clock.now();
        if let Some(keys) = &before {
            match token.verify(&self.trusted, keys, resource, now) {
                Err(AccessTokenRefusal::UnknownKey) => {}
                other => return other.map_err(AccessTokenError::Refused),
            }
        }
        let keys = self.fetch(egress, clock, before.as_ref()).await;
        let keys = keys.ok_or(AccessTokenError::NoKeys)?;
        token
            .verify(&self.trusted, &keys, resource, now)
            .map_err(AccessTokenError::Refused)
    }

    /// The newest keys: fetched by one of those who want them, unless that was just tried.
    async fn fetch(
        &self,
        egress: &Egress,
        clock: &Clock,
        before: Option<&Arc<SigningKeys>>,
    ) -> Option<Arc<SigningKeys>> {
        let _one_at_a_time = self.fetching.lock().await;
        let known = self.known();
        let was_fetched_meanwhile = match (known.usable(), before) {
            (Some(now), Some(before)) => !Arc::ptr_eq(&now, before),
            (Some(_), None) => known.is_fresh(clock.monotonic()),
            (None, _) => false,
        };
        if was_fetched_meanwhile || !known.may_be_asked_for(clock.monotonic()) {
            return known.usable();
        }
        let fetched = signing_keys(egress, &self.trusted).await;
        let at = clock.monotonic();
        let mut known = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        known.asked = Some(at);
        match fetched {
            Ok(keys) => known.keys = Some((Arc::new(keys), at)),
            Err(error) => {
                let issuer = &self.trusted.issuer;
                tracing::warn!(%issuer, %error, "the keys of an issuer of access tokens could not be fetched");
            }
        }
        known.usable()
    }

    fn known(&self) -> Known {
        let known = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }
}

impl Gateway {
    /// Whether access tokens are accepted, and so the metadata of a protected resource published.
    #[must_use]
    pub fn accepts_access_tokens(&self) -> bool {
        !self.parts.access_tokens.issuers.is_empty()
    }

    /// Who issues access tokens for this gateway (`authorization_servers` of RFC 9728).
    #[must_use]
    pub fn token_issuers(&self) -> Vec<&str> {
        let issuers = self.parts.access_tokens.issuers.iter();
        issuers.map(|known| known.trusted.issuer.as_str()).collect()
    }

    /// The scopes that a token must carry, of all issuers together.
    #[must_use]
    pub fn token_scopes(&self) -> Vec<&str> {
        let issuers = self.parts.access_tokens.issuers.iter();
        let mut scopes: Vec<_> = issuers
            .flat_map(|known| known.trusted.scopes.iter().map(String::as_str))
            .collect();
        scopes.sort_unstable();
        scopes.dedup();
        scopes
    }

    /// Who sends `token` to `resource`: the person whom its issuer calls so, added if new, and the client as their agent.
    ///
    /// # Errors
    /// [`AccessTokenError`].
    pub async fn authenticate_access_token(
        &self,
        token: &str,
        resource: &str,
    ) -> Result<Caller, AccessTokenError> {
        let token = AccessToken::parse(token)
            .map_err(|_| AccessTokenError::Refused(AccessTokenRefusal::NotTrusted))?;
        let (tokens, clock) = (&self.parts.access_tokens, &self.parts.clock);
        let grant = tokens
            .believe(&token, resource, &self.parts.egress, clock)
            .await?;
        let name = grant.name.as_deref().unwrap_or(&grant.subject);
        let name = plain_line(name, NAME_CHARS);
        let principal = self.person(token.issuer(), &grant.subject, &name).await?;
        let agent = self.client_agent(&principal, &grant.client).await?;
        self.caller_of(agent)
            .await?
            .ok_or(AccessTokenError::Refused(AccessTokenRefusal::Ended))
    }

    /// The agent that a client of an issuer is for a person, added if new. It has no agent token.
    async fn client_agent(&self, person: &Principal, client: &str) -> Result<Agent, Fault> {
        let id = self.client_agent_id(person, client);
        let agents = self.parts.store.agents();
        let found = self.set_apart(agents.get(id.as_str()).await)?;
        match found {
            Ok(Some(known)) => return Ok(known.value),
            Ok(None) => {}
            // Everything in it is known.
            Err(damaged) => self.discard(&damaged).await?,
        }
        let agent = Agent::of_client(id, person.id.clone(), client, self.parts.clock.now());
        match agents.create(agent.id.as_str(), &agent).await {
            Ok(_) | Err(WriteError::Conflict) => Ok(agent),
            Err(error) => Err(error.into()),
        }
    }

    fn client_agent_id(&self, person: &Principal, client: &str) -> AgentId {
        let index = self
            .parts
            .store
            .index(&["client agent", person.id.as_str(), client]);
        let mut id = [0; 16];
        // An index is 64 hexadecimal digits.
        let _ = data_encoding::HEXLOWER.decode_mut(&index.as_bytes()[..32], &mut id);
        AgentId::from_bytes(id)
    }
}
