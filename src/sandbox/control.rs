//! Who may give orders to the Sandbox, and reads what it has seen: its own process, and whoever has the secret that it
//! told at its start.
//!
//! Never a web page: the secret travels in a header of its own, which no form can send; no cross-origin request is
//! allowed, since nothing here answers a preflight; and a request that a browser marks as its own is refused even with
//! the secret.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State as Extract;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use http::header::{HeaderName, ORIGIN};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use tokio::sync::watch;

use super::journal::{Counters, Seen};
use super::orders::{InForce, Order, Whose};
use super::persistence::SaveError;
use super::server::Service;
use crate::base::Secret;

/// The header with the secret.
pub const CONTROL_HEADER: &str = "sandbox-control";

/// What marks a request as a browser's (Fetch Metadata, <https://www.w3.org/TR/fetch-metadata/>).
const FETCHED_BY_A_PAGE: [HeaderName; 2] = [
    HeaderName::from_static("sec-fetch-site"),
    HeaderName::from_static("sec-fetch-mode"),
];

/// Gives orders to a running Sandbox of the same process. Outlives it without keeping its port.
#[derive(Clone, Debug)]
pub struct Control(Arc<Service>);

impl Control {
    pub(super) fn of(service: Arc<Service>) -> Self {
        Self(service)
    }

    /// Carries an order out. Returns how many tokens or grants it ended.
    ///
    /// # Errors
    /// [`SaveError`] when the change cannot be made durable.
    pub async fn obey(&self, order: Order) -> Result<usize, SaveError> {
        self.0.obey(order).await
    }

    /// What the Sandbox has counted since it started.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.watch().borrow().clone()
    }

    /// The counts, now and whenever they change. A token request is counted when it arrives, and what it brought before
    /// its answer leaves.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Counters> {
        self.0.journal.watch()
    }

    /// The latest requests of clients, oldest first; a thousand at most.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.0.journal.seen()
    }

    /// Ends everything that was ordered, as [`Order::Heal`] does.
    pub fn heal(&self) {
        self.0.orders.heal();
    }

    /// How many grants there are.
    pub async fn grants(&self, whose: &Whose) -> usize {
        self.0
            .store
            .read(|state| {
                let grants = state.grants.values();
                grants.filter(|grant| whose.has(grant)).count()
            })
            .await
    }
}

impl Service {
    async fn obey(&self, order: Order) -> Result<usize, SaveError> {
        match order {
            Order::Expire { whose } => {
                return self.store.change(|state| state.end_access(&whose)).await;
            }
            Order::Revoke { whose } => {
                return self.store.change(|state| state.take_back(&whose)).await;
            }
            Order::Lifetime { seconds } => self.orders.set_lifetime(seconds),
            Order::Rotation { on } => self.orders.set_rotation(on),
            Order::Fail {
                at,
                fault,
                times,
                whose,
            } => self.orders.fail(at, fault, times, whose),
            Order::Heal => self.orders.heal(),
        }
        Ok(0)
    }

    fn report(&self, ended: usize) -> Report {
        Report {
            ended,
            in_force: self.orders.in_force(),
            counters: self.journal.watch().borrow().clone(),
            requests: self.journal.seen(),
        }
    }
}

/// What the control API answers.
#[derive(Serialize)]
struct Report {
    /// How many tokens or grants the order ended.
    ended: usize,
    in_force: InForce,
    counters: Counters,
    requests: Vec<Seen>,
}

/// Why an order is not carried out.
pub(super) enum Unheard {
    /// A browser sent it, or the secret is missing or wrong.
    NotAllowed,
    /// It is no order.
    Malformed(String),
    /// It could not be made durable.
    Save(SaveError),
}

impl IntoResponse for Unheard {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::NotAllowed => (
                StatusCode::FORBIDDEN,
                format!(
                    "Send the secret of this Sandbox in the header `{CONTROL_HEADER}`; not from a browser."
                ),
            ),
            Self::Malformed(message) => (StatusCode::BAD_REQUEST, message),
            Self::Save(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        };
        (status, format!("{message}\n")).into_response()
    }
}

/// `GET /control`: what holds, and what was seen.
pub(super) async fn report(
    Extract(service): Extract<Arc<Service>>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Unheard> {
    allowed(&headers, &service.control_secret)?;
    Ok(Json(service.report(0)))
}

/// `POST /control`: one order as JSON, such as `{"do": "fail", "at": "token", "how": "unavailable", "times": 2}`.
pub(super) async fn order(
    Extract(service): Extract<Arc<Service>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<impl IntoResponse, Unheard> {
    allowed(&headers, &service.control_secret)?;
    let body =
        body.map_err(|_| Unheard::Malformed("The body is too large or was cut off.".into()))?;
    let order: Order = serde_json::from_slice(&body)
        .map_err(|error| Unheard::Malformed(format!("The body is no order: {error}.")))?;
    let ended = service.obey(order).await.map_err(Unheard::Save)?;
    Ok(Json(service.report(ended)))
}

fn allowed(headers: &HeaderMap, secret: &Secret) -> Result<(), Unheard> {
    let from_a_page = headers.contains_key(ORIGIN)
        || FETCHED_BY_A_PAGE
            .iter()
            .any(|name| headers.contains_key(name));
    let told = headers
        .get(CONTROL_HEADER)
        .and_then(|value| value.to_str().ok())
        .map(Secret::new);
    if !from_a_page && told.as_ref() == Some(secret) {
        Ok(())
    } else {
        Err(Unheard::NotAllowed)
    }
}
