//! The rounds of one call (MCP 2026-07-28, multi round-trip requests): what a client brings back from an earlier one.

use rmcp::model::{CallToolRequestParams, ElicitationAction};
use serde_json::{Map, Value};

use crate::base::Timestamp;
use crate::gateway::Gateway;
use crate::identity::Caller;

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
    /// What `request` brings back. State that does not open counts as none: the call begins anew.
    pub(super) fn of(
        gateway: &Gateway,
        caller: &Caller,
        request: &CallToolRequestParams,
        arguments: &Map<String, Value>,
    ) -> Self {
        let state = request
            .request_state
            .as_deref()
            .and_then(|text| gateway.open_request_state(caller, &request.name, arguments, text));
        let Some(state) = state else {
            return Self {
                call: gateway.new_call(),
                asked: 0,
                answer: Answer::None,
                repeatable_until: gateway.clock().now(),
            };
        };
        let answers = request.input_responses.iter().flatten();
        Self {
            call: state.call,
            asked: state.rounds,
            answer: Answer::of(answers.map(|(_, answer)| action(answer))),
            repeatable_until: state.expires,
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
