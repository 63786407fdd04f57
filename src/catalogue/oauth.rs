//! How to speak OAuth to one provider, as its file says, with every variable filled in.
//!
//! These are values for floor 3 to act on; nothing here sends anything.

use std::time::Duration;

use http::Method;
use url::Url;

use super::ScopeSet;

/// Everything that the `oauth` floor needs to know about a provider.
#[derive(Clone, Debug)]
pub struct OAuthProfile {
    /// The issuer identifier that the provider puts into `iss` (RFC 9207), compared as an exact string.
    pub issuer: Option<String>,
    /// The provider announces `authorization_response_iss_parameter_supported`: a callback without `iss` is refused.
    pub iss_required: bool,
    /// The authorization endpoint (RFC 6749 section 3.1).
    pub authorization_endpoint: Url,
    /// Fixed extra parameters of the authorization request.
    pub authorization_params: Vec<(String, String)>,
    /// The parameter that carries the scopes: `scope` nearly everywhere, `user_scope` where `scope` is for a bot.
    pub scope_param: String,
    /// Scopes that a person may refuse, and the parameter of their own that asks for them; the rest is in `scope_param`.
    pub optional_scopes: Option<OptionalScopes>,
    /// What stands between two scopes in a request.
    pub scope_separator: String,
    /// Everything that the provider can be asked for: the scopes that its tools need. How much of it a person is asked
    /// for is the [`ScopePlan`](super::ScopePlan)'s matter.
    pub scopes: ScopeSet,
    /// Whether proof keys are sent (RFC 7636, S256 only).
    pub pkce: Pkce,
    /// How a callback proves that the provider sent it, besides `state` and `iss`.
    pub callback_verification: Option<CallbackVerification>,
    /// The token endpoint.
    pub token: TokenEndpoint,
    /// How the client proves itself at the token endpoint (RFC 6749 section 2.3).
    pub client_auth: ClientAuth,
    /// Where the fields of a token reply stand.
    pub token_reply: TokenReplyRules,
    /// Where the lifetime of an access token is asked for; none: token replies say it, or nothing does.
    pub introspection: Option<Introspection>,
    /// What becomes of refresh tokens.
    pub refresh: RefreshRules,
    /// Where and how a refresh is asked for.
    pub refresh_endpoint: RefreshEndpoint,
    /// How access is taken back.
    pub revocation: Revocation,
}

/// Scopes that are asked for and never demanded: a login that does not grant them is a good login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionalScopes {
    /// The parameter of the authorization request.
    pub param: String,
    /// Which scopes go there instead of into the parameter of the required ones.
    pub scopes: ScopeSet,
}

/// What becomes of refresh tokens at this provider, by its documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshRules {
    /// The provider has refresh tokens at all. Where it has none, a person has to sign in again when access ends.
    pub supported: bool,
    /// Whether a refresh brings a new refresh token.
    pub rotates: Rotation,
    /// A refresh token that was used is dead; using it again may end the whole grant (RFC 9700 section 4.14.2).
    pub single_use: bool,
    /// How long a used refresh token is accepted once more.
    pub reuse_grace: Option<Duration>,
    /// A refresh ends the access token before it at once.
    pub ends_access_token: bool,
    /// How long a refresh token lives unless it is used.
    pub idle_ttl: Option<Duration>,
    /// How long a grant lives, however often it is renewed.
    pub absolute_ttl: Option<Duration>,
}

/// Whether a refresh brings a new refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Every time.
    Always,
    /// Sometimes: the one of the reply where it has one, the old one otherwise.
    Maybe,
    /// Never.
    Never,
}

/// What is assumed of a provider whose file says nothing: the careful reading.
impl Default for RefreshRules {
    fn default() -> Self {
        Self {
            supported: true,
            rotates: Rotation::Maybe,
            single_use: true,
            reuse_grace: None,
            ends_access_token: false,
            idle_ttl: None,
            absolute_ttl: None,
        }
    }
}

/// Whether proof keys are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pkce {
    /// The provider insists on S256.
    Required,
    /// The provider takes or ignores S256: it is sent.
    Optional,
    /// The provider fails when it is sent.
    Off,
}

/// How the client proves itself at the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// `client_id` and `client_secret` in the body.
    Post,
    /// HTTP Basic.
    Basic,
    /// A public client: `client_id` in the body, no secret.
    None,
    /// HTTP Basic with the secret as the user and an empty password; `client_id` is not sent.
    SecretKey,
}

/// A proof that callbacks carry, by its name in provider files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallbackVerification {
    /// The parameter `hmac` authenticates all others: HMAC-SHA256 with the client secret as the key, in hexadecimal.
    HmacOfQuery,
}

/// Token introspection (RFC 7662).
#[derive(Clone, Debug)]
pub struct Introspection {
    /// The introspection endpoint.
    pub url: Url,
    /// How its requests are authorized.
    pub auth: IntrospectionAuth,
}

/// How an introspection request is authorized (RFC 7662 section 2.1 demands that it is).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IntrospectionAuth {
    /// As at the token endpoint.
    #[default]
    Client,
    /// HTTP Basic with client id and secret, whatever the token endpoint wants.
    ClientBasic,
    /// The access token that is asked about, as a bearer token.
    Bearer,
}

/// The token endpoint and what its requests look like.
#[derive(Clone, Debug)]
pub struct TokenEndpoint {
    /// Where it is.
    pub url: Url,
    /// How its parameters are written.
    pub encoding: TokenEncoding,
    /// Fixed extra headers.
    pub headers: Vec<(String, String)>,
    /// Fixed extra parameters.
    pub params: Vec<(String, String)>,
}

/// Where and how a refresh is asked for. Most providers answer it at the token endpoint, as any other token request.
#[derive(Clone, Debug)]
pub struct RefreshEndpoint {
    /// Where it is, and what every refresh holds besides what RFC 6749 section 6 asks for.
    pub endpoint: TokenEndpoint,
    /// The granted scopes are named. Everywhere else leaving them out means the same (RFC 6749 section 6).
    pub sends_scope: bool,
    /// The redirect URI of the authorization request is repeated.
    pub sends_redirect_uri: bool,
}

/// How the parameters of a token request are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenEncoding {
    /// In the body, `application/x-www-form-urlencoded`: the standard (RFC 6749 section 4.1.3).
    Form,
    /// In the body, a JSON object.
    Json,
    /// In the query of the address, although RFC 6749 section 2.3.1 forbids it for secrets: some providers read nothing
    /// else. The body is empty.
    Query,
}

/// How a body with parameters is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEncoding {
    /// `application/x-www-form-urlencoded`.
    Form,
    /// A JSON object.
    Json,
}

/// How a token reply is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplyFormat {
    /// JSON or form-encoded, whichever it looks like.
    #[default]
    Auto,
    /// A JSON object (RFC 6749 section 5.1), and nothing else.
    Json,
    /// Form-encoded, whatever its content type says.
    Form,
}

/// Where the granted scopes are said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScopeSource {
    /// In the token reply (RFC 6749 section 5.1).
    #[default]
    Body,
    /// In a parameter of the callback.
    Callback,
    /// Nowhere: what was asked for counts as granted.
    None,
}

/// Where the lifetime of an access token is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LifetimeSource {
    /// In the token reply (RFC 6749 section 5.1).
    #[default]
    Reply,
    /// In the answer to a question about the token (RFC 7662).
    Introspection,
}

/// Where the fields of a token reply stand: dotted paths into the JSON object (or the form-encoded pairs).
#[derive(Clone, Debug)]
pub struct TokenReplyRules {
    /// How a reply is written. A refusal with a status that says so is read either way.
    pub format: ReplyFormat,
    /// Path of the access token.
    pub access_token: String,
    /// Path of the refresh token.
    pub refresh_token: String,
    /// Path of the lifetime in seconds.
    pub expires_in: String,
    /// Path of the refresh token's lifetime in seconds; none: replies do not hold it.
    pub refresh_expires_in: Option<String>,
    /// Where the lifetime is said.
    pub lifetime_from: LifetimeSource,
    /// How long an access token lives when a reply does not say it, by the provider's documentation.
    pub lifetime: Option<Duration>,
    /// Path of the granted scopes; with [`ScopeSource::Callback`] the parameter of the callback.
    pub scope: String,
    /// Where the granted scopes are said.
    pub scope_from: ScopeSource,
    /// Characters that separate granted scopes, besides white space.
    pub scope_separators: String,
    /// Path of a boolean that is false in a refusal that comes with status 200.
    pub ok: Option<String>,
    /// Path of the error code.
    pub error: String,
    /// What is kept of the reply besides: name, and where it stands.
    pub captures: Vec<(String, String)>,
    /// Error codes that say of a refresh what RFC 6749 section 5.2 calls `invalid_grant`: the refresh token is dead.
    pub dead_grant: Vec<String>,
}

/// How access is taken back at the provider.
#[derive(Clone, Debug)]
pub enum Revocation {
    /// The provider has no way; the person can remove the access by hand on this page.
    Unsupported {
        /// The provider's own page for it.
        manual_url: Option<Url>,
    },
    /// One request per token.
    Request(RevocationRequest),
}

/// The request that takes a token back.
#[derive(Clone, Debug)]
pub struct RevocationRequest {
    /// Its method.
    pub method: Method,
    /// Its address; the `oauth` floor fills `{client_id}` and `{token}` in, each as one path segment.
    pub url: String,
    /// How it is authorized.
    pub auth: RevocationAuth,
    /// How the body is written.
    pub encoding: BodyEncoding,
    /// The name under which the token goes into the body; `None`: it does not.
    pub token_param: Option<String>,
    /// The name under which the client id goes into the body, where it does: `client_id` nearly everywhere.
    pub client_id_param: String,
    /// The name under which the client secret goes into the body, where it does: `client_secret` nearly everywhere.
    pub client_secret_param: String,
    /// Whether `token_type_hint` is sent (RFC 7009 section 2.1).
    pub send_hint: bool,
    /// Which tokens are revoked, in order.
    pub tokens: RevocationTokens,
    /// Statuses that mean the token is dead, besides 200 and 204.
    pub success_statuses: Vec<u16>,
    /// Path of a boolean in the reply that must be true before the token counts as dead. `None`: the status says enough.
    pub confirmed_by: Option<String>,
    /// Error codes that mean that the token was dead before, besides `invalid_token`.
    pub already_dead: Vec<String>,
    /// What a revocation takes along.
    pub reach: RevocationReach,
}

/// What a revocation takes along. It decides whether the tokens of an earlier sign-in may be taken back while the same
/// account is connected anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RevocationReach {
    /// The tokens of one sign-in: another one of the same account at the same client stays.
    Token,
    /// Everything that the account has allowed this client: a newer sign-in dies too. What is assumed of a provider whose
    /// file says nothing.
    #[default]
    Grant,
}

/// How a revocation request is authorized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationAuth {
    /// As at the token endpoint.
    Client,
    /// HTTP Basic with client id and secret, whatever the token endpoint wants.
    ClientBasic,
    /// The token that is being revoked, as a bearer token.
    Bearer,
    /// Not at all: whoever holds the token may end it.
    None,
}

/// Which tokens are revoked, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationTokens {
    /// The refresh token first, then the access token (RFC 7009).
    RefreshThenAccess,
    /// The access token alone.
    Access,
    /// The refresh token alone: its access tokens end with it.
    Refresh,
}
