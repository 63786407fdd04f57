//! The keys with which an issuer signs: found through its metadata (RFC 8414, OpenID Connect Discovery) and fetched.

use std::time::Duration;

use http::{Request, StatusCode, header};
use serde::Deserialize;
use url::Url;

use crate::egress::{Egress, EgressError, Limits};
use crate::identity::{InvalidKeys, SigningKeys, TrustedIssuer};

/// What looking up the keys of an issuer may cost.
const LIMITS: Limits = Limits {
    headers: Duration::from_secs(5),
    total: Duration::from_secs(8),
    wire_bytes: 256 << 10,
    decoded_bytes: 256 << 10,
};

/// Why the keys of an issuer cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeysError {
    /// An address in the settings or the metadata is none.
    #[error("`{0}` is not a web address")]
    Address(String),
    /// It could not be asked.
    #[error(transparent)]
    Unreachable(#[from] EgressError),
    /// It answered with something else.
    #[error("{url} answered with status {status}")]
    Status {
        /// What was asked.
        url: String,
        /// What it said.
        status: StatusCode,
    },
    /// Neither document of metadata is there.
    #[error("it publishes no metadata: neither {0} nor {1} is a document of it")]
    NoMetadata(String, String),
    /// The metadata are somebody else's (RFC 8414 section 3.3).
    #[error("the metadata at {url} are those of another issuer")]
    Different {
        /// Where they were found.
        url: String,
    },
    /// The keys are none.
    #[error("what {url} answered with is of no use: {source}")]
    Keys {
        /// What was asked.
        url: String,
        /// What is wrong with it.
        source: InvalidKeys,
    },
}

/// What is wanted of an issuer's metadata.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

/// Fetches the keys of an issuer.
///
/// # Errors
/// [`SigningKeysError`].
pub async fn signing_keys(
    egress: &Egress,
    issuer: &TrustedIssuer,
) -> Result<SigningKeys, SigningKeysError> {
    let url = match &issuer.jwks_url {
        Some(url) => url.clone(),
        None => metadata(egress, &issuer.issuer).await?.jwks_uri,
    };
    let text = get(egress, &url).await?;
    SigningKeys::parse(&text).map_err(|source| SigningKeysError::Keys { url, source })
}

/// The metadata of an issuer: as an authorization server, or else as an OpenID provider.
async fn metadata(egress: &Egress, issuer: &str) -> Result<Metadata, SigningKeysError> {
    let places = metadata_places(issuer)?;
    for url in &places {
        let text = match get(egress, url).await {
            Ok(text) => text,
            Err(SigningKeysError::Status { .. }) => continue,
            Err(error) => return Err(error),
        };
        let Ok(metadata) = serde_json::from_slice::<Metadata>(&text) else {
            continue;
        };
        if metadata.issuer != issuer {
            return Err(SigningKeysError::Different { url: url.clone() });
        }
        return Ok(metadata);
    }
    let [first, second] = places;
    Err(SigningKeysError::NoMetadata(first, second))
}

/// RFC 8414 section 3.1 puts the well-known part between host and path, OpenID Connect Discovery section 4 behind both.
fn metadata_places(issuer: &str) -> Result<[String; 2], SigningKeysError> {
    let url = Url::parse(issuer).map_err(|_| SigningKeysError::Address(issuer.to_owned()))?;
    let origin = url.origin().ascii_serialization();
    let path = url.path().trim_end_matches('/');
    Ok([
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
        format!("{origin}{path}/.well-known/openid-configuration"),
    ])
}

async fn get(egress: &Egress, url: &str) -> Result<Vec<u8>, SigningKeysError> {
    let request = Request::get(url)
        .header(header::ACCEPT, "application/json")
        .body(Vec::new())
        .map_err(|_| SigningKeysError::Address(url.to_owned()))?;
    let reply = egress.send(request, LIMITS).await?;
    if reply.status() != StatusCode::OK {
        return Err(SigningKeysError::Status {
            url: url.to_owned(),
            status: reply.status(),
        });
    }
    Ok(reply.into_body())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_are_looked_for_where_both_documents_say() {
        assert_eq!(
            metadata_places("https://id.example.com").unwrap(),
            [
                "https://id.example.com/.well-known/oauth-authorization-server",
                "https://id.example.com/.well-known/openid-configuration",
            ]
        );
        assert_eq!(
            metadata_places("https://id.example.com/realms/acme/").unwrap(),
            [
                "https://id.example.com/.well-known/oauth-authorization-server/realms/acme",
                "https://id.example.com/realms/acme/.well-known/openid-configuration",
            ]
        );
    }
}
