//! The backend that keeps everything in this process: for tests, and for gateways that may forget.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::backend::{KeyRange, Order, Row, Swap, Urgency};
use super::error::StoreError;

/// A sorted map behind a lock.
#[derive(Default)]
pub(super) struct Memory {
    rows: Mutex<BTreeMap<Vec<u8>, Vec<u8>>>,
    /// How full it acts.
    #[cfg(test)]
    room: Mutex<Room>,
}

/// How much room a store in memory acts as if it had.
#[cfg(test)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Room {
    /// Enough.
    #[default]
    Enough,
    /// What begins is refused, what ends something is taken.
    ToEnd,
    /// Only removals are taken.
    None,
}

impl Memory {
    pub(super) fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.rows().get(key).cloned()
    }

    pub(super) fn swap(&self, key: &[u8], expected: Option<&[u8]>, new: Option<&[u8]>) -> Swap {
        match (self.rows().entry(key.to_vec()), expected) {
            (Entry::Vacant(entry), None) => {
                if let Some(new) = new {
                    entry.insert(new.to_vec());
                }
                Swap::Done
            }
            (Entry::Occupied(mut entry), Some(expected)) if entry.get() == expected => {
                match new {
                    Some(new) => drop(entry.insert(new.to_vec())),
                    None => drop(entry.remove()),
                }
                Swap::Done
            }
            _ => Swap::Conflict,
        }
    }

    /// As [`Memory::swap`], where there is room for it.
    pub(super) fn swap_urgently(
        &self,
        key: &[u8],
        expected: Option<&[u8]>,
        new: Option<&[u8]>,
        urgency: Urgency,
    ) -> Result<Swap, StoreError> {
        if new.is_some() && !self.has_room(urgency) {
            return Err(StoreError::NoSpace);
        }
        Ok(self.swap(key, expected, new))
    }

    #[cfg(test)]
    fn has_room(&self, urgency: Urgency) -> bool {
        match *self.room.lock().unwrap_or_else(PoisonError::into_inner) {
            Room::Enough => true,
            Room::ToEnd => urgency == Urgency::Last,
            Room::None => false,
        }
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "in tests it acts as if it were full")]
    fn has_room(&self, _: Urgency) -> bool {
        true
    }

    #[cfg(test)]
    pub(super) fn leave(&self, room: Room) {
        *self.room.lock().unwrap_or_else(PoisonError::into_inner) = room;
    }

    pub(super) fn scan(&self, range: &KeyRange, order: Order, limit: usize) -> Vec<Row> {
        let rows = self.rows();
        let to = range
            .to
            .as_deref()
            .map_or(Bound::Unbounded, Bound::Excluded);
        let found = rows.range::<[u8], _>((Bound::Included(range.from.as_slice()), to));
        let copy = |(key, value): (&Vec<u8>, &Vec<u8>)| (key.clone(), value.clone());
        match order {
            Order::Ascending => found.take(limit).map(copy).collect(),
            Order::Descending => found.rev().take(limit).map(copy).collect(),
        }
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, Vec<u8>>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
