//! Agents and the tokens by which they are recognised.

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::{AgentKind, Narrowing};
use crate::base::{AgentId, PersonId, Random, Secret, Timestamp, plain_line};

/// What every agent token starts with, so that secret scanners find a leaked one.
const PREFIX: &str = "att_";

/// How much of an issuer's name for a client is shown.
const CLIENT_CHARS: usize = 100;

/// An agent: one client that acts for one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Its identifier, also the public half of its token.
    pub id: AgentId,
    /// The person it acts for.
    pub person: PersonId,
    /// What it is called on pages.
    pub name: String,
    /// SHA-256 of the token's secret half, hexadecimal. The token itself is not kept.
    pub token_digest: String,
    /// When it was added.
    pub created: Timestamp,
    /// What sort of client it was added for, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<AgentKind>,
    /// From when on its token is worth nothing; none: it is good until it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// What it may do.
    #[serde(default, skip_serializing_if = "Narrowing::is_none")]
    pub narrowing: Narrowing,
    /// The gateway added it itself, and derives its token from the master key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub startup: bool,
    /// A client of an external issuer, which bears access tokens and has no agent token.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub of_client: bool,
}

/// What an agent is added with, besides its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentTerms {
    /// See [`Agent::kind`].
    pub kind: Option<AgentKind>,
    /// See [`Agent::expires`].
    pub expires: Option<Timestamp>,
    /// See [`Agent::narrowing`].
    pub narrowing: Narrowing,
}

/// A person has stopped all of their agents. While this record is there, none of them is anybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentsStopped {
    /// Since when.
    pub since: Timestamp,
}

impl Agent {
    /// The agent that a client of an external issuer is for a person. No agent token is its own: its access tokens are
    /// its issuer's affair.
    #[must_use]
    pub fn of_client(id: AgentId, person: PersonId, client: &str, created: Timestamp) -> Self {
        Self {
            id,
            person,
            name: plain_line(client, CLIENT_CHARS),
            token_digest: String::new(),
            created,
            kind: Some(AgentKind::recognise(client)),
            expires: None,
            narrowing: Narrowing::default(),
            startup: false,
            of_client: true,
        }
    }

    /// Whether its token has had its time.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// The same agent on these terms.
    #[must_use]
    pub fn on(self, terms: AgentTerms) -> Self {
        let AgentTerms {
            kind,
            expires,
            narrowing,
        } = terms;
        Self {
            kind,
            expires,
            narrowing,
            ..self
        }
    }

    /// The terms it is on.
    #[must_use]
    pub fn terms(&self) -> AgentTerms {
        AgentTerms {
            kind: self.kind,
            expires: self.expires,
            narrowing: self.narrowing.clone(),
        }
    }

    /// The same agent, whose token nobody has: no digest is empty.
    #[must_use]
    pub fn without_token(self) -> Self {
        Self {
            token_digest: String::new(),
            ..self
        }
    }

    /// Whether `token` is this agent's.
    #[must_use]
    pub fn recognises(&self, token: &AgentToken) -> bool {
        let presented = token.secret.digest();
        let same = presented.as_bytes().ct_eq(self.token_digest.as_bytes());
        self.id == token.agent && bool::from(same)
    }
}

/// A bearer token of an agent: `att_<id>_<secret>`.
#[derive(Clone, Debug)]
pub struct AgentToken {
    /// The agent it belongs to.
    pub agent: AgentId,
    secret: Secret,
}

/// Why a text is not an agent token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an agent token looks like att_<id>_<secret>")]
pub struct InvalidAgentToken;

impl AgentToken {
    /// A new token for a new agent.
    #[must_use]
    pub fn new(random: &Random) -> Self {
        Self {
            agent: AgentId::new(random),
            secret: random.token(),
        }
    }

    /// A token whose halves are given: for the start-up token, which is derived from the master key.
    #[must_use]
    pub fn from_parts(agent: AgentId, secret: Secret) -> Self {
        Self { agent, secret }
    }

    /// Whether a text is meant to be an agent token, whatever it is worth.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// Reads a token.
    ///
    /// # Errors
    /// [`InvalidAgentToken`] when the shape is wrong. Whether it is anyone's is [`Agent::recognises`]'s to say.
    pub fn parse(text: &str) -> Result<Self, InvalidAgentToken> {
        let (id, secret) = text
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('_'))
            .ok_or(InvalidAgentToken)?;
        let agent = AgentId::parse(&format!("agt_{id}")).map_err(|_| InvalidAgentToken)?;
        if secret.len() < 32 || secret.len() > 128 {
            return Err(InvalidAgentToken);
        }
        Ok(Self {
            agent,
            secret: Secret::new(secret),
        })
    }

    /// The record that recognises this token from now on.
    #[must_use]
    pub fn agent(&self, person: PersonId, name: &str, created: Timestamp) -> Agent {
        Agent {
            id: self.agent.clone(),
            person,
            name: name.to_owned(),
            token_digest: self.secret.digest(),
            created,
            kind: None,
            expires: None,
            narrowing: Narrowing::default(),
            startup: false,
            of_client: false,
        }
    }

    /// The whole token, to be shown once.
    #[must_use]
    pub fn to_secret(&self) -> Secret {
        let id = self.agent.as_str().trim_start_matches("agt_");
        Secret::new(format!("{PREFIX}{id}_{}", self.secret.expose()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_recognised_by_its_agent_alone() {
        let random = Random::seeded(1);
        let (ana, ben) = (AgentToken::new(&random), AgentToken::new(&random));
        let person = PersonId::new(&random);
        let agent = ana.agent(person, "Claude Code", Timestamp::from_unix(0));
        let read = AgentToken::parse(ana.to_secret().expose()).unwrap();
        assert!(agent.recognises(&read));
        assert!(!agent.recognises(&ben));
        let forged = AgentToken::from_parts(ana.agent.clone(), random.token());
        assert!(
            !agent.recognises(&forged),
            "the identifier alone proves nothing"
        );
    }

    #[test]
    fn records_of_before_are_read_and_written_as_they_were() {
        let random = Random::seeded(1);
        let token = AgentToken::new(&random);
        let agent = token.agent(PersonId::new(&random), "Cursor", Timestamp::from_unix(0));
        let before = serde_json::json!({
            "id": agent.id, "person": agent.person, "name": "Cursor", "token_digest": agent.token_digest, "created": 0,
        });
        assert_eq!(serde_json::to_value(&agent).unwrap(), before);
        let read: Agent = serde_json::from_value(before).unwrap();
        assert_eq!(read, agent);
        assert!(!read.is_expired(Timestamp::from_unix(i64::MAX)));
        assert!(!read.without_token().recognises(&token));
    }

    #[test]
    fn other_texts_are_not_tokens() {
        for text in [
            "",
            "att_",
            "att__",
            "Bearer x",
            "att_00000000000000000000000000_short",
            "ghp_abc",
        ] {
            assert_eq!(
                AgentToken::parse(text).unwrap_err(),
                InvalidAgentToken,
                "{text}"
            );
        }
    }
}
