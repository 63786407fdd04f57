//! `[oauth]`: everything that an `OAuthProfile` is made of, with places for variables.

use std::collections::BTreeMap;

use http::Method;
use serde::{Deserialize, Deserializer, de};
use url::Url;

use super::callback::CallbackFile;
use super::grant::{CaptureFile, TenantsFile};
use super::introspection::IntrospectionFile;
use super::refresh::RefreshFile;
use super::token_reply::TokenReplyFile;
use crate::catalogue::constant_headers::ConstantHeaders;
use crate::catalogue::url_template::UrlTemplate;
use crate::catalogue::{
    BodyEncoding, ClientAuth, OptionalScopes, Pkce, RevocationAuth, RevocationReach,
    RevocationTokens, ScopeImplications, ScopeSet, TokenEncoding,
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
    #[serde(deserialize_with = "client_auth")]
    pub(crate) client_auth: ClientAuth,
    pub(crate) scopes: ScopeSet,
    /// Those of `scopes` that a person may refuse.
    #[serde(default)]
    pub(crate) optional_scopes: ScopeSet,
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
    #[serde(default)]
    pub(crate) callback: CallbackFile,
    pub(crate) token: TokenFile,
    #[serde(default)]
    pub(crate) token_reply: TokenReplyFile,
    pub(crate) introspection: Option<IntrospectionFile>,
    #[serde(default)]
    pub(crate) refresh: RefreshFile,
    pub(crate) revoke: RevokeFile,
    /// What is kept of a login, by the name under which addresses use it.
    #[serde(default)]
    pub(crate) capture: BTreeMap<String, CaptureFile>,
    pub(crate) tenants: Option<TenantsFile>,
}

/// `[oauth.authorize]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuthorizeFile {
    pub(crate) url: UrlTemplate,
    #[serde(default)]
    pub(crate) params: BTreeMap<String, String>,
    #[serde(default = "scope")]
    scope_param: String,
    /// Where required and optional scopes go, when they part.
    #[serde(default)]
    scopes: Vec<ScopeParamFile>,
    #[serde(default = "space")]
    pub(crate) scope_separator: String,
}

/// One entry of `authorize.scopes`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeParamFile {
    param: String,
    from: ScopesFrom,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum ScopesFrom {
    Required,
    Optional,
}

impl AuthorizeFile {
    /// The parameter of the scopes that a login must grant.
    pub(crate) fn scope_param(&self) -> &str {
        self.param_from(ScopesFrom::Required)
            .unwrap_or(&self.scope_param)
    }

    /// Whether the gateway writes scopes into this parameter.
    pub(crate) fn carries_scopes(&self, name: &str) -> bool {
        name == self.scope_param() || self.scopes.iter().any(|scopes| scopes.param == name)
    }

    fn param_from(&self, from: ScopesFrom) -> Option<&str> {
        let entry = self.scopes.iter().find(|scopes| scopes.from == from)?;
        Some(&entry.param)
    }
}

impl OAuthFile {
    /// The scopes that go into a parameter of their own, when there is one.
    pub(crate) fn optional_scopes(&self) -> Option<OptionalScopes> {
        let param = self.authorize.param_from(ScopesFrom::Optional)?;
        Some(OptionalScopes {
            param: param.to_owned(),
            scopes: self.optional_scopes.clone(),
        })
    }
}

/// `[oauth.token]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenFile {
    pub(crate) url: UrlTemplate,
    #[serde(with = "TokenEncodingFile", default = "form")]
    pub(crate) encoding: TokenEncoding,
    #[serde(default)]
    pub(crate) headers: ConstantHeaders,
    #[serde(default)]
    pub(crate) params: BTreeMap<String, String>,
}

/// `[oauth.revoke]`: one request, or that there is none.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "RevokeKeys")]
pub(crate) enum RevokeFile {
    Unsupported { manual_url: Option<Url> },
    Request(Box<RevokeRequestFile>),
}

impl RevokeFile {
    /// The provider's own page on which a person removes the access.
    pub(crate) fn manual_url(&self) -> Option<&Url> {
        match self {
            Self::Unsupported { manual_url } => manual_url.as_ref(),
            Self::Request(request) => request.manual_url.as_ref(),
        }
    }
}

/// The request of `[oauth.revoke]`.
#[derive(Clone, Debug)]
pub(crate) struct RevokeRequestFile {
    pub(crate) method: Method,
    pub(crate) url: UrlTemplate,
    pub(crate) auth: RevocationAuth,
    pub(crate) encoding: BodyEncoding,
    pub(crate) token_param: Option<String>,
    pub(crate) client_id_param: Option<String>,
    pub(crate) client_secret_param: Option<String>,
    pub(crate) send_hint: bool,
    pub(crate) tokens: RevocationTokens,
    pub(crate) success: Vec<u16>,
    pub(crate) confirmed_by: Option<String>,
    pub(crate) already_dead: Vec<String>,
    pub(crate) reach: RevocationReach,
    pub(crate) manual_url: Option<Url>,
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
    #[serde(with = "BodyEncodingFile", default = "form_body")]
    encoding: BodyEncoding,
    token_param: Option<String>,
    client_id_param: Option<String>,
    client_secret_param: Option<String>,
    #[serde(default)]
    send_hint: bool,
    tokens: Option<RevocationTokensFile>,
    #[serde(default)]
    success: Vec<u16>,
    confirmed_by: Option<String>,
    #[serde(default)]
    already_dead: Vec<String>,
    reach: Option<RevocationReachFile>,
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
                RevocationAuthFile::None => RevocationAuth::None,
            },
            encoding: keys.encoding,
            token_param: keys.token_param,
            client_id_param: keys.client_id_param,
            client_secret_param: keys.client_secret_param,
            send_hint: keys.send_hint,
            tokens: match keys
                .tokens
                .ok_or("`[oauth.revoke]` does not say which `tokens`")?
            {
                RevocationTokensFile::RefreshThenAccess => RevocationTokens::RefreshThenAccess,
                RevocationTokensFile::Access => RevocationTokens::Access,
                RevocationTokensFile::Refresh => RevocationTokens::Refresh,
            },
            success: keys.success,
            confirmed_by: keys.confirmed_by,
            already_dead: keys.already_dead,
            reach: match keys.reach {
                Some(RevocationReachFile::Token) => RevocationReach::Token,
                Some(RevocationReachFile::Grant) => RevocationReach::Grant,
                None => RevocationReach::default(),
            },
            manual_url: keys.manual_url,
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

fn form_body() -> BodyEncoding {
    BodyEncoding::Form
}

/// One of the ways that there are; one that is known and not built is refused with its name.
fn client_auth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ClientAuth, D::Error> {
    let name = String::deserialize(deserializer)?;
    match name.as_str() {
        "post" => Ok(ClientAuth::Post),
        "basic" => Ok(ClientAuth::Basic),
        "none" => Ok(ClientAuth::None),
        "secret_key" => Ok(ClientAuth::SecretKey),
        "private_key_jwt" => Err(de::Error::custom(
            "`private_key_jwt` is not supported yet: there is no key for a client to sign with. Use `basic` or `post` \
             where the provider takes a client secret",
        )),
        other => Err(de::Error::unknown_variant(
            other,
            &["post", "basic", "none", "secret_key"],
        )),
    }
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
#[serde(remote = "TokenEncoding", rename_all = "snake_case")]
enum TokenEncodingFile {
    Form,
    Json,
    Query,
}

#[derive(Deserialize)]
#[serde(remote = "BodyEncoding", rename_all = "snake_case")]
enum BodyEncodingFile {
    Form,
    Json,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RevocationAuthFile {
    Client,
    ClientBasic,
    Bearer,
    None,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RevocationReachFile {
    Token,
    Grant,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RevocationTokensFile {
    RefreshThenAccess,
    Access,
    Refresh,
}
