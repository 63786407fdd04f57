//! Due work: what must be looked at without anybody asking.
//!
//! Owns the kinds of tasks and the loop over those that are due. Each kind has its home elsewhere; every task asks the
//! record that it is about, so that doing one twice, late, or for nothing does no harm.

use std::fmt;
use std::time::Duration;

use futures::{StreamExt, stream};

use super::last_rites::Asking;
use super::{Fault, Gateway};
use crate::store::DueNote;

/// When it is looked again at what is due for a record that cannot be read.
const UNTIL_MENDED: Duration = Duration::from_hours(1);

/// What can be due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// The credential at this key may have to be renewed.
    Renew(String),
    /// How the connection at this key stands may not have been told.
    Tell(String),
    /// The end of the connection at this key may be near.
    Warn(String),
    /// The connection at this key may be revoked, and not proven dead.
    Revoke(String),
    /// The person may have been removed, and have left something behind.
    Forget(String),
}

impl Task {
    fn parse(text: &str) -> Option<Self> {
        match text.split_once('/')? {
            ("renew", key) => Some(Self::Renew(key.to_owned())),
            ("tell", key) => Some(Self::Tell(key.to_owned())),
            ("warn", key) => Some(Self::Warn(key.to_owned())),
            ("revoke", key) => Some(Self::Revoke(key.to_owned())),
            ("forget", person) => Some(Self::Forget(person.to_owned())),
            _ => None,
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Renew(key) => write!(formatter, "renew/{key}"),
            Self::Tell(key) => write!(formatter, "tell/{key}"),
            Self::Warn(key) => write!(formatter, "warn/{key}"),
            Self::Revoke(key) => write!(formatter, "revoke/{key}"),
            Self::Forget(person) => write!(formatter, "forget/{person}"),
        }
    }
}

impl Gateway {
    /// Does what is due: one pass. Returns how many notes were followed.
    ///
    /// # Errors
    /// [`Fault`] when the store cannot say what is due. A task that fails is told in the log and tried again later.
    pub async fn do_due_work(&self) -> Result<usize, Fault> {
        const AT_MOST: usize = 1_000;
        const AT_ONCE: usize = 16;
        let now = self.parts.clock.now();
        let notes = self.parts.store.due(now, AT_MOST).await?;
        let count = notes.len();
        stream::iter(notes)
            .for_each_concurrent(AT_ONCE, |note| self.follow(note))
            .await;
        Ok(count)
    }

    async fn follow(&self, note: DueNote) {
        // What is done, and when to look again.
        let done = match Task::parse(&note.task) {
            Some(Task::Renew(key)) => self.renew_if_due(&key).await,
            Some(Task::Tell(key)) => self.tell_if_due(&key).await.map(|()| None),
            Some(Task::Warn(key)) => self.warn_if_due(&key).await,
            Some(Task::Revoke(key)) => self
                .go_on_revoking(&key, Asking::InTurn)
                .await
                .map(|()| None),
            Some(Task::Forget(person)) => self.forget_if_removed(&person).await.map(|()| None),
            None => {
                tracing::warn!(task = note.task, "nobody knows this task any more");
                Ok(None)
            }
        };
        let store = &self.parts.store;
        let done = match done {
            // It is not mended by trying again; the operator has been told.
            Err(Fault::Store(error)) if error.record().is_some() => {
                self.tell_damage(&error);
                Ok(Some(self.parts.clock.now() + UNTIL_MENDED))
            }
            done => done,
        };
        let dropped = match done {
            Ok(None) => store.drop_due(&note).await.map_err(Fault::from),
            Ok(Some(at)) => store.put_off(&note, at).await.map_err(Fault::from),
            Err(fault) => Err(fault),
        };
        match dropped {
            Ok(()) => {}
            Err(fault) if fault.is_full_disk() => self.tell_full_disk(&fault),
            Err(fault) => {
                tracing::error!(%fault, task = note.task, "due work failed; it is tried again");
            }
        }
    }
}
