//! The ticket behind a connect link.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{ConnectionId, PersonId, Timestamp};

/// What a connect link stands for: one person is asked to connect one service or several, for an agent. Found by the
/// digest of the link's last part. It is not a credential: whoever opens it must be signed in as its person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectTicket {
    /// Who was asked.
    pub person: PersonId,
    /// The services to connect, each a step. Never empty.
    pub services: Vec<String>,
    /// The agent that asked.
    pub agent_name: String,
    /// The tool it wanted to run; empty when it asked without one.
    pub tool: String,
    /// Others that it wanted to run since, and that the same link is for.
    #[serde(default)]
    pub more_tools: Vec<String>,
    /// The calls among them whose needs depend on an argument.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cases: Vec<ToolCase>,
    /// When it was made.
    pub created: Timestamp,
    /// When it stops working.
    pub expires: Timestamp,
    /// The connection that is expected to be made again, where one is: the page names its account.
    #[serde(default)]
    pub expected: Option<ConnectionId>,
    /// The services that a completed callback of this very ticket has connected.
    pub connected: Vec<String>,
}

/// A call of a tool of which one argument decides what it must be granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCase {
    /// The tool.
    pub tool: String,
    /// What the argument says.
    pub value: String,
}

/// Why a ticket does not let a person go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TicketRefusal {
    /// It was made for someone else.
    WrongPerson,
    /// Its time is over.
    Expired,
    /// It has done its work.
    Spent,
}

impl ConnectTicket {
    /// How long a ticket works.
    pub const LIFETIME: Duration = Duration::from_mins(10);

    /// How many tools, besides the first, one ticket is for.
    const MOST_TOOLS: usize = 64;

    /// Whether `person` may go on with it now.
    ///
    /// # Errors
    /// The reason why not. A stranger learns nothing else about the ticket.
    pub fn check(&self, person: &PersonId, now: Timestamp) -> Result<(), TicketRefusal> {
        if self.person != *person {
            return Err(TicketRefusal::WrongPerson);
        }
        if self.is_spent() {
            return Err(TicketRefusal::Spent);
        }
        if now >= self.expires {
            return Err(TicketRefusal::Expired);
        }
        Ok(())
    }

    /// Whether every step is done.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.remaining().next().is_none()
    }

    /// The services whose step is not done yet.
    pub fn remaining(&self) -> impl Iterator<Item = &str> {
        let done = |service: &&String| self.connected.contains(service);
        self.services
            .iter()
            .filter(move |service| !done(service))
            .map(String::as_str)
    }

    /// The tools that it is for.
    pub fn tools(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.tool)
            .chain(&self.more_tools)
            .map(String::as_str)
            .filter(|tool| !tool.is_empty())
    }

    /// The values of the deciding argument with which `tool` is to be called; none where none was said.
    pub fn cases_of(&self, tool: &str) -> impl Iterator<Item = &str> {
        let cases = self.cases.iter().filter(move |case| case.tool == tool);
        cases.map(|case| case.value.as_str())
    }

    /// The ticket once it is for `tool` with this value of its deciding argument too.
    #[must_use]
    pub fn with_case(&self, tool: &str, value: Option<&str>) -> Self {
        let mut ticket = self.with_tool(tool);
        let Some(value) = value else {
            return ticket;
        };
        let is_new = !ticket.cases_of(tool).any(|known| known == value);
        if is_new && ticket.cases.len() < Self::MOST_TOOLS {
            ticket.cases.push(ToolCase {
                tool: tool.to_owned(),
                value: value.to_owned(),
            });
        }
        ticket
    }

    /// The ticket once it is for `tool` too. One that is for very many tools stays as it is.
    #[must_use]
    pub fn with_tool(&self, tool: &str) -> Self {
        let mut ticket = self.clone();
        if tool.is_empty() || self.tools().any(|known| known == tool) {
            return ticket;
        }
        if ticket.tool.is_empty() {
            tool.clone_into(&mut ticket.tool);
        } else if ticket.more_tools.len() < Self::MOST_TOOLS {
            ticket.more_tools.push(tool.to_owned());
        }
        ticket
    }

    /// The ticket once `service` has been connected through it.
    #[must_use]
    pub fn with_connected(&self, service: &str) -> Self {
        let mut ticket = self.clone();
        if !ticket.connected.iter().any(|done| done == service) {
            ticket.connected.push(service.to_owned());
        }
        ticket
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Random;

    fn ticket(person: &PersonId, services: &[&str]) -> ConnectTicket {
        let made = Timestamp::from_unix(0);
        ConnectTicket {
            person: person.clone(),
            services: services.iter().map(|&service| service.into()).collect(),
            agent_name: "Codex".into(),
            tool: "acme_list".into(),
            more_tools: Vec::new(),
            cases: Vec::new(),
            created: made,
            expires: made + ConnectTicket::LIFETIME,
            expected: None,
            connected: Vec::new(),
        }
    }

    #[test]
    fn a_ticket_serves_its_person_until_it_is_spent_or_over() {
        let random = Random::seeded(5);
        let (ana, ben) = (PersonId::new(&random), PersonId::new(&random));
        let ticket = ticket(&ana, &["acme"]);
        assert_eq!(ticket.check(&ana, ticket.created), Ok(()));
        assert_eq!(
            ticket.check(&ben, ticket.expires),
            Err(TicketRefusal::WrongPerson)
        );
        assert_eq!(
            ticket.check(&ana, ticket.expires),
            Err(TicketRefusal::Expired)
        );
        let spent = ticket.with_connected("acme");
        assert_eq!(spent.check(&ana, spent.created), Err(TicketRefusal::Spent));
    }

    #[test]
    fn a_ticket_is_for_every_tool_that_asked() {
        let ana = PersonId::new(&Random::seeded(5));
        let ticket = ticket(&ana, &["acme"]).with_tool("").with_tool("acme_list");
        assert_eq!(ticket.tools().collect::<Vec<_>>(), ["acme_list"]);
        let ticket = ticket.with_tool("acme_write").with_tool("acme_write");
        assert_eq!(
            ticket.tools().collect::<Vec<_>>(),
            ["acme_list", "acme_write"]
        );
        let many = (0..100).fold(ticket, |all, n| all.with_tool(&n.to_string()));
        assert_eq!(many.tools().count(), 65);
    }

    #[test]
    fn a_ticket_of_several_services_is_spent_with_the_last_of_them() {
        let ana = PersonId::new(&Random::seeded(5));
        let ticket = ticket(&ana, &["acme", "birch"]);
        let halfway = ticket.with_connected("birch").with_connected("birch");
        assert_eq!(halfway.remaining().collect::<Vec<_>>(), ["acme"]);
        assert_eq!(halfway.check(&ana, halfway.created), Ok(()));
        assert!(halfway.with_connected("acme").is_spent());
        // A service that it does not ask for does nothing to it.
        assert!(!ticket.with_connected("cedar").is_spent());
    }
}
