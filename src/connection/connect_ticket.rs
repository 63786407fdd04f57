//! The ticket behind a connect link.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{PersonId, Timestamp};

/// What a connect link stands for: one person is asked to connect one service, for an agent. Found by the digest of
/// the link's last part. It is not a credential: whoever opens it must be signed in as its person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectTicket {
    /// Who was asked.
    pub person: PersonId,
    /// The service to connect.
    pub service: String,
    /// The agent that asked.
    pub agent_name: String,
    /// The tool it wanted to run; empty when the person asked without one.
    pub tool: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it stops working.
    pub expires: Timestamp,
    /// Set by a completed callback: the ticket has done its work.
    pub spent: bool,
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

    /// Whether `person` may go on with it now.
    ///
    /// # Errors
    /// The reason why not. A stranger learns nothing else about the ticket.
    pub fn check(&self, person: &PersonId, now: Timestamp) -> Result<(), TicketRefusal> {
        if self.person != *person {
            return Err(TicketRefusal::WrongPerson);
        }
        if self.spent {
            return Err(TicketRefusal::Spent);
        }
        if now >= self.expires {
            return Err(TicketRefusal::Expired);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Random;

    #[test]
    fn a_ticket_serves_its_person_until_it_is_spent_or_over() {
        let random = Random::seeded(5);
        let (ana, ben) = (PersonId::new(&random), PersonId::new(&random));
        let made = Timestamp::from_unix(0);
        let ticket = ConnectTicket {
            person: ana.clone(),
            service: "acme".into(),
            agent_name: "Codex".into(),
            tool: "acme_list".into(),
            created: made,
            expires: made + ConnectTicket::LIFETIME,
            spent: false,
        };
        assert_eq!(ticket.check(&ana, made), Ok(()));
        assert_eq!(
            ticket.check(&ben, ticket.expires),
            Err(TicketRefusal::WrongPerson)
        );
        assert_eq!(
            ticket.check(&ana, ticket.expires),
            Err(TicketRefusal::Expired)
        );
        let spent = ConnectTicket {
            spent: true,
            ..ticket
        };
        assert_eq!(spent.check(&ana, made), Err(TicketRefusal::Spent));
    }
}
