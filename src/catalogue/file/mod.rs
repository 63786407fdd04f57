//! The format of a provider file, key by key: text becomes types here, and nowhere else.
//!
//! A part that can be judged by itself (a template, a pattern, a header) is judged while it is read, so that the error
//! can name line and column. What needs the whole file or all files is left to the checks. `docs/provider-file.md` is the
//! same in words.

mod account;
mod callback;
mod grant;
mod introspection;
mod oauth;
mod product;
mod refresh;
mod request_keys;
mod step;
mod token_reply;
mod tool;

use std::collections::BTreeMap;

use serde::Deserialize;
use url::Url;

pub(super) use account::AccountFile;
pub(super) use grant::TenantsFile;
pub(super) use oauth::{OAuthFile, RevokeFile, RevokeRequestFile};
pub(super) use product::{ProductFile, authorization};
pub(super) use refresh::{RotationFile, SentFile};
pub(super) use step::ContinueFile;
pub(super) use tool::ToolFile;
pub use tool::{Effect, Hints};

use super::constant_headers::ConstantHeaders;
use super::error_rules::ErrorRule;
use super::field_path::FieldPath;
use super::url_template::{HostTemplate, UrlTemplate};
use super::variables::Variable;
use super::{AccountRule, Inject};

/// A whole provider file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProviderFile {
    pub(super) name: String,
    pub(super) docs: Option<Url>,
    pub(super) base_url: UrlTemplate,
    /// Other base addresses, by the name that a request says.
    #[serde(default)]
    pub(super) bases: BTreeMap<String, UrlTemplate>,
    pub(super) host_allow: Vec<HostTemplate>,
    #[serde(default)]
    pub(super) headers: ConstantHeaders,
    #[serde(default)]
    pub(super) inject: Inject,
    #[serde(default)]
    pub(super) variables: BTreeMap<String, Variable>,
    pub(super) confidence: Confidence,
    #[serde(default)]
    pub(super) unconfirmed: Vec<String>,
    pub(super) setup: Setup,
    pub(super) oauth: OAuthFile,
    pub(super) account: AccountFile,
    #[serde(default, rename = "account_rule")]
    pub(super) account_rules: Vec<AccountRule>,
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
