//! The rounds of one call (MCP 2026-07-28, multi round-trip requests): what a client brings back from an earlier one.

use rmcp::ErrorData;
use rmcp::model::{CallToolRequestParams, ElicitationAction};
use serde_json::{Map, Value};

use crate::base::Timestamp;
use crate::gateway::{Gateway, RequestStateError};
use crate::identity::Caller;

const FOREIGN_STATE: &str =
    "The `requestState` was changed, or belongs to another call. Call the tool again without it.";

/// How far a call has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    /// Names the call through all its rounds.
    pub(super) call: u128,
    /// How many times the client has been asked.
    pub(super) asked: u8,
    /// What the client says of the last time.
    pub(super) answer: Answer,
    /// Until when its rounds may be repeated.
    pub(super) repeatable_until: Timestamp,
}

/// What a client says of the link that it was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Nothing: it was not asked, or did not answer.
    None,
    /// The person has opened it. That is consent, not completion.
    Accepted,
    /// The person, or a client that cannot ask one, said no.
    Declined,
}

impl Round {
    /// What `request` brings back. State that is too old counts as none: the call begins anew.
    ///
    /// # Errors
    /// -32602 for state that is not of this call (MCP 2026-07-28, multi round-trip requests).
    pub(super) fn of(
        gateway: &Gateway,
        caller: &Caller,
        request: &CallToolRequestParams,
        arguments: &Map<String, Value>,
    ) -> Result<Self, ErrorData> {
        let Some(text) = request.request_state.as_deref() else {
            return Ok(Self::first(gateway));
        };
        let state = match gateway.open_request_state(caller, &request.name, arguments, text) {
            Ok(state) => state,
            Err(RequestStateError::Expired) => return Ok(Self::first(gateway)),
            Err(RequestStateError::Foreign) => {
                return Err(ErrorData::invalid_params(FOREIGN_STATE, None));
            }
        };
        let answers = request.input_responses.iter().flatten();
        Ok(Self {
            call: state.call,
            asked: state.rounds,
            answer: Answer::of(answers.map(|(_, answer)| action(answer))),
            repeatable_until: state.expires,
        })
    }

    fn first(gateway: &Gateway) -> Self {
        Self {
            call: gateway.new_call(),
            asked: 0,
            answer: Answer::None,
            repeatable_until: gateway.clock().now(),
        }
    }
}

impl Answer {
    /// One no is a no.
    fn of(actions: impl Iterator<Item = Option<ElicitationAction>>) -> Self {
        actions.fold(Self::None, |so_far, action| match (so_far, action) {
            (Self::Declined, _)
            | (_, Some(ElicitationAction::Decline | ElicitationAction::Cancel)) => Self::Declined,
            (_, Some(ElicitationAction::Accept)) => Self::Accepted,
            (so_far, _) => so_far,
        })
    }
}

fn action(answer: &Value) -> Option<ElicitationAction> {
    serde_json::from_value(answer.get("action")?.clone()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_no_is_a_no() {
        use ElicitationAction::{Accept, Cancel, Decline};
        let of = |actions: &[Option<ElicitationAction>]| Answer::of(actions.iter().cloned());
        assert_eq!(of(&[]), Answer::None);
        assert_eq!(of(&[None]), Answer::None);
        assert_eq!(of(&[Some(Accept)]), Answer::Accepted);
        assert_eq!(of(&[Some(Accept), None]), Answer::Accepted);
        assert_eq!(of(&[Some(Cancel), Some(Accept)]), Answer::Declined);
        assert_eq!(of(&[Some(Accept), Some(Decline)]), Answer::Declined);
    }
}
