//! The store that a case begins with, made once and copied for each.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::child::{self, How};

/// A folder for all stores of a run. Left where it is when something failed, so that it can be looked at.
pub(crate) struct Scratch {
    pub(crate) path: PathBuf,
    keep: bool,
}

impl Scratch {
    pub(crate) fn new(parent: Option<&Path>) -> Self {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_owned);
        let path = parent.join(format!("store-faults-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder for the stores");
        Self { path, keep: false }
    }

    pub(crate) fn keep(&mut self) {
        self.keep = true;
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.keep {
            println!("left for a look: {}", self.path.display());
        } else {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// A closed store, an older copy of it, and what was said while both were made.
pub(crate) struct Ground {
    pub(crate) folder: PathBuf,
    pub(crate) older: PathBuf,
    pub(crate) ledger: PathBuf,
}

/// How often the store was opened, written to and closed: sled makes some of its files as it opens.
const ROUNDS: u64 = 3;

impl Ground {
    /// Makes the store of this seed.
    pub(crate) fn make(scratch: &Path, seed: u64, writes: u64) -> Self {
        let ground = Self {
            folder: scratch.join("ground"),
            older: scratch.join("older"),
            ledger: scratch.join("ground.ledger"),
        };
        let mut said = String::new();
        for round in 0..ROUNDS {
            if round + 1 == ROUNDS {
                copy(&ground.folder, &ground.older).expect("an older copy");
            }
            let words = write_words(&ground.folder, seed, round, writes / ROUNDS);
            let words: Vec<_> = words.iter().map(OsString::as_os_str).collect();
            let ended = child::run(&words);
            assert!(
                ended.how == How::Exit(0) && !ended.said.contains("\nerr "),
                "the store could not be made: {:?} {} {}",
                ended.how,
                ended.said,
                ended.complained
            );
            said += &ended.said;
        }
        fs::write(&ground.ledger, said).expect("a ledger");
        ground
    }
}

/// The words that run the writing process.
pub(crate) fn write_words(folder: &Path, seed: u64, round: u64, writes: u64) -> Vec<OsString> {
    let numbers = format!("--seed {seed} --round {round} --writes {writes}");
    let mut words: Vec<OsString> = vec![child::program().into(), "write".into()];
    words.extend(numbers.split(' ').map(OsString::from));
    words.extend(["--folder".into(), folder.into()]);
    words
}

/// Copies a folder with everything in it.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

/// All files in a folder, in the order of their paths.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

/// What a table calls a file: names that carry a number are one kind.
pub(crate) fn kind_of(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let parent = file.parent().and_then(Path::file_name);
    if parent.is_some_and(|parent| parent == "blobs") {
        "blobs/*".to_owned()
    } else if name.starts_with("snap.") {
        "snap.*".to_owned()
    } else {
        name.into_owned()
    }
}
