//! What is left of a credential that must still be revoked at its provider.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::GrantedBy;
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
