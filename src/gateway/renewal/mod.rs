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
mod learned_end;
mod look_back;
mod pauses;
mod receipts;
mod request;
mod schedule;
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
use self::request::Unsaved;
pub(in crate::gateway) use self::verdict::Verdict;
use super::fault::{ATTEMPTS, takes_no_writes};
use super::{Fault, Gateway, Ready, Service};
use crate::base::{Random, Secret};
use crate::connection::{Connection, Credential, ExpiredReason, KEEP_ALIVE, Status};
use crate::store::{Record, WriteError};

/// How many token requests are under way at once, over all connections.
const REQUESTS_AT_ONCE: usize = 32;
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

    /// The generation of the credential at `key` that could not be stored yet.
    pub(super) fn unsaved_generation(&self, key: &str) -> Option<u64> {
        self.unsaved()
            .get(key)
            .map(|unsaved| unsaved.next.generation)
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
            match gateway.renew(&key, &stale).await {
                Ok(_) => {}
                // Every call looks again, and this would fill the log of a disk that is full.
                Err(fault) if fault.is_full_disk() => {
                    tracing::debug!(%fault, "a credential is not renewed ahead of time");
                }
                Err(fault) => {
                    tracing::error!(%fault, "a credential could not be renewed ahead of time");
                }
            }
        });
    }

    /// Begins no more renewals, and waits for those under way: a token that was asked for is kept before the store closes.
    pub async fn drain(&self) {
        self.parts.renewals.flights.drain().await;
        self.store_all_unsaved().await;
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
        if let Some(kept) = self.keep_what_was_not_kept(key, stale).await? {
            return Ok(kept);
        }
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
        let damaged = || Ok(Err(Outcome::Ended(ExpiredReason::Damaged)));
        let Ok(credential) = self.stored_credential(key).await? else {
            return damaged();
        };
        let Some(credential) = credential else {
            return Ok(Err(Outcome::Gone));
        };
        if credential.value.generation > stale.generation {
            return Ok(Err(Outcome::Newer(Arc::new(credential.value))));
        }
        let Ok(connection) = self.set_apart(store.connections().get(key).await)? else {
            return damaged();
        };
        let Some(connection) = connection else {
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
        let granted_by = &connection.value.granted_by;
        let granting = self
            .services()
            .granting(&connection.value.service, granted_by);
        let Ok((service, ready)) = granting else {
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

    /// Takes a rest where the outcome is to wait, so that the calls meanwhile do not find out the same again.
    fn rest(&self, key: &str, outcome: Outcome) -> Outcome {
        if let Outcome::NotNow { wait } = outcome {
            let now = self.parts.clock.monotonic();
            self.parts.renewals.pauses.rest(key, wait, now);
        }
        outcome
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
        let Ok(current) = self.stored_credential(key).await? else {
            return Ok(false);
        };
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
                Err(WriteError::Store(error)) if takes_no_writes(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.forget_renewals(key);
        Ok(true)
    }
}
