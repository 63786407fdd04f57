//! What a client must never do, seen from the provider.

use super::RevocationStyle;

/// One thing that was wrong with a request. A provider that saw one fails its test.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    /// RFC 6749 section 4.1.2: a code is used once.
    #[error("an authorization code was presented twice")]
    CodeReused,
    /// RFC 9700 section 2.1.1.
    #[error("the authorization request has no S256 code challenge (method {method:?})")]
    ChallengeNotS256 {
        /// `code_challenge_method` as it came.
        method: Option<String>,
    },
    /// RFC 7636 section 4.5.
    #[error("the token request has no code verifier")]
    VerifierMissing,
    /// RFC 7636 section 4.6.
    #[error("the code verifier does not belong to the code challenge")]
    VerifierWrong,
    /// RFC 9700 section 4.7: without it, nothing ties the callback to the browser.
    #[error("the authorization request has no state")]
    StateMissing,
    /// RFC 6749 section 3.1: parameters come once.
    #[error("the authorization request has the parameter `{name}` twice")]
    ParameterTwice {
        /// Its name.
        name: String,
    },
    /// RFC 6749 section 4.1.3: both legs name the same redirect URI.
    #[error(
        "the redirect URI was {authorized} at the authorization endpoint and {redeemed:?} at the token endpoint"
    )]
    RedirectUriDiffers {
        /// In the authorization request.
        authorized: String,
        /// In the token request.
        redeemed: Option<String>,
    },
    /// RFC 9700 section 4.14.2: at strict providers this kills the connection.
    #[error("a spent refresh token was used again")]
    RefreshTokenReused,
    /// Two refreshes of one connection race; one of them will be refused.
    #[error("two requests with the same refresh token were in flight at once")]
    RefreshesOverlap,
    /// The gateway did not speak as its provider file says.
    #[error("{request} is no revocation of the style {style:?}")]
    RevocationNotUnderstood {
        /// Method and path.
        request: String,
        /// What the provider understands.
        style: RevocationStyle,
    },
    /// RFC 6749 section 2.3: one way of authentication per request.
    #[error("the client authenticated in the header and in the body of one request")]
    ClientAuthenticatedTwice,
    /// RFC 6749 section 2.3.1 and RFC 6750 section 2.3: URLs end up in logs.
    #[error("a secret stood in the URL of {request}")]
    SecretInUrl {
        /// Method and path.
        request: String,
    },
    /// MCP authorization, "token passthrough": the gateway's own tokens stay with the gateway.
    #[error("an inbound access token of the gateway reached the provider in {place} of {request}")]
    InboundToken {
        /// Which header, or the body, or the URL.
        place: String,
        /// Method and path.
        request: String,
    },
}
