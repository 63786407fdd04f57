//! How much one agent may ask for at once, so that none takes the gateway from the others.
//!
//! Owns the count of calls and requests under way, and the rate of calls, per agent. Nothing here waits: who asks for too
//! much is told so at once, and when to try again. An agent that asks for nothing is forgotten by [`Gateway::sweep`].

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{self, Clock as _};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Gateway;
use crate::base::{AgentId, Clock};
use crate::identity::Caller;

/// How many seconds' worth of calls an agent may make in one go, after it has been quiet for as long.
const BURST_SECONDS: u32 = 4;

/// What each agent may ask for at once. 0 means no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Tool calls under way, those that wait for a person to connect included.
    pub calls_at_once: u32,
    /// Tool calls begun in a second, on average; four times as many in one go.
    pub calls_per_second: u32,
    /// HTTP requests under way: calls, lists, open streams.
    pub requests_at_once: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls_at_once: 64,
            calls_per_second: 50,
            requests_at_once: 256,
        }
    }
}

/// Room for one call or request. It is free again when this is dropped.
#[derive(Debug)]
#[must_use = "what is admitted is over when this is dropped"]
pub struct Permit(
    #[expect(dead_code, reason = "held, and given back when dropped")] Option<OwnedSemaphorePermit>,
);

/// Why an agent must wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Busy {
    /// As many calls of the agent are under way as may be.
    #[error(
        "This agent has {0} tool calls under way, as many as it may have at once, so this one was not run. Wait until one \
         of them ends, then call again."
    )]
    TooManyCalls(u32),
    /// The agent calls faster than it may.
    #[error(
        "This agent makes more than {limit} tool calls in a second, so this one was not run. Call again in {} s.",
        seconds(*.again)
    )]
    TooFast {
        /// How many it may make in a second.
        limit: u32,
        /// When it may call again.
        again: Duration,
    },
    /// As many requests of the agent are under way as may be.
    #[error(
        "This agent has {0} requests and streams open, as many as it may have at once. Close some, then try again."
    )]
    TooManyRequests(u32),
}

impl Busy {
    /// When to try again: a whole number of seconds, at least one.
    #[must_use]
    pub fn again_in_seconds(&self) -> u64 {
        match self {
            Self::TooManyCalls(_) | Self::TooManyRequests(_) => 1,
            Self::TooFast { again, .. } => seconds(*again),
        }
    }
}

fn seconds(wait: Duration) -> u64 {
    wait.as_millis()
        .div_ceil(1_000)
        .max(1)
        .try_into()
        .unwrap_or(u64::MAX)
}

impl Gateway {
    /// Room for one tool call of `caller`. The permit is held until the call has been answered, waiting included.
    ///
    /// # Errors
    /// [`Busy`], when the agent has too many under way or makes too many in a second.
    pub fn admit(&self, caller: &Caller) -> Result<Permit, Busy> {
        self.parts.admission.call(&caller.agent)
    }

    /// Room for one HTTP request of `caller`. The permit is held until the last byte of the answer.
    ///
    /// # Errors
    /// [`Busy`], when the agent has too many under way.
    pub fn admit_request(&self, caller: &Caller) -> Result<Permit, Busy> {
        self.parts.admission.request(&caller.agent)
    }
}

type Rate = RateLimiter<NotKeyed, InMemoryState, Pace, NoOpMiddleware<Duration>>;

/// What every agent has under way.
pub(super) struct Admission {
    limits: Limits,
    pace: Pace,
    agents: Mutex<HashMap<AgentId, Arc<Load>>>,
}

/// What one agent has under way. None: no limit.
struct Load {
    calls: Option<Arc<Semaphore>>,
    requests: Option<Arc<Semaphore>>,
    rate: Option<Rate>,
}

impl Admission {
    pub(super) fn new(limits: Limits, clock: Clock) -> Self {
        Self {
            limits,
            pace: Pace(clock),
            agents: Mutex::default(),
        }
    }

    fn call(&self, agent: &AgentId) -> Result<Permit, Busy> {
        let load = self.load(agent);
        let permit = room(
            load.calls.as_ref(),
            Busy::TooManyCalls(self.limits.calls_at_once),
        )?;
        // Last: a call that there is no room for costs nothing of the rate.
        if let Some(rate) = &load.rate {
            rate.check().map_err(|early| Busy::TooFast {
                limit: self.limits.calls_per_second,
                again: early.wait_time_from(self.pace.now()),
            })?;
        }
        Ok(permit)
    }

    fn request(&self, agent: &AgentId) -> Result<Permit, Busy> {
        let load = self.load(agent);
        let busy = Busy::TooManyRequests(self.limits.requests_at_once);
        room(load.requests.as_ref(), busy)
    }

    fn load(&self, agent: &AgentId) -> Arc<Load> {
        let mut agents = self.agents();
        if let Some(load) = agents.get(agent) {
            return Arc::clone(load);
        }
        let load = Arc::new(Load::new(self.limits, &self.pace));
        agents.insert(agent.clone(), Arc::clone(&load));
        load
    }

    /// Forgets agents that have nothing under way and are as free to call as one that was never here.
    pub(super) fn forget_the_idle(&self) {
        self.agents()
            .retain(|_, load| Arc::strong_count(load) > 1 || !load.is_idle(self.limits));
    }

    fn agents(&self) -> MutexGuard<'_, HashMap<AgentId, Arc<Load>>> {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Load {
    fn new(limits: Limits, pace: &Pace) -> Self {
        let room = |most: u32| (most > 0).then(|| Arc::new(Semaphore::new(most as usize)));
        let rate = NonZeroU32::new(limits.calls_per_second).map(|per_second| {
            let burst = per_second.saturating_mul(BURST);
            let quota = Quota::per_second(per_second).allow_burst(burst);
            RateLimiter::direct_with_clock(quota, pace.clone())
        });
        Self {
            calls: room(limits.calls_at_once),
            requests: room(limits.requests_at_once),
            rate,
        }
    }

    /// Whether nothing is under way and a whole burst may be made.
    fn is_idle(&self, limits: Limits) -> bool {
        let is_free = |room: &Option<Arc<Semaphore>>, most: u32| {
            room.as_ref()
                .is_none_or(|room| room.available_permits() == most as usize)
        };
        is_free(&self.calls, limits.calls_at_once)
            && is_free(&self.requests, limits.requests_at_once)
            && self.rate.as_ref().is_none_or(|rate| {
                let burst = NonZeroU32::new(limits.calls_per_second)
                    .map(|per_second| per_second.saturating_mul(BURST));
                // Takes the burst when it is whole: nobody else has this rate, and it is thrown away.
                burst.is_none_or(|burst| matches!(rate.check_n(burst), Ok(Ok(()))))
            })
    }
}

const BURST: NonZeroU32 = NonZeroU32::new(BURST_SECONDS).expect("more than none");

fn room(room: Option<&Arc<Semaphore>>, busy: Busy) -> Result<Permit, Busy> {
    let Some(room) = room else {
        return Ok(Permit(None));
    };
    let permit = Arc::clone(room).try_acquire_owned();
    permit.map(|permit| Permit(Some(permit))).map_err(|_| busy)
}

/// Our clock, as the rate limiter takes it.
#[derive(Clone, Debug)]
pub(super) struct Pace(pub(super) Clock);

impl clock::Clock for Pace {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.monotonic()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Random, Timestamp};

    fn admission(limits: Limits) -> (Admission, Clock, [AgentId; 2]) {
        let (clock, random) = (
            Clock::manual(Timestamp::from_unix(1_000)),
            Random::seeded(1),
        );
        let agents = [AgentId::new(&random), AgentId::new(&random)];
        (Admission::new(limits, clock.clone()), clock, agents)
    }

    const NONE: Limits = Limits {
        calls_at_once: 0,
        calls_per_second: 0,
        requests_at_once: 0,
    };

    #[test]
    fn calls_and_requests_are_counted_apart_and_by_agent() {
        let limits = Limits {
            calls_at_once: 2,
            requests_at_once: 1,
            ..NONE
        };
        let (admission, _, [ana, ben]) = admission(limits);
        let (first, second) = (admission.call(&ana).unwrap(), admission.call(&ana).unwrap());
        assert_eq!(admission.call(&ana).unwrap_err(), Busy::TooManyCalls(2));
        let request = admission.request(&ana).unwrap();
        assert_eq!(
            admission.request(&ana).unwrap_err(),
            Busy::TooManyRequests(1)
        );
        let others = (
            admission.call(&ben).unwrap(),
            admission.request(&ben).unwrap(),
        );
        drop((first, request));
        let again = (
            admission.call(&ana).unwrap(),
            admission.request(&ana).unwrap(),
        );
        drop((second, others, again));
    }

    #[test]
    fn a_burst_is_four_seconds_worth_and_then_the_rate_holds() {
        let limits = Limits {
            calls_per_second: 5,
            ..NONE
        };
        let (admission, clock, [ana, ben]) = admission(limits);
        let made = |agent: &AgentId| {
            (0..100)
                .take_while(|_| admission.call(agent).is_ok())
                .count()
        };
        assert_eq!(made(&ana), 20);
        assert_eq!(made(&ben), 20, "one agent does not slow another");
        let busy = admission.call(&ana).unwrap_err();
        assert_eq!(busy.again_in_seconds(), 1);
        let sentence = busy.to_string();
        assert!(sentence.contains("more than 5 tool calls") && sentence.ends_with("in 1 s."));
        clock.advance(Duration::from_secs(1));
        assert_eq!(made(&ana), 5);
        clock.advance(Duration::from_hours(1));
        assert_eq!(made(&ana), 20);
    }

    #[test]
    fn a_call_without_room_costs_nothing_of_the_rate() {
        let limits = Limits {
            calls_at_once: 1,
            calls_per_second: 1,
            ..NONE
        };
        let (admission, _, [ana, _]) = admission(limits);
        let first = admission.call(&ana).unwrap();
        for _ in 0..10 {
            assert_eq!(admission.call(&ana).unwrap_err(), Busy::TooManyCalls(1));
        }
        drop(first);
        assert_eq!(
            (0..9).take_while(|_| admission.call(&ana).is_ok()).count(),
            3
        );
    }

    #[test]
    fn without_limits_nothing_is_refused() {
        let (admission, _, [ana, _]) = admission(NONE);
        let all: Vec<_> = (0..10_000)
            .map(|_| {
                (
                    admission.call(&ana).unwrap(),
                    admission.request(&ana).unwrap(),
                )
            })
            .collect();
        assert_eq!(all.len(), 10_000);
    }

    #[test]
    fn only_who_has_nothing_under_way_and_was_quiet_is_forgotten() {
        let (admission, clock, [ana, ben]) = admission(Limits::default());
        let known = || {
            admission.forget_the_idle();
            admission.agents().len()
        };
        let call = admission.call(&ana).unwrap();
        drop(admission.call(&ben).unwrap());
        assert_eq!(known(), 2, "ben called a moment ago");
        clock.advance(Duration::from_mins(1));
        assert_eq!(known(), 1);
        drop(call);
        assert_eq!(known(), 0);
    }
}
