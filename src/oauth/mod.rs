//! Floor 3: speaking OAuth to providers, and to those who vouch for people.
//!
//! Owns the requests and replies of the authorization code grant (RFC 6749 section 4.1) with proof keys (RFC 7636):
//! authorization URL, exchange, refresh, revocation (RFC 7009), introspection (RFC 7662), the check of `iss` (RFC 9207) and
//! further proofs of a callback; the keys of issuers, and signing people in with one. What a provider does
//! differently comes from its [`OAuthProfile`](crate::catalogue::OAuthProfile). Refuses to know users, pages, and where
//! credentials are kept. The `oauth2` crate is used nowhere else, and it runs on [`Egress`](crate::egress::Egress):
//! replies are checked and brought into the standard form before it reads them.
//!
//! No error of this module holds a token, code, verifier or client secret, not even one that a provider echoes.

mod authorization;
mod callback_verification;
mod client_proof;
mod code_verifier;
mod introspection;
mod issuer;
mod preview;
mod profile_error;
mod provider_text;
mod revocation;
mod sign_in;
mod signing_keys;
mod token;
mod token_endpoint;
mod token_error;
mod token_reply;

#[cfg(test)]
mod fake_provider;

pub use self::authorization::{AuthorizationUrlRequest, authorization_url};
pub use self::callback_verification::{NotVerified, verify_callback};
pub use self::code_verifier::CodeVerifier;
pub use self::introspection::{IntrospectionError, introspect};
pub use self::issuer::{IssuerError, check_issuer};
pub use self::preview::{Preview, preview};
pub use self::profile_error::ProfileError;
pub use self::revocation::{RevocationOutcome, RevokeError, revoke};
pub use self::sign_in::{
    Answer, AuthenticationRequest, IdTokenProblem, Issuer, IssuerSettings, SignInTrouble, Vouched,
};
pub use self::signing_keys::{SigningKeysError, signing_keys};
pub use self::token::{RefreshRequest, TOKEN_REQUEST_DEADLINE, TokenReply, exchange, refresh};
pub use self::token_error::TokenError;
pub use self::token_reply::granted_in_callback;
