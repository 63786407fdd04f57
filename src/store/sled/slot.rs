//! Where the open database is, while it may be closed and opened again under its readers.
//!
//! Owns who gets it when, and what readers are told while it is not there. Refuses to know how it is opened.

use std::time::Duration;

use ::sled::Db;
use tokio::sync::watch;

use super::super::error::StoreError;
use super::super::space::speaks_of_a_full_disk;

/// How long readers wait for a database that is being reopened. sled reads its whole log meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);

/// The database that readers use.
pub(super) struct Slot(watch::Sender<Held>);

enum Held {
    Open(Db),
    /// It is opened again: worth waiting for.
    Reopening,
    /// It could not be opened again, which is tried until it works.
    Shut(String),
    Closed,
}

impl Slot {
    pub(super) fn new(db: Db) -> Self {
        Self(watch::Sender::new(Held::Open(db)))
    }

    /// The database, which is not closed before this is dropped.
    pub(super) fn db(&self) -> Result<Db, StoreError> {
        self.look(Db::clone)
    }

    /// What a short look at the database shows: it cannot be closed meanwhile.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Db) -> T) -> Result<T, StoreError> {
        match &*self.0.borrow() {
            Held::Open(db) => Ok(look(db)),
            Held::Closed => Err(StoreError::Closed),
            Held::Shut(reason) if speaks_of_a_full_disk(reason) => Err(StoreError::NoSpace),
            Held::Shut(reason) => Err(StoreError::Engine {
                reason: reason.clone(),
            }),
            Held::Reopening => Err(StoreError::Engine {
                reason: "it is being reopened".to_owned(),
            }),
        }
    }

    /// Waits while it is being reopened.
    pub(super) async fn settled(&self) {
        if !matches!(*self.0.borrow(), Held::Reopening) {
            return;
        }
        let mut held = self.0.subscribe();
        let settled = held.wait_for(|held| !matches!(held, Held::Reopening));
        // Whoever has waited long enough is told by `db` how it stands.
        let _ = tokio::time::timeout(PATIENCE, settled).await;
    }

    /// Takes the database from its readers; those in the middle of something keep it until they are done.
    pub(super) fn begin_reopening(&self) -> Option<Db> {
        self.exchange(Held::Reopening)
    }

    /// Gives readers a database; `false` when the slot was closed meanwhile, and it was dropped.
    pub(super) fn put(&self, db: Db) -> bool {
        self.exchange(Held::Open(db));
        matches!(*self.0.borrow(), Held::Open(_))
    }

    /// Says why there is none for now.
    pub(super) fn fail(&self, reason: &str) {
        self.exchange(Held::Shut(reason.to_owned()));
    }

    /// There is none any more.
    pub(super) fn close(&self) -> Option<Db> {
        self.exchange(Held::Closed)
    }

    /// What is closed stays so. Answers the database that was there.
    fn exchange(&self, next: Held) -> Option<Db> {
        let mut before = None;
        self.0.send_if_modified(|held| {
            if matches!(held, Held::Closed) {
                return false;
            }
            before = Some(std::mem::replace(held, next));
            true
        });
        match before {
            Some(Held::Open(db)) => Some(db),
            _ => None,
        }
    }
}
