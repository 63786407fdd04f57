//! Why a token request brought no usable token, told so that the caller knows what becomes of the credential.

use std::time::Duration;

use thiserror::Error;

use super::ProfileError;
use crate::egress::EgressError;

/// Why there is no token. Texts of the provider are cleaned: one line, no invisible characters, no secrets, 300
/// characters at most.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    /// The provider understood and said no (RFC 6749 section 5.2). [`TokenError::grant_is_dead`] tells whether the
    /// person has to connect again or the operator has to mend the registration.
    #[error("the provider refused with status {status}: {}{}", error.as_deref().unwrap_or("it names no error"), detail(description.as_deref()))]
    Refused {
        /// HTTP status; some providers refuse with 200.
        status: u16,
        /// The error code, `invalid_grant` for instance; some providers give none.
        error: Option<String>,
        /// The provider's explanation.
        description: Option<String>,
    },
    /// The provider is overloaded or out of order. The credential stays as it is; try again later.
    #[error("the provider is not available now (status {status}); try again later")]
    Unavailable {
        /// HTTP status: 408, 425, 429 or 5xx.
        status: u16,
        /// How long the provider asks to be left alone, when it says so in seconds.
        retry_after: Option<Duration>,
    },
    /// What came back is no reply of an OAuth endpoint.
    #[error("the provider's reply (status {status}) cannot be read: {reason}")]
    Unreadable {
        /// HTTP status.
        status: u16,
        /// What it is instead.
        reason: &'static str,
    },
    /// A reply that could be read, without an access token where the provider file says that it stands.
    #[error("the provider's reply holds no access token at the place that the provider file names")]
    NoAccessToken,
    /// A token that could not be sent on safely: not a text of visible ASCII characters, or too long.
    #[error(
        "the provider's reply holds a {token} that is not usable: it must be visible ASCII, 16384 characters at most"
    )]
    UnusableToken {
        /// Which token.
        token: &'static str,
    },
    /// A token that is not to be sent as a bearer token (RFC 6749 section 7.1).
    #[error("the provider issued a token of type {token_type}; only bearer tokens are supported")]
    UnsupportedTokenType {
        /// What the provider calls it.
        token_type: String,
    },
    /// The provider file contradicts the protocol; nothing was sent.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// No reply came.
    #[error(transparent)]
    Egress(#[from] EgressError),
}

impl TokenError {
    /// Whether the grant has ended: the person has to connect again, and repeating the request is pointless. True for
    /// `invalid_grant`, and for a refusal with status 400 that names no error, which is how some providers say it.
    /// Never for overload, time-outs, or a problem of our registration such as `invalid_client`.
    #[must_use]
    pub fn grant_is_dead(&self) -> bool {
        match self {
            Self::Refused { status, error, .. } => match error.as_deref() {
                Some(code) => code == "invalid_grant",
                None => *status == 400,
            },
            _ => false,
        }
    }

    /// Whether the provider may have acted on the request although it brought nothing: a single-use code or refresh
    /// token may then be spent.
    #[must_use]
    pub fn grant_may_be_spent(&self) -> bool {
        match self {
            Self::Egress(error) => error.request_was_sent(),
            Self::Refused { .. } | Self::Profile(_) => false,
            // Overload is refused before it is handled; any other failure may have come halfway.
            Self::Unavailable { status, .. } => !matches!(status, 425 | 429 | 503),
            Self::Unreadable { status, .. } => !(300..500).contains(status),
            Self::NoAccessToken
            | Self::UnusableToken { .. }
            | Self::UnsupportedTokenType { .. } => true,
        }
    }
}

fn detail(description: Option<&str>) -> String {
    description.map_or_else(String::new, |text| format!(" ({text})"))
}
