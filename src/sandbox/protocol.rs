//! How the endpoints for clients answer: JSON that nobody stores, and errors in the words of RFC 6749 section 5.2.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::parameters::Parameters;
use super::persistence::SaveError;
use super::server::Service;

/// The error codes of OAuth that this server uses (RFC 6749 sections 4.1.2.1 and 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorCode {
    /// A parameter is missing, malformed or there twice.
    InvalidRequest,
    /// The client did not prove who it is.
    InvalidClient,
    /// The code or the refresh token is not good (any more), or not this client's.
    InvalidGrant,
    /// Only codes and refresh tokens are exchanged here.
    UnsupportedGrantType,
    /// Only codes are given out here.
    UnsupportedResponseType,
    /// An unknown scope, or more than was granted.
    InvalidScope,
    /// The person said no.
    AccessDenied,
    /// The answer could not be made durable.
    ServerError,
}

impl ErrorCode {
    /// The code as it travels.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::AccessDenied => "access_denied",
            Self::ServerError => "server_error",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::InvalidClient => StatusCode::UNAUTHORIZED,
            Self::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// A refused request. The description is plain ASCII without quotes (RFC 6749 section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Which error.
    pub(super) code: ErrorCode,
    /// What a developer should know.
    pub(super) description: &'static str,
}

impl Refusal {
    /// A refusal.
    pub(super) const fn new(code: ErrorCode, description: &'static str) -> Self {
        Self { code, description }
    }
}

impl From<SaveError> for Refusal {
    fn from(error: SaveError) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(ErrorCode::ServerError, "the state could not be saved")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = Json(json!({
            "error": self.code.as_str(),
            "error_description": self.description,
        }));
        let status = self.code.status();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = [(WWW_AUTHENTICATE, "Basic realm=\"Sandbox\"")];
            return (status, challenge, body).into_response();
        }
        (status, body).into_response()
    }
}

/// The form that a client posted.
pub(super) fn form(
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Parameters, Refusal> {
    let refused = |description| Refusal::new(ErrorCode::InvalidRequest, description);
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    if !essence.is_some_and(|kind| kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")) {
        return Err(refused(
            "the body must be application/x-www-form-urlencoded",
        ));
    }
    let body = body.map_err(|_| refused("the body is too large or was cut off"))?;
    let parameters = Parameters::parse(&body);
    match parameters.repeated() {
        Some(_) => Err(refused("a parameter is there more than once")),
        None => Ok(parameters),
    }
}

impl Service {
    /// A new identifier without its prefix: 128 random bits.
    pub(super) fn random_id(&self) -> String {
        HEXLOWER.encode(&self.random.bytes::<16>())
    }
}
