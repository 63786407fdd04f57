//! Tombstones: tokens that nothing here uses any more, and that their provider must still take back.
//!
//! Owns the way of a token from the credential into its tombstone, and from there to its proven death. Refuses to know
//! who wanted it revoked, and which page tells of it.
//!
//! What holds at every moment, also when the process is cut off between any two steps:
//!
//! 1. A note `revoke/{person}/{connection}` is due before anything is changed. Whoever follows it asks the records, so a
//!    note without a cause does nothing.
//! 2. A token is in the tombstone before its credential is deleted, by compare and swap on the very credential that was
//!    read. If a renewal got in between, the newer tokens are read and buried as well. So no token that was stored is
//!    ever lost, and none can be used by a call once its connection is revoked.
//! 3. A connection is settled before its tombstones go: one that says "confirmed" had every token of its tombstones
//!    proven dead, by the provider's word and by a call with the access token that was refused, or by its own lifetime.
//! 4. Tokens that a working connection holds are never revoked, not even if an earlier tombstone has the same; and where a
//!    revocation takes the whole grant along, nothing is revoked while the same account is connected anew.
//! 5. A tombstone is kept for 30 days at most.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use data_encoding::HEXLOWER;

use super::credentials::record_key;
use super::fault::ATTEMPTS;
use super::upkeep::Task;
use super::{Fault, Gateway, Ready, Service};
use crate::base::Timestamp;
use crate::catalogue::{RefusalKind, Revocation, RevocationReach};
use crate::connection::{AtProvider, Connection, Credential, Status, Tombstone, TombstoneReason};
use crate::oauth::{self, RevocationOutcome, RevokeError};
use crate::store::{Record, WriteError};
use crate::upstream;

/// How long one step at the provider may take: a person may be waiting for the receipt.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a credential without a working connection is left alone: its connection may be written in this moment.
const GRACE: Duration = Duration::from_mins(1);
/// How long a sign-in has from the token reply until its connection is stored: the account call is in between.
const SIGN_IN: Duration = Duration::from_mins(5);
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
    /// Takes tokens that could not be kept, to have them revoked: those of a renewal whose connection was disconnected or
    /// replaced meanwhile. A disconnected connection waits for them too, and is being revoked again if it was settled.
    pub(super) async fn bury(&self, mut tombstone: Tombstone) -> Result<(), Fault> {
        if tombstone.is_empty() {
            return Ok(());
        }
        let key = format!("{}/{}", tombstone.person, tombstone.connection);
        let connection = self.parts.store.connections().get(&key).await?;
        let is_disconnected = connection.is_some_and(|found| !found.value.status.is_connected());
        if is_disconnected {
            tombstone.reason = TombstoneReason::Disconnected;
        }
        self.note_revocation(&key, self.parts.clock.now()).await?;
        self.create_tombstone(&key, &tombstone).await?;
        self.change_connection(&key, Connection::doubt).await
    }

    /// Buries what `new` is about to replace, as far as it can be revoked without harm to `new`. Must be done before it is
    /// replaced. An access token alone that ends by itself is not worth it.
    pub(super) async fn bury_superseded(
        &self,
        connection: &Connection,
        old: &Credential,
        new: &Credential,
    ) -> Result<(), Fault> {
        let now = self.parts.clock.now();
        let key = record_key(connection);
        // As it is stored, it still says who granted the old one.
        let Some(holder) = self.parts.store.connections().get(&key).await? else {
            return Ok(());
        };
        let tombstone = Tombstone::of(&holder.value, old, TombstoneReason::Superseded, now)
            .without_those_of(new);
        let ends_by_itself =
            tombstone.refresh_token.is_none() && tombstone.access_expires.is_some();
        let is_harmless = match self.ready_for(&tombstone) {
            Ok((_, ready)) => reach(&ready) == RevocationReach::Token,
            Err(NotReady::SetUpAnew) => true,
            Err(NotReady::NotSetUp) => false,
        };
        if tombstone.is_empty() || ends_by_itself || !is_harmless {
            return Ok(());
        }
        self.note_revocation(&key, now + GRACE).await?;
        self.create_tombstone(&key, &tombstone).await
    }

    /// Leaves word that the tombstones and the credential at `key` must be looked at.
    pub(super) async fn note_revocation(&self, key: &str, at: Timestamp) -> Result<(), Fault> {
        let task = Task::Revoke(key.to_owned()).to_string();
        Ok(self.parts.store.note_due(at, &task).await?)
    }

    /// Leaves word about a credential that is about to be stored for `connection`: if it is cut off before the connection
    /// itself is, the credential goes.
    pub(super) async fn note_unfinished(&self, connection: &Connection) -> Result<(), Fault> {
        let later = self.parts.clock.now() + GRACE;
        self.note_revocation(&record_key(connection), later).await
    }

    /// Buries the tokens of a sign-in before it is known whether they can be kept: if it is cut off, or fails, they are
    /// revoked. Returns where.
    pub(super) async fn bury_in_advance(&self, mut tombstone: Tombstone) -> Result<String, Fault> {
        let later = self.parts.clock.now() + SIGN_IN;
        tombstone.next = Some(later);
        let key = format!("{}/{}", tombstone.person, tombstone.connection);
        self.note_revocation(&key, later).await?;
        self.create_tombstone(&key, &tombstone).await?;
        Ok(key)
    }

    /// The tokens that were buried in advance are in use now.
    pub(super) async fn exhume(&self, key: &str) -> Result<(), Fault> {
        for tombstone in self.tombstones_at(key).await? {
            match self.parts.store.tombstones().delete(&tombstone).await {
                Ok(()) | Err(WriteError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Moves the credential of a connection into a tombstone, and whatever a renewal puts in its place meanwhile.
    pub(super) async fn bury_credential(
        &self,
        connection: &Connection,
        reason: TombstoneReason,
    ) -> Result<(), Fault> {
        let credentials = self.parts.store.credentials();
        let mut buried: Option<Credential> = None;
        for _ in 0..ATTEMPTS {
            let Some(record) = self.credential(connection).await? else {
                return Ok(());
            };
            let now = self.parts.clock.now();
            let mut tombstone = Tombstone::of(connection, &record.value, reason, now);
            if let Some(buried) = &buried {
                tombstone = tombstone.without_those_of(buried);
            }
            if !tombstone.is_empty() {
                self.create_tombstone(&record_key(connection), &tombstone)
                    .await?;
            }
            match credentials.delete(&record).await {
                Ok(()) => return Ok(()),
                Err(WriteError::Conflict) => buried = Some(record.value),
                Err(error) => return Err(error.into()),
            }
        }
        Err(Fault::Contention)
    }

    /// The tombstones of one connection, or of one person.
    pub(super) async fn tombstones_at(&self, key: &str) -> Result<Vec<Record<Tombstone>>, Fault> {
        let tombstones = self.parts.store.tombstones();
        let listed = tombstones.list(&format!("{key}/"), usize::MAX).await?;
        Ok(listed.whole()?)
    }

    /// Goes on with what was begun for the connection at `key`, from whatever state it is in.
    pub(super) async fn go_on_revoking(&self, key: &str, asking: Asking) -> Result<(), Fault> {
        self.bury_left_over(key).await?;
        self.lay_to_rest(key, asking).await
    }

    /// Buries a credential that no working connection holds. One that was made after its connection was disconnected may
    /// be of a new sign-in, whose connection is written next: that is looked at again later.
    pub(super) async fn bury_left_over(&self, key: &str) -> Result<(), Fault> {
        let Some(credential) = self.parts.store.credentials().get(key).await? else {
            return Ok(());
        };
        let connection = self.parts.store.connections().get(key).await?;
        let connection = connection.map(|record| record.value);
        let ended = connection.as_ref().map(|connection| connection.since);
        let may_be_new = ended.is_none_or(|ended| credential.value.obtained >= ended);
        let grace = credential.value.obtained + GRACE;
        match connection {
            Some(connection) if !matches!(connection.status, Status::Revoked { .. }) => Ok(()),
            _ if may_be_new && grace > self.parts.clock.now() => {
                self.note_revocation(key, grace).await
            }
            Some(connection) => {
                let reason = if connection.status.is_being_revoked() {
                    TombstoneReason::Disconnected
                } else {
                    TombstoneReason::Superseded
                };
                self.bury_credential(&connection, reason).await
            }
            None => self.forget_orphan(key, &credential).await,
        }
    }

    /// A credential whose connection was never written, or is gone: its tokens are in a tombstone already
    /// ([`Gateway::bury_in_advance`]), which knows whom they came from.
    async fn forget_orphan(&self, key: &str, record: &Record<Credential>) -> Result<(), Fault> {
        tracing::warn!(key, "a credential without a connection is deleted");
        match self.parts.store.credentials().delete(record).await {
            Ok(()) | Err(WriteError::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Has the tombstones at `key` revoked, as far as it is their turn, and settles their connection once all are.
    pub(super) async fn lay_to_rest(&self, key: &str, asking: Asking) -> Result<(), Fault> {
        let mut done = Vec::new();
        let mut next: Option<Timestamp> = None;
        for tombstone in self.tombstones_at(key).await? {
            match self.decide(&tombstone, asking).await? {
                Fate::Waits(until) => next = Some(next.map_or(until, |known| known.min(until))),
                fate => done.push((tombstone, fate)),
            }
        }
        if let Some(next) = next {
            self.note_revocation(key, next).await?;
        } else if self.parts.store.credentials().get(key).await?.is_none() {
            let at_provider = outcome(done.iter().map(|(_, fate)| fate));
            self.settle(key, at_provider).await?;
        }
        for (tombstone, _) in done {
            match self.parts.store.tombstones().delete(&tombstone).await {
                // Another turn at the same tombstone has changed or removed it.
                Ok(()) | Err(WriteError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if next.is_none() && !self.tombstones_at(key).await?.is_empty() {
            // One came while the others were seen off.
            self.note_revocation(key, self.parts.clock.now()).await?;
            self.change_connection(key, Connection::doubt).await?;
        }
        Ok(())
    }

    /// One turn at one tombstone.
    async fn decide(&self, record: &Record<Tombstone>, asking: Asking) -> Result<Fate, Fault> {
        let now = self.parts.clock.now();
        let Some(tombstone) = self.not_in_use(&record.value).await? else {
            return Ok(Fate::InUse);
        };
        let ready = self.ready_for(&tombstone);
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
        if self.is_dead(service, ready, &tombstone).await? {
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
    async fn is_dead(
        &self,
        service: &Service,
        ready: &Ready,
        tombstone: &Tombstone,
    ) -> Result<bool, Fault> {
        let access_token = match &tombstone.access_token {
            Some(token) if !tombstone.access_is_over(self.parts.clock.now()) => token,
            _ => return Ok(true),
        };
        let request = service
            .provider
            .account_request(&ready.variables)
            .map_err(|error| Fault::Catalogue(error.to_string()))?;
        let call = upstream::send(&self.parts.egress, request, access_token);
        let Ok(Ok(response)) = tokio::time::timeout(PATIENCE, call).await else {
            return Ok(false);
        };
        let refusal = service.provider.read_account(&response).err();
        Ok(refusal.is_some_and(|refusal| refusal.kind == RefusalKind::TokenInvalid))
    }

    /// Writes what a turn has brought. If another turn wrote meanwhile, theirs stands.
    async fn wait(&self, record: &Record<Tombstone>, after: Tombstone) -> Result<Fate, Fault> {
        let now = self.parts.clock.now();
        let next = after.next.unwrap_or(now);
        match self.parts.store.tombstones().replace(record, &after).await {
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
            if let Some(held) = self.credential(&connection.value).await? {
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

    /// How to reach the provider that must take these tokens back, if it is still set up as it was.
    pub(super) fn ready_for(
        &self,
        tombstone: &Tombstone,
    ) -> Result<(Service, Arc<Ready>), NotReady> {
        let services = self.services();
        let service = services
            .find(&tombstone.service)
            .ok_or(NotReady::NotSetUp)?;
        let ready = service.ready().ok_or(NotReady::NotSetUp)?;
        if ready.authority() == tombstone.granted_by {
            Ok((service.clone(), Arc::clone(ready)))
        } else {
            Err(NotReady::SetUpAnew)
        }
    }

    /// Says of a connection that is being revoked how it ended. One that is not is left as it is.
    async fn settle(&self, key: &str, at_provider: AtProvider) -> Result<(), Fault> {
        self.change_connection(key, |connection| connection.settle(at_provider))
            .await
    }

    /// Changes the status of the connection at `key`, if there is one and the change is legal.
    async fn change_connection<E>(
        &self,
        key: &str,
        change: impl Fn(Connection) -> Result<Connection, E>,
    ) -> Result<(), Fault> {
        let connections = self.parts.store.connections();
        for _ in 0..ATTEMPTS {
            let Some(record) = connections.get(key).await? else {
                return Ok(());
            };
            let Ok(changed) = change(record.value.clone()) else {
                return Ok(());
            };
            match connections.replace(&record, &changed).await {
                Ok(_) => return Ok(()),
                Err(WriteError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Fault::Contention)
    }

    async fn create_tombstone(&self, key: &str, tombstone: &Tombstone) -> Result<(), Fault> {
        let number = HEXLOWER.encode(&self.parts.random.bytes::<16>());
        let tombstones = self.parts.store.tombstones();
        tombstones
            .create(&format!("{key}/{number}"), tombstone)
            .await?;
        Ok(())
    }
}

/// Why a provider cannot be asked at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotReady {
    /// The service is not offered or not set up any more.
    NotSetUp,
    /// It is set up with another registration than the one that the tokens were given to.
    SetUpAnew,
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

fn reach(ready: &Ready) -> RevocationReach {
    match &ready.oauth.revocation {
        Revocation::Request(request) => request.reach,
        Revocation::Unsupported { .. } => RevocationReach::default(),
    }
}

/// How a connection stands whose tombstones have all come to an end: as the one that ended worst. Without any there was no
/// token left with which the provider could have been told.
fn outcome<'a>(mut fates: impl Iterator<Item = &'a Fate> + Clone) -> AtProvider {
    let mut all = fates.clone();
    if all.clone().any(|fate| matches!(fate, Fate::GaveUp)) {
        AtProvider::GaveUp
    } else if all.any(|fate| matches!(fate, Fate::Unsupported)) {
        AtProvider::Unsupported
    } else if fates.any(|fate| matches!(fate, Fate::Dead)) {
        AtProvider::Confirmed
    } else {
        AtProvider::GaveUp
    }
}
