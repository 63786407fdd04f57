//! What a provider file can ask for that is not done.

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderName,
    HeaderValue, PROXY_AUTHORIZATION, TRANSFER_ENCODING,
};
use thiserror::Error;

/// The provider file, or our client registration, contradicts the protocol. Nothing was sent; the file has to change.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProfileError {
    /// A fixed parameter names one that the protocol itself fills in.
    #[error(
        "the provider file fixes the parameter {name}, which is filled in by the protocol: remove it"
    )]
    ReservedParameter {
        /// The parameter.
        name: String,
    },
    /// A fixed header names one that is filled in here.
    #[error(
        "the provider file fixes the header {name}, which is filled in by the gateway: remove it"
    )]
    ReservedHeader {
        /// The header.
        name: String,
    },
    /// A fixed header that HTTP cannot carry.
    #[error("the provider file fixes the header {name}, which cannot be sent as it is written")]
    UnsendableHeader {
        /// The header.
        name: String,
    },
    /// The provider insists on a proof key and the authorization request has none.
    #[error(
        "the provider requires a proof key (PKCE) and this authorization request has none: start over"
    )]
    ProofKeyMissing,
    /// The provider file says that there is nothing to refresh with.
    #[error(
        "the provider file says that this provider has no refresh: the person has to sign in again"
    )]
    RefreshUnsupported,
    /// HTTP Basic is wanted and there is no client secret.
    #[error("the provider wants HTTP Basic for this request, and no client secret is configured")]
    ClientSecretMissing,
    /// Token requests go into the query, and the address takes none.
    #[error("the token address of the provider file cannot carry the parameters of a request")]
    TokenAddress,
    /// The introspection address is one that HTTP cannot carry.
    #[error("the introspection address of the provider file cannot be used")]
    IntrospectionAddress,
    /// The revocation address is no URL once it is filled in, or what is filled in would lead somewhere else.
    #[error("the revocation address of the provider file cannot be filled in")]
    RevocationAddress,
}

/// Lets fixed parameters through that do not collide with `reserved`. Twice the same parameter is undefined in OAuth
/// (RFC 6749 section 3.1), and a fixed `client_secret` beside HTTP Basic would be two proofs of the client in one
/// request (section 2.3).
pub(super) fn check_parameters(
    parameters: &[(String, String)],
    reserved: &[&str],
) -> Result<(), ProfileError> {
    match parameters
        .iter()
        .find(|(name, _)| reserved.contains(&name.as_str()))
    {
        None => Ok(()),
        Some((name, _)) => Err(ProfileError::ReservedParameter { name: name.clone() }),
    }
}

/// Fixed headers of a provider file as headers.
pub(super) fn parse_headers(headers: &[(String, String)]) -> Result<HeaderMap, ProfileError> {
    const RESERVED: [HeaderName; 8] = [
        AUTHORIZATION,
        CONNECTION,
        CONTENT_LENGTH,
        CONTENT_TYPE,
        COOKIE,
        HOST,
        PROXY_AUTHORIZATION,
        TRANSFER_ENCODING,
    ];
    let mut parsed = HeaderMap::new();
    for (name, value) in headers {
        let unsendable = || ProfileError::UnsendableHeader { name: name.clone() };
        let header = HeaderName::try_from(name.as_str()).map_err(|_| unsendable())?;
        if RESERVED.contains(&header) {
            return Err(ProfileError::ReservedHeader { name: name.clone() });
        }
        let value = HeaderValue::from_str(value).map_err(|_| unsendable())?;
        parsed.insert(header, value);
    }
    Ok(parsed)
}
