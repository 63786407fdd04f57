//! Folders and files for one owner's eyes, and what it takes to make them last.
//!
//! Owns permissions and syncing of directory entries: a file that was synced is still lost at a power cut when its name
//! was not. Refuses to know what the files hold.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use data_encoding::HEXLOWER;

use crate::base::Random;

/// Makes `folder`, and those above it that are missing, for the owner alone, and makes their names last. A folder that
/// is already there keeps its mode.
pub(super) fn create(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = folder
        .ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && !path.exists())
        .collect();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    missing.iter().try_for_each(|made| sync_parent(made))
}

/// Takes every right from group and others.
pub(super) fn make_private(path: &Path) -> io::Result<()> {
    let metadata = fs::metadata(path)?;
    let mode = if metadata.is_dir() { 0o700 } else { 0o600 };
    if metadata.permissions().mode() & 0o777 != mode {
        fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Makes the names in `folder` last.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes the name of `path` itself last.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync(parent),
        Some(_) => sync(Path::new(".")),
        None => Ok(()),
    }
}

/// Puts a new file with `bytes` at `path`, readable by its owner alone, whole or not at all, and durable. Answers
/// whether it did: `false` means that another file was there first, which is left as it is.
pub(super) fn place_new(path: &Path, bytes: &[u8], random: &Random) -> io::Result<bool> {
    with_draft(path, bytes, random, |draft| link(draft, path))
}

/// As [`place_new`], in the place of whatever file is there.
pub(super) fn replace(path: &Path, bytes: &[u8], random: &Random) -> io::Result<()> {
    with_draft(path, bytes, random, |draft| fs::rename(draft, path))
}

fn with_draft<T>(
    path: &Path,
    bytes: &[u8],
    random: &Random,
    place: impl FnOnce(&Path) -> io::Result<T>,
) -> io::Result<T> {
    let suffix = HEXLOWER.encode(&random.bytes::<8>());
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{suffix}.draft"));
    let draft = Path::new(&draft);
    let placed = write_draft(draft, bytes).and_then(|()| place(draft));
    // Gone or not, the draft decides nothing any more.
    let _ = fs::remove_file(draft);
    let placed = placed?;
    sync_parent(path)?;
    Ok(placed)
}

fn write_draft(draft: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(draft)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Gives the file at `draft` a second name. A hard link, unlike a rename, never replaces what another process put there in
/// the meantime; answers whether it was made.
pub(super) fn link(draft: &Path, path: &Path) -> io::Result<bool> {
    match fs::hard_link(draft, path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn new_folders_are_private_and_old_ones_keep_their_mode() {
        let top = tempfile::tempdir().unwrap();
        fs::set_permissions(top.path(), Permissions::from_mode(0o755)).unwrap();
        let deep = top.path().join("a/b");
        create(&deep).unwrap();
        create(&deep).unwrap();
        assert_eq!(
            [mode(&deep), mode(&top.path().join("a")), mode(top.path())],
            [0o700, 0o700, 0o755]
        );
    }

    #[test]
    fn a_new_file_is_private_and_never_replaces_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert!(place_new(&path, b"first", &Random::System).unwrap());
        assert!(!place_new(&path, b"second", &Random::System).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "a draft was left behind"
        );
    }

    #[test]
    fn what_others_could_read_is_taken_from_them() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("db");
        fs::write(&file, b"").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o664)).unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        make_private(&file).unwrap();
        make_private(folder.path()).unwrap();
        assert_eq!([mode(&file), mode(folder.path())], [0o600, 0o700]);
    }
}
