//! Closing entries and raising floors, later and together.
//!
//! Owns the notes of what is still to be written into manifests, and when that happens: some time after, all of it at
//! once, and when the store is closed. A note that is lost with the process is made again when its record is next read.
//! Refuses to know what a manifest looks like.

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::future::join_all;
use tokio::runtime::Handle;

use super::entries::{Change, Entries};
use super::group::Group;
use crate::store::error::StoreError;
use crate::store::{Inner, Store};

/// How long notes are gathered before they are written.
const GATHERING: Duration = Duration::from_secs(1);

/// How many groups are settled at once, so that their writes share a sync.
const TOGETHER: usize = 64;

/// What is to be done about a record's entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// The record was written, durably, with this generation.
    Raise(u64),
    /// Look at the record, when nobody is at work on it.
    Look,
}

/// What is to be done, by group and full key.
pub(super) type Notes = HashMap<Group, BTreeMap<String, Note>>;

impl Store {
    /// Writes what is still to be written about which records there are. That happens by itself within about a second,
    /// and when the store is closed.
    ///
    /// # Errors
    /// Those of the store; what could not be written is tried again later.
    pub async fn settle(&self) -> Result<(), StoreError> {
        self.0.settle().await
    }
}

impl Inner {
    /// Notes what is to be done about the entry of the record at `full_key`, before long.
    pub(super) fn note(&self, group: &Group, full_key: &str, note: Note) {
        let mut notes = self.notes();
        let of_group = notes.entry(group.clone()).or_default();
        let before = of_group.entry(full_key.to_owned()).or_insert(note);
        *before = match (*before, note) {
            (Note::Raise(one), Note::Raise(other)) => Note::Raise(one.max(other)),
            _ if *before == note => note,
            _ => Note::Look,
        };
        drop(notes);
        self.settle_before_long();
    }

    /// Notes that the record was written, durably, with this generation.
    pub(in crate::store) fn note_written(&self, group: &Group, full_key: &str, generation: u64) {
        self.note(group, full_key, Note::Raise(generation));
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        let notes = &self.manifests.notes;
        notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle_before_long(&self) {
        if self.manifests.will_settle.load(Ordering::Acquire) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if self.manifests.will_settle.swap(true, Ordering::AcqRel) {
            return;
        }
        let promise = Promise(self.me.clone());
        runtime.spawn(async move {
            tokio::time::sleep(GATHERING).await;
            let Some(inner) = promise.0.upgrade() else {
                return;
            };
            drop(promise);
            if let Err(error) = inner.settle().await {
                tracing::warn!(%error, "the manifests could not be brought up to date; it is tried again");
            }
        });
    }

    /// Writes what was noted up to now. Whatever somebody is at work on is noted again by them.
    pub(in crate::store) async fn settle(&self) -> Result<(), StoreError> {
        let mut groups = mem::take(&mut *self.notes()).into_iter();
        let mut outcome = Ok(());
        loop {
            let some: Vec<_> = groups.by_ref().take(TOGETHER).collect();
            if some.is_empty() {
                return outcome;
            }
            let settled = some
                .into_iter()
                .map(|(group, notes)| self.settle_group(group, notes));
            for settled in join_all(settled).await {
                outcome = outcome.and(settled);
            }
        }
    }

    async fn settle_group(
        &self,
        group: Group,
        notes: BTreeMap<String, Note>,
    ) -> Result<(), StoreError> {
        let (mut raises, mut turns) = (Vec::new(), Vec::new());
        for (key, note) in &notes {
            match note {
                Note::Raise(generation) => raises.push(Change::Raise {
                    key: key.clone(),
                    generation: *generation,
                }),
                Note::Look => turns.extend(self.manifests.records.at_once(key)),
            }
        }
        let settled = self.write_settled(&group, raises, &turns).await;
        match settled {
            // The manifest itself cannot be read: whoever reads its records is told so.
            Err(error) if error.record() == Some(group.manifest_key()) => Ok(()),
            Err(StoreError::Closed) => Err(StoreError::Closed),
            Err(error) => {
                for (key, note) in notes {
                    self.note(&group, &key, note);
                }
                Err(error)
            }
            Ok(()) => Ok(()),
        }
    }

    /// Closes the entry of the record at `full_key` by what is there.
    pub(super) async fn settle_entry(
        &self,
        entries: &mut Entries,
        full_key: &str,
    ) -> Result<(), StoreError> {
        let generation = match self.backend.get(full_key).await? {
            None => None,
            Some(sealed) => match self.open_record(full_key, &sealed).await {
                Ok(envelope) => Some(envelope.generation),
                // Whoever reads it is told so.
                Err(error) if error.record().is_some() => return Ok(()),
                Err(error) => return Err(error),
            },
        };
        entries.settle(full_key, generation);
        Ok(())
    }
}

/// That somebody will settle. Once this is dropped, nobody will, be it that they begin or that their runtime has ended.
struct Promise(Weak<Inner>);

impl Drop for Promise {
    fn drop(&mut self) {
        if let Some(inner) = self.0.upgrade() {
            inner.manifests.will_settle.store(false, Ordering::Release);
        }
    }
}
