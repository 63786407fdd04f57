//! Which format the store as a whole has, and how an older one becomes this one.
//!
//! Owns the record `store/format`, and the one time at which manifests are made of whatever is there. Refuses to do that
//! twice: what vanished since would be forgotten. So the root says that it is going on before the first manifest is
//! written, and that it is over once the format is; a store in which only one of the two can be read is told from one that
//! was never upgraded.
//!
//! Formats: 1 had no manifests, and no record of its format; 2 has both.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use futures::future::join_all;
use tokio::task::spawn_blocking;

use super::backend::{KeyRange, Order, Swap, Urgency};
use super::error::{OpenError, StoreError};
use super::manifest::{Entries, Entry, Group, MANIFESTS, State, group_of, tables};
use super::root::{self, Floor, GroupDigest, Head, Loaded, MadeAnew, Root, Stage};
use super::seal::Seal;
use super::{Inner, Settings, envelope};
use crate::base::Random;

/// The format that this version writes.
const FORMAT: u8 = 2;

/// The record that says which format the store has.
const KEY: &str = "store/format";

/// The root's file, in the store's folder.
const ROOT: &str = "manifest-root";

/// How many rows are looked at together, so that the writes about them share a sync.
const PAGE: usize = 256;

/// Where the rows of a store come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// They were found where they are kept, and their root with them.
    Disk,
    /// They were just copied from a backup, which has no root: it vouches for them itself.
    Backup,
}

/// What the root's file was found to be.
enum OnFile {
    Absent,
    Damaged(io::Error),
    Sound(Loaded),
}

/// What is needed to open a root.
struct Place {
    path: PathBuf,
    settings: Settings,
    seal: Box<dyn Fn() -> Seal + Send + Sync>,
    random: Random,
}

impl Inner {
    /// Makes sure that the store has this version's format, and opens its root.
    ///
    /// # Errors
    /// [`OpenError`]: a later format, or one that can no longer be told.
    pub(super) async fn admit(
        self: &Arc<Self>,
        origin: Origin,
        settings: &Settings,
        random: &Random,
    ) -> Result<(), OpenError> {
        let own = Arc::clone(self);
        let nonces = random.clone();
        let place = Place {
            path: settings.store_dir().join(ROOT),
            settings: settings.clone(),
            seal: Box::new(move || Seal::new(&own.index_key.of_root(), nonces.clone())),
            random: random.clone(),
        };
        let format = self.format().await.map_err(|error| place.unusable(error))?;
        let root = match (format, place.load().await?) {
            (Some(later), _) if later > FORMAT => {
                return Err(OpenError::NewerFormat {
                    folder: settings.store_dir(),
                    format: later,
                });
            }
            (Some(_), OnFile::Sound(loaded)) => place.resume(loaded)?,
            (Some(_), OnFile::Absent) if origin == Origin::Backup => {
                let floors = self.floors().await.map_err(|error| place.unusable(error))?;
                let head = Head {
                    stage: Stage::Settled,
                    made_anew: None,
                };
                place.make(head, floors).await?
            }
            (Some(_), OnFile::Absent) => self.make_anew(&place, MadeAnew::Missing).await?,
            (Some(_), OnFile::Damaged(error)) => {
                tracing::error!(%error, "the root of the manifests is damaged");
                self.make_anew(&place, MadeAnew::Damaged).await?
            }
            (None, OnFile::Sound(loaded)) if loaded.head.stage == Stage::Upgrading => {
                place.resume(loaded)?
            }
            (None, OnFile::Absent) if !self.has_manifests(&place).await? => {
                let head = Head {
                    stage: Stage::Upgrading,
                    made_anew: None,
                };
                place.make(head, HashMap::new()).await?
            }
            (None, _) => return Err(place.lost_its_format()),
        };
        let root = self.root.get_or_init(|| root);
        if format.is_none() {
            let upgraded = async {
                self.list_what_is_there().await?;
                self.write_format().await
            };
            upgraded.await.map_err(|error| place.unusable(error))?;
        }
        let head = root.head();
        if head.stage == Stage::Upgrading {
            let stage = Stage::Settled;
            root.rewrite(Head { stage, ..head }, None);
        }
        Ok(())
    }

    async fn format(&self) -> Result<Option<u8>, StoreError> {
        let Some(sealed) = self.backend.get(KEY).await? else {
            return Ok(None);
        };
        let envelope = self.open_record(KEY, &sealed).await?;
        envelope.value(KEY).map(Some)
    }

    async fn write_format(&self) -> Result<(), StoreError> {
        let plaintext = envelope::compose(KEY, &FORMAT, 1, None)?;
        let sealed = self.seal_record(KEY, &plaintext).await?;
        match self
            .confirmed(KEY, None, Some(&sealed), Urgency::Usual)
            .await?
        {
            Swap::Done | Swap::Conflict => Ok(()),
            Swap::Unknown => Err(StoreError::Unknown {
                key: KEY.to_owned(),
            }),
        }
    }

    async fn has_manifests(&self, place: &Place) -> Result<bool, OpenError> {
        let range = KeyRange::prefix(&format!("{MANIFESTS}/"));
        let rows = self.backend.scan(&range, Order::Ascending, 1).await;
        rows.map(|rows| !rows.is_empty())
            .map_err(|error| place.unusable(error))
    }

    /// Makes the root of the manifests that are there: what was rolled back before now is not told any more.
    async fn make_anew(&self, place: &Place, why: MadeAnew) -> Result<Root, OpenError> {
        tracing::error!(
            file = %place.path.display(),
            "the root of the manifests is {}; it is made anew from what is there, so a person's records that were all lost, or all put back, cannot be told any more: look with `attache store verify`",
            match why {
                MadeAnew::Missing => "missing",
                MadeAnew::Damaged => "damaged",
            }
        );
        let floors = self.floors().await.map_err(|error| place.unusable(error))?;
        let head = Head {
            stage: Stage::Settled,
            made_anew: Some(why),
        };
        place.make(head, floors).await
    }

    /// The generations of all manifests that can be opened.
    pub(super) async fn floors(&self) -> Result<HashMap<GroupDigest, Floor>, StoreError> {
        let mut floors = HashMap::new();
        let mut range = KeyRange::prefix(&format!("{MANIFESTS}/"));
        loop {
            let rows = self.backend.scan(&range, Order::Ascending, PAGE).await?;
            let Some((last, _)) = rows.last() else {
                return Ok(floors);
            };
            range = range.past(last, Order::Ascending);
            for (key, sealed) in rows {
                let Some(group) = Group::of_manifest(&String::from_utf8_lossy(&key)) else {
                    continue;
                };
                match self.open_roll(&group, sealed).await {
                    Ok(roll) => {
                        let floor = roll.generation.to_be_bytes();
                        floors.insert(root::digest(&group), floor);
                    }
                    Err(error) if error.record().is_some() => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }

    /// Lists every record that there is. What is listed already stays as it is, so it can be begun again.
    async fn list_what_is_there(&self) -> Result<(), StoreError> {
        let mut records = 0;
        for table in tables() {
            let mut range = KeyRange::prefix(&format!("{table}/"));
            loop {
                let rows = self.backend.scan(&range, Order::Ascending, PAGE).await?;
                let Some((last, _)) = rows.last() else {
                    break;
                };
                range = range.past(last, Order::Ascending);
                records += rows.len();
                let mut by_group: HashMap<Group, Vec<(String, u64)>> = HashMap::new();
                for (key, sealed) in rows {
                    let key = String::from_utf8_lossy(&key).into_owned();
                    // One that cannot be opened is listed all the same: it is damaged, not added.
                    let opened = self.open_record(&key, &sealed).await;
                    let generation = opened.map_or(0, |envelope| envelope.generation);
                    if let Some(group) = group_of(&key) {
                        by_group.entry(group).or_default().push((key, generation));
                    }
                }
                let listed = by_group
                    .iter()
                    .map(|(group, rows)| self.list_rows(group, rows));
                for outcome in join_all(listed).await {
                    outcome?;
                }
            }
        }
        if records > 0 {
            tracing::info!(records, "the store of an earlier version has manifests now");
        }
        Ok(())
    }

    async fn list_rows(&self, group: &Group, rows: &[(String, u64)]) -> Result<(), StoreError> {
        loop {
            let before = self.roll(group).await?;
            let mut entries: Entries = before.entries.clone();
            for (key, floor) in rows {
                if entries.get(key).is_none() {
                    let (floor, state) = (*floor, State::Present);
                    entries.put(key, Entry { floor, state });
                }
            }
            if entries == before.entries {
                return Ok(());
            }
            let urgency = Urgency::Usual;
            if self.replace_roll(group, &before, entries, urgency).await? {
                return Ok(());
            }
        }
    }
}

impl Place {
    async fn load(&self) -> Result<OnFile, OpenError> {
        let (path, seal) = (self.path.clone(), (self.seal)());
        let loaded = spawn_blocking(move || root::load(&path, &seal)).await;
        match loaded.unwrap_or_else(|cut_short| Err(cut_short.into())) {
            Ok(Some(loaded)) => Ok(OnFile::Sound(loaded)),
            Ok(None) => Ok(OnFile::Absent),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(OnFile::Damaged(error)),
            Err(error) => Err(self.cannot_use(error)),
        }
    }

    fn resume(&self, loaded: Loaded) -> Result<Root, OpenError> {
        Root::resume(self.path.clone(), loaded, (self.seal)(), &self.random)
            .map_err(|error| self.cannot_use(error))
    }

    async fn make(
        &self,
        head: Head,
        floors: HashMap<GroupDigest, Floor>,
    ) -> Result<Root, OpenError> {
        let (path, seal, random) = (self.path.clone(), (self.seal)(), self.random.clone());
        spawn_blocking(move || Root::make(path, head, floors, seal, &random))
            .await
            .unwrap_or_else(|cut_short| Err(cut_short.into()))
            .map_err(|error| self.cannot_use(error))
    }

    fn cannot_use(&self, source: io::Error) -> OpenError {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => OpenError::NoSpace {
                folder: self.settings.store_dir(),
            },
            _ => OpenError::Folder {
                path: self.path.clone(),
                source,
            },
        }
    }

    fn unusable(&self, error: StoreError) -> OpenError {
        let folder = self.settings.store_dir();
        match error {
            StoreError::NewerFormat { format, .. } => OpenError::NewerFormat { folder, format },
            StoreError::NoSpace => OpenError::NoSpace { folder },
            other => OpenError::Damaged {
                folder,
                detail: other.to_string(),
            },
        }
    }

    fn lost_its_format(&self) -> OpenError {
        OpenError::Damaged {
            folder: self.settings.store_dir(),
            detail: "the record that says which format it has is missing".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
