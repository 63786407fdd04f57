//! The person behind a request, and the agent that acts for them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Narrowing;
use crate::base::{AgentId, PersonId};

/// A person, as someone vouches for them. The key of a person is `issuer` and `subject` together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// Our own name for the person.
    pub id: PersonId,
    /// Who vouches: an OIDC issuer, or one of our own (`attache:local`, `attache:demo`).
    pub issuer: String,
    /// The issuer's name for the person.
    pub subject: String,
    /// What the person is called on pages and in sentences. Never used to recognise anyone.
    pub name: String,
}

impl Principal {
    /// Who vouches for the one person of a laptop: whoever uses that computer.
    pub const LOCAL_ISSUER: &str = "attache:local";

    /// Whether only the computer itself vouches for the person.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.issuer == Self::LOCAL_ISSUER
    }
}

/// Who makes a request: an agent, for a person. Made anew from the credentials of every single request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The person whose connections are used.
    pub principal: Arc<Principal>,
    /// The agent that calls.
    pub agent: AgentId,
    /// What the agent is called on pages.
    pub agent_name: String,
    /// What the record of the agent narrows it to, at the moment of the request; none: the caller has no such record.
    pub narrowing: Option<Arc<Narrowing>>,
}

impl Caller {
    /// The person themselves, at a terminal: nothing narrows what they do.
    #[must_use]
    pub fn in_person(&self) -> Self {
        Self {
            narrowing: None,
            ..self.clone()
        }
    }
}
