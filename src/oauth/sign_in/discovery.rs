//! What an issuer says of itself (OpenID Connect Discovery 1.0), and the request that a browser takes there.

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClientAuthMethod,
    CoreGrantType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::{
    AdditionalProviderMetadata, CsrfToken, DiscoveryError, IssuerUrl, Nonce, PkceCodeChallenge,
    PkceCodeVerifier, ProviderMetadata, RedirectUrl, Scope,
};
use serde::{Deserialize, Serialize};
use url::Url;

use super::exchange::client;
use super::{IssuerSettings, SignInTrouble, Wire};
use crate::base::Secret;
use crate::egress::{Egress, EgressError};
use crate::oauth::IssuerError;
use crate::oauth::issuer;

pub(super) type Metadata = ProviderMetadata<
    Announced,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// What the discovery document may say beyond OpenID Connect.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Announced {
    /// Whether every answer names its issuer (RFC 9207 section 3).
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for Announced {}

/// An issuer as it described itself, with its keys.
#[derive(Clone, Debug)]
pub struct Issuer {
    pub(super) settings: IssuerSettings,
    pub(super) metadata: Metadata,
}

/// What a browser takes to the issuer.
#[derive(Clone, Copy, Debug)]
pub struct AuthenticationRequest<'a> {
    /// Where it comes back to.
    pub redirect_uri: &'a str,
    /// What it brings back.
    pub state: &'a Secret,
    /// What the ID token must repeat.
    pub nonce: &'a Secret,
    /// The proof key's secret half.
    pub verifier: &'a Secret,
}

impl Issuer {
    /// Asks the issuer to describe itself, and for its keys. The document must name the very issuer that is configured.
    ///
    /// # Errors
    /// [`SignInTrouble::Unreachable`].
    pub async fn discover(
        egress: &Egress,
        settings: &IssuerSettings,
    ) -> Result<Self, SignInTrouble> {
        let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(unreadable)?;
        let wire = Wire(egress);
        let discovered = Metadata::discover_async(issuer, &wire).await;
        let metadata = discovered.map_err(|error| trouble(&error))?;
        let known = Self {
            settings: settings.clone(),
            metadata,
        };
        known.check_addresses()?;
        Ok(known)
    }

    /// A browser that leaves for `https` must not be led elsewhere. What we ask ourselves is guarded on the way out.
    fn check_addresses(&self) -> Result<(), SignInTrouble> {
        let is_plain = |url: &Url| url.scheme() == "http";
        let own = Url::parse(&self.settings.issuer).map_err(unreadable)?;
        let endpoint = self.metadata.authorization_endpoint().url();
        let allowed = endpoint.scheme() == "https" || (is_plain(&own) && is_plain(endpoint));
        if !allowed || self.metadata.token_endpoint().is_none() {
            let message = "its discovery document names no usable endpoints";
            return Err(SignInTrouble::Unreachable(message.to_owned()));
        }
        Ok(())
    }

    /// Where a browser goes to be signed in (OpenID Connect Core section 3.1.2.1). The proof key is always S256.
    ///
    /// # Errors
    /// [`SignInTrouble::Unreachable`] when no such address can be built.
    pub fn authentication_url(
        &self,
        request: &AuthenticationRequest<'_>,
    ) -> Result<Url, SignInTrouble> {
        let redirect = RedirectUrl::new(request.redirect_uri.to_owned()).map_err(unreadable)?;
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(
            request.verifier.expose().to_owned(),
        ));
        let client = client(self)?.set_redirect_uri(redirect);
        let state = CsrfToken::new(request.state.expose().to_owned());
        let nonce = Nonce::new(request.nonce.expose().to_owned());
        let scopes = self.settings.scopes.iter();
        // The crate adds `openid` by itself.
        let scopes = scopes.filter(|scope| *scope != "openid");
        let (url, _, _) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                || state,
                || nonce,
            )
            .add_scopes(scopes.map(|scope| Scope::new(scope.clone())))
            .set_pkce_challenge(challenge)
            .url();
        Ok(url)
    }

    /// Checks `iss` of an answer against mix-up attacks (RFC 9207): what is there must be this issuer to the letter, and it
    /// must be there if the issuer announces it.
    ///
    /// # Errors
    /// When nothing of the answer may be used or shown.
    pub fn check_iss(&self, iss: &[String]) -> Result<(), IssuerError> {
        let announced = self.metadata.additional_metadata();
        let is_required = announced.authorization_response_iss_parameter_supported;
        issuer::check(Some(&self.settings.issuer), is_required, iss)
    }
}

pub(super) fn unreadable(error: url::ParseError) -> SignInTrouble {
    SignInTrouble::Unreachable(format!("an address cannot be read: {error}"))
}

/// The document's own words are somebody else's: only their place is told.
fn trouble(error: &DiscoveryError<EgressError>) -> SignInTrouble {
    SignInTrouble::Unreachable(match error {
        DiscoveryError::Request(error) => error.to_string(),
        DiscoveryError::Response(status, ..) if !status.is_success() => {
            format!("it answers with status {}", status.as_u16())
        }
        DiscoveryError::Parse(error) => {
            let place = error.path().to_string();
            format!("its discovery document or its keys cannot be read, at {place:?}")
        }
        DiscoveryError::Validation(_) => {
            "its discovery document names another issuer; write `issuer` exactly as it does"
                .to_owned()
        }
        _ => "its discovery document or its keys cannot be read".to_owned(),
    })
}
