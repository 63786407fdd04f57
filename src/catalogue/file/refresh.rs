//! `[oauth.refresh]`: whether, where and how access is renewed, and what becomes of the refresh token.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use crate::catalogue::url_template::UrlTemplate;
use crate::catalogue::{RefreshRules, Rotation};

/// `[oauth.refresh]`; what is left out gets the careful reading.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RefreshFile {
    pub(crate) supported: bool,
    pub(crate) url: Option<UrlTemplate>,
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) send: Vec<SentFile>,
    pub(crate) rotates: Option<RotationFile>,
    pub(crate) single_use: Option<bool>,
    pub(crate) reuse_grace_s: Option<u64>,
    pub(crate) ends_access_token: bool,
    pub(crate) idle_ttl_s: Option<u64>,
    pub(crate) absolute_ttl_s: Option<u64>,
}

/// Whether a refresh brings a new refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RotationFile {
    Always,
    Maybe,
    Never,
}

/// What a refresh repeats of the grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SentFile {
    Scope,
    RedirectUri,
}

impl Default for RefreshFile {
    fn default() -> Self {
        Self {
            supported: true,
            url: None,
            params: BTreeMap::new(),
            send: Vec::new(),
            rotates: None,
            single_use: None,
            reuse_grace_s: None,
            ends_access_token: false,
            idle_ttl_s: None,
            absolute_ttl_s: None,
        }
    }
}

impl RefreshFile {
    /// A refresh token that is never replaced is used again and again; any other counts as single-use unless the file
    /// says otherwise.
    pub(crate) fn rules(&self) -> RefreshRules {
        let rotates = match self.rotates {
            Some(RotationFile::Always) => Rotation::Always,
            Some(RotationFile::Maybe) | None => Rotation::Maybe,
            Some(RotationFile::Never) => Rotation::Never,
        };
        RefreshRules {
            supported: self.supported,
            rotates,
            single_use: self.single_use.unwrap_or(rotates != Rotation::Never),
            reuse_grace: self.reuse_grace_s.map(Duration::from_secs),
            ends_access_token: self.ends_access_token,
            idle_ttl: self.idle_ttl_s.map(Duration::from_secs),
            absolute_ttl: self.absolute_ttl_s.map(Duration::from_secs),
        }
    }
}
