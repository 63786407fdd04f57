//! Connect tickets: one link per person, agent and service at a time, reused while it is good.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::fault::ATTEMPTS;
use super::{ConnectError, Fault, Gateway, MissingReason, Service, SignedIn};
use url::Url;

use super::call::Asked;
use crate::base::{AgentId, ConnectionId, PersonId, Secret, Timestamp};
use crate::catalogue::ScopeSet;
use crate::connection::ConnectTicket;
use crate::identity::Caller;
use crate::store::WriteError;

/// A link that an agent hands to its person, and why.
#[derive(Clone, Debug)]
pub struct ConnectLink {
    /// The identifiers of the services that it asks for.
    pub services: Vec<String>,
    /// Names the request to connect, for clients that are told when it is done. Not a secret, and not the link's.
    pub id: String,
    /// Where to go.
    pub url: String,
    /// When the link stops working.
    pub expires: Timestamp,
    /// The person has opened it and may be about to connect, as far as this process knows.
    pub opened: bool,
    /// Why it is needed, in one sentence.
    pub what: String,
    /// One paragraph for whoever reads it: what is missing, for whom, what to do next.
    pub sentence: String,
    /// Finds the ticket.
    pub(super) digest: String,
}

/// What the page of a connect link shows.
#[derive(Clone, Debug)]
pub struct TicketView {
    /// Who asked, for what, and until when.
    pub ticket: ConnectTicket,
    /// The services to connect, in the order in which they were asked for. Never empty.
    pub steps: Vec<StepView>,
}

/// One service of a connect link.
#[derive(Clone, Debug)]
pub struct StepView {
    /// The service to connect.
    pub service: Service,
    /// What will be asked for.
    pub scopes: ScopeSet,
    /// Where the browser goes next.
    pub authorization_endpoint: Url,
    /// The account that is to be connected again, or the only one that is or was connected.
    pub previous_account: Option<String>,
    /// It has been connected since the link was made.
    pub done: bool,
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
    services: Vec<String>,
    expected: Option<ConnectionId>,
}

#[derive(Clone)]
struct OpenTicket {
    token: Secret,
    ticket: ConnectTicket,
    opened: bool,
}

impl OpenTickets {
    /// A ticket is handed out again only while a person still has time to use it.
    const WORTH_REUSING: Duration = Duration::from_mins(2);

    fn find(&self, asker: &Asker, now: Timestamp) -> Option<OpenTicket> {
        let open = self.by_asker.lock().unwrap_or_else(PoisonError::into_inner);
        let found = open.get(asker)?;
        (now + Self::WORTH_REUSING < found.ticket.expires).then(|| found.clone())
    }

    /// The ticket that this asker was handed is for further tools now.
    fn learn(&self, asker: &Asker, ticket: &ConnectTicket) {
        let mut open = self.by_asker.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = open.get_mut(asker) {
            let with_tools = ticket
                .tools()
                .fold(known.ticket.clone(), |known, tool| known.with_tool(tool));
            known.ticket = ticket.cases.iter().fold(with_tools, |known, case| {
                known.with_case(&case.tool, Some(&case.value))
            });
        }
    }

    fn remember(&self, asker: Asker, open_ticket: OpenTicket, now: Timestamp) {
        let mut open = self.by_asker.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, known| now < known.ticket.expires);
        open.insert(asker, open_ticket);
    }

    /// `person` has connected `service`: the tickets that asked for nothing else have done their work.
    pub(super) fn advance(&self, person: &PersonId, service: &str) {
        let mut open = self.by_asker.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|asker, known| {
            if asker.person == *person {
                known.ticket = known.ticket.with_connected(service);
            }
            !known.ticket.is_spent()
        });
    }

    /// `person` is gone, and nothing is handed out for them any more.
    pub(super) fn forget(&self, person: &PersonId) {
        let mut open = self.by_asker.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|asker, _| asker.person != *person);
    }

    /// The person has opened the link of this ticket, or has put it down again.
    pub(super) fn mark(&self, digest: &str, opened: bool) {
        let mut open = self.by_asker.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = open
            .values_mut()
            .find(|known| known.token.digest() == digest)
        {
            known.opened = opened;
        }
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
            .filter(|(asker, _)| asker.person == *person)
            .map(|(_, known)| &known.ticket)
            .filter(|ticket| now < ticket.expires)
            .filter(|ticket| ticket.remaining().any(|wanted| wanted == service))
            .max_by_key(|ticket| ticket.created)
            .cloned()
    }
}

impl Gateway {
    /// The link for a call that cannot run yet.
    pub(super) async fn connect_link(
        &self,
        asked: &Asked<'_>,
        reason: MissingReason,
    ) -> Result<ConnectLink, Fault> {
        let (caller, service, tool) = (asked.caller, &asked.service, &asked.tool);
        let services = vec![service.id().to_owned()];
        let person = &caller.principal;
        let expected = self
            .expected_connection(&person.id, service, &asked.wanted)
            .await?;
        let name = match &expected {
            Some((connection, true)) => {
                let label = &connection.account.label;
                format!("{} ({label})", service.provider.name())
            }
            _ => service.provider.name().to_owned(),
        };
        let expected = expected.map(|(connection, _)| connection.id);
        let case = tool.scopes().case(asked.wanted.arguments());
        let open = self
            .open_ticket(caller, services, (tool.name(), case), expected)
            .await?;
        let what = reason.sentence(&name, &person.name);
        let sentence = |url: &str, minutes| {
            let again = tool.name();
            format!(
                "{what} To connect it, open {url} in a browser (valid {minutes} minutes), then run {again} again."
            )
        };
        Ok(self.link(open, what.clone(), sentence))
    }

    /// One link for everything that `caller` needs connected: each of `services` that is set up and has no working
    /// connection, in the order given; none when nothing is missing.
    ///
    /// # Errors
    /// [`ConnectError`]: one of them is unknown, not set up, or outside of what the agent is narrowed to.
    pub async fn link_for_services(
        &self,
        caller: &Caller,
        services: &[String],
    ) -> Result<Option<ConnectLink>, ConnectError> {
        for service in services {
            let service = self.known_service(service)?;
            service.ready().ok_or(ConnectError::NotConfigured)?;
            self.within(caller, &service)?;
        }
        let missing = self.unconnected(caller, services).await?;
        if missing.is_empty() {
            return Ok(None);
        }
        let names = self.names_of(&missing);
        let person = &caller.principal.name;
        let (verb, them) = if missing.len() == 1 {
            ("is", "it")
        } else {
            ("are", "them")
        };
        let what = format!("{names} {verb} not connected for {person}.");
        let open = self.open_ticket(caller, missing, ("", None), None).await?;
        let sentence = |url: &str, minutes| {
            format!("{what} To connect {them}, open {url} in a browser (valid {minutes} minutes).")
        };
        Ok(Some(self.link(open, what.clone(), sentence)))
    }

    /// The link for a person who wants to connect `service` without a tool that asks for it, on behalf of `caller`;
    /// also when it is connected already.
    ///
    /// # Errors
    /// [`ConnectError`]: no such service, not set up, or outside of what the agent is narrowed to.
    pub async fn connect_link_for_service(
        &self,
        caller: &Caller,
        service: &str,
    ) -> Result<String, ConnectError> {
        let service = self.known_service(service)?;
        service.ready().ok_or(ConnectError::NotConfigured)?;
        self.within(caller, &service)?;
        let services = vec![service.id().to_owned()];
        let open = self.open_ticket(caller, services, ("", None), None).await?;
        Ok(self.parts.links.connect(&open.token))
    }

    /// No link is made for what lies outside of what the agent is narrowed to.
    fn within(&self, caller: &Caller, service: &Service) -> Result<(), ConnectError> {
        let checked = self.check_use(caller, service);
        checked.map_err(|outside| ConnectError::Narrowed(outside.sentence()))
    }

    /// Which of `services`, as far as they are set up, have no working connection of `caller`'s person.
    pub(super) async fn unconnected(
        &self,
        caller: &Caller,
        services: &[String],
    ) -> Result<Vec<String>, Fault> {
        let known = self.services();
        let mut missing = Vec::new();
        for id in services {
            let Some((service, ready)) = known
                .find(id)
                .and_then(|service| Some((service, service.ready()?)))
            else {
                continue;
            };
            let person = &caller.principal.id;
            let connected = self.is_connected(person, service, ready).await?;
            if !connected && !missing.contains(id) {
                missing.push(id.clone());
            }
        }
        Ok(missing)
    }

    /// The person has opened `link` and did not connect while a call waited for it: the next call does not wait, unless
    /// it is opened again.
    pub fn stop_waiting_for(&self, link: &ConnectLink) {
        self.parts.open_tickets.mark(&link.digest, false);
    }

    fn link(
        &self,
        open: OpenTicket,
        what: String,
        sentence: impl FnOnce(&str, u64) -> String,
    ) -> ConnectLink {
        let url = self.parts.links.connect(&open.token);
        let left = open.ticket.expires.since(self.parts.clock.now());
        let digest = open.token.digest();
        ConnectLink {
            services: open.ticket.services,
            id: digest[..32].to_owned(),
            expires: open.ticket.expires,
            opened: open.opened,
            sentence: sentence(&url, left.as_secs().div_ceil(60)),
            what,
            url,
            digest,
        }
    }

    /// "Slack", "Slack and GitHub", "Slack, GitHub and Linear".
    fn names_of(&self, services: &[String]) -> String {
        let known = self.services();
        let name = |id: &String| {
            let service = known.find(id);
            service.map_or_else(|| id.clone(), |service| service.provider.name().to_owned())
        };
        let names: Vec<_> = services.iter().map(name).collect();
        match names.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, others)) => format!("{} and {last}", others.join(", ")),
            None => String::new(),
        }
    }

    async fn open_ticket(
        &self,
        caller: &Caller,
        services: Vec<String>,
        (tool, case): (&str, Option<&str>),
        expected: Option<ConnectionId>,
    ) -> Result<OpenTicket, Fault> {
        let now = self.parts.clock.now();
        let asker = Asker {
            person: caller.principal.id.clone(),
            agent: caller.agent.clone(),
            services: services.clone(),
            expected: expected.clone(),
        };
        if let Some(open) = self.parts.open_tickets.find(&asker, now)
            && let Some(open) = self.for_tool_too(open, tool, case).await?
        {
            self.parts.open_tickets.learn(&asker, &open.ticket);
            return Ok(open);
        }
        let ticket = ConnectTicket {
            person: caller.principal.id.clone(),
            services,
            agent_name: caller.agent_name.clone(),
            tool: tool.to_owned(),
            more_tools: Vec::new(),
            cases: Vec::new(),
            created: now,
            expires: now + ConnectTicket::LIFETIME,
            expected,
            connected: Vec::new(),
        }
        .with_case(tool, case);
        let token = self.parts.random.token();
        self.parts
            .store
            .tickets()
            .create_until(&token.digest(), &ticket, ticket.expires)
            .await?;
        let opened = false;
        let open = OpenTicket {
            token,
            ticket,
            opened,
        };
        self.parts.open_tickets.remember(asker, open.clone(), now);
        Ok(open)
    }

    /// The same link, which from now on asks for what `tool` needs too; none when it is gone.
    async fn for_tool_too(
        &self,
        open: OpenTicket,
        tool: &str,
        case: Option<&str>,
    ) -> Result<Option<OpenTicket>, Fault> {
        if open.ticket.with_case(tool, case) == open.ticket {
            return Ok(Some(open));
        }
        let tickets = self.parts.store.tickets();
        for _ in 0..ATTEMPTS {
            let found = self.set_apart(tickets.get(&open.token.digest()).await)?;
            let Some(record) = found.ok().flatten() else {
                return Ok(None);
            };
            let ticket = record.value.with_case(tool, case);
            match tickets.replace(&record, &ticket).await {
                Ok(_) => return Ok(Some(OpenTicket { ticket, ..open })),
                Err(WriteError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Fault::Contention)
    }

    /// What the page of a connect link shows to a signed-in person. Changes nothing that lasts.
    ///
    /// # Errors
    /// [`ConnectError`]: unknown, expired or used link, or one that was made for someone else.
    pub async fn view_ticket(
        &self,
        token: &Secret,
        signed_in: &SignedIn,
    ) -> Result<TicketView, ConnectError> {
        let ticket = self.ticket(token, signed_in).await?;
        self.parts.open_tickets.mark(&token.digest(), true);
        let mut steps = Vec::new();
        for service in &ticket.services {
            steps.push(self.step(&ticket, service).await?);
        }
        Ok(TicketView { ticket, steps })
    }

    async fn step(&self, ticket: &ConnectTicket, service: &str) -> Result<StepView, ConnectError> {
        let service = self.known_service(service)?;
        let ready = service.ready().ok_or(ConnectError::NotConfigured)?;
        let known = self.connections_to(&ticket.person, service.id()).await?;
        let mut known: Vec<_> = known.into_iter().map(|record| record.value).collect();
        // Done by this link, or meanwhile from the Connections page.
        let done = ticket.connected.iter().any(|done| done == service.id())
            || known
                .iter()
                .filter(|one| {
                    ticket
                        .expected
                        .as_ref()
                        .is_none_or(|wanted| one.id == *wanted)
                })
                .any(|one| one.is_active() && one.since > ticket.created);
        let expected = known
            .iter()
            .position(|one| ticket.expected.as_ref() == Some(&one.id));
        let previous = match (expected, known.len()) {
            (Some(expected), _) => Some(known.swap_remove(expected)),
            (None, 1) => known.pop(),
            _ => None,
        };
        Ok(StepView {
            done,
            scopes: self.scopes_for_ticket(ticket, &service).await?,
            authorization_endpoint: ready.oauth.authorization_endpoint.clone(),
            previous_account: previous.map(|one| one.account.label),
            service,
        })
    }

    /// The ticket of a link, if this person may go on with it.
    pub(super) async fn ticket(
        &self,
        token: &Secret,
        signed_in: &SignedIn,
    ) -> Result<ConnectTicket, ConnectError> {
        let found = self.parts.store.tickets().get(&token.digest()).await;
        let record = self.set_apart(found)?.ok().flatten();
        let ticket = record.ok_or(ConnectError::UnknownLink)?.value;
        ticket.check(&signed_in.principal.id, self.parts.clock.now())?;
        Ok(ticket)
    }
}
