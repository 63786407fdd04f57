//! What a person sees of their connections.

use super::credentials::record_key;
use super::{Fault, Gateway, Scopes, Service};
use crate::base::Timestamp;
use crate::catalogue::ScopeSet;
use crate::connection::{Connection, Forecast, Status, Usage};
use crate::identity::Principal;

/// One service, and how a person stands with it.
#[derive(Clone, Debug)]
pub struct ServiceView {
    /// The service.
    pub service: Service,
    /// The person's connections to it, the one that agents use first.
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
        match self.connections.first() {
            Some(first) if expired(first) => 0,
            _ if self.waiting.is_some() => 0,
            Some(first) if first.connection.is_active() => 1,
            _ if self.service.ready().is_some() => 2,
            _ => 3,
        }
    }
}

impl Gateway {
    /// Every service with the person's connections, what needs attention first.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn connections(&self, principal: &Principal) -> Result<Vec<ServiceView>, Fault> {
        let person = &principal.id;
        let mine = self.connections_of(person).await?;
        let usages = self.usages_of(person).await?;
        let now = self.parts.clock.now();
        let mut views = Vec::new();
        for service in self.services().iter() {
            let mut connections = Vec::new();
            for record in &mine {
                if record.value.service == service.id() {
                    let usage = usages.get(&record_key(&record.value));
                    let forecast = self.forecast_for_show(&record.value).await;
                    connections.push(view(service, &record.value, usage, forecast, now));
                }
            }
            connections.sort_by_key(|view| {
                std::cmp::Reverse((view.connection.is_active(), view.connection.since))
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
    }
}
