//! Signing in to the pages: one-time links and the sessions they begin.

use std::sync::Arc;

use super::{Fault, Gateway};
use crate::base::Secret;
use crate::identity::{Principal, Session, SignInLink};

/// A signed-in browser.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Who it is.
    pub principal: Arc<Principal>,
    /// What every form must carry back.
    pub form_token: Secret,
}

impl Gateway {
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
        let cookie = self.parts.random.token();
        let session = Session::begin(link.person, self.parts.random.token(), now);
        self.parts
            .store
            .sessions()
            .create_until(&cookie.digest(), &session, session.expires)
            .await?;
        // Nobody listening is no error.
        let _ = self.parts.used_sign_in_links.send(Arc::clone(&principal));
        Ok(Some((
            cookie,
            SignedIn {
                principal,
                form_token: session.form_token,
            },
        )))
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
        if !session.value.is_live(self.parts.clock.now()) {
            return Ok(None);
        }
        let principal = self.principal(&session.value.person).await?;
        Ok(principal.map(|principal| SignedIn {
            principal,
            form_token: session.value.form_token,
        }))
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
