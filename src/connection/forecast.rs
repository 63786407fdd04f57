//! When a connection will stop working by itself, told before it does.
//!
//! Pure: from what the provider says in its replies and in its documentation. Refuses to know who asks.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Credential;
use crate::base::Timestamp;
use crate::catalogue::{RefreshRules, Rotation};

/// How often a connection that nobody uses is renewed all the same, so that no limit on idle time ends it.
pub const KEEP_ALIVE: Duration = Duration::from_hours(24);

const DAY: Duration = Duration::from_hours(24);

/// When an active connection will end, as far as anybody can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forecast {
    /// Nothing says that it will.
    Lasts,
    /// It is renewed ahead of time, again and again.
    RenewsItself,
    /// At a certain moment, unless the person connects it again before.
    Ends(Ending),
}

/// The end of a connection that can be foreseen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: EndReason,
    /// From when on it is worth telling somebody: seven days before, or a fifth of the lifetime where that is shorter than
    /// fourteen days.
    pub warn_at: Timestamp,
}

/// Why a connection will end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The provider gave nothing to renew the access token with.
    RefreshTokenMissing,
    /// The provider ends every grant after a while, however often it is renewed.
    GrantTooOld,
    /// The refresh token has an end of its own, which a renewal does not move.
    RefreshTokenTooOld,
    /// It has not been renewed for so long that the provider will forget it.
    NotRenewed,
}

impl EndReason {
    /// Why, for a person, in one sentence without the service's name.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::RefreshTokenMissing => "The service gives nothing to renew it with.",
            Self::GrantTooOld => {
                "The service ends every connection after a while, however often it is renewed."
            }
            Self::RefreshTokenTooOld => {
                "The service has set an end that renewing it does not move."
            }
            Self::NotRenewed => {
                "It could not be renewed for a while, and the service will forget it."
            }
        }
    }

    /// The reason in a word, for events and scripts: the same as it is stored.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::RefreshTokenMissing => "refresh_token_missing",
            Self::GrantTooOld => "grant_too_old",
            Self::RefreshTokenTooOld => "refresh_token_too_old",
            Self::NotRenewed => "not_renewed",
        }
    }
}

impl Ending {
    fn new(begins: Timestamp, at: Timestamp, why: EndReason) -> Self {
        let lifetime = at.since(begins);
        let notice = if lifetime < DAY * 14 {
            lifetime / 5
        } else {
            DAY * 7
        };
        let before = i64::try_from(notice.as_secs()).unwrap_or(i64::MAX);
        Self {
            at,
            why,
            warn_at: Timestamp::from_unix(at.as_unix().saturating_sub(before)),
        }
    }

    /// Whether it is time to do something about it.
    #[must_use]
    pub fn is_near(&self, now: Timestamp) -> bool {
        now >= self.warn_at
    }
}

impl Forecast {
    /// The forecast for a connection that was made at `since` and has `credential` now.
    ///
    /// A limit that every renewal moves counts only where renewals do not reach: when it is shorter than the time between
    /// them, or when the warning is due all the same, because nothing was renewed for long.
    #[must_use]
    pub fn of(
        credential: &Credential,
        rules: &RefreshRules,
        since: Timestamp,
        now: Timestamp,
    ) -> Self {
        let limits = Limits::of(credential, rules, since);
        let counts = |limit: &&Limit| limit.outruns_renewal(now);
        let first = limits
            .0
            .iter()
            .filter(counts)
            .min_by_key(|limit| limit.end.at);
        match first {
            Some(limit) => Self::Ends(limit.end),
            None if credential.refresh_token.is_some() => Self::RenewsItself,
            None => Self::Lasts,
        }
    }

    /// When the forecast must be looked at again, at the latest: the warning of the first limit whose warning is still to
    /// come, or whose end is. None: nothing that can be foreseen changes it.
    #[must_use]
    pub fn look_again(
        credential: &Credential,
        rules: &RefreshRules,
        since: Timestamp,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let limits = Limits::of(credential, rules, since);
        let next = |limit: &Limit| {
            [limit.end.warn_at, limit.end.at]
                .into_iter()
                .find(|at| *at > now)
        };
        limits.0.iter().filter_map(next).min()
    }

    /// The end, where there is one.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        match self {
            Self::Ends(ending) => Some(*ending),
            Self::Lasts | Self::RenewsItself => None,
        }
    }
}

/// Everything that limits a credential.
struct Limits(Vec<Limit>);

struct Limit {
    begins: Timestamp,
    end: Ending,
    /// Every renewal moves it, and one that nobody uses is renewed this often; none: no renewal moves it.
    renewed_every: Option<Duration>,
}

impl Limit {
    /// Whether it may end the connection although that is renewed again and again.
    fn outruns_renewal(&self, now: Timestamp) -> bool {
        self.renewed_every.is_none_or(|every| {
            self.end.warn_at.since(self.begins) <= every || self.end.is_near(now)
        })
    }
}

impl Limits {
    fn of(credential: &Credential, rules: &RefreshRules, since: Timestamp) -> Self {
        let obtained = credential.obtained;
        let limit = |begins, at, why, renewed_every| Limit {
            begins,
            end: Ending::new(begins, at, why),
            renewed_every,
        };
        if credential.refresh_token.is_none() {
            let end = credential.expires;
            let end = end.map(|at| limit(since, at, EndReason::RefreshTokenMissing, None));
            return Self(end.into_iter().collect());
        }
        let grant = rules
            .absolute_ttl
            .map(|lifetime| limit(since, since + lifetime, EndReason::GrantTooOld, None));
        // As renewals are planned: three times within the limit, and daily at least.
        let idle = rules.idle_ttl.map(|lifetime| {
            let every = (lifetime / 3).min(KEEP_ALIVE);
            let end = obtained + lifetime;
            limit(obtained, end, EndReason::NotRenewed, Some(every))
        });
        // A provider that gives a new refresh token gives it a new lifetime; one that does not counts the same one down.
        let moves = rules.rotates != Rotation::Never;
        let why = if moves {
            EndReason::NotRenewed
        } else {
            EndReason::RefreshTokenTooOld
        };
        let begins = if moves { obtained } else { since };
        let told = credential
            .refresh_expires
            .map(|at| limit(begins, at, why, moves.then_some(KEEP_ALIVE)));
        Self([grant, idle, told].into_iter().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Secret;

    const NOON: Timestamp = Timestamp::from_unix(1_800_000_000);
    const HOUR: Duration = Duration::from_hours(1);

    fn credential(refreshes: bool) -> Credential {
        Credential {
            access_token: Secret::new("a1"),
            refresh_token: refreshes.then(|| Secret::new("r1")),
            obtained: NOON,
            expires: Some(NOON + HOUR),
            refresh_expires: None,
            generation: 1,
            intent: None,
        }
    }

    fn ends(forecast: Forecast) -> Option<(u64, EndReason, u64)> {
        let ending = forecast.ending()?;
        let after = |at: Timestamp| at.since(NOON).as_secs();
        Some((after(ending.at), ending.why, after(ending.warn_at)))
    }

    #[test]
    fn what_can_be_renewed_renews_itself_and_what_has_no_end_lasts() {
        let rules = RefreshRules::default();
        let of = |credential: &Credential| Forecast::of(credential, &rules, NOON, NOON);
        assert_eq!(of(&credential(true)), Forecast::RenewsItself);
        let endless = Credential {
            expires: None,
            ..credential(false)
        };
        assert_eq!(of(&endless), Forecast::Lasts);
        assert_eq!(Forecast::look_again(&endless, &rules, NOON, NOON), None);
        // An hour, and a fifth of it before.
        let end = (3_600, EndReason::RefreshTokenMissing, 2_880);
        assert_eq!(ends(of(&credential(false))), Some(end));
    }

    #[test]
    fn a_grant_ends_however_often_it_is_renewed() {
        let rules = RefreshRules {
            absolute_ttl: Some(DAY * 90),
            idle_ttl: Some(DAY * 60),
            ..RefreshRules::default()
        };
        let forecast = Forecast::of(&credential(true), &rules, NOON, NOON);
        let days = |days: u64| days * DAY.as_secs();
        let end = (days(90), EndReason::GrantTooOld, days(83));
        assert_eq!(ends(forecast), Some(end));
        // The idle limit is the next thing to look at, and a renewal moves it.
        let look = Forecast::look_again(&credential(true), &rules, NOON, NOON).unwrap();
        assert_eq!(look.since(NOON), DAY * 53);
    }

    #[test]
    fn an_idle_limit_counts_only_once_renewals_have_failed_for_long() {
        let idle = |lifetime| RefreshRules {
            idle_ttl: Some(lifetime),
            ..RefreshRules::default()
        };
        let now = |rules: &RefreshRules, after| {
            Forecast::of(&credential(true), rules, NOON, NOON + after).ending()
        };
        let month = idle(DAY * 30);
        assert_eq!(now(&month, DAY), None);
        assert_eq!(now(&month, DAY * 22), None);
        let late = now(&month, DAY * 23).unwrap();
        assert_eq!(
            (late.at, late.why),
            (NOON + DAY * 30, EndReason::NotRenewed)
        );
        assert_eq!(now(&idle(HOUR * 8), HOUR), None);
        let short = now(&idle(HOUR * 8), HOUR * 7).unwrap();
        assert_eq!(short.at, NOON + HOUR * 8);
    }

    #[test]
    fn a_refresh_token_that_ends_before_the_daily_renewal_is_told() {
        let mut told = credential(true);
        told.refresh_expires = Some(NOON + HOUR * 20);
        let forecast = Forecast::of(&told, &RefreshRules::default(), NOON, NOON);
        assert_eq!(forecast.ending().unwrap().at, NOON + HOUR * 20);
    }

    #[test]
    fn an_end_that_replies_tell_counts_where_refresh_tokens_stay_the_same() {
        let mut told = credential(true);
        told.refresh_expires = Some(NOON + DAY * 7);
        let of = |rotates| {
            let rules = RefreshRules {
                rotates,
                ..RefreshRules::default()
            };
            Forecast::of(&told, &rules, NOON, NOON)
        };
        let fixed = of(Rotation::Never).ending().unwrap();
        assert_eq!(fixed.why, EndReason::RefreshTokenTooOld);
        // A fifth of seven days.
        assert_eq!(fixed.at.since(fixed.warn_at), DAY * 7 / 5);
        assert_eq!(of(Rotation::Always), Forecast::RenewsItself);
        assert_eq!(of(Rotation::Maybe), Forecast::RenewsItself);
    }
}
