//! The master key: where it comes from, and when a new one may be made.
//!
//! Owns reading, checking and, on the very first start, making the key. Refuses to know what is sealed with it: it only
//! hands out keys derived for a purpose. The key is 32 bytes, written as base64 text.

mod command;
mod own_file;
mod pair;

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use data_encoding::{BASE64, BASE64_NOPAD, Encoding, HEXLOWER};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use command::PATIENCE;

use super::seal::SubKey;
use super::{Settings, folder};
use crate::base::{Random, Secret};
pub use command::{KeyCommand, KeyCommandError};
pub(super) use own_file::{make_next, promote_next};
pub use pair::MasterKeys;

/// More than any key file holds; a larger file is not read to its end.
const LONGEST_FILE: u64 = 4096;

/// Where the master key is found.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// A file of our own, made on the first start. Must be closed to group and others.
    File(PathBuf),
    /// A file that something else provides, such as a mounted secret. Never made, and its mode is not judged: such
    /// mounts are commonly readable to all inside their own container. One that others can read is logged.
    NamedFile(PathBuf),
    /// The text itself, from the environment.
    Value(Secret),
    /// What a program prints.
    Command(KeyCommand),
}

impl KeySource {
    /// The key file that is used when nothing else is said: `master.key` in the data folder.
    #[must_use]
    pub fn beside(settings: &Settings) -> Self {
        Self::File(settings.data_dir.join("master.key"))
    }
}

/// Why there is no usable master key. Nothing has been changed when one of these is returned.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// A store is there, but its key is not.
    #[error(
        "the store in {} exists, but its master key {} is missing: put the key back; without it nothing in the store can be opened, so no new one is made",
        store.display(), key.display()
    )]
    Missing {
        /// Where the key was looked for.
        key: PathBuf,
        /// The store's folder.
        store: PathBuf,
    },
    /// Others on this machine can read the key.
    #[error("others can read the master key {0}: run `chmod 600 {0}`, and change the key if they may have done so", path.display())]
    Exposed {
        /// The key file.
        path: PathBuf,
    },
    /// The text is no key.
    #[error(
        "the master key in {origin} is not 32 bytes written as base64: put the key back that the store was made with; for a new store, `head -c 32 /dev/urandom | base64` makes one"
    )]
    Malformed {
        /// The file, or the words for a value.
        origin: String,
    },
    /// The program that should print it did not.
    #[error(transparent)]
    Command(#[from] KeyCommandError),
    /// The file cannot be read or made.
    #[error("cannot use the master key file {}: {source}", path.display())]
    File {
        /// The key file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// 32 bytes from which every other key is derived. Wiped when dropped, never shown.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MasterKey([u8; 32]);

impl MasterKey {
    /// A new random key, for a store that is made with it.
    #[must_use]
    pub fn generate(random: &Random) -> Self {
        Self(random.bytes())
    }

    /// Reads the key from `source`. A [`KeySource::File`] that is not there is made, unless a store is. Two first
    /// starts at once agree on one key.
    ///
    /// Reads and writes files where it is called: for the start of a process, before there is anything to hold up.
    ///
    /// # Errors
    /// [`MasterKeyError`], each with what to do.
    pub fn load(
        source: &KeySource,
        settings: &Settings,
        random: &Random,
    ) -> Result<Self, MasterKeyError> {
        match source {
            KeySource::File(path) => Self::load_or_make(path, settings, random),
            KeySource::NamedFile(path) => Self::read_named(path),
            KeySource::Value(text) => Self::parse_value(text),
            KeySource::Command(command) => Ok(command.run(PATIENCE)?),
        }
    }

    /// Reads the key from `source` and never makes one: `None` while it is still to be made, on the first start.
    ///
    /// # Errors
    /// [`MasterKeyError`], each with what to do.
    pub fn find(source: &KeySource, settings: &Settings) -> Result<Option<Self>, MasterKeyError> {
        match source {
            KeySource::File(path) => Self::find_own(path, settings),
            KeySource::NamedFile(path) => Self::read_named(path).map(Some),
            KeySource::Value(text) => Self::parse_value(text).map(Some),
            KeySource::Command(command) => Ok(Some(command.run(PATIENCE)?)),
        }
    }

    fn load_or_make(
        path: &Path,
        settings: &Settings,
        random: &Random,
    ) -> Result<Self, MasterKeyError> {
        if let Some(key) = Self::find_own(path, settings)? {
            return Ok(key);
        }
        make(path, random).map_err(|source| MasterKeyError::File {
            path: path.to_owned(),
            source,
        })?;
        // Read back, since another process may have been first.
        Self::find_own(path, settings)?.ok_or_else(|| absent(path))
    }

    fn find_own(path: &Path, settings: &Settings) -> Result<Option<Self>, MasterKeyError> {
        // The store is looked for before the key is: a key is always made before its store, so a store that is seen
        // without a key seen later has lost it.
        let store_exists = settings.store_exists();
        let key = read(path, Exposure::Refused).map_err(Unread::at(path))?;
        if key.is_none() && store_exists {
            return Err(MasterKeyError::Missing {
                key: path.to_owned(),
                store: settings.store_dir(),
            });
        }
        Ok(key)
    }

    fn read_named(path: &Path) -> Result<Self, MasterKeyError> {
        let key = read(path, Exposure::Logged).map_err(Unread::at(path))?;
        key.ok_or_else(|| absent(path))
    }

    fn parse_value(text: &Secret) -> Result<Self, MasterKeyError> {
        decode(text.expose()).ok_or_else(|| MasterKeyError::Malformed {
            origin: "the environment".to_owned(),
        })
    }

    /// What the key is called: says which one it is and nothing about it.
    pub(super) fn id(&self) -> String {
        HEXLOWER.encode(&self.store_key("name").as_bytes()[..8])
    }

    /// The key for one purpose inside the store. Their names cannot meet those of [`MasterKey::sub_key`].
    pub(super) fn store_key(&self, purpose: &str) -> SubKey {
        SubKey::derive(&self.0, &format!("store/{purpose}"))
    }

    /// The key for a purpose outside the store.
    pub(super) fn sub_key(&self, purpose: &str) -> SubKey {
        SubKey::derive(&self.0, &format!("purpose/{purpose}"))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[master key]")
    }
}

/// What to do about a key file that others can read.
#[derive(Clone, Copy)]
enum Exposure {
    Refused,
    Logged,
}

enum Unread {
    Io(io::Error),
    Exposed,
    Malformed,
}

impl Unread {
    fn at(path: &Path) -> impl FnOnce(Self) -> MasterKeyError {
        let path = path.to_owned();
        |unread| match unread {
            Self::Io(source) => MasterKeyError::File { path, source },
            Self::Exposed => MasterKeyError::Exposed { path },
            Self::Malformed => MasterKeyError::Malformed {
                origin: path.display().to_string(),
            },
        }
    }
}

fn absent(path: &Path) -> MasterKeyError {
    MasterKeyError::File {
        path: path.to_owned(),
        source: ErrorKind::NotFound.into(),
    }
}

/// The key in the file at `path`, `None` when there is no such file.
fn read(path: &Path, exposure: Exposure) -> Result<Option<MasterKey>, Unread> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Unread::Io(error)),
    };
    // Asked of the open file, not of the name, which may have come to mean another one.
    let mode = file.metadata().map_err(Unread::Io)?.permissions().mode();
    if mode & 0o077 != 0 {
        match exposure {
            Exposure::Refused => return Err(Unread::Exposed),
            Exposure::Logged => tracing::warn!(
                path = %path.display(),
                "others on this machine can read the master key file, unless it is mounted into a container of its own"
            ),
        }
    }
    let mut text = Zeroizing::new(String::with_capacity(
        usize::try_from(LONGEST_FILE).unwrap_or(0),
    ));
    match file.take(LONGEST_FILE).read_to_string(&mut text) {
        Ok(_) => decode(&text).map(Some).ok_or(Unread::Malformed),
        Err(error) if error.kind() == ErrorKind::InvalidData => Err(Unread::Malformed),
        Err(error) => Err(Unread::Io(error)),
    }
}

/// Puts a new key into a new file, unless there is one.
fn make(path: &Path, random: &Random) -> io::Result<()> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        folder::create(folder)?;
    }
    let key = MasterKey::generate(random);
    let mut text = Zeroizing::new(BASE64.encode(&key.0));
    text.push('\n');
    folder::place_new(path, text.as_bytes(), random).map(drop)
}

fn decode(text: &str) -> Option<MasterKey> {
    let text = text.trim();
    let encoding: Encoding = if text.ends_with('=') {
        BASE64
    } else {
        BASE64_NOPAD
    };
    let bytes = Zeroizing::new(encoding.decode(text.as_bytes()).ok()?);
    Some(MasterKey(<[u8; 32]>::try_from(bytes.as_slice()).ok()?))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::MetadataExt;
    use std::thread;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    fn settings(folder: &tempfile::TempDir) -> Settings {
        Settings::new(folder.path().join("data"))
    }

    fn load(settings: &Settings) -> Result<MasterKey, MasterKeyError> {
        MasterKey::load(&KeySource::beside(settings), settings, &Random::System)
    }

    fn key_path(settings: &Settings) -> PathBuf {
        settings.data_dir.join("master.key")
    }

    #[test]
    fn the_first_start_makes_a_private_key_and_the_next_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(&folder);
        let made = load(&settings).unwrap();
        assert_eq!(mode(&key_path(&settings)), 0o600);
        assert_eq!(mode(&settings.data_dir), 0o700);
        assert_eq!(load(&settings).unwrap().0, made.0);
        let text = fs::read_to_string(key_path(&settings)).unwrap();
        assert_eq!(text.len(), 45);
        assert_eq!(decode(&text).unwrap().0, made.0);
        assert_eq!(format!("{made:?}"), "[master key]");
    }

    #[test]
    fn first_starts_at_once_agree_on_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(&folder);
        let keys: Vec<[u8; 32]> = thread::scope(|scope| {
            let starts: Vec<_> = (0..16)
                .map(|_| scope.spawn(|| load(&settings).unwrap().0))
                .collect();
            starts
                .into_iter()
                .map(|start| start.join().unwrap())
                .collect()
        });
        assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));
        assert_eq!(fs::read_dir(&settings.data_dir).unwrap().count(), 1);
    }

    #[test]
    fn no_new_key_is_made_for_a_store_that_has_lost_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(&folder);
        fs::create_dir_all(settings.store_dir()).unwrap();
        fs::write(settings.store_dir().join("db"), b"").unwrap();
        let error = load(&settings).unwrap_err();
        assert!(matches!(error, MasterKeyError::Missing { .. }), "{error}");
        assert!(!key_path(&settings).exists());
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(&folder);
        load(&settings).unwrap();
        let path = key_path(&settings);
        for exposed in [0o640, 0o604, 0o660] {
            fs::set_permissions(&path, Permissions::from_mode(exposed)).unwrap();
            let error = load(&settings).unwrap_err().to_string();
            assert!(
                error.contains(&format!("chmod 600 {}", path.display())),
                "{error}"
            );
        }
        let named = KeySource::NamedFile(path);
        assert!(MasterKey::load(&named, &settings, &Random::System).is_ok());
    }

    #[test]
    fn a_named_file_is_never_made() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(&folder);
        let path = folder.path().join("secret");
        let named = KeySource::NamedFile(path.clone());
        let error = MasterKey::load(&named, &settings, &Random::System).unwrap_err();
        assert!(matches!(error, MasterKeyError::File { .. }), "{error}");
        assert!(!path.exists());
    }

    #[test]
    fn only_32_bytes_of_base64_are_a_key_and_errors_do_not_repeat_them() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(&folder);
        let load = |text: &str| {
            let source = KeySource::Value(Secret::new(text));
            MasterKey::load(&source, &settings, &Random::System)
        };
        let padded = BASE64.encode(&[7; 32]);
        assert_eq!(load(&padded).unwrap().0, [7; 32]);
        assert_eq!(load(padded.trim_end_matches('=')).unwrap().0, [7; 32]);
        assert_eq!(load(&format!(" {padded}\n")).unwrap().0, [7; 32]);
        for wrong in [
            "",
            "hunter2",
            &BASE64.encode(&[7; 31]),
            &BASE64.encode(&[7; 33]),
            &"\u{e9}".repeat(43),
        ] {
            let error = load(wrong).unwrap_err().to_string();
            assert!(error.contains("base64"), "{error}");
            assert!(wrong.is_empty() || !error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_no_text_or_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(&folder);
        load(&settings).unwrap();
        fs::write(key_path(&settings), [0xff; 40]).unwrap();
        let error = load(&settings).unwrap_err();
        assert!(matches!(error, MasterKeyError::Malformed { .. }), "{error}");
        let named = KeySource::NamedFile(folder.path().to_owned());
        assert!(MasterKey::load(&named, &settings, &Random::System).is_err());
    }
}
