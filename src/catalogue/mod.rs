//! Floor 1: what can be called.
//!
//! Owns the provider files, their checks, tools, request templates, reply rules and named transforms. Refuses to know
//! the network and the users: a request is rendered here and sent elsewhere, and no credential ever comes by. Everything
//! is pure and synchronous; only `load.rs` reads files.
//!
//! The way of a file: [`Source`] (text) -> `file` (parsed, each part already a type of its own) -> [`CHECKS`] (what
//! only the whole can tell) -> [`Provider`] and [`Tool`].

mod arguments;
mod body_template;
mod checks;
mod condition;
mod constant_headers;
mod error_rules;
mod field_path;
mod field_text;
mod file;
mod graphql;
mod graphql_document;
mod index;
mod inputs;
mod load;
mod nearest;
mod oauth;
mod path_template;
mod pick;
mod placeholder;
mod plain_text;
mod problem;
mod provider;
mod query_template;
mod render_error;
mod reply;
mod request;
mod scope_plan;
mod scope_requirement;
mod scope_set;
mod tool;
mod transform;
mod url_template;
mod variables;
mod wanted;

pub use checks::{CHECKS, Check, check};
pub use error_rules::RefusalKind;
pub use file::{Confidence, Effect, Hints, Setup};
pub use index::Catalogue;
pub use inputs::{ArgumentProblem, InvalidArguments};
pub use load::{embedded, read_directory};
pub(crate) use nearest::nearest;
pub use oauth::{
    ClientAuth, OAuthProfile, Pkce, RefreshEndpoint, RefreshRules, Revocation, RevocationAuth,
    RevocationReach, RevocationRequest, RevocationTokens, Rotation, TokenEncoding, TokenEndpoint,
    TokenReplyRules,
};
pub use problem::{Problem, Source};
pub use provider::{Account, Provider};
pub use render_error::RenderError;
pub use reply::{Refusal, Reply, ToolOutput};
pub use scope_plan::ScopePlan;
pub use scope_requirement::{ScopeImplications, ScopeRequirement};
pub use scope_set::ScopeSet;
pub use tool::Tool;
pub use variables::{Variable, VariableProblem, Variables};
