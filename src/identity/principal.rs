//! The person behind a request, and the agent that acts for them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

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

/// Who makes a request: an agent, for a person. Made anew from the credentials of every single request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The person whose connections are used.
    pub principal: Arc<Principal>,
    /// The agent that calls.
    pub agent: AgentId,
    /// What the agent is called on pages.
    pub agent_name: String,
}
