//! Why a command failed, and what the shell is told.

use std::fmt;

use crate::app::control::{Refusal, RefusalKind};

/// One or more sentences for the person at the terminal, and the exit status for their scripts.
#[derive(Debug)]
pub(super) struct Failure {
    sentence: String,
    pub(super) status: u8,
}

impl Failure {
    /// Something failed: status 1.
    pub(super) fn new(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            status: 1,
        }
    }

    /// The command makes no sense: status 2.
    pub(super) fn usage(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            status: 2,
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal.kind {
            RefusalKind::Failed => 1,
            RefusalKind::Usage | RefusalKind::AccountRequired => 2,
            RefusalKind::ConnectionRequired => 4,
            RefusalKind::ToolFailed => 5,
        };
        Self {
            sentence: refusal.sentence,
            status,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.sentence)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(error.to_string())
    }
}
