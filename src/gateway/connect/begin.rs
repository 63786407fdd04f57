//! Beginning: the browser leaves for the provider, with a `state`, a proof key and a cookie of its own.

use super::{ConnectError, Extent, flow_cookie_name};
use crate::base::{ConnectionId, Secret};
use crate::catalogue::{OAuthProfile, ScopeSet};
use crate::connection::{AuthorizationRequest, Connection, TicketRefusal};
use crate::gateway::{Fault, Gateway, Ready, Service, SignedIn};
use crate::oauth::{self, AuthorizationUrlRequest, CodeVerifier};

/// A browser may leave for the provider.
#[derive(Debug)]
pub struct Begun {
    /// Where it goes.
    pub authorization_url: url::Url,
    /// What it must bring back: the value of the flow cookie.
    pub flow_cookie: Secret,
    /// What the flow cookie is called.
    pub flow_cookie_name: String,
    /// The service's name.
    pub service_name: String,
}

impl Gateway {
    /// Begins to connect what a ticket asks for: `service`, or its first step that is not done.
    ///
    /// # Errors
    /// [`ConnectError`]: the ticket does not let this person go on, or the service is not set up.
    pub async fn begin_with_ticket(
        &self,
        token: &Secret,
        service: Option<&str>,
        signed_in: &SignedIn,
    ) -> Result<Begun, ConnectError> {
        let ticket = self.ticket(token, signed_in).await?;
        let service = match service {
            Some(wanted) => ticket.remaining().find(|known| *known == wanted),
            None => ticket.remaining().next(),
        };
        let service = service.ok_or(ConnectError::Link(TicketRefusal::Spent))?;
        let service = self.known_service(service)?;
        let scopes = self.scopes_for_ticket(&ticket, &service).await?;
        let expected = ticket.expected.clone();
        self.begin(&service, signed_in, Some(token.clone()), scopes, expected)
            .await
    }

    /// Begins to connect a service from the Connections page.
    ///
    /// # Errors
    /// [`ConnectError`]: no such service, or it is not set up.
    pub async fn begin_with_service(
        &self,
        service: &str,
        signed_in: &SignedIn,
    ) -> Result<Begun, ConnectError> {
        let service = self.known_service(service)?;
        let scopes = self
            .scopes_for_service(&signed_in.principal.id, &service)
            .await?;
        self.begin(&service, signed_in, None, scopes, None).await
    }

    /// Begins to connect an account anew, to be allowed more, less or the same there.
    ///
    /// # Errors
    /// [`ConnectError`]: no such connection of this person, or its service is not set up.
    pub async fn begin_with_connection(
        &self,
        id: &ConnectionId,
        extent: Extent,
        signed_in: &SignedIn,
    ) -> Result<Begun, ConnectError> {
        let key = format!("{}/{id}", signed_in.principal.id);
        let found = self.set_apart(self.parts.store.connections().get(&key).await)?;
        let record = found.ok().flatten();
        let connection = record.ok_or(ConnectError::UnknownConnection)?.value;
        let service = self.known_service(&connection.service)?;
        let scopes = self
            .scopes_for_connection(&service, &connection, extent)
            .await?;
        self.begin(&service, signed_in, None, scopes, Some(id.clone()))
            .await
    }

    async fn begin(
        &self,
        service: &Service,
        signed_in: &SignedIn,
        ticket: Option<Secret>,
        scopes: ScopeSet,
        expected: Option<ConnectionId>,
    ) -> Result<Begun, ConnectError> {
        let ready = service.ready().ok_or(ConnectError::NotConfigured)?;
        let random = &self.parts.random;
        let (state, flow_cookie) = (random.token(), random.token());
        let verifier =
            CodeVerifier::for_provider(ready.oauth.pkce, random).map(CodeVerifier::into_secret);
        let redirect_uri = self.redirect_uri(service)?;
        let request = AuthorizationRequest {
            person: signed_in.principal.id.clone(),
            service: service.id().to_owned(),
            ticket,
            flow_digest: flow_cookie.digest(),
            code_verifier: verifier.clone(),
            redirect_uri: redirect_uri.to_string(),
            sent_to: ready.authority(),
            requested: scopes,
            expected,
            expires: self.parts.clock.now() + AuthorizationRequest::LIFETIME,
        };
        self.parts
            .store
            .authorization_requests()
            .create_until(&state.digest(), &request, request.expires)
            .await?;
        let authorization_url = oauth::authorization_url(
            &self.with_sign_in(service, ready, &request).await?,
            &ready.registration,
            &AuthorizationUrlRequest {
                redirect_uri: &redirect_uri,
                state: &state,
                verifier: verifier.as_ref(),
                scopes: &request.requested,
            },
        )
        .map_err(|error| Fault::Catalogue(error.to_string()))?;
        Ok(Begun {
            authorization_url,
            flow_cookie,
            flow_cookie_name: flow_cookie_name(&state),
            service_name: service.provider.name().to_owned(),
        })
    }
    /// How to speak OAuth there, with what tells the provider which account is to be signed in with.
    async fn with_sign_in(
        &self,
        service: &Service,
        ready: &Ready,
        request: &AuthorizationRequest,
    ) -> Result<OAuthProfile, Fault> {
        let known = self.connections_to(&request.person, service.id()).await?;
        let known: Vec<_> = known.into_iter().map(|record| record.value).collect();
        let expected = known
            .iter()
            .find(|one| request.expected.as_ref() == Some(&one.id));
        let has_another = known.iter().any(Connection::is_choice);
        let params = service
            .provider
            .sign_in_params(expected.map(|one| &one.account), has_another);
        let mut oauth = ready.oauth.clone();
        oauth
            .authorization_params
            .retain(|(known, _)| params.iter().all(|(name, _)| name != known));
        oauth.authorization_params.extend(params);
        Ok(oauth)
    }
}
