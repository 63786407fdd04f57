//! Completing: the callback is checked, the code exchanged, the account named, the credential stored.

use std::sync::Arc;
use std::time::Duration;

use super::callback::{error_code, read_code};
use super::{CallbackParameters, ConnectError, OtherAccounts};
use crate::base::{ConnectionId, PersonId, Secret};
use crate::catalogue::{Account, Reach, ScopeSet, Variables};
use crate::connection::{
    AuthorizationRequest, ConnectTicket, Connection, Credential, Status, Tombstone, TombstoneReason,
};
use crate::gateway::credentials::record_key;
use crate::gateway::fault::ATTEMPTS;
use crate::gateway::last_rites::Asking;
use crate::gateway::probe::NoAccount;
use crate::gateway::{Fault, Gateway, Ready, Service, SignedIn};
use crate::oauth::{self, TokenReply};
use crate::store::WriteError;

/// A connection was made.
#[derive(Debug)]
pub struct Completed {
    /// The connection.
    pub connection: Connection,
    /// The service's name.
    pub service_name: String,
    /// The agent that had asked, if one had.
    pub agent_name: Option<String>,
    /// What the link that was used asks for besides, if anything.
    pub remaining: Option<RemainingSteps>,
    /// How it stands beside the person's other accounts at the same service.
    pub others: OtherAccounts,
}

/// The steps of a connect link that are not done yet.
#[derive(Debug)]
pub struct RemainingSteps {
    /// The path of the page that shows them.
    pub path: String,
    /// The names of their services.
    pub service_names: Vec<String>,
}

impl Gateway {
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
        let service = &self.known_service(service)?;
        let ready = service.ready().ok_or(ConnectError::NotConfigured)?;
        let person = &signed_in.principal.id;
        let request = self
            .accept_callback(service, ready, parameters, person, flow_cookie)
            .await?;
        let completed = self.finish(service, ready, &request, parameters).await;
        if let (Err(_), Some(token)) = (&completed, &request.ticket) {
            self.parts.open_tickets.mark(&token.digest(), false);
        }
        completed
    }

    /// From a callback that belongs to `request` to a stored connection.
    async fn finish(
        &self,
        service: &Service,
        ready: &Arc<Ready>,
        request: &AuthorizationRequest,
        parameters: &CallbackParameters,
    ) -> Result<Completed, ConnectError> {
        oauth::check_issuer(&ready.oauth, &parameters.iss)
            .map_err(|_| ConnectError::WrongIssuer)?;
        let code = read_code(service, parameters)?;
        let reply = self.exchange(service, ready, request, &code).await?;
        let kept_safe = match self.bury_in_advance(self.tombstone(request, &reply)).await {
            Ok(key) => key,
            Err(fault) => {
                self.give_back(service, ready, &reply).await;
                return Err(fault.into());
            }
        };
        let completed = self.keep(service, ready, request, parameters, &reply).await;
        // Left undone it is done by the note that is due: tokens that are in use are never revoked.
        let cleared = match &completed {
            Ok(_) => self.exhume(&kept_safe).await,
            Err(_) => self.lay_to_rest(&kept_safe, Asking::Now).await,
        };
        if let Err(fault) = cleared {
            tracing::error!(%fault, "what was kept safe during a sign-in could not be cleared away");
        }
        completed
    }

    /// The tokens of a reply, before it is known which connection they belong to.
    fn tombstone(&self, request: &AuthorizationRequest, reply: &TokenReply) -> Tombstone {
        let now = self.parts.clock.now();
        Tombstone {
            person: request.person.clone(),
            connection: ConnectionId::new(&self.parts.random),
            service: request.service.clone(),
            granted_by: request.sent_to.clone(),
            access_token: Some(reply.access_token.clone()),
            refresh_token: reply.refresh_token.clone(),
            access_expires: reply.expires_in.map(|lifetime| now + lifetime),
            reason: TombstoneReason::Superseded,
            buried: now,
            attempts: 0,
            next: None,
            confirmed: false,
        }
    }

    /// Finds the request that `state` names, checks that this callback is its answer, and takes it: exactly one
    /// callback gets it. One that does not belong takes nothing, so a stranger cannot spoil a flow under way.
    async fn accept_callback(
        &self,
        service: &Service,
        ready: &Ready,
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
        oauth::verify_callback(&ready.oauth, &ready.registration, &parameters.all())
            .map_err(|_| ConnectError::NotVerified)?;
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
        parameters: &CallbackParameters,
        reply: &TokenReply,
    ) -> Result<Completed, ConnectError> {
        let (captured, variables) = Self::captured(service, ready, parameters, reply)?;
        let account = self.account(service, &variables, reply).await?;
        let tenants = self.tenants(service, &variables, reply).await?;
        let reached = Reach { captured, tenants };
        let lifetime = self.learn_lifetime(ready, &reply.access_token).await;
        let credential = self.credential_from(reply, lifetime);
        let named = reply.scopes.clone().or_else(|| {
            let rules = &ready.oauth.token_reply;
            oauth::granted_in_callback(rules, |name| parameters.other(name))
        });
        let granted = named.unwrap_or_else(|| request.requested.clone());
        let (connection, replaced) = self
            .store_connection(service, request, (account, reached), granted, &credential)
            .await?;
        self.begin_ledger_of_use(&connection);
        self.forget_unreadable_default(&request.person, service.id())
            .await
            .unwrap_or_else(|fault| {
                tracing::error!(%fault, "a default that cannot be read could not be forgotten");
            });
        // From here on the connection stands: what fails now must not take its token back.
        let ticket = self.advance_ticket(request).await.unwrap_or_else(|fault| {
            tracing::error!(%fault, "a connect link could not be marked as used");
            None
        });
        self.parts
            .open_tickets
            .advance(&request.person, service.id());
        self.parts.arrivals.announce(&request.person);
        let others = self
            .other_accounts(&connection, replaced.as_ref(), request.expected.as_ref())
            .await
            .unwrap_or_default();
        tracing::info!(connection = %connection.id, service = service.id(), "connected");
        Ok(Completed {
            connection,
            service_name: service.provider.name().to_owned(),
            remaining: self.remaining_steps(request, ticket.as_ref()),
            agent_name: ticket.map(|ticket| ticket.agent_name),
            others,
        })
    }

    /// The account call: proves the credential and names whom it belongs to.
    async fn account(
        &self,
        service: &Service,
        variables: &Variables,
        reply: &TokenReply,
    ) -> Result<Account, ConnectError> {
        let asked = self
            .ask_account(service, variables, &reply.access_token)
            .await;
        asked.map_err(|error| match error {
            NoAccount::Unrenderable(error) => Fault::Catalogue(error.to_string()).into(),
            other => ConnectError::ProviderTrouble {
                service: service.provider.name().to_owned(),
                message: other.to_string(),
            },
        })
    }

    /// `lifetime` is what was learned beside the reply.
    fn credential_from(&self, reply: &TokenReply, lifetime: Option<Duration>) -> Credential {
        let now = self.parts.clock.now();
        Credential {
            access_token: reply.access_token.clone(),
            refresh_token: reply.refresh_token.clone(),
            obtained: now,
            expires: reply.expires_in.or(lifetime).map(|lifetime| now + lifetime),
            refresh_expires: reply.refresh_expires_in.map(|lifetime| now + lifetime),
            generation: 1,
            intent: None,
        }
    }

    /// Stores the credential and its connection. The same account connected again keeps its identifier; what it replaces
    /// is returned too. Another account never replaces one.
    async fn store_connection(
        &self,
        service: &Service,
        request: &AuthorizationRequest,
        (account, reach): (Account, Reach),
        granted: ScopeSet,
        credential: &Credential,
    ) -> Result<(Connection, Option<Connection>), Fault> {
        let connections = self.parts.store.connections().finishing();
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
            connects: 1,
            reach,
        };
        for _ in 0..ATTEMPTS {
            let known = self.connections_to(&request.person, service.id()).await?;
            let same = known
                .into_iter()
                .find(|record| record.value.account.id == new.account.id);
            if let Some(same) = &same {
                new.id = same.value.id.clone();
                new.connects = same.value.connects.saturating_add(1);
            }
            self.foretell(&new).await?;
            self.note_unfinished(&new).await?;
            self.put_credential(&new, credential).await?;
            let written = match &same {
                Some(old) => connections.replace(old, &new).await,
                None => connections.create(&record_key(&new), &new).await,
            };
            match written {
                Ok(_) => {
                    self.make_known(&new).await;
                    return Ok((new, same.map(|same| same.value)));
                }
                Err(WriteError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Fault::Contention)
    }

    /// Marks the step of the ticket that this request served as done.
    async fn advance_ticket(
        &self,
        request: &AuthorizationRequest,
    ) -> Result<Option<ConnectTicket>, Fault> {
        let Some(token) = &request.ticket else {
            return Ok(None);
        };
        let tickets = self.parts.store.tickets();
        for _ in 0..ATTEMPTS {
            let found = self.set_apart(tickets.get(&token.digest()).await)?;
            let Some(record) = found.ok().flatten() else {
                return Ok(None);
            };
            let advanced = record.value.with_connected(&request.service);
            match tickets.replace(&record, &advanced).await {
                Ok(_) => return Ok(Some(advanced)),
                Err(WriteError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Fault::Contention)
    }

    fn remaining_steps(
        &self,
        request: &AuthorizationRequest,
        ticket: Option<&ConnectTicket>,
    ) -> Option<RemainingSteps> {
        let services = self.services();
        let name = |id| {
            let service = services.find(id)?;
            Some(service.provider.name().to_owned())
        };
        let service_names: Vec<_> = ticket?.remaining().filter_map(name).collect();
        let path = self.parts.links.connect_path(request.ticket.as_ref()?);
        (!service_names.is_empty()).then_some(RemainingSteps {
            path,
            service_names,
        })
    }

    /// A token that could not even be written down is taken back at the provider: one that was received is never just
    /// dropped.
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
