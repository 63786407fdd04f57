//! The ledger of use: when a connection was last used, and which of its scopes calls needed.
//!
//! A call only notes, in memory; what was noted is written by the upkeep and at the end, at most once an hour for each
//! connection unless a scope or a day is new. Whoever asks gets both together.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{StreamExt, stream};

use super::credentials::record_key;
use super::fault::ATTEMPTS;
use super::{Fault, Gateway};
use crate::base::{PersonId, Timestamp};
use crate::catalogue::ScopeRequirement;
use crate::connection::{Connection, Status, Usage};
use crate::store::WriteError;

/// How long a use may wait to be written when nothing about it is new.
const WRITTEN_EVERY: Duration = Duration::from_hours(1);

/// What this process has noted, by the key of the connection.
#[derive(Default)]
pub(super) struct Uses {
    noted: Mutex<HashMap<String, Noted>>,
}

struct Noted {
    usage: Usage,
    written: Option<Written>,
}

/// What the store has, as far as this process wrote it, and when, by [`Clock::monotonic`](crate::base::Clock).
struct Written {
    usage: Usage,
    at: Duration,
}

/// Which notes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Due,
    All,
}

impl Noted {
    fn is_to_be_written(&self, which: Which, now: Duration) -> bool {
        let Some(written) = &self.written else {
            return true;
        };
        let is_due = which == Which::All || now.saturating_sub(written.at) >= WRITTEN_EVERY;
        self.usage.scopes != written.usage.scopes || (is_due && self.usage != written.usage)
    }

    fn is_idle(&self, now: Duration) -> bool {
        self.written.as_ref().is_some_and(|written| {
            written.usage == self.usage && now.saturating_sub(written.at) >= WRITTEN_EVERY
        })
    }
}

impl Uses {
    fn noted(&self) -> MutexGuard<'_, HashMap<String, Noted>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, key: String, now: Timestamp, change: impl FnOnce(&mut Usage)) {
        let mut noted = self.noted();
        let entry = noted.entry(key).or_insert_with(|| Noted {
            usage: Usage::begun(now),
            written: None,
        });
        change(&mut entry.usage);
    }

    /// What was noted at `key`.
    fn of(&self, key: &str) -> Option<Usage> {
        self.noted().get(key).map(|noted| noted.usage.clone())
    }

    /// What must be written now. What was written and not used since is forgotten.
    fn take_stock(&self, which: Which, now: Duration) -> Vec<(String, Usage)> {
        let mut noted = self.noted();
        noted.retain(|_, entry| !entry.is_idle(now));
        noted
            .iter()
            .filter(|(_, entry)| entry.is_to_be_written(which, now))
            .map(|(key, entry)| (key.clone(), entry.usage.clone()))
            .collect()
    }

    fn written(&self, key: &str, usage: Usage, at: Duration) {
        if let Some(entry) = self.noted().get_mut(key) {
            entry.usage = usage.clone().with(&entry.usage);
            entry.written = Some(Written { usage, at });
        }
    }

    fn forget(&self, prefix: &str) {
        self.noted().retain(|key, _| !key.starts_with(prefix));
    }
}

impl Gateway {
    /// A call with this `need` is about to use `connection`. Only notes it: no call waits for the store.
    pub(super) fn note_use(&self, connection: &Connection, need: &ScopeRequirement) {
        let services = self.services();
        let Some(service) = services.find(&connection.service) else {
            return;
        };
        let plan = service.provider.scope_plan();
        let scopes = plan.used_by(need, &connection.granted);
        let now = self.parts.clock.now();
        self.parts.uses.note(record_key(connection), now, |usage| {
            usage.note(&scopes, now);
        });
    }

    /// A connection was made: from now on it is known what it is used for.
    pub(super) fn begin_ledger_of_use(&self, connection: &Connection) {
        let now = self.parts.clock.now();
        self.parts.uses.note(record_key(connection), now, |_| {});
    }

    /// When a call last used `connection`, as far as it is known.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn last_used(&self, connection: &Connection) -> Result<Option<Timestamp>, Fault> {
        let usage = self.usage(connection).await?;
        Ok(usage.and_then(|usage| usage.last_used))
    }

    /// Whether a call used `connection` within a day before `now`; one that was just made counts as used.
    pub(super) async fn was_used_lately(
        &self,
        connection: &Connection,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        const LATELY: Duration = Duration::from_hours(24);
        let used = self
            .last_used(connection)
            .await?
            .max(Some(connection.since));
        Ok(used.is_some_and(|used| now.since(used) < LATELY))
    }

    /// What `connection` was used for.
    pub(super) async fn usage(&self, connection: &Connection) -> Result<Option<Usage>, Fault> {
        let key = record_key(connection);
        let stored = self.set_apart(self.parts.store.uses().get(&key).await)?;
        Ok(together(
            stored.ok().flatten().map(|record| record.value),
            self.parts.uses.of(&key),
        ))
    }

    /// What each connection of `person` was used for, by the key of the connection. One that cannot be read is told in
    /// the log: pages show the connection all the same.
    pub(super) async fn usages_of(
        &self,
        person: &PersonId,
    ) -> Result<HashMap<String, Usage>, Fault> {
        const AT_MOST: usize = 1_000;
        let prefix = format!("{person}/");
        let listed = self.parts.store.uses().list(&prefix, AT_MOST).await?;
        let mut usages: HashMap<_, _> = self
            .readable(listed)
            .into_iter()
            .map(|record| (record.key().to_owned(), record.value))
            .collect();
        for (key, noted) in self.parts.uses.noted().iter() {
            if key.starts_with(&prefix) {
                let both = together(usages.remove(key), Some(noted.usage.clone()));
                usages.extend(both.map(|both| (key.clone(), both)));
            }
        }
        Ok(usages)
    }

    /// Writes what was noted and is due.
    ///
    /// # Errors
    /// [`Fault`] when the store fails; what was not written is tried again.
    pub async fn write_uses(&self) -> Result<(), Fault> {
        self.write_sightings(false).await?;
        self.write_noted(Which::Due).await
    }

    /// Writes all that was noted: before the store is closed.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn write_all_uses(&self) -> Result<(), Fault> {
        self.write_sightings(true).await?;
        self.write_noted(Which::All).await
    }

    async fn write_noted(&self, which: Which) -> Result<(), Fault> {
        const AT_ONCE: usize = 16;
        let now = self.parts.clock.monotonic();
        let stock = self.parts.uses.take_stock(which, now);
        let written: Vec<_> = stream::iter(stock)
            .map(|(key, usage)| async move { self.write_use(&key, &usage).await })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        // Noted is noted: what the disk has no room for is written later.
        let full =
            |result: &Result<(), Fault>| matches!(result, Err(fault) if fault.is_full_disk());
        let (waiting, ended): (Vec<_>, Vec<_>) = written.into_iter().partition(full);
        if let Some(Err(fault)) = waiting.first() {
            self.tell_full_disk(fault);
        }
        ended.into_iter().collect()
    }

    async fn write_use(&self, key: &str, noted: &Usage) -> Result<(), Fault> {
        let store = &self.parts.store;
        for _ in 0..ATTEMPTS {
            // A connection that is gone meanwhile gets no ledger again.
            let connection = self.set_apart(store.connections().get(key).await)?;
            let connection = connection.ok().flatten();
            if connection.is_none_or(|record| is_over(&record.value)) {
                self.parts.uses.forget(key);
                return Ok(());
            }
            let old = match self.set_apart(store.uses().get(key).await)? {
                Ok(old) => old,
                Err(damaged) => {
                    self.discard(&damaged).await?;
                    None
                }
            };
            let usage = match &old {
                Some(old) => old.value.clone().with(noted),
                None => noted.clone(),
            };
            let written = match old {
                Some(old) if old.value == usage => Ok(old),
                Some(old) => store.uses().replace(&old, &usage).await,
                None => store.uses().create(key, &usage).await,
            };
            match written {
                Ok(_) => {
                    let now = self.parts.clock.monotonic();
                    self.parts.uses.written(key, usage, now);
                    return Ok(());
                }
                Err(WriteError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Fault::Contention)
    }

    /// Forgets what `connection` was used for.
    pub(super) async fn forget_use(&self, connection: &Connection) -> Result<(), Fault> {
        self.forget_use_at(&record_key(connection)).await
    }

    /// Forgets what the connection at `key` was used for.
    pub(super) async fn forget_use_at(&self, key: &str) -> Result<(), Fault> {
        self.parts.uses.forget(key);
        match self.set_apart(self.parts.store.uses().take(key).await)? {
            Ok(_) => Ok(()),
            Err(damaged) => self.discard(&damaged).await,
        }
    }

    /// Forgets what the connections of `person` were used for.
    pub(super) async fn forget_uses_of(&self, person: &PersonId) -> Result<(), Fault> {
        const AT_A_TIME: usize = 256;
        let prefix = format!("{person}/");
        self.parts.uses.forget(&prefix);
        loop {
            let page = self.parts.store.uses().list(&prefix, AT_A_TIME).await?;
            let (records, damaged) = self.sort_out_own(page)?;
            for record in &records {
                self.parts.store.uses().take(record.key()).await?;
            }
            for damaged in &damaged {
                self.discard(damaged).await?;
            }
            if records.len() + damaged.len() < AT_A_TIME {
                return Ok(());
            }
        }
    }
}

fn is_over(connection: &Connection) -> bool {
    matches!(connection.status, Status::Revoked { .. })
}

fn together(stored: Option<Usage>, noted: Option<Usage>) -> Option<Usage> {
    match (stored, noted) {
        (Some(stored), Some(noted)) => Some(stored.with(&noted)),
        (stored, noted) => stored.or(noted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::ScopeSet;

    const NOON: Timestamp = Timestamp::from_unix(1_800_014_400);

    fn stock(uses: &Uses, minutes: u64) -> usize {
        uses.take_stock(Which::Due, Duration::from_mins(minutes))
            .len()
    }

    fn use_it(uses: &Uses, scope: &str, minutes: u64) {
        let now = NOON + Duration::from_mins(minutes);
        uses.note("per/con".to_owned(), now, |usage| {
            usage.note(&ScopeSet::from_iter([scope]), now);
        });
    }

    fn write(uses: &Uses, minutes: u64) {
        let now = Duration::from_mins(minutes);
        for (key, usage) in uses.take_stock(Which::Due, now) {
            uses.written(&key, usage, now);
        }
    }

    #[test]
    fn a_use_is_written_once_an_hour_unless_something_is_new() {
        let uses = Uses::default();
        use_it(&uses, "read", 0);
        assert_eq!(stock(&uses, 0), 1, "the first is new");
        write(&uses, 0);
        use_it(&uses, "read", 10);
        assert_eq!(stock(&uses, 10), 0, "the same again");
        assert_eq!(
            uses.take_stock(Which::All, Duration::from_mins(10)).len(),
            1
        );
        use_it(&uses, "write", 20);
        assert_eq!(stock(&uses, 20), 1, "another scope");
        write(&uses, 20);
        use_it(&uses, "write", 30);
        assert_eq!(stock(&uses, 79), 0);
        assert_eq!(stock(&uses, 80), 1, "an hour later");
        write(&uses, 80);
        use_it(&uses, "read", 80 + 24 * 60);
        assert_eq!(stock(&uses, 80 + 24 * 60), 1, "another day");
    }

    #[test]
    fn what_is_written_and_idle_needs_no_memory() {
        let uses = Uses::default();
        use_it(&uses, "read", 0);
        write(&uses, 0);
        assert_eq!((stock(&uses, 59), uses.noted().len()), (0, 1));
        assert_eq!((stock(&uses, 60), uses.noted().len()), (0, 0));
    }

    #[test]
    fn a_use_during_the_write_is_not_lost() {
        let uses = Uses::default();
        use_it(&uses, "read", 0);
        let taken = uses.take_stock(Which::Due, Duration::ZERO);
        use_it(&uses, "write", 0);
        for (key, usage) in taken {
            uses.written(&key, usage, Duration::ZERO);
        }
        assert_eq!(stock(&uses, 0), 1);
        assert!(uses.of("per/con").unwrap().last_needed("read").is_some());
    }
}
