//! How a connection stands: its status, the reason, and the one thing that mends it.

use serde::{Deserialize, Serialize};

/// How a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Status {
    /// Valid and ready.
    Active,
    /// Must be connected again.
    Expired {
        /// Why.
        reason: ExpiredReason,
    },
    /// Disconnected by hand: unusable here, at once.
    Revoked {
        /// Why.
        reason: RevokedReason,
        /// How it stands at the provider.
        at_provider: AtProvider,
    },
}

/// Why a connection must be connected again. A closed list: whatever ends a connection has its place here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpiredReason {
    /// The provider refused the credential: the access token, or the refresh token (`invalid_grant`).
    RefusedByProvider,
    /// The access token's lifetime is over, and the provider gave nothing to renew it with.
    #[serde(alias = "lifetime_over")]
    RefreshTokenMissing,
    /// The refresh token's own lifetime is over.
    RefreshTokenTooOld,
    /// A renewal was cut off before its answer arrived, and the provider accepts the old refresh token no more.
    InterruptedRefresh,
    /// The provider took back a permission without which the account cannot even be named.
    ScopeWithdrawn,
    /// What is stored of it cannot be read. Never stored itself: whoever looks finds it, and finds it gone once the
    /// record is whole again.
    Damaged,
}

/// Why a connection was disconnected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevokedReason {
    /// The person disconnected it.
    DisconnectedByUser,
    /// Whoever runs the gateway disconnected it.
    DisconnectedByAdmin,
}

/// How a disconnected connection stands at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtProvider {
    /// Not proven dead yet: it is tried again until it is. A tombstone keeps the credential for that alone.
    Pending,
    /// The provider confirmed it, and the credential is gone.
    Confirmed,
    /// The provider has no way to revoke; the credential is deleted.
    Unsupported,
    /// The provider did not confirm within the time that a tombstone is kept; the credential is deleted.
    GaveUp,
}

/// The one thing that mends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// It works.
    Nothing,
    /// The person connects it again.
    Reconnect,
    /// Nothing is broken: the person may connect it anew.
    ConnectAnew,
}

impl Status {
    /// The status in a word, for commands and tools.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Active => "connected",
            Self::Expired {
                reason: ExpiredReason::Damaged,
            } => "damaged",
            Self::Expired { .. } => "expired",
            Self::Revoked { .. } => "disconnected",
        }
    }

    /// What mends it.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Active => Remedy::Nothing,
            Self::Expired { .. } => Remedy::Reconnect,
            Self::Revoked { .. } => Remedy::ConnectAnew,
        }
    }

    /// Whether it was not disconnected: it works, or did until something ended it.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        !matches!(self, Self::Revoked { .. })
    }

    /// Whether a revocation at the provider is still under way.
    #[must_use]
    pub fn is_being_revoked(&self) -> bool {
        let pending = AtProvider::Pending;
        matches!(self, Self::Revoked { at_provider, .. } if *at_provider == pending)
    }
}

impl ExpiredReason {
    /// What happened, for a person, in one sentence without the service's name.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::RefusedByProvider => "The service no longer accepts it.",
            Self::RefreshTokenMissing => {
                "Its time is over, and the service gives nothing to renew it with."
            }
            Self::RefreshTokenTooOld => "It was not renewed before the service's time limit.",
            Self::InterruptedRefresh => {
                "A renewal was cut off, and the service does not accept a second try."
            }
            Self::ScopeWithdrawn => "The service took a permission back that it cannot do without.",
            Self::Damaged => {
                "What Attache stored for this connection was damaged or changed, so it must be connected again."
            }
        }
    }
}
