//! What is asked for when a connection is begun: as little as serves the purpose, and never less than was granted before.

use std::borrow::Cow;

use crate::base::{ConnectionId, PersonId};
use crate::catalogue::{ScopeRequirement, ScopeSet, Tool};
use crate::connection::{ConnectTicket, Connection, Status};
use crate::gateway::{Fault, Gateway, Service};

/// How much is asked for when an account is connected again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What is granted now.
    Same,
    /// That, and what was asked for and not granted.
    Refused,
    /// That, and what any tool needs.
    Everything,
    /// Only what is used.
    Less,
}

impl Gateway {
    /// What a step of a connect link asks for: what is granted, and what the tools need that the link was made for.
    pub(in crate::gateway) async fn scopes_for_ticket(
        &self,
        ticket: &ConnectTicket,
        service: &Service,
    ) -> Result<ScopeSet, Fault> {
        let named = |tool: &&Tool| ticket.tools().any(|name| name == tool.name());
        let tools: Vec<&Tool> = service
            .provider
            .tools()
            .iter()
            .map(AsRef::as_ref)
            .filter(named)
            .collect();
        if tools.is_empty() {
            return self.scopes_for_service(&ticket.person, service).await;
        }
        let expected = ticket.expected.as_ref();
        let held = self
            .granted_before(&ticket.person, service, expected)
            .await?;
        let needs: Vec<_> = tools
            .into_iter()
            .flat_map(|tool| needs(ticket, tool))
            .collect();
        let needs = needs.iter().map(AsRef::as_ref);
        Ok(service.provider.scope_plan().with_needs(&held, needs))
    }

    /// What is asked for when no tool was named: what is granted, or the provider's default set.
    pub(in crate::gateway) async fn scopes_for_service(
        &self,
        person: &PersonId,
        service: &Service,
    ) -> Result<ScopeSet, Fault> {
        let held = self.granted_before(person, service, None).await?;
        Ok(same(service, &held))
    }

    /// What is asked for when `connection` is made anew.
    pub(super) async fn scopes_for_connection(
        &self,
        service: &Service,
        connection: &Connection,
        extent: Extent,
    ) -> Result<ScopeSet, Fault> {
        let plan = service.provider.scope_plan();
        if matches!(connection.status, Status::Revoked { .. }) {
            return Ok(plan.by_default());
        }
        let granted = &connection.granted;
        Ok(match extent {
            Extent::Same => same(service, granted),
            Extent::Refused => same(service, &granted.union(&connection.requested)),
            Extent::Everything => plan.with_all_tools(granted),
            Extent::Less => {
                let scopes = self.scopes_of(service, connection).await?;
                scopes.less.unwrap_or_else(|| same(service, granted))
            }
        })
    }

    /// What the connection that is expected was granted, or else the latest, as long as it was not disconnected.
    async fn granted_before(
        &self,
        person: &PersonId,
        service: &Service,
        expected: Option<&ConnectionId>,
    ) -> Result<ScopeSet, Fault> {
        let known = self.connections_to(person, service.id()).await?;
        let kept = known
            .into_iter()
            .map(|record| record.value)
            .filter(|known| !matches!(known.status, Status::Revoked { .. }))
            .max_by_key(|known| (expected == Some(&known.id), known.is_active(), known.since));
        Ok(kept.map(|kept| kept.granted).unwrap_or_default())
    }
}

/// What the calls need that a ticket is for: of a tool whose needs depend on an argument, only those that were made.
fn needs<'t>(ticket: &ConnectTicket, tool: &'t Tool) -> Vec<Cow<'t, ScopeRequirement>> {
    let cases = ticket.cases_of(tool.name());
    let needs: Vec<_> = cases
        .map(|case| tool.scopes().in_case(Some(case)))
        .collect();
    if needs.is_empty() {
        vec![Cow::Borrowed(tool.scopes())]
    } else {
        needs
    }
}

/// What was granted before, or the default set when that was nothing.
fn same(service: &Service, granted: &ScopeSet) -> ScopeSet {
    let plan = service.provider.scope_plan();
    if plan.declared(granted).is_empty() {
        return plan.by_default();
    }
    plan.with_tools(granted, [])
}
