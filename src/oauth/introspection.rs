//! Asking how long an access token lives, where token replies do not say it (RFC 7662).

use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response};
use serde_json::Value;
use thiserror::Error;

use super::client_proof::{ParameterNames, Proof};
use super::profile_error::parse_headers;
use super::token_endpoint::{LIMITS, encode};
use super::{ProfileError, TokenError, token_reply};
use crate::base::{Secret, Timestamp};
use crate::catalogue::{BodyEncoding, Introspection, IntrospectionAuth, OAuthProfile, ReplyFormat};
use crate::connection::ClientRegistration;
use crate::egress::{Egress, Limits};

/// A person waits meanwhile, and nothing depends on the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the lifetime of a token is not known. The token itself is as good as before.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IntrospectionError {
    /// The provider refused, was unavailable, unreadable or unreachable.
    #[error(transparent)]
    NotAnswered(#[from] TokenError),
    /// It says of a token that it has just issued that it is dead (RFC 7662 section 2.2).
    #[error("the provider says that the access token is not active")]
    NotActive,
    /// `exp` is missing, no number, or over already: the provider does not say it, or one of two clocks is wrong.
    #[error("the provider's answer names no end (`exp`) that lies ahead")]
    NoEnd,
}

impl From<ProfileError> for IntrospectionError {
    fn from(error: ProfileError) -> Self {
        Self::NotAnswered(error.into())
    }
}

/// How long `access_token` lives from `now` on, as the provider's introspection endpoint says (RFC 7662 section 2.2,
/// `exp`); at most ten years. `None`: the profile has no such endpoint. Repeating this is safe.
///
/// # Errors
/// Those of [`IntrospectionError`]: the lifetime is unknown then.
pub async fn introspect(
    egress: &Egress,
    profile: &OAuthProfile,
    registration: &ClientRegistration,
    access_token: &Secret,
    now: Timestamp,
) -> Result<Option<Duration>, IntrospectionError> {
    let Some(endpoint) = &profile.introspection else {
        return Ok(None);
    };
    let request = render(profile, registration, endpoint, access_token)?;
    let limits = Limits {
        headers: PATIENCE,
        total: PATIENCE,
        ..LIMITS
    };
    let reply = egress.send(request, limits).await;
    let reply = reply.map_err(TokenError::from)?;
    let mut secrets = vec![access_token];
    secrets.extend(registration.client_secret.as_ref());
    read(&reply, profile, &secrets, now).map(Some)
}

/// The request of RFC 7662 section 2.1. The fixed headers of the token endpoint go along, as with a revocation.
fn render(
    profile: &OAuthProfile,
    registration: &ClientRegistration,
    endpoint: &Introspection,
    access_token: &Secret,
) -> Result<Request<Vec<u8>>, ProfileError> {
    let mut request = Request::new(Vec::new());
    *request.method_mut() = Method::POST;
    let address = endpoint.url.as_str().parse();
    *request.uri_mut() = address.map_err(|_| ProfileError::IntrospectionAddress)?;
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.extend(parse_headers(&profile.token.headers)?);
    let mut parameters = vec![("token".to_owned(), access_token.expose().to_owned())];
    let names = ParameterNames::STANDARD;
    let proof = match endpoint.auth {
        IntrospectionAuth::Client => {
            Proof::as_at_token_endpoint(profile.client_auth, registration, &names)
        }
        IntrospectionAuth::ClientBasic => Proof::basic_of(registration),
        IntrospectionAuth::Bearer => Proof::bearer(access_token),
    };
    match proof? {
        Proof::Header(value) => {
            headers.insert(AUTHORIZATION, value);
        }
        Proof::Parameters(proof) => parameters.extend(proof),
    }
    let (content_type, body) = encode(BodyEncoding::Form, &parameters);
    headers.insert(CONTENT_TYPE, content_type);
    *request.body_mut() = body;
    Ok(request)
}

fn read(
    reply: &Response<Vec<u8>>,
    profile: &OAuthProfile,
    secrets: &[&Secret],
    now: Timestamp,
) -> Result<Duration, IntrospectionError> {
    let status = reply.status();
    if let Some(unavailable) = token_reply::unavailable(status, reply.headers()) {
        return Err(unavailable.into());
    }
    let unreadable = |reason| TokenError::Unreadable {
        status: status.as_u16(),
        reason,
    };
    let fields = token_reply::fields(reply, ReplyFormat::Json).map_err(unreadable)?;
    if let Some(refusal) = token_reply::refusal(status, &fields, &profile.token_reply, secrets) {
        return Err(refusal.into());
    }
    if !status.is_success() {
        return Err(unreadable("it is no answer to the question about a token").into());
    }
    if !token_reply::is_true(&fields, "active") {
        return Err(IntrospectionError::NotActive);
    }
    end(fields.get("exp"))
        .map(|end| end.since(now).min(token_reply::MAX_LIFETIME))
        .filter(|left| !left.is_zero())
        .ok_or(IntrospectionError::NoEnd)
}

/// A number of whole seconds since 1970, however it is written.
fn end(exp: Option<&Value>) -> Option<Timestamp> {
    let seconds = match exp? {
        Value::Number(number) => number.as_i64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    Some(Timestamp::from_unix(seconds))
}

#[cfg(test)]
mod tests;
