//! Expiry: hints that say when to look at a record, and the sweep that follows them.
//!
//! Owns the keys `exp/{minute}/{full key}`. A hint is written before its record and decides nothing by itself: the
//! sweep asks the record, whose expiry is sealed, and removes hints that no record bears out. Nothing else in the store
//! is opened to find what is due. Refuses to know what expires.

use futures::future::join_all;

use super::backend::{Backend, KeyRange, Order, Swap, Urgency};
use super::envelope::Envelope;
use super::manifest::{Found, Group, Known, group_of, to_its_end};
use super::{Inner, Store, StoreError, WriteError};
use crate::base::Timestamp;

/// The prefix of all hints.
pub(super) const HINTS: &str = "exp";

/// How many hints are followed at once, so that their removals share a sync.
const PAGE: usize = 64;

/// Leaves word that the record at `full_key` may be swept at `expires`.
pub(super) async fn hint(
    backend: &Backend,
    full_key: &str,
    expires: Timestamp,
) -> Result<(), WriteError> {
    let key = format!("{}/{full_key}", due(expires));
    match backend.swap(&key, None, Some(b"")).await? {
        // A hint that is there already serves as well.
        Swap::Done | Swap::Conflict => Ok(()),
        Swap::Unknown => Err(WriteError::Store(StoreError::Unknown { key })),
    }
}

/// What the hints of one minute begin with. Of equal length for all, so that their order is that of time.
fn due(at: Timestamp) -> String {
    let minute = at.as_unix().div_euclid(60).clamp(0, LAST_MINUTE);
    format!("{HINTS}/{minute:012}")
}

/// The last that has twelve digits, some two million years ahead.
const LAST_MINUTE: i64 = 999_999_999_999;

/// What following one hint came to.
enum Followed {
    /// The record had expired and is gone.
    Removed,
    /// No record bears the hint out; the hint is gone.
    Stale,
    /// The record was written to just now, or cannot be opened: all stays as it is.
    Kept,
}

impl Store {
    /// Removes records that expired in a minute before that of `now`, oldest first, and hints that have lost their
    /// record; at most `limit` of both together. Answers how many records it removed. Safe to run at any time, also
    /// twice at once.
    ///
    /// # Errors
    /// Those of the store. A record that cannot be opened is left alone: reading it says so.
    pub async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let mut range = KeyRange {
            from: format!("{HINTS}/").into_bytes(),
            // Not those of this very minute: a hint whose record is just about to be written would pass for stale.
            to: Some(due(now).into_bytes()),
        };
        let (mut removed, mut left) = (0, limit);
        while left > 0 {
            let hints = self
                .0
                .backend
                .scan(&range, Order::Ascending, left.min(PAGE));
            let hints = hints.await?;
            let Some((last, _)) = hints.last() else {
                break;
            };
            range = range.past(last, Order::Ascending);
            let followed = hints.iter().map(|(hint, _)| self.0.follow(hint, now));
            for outcome in join_all(followed).await {
                match outcome? {
                    Followed::Removed => (removed, left) = (removed + 1, left - 1),
                    Followed::Stale => left -= 1,
                    Followed::Kept => {}
                }
            }
        }
        Ok(removed)
    }
}

impl Inner {
    async fn follow(&self, hint: &[u8], now: Timestamp) -> Result<Followed, StoreError> {
        let hint = String::from_utf8_lossy(hint);
        let Some(full_key) = hint.splitn(3, '/').nth(2) else {
            return self.drop_hint(&hint, Followed::Stale).await;
        };
        let group = group_of(full_key);
        let found = match &group {
            Some(group) => self.find(group, full_key).await,
            None => self.find_unlisted(full_key).await,
        };
        let Found { sealed, envelope } = match found {
            Ok(Some(found)) => found,
            Ok(None) => return self.drop_hint(&hint, Followed::Stale).await,
            Err(error) if error.record().is_some() => return Ok(Followed::Kept),
            Err(error) => return Err(error),
        };
        match envelope.expires {
            Some(expires) if expires <= now => {
                match self
                    .remove_expired(group, full_key, sealed, &envelope)
                    .await?
                {
                    Swap::Done => self.drop_hint(&hint, Followed::Removed).await,
                    Swap::Conflict => Ok(Followed::Kept),
                    Swap::Unknown => Err(StoreError::Unknown {
                        key: full_key.to_owned(),
                    }),
                }
            }
            // Expires later, or never: another hint speaks for it, or none needs to.
            _ => self.drop_hint(&hint, Followed::Stale).await,
        }
    }

    async fn remove_expired(
        &self,
        group: Option<Group>,
        full_key: &str,
        sealed: Vec<u8>,
        envelope: &Envelope,
    ) -> Result<Swap, StoreError> {
        let Some((group, inner)) = group.zip(self.me.upgrade()) else {
            let removal = self
                .backend
                .swap_urgently(full_key, Some(&sealed), None, Urgency::Last);
            return removal.await;
        };
        let known = Known {
            full_key: full_key.to_owned(),
            generation: envelope.generation,
            sealed,
        };
        to_its_end(full_key.to_owned(), async move {
            inner.remove_listed(&group, known).await
        })
        .await
    }

    async fn drop_hint(&self, hint: &str, outcome: Followed) -> Result<Followed, StoreError> {
        // Lost or not, the hint is harmless: the next sweep finds it stale.
        self.backend.swap(hint, Some(b""), None).await?;
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::base::Random;
    use crate::store::{MasterKey, Record, Table};

    const NOON: Timestamp = Timestamp::from_unix(1_800_000_000);

    fn after(minutes: u64) -> Timestamp {
        NOON + Duration::from_mins(minutes)
    }

    fn store() -> Store {
        let random = Random::seeded(1);
        Store::memory(MasterKey::generate(&random), random)
    }

    async fn hints(store: &Store) -> usize {
        let range = KeyRange::prefix("exp/");
        let rows = store.0.backend.scan(&range, Order::Ascending, usize::MAX);
        rows.await.unwrap().len()
    }

    #[tokio::test]
    async fn what_has_expired_goes_and_what_has_not_stays() {
        let store = store();
        let table: Table<u8> = store.table("ticket");
        table.create_until("old", &1, after(1)).await.unwrap();
        table.create_until("new", &2, after(10)).await.unwrap();
        table.create("endless", &3).await.unwrap();

        assert_eq!(store.sweep(after(1), 100).await, Ok(0), "a minute early");
        assert_eq!(store.sweep(after(2), 100).await, Ok(1));
        let left = table.list("", 10).await.unwrap().whole().unwrap();
        let left: Vec<&str> = left.iter().map(Record::key).collect();
        assert_eq!((left, hints(&store).await), (vec!["endless", "new"], 1));
        assert_eq!(store.sweep(after(11), 100).await, Ok(1));
        assert_eq!(hints(&store).await, 0);
    }

    #[tokio::test]
    async fn a_hint_alone_removes_nothing() {
        let store = store();
        let table: Table<u8> = store.table("ticket");
        let taken = table.create_until("taken", &1, after(1)).await.unwrap();
        table.delete(&taken).await.unwrap();
        let moved = table.create_until("moved", &1, after(1)).await.unwrap();
        table.replace_until(&moved, &2, after(60)).await.unwrap();
        table.create("endless", &3).await.unwrap();
        // What someone with access to the files could add.
        hint(&store.0.backend, "ticket/endless", after(1))
            .await
            .unwrap();
        let odd = store.0.backend.swap("exp/000000000000", None, Some(b""));
        assert_eq!(odd.await, Ok(Swap::Done));

        assert_eq!(store.sweep(after(5), 100).await, Ok(0));
        assert_eq!(table.list("", 10).await.unwrap().records.len(), 2);
        assert_eq!(hints(&store).await, 1, "only that of the moved one is true");
        assert_eq!(store.sweep(after(61), 100).await, Ok(1));
    }

    #[tokio::test]
    async fn a_sweep_stops_at_its_limit_oldest_first() {
        let store = store();
        let table: Table<u64> = store.table("ticket");
        for n in 0..200 {
            let (key, expires) = (n.to_string(), after(200 - n));
            table.create_until(&key, &n, expires).await.unwrap();
        }
        assert_eq!(store.sweep(after(1_000), 150).await, Ok(150));
        let left = table.list("", 300).await.unwrap().whole().unwrap();
        let mut left: Vec<u64> = left.iter().map(|record| record.value).collect();
        left.sort_unstable();
        assert_eq!(left, (0..50).collect::<Vec<_>>());
        assert_eq!(store.sweep(after(1_000), 150).await, Ok(50));
    }

    #[tokio::test]
    async fn damaged_records_stay_and_hold_nothing_up() {
        let store = store();
        let table: Table<u64> = store.table("ticket");
        for n in 0..100 {
            let key = format!("{n:03}");
            table.create_until(&key, &n, after(1)).await.unwrap();
        }
        for n in 0..80 {
            let key = format!("ticket/{n:03}");
            let old = store.0.backend.get(&key).await.unwrap();
            let swap = store.0.backend.swap(&key, old.as_deref(), Some(b"rubbish"));
            assert_eq!(swap.await, Ok(Swap::Done));
        }
        assert_eq!(store.sweep(after(5), 10).await, Ok(10));
        assert_eq!(store.sweep(after(5), 100).await, Ok(10));
        let listing = table.list("", 200).await.unwrap();
        assert_eq!((listing.records.len(), listing.damaged.len()), (0, 80));
    }

    #[test]
    fn hints_sort_by_time_however_odd_it_is() {
        let times = [i64::MIN, -1, 0, 59, 60, 6_000, 1_800_000_000, i64::MAX];
        let hints = times.map(|seconds| due(Timestamp::from_unix(seconds)));
        assert!(hints.is_sorted(), "{hints:?}");
        assert!(hints.iter().all(|hint| hint.len() == hints[0].len()));
    }
}
