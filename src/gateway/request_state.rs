//! MCP request state: what a client carries from one round of a call to the next.
//!
//! It comes back from the client and is therefore hostile (MCP 2026-07-28, multi round-trip requests): sealed, bound
//! to the caller, the tool and the arguments, and good for ten minutes.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Gateway;
use crate::base::{Secret, Timestamp};
use crate::identity::Caller;

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestState {
    /// The call that the rounds belong to: it runs once, however often its last round is repeated.
    pub call: u128,
    /// How many times the client has been asked already.
    pub rounds: u8,
    /// When it stops being accepted.
    pub expires: Timestamp,
}

/// Why request state that a client brought back does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestStateError {
    /// It was ours and is too old: the call begins anew.
    Expired,
    /// It was changed, was never ours, or belongs to another caller, tool or arguments: the request is to be refused (MCP
    /// 2026-07-28, multi round-trip requests).
    Foreign,
}

impl RequestState {
    const LIFETIME: Duration = Duration::from_mins(10);

    fn parse(plain: &[u8]) -> Option<Self> {
        let (call, rest) = std::str::from_utf8(plain).ok()?.split_once(':')?;
        let (rounds, expires) = rest.split_once(':')?;
        Some(Self {
            call: u128::from_str_radix(call, 16).ok()?,
            rounds: rounds.parse().ok()?,
            expires: Timestamp::from_unix(expires.parse().ok()?),
        })
    }
}

impl Gateway {
    /// The name of a call that begins its first round.
    #[must_use]
    pub fn new_call(&self) -> u128 {
        u128::from_be_bytes(self.parts.random.bytes())
    }

    /// Seals how far this call has come, for this caller, tool and arguments alone.
    #[must_use]
    pub fn seal_request_state(
        &self,
        caller: &Caller,
        tool: &str,
        arguments: &Map<String, Value>,
        call: u128,
        rounds: u8,
    ) -> String {
        let state = RequestState {
            call,
            rounds,
            expires: self.parts.clock.now() + RequestState::LIFETIME,
        };
        let plain = format!(
            "{:x}:{}:{}",
            state.call,
            state.rounds,
            state.expires.as_unix()
        );
        let sealed = self
            .parts
            .request_state
            .seal(&bound_to(caller, tool, arguments), plain.as_bytes());
        BASE64URL_NOPAD.encode(&sealed)
    }

    /// Opens what a client brought back for this call.
    ///
    /// # Errors
    /// When it does not count, and whether that is the client's fault.
    pub fn open_request_state(
        &self,
        caller: &Caller,
        tool: &str,
        arguments: &Map<String, Value>,
        text: &str,
    ) -> Result<RequestState, RequestStateError> {
        let bound_to = bound_to(caller, tool, arguments);
        let sealed = BASE64URL_NOPAD.decode(text.as_bytes()).ok();
        let plain = sealed.and_then(|it| self.parts.request_state.open(&bound_to, &it).ok());
        let state = plain
            .and_then(|plain| RequestState::parse(&plain))
            .ok_or(RequestStateError::Foreign)?;
        if self.parts.clock.now() < state.expires {
            Ok(state)
        } else {
            Err(RequestStateError::Expired)
        }
    }
}

/// The associated data: who, what, with which arguments.
fn bound_to(caller: &Caller, tool: &str, arguments: &Map<String, Value>) -> Vec<u8> {
    let mut arguments = Value::Object(arguments.clone());
    arguments.sort_all_objects();
    let arguments = Secret::new(arguments.to_string()).digest();
    format!(
        "{}|{}|{tool}|{arguments}",
        caller.principal.id, caller.agent
    )
    .into_bytes()
}
