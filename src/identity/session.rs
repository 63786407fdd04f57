//! Browser sessions and the one-time links that begin them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{PersonId, Secret, Timestamp};

/// How long a session holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// How long it holds while nobody uses it; none: as long as it lasts.
    pub idle: Option<Duration>,
    /// How long it lasts, used or not.
    pub absolute: Duration,
}

impl SessionLimits {
    /// Where people sign in with an issuer and nobody says otherwise: a day without use, a week in all.
    pub const OF_AN_ISSUER: Self = Self {
        idle: Some(Duration::from_hours(24)),
        absolute: Duration::from_hours(7 * 24),
    };
}

/// On one's own computer: a week.
impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            idle: None,
            absolute: Duration::from_hours(7 * 24),
        }
    }
}

/// A signed-in browser. Found by the digest of its cookie; the cookie itself is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Who is signed in.
    pub person: PersonId,
    /// What every form of this session must carry back (CSRF).
    #[serde(with = "crate::base::secret::for_sealing")]
    pub form_token: Secret,
    /// When it began.
    pub created: Timestamp,
    /// When it ends at the latest.
    pub expires: Timestamp,
    /// When it was last seen in use, give or take [`Session::seen_every`]; none: when it began.
    #[serde(default)]
    pub seen: Option<Timestamp>,
    /// The [`Standing::epoch`](super::Standing) of its person when it began.
    #[serde(default)]
    pub epoch: String,
}

impl Session {
    /// A session that begins now.
    #[must_use]
    pub fn begin(
        person: PersonId,
        form_token: Secret,
        epoch: String,
        limits: &SessionLimits,
        now: Timestamp,
    ) -> Self {
        Self {
            person,
            form_token,
            created: now,
            expires: now + limits.absolute,
            seen: None,
            epoch,
        }
    }

    /// Whether it still holds. What is configured now holds for sessions that began before, too.
    #[must_use]
    pub fn is_live(&self, limits: &SessionLimits, now: Timestamp) -> bool {
        let seen = self.seen.unwrap_or(self.created);
        let is_idle = limits.idle.is_some_and(|idle| now.since(seen) >= idle);
        now < self.expires && now < self.created + limits.absolute && !is_idle
    }

    /// The same, seen in use now; none while what is noted is fresh enough, so that not every page costs a write.
    #[must_use]
    pub fn seen_now(&self, limits: &SessionLimits, now: Timestamp) -> Option<Self> {
        let every = Self::seen_every(limits)?;
        let seen = self.seen.unwrap_or(self.created);
        (now.since(seen) >= every).then(|| Self {
            seen: Some(now),
            ..self.clone()
        })
    }

    /// How far behind [`Session::seen`] may be: a twentieth of the idle time, and no more than ten minutes.
    fn seen_every(limits: &SessionLimits) -> Option<Duration> {
        Some((limits.idle? / 20).min(Duration::from_mins(10)))
    }
}

/// What a one-time sign-in link stands for. Found by the digest of the link's last part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInLink {
    /// Who will be signed in.
    pub person: PersonId,
    /// When it stops working.
    pub expires: Timestamp,
}

impl SignInLink {
    /// How long a link works if nobody uses it.
    pub const LIFETIME: Duration = Duration::from_hours(12);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Random;

    fn session(limits: &SessionLimits, now: Timestamp) -> Session {
        let random = Random::seeded(1);
        let person = PersonId::new(&random);
        Session::begin(person, random.token(), String::new(), limits, now)
    }

    #[test]
    fn a_session_ends_when_it_rests_and_when_its_time_is_over() {
        let (limits, begun) = (SessionLimits::OF_AN_ISSUER, Timestamp::from_unix(0));
        let hours = |hours| begun + Duration::from_hours(hours);
        let mut session = session(&limits, begun);
        assert!(session.is_live(&limits, hours(23)));
        assert!(!session.is_live(&limits, hours(24)));
        for hour in (12..168).step_by(12) {
            assert!(session.is_live(&limits, hours(hour)), "{hour}");
            session = session.seen_now(&limits, hours(hour)).unwrap();
        }
        assert!(!session.is_live(&limits, hours(168)), "used to the end");
        let shorter = SessionLimits {
            absolute: Duration::from_hours(100),
            ..limits
        };
        assert!(!session.is_live(&shorter, hours(100)));
    }

    #[test]
    fn use_is_noted_now_and_then() {
        let (limits, begun) = (SessionLimits::OF_AN_ISSUER, Timestamp::from_unix(0));
        let session = session(&limits, begun);
        let after = |minutes| session.seen_now(&limits, begun + Duration::from_mins(minutes));
        assert!(after(9).is_none());
        assert_eq!(
            after(10).unwrap().seen,
            Some(begun + Duration::from_mins(10))
        );
        assert!(
            session
                .seen_now(&SessionLimits::default(), begun + Duration::from_hours(99))
                .is_none()
        );
    }

    #[test]
    fn a_session_from_before_is_readable() {
        let person = PersonId::new(&Random::seeded(1));
        let old =
            format!(r#"{{"person":"{person}","form_token":"t","created":5,"expires":604805}}"#);
        let read: Session = serde_json::from_str(&old).unwrap();
        assert_eq!((read.seen, read.epoch.as_str()), (None, ""));
        assert!(read.is_live(&SessionLimits::OF_AN_ISSUER, Timestamp::from_unix(6)));
    }
}
