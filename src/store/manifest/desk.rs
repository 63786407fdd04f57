//! Reading a manifest, and writing it for many at once.
//!
//! Owns the manifests that were opened lately, and the queue at each: whoever finds a manifest free writes the changes of
//! all who wait for it, so that many creations in one group share a write. Refuses to know why an entry changes.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quick_cache::sync::Cache;
use tokio::sync::oneshot;

use super::alone::{Alone, Turn};
use super::entries::{Change, Changed, Entries, Unreadable};
use super::group::Group;
use super::settle::Notes;
use crate::store::Inner;
use crate::store::backend::{Swap, Urgency};
use crate::store::envelope;
use crate::store::error::StoreError;

/// How many opened manifests are kept. One takes about as many bytes as it has when sealed, and half as many again.
const KEPT: usize = 16 * 1024;

/// What is known of the manifests, and who works on them.
pub(in crate::store) struct Manifests {
    opened: Cache<Group, Arc<Roll>>,
    queues: Mutex<HashMap<Group, Vec<Order>>>,
    writing: Alone,
    pub(super) records: Alone,
    pub(super) notes: Mutex<Notes>,
    pub(super) will_settle: AtomicBool,
}

/// A manifest as it was read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Roll {
    /// The bytes that a replacing swap expects; none when there is no manifest yet.
    pub(in crate::store) sealed: Option<Vec<u8>>,
    pub(in crate::store) generation: u64,
    pub(in crate::store) entries: Entries,
}

/// A change that somebody waits for.
struct Order {
    change: Change,
    urgency: Urgency,
    answer: oneshot::Sender<Result<Changed, StoreError>>,
}

impl Manifests {
    pub(in crate::store) fn new() -> Self {
        Self {
            opened: Cache::new(KEPT),
            queues: Mutex::default(),
            writing: Alone::default(),
            records: Alone::default(),
            notes: Mutex::default(),
            will_settle: AtomicBool::new(false),
        }
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<Group, Vec<Order>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The manifest of `group`; an empty one when there is none. It is opened only when its bytes are not those that were
    /// opened last.
    pub(in crate::store) async fn roll(&self, group: &Group) -> Result<Arc<Roll>, StoreError> {
        let key = group.manifest_key();
        let sealed = self.backend.get(key).await?;
        let Some(sealed) = sealed else {
            return Ok(Arc::default());
        };
        let opened = &self.manifests.opened;
        if let Some(roll) = opened.get(group)
            && roll.sealed.as_ref() == Some(&sealed)
        {
            return Ok(roll);
        }
        let roll = Arc::new(self.open_roll(group, sealed).await?);
        opened.insert(group.clone(), Arc::clone(&roll));
        Ok(roll)
    }

    /// Opens the bytes found at the manifest of `group`.
    pub(in crate::store) async fn open_roll(
        &self,
        group: &Group,
        sealed: Vec<u8>,
    ) -> Result<Roll, StoreError> {
        let key = group.manifest_key();
        let envelope = self.open_record(key, &sealed).await?;
        let entries = Entries::decode(envelope.bytes(), group).map_err(|why| {
            let key = key.to_owned();
            match why {
                Unreadable::Newer(format) => StoreError::NewerFormat { key, format },
                Unreadable::Malformed => StoreError::Damaged { key },
            }
        })?;
        Ok(Roll {
            generation: envelope.generation,
            sealed: Some(sealed),
            entries,
        })
    }

    /// Makes `change` in the manifest of `group`, durably.
    pub(super) async fn enter(
        &self,
        group: &Group,
        change: Change,
        urgency: Urgency,
    ) -> Result<Changed, StoreError> {
        let (answer, mut answered) = oneshot::channel();
        let order = Order {
            change,
            urgency,
            answer,
        };
        let waiting = &self.manifests;
        let queued = |queue: &mut Vec<Order>| queue.push(order);
        queued(waiting.queues().entry(group.clone()).or_default());
        let turn = waiting.writing.wait(group.manifest_key()).await;
        if let Ok(done) = answered.try_recv() {
            return done;
        }
        let orders = waiting.queues().remove(group).unwrap_or_default();
        self.write_out(group, orders, &[]).await;
        drop(turn);
        // Whoever took the order in hand may have been cut off with the process's runtime.
        let cut_off = || StoreError::Unknown {
            key: group.manifest_key().to_owned(),
        };
        answered.try_recv().unwrap_or_else(|_| Err(cut_off()))
    }

    /// Writes what has been noted about `group`, and closes the entries of the records in `turns`, at which nobody else is
    /// at work.
    pub(super) async fn write_settled(
        &self,
        group: &Group,
        raises: Vec<Change>,
        turns: &[Turn],
    ) -> Result<(), StoreError> {
        let _turn = self.manifests.writing.wait(group.manifest_key()).await;
        self.write_roll(group, &raises, turns, Urgency::Usual)
            .await
            .map(drop)
    }

    async fn write_out(&self, group: &Group, orders: Vec<Order>, turns: &[Turn]) {
        let last = orders.iter().any(|order| order.urgency == Urgency::Last);
        let urgency = if last { Urgency::Last } else { Urgency::Usual };
        let (changes, answers): (Vec<_>, Vec<_>) = orders
            .into_iter()
            .map(|order| (order.change, order.answer))
            .unzip();
        let written = self.write_roll(group, &changes, turns, urgency).await;
        for (at, answer) in answers.into_iter().enumerate() {
            // Who no longer waits has no use for it.
            let _ = answer.send(written.clone().map(|outcomes| outcomes[at]));
        }
    }

    /// Makes all `changes` in one write, and says what came of each. To be called in turn.
    async fn write_roll(
        &self,
        group: &Group,
        changes: &[Change],
        turns: &[Turn],
        urgency: Urgency,
    ) -> Result<Vec<Changed>, StoreError> {
        loop {
            let before = self.roll(group).await?;
            let mut entries = before.entries.clone();
            let outcomes = changes.iter().map(|change| entries.apply(change)).collect();
            for turn in turns {
                self.settle_entry(&mut entries, turn.key()).await?;
            }
            if entries == before.entries {
                return Ok(outcomes);
            }
            if self.replace_roll(group, &before, entries, urgency).await? {
                return Ok(outcomes);
            }
        }
    }

    /// Puts `entries` in the place of those of `before`; answers `false` when the manifest is no longer that one.
    pub(in crate::store) async fn replace_roll(
        &self,
        group: &Group,
        before: &Roll,
        entries: Entries,
        urgency: Urgency,
    ) -> Result<bool, StoreError> {
        let generation = before.generation + 1;
        let key = group.manifest_key();
        let plaintext = envelope::compose_bytes(&entries.encode(group), generation);
        let sealed = self.seal_record(key, &plaintext).await?;
        let swap = self.confirmed(key, before.sealed.as_deref(), Some(&sealed), urgency);
        match swap.await? {
            Swap::Done => {
                let sealed = Some(sealed);
                let roll = Roll {
                    sealed,
                    generation,
                    entries,
                };
                self.manifests.opened.insert(group.clone(), Arc::new(roll));
                Ok(true)
            }
            Swap::Conflict => Ok(false),
            Swap::Unknown => Err(StoreError::Unknown {
                key: key.to_owned(),
            }),
        }
    }
}
