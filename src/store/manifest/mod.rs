//! The manifest: which records there must be, and how old they may be at most.
//!
//! Owns which records are listed, and where. Refuses to know what they hold.

mod group;

pub(super) use group::{Group, OF_A_PERSON, SPREAD, group_of};

/// The prefix of all manifests.
pub(super) const MANIFESTS: &str = "man";
