//! A connection and its status.

use serde::{Deserialize, Serialize};

use crate::base::{ConnectionId, PersonId, Timestamp};
use crate::catalogue::{Account, ScopeSet};

/// The link between one person and one account at one service. Holds no secret: those are in its
/// [`Credential`](super::Credential).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Its identifier.
    pub id: ConnectionId,
    /// Whose it is.
    pub person: PersonId,
    /// The service, by the stem of its provider file.
    pub service: String,
    /// The account it reaches.
    pub account: Account,
    /// The authority that granted it, kept with the connection: a changed configuration must not send its tokens
    /// elsewhere.
    pub granted_by: GrantedBy,
    /// What was asked for.
    pub requested: ScopeSet,
    /// What was granted.
    pub granted: ScopeSet,
    /// How it stands.
    pub status: Status,
    /// Since when it stands so.
    pub since: Timestamp,
}

/// Who granted a connection, and to which client registration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantedBy {
    /// The provider's issuer identifier, where it has one.
    pub issuer: Option<String>,
    /// The token endpoint that gave the credential.
    pub token_endpoint: String,
    /// Our client id at that time.
    pub client_id: String,
}

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

impl Status {
    /// The status in a word, for commands and tools.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Active => "connected",
            Self::Expired { .. } => "expired",
            Self::Revoked { .. } => "disconnected",
        }
    }
}

/// Why a connection must be connected again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpiredReason {
    /// The provider refused the access token.
    RefusedByProvider,
    /// The access token's lifetime is over.
    LifetimeOver,
}

/// Why a connection was disconnected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevokedReason {
    /// The person disconnected it.
    DisconnectedByUser,
}

/// How a disconnected connection stands at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtProvider {
    /// The provider has not confirmed the revocation yet; the credential is kept for that alone.
    Pending,
    /// The provider confirmed it; the credential is deleted.
    Confirmed,
    /// The provider has no way to revoke; the credential is deleted.
    Unsupported,
}

impl Connection {
    /// Whether calls may use it.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status == Status::Active
    }

    /// The connection after its credential stopped working. One that was disconnected stays so.
    #[must_use]
    pub fn expire(self, reason: ExpiredReason, now: Timestamp) -> Self {
        match self.status {
            Status::Active => Self {
                status: Status::Expired { reason },
                since: now,
                ..self
            },
            Status::Expired { .. } | Status::Revoked { .. } => self,
        }
    }

    /// The connection after the person disconnected it: unusable here, and not yet confirmed by the provider.
    #[must_use]
    pub fn disconnect(self, now: Timestamp) -> Self {
        let status = Status::Revoked {
            reason: RevokedReason::DisconnectedByUser,
            at_provider: AtProvider::Pending,
        };
        Self {
            status,
            since: now,
            ..self
        }
    }

    /// The connection after the provider's side of a disconnect is known. Only a disconnected one changes.
    #[must_use]
    pub fn settle(self, at_provider: AtProvider) -> Self {
        match self.status {
            Status::Revoked { reason, .. } => Self {
                status: Status::Revoked {
                    reason,
                    at_provider,
                },
                ..self
            },
            Status::Active | Status::Expired { .. } => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Random;

    fn connection(status: Status) -> Connection {
        let random = Random::seeded(3);
        Connection {
            id: ConnectionId::new(&random),
            person: PersonId::new(&random),
            service: "acme".into(),
            account: Account {
                id: "1".into(),
                label: "ana".into(),
            },
            granted_by: GrantedBy {
                issuer: None,
                token_endpoint: "https://acme.example/token".into(),
                client_id: "c".into(),
            },
            requested: ScopeSet::default(),
            granted: ScopeSet::default(),
            status,
            since: Timestamp::from_unix(0),
        }
    }

    #[test]
    fn a_disconnected_connection_never_comes_back_by_itself() {
        let now = Timestamp::from_unix(9);
        let revoked = connection(Status::Active).disconnect(now);
        assert!(!revoked.is_active());
        assert_eq!(
            revoked
                .clone()
                .expire(ExpiredReason::RefusedByProvider, now),
            revoked
        );
        let settled = revoked.settle(AtProvider::Confirmed);
        assert!(matches!(
            settled.status,
            Status::Revoked {
                at_provider: AtProvider::Confirmed,
                ..
            }
        ));
    }

    #[test]
    fn only_a_disconnected_connection_settles() {
        let active = connection(Status::Active);
        assert_eq!(active.clone().settle(AtProvider::Confirmed), active);
        let expired = active.expire(ExpiredReason::LifetimeOver, Timestamp::from_unix(5));
        assert_eq!(expired.since, Timestamp::from_unix(5));
    }
}
