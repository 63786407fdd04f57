//! Who calls the API, by the bearer token of the request (RFC 6750), and how the API refuses.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::accounts::Account;
use super::persistence::SaveError;
use super::scope::Scope;
use super::state::State;
use crate::base::{Secret, Timestamp};

/// Why the API refuses.
#[derive(Debug)]
pub(super) enum ApiError {
    /// There is no bearer token.
    MissingToken,
    /// The token does not work (any more).
    InvalidToken,
    /// The token works, but not for this.
    InsufficientScope(Scope),
    /// There is nothing, or nothing of this account's.
    NotFound,
    /// The path is right and the method is not.
    MethodNotAllowed,
    /// The request makes no sense.
    BadRequest(String),
    /// The request makes sense and cannot be done.
    Unprocessable(&'static str),
    /// The body is too large.
    TooLarge,
    /// The change could not be made durable.
    Save(SaveError),
}

impl From<SaveError> for ApiError {
    fn from(error: SaveError) -> Self {
        Self::Save(error)
    }
}

impl ApiError {
    const fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::MissingToken => (StatusCode::UNAUTHORIZED, "missing_token"),
            Self::InvalidToken => (StatusCode::UNAUTHORIZED, "invalid_token"),
            Self::InsufficientScope(_) => (StatusCode::FORBIDDEN, "insufficient_scope"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::Unprocessable(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Self::Save(_) => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
        }
    }

    fn message(&self) -> String {
        match self {
            Self::MissingToken => "Send an access token: `Authorization: Bearer …`.".to_owned(),
            Self::InvalidToken => {
                "The access token is unknown, expired or revoked. Get a new one.".to_owned()
            }
            Self::InsufficientScope(scope) => format!(
                "The access token does not have the scope `{}`.",
                scope.as_str()
            ),
            Self::NotFound => "There is nothing here under this address.".to_owned(),
            Self::MethodNotAllowed => "This address does not take this method.".to_owned(),
            Self::BadRequest(message) => message.clone(),
            Self::Unprocessable(message) => (*message).to_owned(),
            Self::TooLarge => "The request is too large.".to_owned(),
            Self::Save(error) => error.to_string(),
        }
    }

    /// The challenge of RFC 6750 section 3; without an error code when there was no token at all (section 3.1).
    fn challenge(&self) -> Option<String> {
        let realm = "Bearer realm=\"Sandbox\"";
        match self {
            Self::MissingToken => Some(realm.to_owned()),
            Self::InvalidToken => Some(format!(
                "{realm}, error=\"invalid_token\", error_description=\"unknown, expired or revoked\""
            )),
            Self::InsufficientScope(scope) => Some(format!(
                "{realm}, error=\"insufficient_scope\", scope=\"{}\"",
                scope.as_str()
            )),
            _ => None,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, error) = self.kind();
        if let Self::Save(error) = &self {
            tracing::error!(%error, "a request failed");
        }
        let body = Json(json!({ "error": error, "message": self.message() }));
        match self.challenge() {
            Some(challenge) => (status, [(WWW_AUTHENTICATE, challenge)], body).into_response(),
            None => (status, body).into_response(),
        }
    }
}

/// The token that a request carries.
pub(super) struct Bearer(Secret);

impl Bearer {
    /// Reads it from the `Authorization` header, the only place where it may be.
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, ApiError> {
        headers
            .get(AUTHORIZATION)
            .and_then(|header| header.to_str().ok())
            .and_then(|header| header.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| Self(Secret::new(token.trim())))
            .ok_or(ApiError::MissingToken)
    }

    /// The account that the token may use for `needed`.
    pub(super) fn account(
        &self,
        state: &State,
        needed: Scope,
        now: Timestamp,
    ) -> Result<Account, ApiError> {
        let (token, grant) = state
            .access(self.0.expose(), now)
            .ok_or(ApiError::InvalidToken)?;
        if token.scope.contains(needed) {
            Ok(grant.account)
        } else {
            Err(ApiError::InsufficientScope(needed))
        }
    }
}
