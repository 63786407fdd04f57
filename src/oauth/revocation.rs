//! Taking access back at the provider.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use thiserror::Error;
use url::Url;

use super::client_proof::{ParameterNames, Proof};
use super::profile_error::parse_headers;
use super::token_endpoint::{LIMITS, encode};
use super::{ProfileError, TokenError, token_reply};
use crate::base::Secret;
use crate::catalogue::{
    OAuthProfile, ReplyFormat, Revocation, RevocationAuth, RevocationRequest, RevocationTokens,
};
use crate::connection::ClientRegistration;
use crate::egress::Egress;

/// How access ended at the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevocationOutcome {
    /// The provider says that the tokens are dead.
    Confirmed,
    /// The provider cannot be asked; the person can remove the access on its own page.
    Unsupported {
        /// That page.
        manual_url: Option<Url>,
    },
}

/// Why it is not certain that the tokens are dead. They must count as alive; repeating the request is always safe (RFC 7009
/// section 2.2: a token that is already gone is answered with success).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RevokeError {
    /// The provider takes back only a kind of token that this connection does not hold.
    #[error("this connection holds no token that the provider could take back")]
    NoTokenToRevoke,
    /// The provider did not confirm: refused, unavailable, unreadable, unreachable, or wrongly described.
    #[error("the revocation is not confirmed: {0}")]
    NotConfirmed(#[from] TokenError),
}

impl RevokeError {
    /// Whether asking again later can help: the provider was unavailable, unreachable or slow.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::NotConfirmed(TokenError::Unavailable { .. } | TokenError::Egress(_))
        )
    }
}

impl From<ProfileError> for RevokeError {
    fn from(error: ProfileError) -> Self {
        Self::NotConfirmed(error.into())
    }
}

/// One of the tokens of a connection.
#[derive(Clone, Copy)]
struct Revocable<'a> {
    token: &'a Secret,
    /// The `token_type_hint` of RFC 7009 section 2.1.
    hint: &'static str,
}

/// Takes the tokens of a connection back: RFC 7009, or what the provider has in its place. The refresh token goes first,
/// so that nothing can make new access tokens while the access token is dealt with; when one fails the other is still tried.
///
/// # Errors
/// When any of the tokens may still be alive.
pub async fn revoke(
    egress: &Egress,
    profile: &OAuthProfile,
    registration: &ClientRegistration,
    access: Option<&Secret>,
    refresh: Option<&Secret>,
) -> Result<RevocationOutcome, RevokeError> {
    let request = match &profile.revocation {
        Revocation::Unsupported { manual_url } => {
            return Ok(RevocationOutcome::Unsupported {
                manual_url: manual_url.clone(),
            });
        }
        Revocation::Request(request) => request,
    };
    let tokens = tokens_to_revoke(request.tokens, access, refresh);
    if tokens.is_empty() {
        return Err(RevokeError::NoTokenToRevoke);
    }
    let mut outcome = Ok(RevocationOutcome::Confirmed);
    for token in tokens {
        let revoked = revoke_one(egress, profile, registration, request, token).await;
        if let (Ok(_), Err(error)) = (&outcome, revoked) {
            outcome = Err(error);
        }
    }
    outcome
}

fn tokens_to_revoke<'a>(
    which: RevocationTokens,
    access: Option<&'a Secret>,
    refresh: Option<&'a Secret>,
) -> Vec<Revocable<'a>> {
    let access = access.map(|token| Revocable {
        token,
        hint: "access_token",
    });
    let refresh = refresh.map(|token| Revocable {
        token,
        hint: "refresh_token",
    });
    match which {
        RevocationTokens::RefreshThenAccess => refresh.into_iter().chain(access).collect(),
        RevocationTokens::Access => access.into_iter().collect(),
        RevocationTokens::Refresh => refresh.into_iter().collect(),
    }
}

/// The requests that [`revoke`] sends one after another; none where the provider cannot be asked.
///
/// # Errors
/// When the profile cannot be followed.
pub(super) fn requests(
    profile: &OAuthProfile,
    registration: &ClientRegistration,
    access: &Secret,
    refresh: Option<&Secret>,
) -> Result<Vec<Request<Vec<u8>>>, ProfileError> {
    match &profile.revocation {
        Revocation::Unsupported { .. } => Ok(Vec::new()),
        Revocation::Request(request) => tokens_to_revoke(request.tokens, Some(access), refresh)
            .into_iter()
            .map(|token| render(profile, registration, request, token))
            .collect(),
    }
}

async fn revoke_one(
    egress: &Egress,
    profile: &OAuthProfile,
    registration: &ClientRegistration,
    request: &RevocationRequest,
    token: Revocable<'_>,
) -> Result<(), RevokeError> {
    let outgoing = render(profile, registration, request, token)?;
    let reply = egress
        .send(outgoing, LIMITS)
        .await
        .map_err(TokenError::from)?;
    let mut secrets = vec![token.token];
    secrets.extend(registration.client_secret.as_ref());
    judge(&reply, profile, request, &secrets)
}

/// The request of RFC 7009 section 2.1, as the provider wants it. The fixed headers of the token endpoint go along: a
/// provider that demands a version header demands it here too.
fn render(
    profile: &OAuthProfile,
    registration: &ClientRegistration,
    request: &RevocationRequest,
    token: Revocable<'_>,
) -> Result<Request<Vec<u8>>, ProfileError> {
    let mut parameters = Vec::new();
    if let Some(name) = &request.token_param {
        parameters.push((name.clone(), token.token.expose().to_owned()));
    }
    if request.send_hint {
        parameters.push(("token_type_hint".to_owned(), token.hint.to_owned()));
    }
    let authorization = match proof(profile, registration, request, token)? {
        None => None,
        Some(Proof::Header(value)) => Some(value),
        Some(Proof::Parameters(proof)) => {
            parameters.extend(proof);
            None
        }
    };
    let mut outgoing = Request::new(Vec::new());
    *outgoing.method_mut() = request.method.clone();
    *outgoing.uri_mut() = address(&request.url, &registration.client_id, token.token)?;
    let headers = outgoing.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.extend(parse_headers(&profile.token.headers)?);
    if let Some(value) = authorization {
        headers.insert(AUTHORIZATION, value);
    }
    if !parameters.is_empty() {
        let (content_type, body) = encode(request.encoding, &parameters);
        headers.insert(CONTENT_TYPE, content_type);
        *outgoing.body_mut() = body;
    }
    Ok(outgoing)
}

/// How the request is authorized, where it is.
fn proof(
    profile: &OAuthProfile,
    registration: &ClientRegistration,
    request: &RevocationRequest,
    token: Revocable<'_>,
) -> Result<Option<Proof>, ProfileError> {
    let names = ParameterNames {
        client_id: &request.client_id_param,
        client_secret: &request.client_secret_param,
    };
    let proof = match request.auth {
        RevocationAuth::None => return Ok(None),
        RevocationAuth::Bearer => Proof::bearer(token.token),
        RevocationAuth::ClientBasic => Proof::basic_of(registration),
        RevocationAuth::Client => {
            Proof::as_at_token_endpoint(profile.client_auth, registration, &names)
        }
    };
    proof.map(Some)
}

/// The revocation address with `{client_id}` and `{token}` filled in, each as one path segment.
fn address(template: &str, client_id: &str, token: &Secret) -> Result<http::Uri, ProfileError> {
    let mut address = template.to_owned();
    for (place, value) in [("{client_id}", client_id), ("{token}", token.expose())] {
        if address.contains(place) {
            address = address.replace(place, &segment(value)?);
        }
    }
    Url::parse(&address)
        .ok()
        .and_then(|url| url.as_str().parse().ok())
        .ok_or(ProfileError::RevocationAddress)
}

/// A value as one segment of a path. The two that climb in a path would climb percent-encoded as well.
fn segment(value: &str) -> Result<String, ProfileError> {
    if matches!(value, "" | "." | "..") {
        return Err(ProfileError::RevocationAddress);
    }
    Ok(utf8_percent_encode(value, NON_ALPHANUMERIC).to_string())
}

/// Whether the reply says that the token is dead. 200 also stands for a token that was unknown (RFC 7009 section 2.2), and
/// `invalid_token` (RFC 6750 section 3.1) says that the token we presented is of no use to anyone.
fn judge(
    reply: &Response<Vec<u8>>,
    profile: &OAuthProfile,
    request: &RevocationRequest,
    secrets: &[&Secret],
) -> Result<(), RevokeError> {
    let status = reply.status();
    if request.success_statuses.contains(&status.as_u16()) {
        return Ok(());
    }
    if let Some(unavailable) = token_reply::unavailable(status, reply.headers()) {
        return Err(unavailable.into());
    }
    if reply.body().trim_ascii_start().starts_with(b"<") {
        // A sign-in or error page answers anything with 200.
        return Err(RevokeError::NotConfirmed(TokenError::Unreadable {
            status: status.as_u16(),
            reason: "it is a web page",
        }));
    }
    // Many providers answer a revocation with an empty body, or with "OK".
    let fields = token_reply::fields(reply, ReplyFormat::Auto).unwrap_or_default();
    match token_reply::refusal(status, &fields, &profile.token_reply, secrets) {
        Some(TokenError::Refused {
            error: Some(code), ..
        }) if code == "invalid_token" || request.already_dead.contains(&code) => Ok(()),
        Some(refusal) => Err(refusal.into()),
        None if matches!(status.as_u16(), 200 | 204) && is_confirmed(&fields, request) => Ok(()),
        None => Err(RevokeError::NotConfirmed(TokenError::Refused {
            status: status.as_u16(),
            error: None,
            description: None,
        })),
    }
}

/// Some providers answer with success whether or not the token was revoked, and say which in the body.
fn is_confirmed(fields: &Map<String, Value>, request: &RevocationRequest) -> bool {
    request
        .confirmed_by
        .as_deref()
        .is_none_or(|path| token_reply::is_true(fields, path))
}

#[cfg(test)]
mod tests;
