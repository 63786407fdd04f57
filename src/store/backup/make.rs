//! From a store to a file, while the store is written to.

use std::borrow::Cow;
use std::path::Path;

use rustix::fs::statvfs;

use super::draft::{Draft, folder_of};
use super::format::{BackupHeader, Mark, Writer};
use super::group::{self, Groups};
use super::keeping::{Keeping, table_of};
use super::{Backup, BackupError, Progress, Stage, check};
use crate::base::Timestamp;
use crate::store::backend::{Backend, KeyRange, Order, Row};
use crate::store::{Store, due};

/// How many rows are read in one go.
const PAGE: usize = 256;
/// What stays free on a disk that a backup is written to: 64 MiB.
pub(super) const RESERVE: u64 = 64 << 20;
/// Notes that come due within this many seconds may be followed, and so dropped, while the backup is made.
const MEANWHILE: i64 = 3_600;

impl Store {
    /// Makes a backup at `path`, whose folder is made when it is missing, and reads it back to its end. Calls of the store
    /// go on meanwhile.
    ///
    /// # Errors
    /// [`BackupError`]. Nothing is left at `path` then, with one exception: a file whose records cannot all be read, as in
    /// the store itself ([`BackupError::Records`]), is kept, since it is the best copy that there is.
    pub async fn back_up(
        &self,
        path: &Path,
        now: Timestamp,
        progress: Progress<'_>,
    ) -> Result<Backup, BackupError> {
        let steady = self.0.keys.steady().await.ok_or(BackupError::KeysChange)?;
        let (key, random) = (steady.master_key(), self.0.keys.random());
        let (draft, file) = Draft::begin(path, random)?;
        self.see_that_it_fits(folder_of(path)).await?;
        let header = BackupHeader::new(now, key, random);
        let file = tokio::fs::File::from_std(file);
        let writer = Writer::begin(file, path, &header, key, random).await?;
        self.write_rows(writer, now, progress).await?;
        let read_back = check::check(draft.path(), path, key, random, progress).await;
        match read_back {
            Ok(backup) => {
                draft.place()?;
                Ok(backup)
            }
            Err(damaged @ BackupError::Records { .. }) => {
                draft.place()?;
                Err(damaged)
            }
            Err(error) => Err(error),
        }
    }

    async fn write_rows(
        &self,
        mut writer: Writer,
        now: Timestamp,
        progress: Progress<'_>,
    ) -> Result<(), BackupError> {
        let backend = &self.0.backend;
        let keys = first(backend).await?;
        for (key, value) in &keys {
            writer.put(Mark::Alone, &text(key), value).await?;
        }
        write_pressing_notes(backend, &mut writer, now, progress).await?;
        let mut groups = Groups::of(backend);
        while let Some(group) = groups.next().await? {
            let rows = group::read(backend, &group).await?;
            let mut mark = Mark::First;
            for (key, value) in rows {
                writer.put(mark, &text(&key), &value).await?;
                mark = Mark::Further;
            }
            progress(Stage::Writing, writer.rows(), None);
        }
        write_the_rest(backend, &mut writer, progress).await?;
        if first(backend).await? != keys {
            return Err(BackupError::KeysChanged);
        }
        writer.finish().await
    }

    /// A full disk ends more than a backup, so it is looked at first.
    async fn see_that_it_fits(&self, folder: &Path) -> Result<(), BackupError> {
        let size = self.0.backend.bytes_on_disk().await?;
        has_room(folder, size)
    }
}

/// Whether `bytes` more fit into `folder` beside the reserve.
pub(super) fn has_room(folder: &Path, bytes: u64) -> Result<(), BackupError> {
    let known = statvfs(folder).map_err(|error| BackupError::file(folder)(error.into()))?;
    let free = known.f_bavail.saturating_mul(known.f_frsize);
    let needed = bytes.saturating_add(RESERVE);
    if free < needed {
        let folder = folder.to_owned();
        return Err(BackupError::NoSpace {
            folder,
            needed,
            free,
        });
    }
    Ok(())
}

/// The rows without which nothing opens.
async fn first(backend: &Backend) -> Result<Vec<Row>, BackupError> {
    let range = KeyRange::prefix("store/");
    Ok(backend.scan(&range, Order::Ascending, usize::MAX).await?)
}

/// A note is written before its record and dropped after it: one that is followed while the backup is made must be in it,
/// since the record may be.
async fn write_pressing_notes(
    backend: &Backend,
    writer: &mut Writer,
    now: Timestamp,
    progress: Progress<'_>,
) -> Result<(), BackupError> {
    let soon = due::minute(Timestamp::from_unix(
        now.as_unix().saturating_add(MEANWHILE),
    ));
    let mut range = KeyRange::prefix(&format!("{}/", due::NOTES));
    range.to = Some(format!("{}/{soon:012}/", due::NOTES).into_bytes());
    for range in [range, KeyRange::prefix(&format!("{}/", due::LANES))] {
        write_range(backend, writer, range, progress).await?;
    }
    Ok(())
}

/// Everything that was not written yet: notes in full, and tables that stand alone. Tables that are left out or done are
/// passed over in one step.
async fn write_the_rest(
    backend: &Backend,
    writer: &mut Writer,
    progress: Progress<'_>,
) -> Result<(), BackupError> {
    let mut range = KeyRange::prefix("");
    loop {
        let found = backend.scan(&range, Order::Ascending, 1).await?;
        let Some((key, _)) = found.first() else {
            return Ok(());
        };
        let key = text(key);
        // What has no `/` is in no table.
        let table = if key.contains('/') {
            KeyRange::prefix(&format!("{}/", table_of(&key)))
        } else {
            KeyRange {
                from: key.as_bytes().to_vec(),
                to: Some([key.as_bytes(), &[0]].concat()),
            }
        };
        match Keeping::of_whole_table(table_of(&key)) {
            Some(Keeping::First | Keeping::Grouped | Keeping::AfterPerson | Keeping::Left) => {}
            Some(Keeping::Note | Keeping::Plain) | None => {
                write_range(backend, writer, table.clone(), progress).await?;
            }
        }
        match table.to {
            Some(end) => range.from = end,
            None => return Ok(()),
        }
    }
}

/// The rows of a range, as they are found.
async fn write_range(
    backend: &Backend,
    writer: &mut Writer,
    mut range: KeyRange,
    progress: Progress<'_>,
) -> Result<(), BackupError> {
    loop {
        let rows = backend.scan(&range, Order::Ascending, PAGE).await?;
        let Some((last, _)) = rows.last() else {
            return Ok(());
        };
        range = range.past(last, Order::Ascending);
        for (key, value) in &rows {
            let key = text(key);
            if Keeping::of(&key) != Keeping::Left {
                writer.put(Mark::Alone, &key, value).await?;
            }
        }
        progress(Stage::Writing, writer.rows(), None);
    }
}

fn text(key: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(key)
}
