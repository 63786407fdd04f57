//! How long token endpoints are left alone after they failed: each connection by itself, and each endpoint as a whole.
//!
//! A convenience of this process: after a restart everything may be tried at once again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::base::Random;

/// The pauses that are in force.
#[derive(Default)]
pub(super) struct Pauses {
    /// By the key of a connection, or the address of a token endpoint.
    failing: Mutex<HashMap<String, Failing>>,
}

#[derive(Clone, Copy)]
struct Failing {
    times: u32,
    /// On the monotonic clock.
    until: Duration,
}

/// How many failures in a row close an endpoint for every connection: a circuit breaker.
const BREAKS_AFTER: u32 = 5;

impl Pauses {
    /// How long `connection` must still wait before `endpoint` may be asked for it; none: not at all. `urgent` looks over
    /// a rest, which was taken because nothing was wrong with the access token.
    pub(super) fn left(
        &self,
        connection: &str,
        endpoint: &str,
        urgent: bool,
        now: Duration,
    ) -> Option<Duration> {
        let failing = self.lock();
        let left = |name: &str, at_least: u32| {
            let known = failing.get(name).filter(|known| known.times >= at_least)?;
            known.until.checked_sub(now).filter(|left| !left.is_zero())
        };
        left(connection, u32::from(urgent)).max(left(endpoint, BREAKS_AFTER))
    }

    /// Nothing is to be asked for `connection` for as long as `wait`, although nothing failed.
    pub(super) fn rest(&self, connection: &str, wait: Duration, now: Duration) {
        let mut failing = self.lock();
        let known = failing.entry(connection.to_owned()).or_insert(Failing {
            times: 0,
            until: Duration::ZERO,
        });
        known.until = known.until.max(now + wait);
    }

    /// `endpoint` failed for `connection` once more. `asked` is the pause that it asked for. Answers how long the
    /// connection waits now.
    pub(super) fn failed(
        &self,
        connection: &str,
        endpoint: &str,
        asked: Option<Duration>,
        now: Duration,
        random: &Random,
    ) -> Duration {
        let mut failing = self.lock();
        // What has been well for long is forgotten, so that the map does not grow.
        failing.retain(|_, known| known.until + LONGEST * 2 > now);
        let wait = failing
            .get(connection)
            .map_or(0, |known| known.times)
            .min(MANY);
        let wait = jittered(step(wait), random).max(asked.unwrap_or_default());
        for name in [connection, endpoint] {
            let known = failing.entry(name.to_owned()).or_insert(Failing {
                times: 0,
                until: Duration::ZERO,
            });
            known.times = known.times.saturating_add(1);
            let own = if name == connection {
                wait
            } else {
                // An endpoint that is closed is tried again soon, by whichever connection comes first.
                asked.unwrap_or(ENDPOINT_REST)
            };
            known.until = known.until.max(now + own);
        }
        wait
    }

    /// `endpoint` answered for `connection`: both are well.
    pub(super) fn worked(&self, connection: &str, endpoint: &str) {
        let mut failing = self.lock();
        failing.remove(connection);
        failing.remove(endpoint);
    }

    /// The connection is gone.
    pub(super) fn forget(&self, connection: &str) {
        self.lock().remove(connection);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Failing>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_mins(10);
const ENDPOINT_REST: Duration = Duration::from_secs(15);
const MANY: u32 = 16;

/// Five seconds, twice as long after each failure, ten minutes at most.
fn step(failures: u32) -> Duration {
    (FIRST * 2_u32.pow(failures.min(MANY))).min(LONGEST)
}

/// Up to a quarter more, so that those who failed together do not come back together.
fn jittered(step: Duration, random: &Random) -> Duration {
    let [chance] = random.bytes();
    step + step * u32::from(chance) / (4 * 256)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_hours(1);

    #[test]
    fn each_failure_doubles_the_pause_of_its_connection() {
        let (pauses, random) = (Pauses::default(), Random::seeded(3));
        let mut last = Duration::ZERO;
        for seconds in [5, 10, 20, 40, 80, 160, 320, 600, 600] {
            let step = Duration::from_secs(seconds);
            last = pauses.failed("con", "endpoint", None, NOW, &random);
            assert!(step <= last && last <= step * 5 / 4, "{last:?}");
        }
        assert_eq!(pauses.left("con", "endpoint", true, NOW), Some(last));
        assert_eq!(pauses.left("con", "endpoint", true, NOW + last), None);
        pauses.worked("con", "endpoint");
        assert_eq!(pauses.left("con", "endpoint", true, NOW), None);
    }

    #[test]
    fn a_rest_does_not_hold_up_what_is_urgent() {
        let pauses = Pauses::default();
        pauses.rest("con", FIRST, NOW);
        assert_eq!(pauses.left("con", "endpoint", false, NOW), Some(FIRST));
        assert_eq!(pauses.left("con", "endpoint", true, NOW), None);
    }

    #[test]
    fn what_the_provider_asks_for_is_granted() {
        let (pauses, random) = (Pauses::default(), Random::seeded(3));
        let asked = Duration::from_hours(2);
        assert_eq!(
            pauses.failed("con", "endpoint", Some(asked), NOW, &random),
            asked
        );
    }

    #[test]
    fn an_endpoint_that_fails_for_many_is_left_alone_by_all() {
        let (pauses, random) = (Pauses::default(), Random::seeded(3));
        for connection in ["1", "2", "3", "4"] {
            pauses.failed(connection, "endpoint", None, NOW, &random);
        }
        assert_eq!(pauses.left("other", "endpoint", true, NOW), None);
        pauses.failed("5", "endpoint", None, NOW, &random);
        let rest = Some(ENDPOINT_REST);
        assert_eq!(pauses.left("other", "endpoint", true, NOW), rest);
        assert_eq!(pauses.left("other", "elsewhere", true, NOW), None);
    }
}
