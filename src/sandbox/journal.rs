//! What the Sandbox has seen: counts for whoever judges a client by them, and the latest requests in order.
//!
//! In memory alone. Holds no token: a refresh token is told from others by its digest.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Request, State as Extract};
use axum::middleware::Next;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::digest::Digest;
use super::orders::Lost;
use super::server::Service;
use crate::base::Timestamp;

/// How many requests are remembered.
const REMEMBERED: usize = 1_000;

/// How many refresh tokens are told apart. The oldest are forgotten together; a test that needs more is none.
const TOLD_APART: usize = 100_000;

/// Counts since the Sandbox started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Requests that reached the token endpoint.
    pub token_requests: u64,
    /// Of these, the ones with a refresh token.
    pub refresh_requests: u64,
    /// Access tokens that were handed out for a refresh token.
    pub refreshed: u64,
    /// Requests with a refresh token that had been exchanged before. Each took its grant back.
    pub reuses: u64,
    /// Requests with a refresh token that had been sent before, whatever was answered.
    pub sent_again: u64,
    /// How often one and the same refresh token was sent, at most.
    pub most_sent: u32,
    /// Codes that were redeemed.
    pub redeemed: u64,
    /// Requests that reached the revocation endpoint.
    pub revocation_requests: u64,
    /// Grants that ended by them.
    pub revoked: u64,
}

/// One request, as the Sandbox saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Counts the requests since the Sandbox started, from 1.
    pub number: u64,
    /// When its answer was ready.
    pub at: Timestamp,
    /// Method and path, and for a token request what was exchanged.
    pub request: String,
    /// The status of the answer; none: the answer was lost.
    pub status: Option<u16>,
}

/// What a request asked for, where its path does not say: an extension of the response.
#[derive(Clone, Copy)]
pub(super) struct Asked(pub(super) &'static str);

/// The journal.
#[derive(Debug)]
pub(super) struct Journal {
    counters: watch::Sender<Counters>,
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    seen: VecDeque<Seen>,
    last: u64,
    sent: BTreeMap<Digest, u32>,
}

impl Journal {
    /// An empty one.
    pub(super) fn new() -> Self {
        Self {
            counters: watch::Sender::new(Counters::default()),
            pages: Mutex::default(),
        }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counts, now and whenever they change.
    pub(super) fn watch(&self) -> watch::Receiver<Counters> {
        self.counters.subscribe()
    }

    /// The latest requests, oldest first.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.pages().seen.iter().cloned().collect()
    }

    /// Counts.
    pub(super) fn count(&self, change: impl FnOnce(&mut Counters)) {
        self.counters.send_modify(change);
    }

    /// Counts a token request before it is worked on, with the digest of its refresh token if it has one.
    pub(super) fn token_request(&self, refresh: Option<Digest>) {
        let times = refresh.map(|key| {
            let mut pages = self.pages();
            if pages.sent.len() >= TOLD_APART {
                pages.sent.clear();
            }
            let times = pages.sent.entry(key).or_default();
            *times = times.saturating_add(1);
            *times
        });
        self.count(|counters| {
            counters.token_requests += 1;
            if let Some(times) = times {
                counters.refresh_requests += 1;
                counters.sent_again += u64::from(times > 1);
                counters.most_sent = counters.most_sent.max(times);
            }
        });
    }

    fn note(&self, at: Timestamp, request: String, status: Option<u16>) {
        let mut pages = self.pages();
        pages.last += 1;
        if pages.seen.len() >= REMEMBERED {
            pages.seen.pop_front();
        }
        let number = pages.last;
        pages.seen.push_back(Seen {
            number,
            at,
            request,
            status,
        });
    }
}

/// Notes every request of a client; those of browsers and of whoever gives orders are nobody's business.
pub(super) async fn keep(
    Extract(service): Extract<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let is_clients =
        path.starts_with("/api/") || ["/token", "/revoke", "/introspect"].contains(&path);
    let line = is_clients.then(|| format!("{} {path}", request.method()));
    let response = next.run(request).await;
    if let Some(line) = line {
        let line = match response.extensions().get::<Asked>() {
            Some(Asked(what)) => format!("{line} ({what})"),
            None => line,
        };
        let lost = response.extensions().get::<Lost>().is_some();
        let status = (!lost).then(|| response.status().as_u16());
        service.journal.note(service.clock.now(), line, status);
    }
    response
}
