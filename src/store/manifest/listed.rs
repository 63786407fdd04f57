//! Reading, creating and removing listed records.
//!
//! Owns the order in which a record and its entry are read and written, and what is told when they do not agree. Refuses
//! to know what the values are.
//!
//! A record and its manifest are two rows, read one after the other. What looks wrong may only be a write between the two
//! reads, so it is read again until the manifest is the same before and after: then both rows were as they were read at
//! one moment, and what is wrong is wrong.
//!
//! Creations and removals run to their end on a task of their own, one at a time for each key. A caller that stops
//! waiting leaves nothing half done, and no entry is closed while its record is on the way.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::alone::Turn;
use super::entries::{Change, Changed, Entry, State, Verdict};
use super::group::Group;
use super::settle::Note;
use super::{Roll, group_of};
use crate::store::backend::{Order, Swap, Urgency};
use crate::store::envelope::{self, Envelope};
use crate::store::error::{StoreError, WriteError};
use crate::store::{Inner, Store};

/// How many rows of a group are read in one go.
const AT_ONCE: usize = 64;

/// A record as it was found.
pub(in crate::store) struct Found {
    pub(in crate::store) sealed: Vec<u8>,
    pub(in crate::store) envelope: Envelope,
}

/// A record of which just this is known: what a removal needs.
pub(in crate::store) struct Known {
    pub(in crate::store) full_key: String,
    pub(in crate::store) generation: u64,
    pub(in crate::store) sealed: Vec<u8>,
}

/// What is at a key where a record is to be created.
struct Vacancy {
    entry: Option<Entry>,
    /// A row that counts as nothing.
    outlived: Option<Vec<u8>>,
}

impl Inner {
    /// The record at `full_key`, which `group` lists.
    pub(in crate::store) async fn find(
        &self,
        group: &Group,
        full_key: &str,
    ) -> Result<Option<Found>, StoreError> {
        let sealed = self.backend.get(full_key).await?;
        let roll = self.roll(group).await?;
        self.find_on(group, &roll, full_key, sealed).await
    }

    /// As [`Inner::find`], when the row and the manifest have been read already.
    pub(in crate::store) async fn find_on(
        &self,
        group: &Group,
        roll: &Roll,
        full_key: &str,
        sealed: Option<Vec<u8>>,
    ) -> Result<Option<Found>, StoreError> {
        let found = self.judged(group, roll, full_key, sealed).await;
        match found {
            Err(error) if error.record() == Some(full_key) => {
                let (roll, sealed) = self.at_one_moment(group, full_key).await?;
                self.judged(group, &roll, full_key, sealed).await
            }
            sound => sound,
        }
    }

    /// At most `limit` of the records whose full keys begin with `prefix`, all of which `group` lists, as their manifest
    /// has them: each is found, or said to be missing or damaged.
    pub(in crate::store) async fn find_all(
        &self,
        group: &Group,
        prefix: &str,
        order: Order,
        limit: usize,
    ) -> Result<Vec<(String, Result<Found, StoreError>)>, StoreError> {
        let roll = self.roll(group).await?;
        let mut keys: Vec<&str> = roll.entries.below(prefix).map(|(key, _)| key).collect();
        if order == Order::Descending {
            keys.reverse();
        }
        let mut all = Vec::new();
        let mut rows = Vec::new().into_iter();
        // Not all at once: a limit leaves the rest unread.
        for (at, key) in keys.iter().enumerate() {
            if all.len() == limit {
                break;
            }
            if at % AT_ONCE == 0 {
                let next = &keys[at..keys.len().min(at + AT_ONCE)];
                rows = self.backend.get_many(next).await?.into_iter();
            }
            let sealed = rows.next().flatten();
            match self.find_on(group, &roll, key, sealed).await {
                Ok(None) => {}
                Ok(Some(found)) => all.push(((*key).to_owned(), Ok(found))),
                Err(error) if error.record().is_some() => {
                    all.push(((*key).to_owned(), Err(error)));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// The manifest and the row as they were at one moment.
    pub(in crate::store) async fn at_one_moment(
        &self,
        group: &Group,
        full_key: &str,
    ) -> Result<(Arc<Roll>, Option<Vec<u8>>), StoreError> {
        let mut roll = self.roll(group).await?;
        loop {
            let sealed = self.backend.get(full_key).await?;
            let after = self.roll(group).await?;
            if after.sealed == roll.sealed {
                return Ok((roll, sealed));
            }
            roll = after;
        }
    }

    async fn judged(
        &self,
        group: &Group,
        roll: &Roll,
        full_key: &str,
        sealed: Option<Vec<u8>>,
    ) -> Result<Option<Found>, StoreError> {
        let found = match sealed {
            None => None,
            Some(sealed) => Some(Found {
                envelope: self.open_record(full_key, &sealed).await?,
                sealed,
            }),
        };
        let generation = found.as_ref().map(|found| found.envelope.generation);
        if !roll.entries.is_settled(full_key, generation) {
            self.note(group, full_key, Note::Look);
        }
        let key = || full_key.to_owned();
        match roll.entries.judge(full_key, generation) {
            Verdict::Here | Verdict::Nothing => Ok(found),
            Verdict::Outlived => {
                tracing::warn!(
                    key = full_key,
                    "a row that was removed or replaced is back; it counts as nothing"
                );
                Ok(None)
            }
            Verdict::Missing => Err(StoreError::Missing { key: key() }),
            Verdict::RolledBack => Err(StoreError::RolledBack { key: key() }),
            Verdict::Unlisted => Err(StoreError::Unlisted { key: key() }),
        }
    }

    /// Creates the record at `full_key` from what is to be in its seal, whose generation is filled in. Answers with the
    /// sealed bytes and the generation.
    pub(in crate::store) async fn create_listed(
        &self,
        group: &Group,
        full_key: &str,
        mut plaintext: Zeroizing<Vec<u8>>,
        urgency: Urgency,
    ) -> Result<(Vec<u8>, u64), WriteError> {
        let mut open = Open::new(self, group, full_key).await;
        loop {
            let Some(vacancy) = self.vacancy(group, full_key).await? else {
                return Err(WriteError::Conflict);
            };
            open.is_begun = true;
            let come = Change::Come {
                key: full_key.to_owned(),
                seen: vacancy.entry,
            };
            let Changed::Floor(generation) = self.entered(group, full_key, come, urgency).await?
            else {
                continue;
            };
            let _writing = self.keys.writing();
            envelope::set_generation(&mut plaintext, generation);
            let sealed = self.seal_record(full_key, &plaintext).await?;
            let outlived = vacancy.outlived.as_deref();
            let swap = self.confirmed(full_key, outlived, Some(&sealed), urgency);
            return match swap.await? {
                Swap::Done => Ok((sealed, generation)),
                Swap::Conflict => Err(WriteError::Conflict),
                Swap::Unknown => Err(unknown(full_key).into()),
            };
        }
    }

    /// Looks whether a record can be created; none when there is one, be it in order or not.
    async fn vacancy(&self, group: &Group, full_key: &str) -> Result<Option<Vacancy>, StoreError> {
        let (roll, sealed) = self.at_one_moment(group, full_key).await?;
        let entry = roll.entries.get(full_key);
        let Some(outlived) = sealed else {
            let outlived = None;
            return Ok(Some(Vacancy { entry, outlived }));
        };
        if entry.is_none_or(|entry| entry.state == State::Present) {
            return Ok(None);
        }
        match self.open_record(full_key, &outlived).await {
            Ok(envelope) => {
                let verdict = roll.entries.judge(full_key, Some(envelope.generation));
                let outlived = Some(outlived);
                Ok((verdict == Verdict::Outlived).then_some(Vacancy { entry, outlived }))
            }
            Err(error) if error.record().is_some() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes the record that is `known`, also when it was sealed anew since.
    pub(in crate::store) async fn remove_listed(
        &self,
        group: &Group,
        known: Known,
    ) -> Result<Swap, StoreError> {
        let Known {
            full_key,
            generation,
            mut sealed,
        } = known;
        let mut open = Open::new(self, group, &full_key).await;
        loop {
            match self.backend.get(&full_key).await? {
                Some(found) if found == sealed => {}
                Some(found) if self.is_of(generation, &full_key, &found).await? => sealed = found,
                _ => return Ok(Swap::Conflict),
            }
            if !open.is_begun {
                open.is_begun = true;
                let leave = Change::Leave {
                    key: full_key.clone(),
                    generation,
                };
                self.entered(group, &full_key, leave, Urgency::Last).await?;
            }
            let swap = self
                .backend
                .swap_urgently(&full_key, Some(&sealed), None, Urgency::Last);
            match swap.await? {
                Swap::Conflict => {}
                ended => return Ok(ended),
            }
        }
    }

    /// Whether the row is a record of this generation.
    pub(in crate::store) async fn is_of(
        &self,
        generation: u64,
        full_key: &str,
        sealed: &[u8],
    ) -> Result<bool, StoreError> {
        match self.open_record(full_key, sealed).await {
            Ok(envelope) => Ok(envelope.generation == generation),
            Err(error) if error.record().is_some() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Has whatever is at `full_key` count as nothing, then removes it.
    pub(in crate::store) async fn discard_listed(
        &self,
        group: &Group,
        full_key: &str,
    ) -> Result<(), StoreError> {
        let mut open = Open::new(self, group, full_key).await;
        let roll = self.roll(group).await?;
        if roll.entries.get(full_key).is_some() {
            open.is_begun = true;
            let key = full_key.to_owned();
            let forget = Change::Forget { key };
            self.entered(group, full_key, forget, Urgency::Last).await?;
        }
        self.discard_row(full_key).await
    }

    /// Removes whatever is at `full_key`.
    pub(in crate::store) async fn discard_row(&self, full_key: &str) -> Result<(), StoreError> {
        loop {
            let Some(sealed) = self.backend.get(full_key).await? else {
                return Ok(());
            };
            let swap = self.confirmed(full_key, Some(&sealed), None, Urgency::Last);
            match swap.await? {
                Swap::Done => return Ok(()),
                Swap::Conflict => {}
                Swap::Unknown => return Err(unknown(full_key)),
            }
        }
    }

    /// As [`Inner::enter`], where it is the record that the caller asked about.
    async fn entered(
        &self,
        group: &Group,
        full_key: &str,
        change: Change,
        urgency: Urgency,
    ) -> Result<Changed, StoreError> {
        let entered = self.enter(group, change, urgency).await;
        entered.map_err(|error| match error {
            StoreError::Unknown { .. } => unknown(full_key),
            other => other,
        })
    }
}

impl Store {
    /// Removes what is left of a record that is damaged, missing, rolled back or in no manifest, so that another can be
    /// created at its key. It is named by its full key, as [`StoreError::record`] has it. A record that is whole is
    /// removed as well.
    ///
    /// # Errors
    /// Those of the store, and those of the manifest that lists the record.
    pub async fn discard(&self, full_key: &str) -> Result<(), StoreError> {
        let Some(group) = group_of(full_key) else {
            return self.0.discard_row(full_key).await;
        };
        let (inner, full_key) = (Arc::clone(&self.0), full_key.to_owned());
        to_its_end(full_key.clone(), async move {
            inner.discard_listed(&group, &full_key).await
        })
        .await
    }
}

/// Runs `work` to its end, even when the caller stops waiting.
pub(in crate::store) async fn to_its_end<T, E>(
    full_key: String,
    work: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    // Cut short only with the process's runtime.
    tokio::spawn(work)
        .await
        .unwrap_or_else(|_| Err(unknown(&full_key).into()))
}

fn unknown(full_key: &str) -> StoreError {
    StoreError::Unknown {
        key: full_key.to_owned(),
    }
}

/// The turn at a record whose entry may be open. When it ends, however it does, it is noted that the entry is to be
/// closed.
struct Open<'a> {
    inner: &'a Inner,
    group: &'a Group,
    turn: Option<Turn>,
    is_begun: bool,
}

impl<'a> Open<'a> {
    async fn new(inner: &'a Inner, group: &'a Group, full_key: &str) -> Self {
        Self {
            inner,
            group,
            turn: Some(inner.manifests.records.wait(full_key).await),
            is_begun: false,
        }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let Some(turn) = self.turn.take() else {
            return;
        };
        let full_key = turn.key().to_owned();
        // The turn first: what is noted while somebody has it is left to them.
        drop(turn);
        if self.is_begun {
            self.inner.note(self.group, &full_key, Note::Look);
        }
    }
}
