//! What one manifest says, and what may become of an entry.
//!
//! Owns the states of an entry, the judgement of what is found at a key, and the bytes inside a manifest's seal. Refuses
//! to know where a manifest is kept.
//!
//! ```text
//! 1 (1 byte) | number of entries | entries, in the order of their keys
//! entry: bytes shared with the key before | length of the rest | rest | floor * 4 + state
//! ```
//!
//! Numbers are LEB128. A group's own name at the beginning of a key, behind the table, is written as one zero byte.

use super::group::Group;

/// What is written, and all that is read.
const VERSION: u8 = 1;

/// What stands for the group's name.
const OWN_NAME: &str = "\0";

/// By how much a floor rises when it is not known how often a lost record was written: more than can be written before a
/// floor is raised.
const LEAP: u64 = 1 << 16;

/// The highest floor that can be written down. Counting by ones does not get there.
const HIGHEST: u64 = u64::MAX >> 2;

/// How it stands with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum State {
    /// It is about to be created, or was: both are in order.
    Coming,
    /// It is there. When it is not, it is missing.
    Present,
    /// It is about to be removed, or was: both are in order.
    Leaving,
    /// It was removed.
    Gone,
}

/// One record as its manifest has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Entry {
    /// The lowest generation that is acceptable.
    pub(in crate::store) floor: u64,
    pub(in crate::store) state: State,
}

/// What a manifest makes of what is found at a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Verdict {
    /// There is a record, and it is acceptable.
    Here,
    /// There is nothing, as it should be.
    Nothing,
    /// What is there is older than what was removed since: it counts as nothing.
    Outlived,
    /// There should be a record.
    Missing,
    /// The record is older than what was written since.
    RolledBack,
    /// Nobody knows of the record.
    Unlisted,
}

/// A change that must be durable before the record that it is about is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) enum Change {
    /// A record is about to be created where nothing acceptable is, as was found while the entry was `seen`.
    Come { key: String, seen: Option<Entry> },
    /// The record of this generation is about to be removed.
    Leave { key: String, generation: u64 },
    /// Whatever is there counts as nothing from now on.
    Forget { key: String },
    /// The record was written, durably, with this generation.
    Raise { key: String, generation: u64 },
}

/// What a change came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Changed {
    /// It is made; this is the entry's floor now.
    Floor(u64),
    /// The entry is not what was seen: look again.
    Moved,
}

/// The entries of one group, in the order of their keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Entries(Vec<(Box<str>, Entry)>);

impl Entries {
    pub(in crate::store) fn get(&self, key: &str) -> Option<Entry> {
        self.place(key).ok().map(|at| self.0[at].1)
    }

    pub(in crate::store) fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, Entry)> {
        self.0.iter().map(|(key, entry)| (&**key, *entry))
    }

    /// Those whose keys begin with `prefix`.
    pub(in crate::store) fn below(
        &self,
        prefix: &str,
    ) -> impl DoubleEndedIterator<Item = (&str, Entry)> {
        let from = self.0.partition_point(|(key, _)| &**key < prefix);
        let count = self.0[from..].partition_point(|(key, _)| key.starts_with(prefix));
        let found = self.0[from..from + count].iter();
        found.map(|(key, entry)| (&**key, *entry))
    }

    pub(in crate::store) fn put(&mut self, key: &str, entry: Entry) {
        match self.place(key) {
            Ok(at) => self.0[at].1 = entry,
            Err(at) => self.0.insert(at, (key.into(), entry)),
        }
    }

    fn remove(&mut self, key: &str) {
        if let Ok(at) = self.place(key) {
            self.0.remove(at);
        }
    }

    fn place(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(found, _)| (**found).cmp(key))
    }

    /// Judges what is found at `key`: a record of this generation, or none.
    pub(in crate::store) fn judge(&self, key: &str, generation: Option<u64>) -> Verdict {
        match (self.get(key), generation) {
            (None, None) => Verdict::Nothing,
            (None, Some(_)) => Verdict::Unlisted,
            (Some(entry), None) => match entry.state {
                State::Present => Verdict::Missing,
                State::Coming | State::Leaving | State::Gone => Verdict::Nothing,
            },
            (Some(entry), Some(generation)) if generation >= entry.floor => Verdict::Here,
            (Some(entry), Some(_)) => match entry.state {
                State::Present => Verdict::RolledBack,
                State::Coming | State::Leaving | State::Gone => Verdict::Outlived,
            },
        }
    }

    /// Whether [`Entries::settle`] would change the entry of a record of this generation, or of none.
    pub(in crate::store) fn is_settled(&self, key: &str, generation: Option<u64>) -> bool {
        self.get(key).is_none_or(|entry| match generation {
            Some(generation) if generation >= entry.floor => {
                entry.state == State::Present && entry.floor == generation
            }
            Some(_) => true,
            None => matches!(entry.state, State::Present | State::Gone),
        })
    }

    pub(in crate::store) fn apply(&mut self, change: &Change) -> Changed {
        match change {
            Change::Come { key, seen } => self.come(key, *seen),
            Change::Leave { key, generation } => {
                let floor = self.get(key).map_or(0, |entry| entry.floor);
                self.open(key, floor.max(*generation), State::Leaving)
            }
            Change::Forget { key } => {
                let floor = self.get(key).map_or(0, |entry| entry.floor);
                self.open(key, leap(floor), State::Gone)
            }
            Change::Raise { key, generation } => match self.get(key) {
                Some(entry) if entry.state == State::Present => {
                    self.open(key, entry.floor.max(*generation), State::Present)
                }
                _ => Changed::Moved,
            },
        }
    }

    fn come(&mut self, key: &str, seen: Option<Entry>) -> Changed {
        let entry = self.get(key);
        if entry != seen {
            return Changed::Moved;
        }
        let floor = entry.map_or(1, |entry| match entry.state {
            State::Coming | State::Gone => entry.floor,
            // What was to be removed had this generation, and is removed.
            State::Leaving => entry.floor + 1,
            State::Present => leap(entry.floor),
        });
        self.open(key, floor, State::Coming)
    }

    fn open(&mut self, key: &str, floor: u64, state: State) -> Changed {
        let floor = floor.min(HIGHEST);
        self.put(key, Entry { floor, state });
        Changed::Floor(floor)
    }

    /// Closes the entry of a record that nobody is creating or removing, by what is found: a record of this generation,
    /// or none. What looks wrong stays as it is.
    pub(in crate::store) fn settle(&mut self, key: &str, generation: Option<u64>) {
        let Some(entry) = self.get(key) else {
            return;
        };
        match (generation, entry.state) {
            (Some(generation), _) if generation >= entry.floor => {
                self.open(key, generation, State::Present);
            }
            (None, State::Coming | State::Leaving) if is_of_one_use(key) => self.remove(key),
            // Whoever may still create it has been given this floor.
            (None, State::Coming) => drop(self.open(key, entry.floor, State::Gone)),
            (None, State::Leaving) => drop(self.open(key, entry.floor + 1, State::Gone)),
            _ => {}
        }
    }

    /// What goes into the seal of the manifest of `group`.
    pub(in crate::store) fn encode(&self, group: &Group) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        push_number(&mut bytes, self.0.len() as u64);
        let mut before = String::new();
        for (key, entry) in self.iter() {
            let key = shortened(key, group.name());
            let shared = before
                .bytes()
                .zip(key.bytes())
                .take_while(|(one, other)| one == other)
                .count();
            push_number(&mut bytes, shared as u64);
            push_number(&mut bytes, (key.len() - shared) as u64);
            bytes.extend_from_slice(&key.as_bytes()[shared..]);
            push_number(&mut bytes, entry.floor << 2 | u64::from(code(entry.state)));
            before = key;
        }
        bytes
    }

    /// Reads what [`Entries::encode`] made.
    pub(in crate::store) fn decode(bytes: &[u8], group: &Group) -> Result<Self, Unreadable> {
        let (version, mut rest) = bytes.split_first().ok_or(Unreadable::Malformed)?;
        if *version != VERSION {
            return Err(Unreadable::Newer(*version));
        }
        let count = number(&mut rest)?;
        let mut entries: Vec<(Box<str>, Entry)> = Vec::new();
        let mut before = Vec::new();
        for _ in 0..count {
            let shared = usize::try_from(number(&mut rest)?).map_err(malformed)?;
            let length = usize::try_from(number(&mut rest)?).map_err(malformed)?;
            let (own, after) = rest.split_at_checked(length).ok_or(Unreadable::Malformed)?;
            before.truncate(shared);
            before.extend_from_slice(own);
            rest = after;
            let packed = number(&mut rest)?;
            let entry = Entry {
                floor: packed >> 2,
                state: state(packed),
            };
            let key = std::str::from_utf8(&before).map_err(malformed)?;
            let key = key.replacen(OWN_NAME, group.name(), 1);
            if entries.last().is_some_and(|(last, _)| **last >= *key) {
                return Err(Unreadable::Malformed);
            }
            entries.push((key.into(), entry));
        }
        if rest.is_empty() {
            Ok(Self(entries))
        } else {
            Err(Unreadable::Malformed)
        }
    }
}

/// Why the content of a manifest cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Unreadable {
    Newer(u8),
    Malformed,
}

fn malformed<E>(_: E) -> Unreadable {
    Unreadable::Malformed
}

fn leap(floor: u64) -> u64 {
    floor.saturating_add(LEAP).min(HIGHEST)
}

/// Whether the key is random and never used again, so that nothing is lost by forgetting it: an old row put back is in no
/// manifest.
fn is_of_one_use(key: &str) -> bool {
    key.starts_with("tom/")
}

fn shortened(key: &str, name: &str) -> String {
    let own = key.split_once('/').and_then(|(table, rest)| {
        let rest = rest.strip_prefix(name)?;
        Some(format!("{table}/{OWN_NAME}{rest}"))
    });
    own.unwrap_or_else(|| key.to_owned())
}

fn code(state: State) -> u8 {
    match state {
        State::Coming => 0,
        State::Present => 1,
        State::Leaving => 2,
        State::Gone => 3,
    }
}

fn state(packed: u64) -> State {
    match packed & 3 {
        0 => State::Coming,
        1 => State::Present,
        2 => State::Leaving,
        _ => State::Gone,
    }
}

fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = number.to_le_bytes()[0] & 0x7f;
        number >>= 7;
        if number == 0 {
            return bytes.push(low);
        }
        bytes.push(low | 0x80);
    }
}

fn number(bytes: &mut &[u8]) -> Result<u64, Unreadable> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(Unreadable::Malformed)?;
        *bytes = rest;
        let low = u64::from(byte & 0x7f);
        if low.leading_zeros() < shift {
            return Err(Unreadable::Malformed);
        }
        number |= low << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Unreadable::Malformed)
}

#[cfg(test)]
mod tests;
