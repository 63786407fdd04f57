//! Floor 1: who is calling.
//!
//! Owns principals, callers, agents and their tokens, and browser sessions. Refuses to know HTTP and storage: it is
//! handed texts and records, and says who they belong to.

mod agent;
mod principal;
mod session;

pub use agent::{Agent, AgentToken, InvalidAgentToken};
pub use principal::{Caller, Principal};
pub use session::{Session, SignInLink};
