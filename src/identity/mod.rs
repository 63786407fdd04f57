//! Floor 1: who is calling.
//!
//! Owns the modes, principals, callers, agents and their tokens, access tokens of external issuers, and browser sessions. Refuses to know HTTP and storage: it is
//! handed texts and records, and says who they belong to.

mod access_token;
mod agent;
mod mode;
mod principal;
mod role;
mod session;
mod sign_in_attempt;

pub use access_token::{
    AccessGrant, AccessToken, AccessTokenRefusal, InvalidAccessToken, InvalidKeys,
    SigningAlgorithm, SigningKeys, TrustedIssuer,
};
pub use agent::{Agent, AgentToken, InvalidAgentToken};
pub use mode::Mode;
pub use principal::{Caller, Principal};
pub use role::{GroupRules, Role, Standing};
pub use session::{Session, SessionLimits, SignInLink};
pub use sign_in_attempt::SignInAttempt;
