//! Floor 1: what can be called.
//!
//! Owns the provider files, their checks, tools, request templates and reply rules. Refuses to know the network and
//! the users: a request is rendered here and sent elsewhere. Only `load.rs` reads files.

mod oauth;
mod scope_set;

pub use oauth::{
    ClientAuth, OAuthProfile, Pkce, Revocation, RevocationAuth, RevocationRequest,
    RevocationTokens, TokenEncoding, TokenEndpoint, TokenReplyRules,
};
pub use scope_set::ScopeSet;
