//! What is looked at before sled opens its files, since sled changes them as it opens.
//!
//! Owns two looks: whether every byte can be read, and whether a store was ever made at all. Refuses to know what the
//! bytes mean.
//!
//! sled 0.34 takes a segment of its log that it cannot read for one that was torn by a crash, and overwrites it with
//! zeroes: one failing read at the wrong moment would cost every record. So everything is read once before. What a disk
//! refuses is met here, where nothing is written, and what was read is in the kernel's memory when sled asks for it.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// How much is read at once, in bytes.
const PIECE: usize = 1 << 20;

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

/// Removes what a first start left behind that was cut off before it had a log: sled would call it damaged for ever,
/// though nothing was kept there yet. A log of any length is left alone, and all else with it.
pub(super) fn clear_unborn(folder: &Path, log: &Path) -> io::Result<()> {
    if log.try_exists()? {
        return Ok(());
    }
    match fs::remove_file(folder.join(CONF)) {
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
    fn a_store_that_was_never_made_is_cleared_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let (conf, log) = (folder.path().join(CONF), folder.path().join("db"));
        clear_unborn(folder.path(), &log).unwrap();
        fs::write(&conf, b"segment_size").unwrap();
        fs::write(&log, b"").unwrap();
        clear_unborn(folder.path(), &log).unwrap();
        assert!(conf.exists());
        fs::remove_file(&log).unwrap();
        clear_unborn(folder.path(), &log).unwrap();
        assert!(!conf.exists());
    }
}
