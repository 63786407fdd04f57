//! The request itself: announced, sent, and what its answer means made durable.

use std::sync::Arc;
use std::time::Duration;

use super::{Outcome, Renewable, Stale, Verdict};
use crate::connection::{Connection, Credential, ExpiredReason, Tombstone, TombstoneReason};
use crate::gateway::fault::takes_no_writes;
use crate::gateway::upkeep::Task;
use crate::gateway::{Fault, Gateway};
use crate::oauth::{self, RefreshRequest};
use crate::store::{Record, StoreError, WriteError};

/// How long after a refusal of a brand-new token the next renewal may be tried: some providers issue the same token
/// twice within a second.
const SAME_SECOND: Duration = Duration::from_secs(1);
/// A connection that broke sooner than this broke by itself; later, somebody hung.
const QUICK: Duration = Duration::from_secs(10);

/// A new credential that is not stored yet, and what it takes the place of.
pub(super) struct Unsaved {
    connection: Connection,
    announced: Record<Credential>,
    pub(super) next: Credential,
    why: StoreError,
}

impl Gateway {
    /// Writes the intent. None when someone else wrote meanwhile. A single-use refresh token whose intent cannot be written
    /// is not sent: what came for it could not be kept either.
    pub(super) async fn announce(
        &self,
        key: &str,
        renewable: &Renewable,
        stale: &Stale,
    ) -> Result<Option<Result<Record<Credential>, Outcome>>, Fault> {
        let credential = &renewable.credential;
        let rules = &renewable.ready.oauth.refresh;
        let (holder, now) = (&self.parts.renewals.holder, self.parts.clock.now());
        let Ok(announced) = credential.value.announce(holder, rules, now) else {
            let outcome = self.exhausted(key, renewable, stale).await?;
            return Ok(Some(Err(outcome)));
        };
        match self
            .parts
            .store
            .credentials()
            .replace(credential, &announced)
            .await
        {
            Ok(record) => Ok(Some(Ok(record))),
            Err(WriteError::Conflict) => Ok(None),
            // Nothing is lost if the answer of a token that can be sent again is: it needs no announcement.
            Err(WriteError::Store(error)) if takes_no_writes(&error) && !rules.single_use => {
                let again = self.parts.store.credentials().get(key).await?;
                let same = again.filter(|now| now.value.generation == credential.value.generation);
                Ok(same.map(Ok))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Sends the announced request, and does what its answer means. None: look again.
    pub(super) async fn request(
        &self,
        key: &str,
        renewable: &Renewable,
        announced: Record<Credential>,
        stale: &Stale,
    ) -> Result<Option<Outcome>, Fault> {
        let ready = &renewable.ready;
        let endpoint = ready.oauth.token.url.as_str();
        let request = RefreshRequest {
            refresh_token: &renewable.refresh_token,
            granted: &renewable.connection.value.granted,
            redirect_uri: &renewable.redirect_uri,
        };
        let sent = self.parts.clock.monotonic();
        let outcome = {
            // Never closed.
            let _permit = self.parts.renewals.requests.acquire().await;
            oauth::refresh(
                &self.parts.egress,
                &ready.oauth,
                &ready.registration,
                &request,
            )
            .await
        };
        if let Err(error) = &outcome {
            let connection = &renewable.connection.value.id;
            tracing::warn!(%connection, %error, "a renewal brought no token");
        }
        let now = self.parts.clock.now();
        let granted = renewable.connection.value.since;
        let rules = &ready.oauth.refresh;
        match Verdict::on(outcome, &announced.value, rules, granted, now) {
            Verdict::Renewed { renewal, granted } => {
                self.parts.renewals.pauses.worked(key, endpoint);
                let next = announced.value.renewed(renewal, now);
                let token = next.access_token.clone();
                let connection = renewable.connection.value.clone();
                let outcome = match self.keep_renewed(key, connection, announced, next).await? {
                    Outcome::Newer(kept) if kept.access_token == token => {
                        let id = &renewable.connection.value.id;
                        Outcome::Newer(self.with_learned_end(key, id, ready, kept).await)
                    }
                    other => other,
                };
                if let (Outcome::Newer(_), Some(granted)) = (&outcome, granted) {
                    match self.note_granted(key, &granted).await {
                        // The next call that is refused for it finds out.
                        Err(fault) if fault.is_full_disk() => self.tell_full_disk(&fault),
                        noted => noted?,
                    }
                }
                Ok(Some(self.beware_of_the_same(key, outcome, stale)))
            }
            Verdict::Ended(reason) => {
                self.parts.renewals.pauses.worked(key, endpoint);
                let found = self.set_apart(self.parts.store.connections().get(key).await)?;
                let Ok(found) = found else {
                    return Ok(Some(Outcome::Ended(ExpiredReason::Damaged)));
                };
                let Some(connection) = found else {
                    return Ok(Some(Outcome::Gone));
                };
                let ended = self.end(key, connection, &announced, reason).await?;
                // Someone else wrote meanwhile: the next look finds out what.
                Ok(ended.then_some(Outcome::Ended(reason)))
            }
            Verdict::Later { unclear, wait } => {
                let answered = announced.value.answered(unclear);
                let credentials = self.parts.store.credentials();
                match credentials.finishing().replace(&announced, &answered).await {
                    Ok(_) | Err(WriteError::Conflict) => {}
                    // The announcement stays, as if no answer had come: that is the safe side.
                    Err(WriteError::Store(error)) if takes_no_writes(&error) => {}
                    Err(error) => return Err(error.into()),
                }
                Ok(Some(self.later(key, endpoint, wait).await?))
            }
            Verdict::Lost => {
                // The next look tries the old access token, and then either waits or sends the announced replay. A
                // provider that hung is given time first.
                let hung = self.parts.clock.monotonic().saturating_sub(sent) > QUICK;
                if rules.single_use && !hung {
                    return Ok(None);
                }
                Ok(Some(self.later(key, endpoint, None).await?))
            }
        }
    }

    /// Leaves the endpoint alone for a while, and comes back by itself.
    async fn later(
        &self,
        key: &str,
        endpoint: &str,
        asked: Option<Duration>,
    ) -> Result<Outcome, Fault> {
        let (now, random) = (self.parts.clock.monotonic(), &self.parts.random);
        let pauses = &self.parts.renewals.pauses;
        let wait = pauses.failed(key, endpoint, asked, now, random);
        let task = Task::Renew(key.to_owned()).to_string();
        let again = self.parts.clock.now() + wait;
        match self.parts.store.note_due(again, &task).await {
            // It is renewed when it is used, then.
            Err(error) if takes_no_writes(&error) => self.tell_full_disk(&error.into()),
            noted => noted?,
        }
        Ok(Outcome::NotNow { wait })
    }

    /// Makes the new credential durable in the place of the announced one. If another stands there, that one is newer, and
    /// what was received here is taken back at the provider. If the store cannot take it, it is used from memory until it
    /// can.
    async fn keep_renewed(
        &self,
        key: &str,
        connection: Connection,
        announced: Record<Credential>,
        next: Credential,
    ) -> Result<Outcome, Fault> {
        if let Err(fault) = self.note_next_renewal(key, &next).await {
            // It is renewed when it is used, then.
            tracing::warn!(%fault, "a renewal ahead of time could not be noted");
        }
        match self
            .parts
            .store
            .credentials()
            .finishing()
            .replace(&announced, &next)
            .await
        {
            Ok(_) => {
                self.note_receipt(key, &next);
                tracing::debug!(connection = %connection.id, "renewed");
                Ok(Outcome::Newer(Arc::new(next)))
            }
            Err(WriteError::Conflict) => {
                let found = self.stored_credential(key).await?;
                let is_damaged = found.is_err();
                let current = found.ok().flatten();
                let is_kept = current
                    .as_ref()
                    .is_some_and(|now| now.value.access_token == next.access_token);
                if !is_kept {
                    let reason = match current {
                        None if !is_damaged => TombstoneReason::Disconnected,
                        _ => TombstoneReason::Superseded,
                    };
                    let now = self.parts.clock.now();
                    let late = Tombstone::of(&connection, &next, reason, now);
                    self.bury(late).await?;
                }
                Ok(match current {
                    Some(current) => Outcome::Newer(Arc::new(current.value)),
                    None if is_damaged => Outcome::Ended(ExpiredReason::Damaged),
                    None => Outcome::Gone,
                })
            }
            Err(WriteError::Store(error)) => {
                tracing::error!(connection = %connection.id, %error, "a new token could not be stored; it is tried again");
                self.note_receipt(key, &next);
                let received = Arc::new(next.clone());
                let unsaved = Unsaved {
                    connection,
                    announced,
                    next,
                    why: error,
                };
                self.parts
                    .renewals
                    .unsaved()
                    .insert(key.to_owned(), unsaved);
                Ok(Outcome::Newer(received))
            }
        }
    }

    /// A provider that issues the very token that it has just refused has not renewed anything: the token counts as over
    /// at once, and the next call renews again.
    fn beware_of_the_same(&self, key: &str, outcome: Outcome, stale: &Stale) -> Outcome {
        let Outcome::Newer(credential) = &outcome else {
            return outcome;
        };
        if stale.refused.as_ref() != Some(&credential.access_token) {
            return outcome;
        }
        self.note_end(key, credential.generation);
        Outcome::NotNow { wait: SAME_SECOND }
    }

    /// Stores a token that was received when the store could not take it. Where it still cannot, the outcome is that very
    /// token, if it is newer than what is `stale`.
    ///
    /// # Errors
    /// What keeps it from being stored, where it is not good enough itself: its place must not be renewed again before.
    pub(super) async fn keep_what_was_not_kept(
        &self,
        key: &str,
        stale: &Stale,
    ) -> Result<Option<Outcome>, Fault> {
        self.store_unsaved(key).await?;
        let unsaved = self.parts.renewals.unsaved();
        match unsaved.get(key) {
            None => Ok(None),
            Some(unsaved) if unsaved.next.generation > stale.generation => {
                Ok(Some(Outcome::Newer(Arc::new(unsaved.next.clone()))))
            }
            Some(unsaved) => Err(unsaved.why.clone().into()),
        }
    }

    /// Tries once more to store what could not be stored; at the end of the gateway, for all of it.
    pub(super) async fn store_all_unsaved(&self) {
        let keys: Vec<_> = self.parts.renewals.unsaved().keys().cloned().collect();
        for key in keys {
            if let Err(fault) = self.store_unsaved(&key).await {
                tracing::error!(%fault, "a new token could not be stored");
            }
        }
    }

    async fn store_unsaved(&self, key: &str) -> Result<(), Fault> {
        let unsaved = self.parts.renewals.unsaved().remove(key);
        if let Some(unsaved) = unsaved {
            self.keep_renewed(key, unsaved.connection, unsaved.announced, unsaved.next)
                .await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Secret;
    use crate::gateway::fixture::Fixture;
    use crate::store::Room;

    /// A token that came when nothing at all could be written is used from memory, never asked for again, and stored as
    /// soon as there is room.
    #[tokio::test]
    async fn a_token_that_could_not_be_stored_is_not_lost() {
        let Fixture {
            gateway,
            connection,
            key,
        } = Fixture::new().await;
        let store = &gateway.parts.store;
        let announced = store.credentials().get(&key).await.unwrap().unwrap();
        let old = Stale::old(&announced.value);
        let next = Credential {
            access_token: Secret::new("next"),
            generation: announced.value.generation + 1,
            ..announced.value.clone()
        };
        let is_next = |outcome: &Outcome| matches!(outcome, Outcome::Newer(found) if found.access_token == next.access_token);
        store.leave(Room::None);
        let kept = gateway.keep_renewed(&key, connection, announced, next.clone());
        assert!(is_next(&kept.await.unwrap()));
        let again = gateway.keep_what_was_not_kept(&key, &old).await.unwrap();
        assert!(is_next(&again.expect("from memory")));
        let refused = Stale::refused(next.generation, &next.access_token);
        let stuck = gateway.keep_what_was_not_kept(&key, &refused).await;
        assert!(stuck.unwrap_err().is_full_disk(), "it must not be renewed");
        store.leave(Room::Enough);
        let stored = gateway.keep_what_was_not_kept(&key, &refused).await;
        assert!(stored.unwrap().is_none());
        let found = store.credentials().get(&key).await.unwrap().unwrap();
        assert_eq!(found.value.generation, next.generation);
    }
}
