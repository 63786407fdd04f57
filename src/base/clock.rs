//! The wall clock as a value: the system's, or one that a test turns.

use std::fmt;
use std::ops::Add;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// A moment in whole seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `seconds` after the Unix epoch.
    #[must_use]
    pub const fn from_unix(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since the Unix epoch.
    #[must_use]
    pub const fn as_unix(self) -> i64 {
        self.0
    }

    /// The moment that a text of RFC 3339 or ISO 8601 in UTC names, as in `2026-11-23T06:22:45Z` or `20261123T062245Z`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let moment = text.parse::<jiff::Timestamp>().ok()?;
        Some(Self(moment.as_second()))
    }

    /// How long after `earlier` this moment is; zero when it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)),
        )
    }
}

/// RFC 3339 in UTC, as in `2026-11-23T06:22:45Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(moment) => write!(formatter, "{moment}"),
            Err(_) => write!(formatter, "@{}", self.0),
        }
    }
}

/// The two hands of a clock that a test turns, in seconds.
#[derive(Debug)]
pub struct Hands {
    wall: AtomicI64,
    monotonic: AtomicI64,
}

/// Where the time comes from. Cloning a manual clock shares its hands.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's wall clock.
    System,
    /// A clock that stands still until a test turns it.
    Manual(Arc<Hands>),
}

impl Clock {
    /// A clock that shows `start` until [`Clock::advance`] is called.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Self::Manual(Arc::new(Hands {
            wall: AtomicI64::new(start.0),
            monotonic: AtomicI64::new(start.0),
        }))
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp(jiff_now()),
            Self::Manual(hands) => Timestamp(hands.wall.load(Ordering::SeqCst)),
        }
    }

    /// Time since some fixed moment, which never goes back: for rates and for how long something took. A manual clock
    /// counts its own seconds.
    #[must_use]
    pub fn monotonic(&self) -> Duration {
        match self {
            Self::System => system_monotonic(),
            Self::Manual(hands) => {
                let seconds = hands.monotonic.load(Ordering::SeqCst);
                Duration::from_secs(seconds.try_into().unwrap_or(0))
            }
        }
    }

    /// Turns a manual clock forward. The system's clock is left alone.
    pub fn advance(&self, by: Duration) {
        if let Self::Manual(hands) = self {
            let seconds = i64::try_from(by.as_secs()).unwrap_or(i64::MAX);
            hands.wall.fetch_add(seconds, Ordering::SeqCst);
            hands.monotonic.fetch_add(seconds, Ordering::SeqCst);
        }
    }

    /// Sets the wall time of a manual clock forward or back, as when somebody corrects a machine's clock: no time passes.
    /// The system's clock is left alone.
    pub fn jump(&self, seconds: i64) {
        if let Self::Manual(hands) = self {
            hands.wall.fetch_add(seconds, Ordering::SeqCst);
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the wall clock"
)]
fn jiff_now() -> i64 {
    jiff::Timestamp::now().as_second()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the monotonic clock"
)]
fn system_monotonic() -> Duration {
    static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);
    // Asked first, so that no moment lies before it.
    let first = *FIRST;
    Instant::now().saturating_duration_since(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_it_is_turned() {
        let clock = Clock::manual(Timestamp::from_unix(1_000));
        let shared = clock.clone();
        assert_eq!(clock.now(), clock.now());
        shared.advance(Duration::from_mins(1));
        assert_eq!(clock.now(), Timestamp::from_unix(1_060));
    }

    #[test]
    fn monotonic_time_does_not_go_back() {
        let earlier = Clock::System.monotonic();
        assert!(Clock::System.monotonic() >= earlier);
        let clock = Clock::manual(Timestamp::from_unix(1_000));
        let earlier = clock.monotonic();
        clock.advance(Duration::from_secs(5));
        assert_eq!(clock.monotonic(), earlier + Duration::from_secs(5));
    }

    #[test]
    fn moments_print_as_rfc_3339_and_never_overflow() {
        assert_eq!(Timestamp::from_unix(0).to_string(), "1970-01-01T00:00:00Z");
        for text in ["2026-11-23T06:22:45Z", "20261123T062245Z"] {
            let moment = Timestamp::parse(text).unwrap();
            assert_eq!(moment.to_string(), "2026-11-23T06:22:45Z");
        }
        assert_eq!(Timestamp::parse("yesterday"), None);
        let far = Timestamp::from_unix(i64::MAX) + Duration::from_secs(u64::MAX);
        assert_eq!(far.to_string(), format!("@{}", i64::MAX));
        assert_eq!(
            Timestamp::from_unix(5).since(Timestamp::from_unix(9)),
            Duration::ZERO
        );
    }
}
