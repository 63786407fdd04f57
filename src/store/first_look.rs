//! What is looked at before sled opens its files, since sled changes them as it opens.
//!
//! Owns two looks: whether every byte can be read, and whether something is there that sled never finished. Refuses to
//! know what the bytes mean.
//!
//! sled 0.34 takes a segment of its log that it cannot read for one that was torn by a crash, and overwrites it with
//! zeroes: one failing read at the wrong moment would cost every record. So everything is read once before. What a disk
//! refuses is met here, where nothing is written, and what was read is in the kernel's memory when sled asks for it.

use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// How much is read at once, in bytes.
const PIECE: usize = 1 << 20;

/// What sled calls a snapshot while it writes it.
const UNFINISHED: &str = "generating";

/// sled's own note about the shape of its log.
const CONF: &str = "conf";

/// Reads every file in `folder`, and in the folders in it, to its end.
///
/// # Errors
/// The first file or folder that cannot be read, named in the error's text.
pub(super) fn read_through(folder: &Path) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    for entry in fs::read_dir(folder).map_err(|error| named(folder, &error))? {
        let path = entry.map_err(|error| named(folder, &error))?.path();
        let read = if path.is_dir() {
            read_through(&path)
        } else {
            read_file(&path, &mut piece).map_err(|error| named(&path, &error))
        };
        match read {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(())
}

fn read_file(path: &Path, piece: &mut [u8]) -> io::Result<()> {
    let mut file = File::open(path)?;
    loop {
        match file.read(piece) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Removes what an earlier start left unfinished when it was cut off, or met a full disk, and what sled would call damaged
/// for ever: the note about the shape of a log that was never made, and a snapshot that was never put in its place. The
/// finished one before it, and the log, are all that is needed.
///
/// Does nothing while another process has the store open: it may be writing these files.
pub(super) fn clear_unfinished(folder: &Path, log: &Path) -> io::Result<()> {
    let lock = match File::open(log) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return remove(&folder.join(CONF));
        }
        opened => opened?,
    };
    if let Err(held) = lock.try_lock() {
        return match held {
            TryLockError::WouldBlock => Ok(()),
            TryLockError::Error(error) => Err(error),
        };
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if is_unfinished(&path) {
            remove(&path)?;
        }
    }
    Ok(())
}

/// Whether a file of sled's is a snapshot that it has only begun to write.
pub(super) fn is_unfinished(path: &Path) -> bool {
    path.extension() == Some(OsStr::new(UNFINISHED))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("blobs")).unwrap();
        fs::write(folder.path().join("blobs/1"), vec![7; PIECE + 1]).unwrap();
        read_through(folder.path()).unwrap();

        // A file of another process's memory at address 0: it opens, and no byte of it can be read.
        std::os::unix::fs::symlink("/proc/self/mem", folder.path().join("db")).unwrap();
        let error = read_through(folder.path()).unwrap_err();
        assert!(error.to_string().contains("/db: "), "{error}");
    }

    #[test]
    fn what_was_never_finished_is_cleared_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (log, draft) = (path("db"), path("snap.0000000000000007.generating"));
        fs::write(path(CONF), b"segment_size").unwrap();
        clear_unfinished(folder.path(), &log).unwrap();
        assert!(!path(CONF).exists());

        for name in [CONF, "db", "snap.0000000000000006"] {
            fs::write(path(name), b"").unwrap();
        }
        fs::write(&draft, b"half").unwrap();
        let other = File::open(&log).unwrap();
        other.lock().unwrap();
        clear_unfinished(folder.path(), &log).unwrap();
        assert!(draft.exists(), "another process is writing it");
        drop(other);
        clear_unfinished(folder.path(), &log).unwrap();
        assert!(!draft.exists());
        for name in [CONF, "db", "snap.0000000000000006"] {
            assert!(path(name).exists(), "{name}");
        }
    }
}
