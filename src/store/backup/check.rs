//! Reading a backup back, down to the last record.
//!
//! Owns the proof that a file is a backup that a store could be made of: every part of it is authentic, and every record in
//! it opens. A group is checked as a store of its own in memory, so a backup of any size is read with little of it. Refuses
//! to know where the store is that it was made of.

use std::collections::HashMap;
use std::mem;
use std::path::Path;

use super::format::{Entry, Mark, Reader};
use super::keeping::Keeping;
use super::{Backup, BackupError, Progress, Stage};
use crate::base::Random;
use crate::store::backend::{Backend, Row};
use crate::store::manifest::{Group, Verdict, group_of};
use crate::store::memory::Memory;
use crate::store::{MasterKey, MasterKeys, Store, StoreError};

impl Store {
    /// Reads the backup at `path` to its end, authenticates all of it, and opens every record in it.
    ///
    /// # Errors
    /// [`BackupError`]; [`BackupError::Records`] when the file is whole and records in it are not.
    pub async fn check_backup(
        path: &Path,
        key: &MasterKey,
        random: &Random,
        progress: Progress<'_>,
    ) -> Result<Backup, BackupError> {
        check(path, path, key, random, progress).await
    }
}

/// The same for a file that is still a draft: `named` is what it will be called.
pub(super) async fn check(
    path: &Path,
    named: &Path,
    key: &MasterKey,
    random: &Random,
    progress: Progress<'_>,
) -> Result<Backup, BackupError> {
    let mut reader = Reader::open(path, key, random).await?;
    let mut bench = Bench::new(named, key, random);
    while let Some(entry) = reader.next().await? {
        if bench.add(entry).await? {
            let (read, length) = reader.position();
            progress(Stage::Reading, read, Some(length));
            // Opening records waits for nothing, so the others must be let in.
            tokio::task::yield_now().await;
        }
    }
    let counts = reader.counts().clone();
    bench.conclude(counts.rows).await?;
    Ok(Backup {
        path: named.to_owned(),
        header: reader.header().clone(),
        counts,
        bytes: reader.position().1,
    })
}

/// Where the rows of a backup are opened.
struct Bench<'a> {
    path: &'a Path,
    key: &'a MasterKey,
    random: &'a Random,
    /// The rows without which nothing opens.
    own: Vec<Row>,
    /// The group that is being read.
    group: Vec<Row>,
    damaged: u64,
    first: Option<StoreError>,
}

impl<'a> Bench<'a> {
    fn new(path: &'a Path, key: &'a MasterKey, random: &'a Random) -> Self {
        Self {
            path,
            key,
            random,
            own: Vec::new(),
            group: Vec::new(),
            damaged: 0,
            first: None,
        }
    }

    /// Takes the next row. Answers whether rows were opened.
    async fn add(&mut self, entry: Entry) -> Result<bool, BackupError> {
        let Entry { mark, key, value } = entry;
        let row = (key.clone().into_bytes(), value);
        let begins = mark != Mark::Further;
        let opened = begins && !self.group.is_empty();
        if opened {
            self.open_group().await?;
        }
        match (Keeping::of(&key), mark) {
            (Keeping::First, _) => self.own.push(row),
            (Keeping::Note, _) => {}
            (_, Mark::First | Mark::Further) => self.group.push(row),
            (_, Mark::Alone) => {
                self.group.push(row);
                self.open_group().await?;
                return Ok(true);
            }
        }
        Ok(opened)
    }

    async fn conclude(mut self, records: u64) -> Result<(), BackupError> {
        // Even an empty store has its index key.
        self.open_group().await?;
        match self.first {
            None => Ok(()),
            Some(first) => Err(BackupError::Records {
                path: self.path.to_owned(),
                damaged: self.damaged,
                records,
                first,
            }),
        }
    }

    /// Opens the rows of the group that was read, in a store that has nothing else.
    async fn open_group(&mut self) -> Result<(), BackupError> {
        let group = mem::take(&mut self.group);
        let rows = self.own.iter().chain(&group).cloned();
        let store = store_of(rows.collect(), self.path, self.key, self.random).await?;
        for error in store.wrong_in(&group).await? {
            self.damaged += 1;
            self.first.get_or_insert(error);
        }
        Ok(())
    }
}

impl Store {
    /// What is wrong with these rows, which are all of a group, or stand alone: those that do not open, and those that the
    /// manifest among them misses, does not know, or knows to be older than they may be.
    pub(super) async fn wrong_in(&self, rows: &[Row]) -> Result<Vec<StoreError>, StoreError> {
        let mut wrong = Vec::new();
        let mut found = HashMap::new();
        let mut group = None;
        for (key, sealed) in rows {
            let key = String::from_utf8_lossy(key).into_owned();
            group = group.or_else(|| Group::of_manifest(&key).or_else(|| group_of(&key)));
            match self.0.open_record(&key, sealed).await {
                Ok(envelope) => drop(found.insert(key, Some(envelope.generation))),
                Err(error) if error.record().is_some() => {
                    found.insert(key, None);
                    wrong.push(error);
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(group) = group {
            wrong.extend(self.wrong_by_manifest(&group, &found).await?);
        }
        Ok(wrong)
    }

    async fn wrong_by_manifest(
        &self,
        group: &Group,
        found: &HashMap<String, Option<u64>>,
    ) -> Result<Vec<StoreError>, StoreError> {
        let roll = match self.0.roll(group).await {
            Ok(roll) => roll,
            // It was found out with the other rows.
            Err(error) if error.record().is_some() => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let listed = roll.entries.iter().map(|(key, _)| key);
        let not_found = listed.filter(|key| !found.contains_key(*key));
        let absent = not_found.map(|key| (key, None));
        let present = found.iter().filter(|(key, _)| group_of(key).is_some());
        // What does not open was found out already.
        let present =
            present.filter_map(|(key, generation)| Some((key.as_str(), Some((*generation)?))));
        let judged = absent.chain(present).filter_map(|(key, generation)| {
            let key = || key.to_owned();
            match roll.entries.judge(&key(), generation) {
                Verdict::Here | Verdict::Nothing | Verdict::Outlived => None,
                Verdict::Missing => Some(StoreError::Missing { key: key() }),
                Verdict::RolledBack => Some(StoreError::RolledBack { key: key() }),
                Verdict::Unlisted => Some(StoreError::Unlisted { key: key() }),
            }
        });
        Ok(judged.collect())
    }
}

/// A store in memory with these rows.
async fn store_of(
    rows: Vec<Row>,
    path: &Path,
    key: &MasterKey,
    random: &Random,
) -> Result<Store, BackupError> {
    let memory = Memory::default();
    for (key, value) in rows {
        memory.swap(&key, None, Some(&value));
    }
    let master_keys = MasterKeys::from(key.clone());
    let opened = Store::of_backend(Backend::Memory(memory), master_keys, random).await;
    opened.ok_or_else(|| {
        BackupError::damaged(
            path,
            "the records that hold its keys are missing or changed",
        )
    })
}
