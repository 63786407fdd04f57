//! Which clients were seen with an agent's token, and when.

use serde::{Deserialize, Serialize};

use super::AgentKind;
use crate::base::{Timestamp, plain_line};

/// How many clients are remembered for one token. Two are more than one should have.
const CLIENTS: usize = 8;

/// What a client says of itself, as far as it is kept: short, on one line, without what cannot be seen. Nobody vouches
/// for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// `clientInfo.name`.
    pub name: String,
    /// `clientInfo.version`.
    pub version: String,
    /// The revision of MCP that it speaks.
    pub revision: String,
}

impl Client {
    /// What a client said of itself, made fit to be kept and shown.
    #[must_use]
    pub fn new(name: &str, version: &str, revision: &str) -> Self {
        Self {
            name: plain_line(name, 64),
            version: plain_line(version, 32),
            revision: plain_line(revision, 16),
        }
    }

    /// What sort of client it says it is.
    #[must_use]
    pub fn kind(&self) -> AgentKind {
        AgentKind::recognise(&self.name)
    }
}

/// One client, and when it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The client.
    #[serde(flatten)]
    pub client: Client,
    /// When it was first seen.
    pub first: Timestamp,
    /// When it was last seen.
    pub last: Timestamp,
}

/// Who was seen with one agent's token, and when it was last used. A record of its own, beside the agent's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sightings {
    /// When the token was first used.
    #[serde(default)]
    pub first_seen: Option<Timestamp>,
    /// When the token was last used, whoever used it.
    #[serde(default)]
    pub last_used: Option<Timestamp>,
    /// The clients, whoever was seen last first; the latest eight.
    #[serde(default)]
    pub clients: Vec<Sighting>,
}

impl Sightings {
    /// The token is used now, by `client` if it says who it is.
    pub fn note(&mut self, client: Option<Client>, now: Timestamp) {
        self.first_seen.get_or_insert(now);
        self.last_used = self.last_used.max(Some(now));
        if let Some(client) = client.filter(|client| !client.name.is_empty()) {
            self.add(Sighting {
                client,
                first: now,
                last: now,
            });
        }
    }

    /// What both know together.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        self.first_seen = match (self.first_seen, other.first_seen) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        self.last_used = self.last_used.max(other.last_used);
        for sighting in &other.clients {
            self.add(sighting.clone());
        }
        self
    }

    /// The client that was seen last.
    #[must_use]
    pub fn latest(&self) -> Option<&Client> {
        self.clients.first().map(|seen| &seen.client)
    }

    /// Whether both know the same clients, whenever they were seen.
    #[must_use]
    pub fn same_clients(&self, other: &Self) -> bool {
        let knows =
            |one: &Self, client: &Client| one.clients.iter().any(|seen| seen.client == *client);
        self.clients.len() == other.clients.len()
            && self.clients.iter().all(|seen| knows(other, &seen.client))
    }

    fn add(&mut self, sighting: Sighting) {
        let known = self
            .clients
            .iter_mut()
            .find(|seen| seen.client == sighting.client);
        match known {
            Some(seen) => {
                seen.first = seen.first.min(sighting.first);
                seen.last = seen.last.max(sighting.last);
            }
            None => self.clients.push(sighting),
        }
        self.clients
            .sort_by_key(|seen| std::cmp::Reverse(seen.last));
        self.clients.truncate(CLIENTS);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOON: Timestamp = Timestamp::from_unix(1_800_014_400);

    fn client(name: &str) -> Client {
        Client::new(name, "1.0", "2026-07-28")
    }

    #[test]
    fn the_last_eight_clients_are_remembered() {
        let mut seen = Sightings::default();
        for number in 0..20u64 {
            seen.note(
                Some(client(&format!("client {number}"))),
                NOON + Duration::from_secs(number),
            );
        }
        seen.note(Some(client("client 12")), NOON + Duration::from_mins(1));
        seen.note(Some(client("\u{200b}\n")), NOON + Duration::from_mins(2));
        let names: Vec<_> = seen
            .clients
            .iter()
            .map(|seen| seen.client.name.as_str())
            .collect();
        assert_eq!(names.len(), CLIENTS);
        assert_eq!(names[..3], ["client 12", "client 19", "client 18"]);
        assert_eq!(seen.first_seen, Some(NOON));
        assert_eq!(seen.last_used, Some(NOON + Duration::from_mins(2)));
    }

    #[test]
    fn what_a_client_says_of_itself_is_bounded_and_plain() {
        let hostile = "\u{202e}x\r\nSet-Cookie: a\u{0}".repeat(1_000);
        let client = Client::new(&hostile, &hostile, &hostile);
        assert_eq!(client.name.chars().count(), 64);
        assert!(client.version.chars().count() <= 32 && client.revision.chars().count() <= 16);
        let line = format!("{client:?}");
        assert!(!line.contains('\n') && !line.contains('\u{202e}'));
    }

    #[test]
    fn two_notes_of_one_token_become_one() {
        let (mut one, mut other) = (Sightings::default(), Sightings::default());
        one.note(Some(client("a")), NOON);
        other.note(Some(client("a")), NOON + Duration::from_mins(1));
        other.note(Some(client("b")), NOON + Duration::from_mins(2));
        let both = one.clone().with(&other);
        assert_eq!(both, other.clone().with(&one));
        assert_eq!(both.clients.len(), 2);
        assert_eq!(
            (both.first_seen, both.last_used),
            (Some(NOON), other.last_used)
        );
        assert!(both.same_clients(&other) && !both.same_clients(&one));
    }

    #[test]
    fn an_empty_record_is_read() {
        assert_eq!(
            serde_json::from_str::<Sightings>("{}").unwrap(),
            Sightings::default()
        );
    }
}
