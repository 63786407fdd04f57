//! The secret inside a connection, and how one follows another.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{Secret, Timestamp};
use crate::catalogue::RefreshRules;

/// What proves a connection to the provider. Kept in a record of its own, so that nothing unrelated ever makes the
/// write of a new token fail.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Credential {
    /// Sent with every call.
    #[serde(with = "crate::base::secret::for_sealing")]
    pub access_token: Secret,
    /// Renews the access token, where the provider gives one.
    #[serde(
        with = "crate::base::secret::for_sealing",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub refresh_token: Option<Secret>,
    /// When the access token was received.
    #[serde(default = "long_ago")]
    pub obtained: Timestamp,
    /// When the access token stops working, where the provider says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// When the refresh token stops working, where the provider says so in its replies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_expires: Option<Timestamp>,
    /// Counts the credentials of this connection. It is the fencing value: whoever writes names the credential that it
    /// replaces, and an older one never takes the place of a newer.
    pub generation: u64,
    /// A renewal that was announced and has not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<RefreshIntent>,
}

/// The durable announcement of a token request, written before the request is sent. Whoever finds one of another process
/// knows that its refresh token may be spent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshIntent {
    /// The process that announced it; a new name with every start.
    pub holder: String,
    /// When the first of its requests was announced.
    pub since: Timestamp,
    /// How many requests were announced whose answer nobody has seen, this one included.
    pub unanswered: u32,
    /// A request was answered in a way that leaves open whether the provider acted.
    pub unclear: bool,
}

/// What a provider gave for a refresh token.
#[derive(Clone, Debug)]
pub struct Renewal {
    /// The new access token.
    pub access_token: Secret,
    /// The next refresh token; none: the one that was used stays.
    pub refresh_token: Option<Secret>,
    /// How long the access token lives; none: as long as the one before.
    pub expires_in: Option<Duration>,
    /// How long the refresh token lives, where the provider says so.
    pub refresh_expires_in: Option<Duration>,
}

/// A single-use refresh token was sent twice and no answer arrived: a third time is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the refresh token was sent twice and no answer arrived")]
pub struct RefreshExhausted;

impl Credential {
    /// How many times a single-use refresh token is sent without an answer: once, and one announced replay.
    const UNANSWERED_AT_MOST: u32 = 2;

    /// The credential with a request announced in it by `holder`. Must be durable before the request is sent.
    ///
    /// # Errors
    /// [`RefreshExhausted`] for a single-use refresh token that was replayed before.
    pub fn announce(
        &self,
        holder: &str,
        rules: &RefreshRules,
        now: Timestamp,
    ) -> Result<Self, RefreshExhausted> {
        let before = self.intent.as_ref();
        let unanswered = before.map_or(0, |intent| intent.unanswered);
        if rules.single_use && unanswered >= Self::UNANSWERED_AT_MOST {
            return Err(RefreshExhausted);
        }
        let intent = RefreshIntent {
            holder: holder.to_owned(),
            since: before.map_or(now, |intent| intent.since),
            unanswered: unanswered.saturating_add(1),
            unclear: before.is_some_and(|intent| intent.unclear),
        };
        Ok(self.with_intent(Some(intent)))
    }

    /// The next credential, from the answer to the announced request. Keeps the refresh token and the lifetimes where the
    /// answer has none.
    #[must_use]
    pub fn renewed(&self, renewal: Renewal, now: Timestamp) -> Self {
        let lifetime = renewal.expires_in.or(self.lifetime());
        let refresh_expires = match (renewal.refresh_expires_in, &renewal.refresh_token) {
            (Some(lifetime), _) => Some(now + lifetime),
            (None, _) => self.refresh_expires,
        };
        Self {
            access_token: renewal.access_token,
            refresh_token: renewal.refresh_token.or_else(|| self.refresh_token.clone()),
            obtained: now,
            expires: lifetime.map(|lifetime| now + lifetime),
            refresh_expires,
            generation: self.generation + 1,
            intent: None,
        }
    }

    /// The credential after the announced request was answered, and brought nothing. `unclear`: the provider may have
    /// acted all the same.
    #[must_use]
    pub fn answered(&self, unclear: bool) -> Self {
        let after = self.intent.clone().and_then(|intent| {
            let intent = RefreshIntent {
                unanswered: intent.unanswered.saturating_sub(1),
                unclear: intent.unclear || unclear,
                ..intent
            };
            (intent.unanswered > 0 || intent.unclear).then_some(intent)
        });
        self.with_intent(after)
    }

    /// The credential once it is known that no announced request took effect.
    #[must_use]
    pub fn untouched(&self) -> Self {
        self.with_intent(None)
    }

    /// The credential as it must be taken when it comes out of a backup that was made at `made`: its refresh token may have
    /// been spent since, as after a request whose answer was lost. None when there is no refresh token.
    #[must_use]
    pub fn doubted(&self, made: Timestamp) -> Option<Self> {
        self.refresh_token.as_ref()?;
        let before = self.intent.as_ref();
        Some(self.with_intent(Some(RefreshIntent {
            holder: "a backup".to_owned(),
            since: before.map_or(made, |intent| intent.since),
            unanswered: before.map_or(1, |intent| intent.unanswered.max(1)),
            unclear: true,
        })))
    }

    fn with_intent(&self, intent: Option<RefreshIntent>) -> Self {
        Self {
            intent,
            ..self.clone()
        }
    }

    /// The access token's whole lifetime, where it is known.
    #[must_use]
    pub fn lifetime(&self) -> Option<Duration> {
        let expires = self.expires?;
        (self.obtained != long_ago()).then(|| expires.since(self.obtained))
    }

    /// How long the access token still works by the wall clock; none: nobody knows. A clock that was set back never
    /// makes it longer than its whole lifetime.
    #[must_use]
    pub fn remaining(&self, now: Timestamp) -> Option<Duration> {
        let left = self.expires?.since(now);
        Some(self.lifetime().map_or(left, |whole| left.min(whole)))
    }

    /// How long before its end an access token is renewed ahead of time: a tenth of its lifetime, a minute at least, and
    /// less than half of it.
    #[must_use]
    pub fn margin(&self) -> Duration {
        const AT_LEAST: Duration = Duration::from_mins(1);
        let Some(whole) = self.lifetime() else {
            return AT_LEAST;
        };
        let wanted = (whole / 10).max(AT_LEAST);
        let half = whole.saturating_sub(Duration::from_secs(1)) / 2;
        wanted.min(half)
    }

    /// How long before its end an access token is not used any more without renewing it first: half a minute, or half of
    /// [`Credential::margin`].
    #[must_use]
    pub fn reserve(&self) -> Duration {
        const USUAL: Duration = Duration::from_secs(30);
        USUAL.min(self.margin() / 2)
    }

    /// When the refresh token stops working, by what the provider says in its replies or in its documentation. `granted`
    /// is when the person allowed it.
    #[must_use]
    pub fn refresh_token_ends(
        &self,
        rules: &RefreshRules,
        granted: Timestamp,
    ) -> Option<Timestamp> {
        self.refresh_token.as_ref()?;
        let absolute = rules.absolute_ttl.map(|lifetime| granted + lifetime);
        let idle = rules.idle_ttl.map(|lifetime| self.obtained + lifetime);
        [self.refresh_expires, absolute, idle]
            .into_iter()
            .flatten()
            .min()
    }
}

/// What a record of before this was kept has in its place.
const fn long_ago() -> Timestamp {
    Timestamp::from_unix(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_unix(1_800_000_000);
    const HOUR: Duration = Duration::from_hours(1);

    fn credential(lifetime: Option<Duration>) -> Credential {
        Credential {
            access_token: Secret::new("a1"),
            refresh_token: Some(Secret::new("r1")),
            obtained: NOON,
            expires: lifetime.map(|lifetime| NOON + lifetime),
            refresh_expires: None,
            generation: 1,
            intent: None,
        }
    }

    fn renewal() -> Renewal {
        Renewal {
            access_token: Secret::new("a2"),
            refresh_token: None,
            expires_in: None,
            refresh_expires_in: None,
        }
    }

    #[test]
    fn a_renewal_keeps_what_the_answer_leaves_out() {
        let later = NOON + HOUR;
        let next = credential(Some(HOUR)).renewed(renewal(), later);
        assert_eq!(next.refresh_token, Some(Secret::new("r1")));
        assert_eq!(next.expires, Some(later + HOUR));
        assert_eq!((next.generation, next.intent), (2, None));
    }

    #[test]
    fn a_single_use_token_is_sent_twice_at_most_without_an_answer() {
        let rules = RefreshRules {
            single_use: true,
            ..RefreshRules::default()
        };
        let once = credential(None).announce("one", &rules, NOON).unwrap();
        let twice = once.announce("two", &rules, NOON + HOUR).unwrap();
        assert_eq!(twice.intent.as_ref().unwrap().unanswered, 2);
        assert_eq!(twice.intent.as_ref().unwrap().since, NOON);
        let third = twice.announce("two", &rules, NOON + HOUR);
        assert_eq!(third.unwrap_err(), RefreshExhausted);
        // An answer frees the way: the provider said that it did nothing.
        assert_eq!(once.answered(false).intent, None);
        assert!(twice.answered(false).announce("two", &rules, NOON).is_ok());
        // One that may be sent often is.
        let reusable = RefreshRules {
            single_use: false,
            ..rules
        };
        assert!(twice.announce("two", &reusable, NOON).is_ok());
    }

    #[test]
    fn an_unclear_answer_is_remembered_and_limits_nothing() {
        let rules = RefreshRules {
            single_use: true,
            ..RefreshRules::default()
        };
        let mut now = credential(None);
        for _ in 0..10 {
            now = now.announce("one", &rules, NOON).unwrap().answered(true);
            assert!(now.intent.as_ref().unwrap().unclear);
        }
    }

    #[test]
    fn a_token_out_of_a_backup_is_sent_once_more_at_most() {
        let rules = RefreshRules {
            single_use: true,
            ..RefreshRules::default()
        };
        let doubted = credential(None).doubted(NOON).unwrap();
        assert_eq!(doubted.doubted(NOON + HOUR).unwrap().intent, doubted.intent);
        let replay = doubted.announce("one", &rules, NOON + HOUR).unwrap();
        assert_eq!(
            replay.announce("one", &rules, NOON).unwrap_err(),
            RefreshExhausted
        );
        // One that was used up before the backup stays so.
        let exhausted = replay.doubted(NOON).unwrap();
        assert!(exhausted.announce("two", &rules, NOON).is_err());
        let mut without = credential(None);
        without.refresh_token = None;
        assert!(without.doubted(NOON).is_none());
    }

    #[test]
    fn margins_stay_below_half_of_the_lifetime() {
        for (lifetime, margin) in [(5, 2), (60, 29), (600, 60), (3600, 360), (86_400, 8_640)] {
            let credential = credential(Some(Duration::from_secs(lifetime)));
            assert_eq!(credential.margin().as_secs(), margin, "{lifetime}");
            assert!(credential.reserve() <= credential.margin() / 2);
        }
    }

    #[test]
    fn a_clock_that_was_set_back_lengthens_nothing() {
        let credential = credential(Some(HOUR));
        let yesterday = Timestamp::from_unix(NOON.as_unix() - 86_400);
        assert_eq!(credential.remaining(yesterday), Some(HOUR));
        assert_eq!(credential.remaining(NOON + HOUR), Some(Duration::ZERO));
    }

    #[test]
    fn a_refresh_token_ends_at_the_first_of_its_limits() {
        let day = Duration::from_hours(24);
        let rules = RefreshRules {
            idle_ttl: Some(day * 60),
            absolute_ttl: Some(day * 90),
            ..RefreshRules::default()
        };
        let mut credential = credential(Some(HOUR));
        let granted = Timestamp::from_unix(NOON.as_unix() - 80 * 86_400);
        assert_eq!(
            credential.refresh_token_ends(&rules, granted),
            Some(NOON + day * 10)
        );
        credential.refresh_expires = Some(NOON + day);
        assert_eq!(
            credential.refresh_token_ends(&rules, granted),
            Some(NOON + day)
        );
        credential.refresh_token = None;
        assert_eq!(credential.refresh_token_ends(&rules, granted), None);
    }
}
