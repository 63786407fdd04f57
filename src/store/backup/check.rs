//! Reading a backup back, down to the last record.
//!
//! Owns the proof that a file is a backup that a store could be made of: every part of it is authentic, and every record in
//! it opens. A group is checked as a store of its own in memory, so a backup of any size is read with little of it. Refuses
//! to know where the store is that it was made of.

use std::mem;
use std::path::Path;

use super::format::{Entry, Mark, Reader};
use super::keeping::{Keeping, table_of};
use super::{Backup, BackupError, Progress, Stage};
use crate::base::Random;
use crate::store::backend::{Backend, Row};
use crate::store::memory::Memory;
use crate::store::{INDEX_KEY, IndexKey, MasterKey, Store, StoreError, wrapping};

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

    /// The same for a file that is still a draft: `named` is what it will be called.
    pub(super) async fn check_backup_as(
        &self,
        path: &Path,
        named: &Path,
        progress: Progress<'_>,
    ) -> Result<Backup, BackupError> {
        let (key, random) = (&self.0.master_key, &self.0.random);
        check(path, named, key, random, progress).await
    }
}

async fn check(
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
        let store = store_of(rows.collect(), self.path, self.key, self.random)?;
        for (key, sealed) in &group {
            let key = String::from_utf8_lossy(key);
            if let Err(error) = store.0.open_record(&key, sealed).await {
                self.damaged += 1;
                self.first.get_or_insert(error);
            }
        }
        Ok(())
    }
}

/// A store in memory with these rows.
fn store_of(
    rows: Vec<Row>,
    path: &Path,
    key: &MasterKey,
    random: &Random,
) -> Result<Store, BackupError> {
    let wrapped = rows.iter().find(|(key, _)| key == INDEX_KEY.as_bytes());
    let index_key = wrapped.and_then(|(_, wrapped)| {
        let opened = wrapping(key, random).open(INDEX_KEY.as_bytes(), wrapped);
        <[u8; 32]>::try_from(opened.ok()?.as_slice()).ok()
    });
    let index_key = index_key.ok_or_else(|| {
        BackupError::damaged(
            path,
            "the record that holds its index key is missing or changed",
        )
    })?;
    let memory = Memory::default();
    for (key, value) in rows {
        memory.swap(&key, None, Some(&value));
    }
    let backend = Backend::Memory(memory);
    Ok(Store::with(
        backend,
        IndexKey(index_key),
        key.clone(),
        random.clone(),
    ))
}

/// What of a table is sealed: notes are not, and keys are opened by the opening of the store.
pub(super) fn is_sealed(full_key: &str) -> bool {
    !matches!(Keeping::of(full_key), Keeping::First | Keeping::Note) && table_of(full_key) != "exp"
}
