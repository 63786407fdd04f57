//! Who may look into the data folder?

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Gravity;

/// How the data folder stands.
#[derive(Debug)]
pub enum DataFolderFinding {
    /// It is its owner's alone.
    Private(PathBuf),
    /// It is not there yet: the first start makes it, for its owner alone.
    NotMadeYet(PathBuf),
    /// Others may look into it.
    OpenToRead {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Others may put files into it, and take some away.
    OpenToWrite {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is a file.
    NotAFolder(PathBuf),
    /// It cannot be looked at.
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl DataFolderFinding {
    pub(super) fn gravity(&self) -> Gravity {
        match self {
            Self::Private(_) | Self::NotMadeYet(_) => Gravity::Ok,
            Self::OpenToRead { .. } => Gravity::Warning,
            Self::OpenToWrite { .. } | Self::NotAFolder(_) | Self::Unreadable { .. } => {
                Gravity::Problem
            }
        }
    }
}

/// Looks at its permission bits.
pub(super) fn examine(folder: &Path) -> DataFolderFinding {
    let path = folder.to_owned();
    let found = match fs::metadata(folder).and_then(|found| fs::read_dir(folder).map(|_| found)) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return DataFolderFinding::NotMadeYet(path);
        }
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            return DataFolderFinding::NotAFolder(path);
        }
        Err(source) => return DataFolderFinding::Unreadable { path, source },
    };
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o022 != 0 {
        DataFolderFinding::OpenToWrite { path, mode }
    } else if mode & 0o077 != 0 {
        DataFolderFinding::OpenToRead { path, mode }
    } else {
        DataFolderFinding::Private(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_right_of_others_weighs_as_it_should() {
        let folder = tempfile::tempdir().unwrap();
        for (mode, expected) in [
            (0o700, Gravity::Ok),
            (0o750, Gravity::Warning),
            (0o701, Gravity::Warning),
            (0o770, Gravity::Problem),
            (0o707, Gravity::Problem),
        ] {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(examine(folder.path()).gravity(), expected, "{mode:o}");
        }
        let file = folder.path().join("file");
        assert!(matches!(examine(&file), DataFolderFinding::NotMadeYet(_)));
        fs::write(&file, b"").unwrap();
        assert!(matches!(examine(&file), DataFolderFinding::NotAFolder(_)));
    }
}
