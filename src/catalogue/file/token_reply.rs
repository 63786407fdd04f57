//! `[oauth.token_reply]`: how a token reply is written, and where its fields stand.

use std::time::Duration;

use serde::Deserialize;

use crate::catalogue::{LifetimeSource, ReplyFormat, ScopeSource, TokenReplyRules};

/// `[oauth.token_reply]`; every key has the default of RFC 6749 section 5.1.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TokenReplyFile {
    #[serde(with = "FormatFile")]
    format: ReplyFormat,
    access_token: Option<String>,
    refresh_token: Option<String>,
    #[serde(with = "LifetimeFromFile")]
    pub(crate) lifetime_from: LifetimeSource,
    pub(crate) expires_in: Option<String>,
    refresh_expires_in: Option<String>,
    pub(crate) lifetime_s: Option<u64>,
    #[serde(with = "ScopeFromFile")]
    pub(crate) scope_from: ScopeSource,
    pub(crate) scope: Option<String>,
    pub(crate) scope_separators: Option<String>,
    ok: Option<String>,
    error: Option<String>,
    dead_grant: Vec<String>,
}

impl TokenReplyFile {
    pub(crate) fn rules(&self) -> TokenReplyRules {
        let file = self.clone();
        let named = |field: Option<String>, name: &str| field.unwrap_or_else(|| name.to_owned());
        TokenReplyRules {
            format: file.format,
            access_token: named(file.access_token, "access_token"),
            refresh_token: named(file.refresh_token, "refresh_token"),
            lifetime_from: file.lifetime_from,
            expires_in: named(file.expires_in, "expires_in"),
            refresh_expires_in: file.refresh_expires_in,
            lifetime: file.lifetime_s.map(Duration::from_secs),
            scope_from: file.scope_from,
            scope: named(file.scope, "scope"),
            scope_separators: file.scope_separators.unwrap_or_default(),
            ok: file.ok,
            error: named(file.error, "error"),
            dead_grant: file.dead_grant,
            captures: Vec::new(),
        }
    }
}

// The spellings of the file for the values of `TokenReplyRules`, which knows no file.

#[derive(Deserialize)]
#[serde(remote = "ReplyFormat", rename_all = "snake_case")]
enum FormatFile {
    Auto,
    Json,
    Form,
}

#[derive(Deserialize)]
#[serde(remote = "ScopeSource", rename_all = "snake_case")]
enum ScopeFromFile {
    Body,
    Callback,
    None,
}

#[derive(Deserialize)]
#[serde(remote = "LifetimeSource", rename_all = "snake_case")]
enum LifetimeFromFile {
    Reply,
    Introspection,
}
