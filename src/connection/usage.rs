//! When a connection was used, and for what.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;
use crate::catalogue::ScopeSet;

/// When calls last used a connection, and on which day each of its scopes was last needed. A record of its own: the
/// credential must not change with every call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Since when it is kept: of the time before nothing is known.
    pub since: Timestamp,
    /// When a call last used the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Timestamp>,
    /// The beginning of the day, in UTC, on which a call last needed each scope.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scopes: BTreeMap<String, Timestamp>,
}

impl Usage {
    /// How far "in the last 30 days" goes back.
    pub const RECENT: Duration = Duration::from_hours(30 * 24);

    /// Nothing used yet.
    #[must_use]
    pub const fn begun(now: Timestamp) -> Self {
        Self {
            since: now,
            last_used: None,
            scopes: BTreeMap::new(),
        }
    }

    /// A call needs `scopes` now.
    pub fn note(&mut self, scopes: &ScopeSet, now: Timestamp) {
        self.last_used = self.last_used.max(Some(now));
        for scope in scopes.iter() {
            self.note_day(scope, day(now));
        }
    }

    /// What both know together: the earlier beginning, the later uses.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        self.since = self.since.min(other.since);
        self.last_used = self.last_used.max(other.last_used);
        for (scope, day) in &other.scopes {
            self.note_day(scope, *day);
        }
        self
    }

    /// The day on which `scope` was last needed.
    #[must_use]
    pub fn last_needed(&self, scope: &str) -> Option<Timestamp> {
        self.scopes.get(scope).copied()
    }

    /// Whether a call needed `scope` in the last 30 days.
    #[must_use]
    pub fn is_recent(&self, scope: &str, now: Timestamp) -> bool {
        self.last_needed(scope)
            .is_some_and(|last| day(now).since(last) <= Self::RECENT)
    }

    fn note_day(&mut self, scope: &str, day: Timestamp) {
        let known = self.scopes.entry(scope.to_owned()).or_insert(day);
        *known = day.max(*known);
    }
}

/// The beginning of the day, in UTC.
fn day(moment: Timestamp) -> Timestamp {
    const DAY: i64 = 86_400;
    let seconds = moment.as_unix();
    Timestamp::from_unix(seconds - seconds.rem_euclid(DAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_unix(1_800_014_400);
    const DAY: Duration = Duration::from_hours(24);

    fn scopes(text: &str) -> ScopeSet {
        ScopeSet::parse(text, "")
    }

    #[test]
    fn a_scope_is_known_by_its_day_and_recent_for_thirty_days() {
        let mut usage = Usage::begun(NOON);
        usage.note(&scopes("read"), NOON);
        assert_eq!(usage.last_used, Some(NOON));
        let day = usage.last_needed("read").unwrap();
        assert_eq!(NOON.since(day), Duration::from_hours(12));
        assert!(usage.is_recent("read", NOON + DAY * 30));
        assert!(!usage.is_recent("read", NOON + DAY * 31));
        assert!(!usage.is_recent("write", NOON));
    }

    #[test]
    fn two_ledgers_of_one_connection_become_one() {
        let (mut one, mut other) = (Usage::begun(NOON), Usage::begun(NOON + DAY));
        one.note(&scopes("read write"), NOON);
        other.note(&scopes("read"), NOON + DAY * 2);
        let both = one.clone().with(&other);
        assert_eq!(both, other.with(&one));
        assert_eq!((both.since, both.last_used), (NOON, Some(NOON + DAY * 2)));
        assert!(both.last_needed("read") > both.last_needed("write"));
    }

    #[test]
    fn a_clock_that_was_set_back_takes_nothing_away() {
        let mut usage = Usage::begun(NOON);
        usage.note(&scopes("read"), NOON + DAY * 5);
        let before = usage.clone();
        usage.note(&scopes("read"), NOON);
        assert_eq!(usage, before);
        assert!(usage.is_recent("read", NOON));
    }
}
