//! Signing in to the pages: one-time links, the issuer, and the sessions that either begins.

mod at_issuer;
mod door;

pub use at_issuer::{Arrived, Departing, SignInError};
pub(super) use door::IssuerDoor;
pub use door::SignInSettings;

use std::sync::Arc;

use super::{Fault, Gateway};
use crate::base::Secret;
use crate::identity::{Principal, Session, SessionLimits, SignInLink};
use crate::store::{Record, WriteError};

/// A signed-in browser.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Who it is.
    pub principal: Arc<Principal>,
    /// What every form must carry back.
    pub form_token: Secret,
}

/// A session that has begun.
struct SessionStart {
    cookie: Secret,
    signed_in: SignedIn,
}

impl Gateway {
    /// How long sessions hold here.
    #[must_use]
    pub fn session_limits(&self) -> SessionLimits {
        let door = self.parts.sign_in.as_ref();
        door.map_or_else(SessionLimits::default, |door| door.settings.sessions)
    }

    /// A link that signs `person` in once.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn create_sign_in_link(&self, person: &Principal) -> Result<String, Fault> {
        let token = self.parts.random.token();
        let expires = self.parts.clock.now() + SignInLink::LIFETIME;
        let link = SignInLink {
            person: person.id.clone(),
            expires,
        };
        self.parts
            .store
            .sign_in_links()
            .create_until(&token.digest(), &link, expires)
            .await?;
        Ok(self.parts.links.sign_in(&token))
    }

    /// Spends a sign-in link and begins a session; returns the session's cookie and who is signed in. None when the
    /// link is unknown, used or too old.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn sign_in(&self, token: &Secret) -> Result<Option<(Secret, SignedIn)>, Fault> {
        let now = self.parts.clock.now();
        let spent = self.parts.store.sign_in_links().take(&token.digest()).await;
        let Some(link) = self.set_apart(spent)?.ok().flatten() else {
            return Ok(None);
        };
        if link.expires <= now {
            return Ok(None);
        }
        let Some(principal) = self.principal(&link.person).await? else {
            return Ok(None);
        };
        let Some(standing) = self.standing(&link.person).await? else {
            return Ok(None);
        };
        if !self.accepts(&principal) {
            return Ok(None);
        }
        let SessionStart { cookie, signed_in } =
            self.start_session(principal, standing.epoch).await?;
        // Nobody listening is no error.
        let principal = Arc::clone(&signed_in.principal);
        let _ = self.parts.used_sign_in_links.send(principal);
        Ok(Some((cookie, signed_in)))
    }

    /// A new session, found by a cookie that nobody has ever had.
    async fn start_session(
        &self,
        principal: Arc<Principal>,
        epoch: String,
    ) -> Result<SessionStart, Fault> {
        let (random, limits) = (&self.parts.random, self.session_limits());
        let (cookie, now) = (random.token(), self.parts.clock.now());
        let session = Session::begin(principal.id.clone(), random.token(), epoch, &limits, now);
        self.parts
            .store
            .sessions()
            .create_until(&cookie.digest(), &session, session.expires)
            .await?;
        Ok(SessionStart {
            cookie,
            signed_in: SignedIn {
                principal,
                form_token: session.form_token,
            },
        })
    }

    /// Who is signed in with this session cookie.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn signed_in(&self, cookie: &Secret) -> Result<Option<SignedIn>, Fault> {
        let found = self.parts.store.sessions().get(&cookie.digest()).await;
        // A session that cannot be read is none: they sign in again.
        let Some(session) = self.set_apart(found)?.ok().flatten() else {
            return Ok(None);
        };
        if !session
            .value
            .is_live(&self.session_limits(), self.parts.clock.now())
        {
            return Ok(None);
        }
        let person = &session.value.person;
        let Some(principal) = self.principal(person).await? else {
            return Ok(None);
        };
        let standing = self.standing(person).await?;
        let is_of_this_epoch = standing.is_some_and(|now| now.epoch == session.value.epoch);
        if !is_of_this_epoch || !self.accepts(&principal) {
            return Ok(None);
        }
        self.note_session_use(&session).await;
        Ok(Some(SignedIn {
            principal,
            form_token: session.value.form_token,
        }))
    }

    /// Notes that a session is in use. That it cannot be noted keeps nobody out before the idle time is over.
    async fn note_session_use(&self, session: &Record<Session>) {
        let now = self.parts.clock.now();
        let Some(seen) = session.value.seen_now(&self.session_limits(), now) else {
            return;
        };
        match self.parts.store.sessions().replace(session, &seen).await {
            // Another request of the same browser has noted it, or it was signed out just now.
            Ok(_) | Err(WriteError::Conflict) => {}
            Err(WriteError::Store(error)) => {
                tracing::warn!(%error, "the use of a session could not be noted");
            }
        }
    }

    /// Ends the session of this cookie, here and not only in the browser.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn sign_out(&self, cookie: &Secret) -> Result<(), Fault> {
        let taken = self.parts.store.sessions().take(&cookie.digest()).await;
        match self.set_apart(taken)? {
            Ok(_) => Ok(()),
            Err(damaged) => self.discard(&damaged).await,
        }
    }
}
