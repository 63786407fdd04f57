//! People: found by who vouches for them, or added when they are seen for the first time.

use std::sync::Arc;

use super::damage::Damaged;
use super::{Fault, Gateway};
use crate::base::{AgentId, PersonId};
use crate::identity::{Caller, Principal};
use crate::store::WriteError;

impl Gateway {
    /// The person whom `issuer` calls `subject`, added if new.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn person(
        &self,
        issuer: &str,
        subject: &str,
        name: &str,
    ) -> Result<Arc<Principal>, Fault> {
        let store = &self.parts.store;
        let index = store.index(&[issuer, subject]);
        let known = match self.set_apart(store.person_index().get(&index).await)? {
            Ok(known) => known.map(|known| known.value),
            Err(damaged) => Some(self.find_again(issuer, subject, &damaged).await?),
        };
        if let Some(id) = known
            && let Some(principal) = self.known_person(id, issuer, subject, name).await?
        {
            return Ok(principal);
        }
        let principal = Principal {
            id: PersonId::new(&self.parts.random),
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            name: name.to_owned(),
        };
        // The person first, the way to them second: a cut in between leaves an orphan, never a dangling index.
        store
            .people()
            .create(principal.id.as_str(), &principal)
            .await?;
        match store.person_index().create(&index, &principal.id).await {
            Ok(_) => Ok(Arc::new(principal)),
            Err(WriteError::Conflict) => {
                let winner = store
                    .person_index()
                    .get(&index)
                    .await?
                    .ok_or(Fault::Contention)?;
                self.principal(&winner.value)
                    .await?
                    .ok_or(Fault::Contention)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whoever looks after this machine, where people sign in with an issuer: for commands, without a token that anybody could
    /// present elsewhere.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn caretaker(
        &self,
        issuer: &str,
        subject: &str,
        name: &str,
        agent: &str,
    ) -> Result<Caller, Fault> {
        Ok(Caller {
            principal: self.person(issuer, subject, name).await?,
            agent: AgentId::new(&self.parts.random),
            agent_name: agent.to_owned(),
            narrowing: None,
        })
    }

    /// The person whom `issuer` calls `subject`, if they were ever here.
    pub(super) async fn find_person(
        &self,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<Arc<Principal>>, Fault> {
        let store = &self.parts.store;
        let way = store.index(&[issuer, subject]);
        match self.set_apart(store.person_index().get(&way).await)? {
            Ok(Some(way)) => self.principal(&way.value).await,
            Ok(None) => Ok(None),
            Err(damaged) => Err(damaged.error.into()),
        }
    }

    /// The same person, called `name` from now on. Who they are does not depend on it.
    pub(super) async fn rename(
        &self,
        person: Arc<Principal>,
        name: &str,
    ) -> Result<Arc<Principal>, Fault> {
        if person.name == name {
            return Ok(person);
        }
        let people = self.parts.store.people();
        let Some(record) = people.get(person.id.as_str()).await? else {
            return Ok(person);
        };
        let renamed = Principal {
            name: name.to_owned(),
            ..record.value.clone()
        };
        match people.replace(&record, &renamed).await {
            Ok(_) => Ok(Arc::new(renamed)),
            // Renamed by another sign-in, or removed: neither is ours to undo.
            Err(WriteError::Conflict) => Ok(person),
            Err(error) => Err(error.into()),
        }
    }

    /// The person to whom the index leads. If their own record cannot be read, it is made anew from what the index vouches
    /// for: nothing else is in it.
    async fn known_person(
        &self,
        id: PersonId,
        issuer: &str,
        subject: &str,
        name: &str,
    ) -> Result<Option<Arc<Principal>>, Fault> {
        let people = self.parts.store.people();
        let damaged = match self.set_apart(people.get(id.as_str()).await)? {
            Ok(found) => return Ok(found.map(|found| Arc::new(found.value))),
            Err(damaged) => damaged,
        };
        let principal = Principal {
            id,
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            name: name.to_owned(),
        };
        self.discard(&damaged).await?;
        people.create(principal.id.as_str(), &principal).await?;
        tracing::warn!(person = %principal.id, "the record of a person was made anew");
        Ok(Some(Arc::new(principal)))
    }

    /// The person whose way in the index cannot be read, looked for among all people; the index leads to them again. Nobody
    /// is added in their place: that would be a second person, without what the first has.
    ///
    /// # Errors
    /// The damage itself, where no record of a person says that they are this one.
    async fn find_again(
        &self,
        issuer: &str,
        subject: &str,
        damaged: &Damaged,
    ) -> Result<PersonId, Fault> {
        let store = &self.parts.store;
        let everybody = self.readable(store.people().list("", usize::MAX).await?);
        let is_meant = |person: &Principal| person.issuer == issuer && person.subject == subject;
        let mut found = everybody.iter().map(|record| &record.value);
        let Some(person) = found.find(|person| is_meant(person)) else {
            return Err(damaged.error.clone().into());
        };
        self.discard(damaged).await?;
        let index = store.index(&[issuer, subject]);
        match store.person_index().create(&index, &person.id).await {
            Ok(_) | Err(WriteError::Conflict) => Ok(person.id.clone()),
            Err(error) => Err(error.into()),
        }
    }

    /// The person with this identifier.
    pub(super) async fn principal(&self, id: &PersonId) -> Result<Option<Arc<Principal>>, Fault> {
        let record = self.parts.store.people().get(id.as_str()).await?;
        Ok(record.map(|record| Arc::new(record.value)))
    }
}
