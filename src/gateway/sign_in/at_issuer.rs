//! Signing in with the issuer: the browser leaves, comes back, and is somebody.
//!
//! Whoever begins must finish: the same browser, within ten minutes, once. All of it is checked before the code is used.

use std::sync::Arc;

use super::door::IssuerDoor;
use super::{SessionStart, SignedIn};
use crate::base::Secret;
use crate::gateway::connect::{error_code, flow_cookie_name};
use crate::gateway::{CallbackParameters, Fault, Gateway};
use crate::identity::{Principal, Role, SignInAttempt};
use crate::oauth::{Answer, AuthenticationRequest, IdTokenProblem, Issuer, SignInTrouble, Vouched};

/// A browser may leave for the issuer.
#[derive(Debug)]
pub struct Departing {
    /// Where it goes.
    pub authentication_url: url::Url,
    /// What it must bring back: the value of the flow cookie.
    pub flow_cookie: Secret,
    /// What the flow cookie is called.
    pub flow_cookie_name: String,
}

/// Somebody has signed in.
#[derive(Debug)]
pub struct Arrived {
    /// The cookie of the new session.
    pub cookie: Secret,
    /// Who it is.
    pub signed_in: SignedIn,
    /// The page that they wanted.
    pub return_path: String,
}

/// Why nobody was signed in.
#[derive(Debug)]
pub enum SignInError {
    /// Nobody signs in with an issuer here.
    NotOffered,
    /// Too many sign-ins have begun just now.
    TooMany,
    /// What came back answers nothing that this browser began lately: too late, used already, begun elsewhere.
    Lost,
    /// What came back does not fit, so that it is not acted on. Its own words are not shown.
    Untrusted(String),
    /// The person said no at the issuer.
    Cancelled,
    /// The issuer refused, with an error code that is safe to show.
    Refused(String),
    /// The issuer cannot be asked.
    Unreachable(String),
    /// By our clock the issuer's word is not valid now.
    Clocks(String),
    /// The issuer vouches for them, and none of their groups lets them in.
    NotAMember,
    /// Something failed on our side.
    Fault(Fault),
}

impl<E: Into<Fault>> From<E> for SignInError {
    fn from(error: E) -> Self {
        Self::Fault(error.into())
    }
}

impl From<SignInTrouble> for SignInError {
    fn from(trouble: SignInTrouble) -> Self {
        match trouble {
            SignInTrouble::Unreachable(message) => Self::Unreachable(message),
            SignInTrouble::Refused(code) => Self::Refused(code),
            SignInTrouble::IdToken(IdTokenProblem::Clock(message)) => Self::Clocks(message),
            SignInTrouble::IdToken(problem) => Self::Untrusted(problem.to_string()),
        }
    }
}

impl Gateway {
    /// What the issuer is called with which people sign in; none where they do not.
    #[must_use]
    pub fn issuer_name(&self) -> Option<&str> {
        let door = self.parts.sign_in.as_ref();
        door.map(|door| door.settings.name.as_str())
    }

    /// Whether somebody of whom `issuer` vouched can still be somebody here: the issuer that is configured, or ourselves where
    /// none is.
    #[must_use]
    pub fn accepts(&self, principal: &Principal) -> bool {
        match &self.parts.sign_in {
            Some(door) => principal.issuer == door.settings.issuer.issuer,
            // Every issuer of OpenID Connect is a web address, and none of ours is.
            None => !principal.issuer.contains("://"),
        }
    }

    /// Whether the issuer's groups, and nothing else, say who is an administrator.
    pub(in crate::gateway) fn groups_decide_roles(&self) -> bool {
        let door = self.parts.sign_in.as_ref();
        door.is_some_and(|door| door.settings.groups.decide_roles())
    }

    fn door(&self) -> Result<&IssuerDoor, SignInError> {
        self.parts.sign_in.as_ref().ok_or(SignInError::NotOffered)
    }

    /// Begins a sign-in that ends on the page `return_path`, which must be one of our own.
    ///
    /// # Errors
    /// [`SignInError`].
    pub async fn begin_sign_in(&self, return_path: &str) -> Result<Departing, SignInError> {
        let (clock, random) = (&self.parts.clock, &self.parts.random);
        let door = self.door()?;
        if !door.admits(clock) {
            return Err(SignInError::TooMany);
        }
        let issuer = door.issuer(&self.parts.egress, clock).await?;
        let [state, flow_cookie, verifier, nonce] = std::array::from_fn(|_| random.token());
        let authentication_url = issuer.authentication_url(&AuthenticationRequest {
            redirect_uri: &self.parts.links.sign_in_callback(),
            state: &state,
            nonce: &nonce,
            verifier: &verifier,
        })?;
        let attempt = SignInAttempt {
            issuer: door.settings.issuer.issuer.clone(),
            flow_digest: flow_cookie.digest(),
            code_verifier: verifier,
            nonce,
            return_path: return_path.to_owned(),
            expires: clock.now() + SignInAttempt::LIFETIME,
        };
        let attempts = self.parts.store.sign_in_attempts();
        attempts
            .create_until(&state.digest(), &attempt, attempt.expires)
            .await?;
        Ok(Departing {
            authentication_url,
            flow_cookie,
            flow_cookie_name: flow_cookie_name(&state),
        })
    }

    /// Completes a sign-in with what the issuer sent back: a new session, whatever the browser had before. The session of
    /// `old_cookie` is ended.
    ///
    /// # Errors
    /// [`SignInError`]; nobody is signed in then.
    pub async fn complete_sign_in(
        &self,
        parameters: &CallbackParameters,
        flow_cookie: Option<&Secret>,
        old_cookie: Option<&Secret>,
    ) -> Result<Arrived, SignInError> {
        let door = self.door()?;
        let attempt = self.take_attempt(door, parameters, flow_cookie).await?;
        let issuer = door.issuer(&self.parts.egress, &self.parts.clock).await?;
        issuer
            .check_iss(&parameters.iss)
            .map_err(|error| SignInError::Untrusted(error.to_string()))?;
        let code = code(parameters)?;
        let redirect_uri = self.parts.links.sign_in_callback();
        let answer = issuer
            .exchange(
                &self.parts.egress,
                &code,
                &attempt.code_verifier,
                &redirect_uri,
            )
            .await?;
        let vouched = self.verify(door, issuer, &answer, &attempt.nonce).await?;
        let (principal, role) = self.admit_person(door, &vouched).await?;
        let standing = self.stand(&principal.id, role).await?;
        let start = self.start_session(principal, standing.epoch).await?;
        if let Some(old) = old_cookie {
            self.sign_out(old).await?;
        }
        let SessionStart { cookie, signed_in } = start;
        tracing::info!(person = %signed_in.principal.id, role = standing.role.word(), "somebody signed in");
        Ok(Arrived {
            cookie,
            signed_in,
            return_path: attempt.return_path,
        })
    }

    /// The attempt that `state` names, if this browser began it in time: exactly one callback gets it. One that does not
    /// belong takes nothing, so that a stranger cannot spoil a sign-in under way.
    async fn take_attempt(
        &self,
        door: &IssuerDoor,
        parameters: &CallbackParameters,
        flow_cookie: Option<&Secret>,
    ) -> Result<SignInAttempt, SignInError> {
        let [state] = parameters.state.as_slice() else {
            return Err(SignInError::Lost);
        };
        let digest = Secret::new(state.as_str()).digest();
        let attempts = self.parts.store.sign_in_attempts();
        let found = self.set_apart(attempts.get(&digest).await)?;
        let found = found.ok().flatten().ok_or(SignInError::Lost)?.value;
        let is_ours = found.is_of(flow_cookie, self.parts.clock.now())
            && found.issuer == door.settings.issuer.issuer;
        if !is_ours {
            return Err(SignInError::Lost);
        }
        let taken = self.set_apart(attempts.take(&digest).await)?;
        taken.ok().flatten().ok_or(SignInError::Lost)
    }

    /// Verifies the ID token, with newer keys where the known ones did not make its signature.
    async fn verify(
        &self,
        door: &IssuerDoor,
        issuer: Arc<Issuer>,
        answer: &Answer,
        nonce: &Secret,
    ) -> Result<Vouched, SignInTrouble> {
        let (clock, claim) = (&self.parts.clock, &door.settings.groups.claim);
        let verified = issuer.verify(answer, nonce, claim, clock.now());
        if !matches!(verified, Err(IdTokenProblem::UnknownKey)) {
            return Ok(verified?);
        }
        let newer = door.with_newer_keys(&issuer, &self.parts.egress, clock);
        match newer.await {
            Some(newer) => Ok(newer.verify(answer, nonce, claim, clock.now())?),
            None => Ok(verified?),
        }
    }

    /// The person, if their groups let them in, and the role that the groups give where they decide it. Somebody who is not let
    /// in any more is signed out everywhere.
    async fn admit_person(
        &self,
        door: &IssuerDoor,
        vouched: &Vouched,
    ) -> Result<(Arc<Principal>, Option<Role>), SignInError> {
        let rules = &door.settings.groups;
        if rules.need_groups() && vouched.groups.is_none() {
            tracing::warn!(
                claim = rules.claim,
                "the issuer sent no groups; have it put them into the ID token under this claim"
            );
        }
        let groups = vouched.groups.as_deref().unwrap_or_default();
        let issuer = &door.settings.issuer.issuer;
        let Some(role) = rules.role(groups) else {
            if let Some(known) = self.find_person(issuer, &vouched.subject).await? {
                self.sign_out_everywhere(&known.id).await?;
            }
            return Err(SignInError::NotAMember);
        };
        let person = self.person(issuer, &vouched.subject, &vouched.name).await?;
        let person = self.rename(person, &vouched.name).await?;
        Ok((person, rules.decide_roles().then_some(role)))
    }
}

/// The code, or what the issuer said instead of one.
fn code(parameters: &CallbackParameters) -> Result<Secret, SignInError> {
    match (parameters.error.as_slice(), parameters.code.as_slice()) {
        ([], [code]) if !code.is_empty() => Ok(Secret::new(code.as_str())),
        ([error], []) if error == "access_denied" => Err(SignInError::Cancelled),
        ([error], []) => Err(SignInError::Refused(error_code(error))),
        _ => Err(SignInError::Untrusted("no code, or several".to_owned())),
    }
}
