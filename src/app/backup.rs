//! Backups of a running gateway, or of a store that a command has open.
//!
//! Owns when one is made, that only one is made at a time, that old ones go only after a new one was read back, and what is
//! known of the last failure. Refuses to know what is in a backup.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, interval_at};
use tokio_util::sync::CancellationToken;

use crate::base::{Clock, Timestamp};
use crate::store::{Backup, BackupError, Progress, Shelf, Shelved, Store};

/// How long after the start it is looked for the first time whether a backup is due: a start has better things to do.
const FIRST_LOOK: Duration = Duration::from_mins(2);
/// How often after that, and so how soon one that failed is tried again.
const LOOK_EVERY: Duration = Duration::from_mins(10);

/// What a backup that was to be made by itself failed of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupFailure {
    /// When.
    pub at: Timestamp,
    /// Why, and what to do.
    pub sentence: String,
}

/// Where a backup goes that somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackupTo {
    /// Among those that are made by themselves.
    Shelf,
    /// Into this folder, under a name that says when.
    Folder(PathBuf),
    /// This very file.
    File(PathBuf),
}

/// Makes the backups of one store. Clones share it.
#[derive(Clone)]
pub struct Backups(Arc<Desk>);

struct Desk {
    store: Store,
    shelf: Shelf,
    clock: Clock,
    /// Held while one is made.
    turn: Mutex<()>,
    failure: RwLock<Option<BackupFailure>>,
}

impl Backups {
    pub(super) fn new(store: Store, shelf: Shelf, clock: Clock) -> Self {
        Self(Arc::new(Desk {
            store,
            shelf,
            clock,
            turn: Mutex::new(()),
            failure: RwLock::default(),
        }))
    }

    /// The folder where they are kept.
    #[must_use]
    pub fn shelf(&self) -> &Shelf {
        &self.0.shelf
    }

    /// Makes one now, after any that is being made.
    ///
    /// # Errors
    /// [`BackupError`]
    pub async fn make(&self, to: &BackupTo, progress: Progress<'_>) -> Result<Backup, BackupError> {
        let _turn = self.0.turn.lock().await;
        let now = self.0.clock.now();
        let path = match to {
            BackupTo::Shelf => self.0.shelf.place_for(now, false),
            BackupTo::Folder(folder) => folder.join(Shelf::name(now, false)),
            BackupTo::File(file) => file.clone(),
        };
        self.0.store.back_up(&path, now, progress).await
    }

    /// Makes one if it is time, and then removes those that are too many. None: it is not time. A failure is logged, and
    /// kept until one succeeds.
    ///
    /// # Errors
    /// [`BackupError`]
    pub async fn make_if_due(&self) -> Result<Option<Backup>, BackupError> {
        let made = self.try_if_due().await;
        let failure = match &made {
            Ok(None) => return made,
            Ok(Some(backup)) => {
                tracing::info!(path = %backup.path.display(), rows = backup.counts.rows, "a backup was made and read back");
                None
            }
            Err(error) => {
                tracing::error!(%error, "the backup that is due was not made; it is tried again");
                Some(BackupFailure {
                    at: self.0.clock.now(),
                    sentence: error.to_string(),
                })
            }
        };
        *self
            .0
            .failure
            .write()
            .unwrap_or_else(PoisonError::into_inner) = failure;
        made
    }

    async fn try_if_due(&self) -> Result<Option<Backup>, BackupError> {
        let _turn = self.0.turn.lock().await;
        let now = self.0.clock.now();
        if !self.on_shelf(move |shelf| shelf.is_due(now)).await? {
            return Ok(None);
        }
        let path = self.0.shelf.place_for(now, true);
        let quiet: Progress<'_> = &|_, _, _| {};
        let backup = self.0.store.back_up(&path, now, quiet).await?;
        self.on_shelf(Shelf::remove_old).await?;
        Ok(Some(backup))
    }

    /// What the last backup that was due failed of, if it did.
    #[must_use]
    pub fn failure(&self) -> Option<BackupFailure> {
        let failure = self.0.failure.read();
        failure.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The backups that are there, the newest first.
    ///
    /// # Errors
    /// [`BackupError::File`] when the folder cannot be read.
    pub async fn list(&self) -> Result<Vec<Shelved>, BackupError> {
        self.on_shelf(Shelf::list).await
    }

    async fn on_shelf<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shelf) -> io::Result<T> + Send + 'static,
    ) -> Result<T, BackupError> {
        let copy = self.0.shelf.clone();
        let folder = copy.folder.clone();
        let done = spawn_blocking(move || work(&copy)).await;
        done.unwrap_or_else(|cut_short| Err(cut_short.into()))
            .map_err(|source| BackupError::File {
                path: folder,
                source,
            })
    }

    /// Looks from time to time whether one is due. One that is being made when the gateway ends is given up, and made after
    /// the next start.
    pub(super) fn keep_making(self, stop: CancellationToken) -> JoinHandle<()> {
        tokio::spawn(async move {
            let mut ticks = interval_at(Instant::now() + FIRST_LOOK, LOOK_EVERY);
            let work = async {
                loop {
                    ticks.tick().await;
                    // Logged, and shown by the doctor.
                    let _ = self.make_if_due().await;
                }
            };
            stop.run_until_cancelled(work).await;
        })
    }
}
