//! Asking a provider how long a new access token lives, where its replies do not say it.
//!
//! The tokens are durable before anybody asks: whatever becomes of the question, nothing is lost with it.

use std::sync::Arc;
use std::time::Duration;

use crate::base::{ConnectionId, Secret};
use crate::connection::Credential;
use crate::gateway::{Fault, Gateway, Ready};
use crate::oauth;
use crate::store::WriteError;

impl Gateway {
    /// How long `access_token` lives from now on, where the provider file has it asked for. None when nobody is to be
    /// asked, and when there is no usable answer: the log says so then, and the token is used as if the provider had not
    /// said how long.
    pub(in crate::gateway) async fn learn_lifetime(
        &self,
        ready: &Ready,
        access_token: &Secret,
    ) -> Option<Duration> {
        let parts = &self.parts;
        let (profile, now) = (&ready.oauth, parts.clock.now());
        let asked = oauth::introspect(
            &parts.egress,
            profile,
            &ready.registration,
            access_token,
            now,
        );
        asked.await.unwrap_or_else(|error| {
            let endpoint = profile.introspection.as_ref();
            let host = endpoint.and_then(|endpoint| endpoint.url.host_str());
            tracing::warn!(host, %error, "how long an access token lives could not be learned: it is used as long as the one before it, or until it is refused");
            None
        })
    }

    /// The renewed credential at `key` with the end that the provider names, where it is to be asked. It is stored where
    /// that very credential stands; where another one does, that one is newer and this end is nobody's.
    pub(super) async fn with_learned_end(
        &self,
        key: &str,
        connection: &ConnectionId,
        ready: &Ready,
        renewed: Arc<Credential>,
    ) -> Arc<Credential> {
        let Some(lifetime) = self.learn_lifetime(ready, &renewed.access_token).await else {
            return renewed;
        };
        let clock = &self.parts.clock;
        let ending = Credential {
            expires: Some(clock.now() + lifetime),
            ..Credential::clone(&renewed)
        };
        let ends = clock.monotonic() + lifetime;
        let receipts = &self.parts.renewals.receipts;
        receipts.note(key, ending.generation, ends);
        self.note_learned_end(key, &ending)
            .await
            .unwrap_or_else(|fault| {
                // It is renewed when the provider refuses it.
                tracing::warn!(%connection, %fault, "the end of a renewed token could not be noted");
            });
        Arc::new(ending)
    }

    async fn note_learned_end(&self, key: &str, ending: &Credential) -> Result<(), Fault> {
        let credentials = self.parts.store.credentials();
        let Some(record) = credentials.get(key).await? else {
            return Ok(());
        };
        let is_the_same = record.value.generation == ending.generation
            && record.value.access_token == ending.access_token
            && record.value.intent.is_none();
        if !is_the_same {
            return Ok(());
        }
        match credentials.finishing().replace(&record, ending).await {
            Ok(_) => self.note_next_renewal(key, ending).await,
            Err(WriteError::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
