//! `[oauth.token_reply]`: where the fields of a token reply stand.

use std::time::Duration;

use serde::Deserialize;

use super::oauth::scope;
use crate::catalogue::TokenReplyRules;

/// `[oauth.token_reply]`; every key has the default of RFC 6749 section 5.1.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TokenReplyFile {
    access_token: String,
    refresh_token: String,
    expires_in: String,
    refresh_expires_in: Option<String>,
    pub(crate) lifetime_s: Option<u64>,
    scope: String,
    scope_separators: String,
    ok: Option<String>,
    error: String,
    dead_grant: Vec<String>,
}

impl Default for TokenReplyFile {
    fn default() -> Self {
        Self {
            access_token: "access_token".to_owned(),
            refresh_token: "refresh_token".to_owned(),
            expires_in: "expires_in".to_owned(),
            refresh_expires_in: None,
            lifetime_s: None,
            scope: scope(),
            scope_separators: String::new(),
            ok: None,
            error: "error".to_owned(),
            dead_grant: Vec::new(),
        }
    }
}

impl TokenReplyFile {
    pub(crate) fn rules(&self) -> TokenReplyRules {
        let Self {
            access_token,
            refresh_token,
            expires_in,
            refresh_expires_in,
            lifetime_s,
            scope,
            scope_separators,
            ok,
            error,
            dead_grant,
        } = self.clone();
        TokenReplyRules {
            access_token,
            refresh_token,
            expires_in,
            refresh_expires_in,
            lifetime: lifetime_s.map(Duration::from_secs),
            scope,
            scope_separators,
            ok,
            error,
            dead_grant,
            captures: Vec::new(),
        }
    }
}
