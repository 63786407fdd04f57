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
use crate::identity::{Principal, Role};
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
    /// Their identifier.
    pub id: PersonId,
    /// The person; none: their record cannot be read.
    pub person: Option<Principal>,
    /// Their role; none: their standing cannot be read.
    pub role: Option<Role>,
    /// How many connections they have that are not disconnected.
    pub connections: usize,
    /// How many of their connections cannot be read.
    pub damaged: usize,
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
    /// Records that cannot be read, by their full keys: agents, sessions, links and requests of nobody knows whom. They are
    /// left alone, and are of no use to anybody.
    pub unreadable: Vec<String>,
    /// What became of the key that sealed what was theirs.
    pub key: Shredded,
    /// When that was. Backups made before hold what was theirs, and their key.
    pub at: Timestamp,
}

/// What was ended of a person who stays.
#[derive(Debug)]
pub struct CutOff {
    /// What they are called.
    pub name: String,
    /// How many sessions.
    pub sessions: usize,
    /// How many other records: agents, links, requests.
    pub records: usize,
}

/// What a look at the records of somebody who is gone found.
#[derive(Default)]
struct Left {
    destroyed: usize,
    unreadable: Vec<String>,
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
        let (people, damaged) = self.sort_out(people);
        let mut everybody: Vec<_> = people
            .into_iter()
            .map(|record| (record.value.id.clone(), Some(record.value)))
            .collect();
        everybody.extend(damaged.iter().filter_map(|one| {
            // Their own record, or what all of theirs depends on.
            let (_, id) = one.key.split_once('/')?;
            Some((PersonId::parse(id).ok()?, None))
        }));
        let mut lines = Vec::new();
        for (id, person) in everybody {
            let (connections, damaged) = match self.all_connections_of(&id).await {
                // Nobody can say how many they have.
                Err(Fault::Store(error)) if error.record().is_some() => (Vec::new(), Vec::new()),
                known => known?,
            };
            let connected = connections
                .iter()
                .filter(|record| record.value.status.is_connected());
            let standing = match self.standing(&id).await {
                Err(Fault::Store(error)) if error.record().is_some() => None,
                standing => standing?,
            };
            lines.push(PersonLine {
                role: standing.map(|standing| standing.role),
                connections: connected.count(),
                damaged: damaged.len(),
                id,
                person,
            });
        }
        lines.sort_by_key(|line| line.person.as_ref().map(|person| person.name.clone()));
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
        let found = self.set_apart(self.parts.store.people().get(id.as_str()).await)?;
        let is_unknown = matches!(found, Ok(None));
        let person = match found {
            Ok(Some(record)) => {
                self.note_departure(id).await?;
                self.forget_way_to(&record.value).await?;
                is_gone(self.parts.store.people().delete(&record).await)?;
                Some(record.value)
            }
            Ok(None) => None,
            Err(damaged) => {
                self.note_departure(id).await?;
                self.forget_every_way_to(id).await?;
                self.discard(&damaged).await?;
                None
            }
        };
        let connections = self.disconnect_all(by, Some(id), None).await?;
        let left = self.destroy_what_is_left(id).await?;
        let records = left.destroyed;
        let key = self.parts.store.shred(id).await?;
        let had_connections = !(connections.ended.is_empty() && connections.unreadable.is_empty());
        if is_unknown && records == 0 && !had_connections && key == Shredded::Nothing {
            return Err(RemovePersonError::UnknownPerson);
        }
        tracing::info!(person = %id, records, "a person was removed");
        Ok(Departure {
            person,
            connections,
            records,
            unreadable: left.unreadable,
            key,
            at: self.parts.clock.now(),
        })
    }

    /// Ends at once what a person can reach this gateway with: sessions, agents, links and whatever they have begun. Their
    /// connections stay, unused, for when they come back.
    ///
    /// # Errors
    /// [`RemovePersonError`].
    pub async fn cut_off_person(
        &self,
        by: &Principal,
        id: &PersonId,
    ) -> Result<CutOff, RemovePersonError> {
        if by.id == *id {
            return Err(RemovePersonError::IsOneself);
        }
        let person = self.principal(id).await?;
        let person = person.ok_or(RemovePersonError::UnknownPerson)?;
        let sessions = self.sign_out_everywhere(id).await?;
        let mut left = Left::default();
        self.destroy_ways_in(id, &mut left).await?;
        tracing::info!(person = %id, records = left.destroyed, "a person was cut off");
        Ok(CutOff {
            name: person.name.clone(),
            sessions,
            records: left.destroyed,
        })
    }

    /// Nobody is found any more as the one whom the issuer calls so.
    async fn forget_way_to(&self, person: &Principal) -> Result<(), Fault> {
        let ways = self.parts.store.person_index();
        let way = self
            .parts
            .store
            .index(&[&person.issuer, &person.subject].map(String::as_str));
        match self.set_apart(ways.get(&way).await)? {
            // Only if it leads to this very person.
            Ok(Some(found)) if found.value == person.id => is_gone(ways.delete(&found).await),
            Ok(_) => Ok(()),
            Err(damaged) => self.discard(&damaged).await,
        }
    }

    /// The same where nobody can read any more who they were.
    async fn forget_every_way_to(&self, id: &PersonId) -> Result<(), Fault> {
        let ways = self.parts.store.person_index();
        for way in self.readable(ways.list("", usize::MAX).await?) {
            if way.value == *id {
                is_gone(ways.delete(&way).await)?;
            }
        }
        Ok(())
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

    /// Destroys every record of somebody whose own record is gone. Tokens are buried first.
    async fn destroy_what_is_left(&self, person: &PersonId) -> Result<Left, Fault> {
        let store = &self.parts.store;
        let mut left = Left {
            destroyed: self.destroy_connections(person).await?,
            unreadable: Vec::new(),
        };
        self.delete_those(
            &store.sessions(),
            |session| session.person == *person,
            &mut left,
        )
        .await?;
        self.destroy_ways_in(person, &mut left).await?;
        self.forget_uses_of(person).await?;
        self.forget_defaults_of(person).await?;
        self.forget_standing_of(person).await?;
        let mut events = Left::default();
        let destroyed = |event: &Delivery| event.person == *person && !event.is_last_word();
        self.delete_those(&store.deliveries(), destroyed, &mut events)
            .await?;
        left.unreadable.append(&mut events.unreadable);
        Ok(left)
    }

    /// Destroys a person's agents, links, and what they have begun.
    async fn destroy_ways_in(&self, person: &PersonId, those: &mut Left) -> Result<(), Fault> {
        let store = &self.parts.store;
        self.delete_those(&store.agents(), |agent| agent.person == *person, those)
            .await?;
        self.delete_those(&store.sign_in_links(), |link| link.person == *person, those)
            .await?;
        self.delete_those(&store.tickets(), |ticket| ticket.person == *person, those)
            .await?;
        let requests = store.authorization_requests();
        self.delete_those(&requests, |request| request.person == *person, those)
            .await?;
        self.forget_agents_of(person).await?;
        self.parts.open_tickets.forget(person);
        Ok(())
    }

    async fn forget_standing_of(&self, person: &PersonId) -> Result<(), Fault> {
        let standings = self.parts.store.standings();
        match self.set_apart(standings.get(person.as_str()).await)? {
            Ok(Some(standing)) => is_gone(standings.delete(&standing).await),
            Ok(None) => Ok(()),
            Err(damaged) => self.discard(&damaged).await,
        }
    }

    async fn forget_defaults_of(&self, person: &PersonId) -> Result<(), Fault> {
        let defaults = self.parts.store.default_accounts();
        let listed = defaults.list(&format!("{person}/"), usize::MAX).await?;
        let (chosen, damaged) = self.sort_out_own(listed)?;
        for record in chosen {
            is_gone(defaults.delete(&record).await)?;
        }
        for damaged in damaged {
            self.discard(&damaged).await?;
        }
        Ok(())
    }

    /// Deletes every record of a table that `is_theirs`. One that changes meanwhile is found by the next look; one that
    /// cannot be read is told, since nobody knows whose it is.
    async fn delete_those<V: Serialize + DeserializeOwned>(
        &self,
        table: &Table<V>,
        is_theirs: impl Fn(&V) -> bool,
        left: &mut Left,
    ) -> Result<(), Fault> {
        let (records, damaged) = self.sort_out(table.list("", usize::MAX).await?);
        for record in records {
            if is_theirs(&record.value) {
                is_gone(table.delete(&record).await)?;
                left.destroyed += 1;
            }
        }
        left.unreadable
            .extend(damaged.into_iter().map(|one| one.key));
        Ok(())
    }

    async fn destroy_connections(&self, person: &PersonId) -> Result<usize, Fault> {
        let connections = self.parts.store.connections();
        let all = connections.list(&format!("{person}/"), usize::MAX).await?;
        let (records, damaged) = self.sort_out_own(all)?;
        let mut count = damaged.len();
        for damaged in &damaged {
            if let Some(key) = damaged.key.strip_prefix("con/") {
                self.discard_connection(key, damaged).await?;
            }
        }
        for record in records {
            let reason = RevokedReason::DisconnectedByAdmin;
            match self.end_use(person, &record.value.id, reason).await {
                // Damaged in this moment: the next look finds it.
                Ok(()) | Err(DisconnectError::UnknownConnection | DisconnectError::Damaged) => {}
                Err(DisconnectError::Fault(fault)) => return Err(fault),
            }
            let ended = self.set_apart(connections.get(record.key()).await)?;
            if let Ok(Some(ended)) = ended {
                is_gone(connections.delete(&ended).await)?;
                count += 1;
            }
        }
        Ok(count)
    }
}

/// Whether it went by us or by somebody else, it is gone or will be looked at again.
fn is_gone(deleted: Result<(), WriteError>) -> Result<(), Fault> {
    match deleted {
        Ok(()) | Err(WriteError::Conflict) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
