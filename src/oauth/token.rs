//! Codes and refresh tokens for access tokens.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
    BasicTokenType,
};
use oauth2::{
    AuthType, AuthorizationCode, Client, ClientId, ClientSecret, CodeTokenRequest, EndpointNotSet,
    EndpointSet, ExtraTokenFields, PkceCodeVerifier, RedirectUrl, RefreshToken,
    RefreshTokenRequest, RequestTokenError, Scope, StandardRevocableToken, StandardTokenResponse,
    TokenResponse, TokenUrl,
};
use serde::{Deserialize, Serialize};
use url::Url;

use super::token_endpoint::TokenEndpointClient;
use super::token_reply::Grant;
use super::{ProfileError, TokenError};
use crate::base::Secret;
use crate::catalogue::{ClientAuth, OAuthProfile, Pkce, ScopeSet};
use crate::connection::ClientRegistration;
use crate::egress::Egress;

/// The hard deadline of one token request, connecting included. Whoever holds a lease for a refresh computes with it.
pub const TOKEN_REQUEST_DEADLINE: Duration = Duration::from_secs(20);

/// What a provider granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenReply {
    /// The new access token: visible ASCII.
    pub access_token: Secret,
    /// A new refresh token. `None`: the one that was used stays valid, or there is none.
    pub refresh_token: Option<Secret>,
    /// How long the access token lives from now on, between zero and ten years. `None`: the provider does not say.
    pub expires_in: Option<Duration>,
    /// How long the refresh token lives, where the provider says so.
    pub refresh_expires_in: Option<Duration>,
    /// What was granted. `None`: the reply names nothing, which means as requested (RFC 6749 section 5.1).
    pub scopes: Option<ScopeSet>,
    /// What the provider file wants kept of it besides, by name, as the provider wrote it: nobody has looked at its form.
    pub captured: BTreeMap<String, String>,
}

/// What a refresh is made of: the token, and what some providers want repeated.
#[derive(Clone, Copy, Debug)]
pub struct RefreshRequest<'a> {
    /// The refresh token.
    pub refresh_token: &'a Secret,
    /// What was granted; named only where the provider file says so, and left out when nothing is known.
    pub granted: &'a ScopeSet,
    /// The redirect URI of the authorization request; repeated only where the provider file says so.
    pub redirect_uri: &'a Url,
}

/// What token replies hold beyond RFC 6749 section 5.1. The name is the one that every reply is brought to first.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Beyond {
    refresh_expires_in: Option<u64>,
    #[serde(default)]
    captured: BTreeMap<String, String>,
}

impl ExtraTokenFields for Beyond {}

pub(super) type Granted = StandardTokenResponse<Beyond, BasicTokenType>;

pub(super) type TokenClient = Client<
    BasicErrorResponse,
    Granted,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// Exchanges the code of a callback for tokens: RFC 6749 section 4.1.3, with the verifier of RFC 7636 section 4.5.
/// `redirect_uri` is the one of the authorization request. A code works once; never repeat this.
///
/// # Errors
/// Those of [`TokenError`].
pub async fn exchange(
    egress: &Egress,
    profile: &OAuthProfile,
    registration: &ClientRegistration,
    code: &Secret,
    verifier: Option<&Secret>,
    redirect_uri: &Url,
) -> Result<TokenReply, TokenError> {
    let verifier = match (profile.pkce, verifier) {
        (Pkce::Required, None) => return Err(ProfileError::ProofKeyMissing.into()),
        (Pkce::Off, _) => None,
        (Pkce::Required | Pkce::Optional, verifier) => verifier,
    };
    let endpoint = TokenEndpointClient {
        egress,
        endpoint: &profile.token,
        rules: &profile.token_reply,
        grant: Grant::Exchange,
        secrets: [Some(code), verifier, registration.client_secret.as_ref()]
            .into_iter()
            .flatten()
            .collect(),
    };
    let client = token_client(profile, registration, &profile.token.url);
    let request = exchange_request(&client, code, verifier, redirect_uri);
    outcome(request.request_async(&endpoint).await)
}

/// The exchange as the `oauth2` crate sends it.
pub(super) fn exchange_request<'c>(
    client: &'c TokenClient,
    code: &Secret,
    verifier: Option<&Secret>,
    redirect_uri: &Url,
) -> CodeTokenRequest<'c, BasicErrorResponse, Granted> {
    let request = client
        .exchange_code(AuthorizationCode::new(code.expose().to_owned()))
        .set_redirect_uri(Cow::Owned(RedirectUrl::from_url(redirect_uri.clone())));
    match verifier {
        Some(verifier) => {
            request.set_pkce_verifier(PkceCodeVerifier::new(verifier.expose().to_owned()))
        }
        None => request,
    }
}

/// Gets a new access token for a refresh token: RFC 6749 section 6, at the place and with the additions that the
/// provider file names. The grant stays as it is: scopes are left out, or named as they were granted.
///
/// The refresh token may be single-use: on an error, [`TokenError::grant_may_be_spent`] tells whether it may be gone.
///
/// # Errors
/// Those of [`TokenError`].
pub async fn refresh(
    egress: &Egress,
    profile: &OAuthProfile,
    registration: &ClientRegistration,
    request: &RefreshRequest<'_>,
) -> Result<TokenReply, TokenError> {
    if !profile.refresh.supported {
        return Err(ProfileError::RefreshUnsupported.into());
    }
    let rules = &profile.refresh_endpoint;
    let endpoint = TokenEndpointClient {
        egress,
        endpoint: &rules.endpoint,
        rules: &profile.token_reply,
        grant: Grant::Refresh,
        secrets: [
            Some(request.refresh_token),
            registration.client_secret.as_ref(),
        ]
        .into_iter()
        .flatten()
        .collect(),
    };
    let client = token_client(profile, registration, &rules.endpoint.url);
    let refresh_token = RefreshToken::new(request.refresh_token.expose().to_owned());
    let outgoing = refresh_request(&client, profile, request, &refresh_token);
    outcome(outgoing.request_async(&endpoint).await)
}

/// The refresh as the `oauth2` crate sends it.
pub(super) fn refresh_request<'c>(
    client: &'c TokenClient,
    profile: &OAuthProfile,
    request: &RefreshRequest<'_>,
    refresh_token: &'c RefreshToken,
) -> RefreshTokenRequest<'c, BasicErrorResponse, Granted> {
    let rules = &profile.refresh_endpoint;
    let mut outgoing = client.exchange_refresh_token(refresh_token);
    if rules.sends_scope && !request.granted.is_empty() {
        let scopes = request.granted.join(&profile.scope_separator);
        outgoing = outgoing.add_scope(Scope::new(scopes));
    }
    if rules.sends_redirect_uri {
        let redirect_uri = request.redirect_uri.to_string();
        outgoing = outgoing.add_extra_param("redirect_uri", redirect_uri);
    }
    outgoing
}

/// The client with exactly one way to prove itself (RFC 6749 section 2.3: never more than one in a request).
pub(super) fn token_client(
    profile: &OAuthProfile,
    registration: &ClientRegistration,
    endpoint: &Url,
) -> TokenClient {
    let client_of = |id: &str| {
        Client::new(ClientId::new(id.to_owned()))
            .set_token_uri(TokenUrl::from_url(endpoint.clone()))
    };
    let client = client_of(&registration.client_id);
    let secret = registration
        .client_secret
        .as_ref()
        .map(|secret| ClientSecret::new(secret.expose().to_owned()));
    match (profile.client_auth, secret) {
        (ClientAuth::Basic, Some(secret)) => client
            .set_auth_type(AuthType::BasicAuth)
            .set_client_secret(secret),
        (ClientAuth::Post, Some(secret)) => client
            .set_auth_type(AuthType::RequestBody)
            .set_client_secret(secret),
        // The key is the user name of HTTP Basic, and its password is empty.
        (ClientAuth::SecretKey, Some(secret)) => client_of(secret.secret())
            .set_auth_type(AuthType::BasicAuth)
            .set_client_secret(ClientSecret::new(String::new())),
        (ClientAuth::None, _) | (_, None) => client.set_auth_type(AuthType::RequestBody),
    }
}

/// Reads what the `oauth2` crate makes of a reply. Its own messages quote replies, and so are not passed on.
fn outcome(
    result: Result<Granted, RequestTokenError<TokenError, BasicErrorResponse>>,
) -> Result<TokenReply, TokenError> {
    let reply = result.map_err(|error| match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(_)
        | RequestTokenError::Parse(..)
        | RequestTokenError::Other(_) => TokenError::Unreadable {
            status: 200,
            reason: "it is not a token reply",
        },
    })?;
    Ok(TokenReply {
        access_token: Secret::new(reply.access_token().secret()),
        refresh_token: reply
            .refresh_token()
            .map(|token| Secret::new(token.secret())),
        expires_in: reply.expires_in(),
        refresh_expires_in: reply
            .extra_fields()
            .refresh_expires_in
            .map(Duration::from_secs),
        captured: reply.extra_fields().captured.clone(),
        scopes: reply.scopes().map(|scopes| {
            scopes
                .iter()
                .map(|scope| scope.as_str())
                .filter(|scope| !scope.is_empty())
                .collect()
        }),
    })
}

#[cfg(test)]
mod tests;
