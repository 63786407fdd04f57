//! Connect tickets: one link per person, agent and service at a time, reused while it is good.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{ConnectError, Fault, Gateway, MissingReason, Service, SignedIn};
use url::Url;

use crate::base::{AgentId, PersonId, Secret, Timestamp};
use crate::catalogue::{ScopeSet, Tool};
use crate::connection::ConnectTicket;
use crate::identity::Caller;

/// A link that an agent hands to its person, and why.
#[derive(Clone, Debug)]
pub struct ConnectLink {
    /// The service's identifier.
    pub service: String,
    /// The service's name.
    pub service_name: String,
    /// Names the request to connect, for clients that are told when it is done. Not a secret, and not the link's.
    pub id: String,
    /// Where to go.
    pub url: String,
    /// When the link stops working.
    pub expires: Timestamp,
    /// Why the tool could not run, in one sentence.
    pub what: String,
    /// One paragraph for whoever reads it: what is missing, for whom, what to do next.
    pub sentence: String,
}

/// What the page of a connect link shows.
#[derive(Clone, Debug)]
pub struct TicketView {
    /// The service to connect.
    pub service: Service,
    /// Who asked, for what, and until when.
    pub ticket: ConnectTicket,
    /// What will be asked for.
    pub scopes: ScopeSet,
    /// Where the browser goes next.
    pub authorization_endpoint: Url,
    /// The account that is connected now, or was last.
    pub previous_account: Option<String>,
}

/// The tickets that this process has handed out and that still work, so that a caller who asks again gets the same
/// link and nothing is written. Only a convenience: after a restart a new ticket is made.
#[derive(Default)]
pub(super) struct OpenTickets {
    by_asker: Mutex<HashMap<Asker, OpenTicket>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Asker {
    person: PersonId,
    agent: AgentId,
    service: String,
}

#[derive(Clone)]
struct OpenTicket {
    token: Secret,
    ticket: ConnectTicket,
}

impl OpenTickets {
    /// A ticket is handed out again only while a person still has time to use it.
    const WORTH_REUSING: Duration = Duration::from_mins(2);

    fn find(&self, asker: &Asker, now: Timestamp) -> Option<OpenTicket> {
        let open = self.by_asker.lock().unwrap_or_else(PoisonError::into_inner);
        let found = open.get(asker)?;
        (now + Self::WORTH_REUSING < found.ticket.expires).then(|| found.clone())
    }

    fn remember(&self, asker: Asker, open_ticket: OpenTicket, now: Timestamp) {
        let mut open = self.by_asker.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, known| now < known.ticket.expires);
        open.insert(asker, open_ticket);
    }

    pub(super) fn forget(&self, person: &PersonId, service: &str) {
        let mut open = self.by_asker.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|asker, _| asker.person != *person || asker.service != service);
    }

    /// The ticket that `person` was last handed for `service` and has not used.
    pub(super) fn waiting(
        &self,
        person: &PersonId,
        service: &str,
        now: Timestamp,
    ) -> Option<ConnectTicket> {
        let open = self.by_asker.lock().unwrap_or_else(PoisonError::into_inner);
        open.iter()
            .filter(|(asker, _)| asker.person == *person && asker.service == service)
            .map(|(_, known)| known.ticket.clone())
            .filter(|ticket| now < ticket.expires)
            .max_by_key(|ticket| ticket.created)
    }
}

impl Gateway {
    /// The link for a caller whose tool cannot run yet.
    pub(super) async fn connect_link(
        &self,
        caller: &Caller,
        service: &Service,
        tool: &Tool,
        reason: MissingReason,
    ) -> Result<ConnectLink, Fault> {
        let open = self.open_ticket(caller, service, tool.name()).await?;
        let url = self.parts.links.connect(&open.token);
        let minutes = open
            .ticket
            .expires
            .since(self.parts.clock.now())
            .as_secs()
            .div_ceil(60);
        let what = reason.sentence(service.provider.name(), &caller.principal.name);
        let sentence = format!(
            "{what} To connect it, open {url} in a browser (valid {minutes} minutes), then run {} again.",
            tool.name(),
        );
        Ok(ConnectLink {
            service: service.id().to_owned(),
            service_name: service.provider.name().to_owned(),
            id: open.token.digest()[..32].to_owned(),
            url,
            expires: open.ticket.expires,
            what,
            sentence,
        })
    }

    /// The link for a person who wants to connect `service` without a tool that asks for it, on behalf of `caller`.
    ///
    /// # Errors
    /// [`ConnectError`]: no such service, or it is not set up.
    pub async fn connect_link_for_service(
        &self,
        caller: &Caller,
        service: &str,
    ) -> Result<String, ConnectError> {
        let service = self
            .parts
            .services
            .find(service)
            .ok_or(ConnectError::UnknownService)?;
        if service.ready().is_none() {
            return Err(ConnectError::NotConfigured);
        }
        let open = self.open_ticket(caller, service, "").await?;
        Ok(self.parts.links.connect(&open.token))
    }

    async fn open_ticket(
        &self,
        caller: &Caller,
        service: &Service,
        tool: &str,
    ) -> Result<OpenTicket, Fault> {
        let now = self.parts.clock.now();
        let asker = Asker {
            person: caller.principal.id.clone(),
            agent: caller.agent.clone(),
            service: service.id().to_owned(),
        };
        if let Some(open) = self.parts.open_tickets.find(&asker, now) {
            return Ok(open);
        }
        let ticket = ConnectTicket {
            person: caller.principal.id.clone(),
            service: service.id().to_owned(),
            agent_name: caller.agent_name.clone(),
            tool: tool.to_owned(),
            created: now,
            expires: now + ConnectTicket::LIFETIME,
            spent: false,
        };
        let token = self.parts.random.token();
        self.parts
            .store
            .tickets()
            .create_until(&token.digest(), &ticket, ticket.expires)
            .await?;
        let open = OpenTicket { token, ticket };
        self.parts.open_tickets.remember(asker, open.clone(), now);
        Ok(open)
    }

    /// What the page of a connect link shows to a signed-in person. Changes nothing.
    ///
    /// # Errors
    /// [`ConnectError`]: unknown, expired or used link, or one that was made for someone else.
    pub async fn view_ticket(
        &self,
        token: &Secret,
        signed_in: &SignedIn,
    ) -> Result<TicketView, ConnectError> {
        let record = self
            .parts
            .store
            .tickets()
            .get(&token.digest())
            .await?
            .ok_or(ConnectError::UnknownLink)?;
        let ticket = record.value;
        ticket.check(&signed_in.principal.id, self.parts.clock.now())?;
        let service = self
            .parts
            .services
            .find(&ticket.service)
            .ok_or(ConnectError::UnknownService)?;
        let ready = service.ready().ok_or(ConnectError::NotConfigured)?;
        let known = self.connections_to(&ticket.person, service.id()).await?;
        let previous = known.into_iter().max_by_key(|record| record.value.since);
        Ok(TicketView {
            scopes: ready.oauth.scopes.clone(),
            authorization_endpoint: ready.oauth.authorization_endpoint.clone(),
            previous_account: previous.map(|record| record.value.account.label),
            service: service.clone(),
            ticket,
        })
    }

    /// Marks a ticket as used. One that is gone or used already is left alone.
    pub(super) async fn spend_ticket(&self, digest: &str) -> Result<(), Fault> {
        let tickets = self.parts.store.tickets();
        let Some(record) = tickets.get(digest).await? else {
            return Ok(());
        };
        let spent = ConnectTicket {
            spent: true,
            ..record.value.clone()
        };
        tickets.replace(&record, &spent).await?;
        Ok(())
    }
}
