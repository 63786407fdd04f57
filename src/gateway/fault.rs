//! A failure on our own side.

use crate::store::{StoreError, WriteError};

/// How often a write is tried again after someone else changed the record; then it is [`Fault::Contention`].
pub(super) const ATTEMPTS: usize = 8;

/// Something on our side failed. The person or agent is told only that; the cause goes to the log, once, where the
/// fault is turned into an answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// The store could not be read or written.
    #[error("the store failed: {0}")]
    Store(#[from] StoreError),
    /// Two writers kept getting in each other's way.
    #[error("a record kept changing while it was being written")]
    Contention,
    /// A provider file promises something that it does not hold.
    #[error("the catalogue is wrong: {0}")]
    Catalogue(String),
}

impl Fault {
    /// What people and agents are told.
    #[must_use]
    pub fn sentence(&self) -> &'static str {
        if self.is_full_disk() {
            return "The disk of this gateway is full or takes no writes, so this was not done. Nothing is wrong with \
                    your connections and nothing was lost: try again once the person who runs Attache has made room.";
        }
        "Something failed on the gateway's side, and nothing was changed. Try again in a moment; if it stays so, ask \
         the person who runs Attache to look at its log."
    }

    /// Whether the store takes no writes at the moment: its disk is full, or failed. Reading goes on.
    #[must_use]
    pub fn is_full_disk(&self) -> bool {
        match self {
            Self::Store(error) => takes_no_writes(error),
            Self::Contention | Self::Catalogue(_) => false,
        }
    }
}

/// Whether the store as a whole takes no writes.
pub(super) fn takes_no_writes(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::NoSpace | StoreError::Poisoned { .. } | StoreError::Unknown { .. }
    )
}

impl From<WriteError> for Fault {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Conflict => Self::Contention,
            WriteError::Store(error) => Self::Store(error),
        }
    }
}
