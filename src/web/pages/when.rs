//! Moments as people say them.

use jiff::Timestamp as Moment;
use jiff::fmt::strtime;

use crate::base::Timestamp;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A moment beside the moment at which the page is made: near ones are told as a distance, far ones as a date.
///
/// Dates are in UTC, and say so when they show an hour: the server does not know where the reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    at: Timestamp,
    now: Timestamp,
}

impl When {
    /// The moment `at`, told at `now`.
    #[must_use]
    pub const fn new(at: Timestamp, now: Timestamp) -> Self {
        Self { at, now }
    }

    /// For the `datetime` attribute of `<time>`: RFC 3339 in UTC.
    #[must_use]
    pub fn machine(&self) -> String {
        self.at.to_string()
    }

    /// The moment to the minute, as in `23 November 2026, 06:22 UTC`.
    #[must_use]
    pub fn exact(&self) -> String {
        self.format("%-d %B %Y, %H:%M UTC")
    }

    /// The day alone, as in `23 November 2026`.
    #[must_use]
    pub fn date(&self) -> String {
        self.format("%-d %B %Y")
    }

    /// The hour alone, as in `06:22 UTC`.
    #[must_use]
    pub fn hour(&self) -> String {
        self.format("%H:%M UTC")
    }

    /// How one says it in a sentence: `just now`, `5 minutes ago`, `in 2 hours`, `on 23 November 2026`.
    #[must_use]
    pub fn words(&self) -> String {
        let distance = self.at.as_unix().saturating_sub(self.now.as_unix());
        let amount = match distance.saturating_abs() {
            ..MINUTE if distance <= 0 => return "just now".to_owned(),
            ..MINUTE => return "in less than a minute".to_owned(),
            seconds @ ..HOUR => counted(seconds / MINUTE, "minute"),
            seconds @ ..DAY => counted(seconds / HOUR, "hour"),
            seconds if seconds < 7 * DAY => counted(seconds / DAY, "day"),
            _ => return self.format("on %-d %B %Y"),
        };
        if distance < 0 {
            format!("{amount} ago")
        } else {
            format!("in {amount}")
        }
    }

    fn format(&self, pattern: &str) -> String {
        Moment::from_second(self.at.as_unix())
            .ok()
            .and_then(|moment| strtime::format(pattern, moment).ok())
            .unwrap_or_else(|| self.at.to_string())
    }
}

fn counted(number: i64, unit: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(at: i64, now: i64) -> String {
        When::new(Timestamp::from_unix(at), Timestamp::from_unix(now)).words()
    }

    #[test]
    fn near_moments_are_distances_and_far_ones_are_dates() {
        let now = 1_795_415_000;
        for (distance, expected) in [
            (0, "just now"),
            (-59, "just now"),
            (-60, "1 minute ago"),
            (-3_599, "59 minutes ago"),
            (-3_600, "1 hour ago"),
            (-86_399, "23 hours ago"),
            (-86_400, "1 day ago"),
            (-604_799, "6 days ago"),
            (-604_800, "on 16 November 2026"),
            (30, "in less than a minute"),
            (540, "in 9 minutes"),
            (7_200, "in 2 hours"),
            (604_800, "on 30 November 2026"),
        ] {
            assert_eq!(words(now + distance, now), expected);
        }
    }

    #[test]
    fn a_moment_is_exact_for_machines_and_to_the_minute_for_people() {
        let when = When::new(Timestamp::from_unix(1_795_415_000), Timestamp::from_unix(0));
        assert_eq!(when.machine(), "2026-11-23T06:23:20Z");
        assert_eq!(when.exact(), "23 November 2026, 06:23 UTC");
        assert_eq!(when.hour(), "06:23 UTC");
        assert_eq!(when.date(), "23 November 2026");
    }

    #[test]
    fn a_moment_outside_the_calendar_is_still_printed() {
        assert_eq!(words(i64::MAX, 0), format!("@{}", i64::MAX));
        assert_eq!(words(i64::MIN, i64::MAX), format!("@{}", i64::MIN));
    }
}
