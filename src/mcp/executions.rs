//! Calls that were asked for in several rounds run once, however often their last round is repeated.
//!
//! A client whose connection broke sends the same round again. What the call brought is kept for as long as its request
//! state is accepted; what was cut off in the middle is told as such, and not run a second time.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::ErrorData;
use rmcp::model::CallToolResponse;

use super::round::Round;
use crate::base::Timestamp;

/// How many results are kept; the oldest go first. Their calls are still not run again.
const RESULTS_KEPT: usize = 1_000;

/// What a call brings.
pub(super) type Outcome = Result<CallToolResponse, ErrorData>;

/// The calls of several rounds, by the name that their request state carries.
#[derive(Default)]
pub(super) struct Executions {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    by_call: HashMap<u128, Execution>,
    /// In the order in which they were begun, which is nearly the order in which they expire.
    begun: VecDeque<(Timestamp, u128)>,
    /// Those whose results are kept.
    done: VecDeque<Execution>,
}

/// One call. Whoever holds its lock is the one who runs it.
pub(super) type Execution = Arc<tokio::sync::Mutex<Stage>>;

/// How far a call has come.
#[derive(Debug, Default)]
pub(super) enum Stage {
    /// Nothing was sent to the service.
    #[default]
    Waiting,
    /// Something may have been sent, and nobody knows what came of it.
    Sent,
    /// It has run.
    Done(Box<Outcome>),
    /// It has run, and what it brought is no longer kept.
    Forgotten,
}

impl Executions {
    /// The call that `round` belongs to.
    pub(super) fn find(&self, round: Round, now: Timestamp) -> Execution {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.forget_expired(now);
        if let Some(execution) = known.by_call.get(&round.call) {
            return Arc::clone(execution);
        }
        let execution = Execution::default();
        known.by_call.insert(round.call, Arc::clone(&execution));
        known.begun.push_back((round.repeatable_until, round.call));
        execution
    }

    /// Keeps the result of a call that has run, for as long as there is room for it.
    pub(super) fn keep(&self, execution: &Execution) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.done.push_back(Arc::clone(execution));
        if known.done.len() > RESULTS_KEPT
            && let Some(oldest) = known.done.pop_front()
            && let Ok(mut stage) = oldest.try_lock()
        {
            *stage = Stage::Forgotten;
        }
    }
}

impl Known {
    fn forget_expired(&mut self, now: Timestamp) {
        while let Some((expires, call)) = self.begun.front().copied()
            && expires <= now
        {
            self.begun.pop_front();
            self.by_call.remove(&call);
        }
        // Those that only this queue still holds are past their time.
        while self
            .done
            .front()
            .is_some_and(|oldest| Arc::strong_count(oldest) == 1)
        {
            self.done.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::round::Answer;

    const NOW: Timestamp = Timestamp::from_unix(1_000);

    fn round(call: u128) -> Round {
        Round {
            call,
            asked: 1,
            answer: Answer::Accepted,
            repeatable_until: Timestamp::from_unix(1_600),
        }
    }

    #[tokio::test]
    async fn a_repeated_round_finds_its_call_until_it_is_over() {
        let executions = Executions::default();
        let first = executions.find(round(1), NOW);
        *first.lock().await = Stage::Sent;
        let again = executions.find(round(1), NOW);
        assert!(matches!(*again.lock().await, Stage::Sent));
        let other = executions.find(round(2), NOW);
        assert!(matches!(*other.lock().await, Stage::Waiting));
        let later = executions.find(round(1), Timestamp::from_unix(1_600));
        assert!(matches!(*later.lock().await, Stage::Waiting));
    }

    #[tokio::test]
    async fn old_results_go_first_and_their_calls_are_still_known() {
        let executions = Executions::default();
        let done = || Stage::Done(Box::new(Err(ErrorData::internal_error("x", None))));
        for call in 0..=RESULTS_KEPT as u128 {
            let execution = executions.find(round(call), NOW);
            *execution.lock().await = done();
            executions.keep(&execution);
        }
        let stage = |call| executions.find(round(call), NOW);
        assert!(matches!(*stage(0).lock().await, Stage::Forgotten));
        assert!(matches!(*stage(1).lock().await, Stage::Done(_)));
        executions.find(round(7), Timestamp::from_unix(1_600));
        let known = executions.known.lock().unwrap();
        assert_eq!((known.by_call.len(), known.done.len()), (1, 0));
    }
}
