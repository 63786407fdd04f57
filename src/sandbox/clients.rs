//! Clients: their registration, and how they prove who they are at the token, revocation and introspection endpoints.

use data_encoding::BASE64;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use percent_encoding::percent_decode_str;
use url::Url;

use super::parameters::Parameters;
use super::persistence::SaveError;
use super::protocol::{ErrorCode, Refusal};
use super::server::Service;
use super::state::{Client, State};
use crate::base::Secret;

/// The longest name of a client, in characters.
const LONGEST_NAME: usize = 100;

/// What a client is told when it is registered.
#[derive(Debug, Clone)]
pub struct RegisteredClient {
    /// Its id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
}

/// Why a client was not registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The name is empty or too long.
    #[error(
        "the Sandbox cannot register a client without a name of 1 to {LONGEST_NAME} characters"
    )]
    Name,
    /// The redirect URI is not one.
    #[error(
        "the Sandbox cannot send people back to `{0}`; name an absolute http or https URL without a fragment"
    )]
    RedirectUri(String),
    /// The registration could not be made durable.
    #[error(transparent)]
    Save(#[from] SaveError),
}

/// Registers a client, or finds it by its name and takes its new redirect URI.
pub(super) async fn register(
    service: &Service,
    name: &str,
    redirect_uri: &str,
) -> Result<RegisteredClient, RegisterError> {
    if name.trim().is_empty() || name.chars().count() > LONGEST_NAME {
        return Err(RegisterError::Name);
    }
    if !is_redirect_uri(redirect_uri) {
        return Err(RegisterError::RedirectUri(redirect_uri.to_owned()));
    }
    let fresh = RegisteredClient {
        client_id: format!("client_{}", service.random_id()),
        client_secret: service.random.token(),
    };
    let registered = service
        .store
        .change(|state| put(state, name, redirect_uri, fresh))
        .await?;
    Ok(registered)
}

fn put(
    state: &mut State,
    name: &str,
    redirect_uri: &str,
    fresh: RegisteredClient,
) -> RegisteredClient {
    if let Some((id, client)) = state
        .clients
        .iter_mut()
        .find(|(_, client)| client.name == name)
    {
        redirect_uri.clone_into(&mut client.redirect_uri);
        return RegisteredClient {
            client_id: id.clone(),
            client_secret: client.secret.clone(),
        };
    }
    let client = Client {
        name: name.to_owned(),
        secret: fresh.client_secret.clone(),
        redirect_uri: redirect_uri.to_owned(),
    };
    state.clients.insert(fresh.client_id.clone(), client);
    fresh
}

/// An absolute URI without a fragment (RFC 6749 section 3.1.2), on the web, that can stand in a header as it is.
fn is_redirect_uri(text: &str) -> bool {
    let printable = text.chars().all(|character| character.is_ascii_graphic());
    printable
        && Url::parse(text).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https") && url.has_host() && url.fragment().is_none()
        })
}

/// What a client says about who it is (RFC 6749 section 2.3.1).
pub(super) struct Credentials {
    client_id: String,
    secret: Secret,
}

impl Credentials {
    /// Reads them from the `Authorization` header (`client_secret_basic`) or from the form (`client_secret_post`).
    pub(super) fn read(headers: &HeaderMap, form: &Parameters) -> Result<Self, Refusal> {
        let in_form = (form.one("client_id"), form.one("client_secret"));
        if !headers.contains_key(AUTHORIZATION) {
            let (Some(client_id), Some(secret)) = in_form else {
                return Err(unknown("the client's id and secret are missing"));
            };
            return Ok(Self {
                client_id: client_id.to_owned(),
                secret: Secret::new(secret),
            });
        }
        let basic = Self::from_basic(headers)
            .ok_or_else(|| unknown("the Authorization header is not HTTP Basic"))?;
        if in_form.1.is_some() || in_form.0.is_some_and(|id| id != basic.client_id) {
            return Err(Refusal::new(
                ErrorCode::InvalidRequest,
                "the client identifies itself in two ways; use one",
            ));
        }
        Ok(basic)
    }

    fn from_basic(headers: &HeaderMap) -> Option<Self> {
        let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, encoded) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = BASE64.decode(encoded.trim().as_bytes()).ok()?;
        let pair = Secret::new(String::from_utf8(decoded).ok()?);
        let (client_id, secret) = pair.expose().split_once(':')?;
        Some(Self {
            client_id: form_decoded(client_id)?,
            secret: Secret::new(form_decoded(secret)?),
        })
    }

    /// The id of the client that this is.
    pub(super) fn verify(self, state: &State) -> Result<String, Refusal> {
        match state.clients.get(&self.client_id) {
            Some(client) if client.secret == self.secret => Ok(self.client_id),
            _ => Err(unknown("there is no client with this id and secret")),
        }
    }
}

/// Id and secret are form-encoded inside HTTP Basic (RFC 6749 section 2.3.1).
fn form_decoded(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

fn unknown(description: &'static str) -> Refusal {
    Refusal::new(ErrorCode::InvalidClient, description)
}
