//! `[oauth]`: everything that an `OAuthProfile` is made of, with places for variables.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use serde::Deserialize;
use url::Url;

use crate::catalogue::constant_headers::ConstantHeaders;
use crate::catalogue::url_template::UrlTemplate;
use crate::catalogue::{
    ClientAuth, Pkce, RefreshRules, RevocationAuth, RevocationTokens, Rotation, ScopeImplications,
    ScopeSet, TokenEncoding, TokenReplyRules,
};

/// `[oauth]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OAuthFile {
    pub(crate) issuer: Option<UrlTemplate>,
    #[serde(default)]
    pub(crate) iss_required: bool,
    #[serde(with = "PkceFile")]
    pub(crate) pkce: Pkce,
    #[serde(with = "ClientAuthFile")]
    pub(crate) client_auth: ClientAuth,
    pub(crate) scopes: ScopeSet,
    /// What is asked for when nobody has named a tool.
    pub(crate) default_scopes: Option<ScopeSet>,
    /// What the protocol itself needs with every request, such as a scope that brings a refresh token.
    #[serde(default)]
    pub(crate) base_scopes: ScopeSet,
    #[serde(default)]
    pub(crate) implies: ScopeImplications,
    #[serde(default)]
    pub(crate) write_scopes: ScopeSet,
    /// What each scope allows, in words for people.
    #[serde(default)]
    pub(crate) scope_words: BTreeMap<String, String>,
    pub(crate) authorize: AuthorizeFile,
    pub(crate) token: TokenFile,
    #[serde(default)]
    pub(crate) token_reply: TokenReplyFile,
    #[serde(default)]
    pub(crate) refresh: RefreshFile,
    pub(crate) revoke: RevokeFile,
}

/// `[oauth.authorize]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuthorizeFile {
    pub(crate) url: UrlTemplate,
    #[serde(default)]
    pub(crate) params: BTreeMap<String, String>,
    #[serde(default = "scope")]
    pub(crate) scope_param: String,
    #[serde(default = "space")]
    pub(crate) scope_separator: String,
}

/// `[oauth.token]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenFile {
    pub(crate) url: UrlTemplate,
    #[serde(with = "EncodingFile", default = "form")]
    pub(crate) encoding: TokenEncoding,
    #[serde(default)]
    pub(crate) headers: ConstantHeaders,
    #[serde(default)]
    pub(crate) params: BTreeMap<String, String>,
}

/// `[oauth.refresh]`; what is left out gets the careful reading.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefreshFile {
    rotates: Option<RotationFile>,
    single_use: Option<bool>,
    reuse_grace_s: Option<u64>,
    #[serde(default)]
    ends_access_token: bool,
    idle_ttl_s: Option<u64>,
    absolute_ttl_s: Option<u64>,
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
            rotates,
            single_use: self.single_use.unwrap_or(rotates != Rotation::Never),
            reuse_grace: self.reuse_grace_s.map(Duration::from_secs),
            ends_access_token: self.ends_access_token,
            idle_ttl: self.idle_ttl_s.map(Duration::from_secs),
            absolute_ttl: self.absolute_ttl_s.map(Duration::from_secs),
        }
    }
}

/// `[oauth.token_reply]`; every key has the default of RFC 6749 section 5.1.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TokenReplyFile {
    access_token: String,
    refresh_token: String,
    expires_in: String,
    refresh_expires_in: Option<String>,
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
            scope,
            scope_separators,
            ok,
            error,
            dead_grant,
        }
    }
}

/// `[oauth.revoke]`: one request, or that there is none.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "RevokeKeys")]
pub(crate) enum RevokeFile {
    Unsupported { manual_url: Option<Url> },
    Request(Box<RevokeRequestFile>),
}

/// The request of `[oauth.revoke]`.
#[derive(Clone, Debug)]
pub(crate) struct RevokeRequestFile {
    pub(crate) method: Method,
    pub(crate) url: UrlTemplate,
    pub(crate) auth: RevocationAuth,
    pub(crate) encoding: TokenEncoding,
    pub(crate) token_param: Option<String>,
    pub(crate) send_hint: bool,
    pub(crate) tokens: RevocationTokens,
    pub(crate) success: Vec<u16>,
    pub(crate) confirmed_by: Option<String>,
    pub(crate) already_dead: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokeKeys {
    #[serde(default)]
    unsupported: bool,
    manual_url: Option<Url>,
    post: Option<UrlTemplate>,
    delete: Option<UrlTemplate>,
    auth: Option<RevocationAuthFile>,
    #[serde(with = "EncodingFile", default = "form")]
    encoding: TokenEncoding,
    token_param: Option<String>,
    #[serde(default)]
    send_hint: bool,
    tokens: Option<RevocationTokensFile>,
    #[serde(default)]
    success: Vec<u16>,
    confirmed_by: Option<String>,
    #[serde(default)]
    already_dead: Vec<String>,
}

impl TryFrom<RevokeKeys> for RevokeFile {
    type Error = &'static str;

    fn try_from(keys: RevokeKeys) -> Result<Self, Self::Error> {
        let (method, url) = match (keys.unsupported, keys.post, keys.delete) {
            (true, None, None) => {
                return Ok(Self::Unsupported {
                    manual_url: keys.manual_url,
                });
            }
            (false, Some(url), None) => (Method::POST, url),
            (false, None, Some(url)) => (Method::DELETE, url),
            _ => {
                return Err(
                    "`[oauth.revoke]` has exactly one of `post`, `delete` and `unsupported = true`",
                );
            }
        };
        if keys.manual_url.is_some() {
            return Err("`manual_url` belongs to `unsupported = true`");
        }
        Ok(Self::Request(Box::new(RevokeRequestFile {
            method,
            url,
            auth: match keys
                .auth
                .ok_or("`[oauth.revoke]` does not say its `auth`")?
            {
                RevocationAuthFile::Client => RevocationAuth::Client,
                RevocationAuthFile::ClientBasic => RevocationAuth::ClientBasic,
                RevocationAuthFile::Bearer => RevocationAuth::Bearer,
            },
            encoding: keys.encoding,
            token_param: keys.token_param,
            send_hint: keys.send_hint,
            tokens: match keys
                .tokens
                .ok_or("`[oauth.revoke]` does not say which `tokens`")?
            {
                RevocationTokensFile::RefreshThenAccess => RevocationTokens::RefreshThenAccess,
                RevocationTokensFile::Access => RevocationTokens::Access,
            },
            success: keys.success,
            confirmed_by: keys.confirmed_by,
            already_dead: keys.already_dead,
        })))
    }
}

fn scope() -> String {
    "scope".to_owned()
}

fn space() -> String {
    " ".to_owned()
}

fn form() -> TokenEncoding {
    TokenEncoding::Form
}

// The spellings of the file for the values of `OAuthProfile`, which knows no file.

#[derive(Deserialize)]
#[serde(remote = "Pkce", rename_all = "snake_case")]
enum PkceFile {
    Required,
    Optional,
    Off,
}

#[derive(Deserialize)]
#[serde(remote = "ClientAuth", rename_all = "snake_case")]
enum ClientAuthFile {
    Post,
    Basic,
    None,
}

#[derive(Deserialize)]
#[serde(remote = "TokenEncoding", rename_all = "snake_case")]
enum EncodingFile {
    Form,
    Json,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RotationFile {
    Always,
    Maybe,
    Never,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RevocationAuthFile {
    Client,
    ClientBasic,
    Bearer,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RevocationTokensFile {
    RefreshThenAccess,
    Access,
}
