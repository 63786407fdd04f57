//! People who leave: everything of theirs is destroyed.
//!
//! Owns what a person leaves behind, and the order in which it goes. That the person's record is gone is the decision: from
//! then on nobody is signed in as them and no agent calls for them. A note that is due before it finds what was cut off in
//! the middle, and what requests under way have still written. Tombstones stay until their tokens are dead; they name the
//! person by a random identifier alone.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::upkeep::Task;
use super::{DisconnectError, EndedAll, Fault, Gateway};
use crate::base::{PersonId, Timestamp};
use crate::connection::{Delivery, RevokedReason};
use crate::identity::Principal;
use crate::store::{Shredded, Table, WriteError};

/// When it is looked again: once what was cut off can be gone on with, once every request that was under way has ended,
/// sign-ins included, and once no webhook is told any more that the person was disconnected.
const LOOKS: [Duration; 3] = [
    Duration::from_mins(1),
    Duration::from_mins(15),
    Duration::from_hours(10 * 24),
];

/// How long a key is kept for tombstones until it is looked again whether they are gone.
const NEXT_SHREDDING: Duration = Duration::from_hours(24);

/// One person, for a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonLine {
    /// The person.
    pub person: Principal,
    /// How many connections they have that are not disconnected.
    pub connections: usize,
}

/// What went with a person.
#[derive(Debug)]
pub struct Departure {
    /// Who it was; none when only things that were left behind were found.
    pub person: Option<Principal>,
    /// Their connections.
    pub connections: EndedAll,
    /// How many other records were theirs: agents, sessions, links, requests.
    pub records: usize,
    /// What became of the key that sealed what was theirs.
    pub key: Shredded,
    /// When that was. Backups made before hold what was theirs, and their key.
    pub at: Timestamp,
}

/// Why nobody was removed.
#[derive(Debug)]
pub enum RemovePersonError {
    /// There is no such person, and nothing of theirs is left.
    UnknownPerson,
    /// They are the one who asks: the gateway's own person, whom every start adds again.
    IsOneself,
    /// Something failed on our side. Removing them again goes on with it.
    Fault(Fault),
}

impl<E: Into<Fault>> From<E> for RemovePersonError {
    fn from(error: E) -> Self {
        Self::Fault(error.into())
    }
}

impl Gateway {
    /// Everybody whom this gateway knows.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn people(&self) -> Result<Vec<PersonLine>, Fault> {
        let people = self.parts.store.people().list("", usize::MAX).await?;
        let mut lines = Vec::new();
        for record in people.whole()? {
            let connections = self.connections_of(&record.value.id).await?;
            let connected = connections
                .iter()
                .filter(|record| record.value.status.is_connected())
                .count();
            lines.push(PersonLine {
                person: record.value,
                connections: connected,
            });
        }
        lines.sort_by(|one, other| one.person.name.cmp(&other.person.name));
        Ok(lines)
    }

    /// Removes a person with everything of theirs. Their connections are disconnected first, and revoked at their providers
    /// even if that takes longer. May be repeated: it goes on with what was cut off.
    ///
    /// # Errors
    /// [`RemovePersonError`].
    pub async fn remove_person(
        &self,
        by: &Principal,
        id: &PersonId,
    ) -> Result<Departure, RemovePersonError> {
        if by.id == *id {
            return Err(RemovePersonError::IsOneself);
        }
        let record = self.parts.store.people().get(id.as_str()).await?;
        let person = record.as_ref().map(|record| record.value.clone());
        if let Some(record) = record {
            self.note_departure(id).await?;
            let index = [&record.value.issuer, &record.value.subject].map(String::as_str);
            let index = self.parts.store.index(&index);
            // Only if it leads to this very person.
            let index_record = self.parts.store.person_index().get(&index).await?;
            if let Some(found) = index_record.filter(|found| found.value == *id) {
                is_gone(self.parts.store.person_index().delete(&found).await)?;
            }
            is_gone(self.parts.store.people().delete(&record).await)?;
        }
        let connections = self.disconnect_all(by, Some(id), None).await?;
        let records = self.destroy_what_is_left(id).await?;
        let key = self.parts.store.shred(id).await?;
        let nothing_was_left = records == 0 && connections.ended.is_empty();
        if person.is_none() && nothing_was_left && key == Shredded::Nothing {
            return Err(RemovePersonError::UnknownPerson);
        }
        tracing::info!(person = %id, records, "a person was removed");
        Ok(Departure {
            person,
            connections,
            records,
            key,
            at: self.parts.clock.now(),
        })
    }

    /// Follows a note: whoever still has a record of their own has not left.
    pub(super) async fn forget_if_removed(&self, person: &str) -> Result<(), Fault> {
        let Ok(id) = PersonId::parse(person) else {
            return Ok(());
        };
        if self.principal(&id).await?.is_some() {
            return Ok(());
        }
        self.destroy_what_is_left(&id).await?;
        match self.parts.store.shred(&id).await? {
            // While tombstones are left there is a key for them; the last of them takes it along.
            Shredded::Rest { .. } | Shredded::Later => self.note_shredding(&id).await,
            Shredded::Nothing | Shredded::Whole { .. } => Ok(()),
        }
    }

    async fn note_shredding(&self, person: &PersonId) -> Result<(), Fault> {
        let task = Task::Forget(person.to_string());
        let at = self.parts.clock.now() + NEXT_SHREDDING;
        Ok(self.parts.store.note_due(at, &task.to_string()).await?)
    }

    async fn note_departure(&self, person: &PersonId) -> Result<(), Fault> {
        let (now, task) = (self.parts.clock.now(), Task::Forget(person.to_string()));
        for later in LOOKS {
            let at: Timestamp = now + later;
            self.parts.store.note_due(at, &task.to_string()).await?;
        }
        Ok(())
    }

    /// Destroys every record of somebody whose own record is gone. Tokens are buried first. Returns how many went.
    async fn destroy_what_is_left(&self, person: &PersonId) -> Result<usize, Fault> {
        let store = &self.parts.store;
        let mut count = self.destroy_connections(person).await?;
        count += delete_those(&store.agents(), |agent| agent.person == *person).await?;
        count += delete_those(&store.sessions(), |session| session.person == *person).await?;
        count += delete_those(&store.sign_in_links(), |link| link.person == *person).await?;
        count += delete_those(&store.tickets(), |ticket| ticket.person == *person).await?;
        let requests = store.authorization_requests();
        count += delete_those(&requests, |request| request.person == *person).await?;
        self.forget_uses_of(person).await?;
        for record in store
            .default_accounts()
            .list(&format!("{person}/"), usize::MAX)
            .await?
            .whole()?
        {
            is_gone(store.default_accounts().delete(&record).await)?;
        }
        let destroyed = |event: &Delivery| event.person == *person && !event.is_last_word();
        delete_those(&store.deliveries(), destroyed).await?;
        self.parts.open_tickets.forget(person);
        Ok(count)
    }

    async fn destroy_connections(&self, person: &PersonId) -> Result<usize, Fault> {
        let connections = self.parts.store.connections();
        let all = connections.list(&format!("{person}/"), usize::MAX).await?;
        let mut count = 0;
        for record in all.whole()? {
            let reason = RevokedReason::DisconnectedByAdmin;
            match self.end_use(person, &record.value.id, reason).await {
                Ok(()) | Err(DisconnectError::UnknownConnection) => {}
                Err(DisconnectError::Fault(fault)) => return Err(fault),
            }
            if let Some(ended) = connections.get(record.key()).await? {
                is_gone(connections.delete(&ended).await)?;
                count += 1;
            }
        }
        Ok(count)
    }
}

/// Deletes every record of a table that `is_theirs`. One that changes meanwhile is found by the next look.
async fn delete_those<V: Serialize + DeserializeOwned>(
    table: &Table<V>,
    is_theirs: impl Fn(&V) -> bool,
) -> Result<usize, Fault> {
    let mut count = 0;
    for record in table.list("", usize::MAX).await?.whole()? {
        if is_theirs(&record.value) {
            is_gone(table.delete(&record).await)?;
            count += 1;
        }
    }
    Ok(count)
}

/// Whether it went by us or by somebody else, it is gone or will be looked at again.
fn is_gone(deleted: Result<(), WriteError>) -> Result<(), Fault> {
    match deleted {
        Ok(()) | Err(WriteError::Conflict) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
