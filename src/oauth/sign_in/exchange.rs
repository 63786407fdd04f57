//! From the code that a browser brought back to the ID token (OpenID Connect Core section 3.1.3).

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim,
    CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AuthType, AuthorizationCode, Client, ClientId, ClientSecret, EmptyExtraTokenFields,
    EndpointNotSet, EndpointSet, IdToken, IdTokenFields, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, StandardErrorResponse, StandardTokenResponse, TokenResponse,
};

use super::discovery::{Issuer, unreadable};
use super::id_token::MoreClaims;
use super::{IdTokenProblem, SignInTrouble, Wire};
use crate::base::Secret;
use crate::egress::{Egress, EgressError};

pub(super) type UnverifiedIdToken = IdToken<
    MoreClaims,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

type Reply = StandardTokenResponse<
    IdTokenFields<
        MoreClaims,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;

type Refusal = StandardErrorResponse<CoreErrorResponseType>;

type IssuerClient = Client<
    MoreClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    Refusal,
    Reply,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
    EndpointNotSet,
>;

/// What the issuer handed over for a code. It says nothing until it is verified.
pub struct Answer(pub(super) UnverifiedIdToken);

impl Issuer {
    /// Exchanges a code. Nothing of the reply but the ID token is kept: Attache asks nothing of the issuer in a person's name.
    ///
    /// # Errors
    /// [`SignInTrouble`].
    pub async fn exchange(
        &self,
        egress: &Egress,
        code: &Secret,
        verifier: &Secret,
        redirect_uri: &str,
    ) -> Result<Answer, SignInTrouble> {
        let redirect = RedirectUrl::new(redirect_uri.to_owned()).map_err(unreadable)?;
        let client = client(self)?.set_redirect_uri(redirect);
        let wire = Wire(egress);
        let reply = client
            .exchange_code(AuthorizationCode::new(code.expose().to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.expose().to_owned()))
            .request_async(&wire)
            .await
            .map_err(|error| trouble(&error))?;
        let token = reply.id_token().cloned();
        let token = token.ok_or_else(|| {
            IdTokenProblem::Wrong("there is none; is `openid` among the scopes?".to_owned())
        })?;
        Ok(Answer(token))
    }
}

/// This issuer's client. Without a secret it is a public one, which names itself in the body.
pub(super) fn client(issuer: &Issuer) -> Result<IssuerClient, SignInTrouble> {
    let (settings, metadata) = (&issuer.settings, &issuer.metadata);
    let token_endpoint = metadata.token_endpoint().cloned().ok_or_else(|| {
        SignInTrouble::Unreachable("its discovery document names no token endpoint".to_owned())
    })?;
    let client = Client::new(
        ClientId::new(settings.client_id.clone()),
        metadata.issuer().clone(),
        metadata.jwks().clone(),
    );
    let client = match &settings.client_secret {
        Some(secret) => client
            .set_client_secret(ClientSecret::new(secret.expose().to_owned()))
            .set_auth_type(auth_type(issuer)),
        None => client,
    };
    Ok(client
        .set_auth_uri(metadata.authorization_endpoint().clone())
        .set_token_uri(token_endpoint))
}

/// `client_secret_basic` is the default of OpenID Connect Discovery section 3.
fn auth_type(issuer: &Issuer) -> AuthType {
    let methods = issuer.metadata.token_endpoint_auth_methods_supported();
    let takes = |method| methods.is_some_and(|methods| methods.contains(&method));
    let only_post = takes(CoreClientAuthMethod::ClientSecretPost)
        && !takes(CoreClientAuthMethod::ClientSecretBasic);
    if only_post {
        AuthType::RequestBody
    } else {
        AuthType::BasicAuth
    }
}

fn trouble(error: &RequestTokenError<EgressError, Refusal>) -> SignInTrouble {
    match error {
        RequestTokenError::ServerResponse(refusal) => {
            SignInTrouble::Refused(plain_code(refusal.error().as_ref()))
        }
        RequestTokenError::Request(error) => SignInTrouble::Unreachable(error.to_string()),
        RequestTokenError::Parse(error, _) => {
            let place = error.path().to_string();
            IdTokenProblem::Wrong(format!("the reply cannot be read, at {place:?}")).into()
        }
        RequestTokenError::Other(_) => {
            SignInTrouble::Unreachable("its reply cannot be read".to_owned())
        }
    }
}

/// An error code as RFC 6749 allows it; anything else is not repeated.
fn plain_code(text: &str) -> String {
    let known = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    let plain = (1..=64).contains(&text.len()) && text.bytes().all(known);
    if plain { text } else { "an unclear error" }.to_owned()
}
