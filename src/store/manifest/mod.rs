//! The manifest: which records there must be, and how old they may be at most.
//!
//! Owns which records are listed, where, and the order of writes that keeps a list true: an entry is opened before its
//! record is created or removed, and closed, or its floor raised, some time after. So a cut anywhere leaves an entry that
//! is open, never one that is wrong. Refuses to know what the records hold.
//!
//! | file | what |
//! |---|---|
//! | `group` | which manifest lists a record |
//! | `entries` | what a manifest says, and what may become of an entry |
//! | `desk` | reading a manifest, and writing it for many at once |
//! | `settle` | closing entries and raising floors, later and together |
//! | `listed` | reading, creating and removing listed records |
//! | `alone` | one at a time, by key |

mod alone;
mod desk;
mod entries;
mod group;
mod listed;
mod settle;

pub(super) use desk::{Manifests, Roll};
pub(super) use entries::{Entries, Entry, State, Verdict};
pub(super) use group::{Group, OF_A_PERSON, SPREAD, group_of, group_of_all, tables};
pub(super) use listed::{Found, Known, to_its_end};

/// The prefix of all manifests.
pub(super) const MANIFESTS: &str = "man";

#[cfg(test)]
mod tests;
