//! A product file: tools that share the connection of a provider. What belongs to a connection is not in it.

use std::collections::BTreeMap;

use serde::Deserialize;
use url::Url;

use super::{Confidence, ProviderFile, ToolFile};
use crate::catalogue::constant_headers::ConstantHeaders;
use crate::catalogue::error_rules::ErrorRule;
use crate::catalogue::field_path::FieldPath;
use crate::catalogue::url_template::{HostTemplate, UrlTemplate};

/// A file with `authorization = "…"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProductFile {
    /// The id of the provider whose connection its tools use.
    pub(crate) authorization: String,
    name: String,
    docs: Option<Url>,
    base_url: UrlTemplate,
    #[serde(default)]
    bases: BTreeMap<String, UrlTemplate>,
    host_allow: Vec<HostTemplate>,
    #[serde(default)]
    headers: ConstantHeaders,
    confidence: Confidence,
    #[serde(default)]
    unconfirmed: Vec<String>,
    #[serde(default)]
    error_text: Vec<FieldPath>,
    #[serde(default, rename = "error")]
    errors: Vec<ErrorRule>,
    #[serde(default, rename = "tool")]
    tools: Vec<ToolFile>,
}

impl ProductFile {
    /// The whole that its tools live in: its own parts, and those of its provider that a connection is made of. Its own
    /// error rules are tried first.
    pub(crate) fn of_provider(self, provider: &ProviderFile) -> ProviderFile {
        let Self {
            authorization: _,
            name,
            docs,
            base_url,
            bases,
            host_allow,
            headers,
            confidence,
            unconfirmed,
            error_text,
            errors,
            tools,
        } = self;
        ProviderFile {
            name,
            inject: provider.inject.clone(),
            docs,
            base_url,
            bases,
            host_allow,
            headers,
            confidence,
            unconfirmed,
            tools,
            errors: errors.into_iter().chain(provider.errors.clone()).collect(),
            error_text: error_text
                .into_iter()
                .chain(provider.error_text.clone())
                .collect(),
            variables: provider.variables.clone(),
            setup: provider.setup.clone(),
            oauth: provider.oauth.clone(),
            account: provider.account.clone(),
            account_rules: provider.account_rules.clone(),
        }
    }
}

/// The provider that a file names as its own, whatever else stands in it.
pub(crate) fn authorization(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        authorization: Option<String>,
    }
    toml::from_str::<Named>(text).ok()?.authorization
}
