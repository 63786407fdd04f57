//! Agents and the tokens by which they are recognised.

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::base::{AgentId, PersonId, Random, Secret, Timestamp};

/// What every agent token starts with, so that secret scanners find a leaked one.
const PREFIX: &str = "att_";

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
}

impl Agent {
    /// The agent that a client of an external issuer is for a person. No agent token is its own: its access tokens are
    /// its issuer's affair.
    #[must_use]
    pub fn of_client(id: AgentId, person: PersonId, client: &str, created: Timestamp) -> Self {
        Self {
            id,
            person,
            name: client.to_owned(),
            token_digest: String::new(),
            created,
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
