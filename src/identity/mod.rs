//! Floor 1: who is calling.
//!
//! Owns the modes, principals, callers, agents and their tokens, what each agent is narrowed to and which clients were
//! seen with it, and browser sessions. Refuses to know HTTP and storage: it is
//! handed texts and records, and says who they belong to.

mod agent;
mod agent_kind;
mod client_address;
mod mode;
mod narrowing;
mod principal;
mod session;
mod sighting;

pub use agent::{Agent, AgentTerms, AgentToken, AgentsStopped, InvalidAgentToken};
pub use agent_kind::AgentKind;
pub use client_address::ClientAddress;
pub use mode::Mode;
pub use narrowing::{Narrowing, Outside};
pub use principal::{Caller, Principal};
pub use session::{Session, SignInLink};
pub use sighting::{Client, Sighting, Sightings};
