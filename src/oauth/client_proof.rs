//! How the client proves itself outside of token requests, which the `oauth2` crate writes.

use data_encoding::BASE64;
use http::header::{AUTHORIZATION, HeaderValue};
use url::form_urlencoded::byte_serialize;

use super::ProfileError;
use crate::base::Secret;
use crate::catalogue::ClientAuth;
use crate::connection::ClientRegistration;

/// What goes into a request so that the endpoint knows who asks: a header or parameters of the body, never both (RFC 6749
/// section 2.3).
pub(super) enum Proof {
    /// The value of `Authorization`, marked as sensitive.
    Header(HeaderValue),
    /// Parameters of the body.
    Parameters(Vec<(String, String)>),
}

/// The names under which client id and client secret go into a body.
pub(super) struct ParameterNames<'a> {
    pub(super) client_id: &'a str,
    pub(super) client_secret: &'a str,
}

impl ParameterNames<'_> {
    /// RFC 6749 section 2.3.1.
    pub(super) const STANDARD: ParameterNames<'static> = ParameterNames {
        client_id: "client_id",
        client_secret: "client_secret",
    };
}

impl Proof {
    /// As at the token endpoint. A client without a secret can only name itself.
    pub(super) fn as_at_token_endpoint(
        client_auth: ClientAuth,
        registration: &ClientRegistration,
        names: &ParameterNames<'_>,
    ) -> Result<Self, ProfileError> {
        let client_id = &registration.client_id;
        match (client_auth, &registration.client_secret) {
            (ClientAuth::Basic, Some(_)) => Self::basic_of(registration),
            // The key is the user name, and the password is empty.
            (ClientAuth::SecretKey, Some(key)) => sensitive(basic(key.expose(), "")),
            (auth, secret) => {
                let mut parameters = vec![(names.client_id.to_owned(), client_id.clone())];
                if let (ClientAuth::Post, Some(secret)) = (auth, secret) {
                    let name = names.client_secret.to_owned();
                    parameters.push((name, secret.expose().to_owned()));
                }
                Ok(Self::Parameters(parameters))
            }
        }
    }

    /// HTTP Basic with client id and secret.
    pub(super) fn basic_of(registration: &ClientRegistration) -> Result<Self, ProfileError> {
        let secret = registration.client_secret.as_ref();
        let secret = secret.ok_or(ProfileError::ClientSecretMissing)?;
        sensitive(basic(&registration.client_id, secret.expose()))
    }

    /// A token as a bearer token (RFC 6750 section 2.1).
    pub(super) fn bearer(token: &Secret) -> Result<Self, ProfileError> {
        sensitive(format!("Bearer {}", token.expose()))
    }
}

/// HTTP Basic as RFC 6749 section 2.3.1 has it: both halves form-encoded first.
fn basic(user: &str, password: &str) -> String {
    let id: String = byte_serialize(user.as_bytes()).collect();
    let secret: String = byte_serialize(password.as_bytes()).collect();
    format!(
        "Basic {}",
        BASE64.encode(format!("{id}:{secret}").as_bytes())
    )
}

fn sensitive(value: String) -> Result<Proof, ProfileError> {
    let mut value = HeaderValue::try_from(value).map_err(|_| ProfileError::UnsendableHeader {
        name: AUTHORIZATION.to_string(),
    })?;
    value.set_sensitive(true);
    Ok(Proof::Header(value))
}
