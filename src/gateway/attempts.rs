//! How often somebody may fail to say who they are, so that guessing leads nowhere.
//!
//! Owns the count of failures per client address, apart for each kind of attempt: whoever guesses tokens does not keep
//! their neighbours from signing in. Only failures count, and what is right is never refused because of them. Memory is
//! bounded: when too many addresses fail at once, those without a place of their own share one.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use super::Gateway;
use super::admission::Pace;
use crate::base::Clock;
use crate::identity::ClientAddress;

/// How many addresses have a count of their own, for each kind of attempt: 10,000 cost about 2 MB.
const ADDRESSES: usize = 10_000;

/// What somebody tried, and failed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attempt {
    /// A request with a bearer token that is nobody's.
    Bearer,
    /// A sign-in to the pages that came to nothing.
    SignIn,
    /// A return from a provider or an issuer that belongs to nothing that was begun.
    Callback,
}

/// Somebody has failed too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "There were too many failed attempts from your address. What is right still works; wait {again_in_seconds} s before \
     you try anything else."
)]
pub struct TooManyAttempts {
    /// When the next failure is taken: a whole number of seconds, at least one.
    pub again_in_seconds: u64,
}

impl Attempt {
    const ALL: [Self; 3] = [Self::Bearer, Self::SignIn, Self::Callback];

    /// How many failures are taken in one go, and in how many seconds one more. A client that was set up with a wrong token
    /// tries every few seconds, from an address that it may share with colleagues.
    fn quota(self) -> Quota {
        let (burst, seconds) = match self {
            Self::Bearer => (100, 1),
            Self::SignIn => (20, 6),
            Self::Callback => (50, 2),
        };
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(Duration::from_secs(seconds));
        quota.map_or_else(
            || Quota::per_second(burst),
            |quota| quota.allow_burst(burst),
        )
    }
}

type Count = RateLimiter<NotKeyed, InMemoryState, Pace, NoOpMiddleware<Duration>>;

/// The failures of late.
pub(super) struct Attempts {
    pace: Pace,
    lanes: [Lane; 3],
}

/// Those of one kind.
struct Lane {
    quota: Quota,
    by_address: Mutex<HashMap<ClientAddress, Count>>,
    /// Of everybody without a place of their own.
    others: Count,
}

impl Attempts {
    pub(super) fn new(clock: Clock) -> Self {
        let pace = Pace(clock);
        Self {
            lanes: Attempt::ALL.map(|attempt| Lane::new(attempt.quota(), &pace)),
            pace,
        }
    }

    fn failed(&self, attempt: Attempt, address: ClientAddress) -> Result<(), TooManyAttempts> {
        self.lanes[attempt as usize].failed(address.network(), &self.pace)
    }

    /// Forgets addresses that may fail as often as one that never did.
    pub(super) fn forget_the_idle(&self) {
        for lane in &self.lanes {
            let most = lane.quota.burst_size();
            let is_idle = |count: &Count| matches!(count.check_n(most), Ok(Ok(())));
            lane.counts().retain(|_, count| !is_idle(count));
        }
    }
}

impl Lane {
    fn new(quota: Quota, pace: &Pace) -> Self {
        Self {
            quota,
            by_address: Mutex::default(),
            others: RateLimiter::direct_with_clock(quota, pace.clone()),
        }
    }

    fn failed(&self, address: ClientAddress, pace: &Pace) -> Result<(), TooManyAttempts> {
        let mut counts = self.counts();
        if counts.len() < ADDRESSES {
            let fresh = || RateLimiter::direct_with_clock(self.quota, pace.clone());
            counts.entry(address).or_insert_with(fresh);
        }
        let count = counts.get(&address).unwrap_or(&self.others);
        count.check().map_err(|early| TooManyAttempts {
            again_in_seconds: early
                .wait_time_from(pace.now())
                .as_millis()
                .div_ceil(1_000)
                .max(1)
                .try_into()
                .unwrap_or(u64::MAX),
        })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<ClientAddress, Count>> {
        self.by_address
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gateway {
    /// Somebody at `address` has failed at `attempt`. Told only after it was found to be wrong: whoever is right never
    /// comes here.
    ///
    /// # Errors
    /// [`TooManyAttempts`], when they fail too often.
    pub fn attempt_failed(
        &self,
        attempt: Attempt,
        address: ClientAddress,
    ) -> Result<(), TooManyAttempts> {
        self.parts.attempts.failed(attempt, address)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::base::Timestamp;

    fn attempts() -> (Attempts, Clock) {
        let clock = Clock::manual(Timestamp::from_unix(1_000));
        (Attempts::new(clock.clone()), clock)
    }

    fn address(number: u32) -> ClientAddress {
        IpAddr::from(Ipv4Addr::from(number)).into()
    }

    #[test]
    fn who_fails_too_often_is_told_when_to_come_back() {
        let (attempts, clock) = attempts();
        let taken = |address| {
            (0..10_000)
                .take_while(|_| attempts.failed(Attempt::SignIn, address).is_ok())
                .count()
        };
        assert_eq!(taken(address(1)), 20);
        let refused = attempts.failed(Attempt::SignIn, address(1)).unwrap_err();
        assert_eq!(refused.again_in_seconds, 6);
        assert_eq!(taken(address(2)), 20, "a neighbour");
        clock.advance(Duration::from_secs(12));
        assert_eq!(taken(address(1)), 2);
    }

    #[test]
    fn one_kind_of_attempt_does_not_use_up_another() {
        let (attempts, _) = attempts();
        for _ in 0..10_000 {
            let _ = attempts.failed(Attempt::Bearer, address(1));
        }
        assert!(attempts.failed(Attempt::Bearer, address(1)).is_err());
        assert!(attempts.failed(Attempt::SignIn, address(1)).is_ok());
        assert!(attempts.failed(Attempt::Callback, address(1)).is_ok());
    }

    #[test]
    fn memory_is_bounded_and_given_back() {
        let (attempts, clock) = attempts();
        let known = || attempts.lanes[0].counts().len();
        for number in 0..100_000 {
            let _ = attempts.failed(Attempt::Bearer, address(number));
        }
        assert_eq!(known(), ADDRESSES);
        assert!(
            attempts.failed(Attempt::Bearer, address(1)).is_ok(),
            "who came in time has a count of their own"
        );
        assert!(attempts.failed(Attempt::Bearer, address(99_999)).is_err());
        clock.advance(Duration::from_secs(1));
        attempts.forget_the_idle();
        assert_eq!(known(), 1, "one has failed twice");
        clock.advance(Duration::from_mins(10));
        attempts.forget_the_idle();
        assert_eq!(known(), 0);
    }
}
