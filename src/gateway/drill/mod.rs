//! Fire drills: what a fault at a provider would come to.
//!
//! Owns the closed list of faults and the report of a drill. A drill on a real connection is a rehearsal: it feeds the
//! fault into the decisions that the gateway itself takes, and neither sends nor changes anything.

mod rehearsal;

pub use rehearsal::RehearsalError;
use serde::{Deserialize, Serialize};

/// A fault to practise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Drill {
    /// The access token stops working at once.
    Expire,
    /// The refresh token is replaced each time it is used.
    Rotate,
    /// The person takes the access back at the provider.
    Revoke,
    /// The token endpoint answers 503.
    #[serde(rename = "5xx")]
    Unavailable,
    /// The token endpoint answers late.
    Slow,
    /// The token endpoint answers 429 and asks to wait.
    #[serde(rename = "429")]
    Throttled,
    /// The token endpoint hands out new tokens, and its answer never arrives.
    LostAnswer,
    /// The token endpoint refuses the refresh token.
    InvalidGrant,
    /// The revocation endpoint answers 503 during a disconnect.
    RevocationDown,
}

impl Drill {
    /// Every drill, in the order of the documentation.
    pub const ALL: [Self; 9] = [
        Self::Expire,
        Self::Rotate,
        Self::Revoke,
        Self::Unavailable,
        Self::Slow,
        Self::Throttled,
        Self::LostAnswer,
        Self::InvalidGrant,
        Self::RevocationDown,
    ];

    /// What it is called on the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Expire => "expire",
            Self::Rotate => "rotate",
            Self::Revoke => "revoke",
            Self::Unavailable => "5xx",
            Self::Slow => "slow",
            Self::Throttled => "429",
            Self::LostAnswer => "lost-answer",
            Self::InvalidGrant => "invalid-grant",
            Self::RevocationDown => "revocation-down",
        }
    }

    /// What goes wrong, in a sentence.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Expire => "The access token stops working before its time.",
            Self::Rotate => {
                "The access token stops working, twice; the refresh token is replaced each time."
            }
            Self::Revoke => "The person takes the access back on the provider's own page.",
            Self::Unavailable => {
                "The access token stops working, and the token endpoint answers 503."
            }
            Self::Slow => "The access token stops working, and the token endpoint answers late.",
            Self::Throttled => {
                "The access token stops working, and the token endpoint answers 429 with Retry-After."
            }
            Self::LostAnswer => {
                "The access token stops working; the token endpoint hands out new tokens, and its answer is lost."
            }
            Self::InvalidGrant => {
                "The access token stops working, and the token endpoint answers invalid_grant."
            }
            Self::RevocationDown => {
                "The person disconnects, and the revocation endpoint answers 503."
            }
        }
    }
}

/// What a drill showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillReport {
    /// The service's identifier.
    pub service: String,
    /// The account whose connection it was about.
    pub account: String,
    /// What was practised.
    pub drill: Drill,
    /// The fault was provoked for real; otherwise nothing was sent and nothing changed.
    pub for_real: bool,
    /// The status before, in a word.
    pub before: String,
    /// What happened, or would, in order.
    pub steps: Vec<DrillStep>,
    /// The status after, in a word.
    pub after: String,
    /// The one thing that mends it.
    pub mends: String,
}

/// One step of a drill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillStep {
    /// Whose doing it is.
    pub who: Actor,
    /// What happens.
    pub what: String,
}

/// Who acts in a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// The service, and what it saw.
    Provider,
    /// This gateway.
    Gateway,
    /// What the agent is told.
    Agent,
    /// What the person does or sees.
    Person,
}

impl Actor {
    /// The actor in a word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Gateway => "gateway",
            Self::Agent => "agent",
            Self::Person => "person",
        }
    }
}

impl DrillReport {
    /// Notes the next step.
    pub fn step(&mut self, who: Actor, what: impl Into<String>) {
        let what = what.into();
        self.steps.push(DrillStep { who, what });
    }
}
