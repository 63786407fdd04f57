//! A look at a damaged store by a process that may die of it.
//!
//! Owns the child process that opens a copy of the store and reads every record of it before the gateway opens the store
//! itself, the limits under which it does so, and the mark that spares a store the look. Refuses to know keys: the child
//! sees sealed bytes alone.
//!
//! sled trusts its log. A damaged one makes it panic, abort, go round in circles or ask for more memory than there is, and
//! not all of that can be caught in the process that it happens to. The look is at a copy: sled rewrites its files as it
//! opens them, and on a damaged log it may give up what could still be saved; nor does a store that turns out to be
//! sealed with another key show any trace of it.
//!
//! A store that was closed in order leaves a digest of its files. While they are still the same, byte for byte, they are
//! what sled itself wrote, and need no look.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::thread;
use std::time::Duration;

use data_encoding::HEXLOWER;
use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::process::Command;
use tokio::task::spawn_blocking;

use super::error::OpenError;
use super::first_look::is_unfinished;
use super::sled::{BLOBS, LOG, lock_files, read_everything};
use super::space::{Space, SpaceSettings, speaks_of_a_full_disk};
use super::{INDEX_KEY, Settings, folder, key_check};
use crate::base::Random;

/// The hidden command of the program that runs [`probe`].
pub const PROBE_COMMAND: &str = "probe-store";

/// Where the digest of a store lies that was closed in order, in the data folder.
const MARK: &str = "closed-in-order";

/// How long the child may take, and how much longer for each MiB of the store: sled reads some hundred in a second.
const PATIENCE: Duration = Duration::from_secs(20);
const PATIENCE_PER_MIB: Duration = Duration::from_millis(100);

/// The memory that the child may address, and how much more for each byte of the store. Threads and the allocator's arenas
/// take most of the first without using it.
const ADDRESS_SPACE: u64 = 1 << 30;
const ADDRESS_SPACE_PER_BYTE: u64 = 4;

/// What a child found that lived to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It opened, and every record could be read.
    Whole {
        /// How many there are.
        records: u64,
        /// Whether the record that holds the index key is among them: it is the first that a store has.
        founded: bool,
    },
    /// It did not.
    Refused {
        /// What the engine said.
        reason: String,
    },
}

/// What became of a look.
#[derive(Debug)]
pub(super) enum Seen {
    /// The engine has nothing against opening the store.
    Whole {
        /// Whether it ever was one of ours: a log that is damaged from its beginning is an empty store to sled.
        founded: bool,
    },
    /// The child found damage, or did not survive it.
    Damaged(String),
    /// There was no look, for a reason that says nothing about the store.
    NotTried(String),
}

/// Opens the store in `folder` within this process and reads every record: for the child, which has nothing to lose.
/// `address_space` is the most memory that it may address, in bytes; `None` for no limit.
///
/// # Errors
/// When the limit cannot be set.
pub fn probe(folder: &Path, address_space: Option<u64>) -> io::Result<Verdict> {
    let at_most = |bytes| Rlimit {
        current: Some(bytes),
        maximum: Some(bytes),
    };
    // What it holds is sealed, and still nothing to leave lying about.
    setrlimit(Resource::Core, at_most(0))?;
    if let Some(bytes) = address_space {
        setrlimit(Resource::As, at_most(bytes))?;
    }
    Ok(match read_everything(folder, INDEX_KEY) {
        Ok((records, founded)) => Verdict::Whole { records, founded },
        Err(reason) => Verdict::Refused { reason },
    })
}

/// Has a child of `program` look at a copy of the store, unless it is as it was closed.
///
/// # Errors
/// [`OpenError::Damaged`] when the child found damage or died; [`OpenError::InUse`] and [`OpenError::Folder`] when the
/// store cannot be copied.
pub(super) async fn confirm(
    settings: &Settings,
    program: &Path,
    random: &Random,
) -> Result<(), OpenError> {
    let (checked, suffix) = (settings.clone(), HEXLOWER.encode(&random.bytes::<8>()));
    let copied = spawn_blocking(move || copy_if_needed(&checked, &suffix)).await;
    let copied = copied.unwrap_or_else(|cut_short| Err(folder_error(settings, cut_short.into())));
    let seen = match copied? {
        Copied::NotNeeded => return Ok(()),
        Copied::NotTried(reason) => Seen::NotTried(reason),
        Copied::To(copy) => look(program, &copy.0.join("store")).await,
    };
    let damaged = |detail| OpenError::Damaged {
        folder: settings.store_dir(),
        detail,
    };
    match seen {
        // The same is found out later in the store itself; by then sled has written over what it could not read.
        Seen::Whole { founded: false } if key_check::is_present(settings) => Err(damaged(
            "the record that holds its index key is missing".to_owned(),
        )),
        Seen::Whole { .. } => Ok(()),
        Seen::Damaged(detail) => Err(damaged(detail)),
        Seen::NotTried(reason) => {
            tracing::warn!(%reason, "the store is opened without a look at a copy of it");
            Ok(())
        }
    }
}

/// Has a child of `program` open the store in `copy`, which is nobody's but ours.
pub(super) async fn look(program: &Path, copy: &Path) -> Seen {
    let bytes = match sled_files(copy).and_then(|files| size(&files)) {
        Ok(bytes) => bytes,
        Err(error) => return Seen::NotTried(error.to_string()),
    };
    let mebibytes = u32::try_from(bytes >> 20).unwrap_or(u32::MAX);
    let patience = PATIENCE.saturating_add(PATIENCE_PER_MIB.saturating_mul(mebibytes));
    let memory = ADDRESS_SPACE.saturating_add(bytes.saturating_mul(ADDRESS_SPACE_PER_BYTE));
    let child = Command::new(program)
        .arg(PROBE_COMMAND)
        .arg(copy)
        .args(["--address-space", &memory.to_string()])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let child = match child {
        Ok(child) => child,
        Err(error) => return Seen::NotTried(format!("{}: {error}", program.display())),
    };
    match tokio::time::timeout(patience, child.wait_with_output()).await {
        Ok(Ok(output)) => read(&output),
        Ok(Err(error)) => Seen::NotTried(error.to_string()),
        Err(_) => Seen::Damaged(format!(
            "opening a copy of it did not end within {} seconds",
            patience.as_secs()
        )),
    }
}

/// What a child's end says.
fn read(output: &Output) -> Seen {
    match serde_json::from_slice(&output.stdout) {
        Ok(Verdict::Whole { founded, .. }) => Seen::Whole { founded },
        Ok(Verdict::Refused { reason }) if speaks_of_a_full_disk(&reason) => Seen::NotTried(reason),
        Ok(Verdict::Refused { reason }) => Seen::Damaged(reason),
        // Another version stands in our place by now and does not know the command.
        Err(_) if output.status.code() == Some(2) => {
            Seen::NotTried("the program was replaced meanwhile".to_owned())
        }
        Err(_) => Seen::Damaged(death(output.status, &output.stderr)),
    }
}

fn death(status: ExitStatus, stderr: &[u8]) -> String {
    let how = match (status.signal(), status.code()) {
        (Some(signal), _) => format!("was ended by signal {signal}"),
        (None, Some(code)) => format!("ended with status {code}"),
        (None, None) => "ended".to_owned(),
    };
    let words = String::from_utf8_lossy(stderr);
    let line = words.lines().find(|line| !line.trim().is_empty());
    let line: String = line.unwrap_or_default().chars().take(200).collect();
    let told = if line.is_empty() { "" } else { ": " };
    format!("the process that opened a copy of it {how}{told}{line}")
}

enum Copied {
    /// The store is as it was closed, or there is none.
    NotNeeded,
    NotTried(String),
    To(Scratch),
}

/// A folder that is gone when this is.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is sealed, and its owner's alone.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn copy_if_needed(settings: &Settings, suffix: &str) -> Result<Copied, OpenError> {
    let store = settings.store_dir();
    let failed = |error| folder_error(settings, error);
    if !settings.store_exists() {
        return Ok(Copied::NotNeeded);
    }
    let Some(_lock) = lock_files(&settings.log_file()).map_err(failed)? else {
        return Err(OpenError::InUse { folder: store });
    };
    let files = sled_files(&store).map_err(failed)?;
    if is_as_closed(settings, &files) {
        return Ok(Copied::NotNeeded);
    }
    let bytes = size(&files).map_err(failed)?;
    let places = [settings.data_dir.clone(), std::env::temp_dir()];
    // Beside the store it is mostly a matter of references; elsewhere only when a copy would fill the store's own disk.
    let roomy = places
        .into_iter()
        .find(|place| Space::of(place, SpaceSettings::default()).takes(bytes));
    let Some(place) = roomy else {
        let reason = format!("there is no room for a copy of {bytes} bytes");
        return Ok(Copied::NotTried(reason));
    };
    let scratch = Scratch(place.join(format!("attache-probe-{suffix}")));
    match copy(&store, &files, &scratch.0.join("store")) {
        Ok(()) => Ok(Copied::To(scratch)),
        Err(error) => Ok(Copied::NotTried(error.to_string())),
    }
}

fn folder_error(settings: &Settings, source: io::Error) -> OpenError {
    OpenError::Folder {
        path: settings.store_dir(),
        source,
    }
}

/// sled's own files in `store`, as paths below it, in order. Those that it had not finished are left out.
fn sled_files(store: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(store)? {
        let name = PathBuf::from(entry?.file_name());
        let is_snapshot = name.to_str().is_some_and(|name| name.starts_with("snap."));
        if is_unfinished(&name) {
            continue;
        }
        if name == Path::new(LOG) || name == Path::new("conf") || is_snapshot {
            found.push(name);
        }
    }
    let blobs = Path::new(BLOBS);
    match fs::read_dir(store.join(blobs)) {
        Ok(entries) => {
            for entry in entries {
                found.push(blobs.join(entry?.file_name()));
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    found.sort();
    // Sizes are looked up below the store's folder.
    Ok(found.into_iter().map(|name| store.join(name)).collect())
}

fn size(files: &[PathBuf]) -> io::Result<u64> {
    files
        .iter()
        .map(|file| fs::metadata(file).map(|known| known.len()))
        .sum()
}

fn copy(store: &Path, files: &[PathBuf], to: &Path) -> io::Result<()> {
    folder::create(&to.join(BLOBS))?;
    for file in files {
        let name = file.strip_prefix(store).map_err(io::Error::other)?;
        fs::copy(file, to.join(name))?;
    }
    Ok(())
}

/// Remembers how the files of a store are that was closed in order, so that the next start need not look at a copy.
#[derive(Clone, Debug)]
pub(super) struct Mark(Settings);

impl Mark {
    pub(super) fn of(settings: &Settings) -> Self {
        Self(settings.clone())
    }

    /// Leaves the mark. Without one the next start takes a little longer: it is no matter when that fails.
    pub(super) fn leave(&self) {
        let left = lock_files(&self.0.log_file()).and_then(|lock| {
            let Some(_lock) = lock else { return Ok(()) };
            let digest = digest(&self.0.store_dir(), &sled_files(&self.0.store_dir())?)?;
            write_private(&self.0.data_dir.join(MARK), digest.as_bytes())
        });
        if let Err(error) = left {
            tracing::debug!(%error, "the mark of a store that was closed in order could not be left");
        }
    }
}

fn is_as_closed(settings: &Settings, files: &[PathBuf]) -> bool {
    let Ok(mark) = fs::read_to_string(settings.data_dir.join(MARK)) else {
        return false;
    };
    digest(&settings.store_dir(), files).is_ok_and(|digest| digest == mark)
}

/// SHA-256 over names, lengths and contents.
fn digest(store: &Path, files: &[PathBuf]) -> io::Result<String> {
    let mut sha = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    for path in files {
        let name = path.strip_prefix(store).unwrap_or(path);
        let name = name.as_os_str().as_encoded_bytes();
        let mut file = File::open(path)?;
        sha.update((name.len() as u64).to_be_bytes());
        sha.update(name);
        sha.update(file.metadata()?.len().to_be_bytes());
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            sha.update(&buffer[..read]);
        }
    }
    Ok(HEXLOWER.encode(&sha.finalize()))
}

/// A mark that is half written is none: it names no digest.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(bytes)
}

/// Gives a process that dies, or sled's threads, a moment to let go of a lock.
pub(super) fn patiently<T>(
    attempts: u32,
    pause: Duration,
    attempt: impl Fn() -> io::Result<Option<T>>,
) -> io::Result<Option<T>> {
    for _ in 0..attempts {
        if let Some(held) = attempt()? {
            return Ok(Some(held));
        }
        thread::sleep(pause);
    }
    attempt()
}

#[cfg(test)]
mod tests;
