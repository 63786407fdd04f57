//! The format of a provider file, key by key: text becomes types here, and nowhere else.
//!
//! A part that can be judged by itself (a template, a pattern, a header) is judged while it is read, so that the error
//! can name line and column. What needs the whole file or all files is left to the checks. `providers/README.md` is the
//! same in words.

mod oauth;
mod refresh;
mod token_reply;
mod tool;

use std::collections::BTreeMap;

use serde::Deserialize;
use url::Url;

pub(super) use oauth::{OAuthFile, RevokeFile, RevokeRequestFile};
pub(super) use refresh::{RotationFile, SentFile};
pub(super) use tool::ToolFile;
pub use tool::{Effect, Hints};

use super::ScopeRequirement;
use super::constant_headers::ConstantHeaders;
use super::error_rules::ErrorRule;
use super::field_path::FieldPath;
use super::field_text::FieldText;
use super::graphql::Graphql;
use super::path_template::PathTemplate;
use super::url_template::{HostTemplate, UrlTemplate};
use super::variables::Variable;

/// A whole provider file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProviderFile {
    pub(super) name: String,
    pub(super) docs: Option<Url>,
    pub(super) base_url: UrlTemplate,
    pub(super) host_allow: Vec<HostTemplate>,
    #[serde(default)]
    pub(super) headers: ConstantHeaders,
    #[serde(default)]
    pub(super) variables: BTreeMap<String, Variable>,
    pub(super) confidence: Confidence,
    #[serde(default)]
    pub(super) unconfirmed: Vec<String>,
    pub(super) setup: Setup,
    pub(super) oauth: OAuthFile,
    pub(super) account: AccountFile,
    #[serde(default)]
    pub(super) error_text: Vec<FieldPath>,
    #[serde(default, rename = "error")]
    pub(super) errors: Vec<ErrorRule>,
    #[serde(default, rename = "tool")]
    pub(super) tools: Vec<ToolFile>,
}

/// How far the facts of a provider file are proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// A real login was made and a tool was called with this file.
    Live,
    /// Written from the provider's documentation.
    Documentation,
}

/// What an admin must do at the provider before anybody can connect.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// Where the app is created.
    pub url: Option<Url>,
    /// The provider's own guide.
    pub docs: Option<Url>,
    /// What the provider demands of a redirect URL, in a sentence.
    pub redirect_rules: String,
    /// The steps, each a sentence.
    #[serde(default)]
    pub steps: Vec<String>,
}

/// The cheap call that proves a credential and names the account.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "AccountKeys")]
pub(super) struct AccountFile {
    pub(super) method: http::Method,
    pub(super) path: PathTemplate,
    /// A POST says so itself: the method cannot.
    pub(super) read_only: bool,
    pub(super) scopes: ScopeRequirement,
    /// The operation, when the account is found by GraphQL; `id` and `label` are then read in its data.
    pub(super) graphql: Option<Graphql>,
    pub(super) id: FieldText,
    pub(super) label: FieldText,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountKeys {
    get: Option<String>,
    post: Option<String>,
    read_only: Option<bool>,
    #[serde(default)]
    scopes: ScopeRequirement,
    graphql: Option<Graphql>,
    id: FieldText,
    label: FieldText,
}

impl TryFrom<AccountKeys> for AccountFile {
    type Error = String;

    fn try_from(keys: AccountKeys) -> Result<Self, String> {
        let (method, path) = match (keys.get, keys.post) {
            (Some(path), None) => (http::Method::GET, path),
            (None, Some(path)) => (http::Method::POST, path),
            _ => return Err("`[account]` has exactly one of `get` and `post`".to_owned()),
        };
        if keys.graphql.is_some() && method != http::Method::POST {
            return Err("`graphql` of `[account]` needs a `post`".to_owned());
        }
        Ok(Self {
            read_only: keys.read_only.unwrap_or(method == http::Method::GET),
            path: PathTemplate::parse(&path)?,
            method,
            scopes: keys.scopes,
            graphql: keys.graphql,
            id: keys.id,
            label: keys.label,
        })
    }
}
