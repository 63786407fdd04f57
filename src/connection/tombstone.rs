//! What is left of a credential that must still be revoked at its provider.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Connection, Credential, GrantedBy};
use crate::base::{ConnectionId, PersonId, Secret, Timestamp};

/// Tokens that nothing here uses any more and that the provider must still take back. It alone holds them, and it goes
/// as soon as they are dead.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tombstone {
    /// Whose they were.
    pub person: PersonId,
    /// The connection they belonged to.
    pub connection: ConnectionId,
    /// Its service.
    pub service: String,
    /// Who must take them back.
    pub granted_by: GrantedBy,
    /// The access token.
    #[serde(with = "crate::base::secret::for_sealing", default)]
    pub access_token: Option<Secret>,
    /// The refresh token.
    #[serde(with = "crate::base::secret::for_sealing", default)]
    pub refresh_token: Option<Secret>,
    /// When the access token ends by itself, where the provider said so.
    pub access_expires: Option<Timestamp>,
    /// Why they are not used any more.
    pub reason: TombstoneReason,
    /// Since when.
    pub buried: Timestamp,
    /// How often the provider was asked.
    pub attempts: u32,
    /// Before this moment nobody asks again by themselves.
    #[serde(default)]
    pub next: Option<Timestamp>,
    /// The provider said that they are dead; a token that answers all the same is watched until it does not.
    pub confirmed: bool,
}

/// Why tokens are not used any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TombstoneReason {
    /// Their connection was disconnected, and waits for them to be dead.
    Disconnected,
    /// Others took their place, or could not be kept; no connection waits.
    Superseded,
}

impl Tombstone {
    /// How long the tokens are kept, for the revocation alone.
    pub const KEPT: Duration = Duration::from_hours(30 * 24);

    /// The tokens of a connection's credential, nothing of them revoked yet.
    #[must_use]
    pub fn of(
        connection: &Connection,
        credential: &Credential,
        reason: TombstoneReason,
        now: Timestamp,
    ) -> Self {
        Self {
            person: connection.person.clone(),
            connection: connection.id.clone(),
            service: connection.service.clone(),
            granted_by: connection.granted_by.clone(),
            access_token: Some(credential.access_token.clone()),
            refresh_token: credential.refresh_token.clone(),
            access_expires: credential.expires,
            reason,
            buried: now,
            attempts: 0,
            next: None,
            confirmed: false,
        }
    }

    /// What is left once the tokens that `credential` still holds are left out: those are in use, and must not be
    /// revoked. A provider may give the same token twice.
    #[must_use]
    pub fn without_those_of(mut self, credential: &Credential) -> Self {
        self.access_token
            .take_if(|token| *token == credential.access_token);
        self.refresh_token
            .take_if(|token| credential.refresh_token.as_ref() == Some(token));
        self
    }

    /// Whether there is no token in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.access_token.is_none() && self.refresh_token.is_none()
    }

    /// Whether the access token can do nothing any more, as far as the time tells.
    #[must_use]
    pub fn access_is_over(&self, now: Timestamp) -> bool {
        self.access_token.is_none() || self.access_expires.is_some_and(|end| end <= now)
    }

    /// The tombstone after the provider was asked without a final answer.
    #[must_use]
    pub fn asked(mut self, now: Timestamp) -> Self {
        self.attempts = self.attempts.saturating_add(1);
        let pause = self.pause();
        self.rest_until(now + pause, now)
    }

    /// The tombstone that nobody looks at before `moment`, or before something changes by itself: the access token ends,
    /// or the time to keep it.
    #[must_use]
    pub fn rest_until(mut self, moment: Timestamp, now: Timestamp) -> Self {
        let ends = [self.access_expires, Some(self.buried + Self::KEPT)];
        let sooner = ends.into_iter().flatten().filter(|end| *end > now);
        self.next = sooner.chain([moment]).min();
        self
    }

    /// Whether the time to get them revoked is over.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.buried + Self::KEPT
    }

    /// How long to wait after the latest attempt: a minute, and twice as long each time, six hours at most.
    #[must_use]
    pub fn pause(&self) -> Duration {
        const FIRST: Duration = Duration::from_mins(1);
        const LONGEST: Duration = Duration::from_hours(6);
        let doublings = self.attempts.saturating_sub(1).min(16);
        (FIRST * 2_u32.pow(doublings)).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Random;

    const NOON: Timestamp = Timestamp::from_unix(1_800_000_000);
    const HOUR: Duration = Duration::from_hours(1);

    fn tombstone() -> Tombstone {
        let random = Random::seeded(1);
        Tombstone {
            person: PersonId::new(&random),
            connection: ConnectionId::new(&random),
            service: "acme".into(),
            granted_by: GrantedBy {
                issuer: None,
                token_endpoint: "https://acme.example/token".into(),
                client_id: "c".into(),
            },
            access_token: Some(Secret::new("a1")),
            refresh_token: Some(Secret::new("r1")),
            access_expires: None,
            reason: TombstoneReason::Disconnected,
            buried: NOON,
            attempts: 0,
            next: None,
            confirmed: false,
        }
    }

    #[test]
    fn pauses_double_up_to_six_hours() {
        let mut now = NOON;
        let mut asked = tombstone();
        let mut pauses = Vec::new();
        for _ in 0..12 {
            asked = asked.asked(now);
            let next = asked.next.unwrap();
            pauses.push(next.since(now).as_secs() / 60);
            now = next;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360]);
    }

    #[test]
    fn it_is_looked_at_when_something_changes_by_itself() {
        let late = NOON + HOUR * 5;
        let mut dying = tombstone();
        dying.access_expires = Some(NOON + HOUR);
        assert_eq!(dying.clone().rest_until(late, NOON).next, Some(NOON + HOUR));
        // What has ended already changes nothing any more.
        let over = NOON + HOUR * 2;
        assert_eq!(dying.rest_until(late, over).next, Some(late));
        let last = NOON + Tombstone::KEPT;
        assert_eq!(
            tombstone().rest_until(last + HOUR, late).next,
            Some(last),
            "the tokens go after 30 days, not later"
        );
    }

    #[test]
    fn tokens_that_are_in_use_are_left_out() {
        let credential = Credential {
            access_token: Secret::new("a1"),
            refresh_token: Some(Secret::new("r2")),
            obtained: NOON,
            expires: None,
            refresh_expires: None,
            generation: 2,
            intent: None,
        };
        let left = tombstone().without_those_of(&credential);
        assert_eq!(
            (left.access_token.as_ref(), left.refresh_token.as_ref()),
            (None, Some(&Secret::new("r1")))
        );
        assert!(!left.is_empty() && left.access_is_over(NOON));
        let same = Credential {
            refresh_token: Some(Secret::new("r1")),
            ..credential
        };
        assert!(left.without_those_of(&same).is_empty());
    }
}
