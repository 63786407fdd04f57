//! Connecting: from the person's click to a sealed credential.
//!
//! Whoever begins must finish: the same person, in the same browser, at the same provider, within ten minutes
//! (draft-ietf-oauth-security-topics-update). All of it is checked before the token request.

use std::sync::Arc;

use super::fault::ATTEMPTS;
use super::{Fault, Gateway, Ready, Service, SignedIn};
use crate::base::{ConnectionId, PersonId, Secret};
use crate::catalogue::{Account, ScopeSet};
use crate::connection::{
    AuthorizationRequest, CallbackRefusal, Connection, Credential, Status, TicketRefusal,
};
use crate::oauth::{self, AuthorizationUrlRequest, CodeVerifier, TokenReply};
use crate::store::WriteError;
use crate::upstream;

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

/// What a provider sent back with the browser: every value of each parameter, so that duplicates are seen.
#[derive(Debug, Default)]
pub struct CallbackParameters {
    /// `state` (RFC 6749 section 4.1.2).
    pub state: Vec<String>,
    /// `code`.
    pub code: Vec<String>,
    /// `iss` (RFC 9207).
    pub iss: Vec<String>,
    /// `error` (RFC 6749 section 4.1.2.1).
    pub error: Vec<String>,
}

/// A connection was made.
#[derive(Debug)]
pub struct Completed {
    /// The connection.
    pub connection: Connection,
    /// The service's name.
    pub service_name: String,
    /// The agent that had asked, if one had.
    pub agent_name: Option<String>,
    /// Other accounts at the same service that stay connected; agents use the new one.
    pub other_accounts: Vec<String>,
}

/// Why a connection could not be begun or completed.
#[derive(Debug)]
pub enum ConnectError {
    /// There is no such connect link, or it is long gone.
    UnknownLink,
    /// The link cannot be used by this person now.
    Link(TicketRefusal),
    /// There is no such service.
    UnknownService,
    /// The service has no client registration here.
    NotConfigured,
    /// The callback carries no usable `state`, or one that was used already.
    UnknownState,
    /// The callback does not belong to the request that its `state` names.
    Callback(CallbackRefusal),
    /// The `iss` parameter is not the provider's (RFC 9207). What the callback says is not shown.
    WrongIssuer,
    /// The person said no at the provider.
    Cancelled {
        /// The service's name.
        service: String,
    },
    /// The provider refused the authorization request or the code.
    RefusedByProvider {
        /// The service's name.
        service: String,
        /// The provider's error code, made safe to show.
        error: String,
    },
    /// The provider could not be asked, or its answer not be read. Nothing was stored.
    ProviderTrouble {
        /// The service's name.
        service: String,
        /// What happened, without addresses or secrets.
        message: String,
    },
    /// Something failed on our side.
    Fault(Fault),
}

impl<E: Into<Fault>> From<E> for ConnectError {
    fn from(error: E) -> Self {
        Self::Fault(error.into())
    }
}

impl From<TicketRefusal> for ConnectError {
    fn from(refusal: TicketRefusal) -> Self {
        Self::Link(refusal)
    }
}

impl From<CallbackRefusal> for ConnectError {
    fn from(refusal: CallbackRefusal) -> Self {
        Self::Callback(refusal)
    }
}

impl Gateway {
    /// Begins to connect what a ticket asks for.
    ///
    /// # Errors
    /// [`ConnectError`]: the ticket does not let this person go on, or the service is not set up.
    pub async fn begin_with_ticket(
        &self,
        token: &Secret,
        signed_in: &SignedIn,
    ) -> Result<Begun, ConnectError> {
        let view = self.view_ticket(token, signed_in).await?;
        self.begin(&view.service, signed_in, Some(token.digest()))
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
        let service = self
            .parts
            .services
            .find(service)
            .ok_or(ConnectError::UnknownService)?;
        self.begin(service, signed_in, None).await
    }

    async fn begin(
        &self,
        service: &Service,
        signed_in: &SignedIn,
        ticket: Option<String>,
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
            requested: ready.oauth.scopes.clone(),
            expires: self.parts.clock.now() + AuthorizationRequest::LIFETIME,
        };
        self.parts
            .store
            .authorization_requests()
            .create_until(&state.digest(), &request, request.expires)
            .await?;
        let authorization_url = oauth::authorization_url(
            &ready.oauth,
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

    /// Completes a connection with what the provider sent back.
    ///
    /// # Errors
    /// [`ConnectError`]; in every case nothing half-done is left behind.
    pub async fn complete(
        &self,
        service: &str,
        parameters: &CallbackParameters,
        signed_in: &SignedIn,
        flow_cookie: Option<&Secret>,
    ) -> Result<Completed, ConnectError> {
        let service = self
            .parts
            .services
            .find(service)
            .ok_or(ConnectError::UnknownService)?;
        let ready = service.ready().ok_or(ConnectError::NotConfigured)?;
        let person = &signed_in.principal.id;
        let request = self
            .accept_callback(service, parameters, person, flow_cookie)
            .await?;
        oauth::check_issuer(&ready.oauth, &parameters.iss)
            .map_err(|_| ConnectError::WrongIssuer)?;
        let code = read_code(service, parameters)?;
        let reply = self.exchange(service, ready, &request, &code).await?;
        match self.keep(service, ready, &request, &reply).await {
            Ok(completed) => Ok(completed),
            Err(error) => {
                self.give_back(service, ready, &reply).await;
                Err(error)
            }
        }
    }

    /// Finds the request that `state` names, checks that this callback is its answer, and takes it: exactly one
    /// callback gets it. One that does not belong takes nothing, so a stranger cannot spoil a flow under way.
    async fn accept_callback(
        &self,
        service: &Service,
        parameters: &CallbackParameters,
        person: &PersonId,
        flow_cookie: Option<&Secret>,
    ) -> Result<AuthorizationRequest, ConnectError> {
        let [state] = parameters.state.as_slice() else {
            return Err(ConnectError::UnknownState);
        };
        let digest = Secret::new(state.as_str()).digest();
        let requests = self.parts.store.authorization_requests();
        let found = requests
            .get(&digest)
            .await?
            .ok_or(ConnectError::UnknownState)?;
        found
            .value
            .check(service.id(), person, flow_cookie, self.parts.clock.now())?;
        requests
            .take(&digest)
            .await?
            .ok_or(ConnectError::UnknownState)
    }

    async fn exchange(
        &self,
        service: &Service,
        ready: &Ready,
        request: &AuthorizationRequest,
        code: &Secret,
    ) -> Result<TokenReply, ConnectError> {
        if request.sent_to != ready.authority() {
            return Err(ConnectError::UnknownState);
        }
        let redirect_uri = self.redirect_uri(service)?;
        let verifier = request.code_verifier.as_ref();
        oauth::exchange(
            &self.parts.egress,
            &ready.oauth,
            &ready.registration,
            code,
            verifier,
            &redirect_uri,
        )
        .await
        .map_err(|error| token_trouble(service, &error))
    }

    /// Names the account, then stores: first the credential, then the connection that points to it, last the ticket.
    /// A cut in between leaves nothing that claims to work and does not.
    async fn keep(
        &self,
        service: &Service,
        ready: &Ready,
        request: &AuthorizationRequest,
        reply: &TokenReply,
    ) -> Result<Completed, ConnectError> {
        let account = self.account(service, ready, reply).await?;
        let credential = self.credential_from(reply);
        let granted = reply
            .scopes
            .clone()
            .unwrap_or_else(|| request.requested.clone());
        let connection = self
            .store_connection(service, request, account, granted, &credential)
            .await?;
        let agent_name = self.finish_ticket(request).await?;
        self.parts
            .open_tickets
            .forget(&request.person, service.id());
        let other_accounts = self.other_accounts(&connection).await?;
        tracing::info!(connection = %connection.id, service = service.id(), "connected");
        let service_name = service.provider.name().to_owned();
        Ok(Completed {
            connection,
            service_name,
            agent_name,
            other_accounts,
        })
    }

    /// The account call: proves the credential and names whom it belongs to.
    async fn account(
        &self,
        service: &Service,
        ready: &Ready,
        reply: &TokenReply,
    ) -> Result<Account, ConnectError> {
        let name = || service.provider.name().to_owned();
        let request = service
            .provider
            .account_request(&ready.variables)
            .map_err(|error| Fault::Catalogue(error.to_string()))?;
        let response = upstream::send(&self.parts.egress, request, &reply.access_token)
            .await
            .map_err(|error| ConnectError::ProviderTrouble {
                service: name(),
                message: error.to_string(),
            })?;
        service
            .provider
            .read_account(&response)
            .map_err(|refusal| ConnectError::ProviderTrouble {
                service: name(),
                message: refusal.message,
            })
    }

    fn credential_from(&self, reply: &TokenReply) -> Credential {
        Credential {
            access_token: reply.access_token.clone(),
            refresh_token: reply.refresh_token.clone(),
            expires: reply
                .expires_in
                .map(|lifetime| self.parts.clock.now() + lifetime),
            generation: 1,
        }
    }

    /// Stores the credential and its connection. The same account connected again keeps its identifier.
    async fn store_connection(
        &self,
        service: &Service,
        request: &AuthorizationRequest,
        account: Account,
        granted: ScopeSet,
        credential: &Credential,
    ) -> Result<Connection, Fault> {
        let connections = self.parts.store.connections();
        let mut new = Connection {
            id: ConnectionId::new(&self.parts.random),
            person: request.person.clone(),
            service: service.id().to_owned(),
            account,
            granted_by: request.sent_to.clone(),
            requested: request.requested.clone(),
            granted,
            status: Status::Active,
            since: self.parts.clock.now(),
        };
        for _ in 0..ATTEMPTS {
            let known = self.connections_to(&request.person, service.id()).await?;
            let same = known
                .into_iter()
                .find(|record| record.value.account.id == new.account.id);
            if let Some(same) = &same {
                new.id = same.value.id.clone();
            }
            self.put_credential(&new, credential).await?;
            let written = match &same {
                Some(old) => connections.replace(old, &new).await,
                None => {
                    connections
                        .create(&super::credentials::record_key(&new), &new)
                        .await
                }
            };
            match written {
                Ok(_) => return Ok(new),
                Err(WriteError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Fault::Contention)
    }

    /// Spends the ticket, and says which agent had asked.
    async fn finish_ticket(&self, request: &AuthorizationRequest) -> Result<Option<String>, Fault> {
        let Some(digest) = &request.ticket else {
            return Ok(None);
        };
        let asked = self
            .parts
            .store
            .tickets()
            .get(digest)
            .await?
            .map(|record| record.value.agent_name);
        self.spend_ticket(digest).await?;
        Ok(asked)
    }

    async fn other_accounts(&self, connection: &Connection) -> Result<Vec<String>, Fault> {
        let known = self
            .connections_to(&connection.person, &connection.service)
            .await?;
        let others = known.into_iter().map(|record| record.value);
        Ok(others
            .filter(|other| other.is_active() && other.id != connection.id)
            .map(|other| other.account.label)
            .collect())
    }

    /// A token that could not be kept is taken back at the provider: one that was received is never just dropped.
    async fn give_back(&self, service: &Service, ready: &Arc<Ready>, reply: &TokenReply) {
        let (access, refresh) = (Some(&reply.access_token), reply.refresh_token.as_ref());
        let revoked = oauth::revoke(
            &self.parts.egress,
            &ready.oauth,
            &ready.registration,
            access,
            refresh,
        )
        .await;
        if let Err(error) = revoked {
            tracing::warn!(service = service.id(), %error, "a token that was not stored could not be revoked");
        }
    }

    fn redirect_uri(&self, service: &Service) -> Result<url::Url, Fault> {
        let text = self.parts.links.callback(service.id());
        url::Url::parse(&text)
            .map_err(|error| Fault::Catalogue(format!("redirect URI {text}: {error}")))
    }
}

/// What the cookie of one flow is called: flows in several tabs do not overwrite each other's.
pub(super) fn flow_cookie_name(state: &Secret) -> String {
    format!("__Host-attache_flow_{}", &state.digest()[..16])
}

impl CallbackParameters {
    /// What the flow cookie of this callback is called; none without exactly one `state`.
    #[must_use]
    pub fn flow_cookie_name(&self) -> Option<String> {
        match self.state.as_slice() {
            [state] => Some(flow_cookie_name(&Secret::new(state.as_str()))),
            _ => None,
        }
    }
}

/// The code, or what the provider said instead of one.
fn read_code(service: &Service, parameters: &CallbackParameters) -> Result<Secret, ConnectError> {
    let name = || service.provider.name().to_owned();
    match (parameters.error.as_slice(), parameters.code.as_slice()) {
        ([], [code]) if !code.is_empty() => Ok(Secret::new(code.as_str())),
        ([error], _) if error == "access_denied" => {
            Err(ConnectError::Cancelled { service: name() })
        }
        ([error], _) => Err(ConnectError::RefusedByProvider {
            service: name(),
            error: error_code(error),
        }),
        _ => Err(ConnectError::RefusedByProvider {
            service: name(),
            error: "no code".to_owned(),
        }),
    }
}

/// An error code as RFC 6749 allows it, shortened; anything else is not repeated to the person.
fn error_code(text: &str) -> String {
    let plain = text.len() <= 64
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if plain && !text.is_empty() {
        text.to_owned()
    } else {
        "an error it did not name clearly".to_owned()
    }
}

fn token_trouble(service: &Service, error: &oauth::TokenError) -> ConnectError {
    let service = service.provider.name().to_owned();
    match error {
        oauth::TokenError::Refused { error, .. } => ConnectError::RefusedByProvider {
            service,
            error: error_code(error.as_deref().unwrap_or_default()),
        },
        other => ConnectError::ProviderTrouble {
            service,
            message: other.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_error_codes_are_repeated() {
        assert_eq!(
            error_code("temporarily_unavailable"),
            "temporarily_unavailable"
        );
        for hostile in ["", "<script>", "a b", "ö", &"x".repeat(65)] {
            assert_eq!(error_code(hostile), "an error it did not name clearly");
        }
    }
}
