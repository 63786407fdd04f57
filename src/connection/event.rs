//! What is told to the outside about connections.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Connection, Ending, ExpiredReason, RevokedReason, Status};
use crate::base::{PersonId, Timestamp};

/// What an event is about: its `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EventKind {
    /// A person connected a service, for the first time or again.
    #[serde(rename = "connection.connected")]
    Connected,
    /// A connection stopped working.
    #[serde(rename = "connection.expired")]
    Expired,
    /// A connection was disconnected.
    #[serde(rename = "connection.revoked")]
    Revoked,
    /// A connection works, and its end can be foreseen.
    #[serde(rename = "connection.about_to_expire")]
    AboutToExpire,
    /// Somebody wants to see whether events arrive.
    #[serde(rename = "attache.test")]
    Test,
}

impl EventKind {
    /// The kinds that a webhook can be set up for. A test goes to every webhook that it is meant for.
    pub const ALL: [Self; 4] = [
        Self::Connected,
        Self::Expired,
        Self::Revoked,
        Self::AboutToExpire,
    ];

    /// The `type` of such an event.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connected => "connection.connected",
            Self::Expired => "connection.expired",
            Self::Revoked => "connection.revoked",
            Self::AboutToExpire => "connection.about_to_expire",
            Self::Test => "attache.test",
        }
    }

    /// The kind of this name, of those that a webhook can be set up for.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One event, before it has an identifier and receivers. It holds no secret.
#[derive(Clone, Debug)]
pub struct Event {
    /// What it is about.
    pub kind: EventKind,
    /// When it happened: since when the connection stands so, or from when on its end was near.
    pub at: Timestamp,
    connection: Connection,
    ending: Option<Ending>,
}

impl Event {
    /// What there is to tell about a connection as it stands. `ending` is the end that can be foreseen for an active one.
    #[must_use]
    pub fn of(connection: &Connection, ending: Option<Ending>) -> Self {
        let kind = match connection.status {
            Status::Active => EventKind::Connected,
            Status::Expired { .. } => EventKind::Expired,
            Status::Revoked { .. } => EventKind::Revoked,
        };
        Self {
            kind,
            at: connection.since,
            connection: connection.clone(),
            ending: ending.filter(|_| connection.is_active()),
        }
    }

    /// That the end of an active connection is near.
    #[must_use]
    pub fn about_to_expire(connection: &Connection, ending: Ending) -> Self {
        Self {
            kind: EventKind::AboutToExpire,
            at: ending.warn_at.max(connection.since),
            connection: connection.clone(),
            ending: Some(ending),
        }
    }

    /// Whose connection it is about.
    #[must_use]
    pub fn person(&self) -> &PersonId {
        &self.connection.person
    }

    /// What tells this event from every other one: the same parts, however often it is told.
    #[must_use]
    pub fn identity(&self) -> [String; 4] {
        let moment = match (self.kind, self.ending) {
            (EventKind::AboutToExpire, Some(ending)) => ending.at,
            _ => self.at,
        };
        [
            self.connection.id.to_string(),
            // One that is connected twice in a second is told of twice.
            self.connection.connects.to_string(),
            self.kind.name().to_owned(),
            moment.as_unix().to_string(),
        ]
    }

    /// What is sent. The account's label is personal data, mostly an e-mail address: only who asks for it gets it.
    #[must_use]
    pub fn body(&self, with_account: bool) -> String {
        let connection = &self.connection;
        let mut data = json!({
            "person": connection.person,
            "connection": connection.id,
            "service": connection.service,
            "status": connection.status.word(),
            "since": connection.since.to_string(),
        });
        if let Some(reason) = self.reason() {
            data["reason"] = json!(reason);
        }
        if let Some(ending) = self.ending {
            data["ends"] = json!(ending.at.to_string());
        }
        if with_account {
            data["account"] = json!(connection.account.label);
        }
        body(self.kind, self.at, &data)
    }

    fn reason(&self) -> Option<&'static str> {
        match (self.kind, self.connection.status) {
            (EventKind::AboutToExpire, _) => self.ending.map(|ending| ending.why.word()),
            (_, Status::Active) => None,
            (_, Status::Expired { reason }) => Some(expired(reason)),
            (_, Status::Revoked { reason, .. }) => Some(revoked(reason)),
        }
    }
}

/// The body of a test.
#[must_use]
pub fn test_body(now: Timestamp) -> String {
    let data = json!({ "message": "Attache can reach this webhook." });
    body(EventKind::Test, now, &data)
}

/// Standard Webhooks, "Payload structure": `type`, `timestamp`, `data`.
fn body(kind: EventKind, at: Timestamp, data: &Value) -> String {
    json!({ "type": kind.name(), "timestamp": at.to_string(), "data": data }).to_string()
}

/// The words of the reasons are those of the stored records: a closed list that only grows.
fn expired(reason: ExpiredReason) -> &'static str {
    match reason {
        ExpiredReason::RefusedByProvider => "refused_by_provider",
        ExpiredReason::RefreshTokenMissing => "refresh_token_missing",
        ExpiredReason::RefreshTokenTooOld => "refresh_token_too_old",
        ExpiredReason::InterruptedRefresh => "interrupted_refresh",
        ExpiredReason::ScopeWithdrawn => "scope_withdrawn",
        ExpiredReason::Damaged => "damaged",
    }
}

fn revoked(reason: RevokedReason) -> &'static str {
    match reason {
        RevokedReason::DisconnectedByUser => "disconnected_by_user",
        RevokedReason::DisconnectedByAdmin => "disconnected_by_admin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_records() {
        let stored = |value: Value| value.as_str().unwrap().to_owned();
        for reason in [
            ExpiredReason::RefusedByProvider,
            ExpiredReason::RefreshTokenMissing,
            ExpiredReason::RefreshTokenTooOld,
            ExpiredReason::InterruptedRefresh,
            ExpiredReason::ScopeWithdrawn,
        ] {
            assert_eq!(stored(json!(reason)), expired(reason));
        }
        for reason in [
            RevokedReason::DisconnectedByUser,
            RevokedReason::DisconnectedByAdmin,
        ] {
            assert_eq!(stored(json!(reason)), revoked(reason));
        }
        for kind in EventKind::ALL {
            assert_eq!(stored(json!(kind)), kind.name());
            assert_eq!(EventKind::parse(kind.name()), Some(kind));
        }
        assert_eq!(EventKind::parse("attache.test"), None);
    }
}
