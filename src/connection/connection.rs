//! A connection and its status.

use serde::{Deserialize, Serialize};

use super::{AtProvider, ExpiredReason, RevokedReason, Status};
use crate::base::{ConnectionId, PersonId, Timestamp};
use crate::catalogue::{Account, Reach, ScopeSet};

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
    /// How many times the person connected it.
    #[serde(default)]
    pub connects: u32,
    /// What its addresses are made of, as the login said it.
    #[serde(default, skip_serializing_if = "Reach::is_empty")]
    pub reach: Reach,
}

/// Who granted a connection, and to which client registration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantedBy {
    /// The provider's issuer identifier, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The token endpoint that gave the credential.
    pub token_endpoint: String,
    /// Our client id at that time.
    pub client_id: String,
}

/// A change that the status of a connection does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a connection that is {from} cannot become {to}")]
pub struct IllegalTransition {
    from: &'static str,
    to: &'static str,
}

impl Connection {
    /// The generation of its first credential: above all those of the times that it was connected before, so that what
    /// was begun with one of them is known as late.
    #[must_use]
    pub fn first_generation(&self) -> u64 {
        (u64::from(self.connects) << 32) + 1
    }

    /// Whether a credential of this generation belongs to one of the times that it was connected so far; a later one is of
    /// a sign-in whose connection is written next.
    #[must_use]
    pub fn has_had(&self, generation: u64) -> bool {
        generation >> 32 <= u64::from(self.connects)
    }

    /// Whether calls may use it.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status == Status::Active
    }

    /// Whether its account is one that calls may mean: it has not been disconnected. One that expired may be meant too,
    /// and is then connected again.
    #[must_use]
    pub fn is_choice(&self) -> bool {
        !matches!(self.status, Status::Revoked { .. })
    }

    /// The connection after its credential stopped working.
    ///
    /// # Errors
    /// [`IllegalTransition`] unless it was active: what has expired keeps its first reason, and what was disconnected
    /// stays so.
    pub fn expire(self, reason: ExpiredReason, now: Timestamp) -> Result<Self, IllegalTransition> {
        match self.status {
            Status::Active => Ok(self.into_status(Status::Expired { reason }, now)),
            status @ (Status::Expired { .. } | Status::Revoked { .. }) => {
                Err(illegal(status, "expired"))
            }
        }
    }

    /// The connection after it was disconnected: unusable here, and not yet confirmed by the provider.
    ///
    /// # Errors
    /// [`IllegalTransition`] when it was disconnected before: the first time counts.
    pub fn disconnect(
        self,
        reason: RevokedReason,
        now: Timestamp,
    ) -> Result<Self, IllegalTransition> {
        match self.status {
            Status::Active | Status::Expired { .. } => {
                let at_provider = AtProvider::Pending;
                let status = Status::Revoked {
                    reason,
                    at_provider,
                };
                Ok(self.into_status(status, now))
            }
            status @ Status::Revoked { .. } => Err(illegal(status, "disconnected")),
        }
    }

    /// The connection after the provider's side of a disconnect is known. It stands so since it was disconnected.
    ///
    /// # Errors
    /// [`IllegalTransition`] unless its revocation was under way.
    pub fn settle(self, at_provider: AtProvider) -> Result<Self, IllegalTransition> {
        match self.status {
            Status::Revoked {
                reason,
                at_provider: AtProvider::Pending,
            } => {
                let (status, since) = (
                    Status::Revoked {
                        reason,
                        at_provider,
                    },
                    self.since,
                );
                Ok(self.into_status(status, since))
            }
            status => Err(illegal(status, "settled")),
        }
    }

    /// The connection after a token turned up that a confirmed disconnect had not reached: it is being revoked again.
    ///
    /// # Errors
    /// [`IllegalTransition`] unless the provider had confirmed.
    pub fn doubt(self) -> Result<Self, IllegalTransition> {
        match self.status {
            Status::Revoked {
                reason,
                at_provider: AtProvider::Confirmed,
            } => {
                let since = self.since;
                let at_provider = AtProvider::Pending;
                let status = Status::Revoked {
                    reason,
                    at_provider,
                };
                Ok(self.into_status(status, since))
            }
            status => Err(illegal(status, "doubted")),
        }
    }

    fn into_status(self, status: Status, since: Timestamp) -> Self {
        Self {
            status,
            since,
            ..self
        }
    }
}

fn illegal(from: Status, to: &'static str) -> IllegalTransition {
    let from = from.word();
    IllegalTransition { from, to }
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
                workspace: None,
            },
            granted_by: GrantedBy {
                issuer: None,
                token_endpoint: "https://acme.example/token".into(),
                client_id: "c".into(),
            },
            requested: ScopeSet::default(),
            granted: ScopeSet::default(),
            status,
            connects: 1,
            reach: crate::catalogue::Reach::default(),
            since: Timestamp::from_unix(0),
        }
    }

    const NOW: Timestamp = Timestamp::from_unix(9);
    const REFUSED: ExpiredReason = ExpiredReason::RefusedByProvider;
    const BY_USER: RevokedReason = RevokedReason::DisconnectedByUser;

    fn revoked(at_provider: AtProvider) -> Status {
        let reason = BY_USER;
        Status::Revoked {
            reason,
            at_provider,
        }
    }

    #[test]
    fn every_change_of_status_is_legal_or_refused() {
        let expired = Status::Expired { reason: REFUSED };
        let pending = revoked(AtProvider::Pending);
        let confirmed = revoked(AtProvider::Confirmed);
        let gave_up = revoked(AtProvider::GaveUp);
        // from, and what expiring, disconnecting, settling and doubting come to.
        let table = [
            (Status::Active, Some(expired), Some(pending), None, None),
            (expired, None, Some(pending), None, None),
            (pending, None, None, Some(confirmed), None),
            (confirmed, None, None, None, Some(pending)),
            (gave_up, None, None, None, None),
        ];
        for (from, expire, disconnect, settle, doubt) in table {
            let status = |changed: Result<Connection, _>| changed.ok().map(|now| now.status);
            assert_eq!(status(connection(from).expire(REFUSED, NOW)), expire);
            assert_eq!(
                status(connection(from).disconnect(BY_USER, NOW)),
                disconnect
            );
            let settled = connection(from).settle(AtProvider::Confirmed);
            assert_eq!(status(settled), settle);
            assert_eq!(status(connection(from).doubt()), doubt);
        }
    }

    #[test]
    fn a_settled_disconnect_keeps_its_moment() {
        let gone = connection(Status::Active).disconnect(BY_USER, NOW).unwrap();
        assert_eq!(gone.settle(AtProvider::GaveUp).unwrap().since, NOW);
    }
}
