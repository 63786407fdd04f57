//! From a file to a store.
//!
//! Owns the steps: the file is read and the store filled in a folder of its own, every record is opened, what a restored
//! credential may not be trusted with is written into it, and only then the store takes its place. Refuses to know who asks.

use std::fs::File;
use std::path::PathBuf;

use futures::stream::FuturesUnordered;
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::format::{Entry, Reader};
use super::group::{self, Groups};
use super::keeping::Keeping;
use super::place::{Place, tidy};
use super::{Backup, BackupError, Progress, RestoreError, Stage, make};
use crate::base::{Random, Timestamp};
use crate::store::backend::{Backend, KeyRange, Order, Row, Swap};
use crate::store::reads::Reads;
use crate::store::sled::Sled;
use crate::store::{
    MasterKey, OpenError, Origin, Record, Settings, SpaceSettings, Store, StoreError, WriteError,
    examine,
};

/// How many writes are under way at once, so that they share syncs.
const AT_ONCE: usize = 512;
/// How many rows are read in one go.
const PAGE: usize = 256;
/// How many times the length of a backup its store takes up while it is filled.
const ROOM: u64 = 4;
/// How many connections and agents are named.
const NAMED: usize = 1_000;

/// A restore, before it is done.
#[derive(Clone, Debug)]
pub struct Restore {
    /// Where the store goes.
    pub settings: Settings,
    /// The backup.
    pub backup: PathBuf,
    /// Whether a store that is there is moved aside.
    pub replace: bool,
    /// The name of the folder that it is moved to, inside the data folder.
    pub aside: String,
}

/// A store that was restored, and what can not be known of it.
#[derive(Clone, Debug)]
pub struct Restored {
    /// What it was made of.
    pub backup: Backup,
    /// How many records in it cannot be read, as in the store that the backup was made of.
    pub damaged: u64,
    /// Where the store is that was there before.
    pub aside: Option<PathBuf>,
    /// How many credentials have a refresh token that may have been used since the backup was made.
    pub doubted: usize,
    /// Connections that work again, be it that they were removed since. At most a thousand.
    pub connections: Vec<ConnectionBack>,
    /// Agents that work again, by name. At most a thousand.
    pub agents: Vec<String>,
}

/// A connection that a restore brought back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionBack {
    /// Whose it is.
    pub person: String,
    /// To which service.
    pub service: String,
    /// As which account.
    pub account: String,
}

impl Restore {
    /// Does it. Whoever calls this is alone with the data folder; a cut at any moment leaves the store that was there or the
    /// new one, and the next start or restore clears the rest away.
    ///
    /// # Errors
    /// [`RestoreError`]; what was there before is as it was.
    pub async fn run(
        &self,
        key: &MasterKey,
        random: &Random,
        progress: Progress<'_>,
    ) -> Result<Restored, RestoreError> {
        let place = Place::of(&self.settings);
        tidy(&self.settings).map_err(RestoreError::folder(&self.settings.data_dir))?;
        let reader = Reader::open(&self.backup, key, random).await?;
        if self.settings.store_dir().exists() && !self.replace {
            return Err(RestoreError::StoreExists(self.settings.store_dir()));
        }
        let held = self.hold_the_old_one()?;
        let done = self.build(&place, reader, key, random, progress).await;
        let restored = match done {
            Ok(restored) => restored,
            Err(error) => {
                // What cannot be removed now is removed by the next start.
                let _ = tidy(&self.settings);
                return Err(error);
            }
        };
        let taken = spawn_blocking(move || place.take()).await;
        let aside = taken
            .unwrap_or_else(|cut_short| Err(cut_short.into()))
            .map_err(RestoreError::folder(&self.settings.data_dir))?;
        drop(held);
        Ok(Restored { aside, ..restored })
    }

    /// Keeps others from opening the store that is there, and sees that nobody has.
    fn hold_the_old_one(&self) -> Result<Option<File>, RestoreError> {
        if !self.settings.store_exists() {
            return Ok(None);
        }
        match examine::lock(self.settings.log_file())? {
            Some(held) => Ok(Some(held)),
            None => Err(RestoreError::Store(OpenError::InUse {
                folder: self.settings.store_dir(),
            })),
        }
    }

    async fn build(
        &self,
        place: &Place,
        reader: Reader,
        key: &MasterKey,
        random: &Random,
        progress: Progress<'_>,
    ) -> Result<Restored, RestoreError> {
        let begun = place.begin(&self.aside);
        begun.map_err(RestoreError::folder(&self.settings.data_dir))?;
        make::has_room(
            &self.settings.data_dir,
            reader.position().1.saturating_mul(ROOM),
        )?;
        let settings = Settings {
            data_dir: place.building(),
            probe: None,
            // A folder for a while: it keeps no ballast, and the room was looked at before.
            space: SpaceSettings {
                floor_bytes: Some(0),
                ballast_bytes: Some(0),
            },
            ..self.settings.clone()
        };
        let backup = self.fill(&settings, reader, progress).await?;
        let store = Store::open_from(
            Origin::Backup,
            &settings,
            key.clone().into(),
            random.clone(),
        )
        .await?;
        let made = backup.header.made;
        let finished = async {
            let damaged = store.open_every_record(progress).await?;
            let doubted = store.doubt_credentials(made).await?;
            let (connections, agents) = store.who_is_back().await?;
            Ok(Restored {
                backup,
                damaged,
                aside: None,
                doubted,
                connections,
                agents,
            })
        };
        let finished = finished.await;
        store.close().await;
        finished
    }

    /// Writes every row of the backup into a new store.
    async fn fill(
        &self,
        settings: &Settings,
        reader: Reader,
        progress: Progress<'_>,
    ) -> Result<Backup, RestoreError> {
        let sled = Sled::open(
            settings.store_dir(),
            settings.cache_bytes,
            settings.space,
            Reads::new(0),
        );
        let sled = sled.await?;
        let backend = Backend::Sled(sled);
        let filled = pour(reader, &backend, progress).await;
        backend.close().await;
        let reader = filled?;
        Ok(Backup {
            path: self.backup.clone(),
            header: reader.header().clone(),
            counts: reader.counts().clone(),
            bytes: reader.position().1,
        })
    }
}

/// Writes every row into `backend`. The reader comes back once it has seen the end of its file.
async fn pour(
    mut reader: Reader,
    backend: &Backend,
    progress: Progress<'_>,
) -> Result<Reader, BackupError> {
    let mut writes = FuturesUnordered::new();
    while let Some(entry) = reader.next().await? {
        writes.push(write(backend, entry));
        if writes.len() >= AT_ONCE {
            writes.try_next().await?;
            let (read, length) = reader.position();
            progress(Stage::Reading, read, Some(length));
        }
    }
    while writes.try_next().await?.is_some() {}
    Ok(reader)
}

/// A note may stand in a backup twice; it is the same note.
async fn write(backend: &Backend, entry: Entry) -> Result<(), StoreError> {
    match backend.swap(&entry.key, None, Some(&entry.value)).await? {
        Swap::Done | Swap::Conflict => Ok(()),
        Swap::Unknown => Err(StoreError::Unknown { key: entry.key }),
    }
}

impl Store {
    /// Opens every record of a store that was just filled. Answers how many are not as they should be.
    async fn open_every_record(&self, progress: Progress<'_>) -> Result<u64, RestoreError> {
        let (mut records, mut damaged) = (0, 0);
        let mut look = async |rows: &[Row]| -> Result<(), StoreError> {
            for error in self.wrong_in(rows).await? {
                tracing::warn!(%error, "a record of the backup is not as it should be; the rest is restored");
                damaged += 1;
            }
            records += rows.len() as u64;
            progress(Stage::Checking, records, None);
            tokio::task::yield_now().await;
            Ok(())
        };
        let mut groups = Groups::of(&self.0.backend);
        while let Some(group) = groups.next().await? {
            look(&group::read(&self.0.backend, &group).await?).await?;
        }
        let mut pages = Pages::of(self, "");
        while let Some(rows) = pages.next().await? {
            for (key, sealed) in rows {
                if Keeping::of(&key) == Keeping::Plain {
                    look(&[(key.into_bytes(), sealed)]).await?;
                }
            }
        }
        Ok(damaged)
    }

    /// Takes every refresh token as one that may be spent. Answers how many there are.
    async fn doubt_credentials(&self, made: Timestamp) -> Result<usize, RestoreError> {
        let mut pages = Pages::of(self, "cre/");
        let mut doubted = 0;
        while let Some(rows) = pages.next().await? {
            let keys = rows.iter().filter_map(|(key, _)| key.strip_prefix("cre/"));
            doubted += stream::iter(keys)
                .map(|key| self.doubt_credential(key, made))
                .buffer_unordered(AT_ONCE)
                .try_fold(0, async |sum, one| Ok(sum + usize::from(one)))
                .await?;
        }
        Ok(doubted)
    }

    async fn doubt_credential(&self, key: &str, made: Timestamp) -> Result<bool, StoreError> {
        let credentials = self.credentials();
        let record = match credentials.get(key).await {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(false),
            // It cannot be used either; whoever needs it is told.
            Err(error) if error.record().is_some() => return Ok(false),
            Err(error) => return Err(error),
        };
        let Some(doubted) = record.value.doubted(made) else {
            return Ok(false);
        };
        match credentials.replace(&record, &doubted).await {
            Ok(_) => Ok(true),
            // Nobody else has this store.
            Err(WriteError::Conflict) => Ok(false),
            Err(WriteError::Store(error)) => Err(error),
        }
    }

    /// The connections and agents that work again.
    async fn who_is_back(&self) -> Result<(Vec<ConnectionBack>, Vec<String>), RestoreError> {
        let mut connections = Vec::new();
        let mut pages = Pages::of(self, "con/");
        while let Some(rows) = pages.next().await? {
            for (key, _) in rows {
                if connections.len() == NAMED {
                    break;
                }
                let key = key.strip_prefix("con/").unwrap_or_default();
                let found = readable(self.connections().get(key).await)?;
                if let Some(found) = found.filter(|found| found.status.is_connected()) {
                    let person = readable(self.people().get(found.person.as_str()).await)?;
                    connections.push(ConnectionBack {
                        person: person
                            .map_or_else(|| found.person.to_string(), |person| person.name),
                        service: found.service,
                        account: found.account.label,
                    });
                }
            }
        }
        let agents = self.agents().list("", NAMED).await?.records;
        let agents = agents.into_iter().map(|agent| agent.value.name).collect();
        Ok((connections, agents))
    }
}

/// The value, if it can be read.
fn readable<V>(found: Result<Option<Record<V>>, StoreError>) -> Result<Option<V>, StoreError> {
    match found {
        Ok(found) => Ok(found.map(|record| record.value)),
        Err(error) if error.record().is_some() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Rows of a store, some at a time.
struct Pages<'a> {
    backend: &'a Backend,
    range: KeyRange,
}

impl<'a> Pages<'a> {
    fn of(store: &'a Store, prefix: &str) -> Self {
        Self {
            backend: &store.0.backend,
            range: KeyRange::prefix(prefix),
        }
    }

    async fn next(&mut self) -> Result<Option<Vec<(String, Vec<u8>)>>, StoreError> {
        let rows = self
            .backend
            .scan(&self.range, Order::Ascending, PAGE)
            .await?;
        let Some((last, _)) = rows.last() else {
            return Ok(None);
        };
        self.range = self.range.clone().past(last, Order::Ascending);
        let text =
            |(key, value): (Vec<u8>, Vec<u8>)| (String::from_utf8_lossy(&key).into_owned(), value);
        Ok(Some(rows.into_iter().map(text).collect()))
    }
}
