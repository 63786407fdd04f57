//! Renewing a credential: the one place where a refresh token is sent.
//!
//! Announce, ask, keep: the intent is durable before the token endpoint hears of it, and its answer is durable before
//! anybody uses the new token. What holds at every moment, whatever is cut off where:
//!
//! 1. One request for a credential is under way at a time; who comes meanwhile waits for its outcome and reads again.
//! 2. A single-use refresh token is sent at most twice without an answer, and the second time is written into the intent
//!    before it happens. Before a replay the old access token is tried, where that tells something.
//! 3. The write of a new credential names the one that it replaces. One that comes too late is not kept, and what it
//!    would have written goes to a tombstone: a token that was received is never just dropped.
//! 4. Only a refused grant ends a connection, and only the credential that was refused: a newer one stands.
//! 5. The task of a renewal belongs to nobody who waits for it: a caller that goes away stops nothing.

mod flights;
mod pauses;
mod receipts;
mod verdict;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use data_encoding::HEXLOWER;
use tokio::sync::Semaphore;
use url::Url;

use self::flights::Flights;
use self::pauses::Pauses;
use self::receipts::Receipts;
pub(in crate::gateway) use self::verdict::Verdict;
use super::fault::ATTEMPTS;
use super::upkeep::Task;
use super::{Fault, Gateway, Ready, Service};
use crate::base::{Random, Secret, Timestamp};
use crate::catalogue::RefusalKind;
use crate::connection::{
    Connection, Credential, ExpiredReason, KEEP_ALIVE, Status, Tombstone, TombstoneReason,
};
use crate::oauth::{self, RefreshRequest};
use crate::store::{Record, WriteError};
use crate::upstream;

/// How many token requests are under way at once, over all connections.
const REQUESTS_AT_ONCE: usize = 32;
/// How long after a refusal of a brand-new token the next renewal may be tried: some providers issue the same token
/// twice within a second.
const SAME_SECOND: Duration = Duration::from_secs(1);
/// A connection that broke sooner than this broke by itself; later, somebody hung.
const QUICK: Duration = Duration::from_secs(10);
/// How long to wait when a provider could not be asked whether an old access token still works.
const PROBE_AGAIN: Duration = Duration::from_secs(5);

/// What renewing needs to remember in this process.
pub(super) struct Renewals {
    flights: Flights<Result<Outcome, Fault>>,
    pauses: Pauses,
    receipts: Receipts,
    requests: Semaphore,
    /// Tokens that were received and that the store could not take.
    unsaved: Mutex<HashMap<String, Unsaved>>,
    /// The name of this process in intents.
    holder: String,
}

/// What came of a renewal.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// There is a newer credential.
    Newer(Arc<Credential>),
    /// The connection has ended.
    Ended(ExpiredReason),
    /// Not now; the credential stays as it is.
    NotNow {
        /// When it makes sense to ask again.
        wait: Duration,
    },
    /// It was granted to another registration than the one that is set up now, which cannot renew it.
    OtherAuthority,
    /// The connection has no credential any more.
    Gone,
}

/// Which credential is not good enough any more.
#[derive(Clone, Debug)]
pub(super) struct Stale {
    generation: u64,
    /// The access token that the provider refused, when that is why.
    refused: Option<Secret>,
}

impl Stale {
    /// Its time is nearly over.
    pub(super) fn old(credential: &Credential) -> Self {
        Self {
            generation: credential.generation,
            refused: None,
        }
    }

    /// The provider refused its access token.
    pub(super) fn refused(generation: u64, access_token: &Secret) -> Self {
        Self {
            generation,
            refused: Some(access_token.clone()),
        }
    }
}

/// A new credential that is not stored yet, and what it takes the place of.
struct Unsaved {
    connection: Connection,
    announced: Record<Credential>,
    next: Credential,
}

/// A credential whose renewal is possible: everything that the token request needs.
struct Renewable {
    connection: Record<Connection>,
    credential: Record<Credential>,
    service: Service,
    ready: Arc<Ready>,
    refresh_token: Secret,
    redirect_uri: Url,
}

/// What a step found: go on with something, or stop with an outcome.
type Step<T> = Result<Result<T, Outcome>, Fault>;

impl Renewals {
    pub(super) fn new(random: &Random) -> Self {
        Self {
            flights: Flights::new(),
            pauses: Pauses::default(),
            receipts: Receipts::default(),
            requests: Semaphore::new(REQUESTS_AT_ONCE),
            unsaved: Mutex::default(),
            holder: HEXLOWER.encode(&random.bytes::<8>()),
        }
    }

    fn unsaved(&self) -> MutexGuard<'_, HashMap<String, Unsaved>> {
        self.unsaved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gateway {
    /// A credential at `key` that is newer than `stale`, renewed if need be. Of all who ask at once one asks the provider.
    pub(super) async fn renew(&self, key: &str, stale: &Stale) -> Result<Outcome, Fault> {
        loop {
            let flight = self.parts.renewals.flights.join(key, || {
                let (gateway, key, stale) = (self.clone(), key.to_owned(), stale.clone());
                async move { gateway.fly(&key, &stale).await }
            });
            let Some(outcome) = flight.await else {
                let wait = PROBE_AGAIN;
                return Ok(Outcome::NotNow { wait });
            };
            match outcome? {
                // Another's renewal was under way, of a credential before ours.
                Outcome::Newer(found) if found.generation <= stale.generation => {}
                outcome => return Ok(outcome),
            }
        }
    }

    /// Begins to renew without waiting for it.
    pub(super) fn renew_in_background(&self, key: &str, stale: Stale) {
        let (gateway, key) = (self.clone(), key.to_owned());
        self.parts.renewals.flights.spawn(async move {
            if let Err(fault) = gateway.renew(&key, &stale).await {
                tracing::error!(%fault, "a credential could not be renewed ahead of time");
            }
        });
    }

    /// Begins no more renewals, and waits for those under way: a token that was asked for is kept before the store closes.
    pub async fn drain(&self) {
        self.parts.renewals.flights.drain().await;
    }

    /// How long the access token still works: by the monotonic clock if this process received it, else by the wall clock.
    /// None: nobody knows.
    pub(super) fn remaining(&self, key: &str, credential: &Credential) -> Option<Duration> {
        let received = self.parts.renewals.receipts.remaining(
            key,
            credential.generation,
            self.parts.clock.monotonic(),
        );
        received.or_else(|| credential.remaining(self.parts.clock.now()))
    }

    /// Notes that this process has just received `credential`.
    pub(super) fn note_receipt(&self, key: &str, credential: &Credential) {
        if let Some(lifetime) = credential.lifetime() {
            let ends = self.parts.clock.monotonic() + lifetime;
            self.parts
                .renewals
                .receipts
                .note(key, credential.generation, ends);
        }
    }

    /// Notes that the access token of this generation is over, whatever its lifetime says: the provider refused it.
    pub(super) fn note_end(&self, key: &str, generation: u64) {
        let now = self.parts.clock.monotonic();
        self.parts.renewals.receipts.note(key, generation, now);
    }

    /// The connection at `key` is gone, or begins anew.
    pub(super) fn forget_renewals(&self, key: &str) {
        self.parts.renewals.pauses.forget(key);
        self.parts.renewals.receipts.forget(key);
    }

    /// One flight: reads, announces, asks, keeps; again when someone else wrote meanwhile, and once more after a lost
    /// answer where a replay is allowed.
    async fn fly(&self, key: &str, stale: &Stale) -> Result<Outcome, Fault> {
        self.keep_what_was_not_kept(key).await?;
        for _ in 0..ATTEMPTS {
            let renewable = match self.renewable(key, stale).await? {
                Ok(renewable) => renewable,
                Err(outcome) => return Ok(outcome),
            };
            let renewable = match self.look_back(key, renewable).await? {
                Ok(renewable) => renewable,
                Err(outcome) => return Ok(self.rest(key, outcome)),
            };
            let Some(announced) = self.announce(key, &renewable, stale).await? else {
                continue;
            };
            let announced = match announced {
                Ok(announced) => announced,
                Err(outcome) => return Ok(self.rest(key, outcome)),
            };
            if let Some(outcome) = self.request(key, &renewable, announced, stale).await? {
                return Ok(outcome);
            }
        }
        Err(Fault::Contention)
    }

    /// Stores a token that was received when the store could not take it.
    async fn keep_what_was_not_kept(&self, key: &str) -> Result<(), Fault> {
        let unsaved = self.parts.renewals.unsaved().remove(key);
        if let Some(Unsaved {
            connection,
            announced,
            next,
        }) = unsaved
        {
            self.keep_renewed(key, connection, announced, next).await?;
        }
        Ok(())
    }

    /// A connection that nothing can renew lives as long as its access token does.
    async fn not_renewable(
        &self,
        key: &str,
        connection: Record<Connection>,
        credential: &Record<Credential>,
        stale: &Stale,
    ) -> Result<Outcome, Fault> {
        let reason = match (&stale.refused, self.remaining(key, &credential.value)) {
            (Some(_), _) => ExpiredReason::RefusedByProvider,
            (None, Some(left)) if left.is_zero() => ExpiredReason::RefreshTokenMissing,
            (None, left) => {
                let wait = left.unwrap_or(KEEP_ALIVE);
                return Ok(Outcome::NotNow { wait });
            }
        };
        self.end(key, connection, credential, reason).await?;
        Ok(Outcome::Ended(reason))
    }

    /// Reads everything anew, and sees whether a request makes sense at all.
    async fn renewable(&self, key: &str, stale: &Stale) -> Step<Renewable> {
        let store = &self.parts.store;
        let Some(credential) = store.credentials().get(key).await? else {
            return Ok(Err(Outcome::Gone));
        };
        if credential.value.generation > stale.generation {
            return Ok(Err(Outcome::Newer(Arc::new(credential.value))));
        }
        let Some(connection) = store.connections().get(key).await? else {
            return Ok(Err(Outcome::Gone));
        };
        match connection.value.status {
            Status::Active => {}
            Status::Expired { reason } => return Ok(Err(Outcome::Ended(reason))),
            Status::Revoked { .. } => return Ok(Err(Outcome::Gone)),
        }
        let Some(refresh_token) = credential.value.refresh_token.clone() else {
            let outcome = self.not_renewable(key, connection, &credential, stale);
            return outcome.await.map(Err);
        };
        let Some((service, ready)) = self.authority_of(&connection.value) else {
            return Ok(Err(Outcome::OtherAuthority));
        };
        if !ready.oauth.refresh.supported {
            let outcome = self.not_renewable(key, connection, &credential, stale);
            return outcome.await.map(Err);
        }
        let endpoint = ready.oauth.token.url.as_str();
        let now = self.parts.clock.monotonic();
        let (pauses, urgent) = (&self.parts.renewals.pauses, stale.refused.is_some());
        if let Some(wait) = pauses.left(key, endpoint, urgent, now) {
            return Ok(Err(Outcome::NotNow { wait }));
        }
        let redirect_uri = self.redirect_uri(&service)?;
        Ok(Ok(Renewable {
            connection,
            credential,
            service,
            ready,
            refresh_token,
            redirect_uri,
        }))
    }

    /// The service of a connection as it is set up now, if that is who granted the connection.
    pub(super) fn authority_of(&self, connection: &Connection) -> Option<(Service, Arc<Ready>)> {
        let services = self.services();
        let service = services.find(&connection.service)?;
        let ready = service
            .ready()
            .filter(|ready| ready.authority() == connection.granted_by)?;
        Some((service.clone(), Arc::clone(ready)))
    }

    /// Looks after a request that was announced and never answered, of this process or of one that is gone: whether the
    /// old access token still works tells whether the provider acted, and whether there is any hurry.
    async fn look_back(&self, key: &str, renewable: Renewable) -> Step<Renewable> {
        let credential = &renewable.credential.value;
        let Some(intent) = credential
            .intent
            .as_ref()
            .filter(|intent| intent.unanswered > 0)
        else {
            return Ok(Ok(renewable));
        };
        let rules = &renewable.ready.oauth.refresh;
        let left = self.remaining(key, credential);
        if !rules.single_use || left.is_some_and(|left| left.is_zero()) {
            return Ok(Ok(renewable));
        }
        let access_token = &credential.access_token;
        match self
            .probe(&renewable.service, &renewable.ready, access_token)
            .await
        {
            Probe::Works if rules.ends_access_token => {
                // It would be dead if the provider had acted.
                let untouched = credential.untouched();
                let credentials = self.parts.store.credentials();
                let written = credentials.replace(&renewable.credential, &untouched).await;
                match written {
                    Ok(credential) => Ok(Ok(Renewable {
                        credential,
                        ..renewable
                    })),
                    Err(WriteError::Conflict) => Ok(Err(Outcome::NotNow { wait: PROBE_AGAIN })),
                    Err(error) => Err(error.into()),
                }
            }
            Probe::Works => {
                let now = self.parts.clock.now();
                let in_grace = rules
                    .reuse_grace
                    .is_some_and(|grace| now < intent.since + grace);
                let reserve = credential.reserve();
                // A provider that watches for reuse may end everything at a replay: it waits as long as it can.
                match left.map(|left| left.saturating_sub(reserve)) {
                    Some(wait) if !in_grace && !wait.is_zero() => Ok(Err(Outcome::NotNow { wait })),
                    None if !in_grace => Ok(Err(Outcome::NotNow { wait: KEEP_ALIVE })),
                    _ => Ok(Ok(renewable)),
                }
            }
            Probe::Refused => Ok(Ok(renewable)),
            Probe::Unknown => Ok(Err(Outcome::NotNow { wait: PROBE_AGAIN })),
        }
    }

    /// Writes the intent. None when someone else wrote meanwhile.
    async fn announce(
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
            Err(error) => Err(error.into()),
        }
    }

    /// The refresh token must not be sent again: what is left is the access token, for as long as it works.
    async fn exhausted(
        &self,
        key: &str,
        renewable: &Renewable,
        stale: &Stale,
    ) -> Result<Outcome, Fault> {
        let left = self.remaining(key, &renewable.credential.value);
        match left {
            left if stale.refused.is_some() || left == Some(Duration::ZERO) => {
                let reason = ExpiredReason::InterruptedRefresh;
                let connection = self.parts.store.connections().get(key).await?;
                if let Some(connection) = connection {
                    self.end(key, connection, &renewable.credential, reason)
                        .await?;
                }
                Ok(Outcome::Ended(reason))
            }
            left => {
                let wait = left.unwrap_or(KEEP_ALIVE);
                Ok(Outcome::NotNow { wait })
            }
        }
    }

    /// Sends the announced request, and does what its answer means. None: look again.
    async fn request(
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
                let connection = renewable.connection.value.clone();
                let outcome = self.keep_renewed(key, connection, announced, next).await?;
                if let (Outcome::Newer(_), Some(granted)) = (&outcome, granted) {
                    self.note_granted(key, &granted).await?;
                }
                Ok(Some(self.beware_of_the_same(key, outcome, stale)))
            }
            Verdict::Ended(reason) => {
                self.parts.renewals.pauses.worked(key, endpoint);
                let connection = self.parts.store.connections().get(key).await?;
                let Some(connection) = connection else {
                    return Ok(Some(Outcome::Gone));
                };
                let ended = self.end(key, connection, &announced, reason).await?;
                // Someone else wrote meanwhile: the next look finds out what.
                Ok(ended.then_some(Outcome::Ended(reason)))
            }
            Verdict::Later { unclear, wait } => {
                let answered = announced.value.answered(unclear);
                let credentials = self.parts.store.credentials();
                match credentials.replace(&announced, &answered).await {
                    Ok(_) | Err(WriteError::Conflict) => {}
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

    /// Takes a rest where the outcome is to wait, so that the calls meanwhile do not find out the same again.
    fn rest(&self, key: &str, outcome: Outcome) -> Outcome {
        if let Outcome::NotNow { wait } = outcome {
            let now = self.parts.clock.monotonic();
            self.parts.renewals.pauses.rest(key, wait, now);
        }
        outcome
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
        self.parts.store.note_due(again, &task).await?;
        Ok(Outcome::NotNow { wait })
    }

    /// Makes the new credential durable in the place of the announced one. If another stands there, that one is newer, and
    /// what was received here is taken back at the provider.
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
            .replace(&announced, &next)
            .await
        {
            Ok(_) => {
                self.note_receipt(key, &next);
                tracing::debug!(connection = %connection.id, "renewed");
                Ok(Outcome::Newer(Arc::new(next)))
            }
            Err(WriteError::Conflict) => {
                let current = self.parts.store.credentials().get(key).await?;
                let is_kept = current
                    .as_ref()
                    .is_some_and(|now| now.value.access_token == next.access_token);
                if !is_kept {
                    let reason = match current {
                        Some(_) => TombstoneReason::Superseded,
                        None => TombstoneReason::Disconnected,
                    };
                    let now = self.parts.clock.now();
                    let late = Tombstone::of(&connection, &next, reason, now);
                    self.bury(late).await?;
                }
                Ok(match current {
                    Some(current) => Outcome::Newer(Arc::new(current.value)),
                    None => Outcome::Gone,
                })
            }
            Err(WriteError::Store(error)) => {
                tracing::error!(connection = %connection.id, %error, "a new token could not be stored; it is tried again");
                let unsaved = Unsaved {
                    connection,
                    announced,
                    next,
                };
                self.parts
                    .renewals
                    .unsaved()
                    .insert(key.to_owned(), unsaved);
                Err(error.into())
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

    /// Ends the connection if `credential` is still the one that stands. Answers whether it did.
    async fn end(
        &self,
        key: &str,
        connection: Record<Connection>,
        credential: &Record<Credential>,
        reason: ExpiredReason,
    ) -> Result<bool, Fault> {
        let credentials = self.parts.store.credentials();
        let current = credentials.get(key).await?;
        let stands = current.is_some_and(|now| {
            now.value.generation == credential.value.generation
                && now.value.intent == credential.value.intent
        });
        if !stands {
            return Ok(false);
        }
        self.expire(connection, reason).await?;
        if credential.value.intent.is_some() {
            // Harmless when it fails: an expired connection is never renewed.
            let settled = credential.value.untouched();
            match credentials.replace(credential, &settled).await {
                Ok(_) | Err(WriteError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.forget_renewals(key);
        Ok(true)
    }

    /// Asks the provider's account call whether an access token still works.
    async fn probe(&self, service: &Service, ready: &Ready, access_token: &Secret) -> Probe {
        let Ok(request) = service.provider.account_request(&ready.variables) else {
            return Probe::Unknown;
        };
        match upstream::send(&self.parts.egress, request, access_token).await {
            Ok(response) => match service.provider.read_account(&response) {
                Ok(_) => Probe::Works,
                Err(refusal) if refusal.kind == RefusalKind::TokenInvalid => Probe::Refused,
                Err(_) => Probe::Unknown,
            },
            Err(_) => Probe::Unknown,
        }
    }

    /// Leaves word when `credential` has to be renewed ahead of time. Written before the credential is.
    pub(super) async fn note_next_renewal(
        &self,
        key: &str,
        credential: &Credential,
    ) -> Result<(), Fault> {
        if credential.refresh_token.is_none() {
            return Ok(());
        }
        let Some(lifetime) = credential.lifetime() else {
            return Ok(());
        };
        // Those that were renewed together do not come back together.
        let [chance] = self.parts.random.bytes();
        let early = credential.margin() + credential.margin() * u32::from(chance) / (2 * 256);
        let at = credential.obtained + lifetime.saturating_sub(early);
        let task = Task::Renew(key.to_owned()).to_string();
        Ok(self.parts.store.note_due(at, &task).await?)
    }

    /// Renews the credential at `key` if its time has come: shortly before its end while the connection is in use, once
    /// a day otherwise.
    pub(super) async fn renew_if_due(&self, key: &str) -> Result<(), Fault> {
        let store = &self.parts.store;
        let (Some(connection), Some(credential)) = (
            store.connections().get(key).await?,
            store.credentials().get(key).await?,
        ) else {
            return Ok(());
        };
        let credential = credential.value;
        if !connection.value.is_active() || credential.refresh_token.is_none() {
            return Ok(());
        }
        let Some(left) = self.remaining(key, &credential) else {
            return Ok(());
        };
        // Notes are kept by the minute, so the one for now may come a minute early.
        let soon = credential.margin() * 3 / 2 + Duration::from_mins(1);
        if left > soon {
            // A note of an older credential; this one has its own.
            return Ok(());
        }
        let now = self.parts.clock.now();
        let keep_alive = self.keep_alive(&connection.value, &credential);
        if now < keep_alive && !self.was_used_lately(&connection.value, now).await? {
            let task = Task::Renew(key.to_owned()).to_string();
            return Ok(store.note_due(keep_alive, &task).await?);
        }
        if let Outcome::NotNow { wait } = self.renew(key, &Stale::old(&credential)).await? {
            let task = Task::Renew(key.to_owned()).to_string();
            store.note_due(now + wait, &task).await?;
        }
        Ok(())
    }

    /// When a connection that nobody uses is renewed all the same, so that its refresh token does not die of disuse.
    fn keep_alive(&self, connection: &Connection, credential: &Credential) -> Timestamp {
        let idle = self
            .authority_of(connection)
            .and_then(|(_, ready)| ready.oauth.refresh.idle_ttl);
        let every = idle.map_or(KEEP_ALIVE, |idle| (idle / 3).min(KEEP_ALIVE));
        credential.obtained + every
    }
}

/// Whether an access token works.
enum Probe {
    Works,
    Refused,
    /// The provider could not be asked, or answered something else.
    Unknown,
}
