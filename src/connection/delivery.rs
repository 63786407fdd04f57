//! One event on its way to one webhook.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::EventKind;
use crate::base::{EventId, PersonId, Timestamp};

/// An event, for one webhook: what is sent, and what came of it. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The event. It is the same for every webhook and every attempt, so that receivers know one that they have.
    pub event: EventId,
    /// What it is about.
    pub kind: EventKind,
    /// Whose connection it is about: when they leave, it is destroyed.
    pub person: PersonId,
    /// The webhook, by the name that the configuration gives it.
    pub webhook: String,
    /// What is sent, to the byte.
    pub body: String,
    /// When it was put down to be sent.
    pub made: Timestamp,
    /// How it stands.
    pub state: DeliveryState,
    /// How often it was tried since it was put down, or since somebody wanted it sent again.
    pub tries: u32,
    /// The latest attempts, oldest first.
    pub attempts: Vec<Attempt>,
}

/// How a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is tried at `next`.
    Waiting {
        /// Not before then.
        next: Timestamp,
    },
    /// The receiver took it.
    Delivered {
        /// When.
        at: Timestamp,
    },
    /// It is not tried any more, unless somebody wants it.
    GivenUp {
        /// Why.
        why: GivenUp,
    },
}

/// Why a delivery is not tried any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GivenUp {
    /// It was tried as often as it is tried.
    TriedTooOften,
    /// The receiver said 410: it wants no events any more.
    Gone,
}

/// One attempt to deliver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When.
    pub at: Timestamp,
    /// What came of it.
    pub outcome: AttemptOutcome,
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// The receiver answered.
    Answered {
        /// With this status.
        status: u16,
    },
    /// There was no answer.
    Failed {
        /// What stood in the way; of the address only scheme, host and port.
        why: String,
    },
}

impl Attempt {
    /// Whether the receiver took the event: any status of success (Standard Webhooks, "Delivery").
    #[must_use]
    pub fn succeeded(&self) -> bool {
        matches!(self.outcome, AttemptOutcome::Answered { status } if (200..300).contains(&status))
    }

    /// Whether the receiver wants no events any more.
    #[must_use]
    pub fn says_gone(&self) -> bool {
        self.outcome == AttemptOutcome::Answered { status: 410 }
    }
}

impl Delivery {
    /// How long a delivery is kept, for its log and for sending it again.
    pub const KEPT: Duration = Duration::from_hours(30 * 24);

    /// The pauses after each failed attempt, as Standard Webhooks proposes them: about three days in all.
    const PAUSES: [Duration; 9] = [
        Duration::from_secs(5),
        Duration::from_mins(5),
        Duration::from_mins(30),
        Duration::from_hours(2),
        Duration::from_hours(5),
        Duration::from_hours(10),
        Duration::from_hours(14),
        Duration::from_hours(20),
        Duration::from_hours(24),
    ];

    /// The longest that a receiver can make a delivery wait with `Retry-After`.
    const LONGEST_PAUSE: Duration = Duration::from_hours(24);

    /// How many attempts are remembered.
    const ATTEMPTS_KEPT: usize = 20;

    /// Whether the receiver still has to be told that a connection was disconnected. It goes out even if the person has
    /// left meanwhile: whoever keeps something of theirs learns from it that it must go.
    #[must_use]
    pub fn is_last_word(&self) -> bool {
        self.kind == EventKind::Revoked && matches!(self.state, DeliveryState::Waiting { .. })
    }

    /// The delivery after one more attempt. `retry_after` is what the receiver asked for; `spread`, from 0 to 255, is by
    /// how much the pause grows, up to a tenth, so that what failed together does not come back together.
    #[must_use]
    pub fn after(mut self, attempt: Attempt, retry_after: Option<Duration>, spread: u8) -> Self {
        let at = attempt.at;
        self.tries += 1;
        self.state = if attempt.succeeded() {
            DeliveryState::Delivered { at }
        } else if attempt.says_gone() {
            DeliveryState::GivenUp { why: GivenUp::Gone }
        } else {
            let next = Self::PAUSES.get(self.tries as usize - 1).map(|pause| {
                let longer = *pause + *pause * u32::from(spread) / 2_550;
                at + longer.max(retry_after.unwrap_or_default().min(Self::LONGEST_PAUSE))
            });
            match next {
                Some(next) => DeliveryState::Waiting { next },
                None => DeliveryState::GivenUp {
                    why: GivenUp::TriedTooOften,
                },
            }
        };
        self.attempts.push(attempt);
        let too_many = self.attempts.len().saturating_sub(Self::ATTEMPTS_KEPT);
        self.attempts.drain(..too_many);
        self
    }

    /// The delivery when its receiver wants no events any more, and it was not even tried.
    #[must_use]
    pub fn given_up(self) -> Self {
        Self {
            state: DeliveryState::GivenUp { why: GivenUp::Gone },
            ..self
        }
    }

    /// The delivery when somebody wants it sent again, from the first attempt on.
    #[must_use]
    pub fn again(self, now: Timestamp) -> Self {
        Self {
            state: DeliveryState::Waiting { next: now },
            tries: 0,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Random;

    const NOON: Timestamp = Timestamp::from_unix(1_800_000_000);

    fn delivery() -> Delivery {
        Delivery {
            event: EventId::new(&Random::seeded(1)),
            kind: EventKind::Connected,
            person: PersonId::new(&Random::seeded(1)),
            webhook: "ops".into(),
            body: "{}".into(),
            made: NOON,
            state: DeliveryState::Waiting { next: NOON },
            tries: 0,
            attempts: Vec::new(),
        }
    }

    fn answered(status: u16, at: Timestamp) -> Attempt {
        Attempt {
            at,
            outcome: AttemptOutcome::Answered { status },
        }
    }

    #[test]
    fn it_is_tried_ten_times_in_about_three_days() {
        for (spread, hours) in [(0, 75), (255, 83)] {
            let mut now = delivery();
            let mut at = NOON;
            let mut tries = 0;
            while let DeliveryState::Waiting { next } = now.state {
                assert!(next >= at, "time goes on");
                at = next;
                now = now.after(answered(500, at), None, spread);
                tries += 1;
            }
            assert_eq!(tries, 10);
            assert_eq!(at.since(NOON).as_secs() / 3_600, hours, "{spread}");
            let why = GivenUp::TriedTooOften;
            assert_eq!(now.state, DeliveryState::GivenUp { why });
            // Whoever wants it again gets all of that again.
            assert_eq!(now.again(at).tries, 0);
        }
    }

    #[test]
    fn success_and_gone_end_it_and_redirects_do_not() {
        let state = |status| delivery().after(answered(status, NOON), None, 0).state;
        let delivered = DeliveryState::Delivered { at: NOON };
        assert_eq!([state(200), state(204)], [delivered; 2]);
        let why = GivenUp::Gone;
        assert_eq!(state(410), DeliveryState::GivenUp { why });
        let next = NOON + Duration::from_secs(5);
        let waiting = DeliveryState::Waiting { next };
        assert_eq!([state(302), state(400), state(503)], [waiting; 3]);
    }

    #[test]
    fn a_receiver_can_ask_for_a_longer_pause_up_to_a_day() {
        let next = |seconds| {
            let pause = Some(Duration::from_secs(seconds));
            match delivery().after(answered(429, NOON), pause, 0).state {
                DeliveryState::Waiting { next } => next.since(NOON).as_secs(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!([next(1), next(600), next(u64::MAX / 4)], [5, 600, 86_400]);
    }

    #[test]
    fn only_the_latest_attempts_are_remembered() {
        let mut now = delivery();
        for at in 0..100 {
            now = now
                .again(NOON)
                .after(answered(500, Timestamp::from_unix(at)), None, 0);
        }
        assert_eq!(now.attempts.len(), 20);
        assert_eq!(now.attempts[19].at, Timestamp::from_unix(99));
    }
}
