//! The end of buried tokens: their provider is asked to take them back, and they are proven dead.
//!
//! Owns one turn at one tombstone, and what a connection comes to when all of its tombstones have ended. The invariants are
//! those of `gateway/burial.rs`.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::burial::reach;
use super::credentials::record_key;
use super::probe::Probe;
use super::{Fault, Gateway, Ready, Service};
use crate::base::Timestamp;
use crate::catalogue::{Revocation, RevocationReach};
use crate::connection::{AtProvider, Connection, Status, Tombstone, TombstoneReason};
use crate::oauth::{self, RevocationOutcome, RevokeError};
use crate::store::{Record, WriteError};

/// How long one step at the provider may take: a person may be waiting for the receipt.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether a registration that was taken away is back.
const UNTIL_IT_IS_BACK: Duration = Duration::from_hours(1);

/// Who wants it, and so how much is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asking {
    /// A person waits for the outcome: the provider is asked whatever happened before.
    Now,
    /// Somebody waits for the outcome of very many: a provider that just failed is not asked again for each.
    WithOthers,
    /// Nobody waits: it is asked when it is this tombstone's turn.
    InTurn,
}

/// What became of one tombstone.
enum Fate {
    /// Its tokens are dead.
    Dead,
    /// The provider has no way to revoke them.
    Unsupported,
    /// They were kept for as long as they may be.
    GaveUp,
    /// They must live: a working connection holds them, or would die with them.
    InUse,
    /// It is looked at again.
    Waits(Timestamp),
}

/// Providers that did not answer a revocation just now. With many tombstones of one provider that is down, one of them
/// asks, and the others wait with it.
#[derive(Default)]
pub(super) struct RestingProviders {
    until: Mutex<HashMap<String, Timestamp>>,
}

impl RestingProviders {
    const REST: Duration = Duration::from_mins(1);

    fn rest(&self, token_endpoint: &str, now: Timestamp) {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.retain(|_, end| *end > now);
        until.insert(token_endpoint.to_owned(), now + Self::REST);
    }

    fn resting_until(&self, token_endpoint: &str, now: Timestamp) -> Option<Timestamp> {
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.get(token_endpoint).copied().filter(|end| *end > now)
    }
}

impl Gateway {
    /// Has the tombstones at `key` revoked, as far as it is their turn, and settles their connection once that is decided.
    pub(super) async fn lay_to_rest(&self, key: &str, asking: Asking) -> Result<(), Fault> {
        let mut fates = Vec::new();
        let (tombstones, damaged) = self.tombstones_at(key).await?;
        for damaged in &damaged {
            // What was in it cannot be revoked any more.
            self.settle(key, AtProvider::GaveUp).await?;
            self.discard(damaged).await?;
        }
        for tombstone in tombstones {
            let fate = self.decide(&tombstone, asking).await?;
            fates.push((tombstone, fate));
        }
        if self.is_being_buried(key).await? {
            // Whoever is at it comes here next; if they were cut off, the note does.
            let later = self.parts.clock.now() + Duration::from_mins(1);
            return self.note_revocation(key, later).await;
        }
        if let Some(at_provider) = outcome(&fates) {
            self.settle(key, at_provider).await?;
        }
        let seen: HashSet<String> = fates
            .iter()
            .map(|(tombstone, _)| tombstone.key().to_owned())
            .collect();
        let mut next: Option<Timestamp> = None;
        for (tombstone, fate) in fates {
            if let Fate::Waits(until) = fate {
                next = Some(next.map_or(until, |known| known.min(until)));
                continue;
            }
            match self.parts.store.tombstones().delete(&tombstone).await {
                // Another turn at the same tombstone has changed or removed it.
                Ok(()) | Err(WriteError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        match next {
            Some(next) => self.note_revocation(key, next).await,
            None => self.doubt_if_more_came(key, &seen).await,
        }
    }

    /// One may have come while those that were `seen` were dealt with.
    async fn doubt_if_more_came(&self, key: &str, seen: &HashSet<String>) -> Result<(), Fault> {
        let (left, _) = self.tombstones_at(key).await?;
        if left.iter().all(|tombstone| seen.contains(tombstone.key())) {
            return Ok(());
        }
        self.note_revocation(key, self.parts.clock.now()).await?;
        self.change_connection(key, Connection::doubt).await
    }

    /// Whether the connection was disconnected and its credential is still there: nothing is known of its tokens yet.
    async fn is_being_buried(&self, key: &str) -> Result<bool, Fault> {
        let connection = self.set_apart(self.parts.store.connections().get(key).await)?;
        let connection = connection.ok().flatten();
        let is_disconnected = connection.is_some_and(|found| !found.value.status.is_connected());
        let credential = self.stored_credential(key).await?;
        Ok(is_disconnected && credential.is_ok_and(|found| found.is_some()))
    }

    /// One turn at one tombstone.
    async fn decide(&self, record: &Record<Tombstone>, asking: Asking) -> Result<Fate, Fault> {
        let now = self.parts.clock.now();
        let Some(tombstone) = self.not_in_use(&record.value).await? else {
            return Ok(Fate::InUse);
        };
        let ready = self
            .services()
            .granting(&tombstone.service, &tombstone.granted_by);
        if ready
            .as_ref()
            .is_ok_and(|(_, ready)| cannot_be_asked(ready))
        {
            return Ok(Fate::Unsupported);
        }
        let needs_asking = !tombstone.confirmed && tombstone.refresh_token.is_some();
        if tombstone.access_is_over(now) && !needs_asking {
            return Ok(Fate::Dead);
        }
        if tombstone.is_over(now) {
            return Ok(Fate::GaveUp);
        }
        if asking == Asking::InTurn
            && let Some(next) = tombstone.next.filter(|next| *next > now)
        {
            return Ok(Fate::Waits(next));
        }
        let Ok((service, ready)) = ready else {
            let later = tombstone.rest_until(now + UNTIL_IT_IS_BACK, now);
            return self.wait(record, later).await;
        };
        if reach(&ready) == RevocationReach::Grant && self.is_connected_anew(&tombstone).await? {
            return Ok(Fate::InUse);
        }
        self.ask_provider(record, tombstone, &service, &ready, asking)
            .await
    }

    /// Asks the provider to take the tokens back, and then makes sure that it did.
    async fn ask_provider(
        &self,
        record: &Record<Tombstone>,
        mut tombstone: Tombstone,
        service: &Service,
        ready: &Ready,
        asking: Asking,
    ) -> Result<Fate, Fault> {
        let now = self.parts.clock.now();
        let provider = ready.oauth.token.url.as_str();
        if asking != Asking::Now
            && let Some(until) = self.parts.resting_providers.resting_until(provider, now)
        {
            return Ok(Fate::Waits(until));
        }
        if !tombstone.confirmed {
            match self.request_revocation(ready, &tombstone).await {
                Ok(RevocationOutcome::Confirmed) => tombstone.confirmed = true,
                Ok(RevocationOutcome::Unsupported { .. }) => return Ok(Fate::Unsupported),
                // It cannot be asked about these tokens; what has an end is watched until then.
                Err(Unanswered::Not(RevokeError::NoTokenToRevoke))
                    if tombstone.access_expires.is_none() =>
                {
                    return Ok(Fate::Unsupported);
                }
                Err(unanswered) => {
                    if unanswered.is_of_the_provider() {
                        self.parts.resting_providers.rest(provider, now);
                    }
                    tracing::warn!(connection = %tombstone.connection, %unanswered, "the provider did not confirm a revocation");
                    return self.wait(record, tombstone.asked(now)).await;
                }
            }
        }
        if self.is_dead(service, ready, &tombstone).await {
            return Ok(Fate::Dead);
        }
        self.wait(record, tombstone.asked(now)).await
    }

    async fn request_revocation(
        &self,
        ready: &Ready,
        tombstone: &Tombstone,
    ) -> Result<RevocationOutcome, Unanswered> {
        let request = oauth::revoke(
            &self.parts.egress,
            &ready.oauth,
            &ready.registration,
            tombstone.access_token.as_ref(),
            tombstone.refresh_token.as_ref(),
        );
        match tokio::time::timeout(PATIENCE, request).await {
            Ok(answered) => answered.map_err(Unanswered::Not),
            Err(_) => Err(Unanswered::TooSlow),
        }
    }

    /// Whether the access token is refused as one that is worth nothing, where it might still be worth something. Anything
    /// else is no proof: a service that is down does not answer a good token either.
    async fn is_dead(&self, service: &Service, ready: &Ready, tombstone: &Tombstone) -> bool {
        let access_token = match &tombstone.access_token {
            Some(token) if !tombstone.access_is_over(self.parts.clock.now()) => token,
            _ => return true,
        };
        let probe = self.probe(service, ready, access_token);
        let said = tokio::time::timeout(PATIENCE, probe).await;
        said == Ok(Probe::Refused)
    }

    /// Writes what a turn has brought. If another turn wrote meanwhile, theirs stands.
    async fn wait(&self, record: &Record<Tombstone>, after: Tombstone) -> Result<Fate, Fault> {
        let now = self.parts.clock.now();
        let next = after.next.unwrap_or(now);
        let tombstones = self.parts.store.tombstones().finishing();
        match tombstones.replace(record, &after).await {
            Ok(_) | Err(WriteError::Conflict) => Ok(Fate::Waits(next)),
            Err(error) => Err(error.into()),
        }
    }

    /// The tokens of a tombstone that no connection of its person holds; none when all are in use.
    async fn not_in_use(&self, tombstone: &Tombstone) -> Result<Option<Tombstone>, Fault> {
        let mut left = tombstone.clone();
        for connection in self
            .connections_to(&tombstone.person, &tombstone.service)
            .await?
        {
            if matches!(connection.value.status, Status::Revoked { .. }) {
                continue;
            }
            let held = self
                .stored_credential(&record_key(&connection.value))
                .await?;
            if let Some(held) = held.ok().flatten() {
                left = left.without_those_of(&held.value);
            }
        }
        Ok((!left.is_empty()).then_some(left))
    }

    /// Whether the account that the tokens are of may be connected again: surely the same one for a connection that was
    /// disconnected; for others any account of this person at the service.
    async fn is_connected_anew(&self, tombstone: &Tombstone) -> Result<bool, Fault> {
        let connections = self
            .connections_to(&tombstone.person, &tombstone.service)
            .await?;
        Ok(connections
            .iter()
            .filter(|record| record.value.is_active())
            .any(|record| match tombstone.reason {
                TombstoneReason::Disconnected => record.value.id == tombstone.connection,
                TombstoneReason::Superseded => true,
            }))
    }

    /// Says of a connection that is being revoked how it ended. One that is not is left as it is.
    pub(super) async fn settle(&self, key: &str, at_provider: AtProvider) -> Result<(), Fault> {
        self.change_connection(key, |connection| connection.settle(at_provider))
            .await
    }
}

/// Why a provider has not confirmed.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    #[error(transparent)]
    Not(RevokeError),
    #[error("no answer came within {} seconds", PATIENCE.as_secs())]
    TooSlow,
}

impl Unanswered {
    /// Whether others would fare the same now.
    fn is_of_the_provider(&self) -> bool {
        match self {
            Self::Not(error) => error.is_temporary(),
            Self::TooSlow => true,
        }
    }
}

fn cannot_be_asked(ready: &Ready) -> bool {
    matches!(ready.oauth.revocation, Revocation::Unsupported { .. })
}

/// How a connection stands whose tombstones have these fates; none: that is open. The worst decides, as soon as it is known.
/// Without any tombstone there was no token left with which the provider could have been told.
fn outcome(fates: &[(Record<Tombstone>, Fate)]) -> Option<AtProvider> {
    let any = |wanted: fn(&Fate) -> bool| fates.iter().any(|(_, fate)| wanted(fate));
    if any(|fate| matches!(fate, Fate::GaveUp)) {
        Some(AtProvider::GaveUp)
    } else if any(|fate| matches!(fate, Fate::Unsupported)) {
        Some(AtProvider::Unsupported)
    } else if any(|fate| matches!(fate, Fate::Waits(_))) {
        None
    } else if any(|fate| matches!(fate, Fate::Dead)) {
        Some(AtProvider::Confirmed)
    } else {
        Some(AtProvider::GaveUp)
    }
}
