//! The three verbs that everything else is made of, and the closed set of backends that speak them.
//!
//! Owns the meaning of `get`, `swap` and `scan` on bytes. Refuses to know what the bytes are: they arrive sealed.

use super::error::StoreError;
use super::memory::Memory;
use super::sled::Sled;

/// How a swap ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Swap {
    /// The new bytes are in place, and durable.
    Done,
    /// The bytes at the key were not the expected ones; nothing was written.
    Conflict,
    /// The write may or may not survive: its commit could not be confirmed.
    Unknown,
}

/// Which way a scan goes through its range, by the bytes of the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Ascending,
    Descending,
}

/// What a write may use up of a disk that is nearly full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Urgency {
    /// It is refused while there is less space than what has begun may still need.
    #[default]
    Usual,
    /// It ends something that cannot be done again, such as keeping a token that was received: it may use the last of
    /// the space.
    Last,
}

/// The keys from `from` up to but without `to`; without an end when `to` is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyRange {
    pub(super) from: Vec<u8>,
    pub(super) to: Option<Vec<u8>>,
}

impl KeyRange {
    /// Every key that begins with `prefix`.
    pub(super) fn prefix(prefix: &str) -> Self {
        let from = prefix.as_bytes().to_vec();
        let mut to = from.clone();
        // The first key past them all: the last byte that can be raised is raised, what follows it is dropped.
        while to.pop_if(|last| *last == u8::MAX).is_some() {}
        let last = to.pop();
        Self {
            from,
            to: last.map(|last| [to.as_slice(), &[last + 1]].concat()),
        }
    }

    /// What is left of the range once a scan in this order has shown `key`.
    pub(super) fn past(self, key: &[u8], order: Order) -> Self {
        match order {
            Order::Ascending => Self {
                from: [key, &[0]].concat(),
                to: self.to,
            },
            Order::Descending => Self {
                from: self.from,
                to: Some(key.to_vec()),
            },
        }
    }

    /// Whether no key can lie in the range.
    pub(super) fn is_empty(&self) -> bool {
        self.to.as_ref().is_some_and(|to| *to <= self.from)
    }
}

/// A key and the bytes at it.
pub(super) type Row = (Vec<u8>, Vec<u8>);

/// Where the bytes are kept.
pub(super) enum Backend {
    /// In this process, gone with it.
    Memory(Memory),
    /// In a folder of this machine.
    Sled(Sled),
}

impl Backend {
    /// The bytes at `key`.
    ///
    /// They may come from a swap that is not yet durable and would be lost with the machine's power. That is safe: the
    /// log is one sequence, so whatever is later written on the strength of such a read can only be durable together
    /// with it; and an effect outside this process must wait for an acknowledged swap of its own in any case.
    pub(super) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.get(key.as_bytes())),
            Self::Sled(sled) => {
                sled.settled().await;
                sled.get(key.as_bytes())
            }
        }
    }

    /// Puts `new` at `key` if `expected` is there now; `None` stands for no bytes at all, on either side.
    ///
    /// A caller that stops waiting does not take the write back.
    pub(super) async fn swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        self.swap_urgently(key, expected, new, Urgency::Usual).await
    }

    /// As [`Backend::swap`], with a say in what it may use up.
    pub(super) async fn swap_urgently(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: Option<&[u8]>,
        urgency: Urgency,
    ) -> Result<Swap, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.swap(key.as_bytes(), expected, new)),
            Self::Sled(sled) => sled.swap(key.as_bytes(), expected, new, urgency).await,
        }
    }

    /// At most `limit` rows of `range`, in `order`. Not a snapshot: writes that happen meanwhile may show or not.
    pub(super) async fn scan(
        &self,
        range: &KeyRange,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        if range.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        match self {
            Self::Memory(memory) => Ok(memory.scan(range, order, limit)),
            Self::Sled(sled) => sled.scan(range, order, limit).await,
        }
    }

    /// Waits for the writes under way, then lets go of the files.
    pub(super) async fn close(&self) {
        match self {
            Self::Memory(_) => {}
            Self::Sled(sled) => sled.close().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_the_next_one_begins() {
        let range = KeyRange::prefix("con/");
        assert_eq!(range.from, b"con/");
        assert_eq!(range.to.as_deref(), Some(b"con0".as_slice()));
        assert_eq!(KeyRange::prefix("").to, None);
        assert!(!KeyRange::prefix("").is_empty());
    }

    #[test]
    fn a_range_shrinks_past_what_was_shown() {
        let range = KeyRange::prefix("a");
        assert_eq!(
            range.clone().past(b"ab", Order::Ascending).from,
            b"ab\0".to_vec()
        );
        assert_eq!(
            range.clone().past(b"ab", Order::Descending).to,
            Some(b"ab".to_vec())
        );
        assert!(range.past(b"a", Order::Descending).is_empty());
    }
}
