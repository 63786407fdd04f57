//! What a person sees of their connections.

use super::credentials::record_key;
use super::{Fault, Gateway, MissingReason, Scopes, Service, accounts};
use crate::base::{ConnectionId, Timestamp};
use crate::catalogue::ScopeSet;
use crate::connection::{Connection, ExpiredReason, Forecast, Status, Usage};
use crate::identity::{Caller, Principal};

/// One service, and how a person stands with it.
#[derive(Clone, Debug)]
pub struct ServiceView {
    /// The service.
    pub service: Service,
    /// The person's connections to it: the default first, then those that work.
    pub connections: Vec<ConnectionView>,
    /// An agent has asked for it and the person has not answered.
    pub waiting: Option<Waiting>,
    /// The redirect URI to register at the provider.
    pub redirect_uri: String,
}

/// One connection.
#[derive(Clone, Debug)]
pub struct ConnectionView {
    /// The connection.
    pub connection: Connection,
    /// Scopes that tools need and that were not granted.
    pub missing: ScopeSet,
    /// How its scopes stand.
    pub scopes: Scopes,
    /// When a call last used it, as far as it is known.
    pub last_used: Option<Timestamp>,
    /// When it will end, as far as anybody can know.
    pub forecast: Forecast,
    /// Calls use this account unless they mean another.
    pub is_default: bool,
}

/// An agent waits for a connection.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The agent.
    pub agent_name: String,
    /// The tool that it wanted to run.
    pub tool: String,
    /// Since when.
    pub since: Timestamp,
}

impl ServiceView {
    /// What the person should see first: 0 needs attention, 1 works, 2 could be connected, 3 cannot.
    #[must_use]
    pub fn urgency(&self) -> u8 {
        let expired =
            |view: &ConnectionView| matches!(view.connection.status, Status::Expired { .. });
        let active = |view: &ConnectionView| view.connection.is_active();
        match self.connections.as_slice() {
            some if some.iter().any(expired) => 0,
            _ if self.waiting.is_some() => 0,
            some if some.iter().any(active) => 1,
            _ if self.service.ready().is_some() => 2,
            _ => 3,
        }
    }

    /// The accounts that a call may mean, each with the name that the `account` argument takes for it.
    #[must_use]
    pub fn named_choices(&self) -> Vec<(String, &ConnectionView)> {
        let choices = self.connections.iter();
        let choices: Vec<_> = choices.filter(|view| view.connection.is_choice()).collect();
        let connections: Vec<_> = choices.iter().map(|view| &view.connection).collect();
        accounts::names(&connections)
            .into_iter()
            .zip(choices)
            .collect()
    }

    /// The connection to the account of this name, disconnected or not.
    ///
    /// # Errors
    /// Why it cannot be told which one is meant.
    pub fn find_account(&self, name: &str) -> Result<ConnectionId, MissingReason> {
        let connections: Vec<_> = self
            .connections
            .iter()
            .map(|view| &view.connection)
            .collect();
        accounts::named(&connections, name).map(|found| found.id.clone())
    }

    /// The account that calls use unless they mean another.
    #[must_use]
    pub fn default(&self) -> Option<&Connection> {
        let mut views = self.connections.iter();
        let default = views.find(|view| view.is_default)?;
        Some(&default.connection)
    }
}

impl Gateway {
    /// The same for an agent: only services that it may use.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn connections_for(&self, caller: &Caller) -> Result<Vec<ServiceView>, Fault> {
        let mut views = self.connections(&caller.principal).await?;
        views.retain(|view| self.may_use(caller, &view.service));
        Ok(views)
    }

    /// Every service with the person's connections, what needs attention first.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn connections(&self, principal: &Principal) -> Result<Vec<ServiceView>, Fault> {
        let person = &principal.id;
        let mine = self.connections_of(person).await?;
        let usages = self.usages_of(person).await?;
        let defaults = self.default_accounts(person).await?;
        let now = self.parts.clock.now();
        let mut views = Vec::new();
        for service in self.services().iter() {
            let default = defaults.get(service.id());
            let mut connections = Vec::new();
            for record in &mine {
                if record.value.service == service.id() {
                    let connection = self.as_it_stands(record.value.clone()).await?;
                    let usage = usages.get(&record_key(&connection));
                    let forecast = self.forecast_for_show(&connection).await;
                    let mut view = view(service, &connection, usage, forecast, now);
                    view.is_default =
                        view.connection.is_choice() && Some(&view.connection.id) == default;
                    connections.push(view);
                }
            }
            connections.sort_by_key(|view| {
                std::cmp::Reverse((
                    view.is_default,
                    view.connection.is_active(),
                    view.connection.since,
                ))
            });
            let ticket =
                self.parts
                    .open_tickets
                    .waiting(person, service.id(), self.parts.clock.now());
            views.push(ServiceView {
                service: service.clone(),
                connections,
                waiting: ticket.map(|t| Waiting {
                    agent_name: t.agent_name,
                    tool: t.tool,
                    since: t.created,
                }),
                redirect_uri: self.parts.links.callback(service.id()),
            });
        }
        views.sort_by_key(ServiceView::urgency);
        Ok(views)
    }

    /// The connection as it must be shown: one whose credential cannot be read does not work, whatever its record says.
    async fn as_it_stands(&self, mut connection: Connection) -> Result<Connection, Fault> {
        if connection.is_active()
            && self
                .stored_credential(&record_key(&connection))
                .await?
                .is_err()
        {
            let reason = ExpiredReason::Damaged;
            connection.status = Status::Expired { reason };
        }
        Ok(connection)
    }

    /// The person's connections whose service has left the catalogue. They cannot be used, only disconnected.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn connections_without_service(
        &self,
        principal: &Principal,
    ) -> Result<Vec<Connection>, Fault> {
        let services = self.services();
        let mine = self.connections_of(&principal.id).await?;
        Ok(mine
            .into_iter()
            .map(|record| record.value)
            .filter(|connection| services.find(&connection.service).is_none())
            .collect())
    }
}

fn view(
    service: &Service,
    connection: &Connection,
    usage: Option<&Usage>,
    forecast: Forecast,
    now: Timestamp,
) -> ConnectionView {
    ConnectionView {
        missing: service.provider.scope_plan().missing(&connection.granted),
        scopes: Scopes::of(service, connection, usage, now),
        last_used: usage.and_then(|usage| usage.last_used),
        connection: connection.clone(),
        forecast,
        is_default: false,
    }
}
