//! What a writing process said, line by line, and what must be true of each place after it.
//!
//! ```text
//! opened
//! try SLOT NUMBER      before each write; 0 is a removal
//! ack SLOT NUMBER      the store said that it is durable
//! none SLOT 0          there was nothing to remove
//! err SLOT NUMBER WHY  the store said something else
//! closed
//! ```

use std::collections::BTreeMap;

use super::slot::{Found, Slot};

/// The number that stands for a removal.
pub(crate) const REMOVED: u64 = 0;

/// What is known of one place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// The last write that was acknowledged.
    pub(crate) acknowledged: Option<u64>,
    /// Writes since then that were not: each may have taken effect, or not.
    unsure: Vec<u64>,
    /// Everything that was there before.
    earlier: Vec<u64>,
}

/// How what is found compares to what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Right,
    Lost,
    Older,
    Revived,
    Wrong,
}

impl Known {
    pub(crate) fn compare(&self, found: Found) -> Comparison {
        let found = match found {
            Found::Nothing => REMOVED,
            Found::Written(number) => number,
            Found::Strange => return Comparison::Wrong,
        };
        let latest = self.acknowledged.unwrap_or(REMOVED);
        if found == latest || self.unsure.contains(&found) {
            Comparison::Right
        } else if found == REMOVED {
            Comparison::Lost
        } else if !self.earlier.contains(&found) {
            Comparison::Wrong
        } else if latest == REMOVED {
            Comparison::Revived
        } else {
            Comparison::Older
        }
    }
}

/// What is known of every place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) slots: BTreeMap<Slot, Known>,
    pub(crate) acknowledgements: usize,
    pub(crate) errors: usize,
}

impl Ledger {
    pub(crate) fn parse(text: &str) -> Self {
        let mut ledger = Self::default();
        // The last line may have been cut off.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        for line in whole.lines() {
            ledger.note(line);
        }
        ledger
    }

    fn note(&mut self, line: &str) {
        let mut words = line.split(' ');
        let (Some(what), Some(slot), Some(number)) = (words.next(), words.next(), words.next())
        else {
            return;
        };
        let (Some(slot), Ok(number)) = (Slot::parse(slot), number.parse()) else {
            return;
        };
        let known = self.slots.entry(slot).or_default();
        match what {
            "try" => known.unsure.push(number),
            "ack" => {
                let before = known.acknowledged.replace(number);
                known.earlier.extend(before);
                let unsure = std::mem::take(&mut known.unsure);
                known
                    .earlier
                    .extend(unsure.into_iter().filter(|tried| *tried != number));
                self.acknowledgements += 1;
            }
            "err" => self.errors += 1,
            _ => {}
        }
    }
}
