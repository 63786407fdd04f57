//! The two file locks of a data folder. The kernel takes them back from a process that dies.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Why a lock cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("the lock {} cannot be used: {source}", path.display())]
pub struct LockError {
    path: PathBuf,
    source: io::Error,
}

/// Held by whoever uses the store of a data folder for as long as they do: a gateway, or a command that runs without
/// one. A gateway in the background waits for it, and so starts in the moment in which another has ended.
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

    /// Waits for the lock.
    ///
    /// # Errors
    /// [`LockError`] when the folder cannot be used.
    pub fn take(data_dir: &Path) -> Result<Self, LockError> {
        let file = wait(data_dir, "gateway.lock")?;
        Ok(Self { _file: file })
    }
}

/// Held by whoever starts a gateway in the background, so that of many only one does.
#[derive(Debug)]
pub(super) struct StartLock {
    _file: File,
}

impl StartLock {
    pub(super) fn take(data_dir: &Path) -> Result<Self, LockError> {
        let file = wait(data_dir, "start.lock")?;
        Ok(Self { _file: file })
    }
}

fn wait(data_dir: &Path, name: &str) -> Result<File, LockError> {
    let (path, file) = open(data_dir, name)?;
    match file.lock() {
        Ok(()) => Ok(file),
        Err(source) => Err(LockError { path, source }),
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
        let waiting = std::thread::spawn({
            let data = data.clone();
            move || GatewayLock::take(&data).is_ok()
        });
        drop(first);
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
