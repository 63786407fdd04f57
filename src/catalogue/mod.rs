//! Floor 1: what can be called.
//!
//! Owns the provider files, their checks, tools, request templates, reply rules and named transforms. Refuses to know
//! the network and the users: a request is rendered here and sent elsewhere, and no credential ever comes by. Everything
//! is pure and synchronous; only `load.rs` reads files.
//!
//! The way of a file: [`Source`] (text) -> `file` (parsed, each part already a type of its own) -> [`CHECKS`] (what
//! only the whole can tell) -> [`Provider`] and [`Tool`].

mod account;
mod addresses;
mod arguments;
mod base64_bytes;
mod capture;
mod checks;
mod condition;
mod constant_headers;
mod error_rules;
mod evidence_count;
mod expand;
mod expected;
mod field_path;
mod field_text;
mod file;
mod from_url;
mod graphql;
mod graphql_document;
mod header_templates;
mod import;
mod index;
mod inject;
mod inputs;
mod load;
mod missing_key;
mod nearest;
mod oauth;
mod operator;
mod pagination;
mod path_template;
mod pick;
mod placeholder;
mod places;
mod plain_text;
mod poll;
mod problem;
mod product;
mod provider;
mod query_template;
mod quoter;
mod redirect;
mod render_error;
mod replay;
mod reply;
mod request;
mod request_body;
mod retry_after;
mod run;
mod schema;
mod scope;
mod scope_plan;
mod scope_requirement;
mod scope_set;
mod starter;
mod step;
mod tenant;
mod text_template;
mod tool;
mod transforms;
mod url_template;
mod value_template;
mod variables;
mod wanted;
mod when;

pub use account::{ACCOUNT_ARGUMENT, Account, AccountField, AccountRule, plain, same};
pub use checks::{CHECKS, Check, check};
pub use error_rules::RefusalKind;
pub use evidence_count::{FixtureCount, ServiceCount, count_evidence};
pub use file::{Confidence, Effect, Hints, Setup};
pub use import::{Draft, ImportError, Selection, SelectionError, import};
pub use index::Catalogue;
pub use inject::Inject;
pub use inputs::{ArgumentProblem, InvalidArguments};
pub use load::{embedded, read_directory, read_fixtures};
pub(crate) use nearest::nearest;
pub use oauth::{
    BodyEncoding, CallbackVerification, ClientAuth, Introspection, IntrospectionAuth,
    LifetimeSource, OAuthProfile, OptionalScopes, Pkce, RefreshEndpoint, RefreshRules, ReplyFormat,
    Revocation, RevocationAuth, RevocationReach, RevocationRequest, RevocationTokens, Rotation,
    ScopeSource, TokenEncoding, TokenEndpoint, TokenReplyRules,
};
pub use problem::{Problem, Source};
pub use product::Product;
pub use provider::Provider;
pub use redirect::RedirectRule;
pub use render_error::RenderError;
pub use replay::{
    Contract, Ending, Evidence, FixtureFile, Played, Replayed, missing_fixtures, replay,
    unfilled_picks,
};
pub use reply::{Refusal, Reply, ToolOutput};
pub use run::{Answer, Next, Outgoing, OutgoingId, Run};
pub use schema::schema;
pub use scope_plan::ScopePlan;
pub use scope_requirement::{ScopeImplications, ScopeRequirement, ScopesByArgument};
pub use scope_set::ScopeSet;
pub use starter::{StarterError, check_new_id, starter};
pub use tenant::{CapturedFrom, Reach, Tenant, TenantChoice, TenantsProblem, WhichTenant};
pub use tool::Tool;
pub use variables::{Variable, VariableProblem, Variables};
