//! The backend that keeps everything in this process: for tests, and for gateways that may forget.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::backend::{KeyRange, Order, Row, Swap};

/// A sorted map behind a lock.
#[derive(Default)]
pub(super) struct Memory(Mutex<BTreeMap<Vec<u8>, Vec<u8>>>);

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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
