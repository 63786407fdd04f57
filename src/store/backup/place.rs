//! How a restored store takes the place of another.
//!
//! Owns the folders of a data folder that have to do with it, and that a cut at any moment leaves the old store or the new
//! one. Refuses to know how a store is filled.
//!
//! The new store is built in `restoring/store`, with a file `restoring` in it that says so. When it is whole, the two
//! folders change places in one step, where the file system can; then what is now in `restoring/store` is the old one, which
//! is moved to `store.before-<time>`, and at last the file is removed from the new one. So a store in `restoring/` that has
//! the file is none that anybody used, and one that has not is the old one.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::store::{Settings, folder};

const BUILDING: &str = "restoring";
const MARK: &str = "restoring";

/// The places of one data folder.
pub(super) struct Place {
    data_dir: PathBuf,
    store: PathBuf,
}

impl Place {
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            data_dir: settings.data_dir.clone(),
            store: settings.store_dir(),
        }
    }

    /// The data folder in which the new store is built.
    pub(super) fn building(&self) -> PathBuf {
        self.data_dir.join(BUILDING)
    }

    fn built(&self) -> PathBuf {
        self.building().join("store")
    }

    /// Makes the folder for the new store. `aside` is the name for the old one.
    pub(super) fn begin(&self, aside: &str) -> io::Result<()> {
        let built = self.built();
        folder::create(&built)?;
        fs::write(built.join(MARK), aside)?;
        fs::File::open(built.join(MARK))?.sync_all()?;
        folder::sync(&built)
    }

    /// Puts the new store, which is whole, durable and closed, into its place. Answers where the old one is.
    pub(super) fn take(&self) -> io::Result<Option<PathBuf>> {
        let built = self.built();
        folder::sync(&built)?;
        if !self.store.exists() {
            fs::rename(&built, &self.store)?;
            folder::sync(&self.data_dir)?;
            return self.tidy();
        }
        match renameat_with(CWD, &built, CWD, &self.store, RenameFlags::EXCHANGE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => self.take_in_two_steps()?,
            exchanged => exchanged?,
        }
        folder::sync(&self.data_dir)?;
        folder::sync(&self.building())?;
        self.tidy()
    }

    /// Where folders cannot change places: between the two steps there is no store, and the next start goes on.
    fn take_in_two_steps(&self) -> io::Result<()> {
        let built = self.built();
        let aside = self.data_dir.join(fs::read_to_string(built.join(MARK))?);
        fs::rename(&self.store, aside)?;
        folder::sync(&self.data_dir)?;
        fs::rename(built, &self.store)
    }

    /// Ends what was begun, or takes it back. Whoever calls this is alone with the data folder. Answers where a store was
    /// moved aside.
    fn tidy(&self) -> io::Result<Option<PathBuf>> {
        let (built, mark) = (self.built(), self.store.join(MARK));
        let moved = match (self.store.exists(), built.exists()) {
            // Cut between the two steps.
            (false, true) if self.was_moved_aside()? => {
                fs::rename(&built, &self.store)?;
                folder::sync(&self.data_dir)?;
                self.aside()?
            }
            // The old one, whose place was taken.
            (true, true) if mark.exists() && !built.join(MARK).exists() => {
                let aside = self.aside()?;
                if let Some(aside) = &aside {
                    fs::rename(&built, aside)?;
                    folder::sync(&self.data_dir)?;
                }
                aside
            }
            _ => None,
        };
        remove(&self.building())?;
        if mark.exists() {
            fs::remove_file(&mark)?;
            folder::sync(&self.store)?;
        }
        Ok(moved)
    }

    /// Whether the store that is being built was whole already when the old one was moved.
    fn was_moved_aside(&self) -> io::Result<bool> {
        let name = match fs::read_to_string(self.built().join(MARK)) {
            Ok(name) => name,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        Ok(is_plain(&name) && self.data_dir.join(name).exists())
    }

    /// Where the old store goes, by what the new one says.
    fn aside(&self) -> io::Result<Option<PathBuf>> {
        let name = fs::read_to_string(self.store.join(MARK))?;
        Ok(is_plain(&name).then(|| self.data_dir.join(name)))
    }
}

/// Ends a restore that was cut off, or takes it back. Does nothing where none was.
///
/// # Errors
/// Those of the file system.
pub(in crate::store) fn tidy(settings: &Settings) -> io::Result<()> {
    let place = Place::of(settings);
    if place.building().exists() || place.store.join(MARK).exists() {
        tracing::warn!("a restore was cut off; its remains are cleared away");
        place.tidy()?;
    }
    Ok(())
}

/// A name inside the data folder, and not a way out of it.
fn is_plain(name: &str) -> bool {
    name.starts_with("store.before-") && Path::new(name).components().count() == 1
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
