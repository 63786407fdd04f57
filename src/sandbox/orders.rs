//! What this Sandbox was told to do wrong, and what becomes of a request under such an order.
//!
//! Orders are in memory alone: a Sandbox that starts again behaves. Knows nothing of who may give them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures::stream;
use http::StatusCode;
use http::header::{CONTENT_LENGTH, RETRY_AFTER};
use serde::{Deserialize, Serialize};

use super::accounts::Account;
use super::protocol::{ErrorCode, Refusal};
use super::state::{Grant, State};

/// How long an access token works, unless told otherwise.
const USUAL_LIFETIME: Duration = Duration::from_hours(1);

/// One order to a Sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Order {
    /// Access tokens end now. Refresh tokens stay.
    Expire {
        /// Whose.
        #[serde(flatten)]
        whose: Whose,
    },
    /// Grants are taken back, as a person does it on the Sandbox's own page.
    Revoke {
        /// Whose.
        #[serde(flatten)]
        whose: Whose,
    },
    /// Access tokens that are handed out from now on work this long.
    Lifetime {
        /// In seconds.
        seconds: u32,
    },
    /// Whether a refresh token is replaced when it is used. It is, unless told otherwise.
    Rotation {
        /// Replaced, and worth nothing a second time.
        on: bool,
    },
    /// An endpoint fails.
    Fail {
        /// Which.
        at: Endpoint,
        /// In which way.
        #[serde(flatten)]
        fault: Fault,
        /// For so many requests; none: until [`Order::Heal`].
        #[serde(default)]
        times: Option<u32>,
        /// For whose tokens and codes.
        #[serde(flatten)]
        whose: Whose,
    },
    /// Everything that was ordered ends. What it has done stays done.
    Heal,
}

/// Whose grants an order is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whose {
    /// Of this client alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Of this account alone, as `/api/me` names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// An endpoint that can be told to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `POST /token`.
    Token,
    /// `POST /revoke`.
    Revocation,
}

/// A way to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum Fault {
    /// 503, and nothing is done.
    Unavailable,
    /// 429 with `Retry-After` (RFC 6585 section 4), and nothing is done.
    Throttled {
        /// In seconds.
        retry_after_s: u32,
    },
    /// `invalid_grant` (RFC 6749 section 5.2), and nothing is done.
    Refused,
    /// The work is done at once, and the answer comes late.
    Late {
        /// By how much, in milliseconds.
        delay_ms: u32,
    },
    /// The work is done, and the connection is dropped without an answer.
    Lost,
}

impl Whose {
    /// The grants of one account at one client.
    #[must_use]
    pub fn of(client_id: &str, account: &str) -> Self {
        Self {
            client_id: Some(client_id.to_owned()),
            account: Some(account.to_owned()),
        }
    }

    /// Whether this is about everybody's.
    fn is_everybody(&self) -> bool {
        *self == Self::default()
    }

    fn is_about(&self, client_id: &str, account: Account) -> bool {
        let client = self.client_id.as_deref();
        let wanted = self.account.as_deref();
        client.is_none_or(|client| client == client_id)
            && wanted.is_none_or(|wanted| wanted == account.id())
    }

    /// Whether `grant` is theirs.
    pub(super) fn has(&self, grant: &Grant) -> bool {
        self.is_about(&grant.client_id, grant.account)
    }
}

impl State {
    /// Ends the access tokens of these grants. Returns how many there were.
    pub(super) fn end_access(&mut self, whose: &Whose) -> usize {
        let (grants, before) = (&self.grants, self.access_tokens.len());
        self.access_tokens
            .retain(|_, token| !grants.get(&token.grant).is_some_and(|one| whose.has(one)));
        before - self.access_tokens.len()
    }

    /// Takes these grants back. Returns how many there were.
    pub(super) fn take_back(&mut self, whose: &Whose) -> usize {
        let theirs: Vec<String> = self
            .grants
            .iter()
            .filter(|(_, grant)| whose.has(grant))
            .map(|(id, _)| id.clone())
            .collect();
        for id in &theirs {
            self.revoke_grant(id);
        }
        theirs.len()
    }
}

/// The orders in force.
#[derive(Debug, Default)]
pub(super) struct Orders(Mutex<InForce>);

/// What holds now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct InForce {
    access_lifetime_s: u64,
    rotates: bool,
    failing: Vec<Failing>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Failing {
    at: Endpoint,
    #[serde(flatten)]
    fault: Fault,
    times: Option<u32>,
    #[serde(flatten)]
    whose: Whose,
}

impl Default for InForce {
    fn default() -> Self {
        Self {
            access_lifetime_s: USUAL_LIFETIME.as_secs(),
            rotates: true,
            failing: Vec::new(),
        }
    }
}

impl Orders {
    fn now(&self) -> MutexGuard<'_, InForce> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What holds now.
    pub(super) fn in_force(&self) -> InForce {
        self.now().clone()
    }

    /// How long the access tokens of this moment work.
    pub(super) fn access_lifetime(&self) -> Duration {
        Duration::from_secs(self.now().access_lifetime_s)
    }

    /// Whether a refresh token is replaced when it is used.
    pub(super) fn rotates(&self) -> bool {
        self.now().rotates
    }

    /// Sets the lifetime of the access tokens to come.
    pub(super) fn set_lifetime(&self, seconds: u32) {
        self.now().access_lifetime_s = seconds.into();
    }

    /// Sets whether refresh tokens are replaced.
    pub(super) fn set_rotation(&self, on: bool) {
        self.now().rotates = on;
    }

    /// An endpoint is to fail.
    pub(super) fn fail(&self, at: Endpoint, fault: Fault, times: Option<u32>, whose: Whose) {
        let failing = Failing {
            at,
            fault,
            times,
            whose,
        };
        self.now().failing.push(failing);
    }

    /// Forgets everything that was ordered.
    pub(super) fn heal(&self) {
        *self.now() = InForce::default();
    }

    /// The fault that this request meets, if any: the first that was ordered. `owner` is the client and the account of
    /// the token or code in it.
    fn meet(&self, at: Endpoint, owner: Option<&(String, Account)>) -> Option<Fault> {
        let mut now = self.now();
        let index = now.failing.iter().position(|one| {
            let theirs = match owner {
                Some((client_id, account)) => one.whose.is_about(client_id, *account),
                None => one.whose.is_everybody(),
            };
            one.at == at && theirs
        })?;
        let fault = now.failing[index].fault;
        match &mut now.failing[index].times {
            None => {}
            Some(times) if *times > 1 => *times -= 1,
            Some(_) => drop(now.failing.remove(index)),
        }
        Some(fault)
    }

    /// Answers a request by doing `work`, or by failing as was ordered.
    pub(super) async fn answer(
        &self,
        at: Endpoint,
        owner: Option<&(String, Account)>,
        work: impl Future<Output = Response>,
    ) -> Response {
        match self.meet(at, owner) {
            None => work.await,
            Some(Fault::Unavailable) => {
                (StatusCode::SERVICE_UNAVAILABLE, "Told to be unavailable.\n").into_response()
            }
            Some(Fault::Throttled { retry_after_s }) => {
                let wait = [(RETRY_AFTER, retry_after_s.to_string())];
                (StatusCode::TOO_MANY_REQUESTS, wait, "Told to throttle.\n").into_response()
            }
            Some(Fault::Refused) => {
                Refusal::new(ErrorCode::InvalidGrant, "told to refuse").into_response()
            }
            Some(Fault::Late { delay_ms }) => {
                let response = work.await;
                tokio::time::sleep(Duration::from_millis(delay_ms.into())).await;
                response
            }
            Some(Fault::Lost) => {
                drop(work.await);
                Lost.into_response()
            }
        }
    }
}

/// The mark of a response that nobody gets.
#[derive(Clone, Copy)]
pub(super) struct Lost;

impl IntoResponse for Lost {
    /// A response whose body fails before its head has left: the server drops the connection.
    fn into_response(self) -> Response {
        let cut = std::io::Error::other("told to lose the answer");
        let body = Body::from_stream(stream::iter([Err::<Bytes, _>(cut)]));
        let mut response = Response::new(body);
        response
            .headers_mut()
            .insert(CONTENT_LENGTH, http::HeaderValue::from_static("1"));
        response.extensions_mut().insert(self);
        response
    }
}
