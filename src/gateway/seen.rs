//! Which clients are seen with which agent, and when an agent was last used.
//!
//! A request only notes, in memory; what was noted is written by the upkeep and at the end: at most once an hour for each
//! agent, or once a minute where a client is new. Whoever asks gets both together.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::fault::ATTEMPTS;
use super::{Fault, Gateway};
use crate::base::{AgentId, PersonId, Timestamp};
use crate::identity::{Agent, Caller, Client, Sightings};
use crate::store::WriteError;

/// How long a use may wait to be written when nothing about it is new.
const WRITTEN_EVERY: Duration = Duration::from_hours(1);
/// How long a new client may wait, so that one that calls itself something else each time causes no more writes.
const NEWS_EVERY: Duration = Duration::from_mins(1);

/// What this process has noted, by agent.
#[derive(Default)]
pub(super) struct Seen {
    noted: Mutex<HashMap<AgentId, Noted>>,
}

struct Noted {
    person: PersonId,
    sightings: Sightings,
    written: Option<Written>,
}

/// What the store has, as far as this process wrote it, and when, by [`Clock::monotonic`](crate::base::Clock).
struct Written {
    sightings: Sightings,
    at: Duration,
}

/// One agent's notes that must be written.
type Due = (AgentId, PersonId, Sightings);

impl Noted {
    fn is_due(&self, now: Duration) -> bool {
        let Some(written) = &self.written else {
            return true;
        };
        let age = now.saturating_sub(written.at);
        let is_news = !self.sightings.same_clients(&written.sightings);
        (is_news && age >= NEWS_EVERY)
            || (age >= WRITTEN_EVERY && self.sightings != written.sightings)
    }

    fn is_idle(&self, now: Duration) -> bool {
        self.written.as_ref().is_some_and(|written| {
            written.sightings == self.sightings && now.saturating_sub(written.at) >= WRITTEN_EVERY
        })
    }
}

impl Seen {
    fn noted(&self) -> MutexGuard<'_, HashMap<AgentId, Noted>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, caller: &Caller, client: Option<Client>, now: Timestamp) {
        let mut noted = self.noted();
        let entry = noted.entry(caller.agent.clone()).or_insert_with(|| Noted {
            person: caller.principal.id.clone(),
            sightings: Sightings::default(),
            written: None,
        });
        entry.sightings.note(client, now);
    }

    fn of(&self, agent: &AgentId) -> Option<Sightings> {
        self.noted().get(agent).map(|noted| noted.sightings.clone())
    }

    /// What must be written now; with `all`, whatever has changed. What was written and not used since is forgotten.
    fn take_stock(&self, all: bool, now: Duration) -> Vec<Due> {
        let mut noted = self.noted();
        noted.retain(|_, entry| !entry.is_idle(now));
        let is_changed = |entry: &Noted| {
            let written = entry.written.as_ref();
            written.is_none_or(|written| written.sightings != entry.sightings)
        };
        noted
            .iter()
            .filter(|(_, entry)| entry.is_due(now) || (all && is_changed(entry)))
            .map(|(agent, entry)| (agent.clone(), entry.person.clone(), entry.sightings.clone()))
            .collect()
    }

    fn written(&self, agent: &AgentId, sightings: Sightings, at: Duration) {
        if let Some(entry) = self.noted().get_mut(agent) {
            entry.sightings = sightings.clone().with(&entry.sightings);
            entry.written = Some(Written { sightings, at });
        }
    }

    fn forget(&self, agent: &AgentId) {
        self.noted().remove(agent);
    }

    fn forget_person(&self, person: &PersonId) {
        self.noted().retain(|_, entry| entry.person != *person);
    }
}

fn key(person: &PersonId, agent: &AgentId) -> String {
    format!("{person}/{agent}")
}

impl Gateway {
    /// A request of `caller` came from `client`. Only notes it: no request waits for the store.
    pub fn note_client(&self, caller: &Caller, client: Option<Client>) {
        // Who has no record has no place for it.
        if caller.narrowing.is_some() {
            self.parts.seen.note(caller, client, self.parts.clock.now());
        }
    }

    /// Who was seen with the token of `agent`.
    pub(super) async fn sightings_of(&self, agent: &Agent) -> Result<Sightings, Fault> {
        let table = self.parts.store.sightings();
        let stored = self.set_apart(table.get(&key(&agent.person, &agent.id)).await)?;
        let stored = stored.ok().flatten().map(|record| record.value);
        let noted = self.parts.seen.of(&agent.id);
        Ok(noted.unwrap_or_default().with(&stored.unwrap_or_default()))
    }

    /// Writes what was noted of agents; with `all`, also what is not due yet. What fails is tried again.
    pub(super) async fn write_sightings(&self, all: bool) -> Result<(), Fault> {
        let now = self.parts.clock.monotonic();
        for (agent, person, sightings) in self.parts.seen.take_stock(all, now) {
            match self.write_sighting(&agent, &person, &sightings).await {
                Err(fault) if fault.is_full_disk() => {
                    self.tell_full_disk(&fault);
                    return Ok(());
                }
                other => other?,
            }
        }
        Ok(())
    }

    async fn write_sighting(
        &self,
        agent: &AgentId,
        person: &PersonId,
        noted: &Sightings,
    ) -> Result<(), Fault> {
        let (table, key) = (self.parts.store.sightings(), key(person, agent));
        for _ in 0..ATTEMPTS {
            // An agent that is gone meanwhile gets no record again.
            let found = self.parts.store.agents().get(agent.as_str()).await;
            if self.set_apart(found)?.ok().flatten().is_none() {
                self.parts.seen.forget(agent);
                return Ok(());
            }
            let old = match self.set_apart(table.get(&key).await)? {
                Ok(old) => old,
                Err(damaged) => {
                    self.discard(&damaged).await?;
                    None
                }
            };
            let (sightings, written) = match old {
                Some(old) => {
                    let sightings = old.value.clone().with(noted);
                    let written = table.replace(&old, &sightings).await;
                    (sightings, written)
                }
                None => (noted.clone(), table.create(&key, noted).await),
            };
            match written {
                Ok(_) => {
                    let now = self.parts.clock.monotonic();
                    self.parts.seen.written(agent, sightings, now);
                    return Ok(());
                }
                Err(WriteError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Fault::Contention)
    }

    /// Forgets who was seen with the token of `agent`.
    pub(super) async fn forget_sightings(&self, agent: &Agent) -> Result<(), Fault> {
        self.parts.seen.forget(&agent.id);
        let taken = self
            .parts
            .store
            .sightings()
            .take(&key(&agent.person, &agent.id))
            .await;
        match self.set_apart(taken)? {
            Ok(_) => Ok(()),
            Err(damaged) => self.discard(&damaged).await,
        }
    }

    /// Forgets who was seen with any token of `person`.
    pub(super) async fn forget_sightings_of(&self, person: &PersonId) -> Result<(), Fault> {
        self.parts.seen.forget_person(person);
        let table = self.parts.store.sightings();
        let listed = table.list(&format!("{person}/"), usize::MAX).await?;
        let (records, damaged) = self.sort_out(listed);
        for record in records {
            table.take(record.key()).await?;
        }
        for damaged in damaged {
            self.discard(&damaged).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::Random;
    use crate::identity::Principal;

    const NOON: Timestamp = Timestamp::from_unix(1_800_014_400);

    fn caller() -> Caller {
        let random = Random::seeded(1);
        Caller {
            principal: Arc::new(Principal {
                id: PersonId::new(&random),
                issuer: "test".into(),
                subject: "ana".into(),
                name: "ana".into(),
            }),
            agent: AgentId::new(&random),
            agent_name: "agent".into(),
            narrowing: Some(Arc::default()),
        }
    }

    fn see(seen: &Seen, client: &str, seconds: u64) {
        let client = Client::new(client, "1", "2026-07-28");
        seen.note(&caller(), Some(client), NOON + Duration::from_secs(seconds));
    }

    fn write(seen: &Seen, seconds: u64) -> usize {
        let now = Duration::from_secs(seconds);
        let stock = seen.take_stock(false, now);
        for (agent, _, sightings) in &stock {
            seen.written(agent, sightings.clone(), now);
        }
        stock.len()
    }

    #[test]
    fn a_token_in_use_is_written_once_an_hour_and_a_new_client_within_a_minute() {
        let seen = Seen::default();
        see(&seen, "cursor", 0);
        assert_eq!(write(&seen, 0), 1, "the first is new");
        for second in 1..3_600 {
            see(&seen, "cursor", second);
            assert_eq!(write(&seen, second), 0, "{second}");
        }
        see(&seen, "cursor", 3_600);
        assert_eq!(write(&seen, 3_600), 1);
        see(&seen, "codex", 3_601);
        assert_eq!(write(&seen, 3_601), 0, "a minute has not passed");
        assert_eq!(seen.take_stock(true, Duration::from_secs(3_601)).len(), 1);
        assert_eq!(write(&seen, 3_660), 1);
    }

    #[test]
    fn a_client_with_ever_new_names_causes_a_write_a_minute_and_no_memory() {
        let seen = Seen::default();
        let mut writes = 0;
        for second in 0..600 {
            see(&seen, &format!("client {second}"), second);
            writes += write(&seen, second);
        }
        assert_eq!(writes, 10);
        assert_eq!(seen.of(&caller().agent).unwrap().clients.len(), 8);
        assert_eq!(write(&seen, 1_200), 1);
        assert_eq!((write(&seen, 9_000), seen.noted().len()), (0, 0));
    }
}
