//! Floor 1: who is calling.
//!
//! Owns the modes, principals and their roles, callers, agents and their tokens, what each agent is narrowed to and which
//! clients were seen with it, access tokens of external issuers, and browser sessions. Refuses to know HTTP and storage: it is
//! handed texts and records, and says who they belong to.

mod access_token;
mod agent;
mod agent_kind;
mod client_address;
mod mode;
mod narrowing;
mod principal;
mod role;
mod session;
mod sign_in_attempt;

pub use access_token::{
    AccessGrant, AccessToken, AccessTokenRefusal, InvalidAccessToken, InvalidKeys,
    SigningAlgorithm, SigningKeys, TrustedIssuer,
};
mod sighting;

pub use agent::{Agent, AgentTerms, AgentToken, AgentsStopped, InvalidAgentToken};
pub use agent_kind::AgentKind;
pub use client_address::ClientAddress;
pub use mode::Mode;
pub use narrowing::{Narrowing, Outside};
pub use principal::{Caller, Principal};
pub use role::{GroupRules, Role, Standing};
pub use session::{Session, SessionLimits, SignInLink};
pub use sighting::{Client, Sighting, Sightings};
pub use sign_in_attempt::SignInAttempt;
