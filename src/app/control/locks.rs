//! The two file locks of a data folder. The kernel takes them back from a process that dies.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often, and how long apart, one looks again while another process starts or ends on the data folder. Which of the
/// two it does cannot be known, and so neither be waited for: a lock that becomes free and a socket that begins to answer
/// are different events.
pub const ATTEMPTS: u32 = 1_200;
/// See [`ATTEMPTS`].
pub const PAUSE: Duration = Duration::from_millis(25);

/// Why a lock cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("the lock {} cannot be used: {source}", path.display())]
pub struct LockError {
    path: PathBuf,
    source: io::Error,
}

/// Held by whoever uses the store of a data folder for as long as they do: a gateway, or a command that runs without
/// one.
#[derive(Debug)]
pub struct GatewayLock {
    _file: File,
}

impl GatewayLock {
    /// Takes the lock if nobody holds it.
    ///
    /// # Errors
    /// [`LockError`] when the folder cannot be used.
    pub fn try_take(data_dir: &Path) -> Result<Option<Self>, LockError> {
        let (path, file) = open(data_dir, "gateway.lock")?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(LockError { path, source }),
        }
    }
}

/// Held by whoever starts a gateway in the background, so that of many only one does.
#[derive(Debug)]
pub(super) struct StartLock {
    _file: File,
}

impl StartLock {
    pub(super) fn take(data_dir: &Path) -> Result<Self, LockError> {
        let (path, file) = open(data_dir, "start.lock")?;
        match file.lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(source) => Err(LockError { path, source }),
        }
    }
}

fn open(data_dir: &Path, name: &str) -> Result<(PathBuf, File), LockError> {
    let path = data_dir.join(name);
    let opened = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data_dir)
        .and_then(|()| {
            let mut options = OpenOptions::new();
            options.create(true).truncate(false).write(true).mode(0o600);
            options.open(&path)
        });
    match opened {
        Ok(file) => Ok((path, file)),
        Err(source) => Err(LockError { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_it_and_the_next_gets_it_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let first = GatewayLock::try_take(&data).unwrap();
        assert!(first.is_some());
        assert!(GatewayLock::try_take(&data).unwrap().is_none());
        drop(first);
        assert!(GatewayLock::try_take(&data).unwrap().is_some());
        let starting = StartLock::take(&data).unwrap();
        let waiting = std::thread::spawn({
            let data = data.clone();
            move || StartLock::take(&data).is_ok()
        });
        drop(starting);
        assert!(waiting.join().unwrap());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, b"").unwrap();
        let error = GatewayLock::try_take(&file).unwrap_err().to_string();
        assert!(error.contains("gateway.lock"), "{error}");
    }
}
