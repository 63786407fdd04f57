//! Due work: notes that say when something should be looked at again.
//!
//! Owns the keys `due/{minute}/{task}`. A note decides nothing by itself: whoever finds it asks the record that it is
//! about, and a note that the record does not bear out is dropped. So a note is written before its record, a lost one is
//! the only loss, and nothing is opened on a timer to find what is due. Refuses to know what the tasks are.

use super::backend::{KeyRange, Order, Swap};
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
}

impl Store {
    /// Leaves word that `task` is due in the minute of `at`. Leaving it twice is the same as once.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn note_due(&self, at: Timestamp, task: &str) -> Result<(), StoreError> {
        let key = format!("{NOTES}/{:012}/{task}", minute(at));
        match self.0.backend.swap(&key, None, Some(b"")).await? {
            Swap::Done | Swap::Conflict => Ok(()),
            Swap::Unknown => Err(StoreError::Unknown { key }),
        }
    }

    /// The notes up to the minute of `now`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<DueNote>, StoreError> {
        let range = KeyRange {
            from: format!("{NOTES}/").into_bytes(),
            to: Some(format!("{NOTES}/{:012}/", minute(now) + 1).into_bytes()),
        };
        let rows = self.0.backend.scan(&range, Order::Ascending, limit).await?;
        let note = |(key, _): (Vec<u8>, Vec<u8>)| {
            let key = String::from_utf8(key).ok()?;
            let task = key.splitn(3, '/').nth(2)?.to_owned();
            Some(DueNote { task, key })
        };
        Ok(rows.into_iter().filter_map(note).collect())
    }

    /// Drops a note. One that is gone already is no error.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn drop_due(&self, note: &DueNote) -> Result<(), StoreError> {
        // Lost or not, the note is harmless: whoever finds it asks the record.
        self.0.backend.swap(&note.key, Some(b""), None).await?;
        Ok(())
    }
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

        store.drop_due(&all[0]).await.unwrap();
        store.drop_due(&all[0]).await.unwrap();
        assert_eq!(tasks(&store.due(later, 10).await.unwrap()), ["refresh/b"]);
    }
}
