//! Due work: notes that say when something should be looked at again.
//!
//! Owns the keys `due/{minute}/{task}`, and `out/{lane}/{minute}/{task}` for queues of their own. A note decides nothing by
//! itself: whoever finds it asks the record that it is about, and a note that the record does not bear out is dropped. So
//! a note is written before its record, and nothing is opened on a timer to find what is due. A note that is left again
//! while somebody follows it is not dropped: it counts how often it was left. Refuses to know what the tasks are.

use super::backend::{KeyRange, Order, Swap, Urgency};
use super::{Store, StoreError};
use crate::base::Timestamp;

/// The prefix of all notes.
pub(super) const NOTES: &str = "due";

/// A note whose time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueNote {
    /// What it is about.
    pub task: String,
    key: String,
    /// How often it had been left when it was found.
    left: Vec<u8>,
}

/// The prefix of the notes of all lanes.
pub(super) const LANES: &str = "out";

/// A queue of its own: what waits in one never holds up what is due elsewhere. Named by whoever owns it; the name stands in
/// keys, so it is a digest or the like, and has no `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane(String);

impl Lane {
    /// The lane of this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(format!("{LANES}/{}", name.replace('/', "-")))
    }
}

impl Store {
    /// Leaves word that `task` is due in the minute of `at`. Leaving it twice is the same as once.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn note_due(&self, at: Timestamp, task: &str) -> Result<(), StoreError> {
        // What has begun must be able to end on a full disk, and a note is its first step.
        self.note(NOTES, at, task, Urgency::Last).await
    }

    /// The notes up to the minute of `now`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<DueNote>, StoreError> {
        self.notes(NOTES, now, limit).await
    }

    /// As [`Store::note_due`], in a lane.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn note_due_in(
        &self,
        lane: &Lane,
        at: Timestamp,
        task: &str,
    ) -> Result<(), StoreError> {
        self.note(&lane.0, at, task, Urgency::Usual).await
    }

    /// As [`Store::due`], in a lane.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn due_in(
        &self,
        lane: &Lane,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueNote>, StoreError> {
        self.notes(&lane.0, now, limit).await
    }

    async fn note(
        &self,
        prefix: &str,
        at: Timestamp,
        task: &str,
        urgency: Urgency,
    ) -> Result<(), StoreError> {
        let key = format!("{prefix}/{:012}/{task}", minute(at));
        loop {
            let before = self.0.backend.get(&key).await?;
            let times = before.as_deref().map_or(0, count).wrapping_add(1);
            let after = times.to_be_bytes();
            let left = self
                .0
                .backend
                .swap_urgently(&key, before.as_deref(), Some(&after), urgency)
                .await?;
            match left {
                Swap::Done => return Ok(()),
                Swap::Conflict => {}
                Swap::Unknown => return Err(StoreError::Unknown { key }),
            }
        }
    }

    async fn notes(
        &self,
        prefix: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueNote>, StoreError> {
        let range = KeyRange {
            from: format!("{prefix}/").into_bytes(),
            to: Some(format!("{prefix}/{:012}/", minute(now) + 1).into_bytes()),
        };
        let rows = self.0.backend.scan(&range, Order::Ascending, limit).await?;
        let note = |(key, left): (Vec<u8>, Vec<u8>)| {
            let key = String::from_utf8(key).ok()?;
            let (_, task) = key
                .strip_prefix(prefix)?
                .strip_prefix('/')?
                .split_once('/')?;
            let task = task.to_owned();
            Some(DueNote { task, key, left })
        };
        Ok(rows.into_iter().filter_map(note).collect())
    }

    /// Puts a note off: its task is due in the minute of `at` instead. One that is in that minute already stays.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn put_off(&self, note: &DueNote, at: Timestamp) -> Result<(), StoreError> {
        let before = note.key.strip_suffix(&format!("/{}", note.task));
        let prefix = before.and_then(|before| before.rsplit_once('/'));
        let Some((prefix, was)) = prefix else {
            return Ok(());
        };
        if *was == format!("{:012}", minute(at)) {
            return Ok(());
        }
        // The new note first: a cut in between leaves both.
        self.note(prefix, at, &note.task, Urgency::Usual).await?;
        self.drop_due(note).await
    }

    /// Drops a note, unless it was left again since it was found. One that is gone already is no error.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn drop_due(&self, note: &DueNote) -> Result<(), StoreError> {
        // Lost or not, the note is harmless: whoever finds it asks the record.
        self.0
            .backend
            .swap(&note.key, Some(&note.left), None)
            .await?;
        Ok(())
    }

    /// Drops notes that have been due since before `before` in lanes other than `known`: nobody follows those any more.
    /// At most `limit` notes are looked at.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn drop_strange_lanes(
        &self,
        known: &[Lane],
        before: Timestamp,
        limit: usize,
    ) -> Result<(), StoreError> {
        let range = KeyRange::prefix(&format!("{LANES}/"));
        let rows = self.0.backend.scan(&range, Order::Ascending, limit).await?;
        for (key, left) in rows {
            let Ok(key) = String::from_utf8(key) else {
                continue;
            };
            let is_known = known.iter().any(|lane| {
                let rest = key.strip_prefix(&lane.0);
                rest.is_some_and(|rest| rest.starts_with('/'))
            });
            let due = key
                .split('/')
                .nth(2)
                .and_then(|due| due.parse::<i64>().ok());
            if !is_known && due.is_none_or(|due| due < minute(before)) {
                self.0.backend.swap(&key, Some(&left), None).await?;
            }
        }
        Ok(())
    }
}

/// How often a note was left, as its bytes tell.
fn count(bytes: &[u8]) -> u32 {
    bytes.try_into().map_or(0, u32::from_be_bytes)
}

/// Of equal length for all, so that the order of the keys is that of time.
fn minute(at: Timestamp) -> i64 {
    const LAST: i64 = 999_999_999_998;
    at.as_unix().div_euclid(60).clamp(0, LAST)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::base::Random;
    use crate::store::MasterKey;

    const NOON: Timestamp = Timestamp::from_unix(1_800_000_000);

    fn tasks(notes: &[DueNote]) -> Vec<&str> {
        notes.iter().map(|note| note.task.as_str()).collect()
    }

    #[tokio::test]
    async fn what_is_due_is_found_once_its_minute_has_come_and_until_it_is_dropped() {
        let random = Random::seeded(4);
        let store = Store::memory(MasterKey::generate(&random), random);
        let later = NOON + Duration::from_mins(5);
        store.note_due(later, "refresh/b").await.unwrap();
        store.note_due(NOON, "refresh/a/1").await.unwrap();
        store.note_due(NOON, "refresh/a/1").await.unwrap();

        let first = store.due(NOON, 10).await.unwrap();
        assert_eq!(tasks(&first), ["refresh/a/1"]);
        let all = store.due(later, 10).await.unwrap();
        assert_eq!(tasks(&all), ["refresh/a/1", "refresh/b"]);
        assert_eq!(store.due(later, 1).await.unwrap().len(), 1);

        // Left again by the one who follows it: it stays.
        store.note_due(NOON, "refresh/a/1").await.unwrap();
        store.drop_due(&all[0]).await.unwrap();
        assert_eq!(store.due(NOON, 10).await.unwrap().len(), 1);
        let again = &store.due(NOON, 10).await.unwrap()[0];
        store.drop_due(again).await.unwrap();
        store.drop_due(again).await.unwrap();
        assert_eq!(tasks(&store.due(later, 10).await.unwrap()), ["refresh/b"]);
    }
    #[tokio::test]
    async fn lanes_hold_nobody_up_and_a_note_can_be_put_off() {
        let random = Random::seeded(4);
        let store = Store::memory(MasterKey::generate(&random), random);
        let (one, other) = (Lane::new("one"), Lane::new("one2"));
        store.note_due_in(&one, NOON, "evt/1").await.unwrap();
        assert!(store.due(NOON, 10).await.unwrap().is_empty());
        assert!(store.due_in(&other, NOON, 10).await.unwrap().is_empty());

        let notes = store.due_in(&one, NOON, 10).await.unwrap();
        assert_eq!(tasks(&notes), ["evt/1"]);
        store.put_off(&notes[0], NOON).await.unwrap();
        assert_eq!(store.due_in(&one, NOON, 10).await.unwrap(), notes);
        let later = NOON + Duration::from_mins(5);
        store.put_off(&notes[0], later).await.unwrap();
        assert!(store.due_in(&one, NOON, 10).await.unwrap().is_empty());
        assert_eq!(
            tasks(&store.due_in(&one, later, 10).await.unwrap()),
            ["evt/1"]
        );

        let drop = |known, before| store.drop_strange_lanes(known, before, 10);
        let known = [one.clone()];
        drop(&known, later + Duration::from_hours(1)).await.unwrap();
        drop(&[], later).await.unwrap();
        assert_eq!(store.due_in(&one, later, 10).await.unwrap().len(), 1);
        drop(&[], later + Duration::from_hours(1)).await.unwrap();
        assert!(store.due_in(&one, later, 10).await.unwrap().is_empty());
    }
}
