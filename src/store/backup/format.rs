//! The file of a backup, byte by byte.
//!
//! Owns its layout, and that nothing of it can be changed, left out, moved or taken from another backup without being
//! noticed. Refuses to know what the rows are.
//!
//! ```text
//! "attache backup\n\0" | format (1 byte, now 1) | length (4 bytes) | header as JSON
//! length (4 bytes) | sealed chunk          again and again; the last one is the end
//!
//! a chunk of rows:   0 | entry ...         an entry: mark (1 byte) | length of the key (4) | of the value (4) | key | value
//! the end:           1 | counts and digest as JSON
//! ```
//!
//! Numbers are big-endian. The header is in clear, so that a file says when it was made and which key it needs. Each chunk is
//! sealed under a key of its own purpose, bound to the digest of everything before the first chunk (the header holds a random
//! identifier, so no chunk opens in another file) and to its place among the chunks. Nothing follows the end.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};

use super::{BackupCounts, BackupError};
use crate::base::{Random, Timestamp};
use crate::store::{MasterKey, Seal};

const MAGIC: &[u8; 16] = b"attache backup\n\0";
const FORMAT: u8 = 1;
/// More than any header has.
const LONGEST_HEADER: u32 = 64 * 1024;
/// How much of rows one chunk holds, unless a single row is larger.
const CHUNK: usize = 256 * 1024;
/// No chunk is larger; so no length that somebody wrote into a file makes us ask for more memory.
const LARGEST_CHUNK: u32 = 64 * 1024 * 1024;
const ROWS: u8 = 0;
const END: u8 = 1;
/// What every write and read goes through, in bytes.
const BUFFER: usize = 64 * 1024;

/// What a backup says of itself in clear. Nothing of it is believed before the first chunk has opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupHeader {
    /// When it was begun.
    pub made: Timestamp,
    /// The identifier of the master key that it needs.
    pub key: String,
    /// The version of Attache that made it.
    pub attache: String,
    /// Tells it from every other backup: 32 random hexadecimal digits.
    pub id: String,
}

impl BackupHeader {
    pub(super) fn new(made: Timestamp, key: &MasterKey, random: &Random) -> Self {
        Self {
            made,
            key: key_id(key),
            attache: env!("CARGO_PKG_VERSION").to_owned(),
            id: HEXLOWER.encode(&random.bytes::<16>()),
        }
    }

    /// Whether its texts are such as we write, and can be shown.
    fn is_plain(&self) -> bool {
        let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_version = |byte: u8| byte.is_ascii_alphanumeric() || b".+-".contains(&byte);
        is_hex(&self.key)
            && is_hex(&self.id)
            && self.key.len() + self.id.len() + self.attache.len() < 200
            && self.attache.bytes().all(is_version)
    }

    /// Reads what the backup at `path` says of itself, without any key: nothing of it is proven.
    ///
    /// # Errors
    /// [`BackupError`] when it is no backup, or one of a later format.
    pub async fn read(path: &Path) -> Result<Self, BackupError> {
        let mut source = Source::open(path).await?;
        Ok(source.preamble().await?.0)
    }
}

/// The identifier of a master key: says which one it is and nothing about it.
pub(super) fn key_id(key: &MasterKey) -> String {
    key.id()
}

/// How a row stands to the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// It stands alone.
    Alone,
    /// It is the first of a group.
    First,
    /// It belongs to the group of the row before it.
    Further,
}

impl Mark {
    fn byte(self) -> u8 {
        match self {
            Self::Alone => 0,
            Self::First => 1,
            Self::Further => 2,
        }
    }

    fn of(byte: u8) -> Option<Self> {
        [Self::Alone, Self::First, Self::Further]
            .into_iter()
            .find(|mark| mark.byte() == byte)
    }
}

/// One row of a store in a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) mark: Mark,
    pub(super) key: String,
    pub(super) value: Vec<u8>,
}

/// What the end says.
#[derive(Serialize, Deserialize)]
struct Closing {
    counts: BackupCounts,
    /// SHA-256 of all chunks of rows, in hexadecimal digits.
    digest: String,
}

/// What all chunks of a file are sealed with.
struct Binding {
    seal: Seal,
    preamble: [u8; 32],
    index: u64,
}

impl Binding {
    fn new(preamble: &[u8], key: &MasterKey, random: &Random) -> Self {
        Self {
            seal: Seal::new(&key.store_key("backup"), random.clone()),
            preamble: Sha256::digest(preamble).into(),
            index: 0,
        }
    }

    /// The place of the next chunk.
    fn next(&mut self) -> Vec<u8> {
        let place = [
            b"backup chunk".as_slice(),
            &self.preamble,
            &self.index.to_be_bytes(),
        ];
        self.index += 1;
        place.concat()
    }
}

/// A backup that is being written.
pub(super) struct Writer {
    path: PathBuf,
    file: File,
    binding: Binding,
    chunk: Vec<u8>,
    digest: Sha256,
    counts: BackupCounts,
}

impl Writer {
    /// Begins a backup in `file`, which is empty. `path` is what errors name.
    pub(super) async fn begin(
        mut file: File,
        path: &Path,
        header: &BackupHeader,
        key: &MasterKey,
        random: &Random,
    ) -> Result<Self, BackupError> {
        let text = serde_json::to_vec(header).unwrap_or_default();
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let preamble = [MAGIC.as_slice(), &[FORMAT], &length.to_be_bytes(), &text].concat();
        let written = file.write_all(&preamble).await;
        written.map_err(BackupError::file(path))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            binding: Binding::new(&preamble, key, random),
            chunk: vec![ROWS],
            digest: Sha256::new(),
            counts: BackupCounts::default(),
        })
    }

    /// Adds a row.
    pub(super) async fn put(
        &mut self,
        mark: Mark,
        key: &str,
        value: &[u8],
    ) -> Result<(), BackupError> {
        let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
        let size = 9 + key.len() + value.len();
        if self.chunk.len() > 1 && self.chunk.len() + size > CHUNK {
            self.flush().await?;
        }
        self.chunk.push(mark.byte());
        self.chunk.extend_from_slice(&length(key.len()));
        self.chunk.extend_from_slice(&length(value.len()));
        self.chunk.extend_from_slice(key.as_bytes());
        self.chunk.extend_from_slice(value);
        self.counts.add(key);
        Ok(())
    }

    /// How many rows there are so far.
    pub(super) fn rows(&self) -> u64 {
        self.counts.rows
    }

    /// Writes the end, and makes the file durable.
    pub(super) async fn finish(mut self) -> Result<(), BackupError> {
        if self.chunk.len() > 1 {
            self.flush().await?;
        }
        let closing = Closing {
            counts: self.counts.clone(),
            digest: HEXLOWER.encode(&self.digest.clone().finalize()),
        };
        let text = serde_json::to_vec(&closing).unwrap_or_default();
        self.write(&[&[END], text.as_slice()].concat()).await?;
        let synced = self.file.sync_all().await;
        synced.map_err(BackupError::file(&self.path))
    }

    async fn flush(&mut self) -> Result<(), BackupError> {
        let chunk = std::mem::replace(&mut self.chunk, vec![ROWS]);
        self.digest.update(&chunk);
        self.write(&chunk).await
    }

    async fn write(&mut self, plaintext: &[u8]) -> Result<(), BackupError> {
        let place = self.binding.next();
        let sealed = self.binding.seal.seal(&place, plaintext);
        let length = u32::try_from(sealed.len())
            .ok()
            .filter(|length| *length <= LARGEST_CHUNK);
        let Some(length) = length else {
            let source = std::io::Error::new(ErrorKind::FileTooLarge, "a record is too large");
            return Err(BackupError::file(&self.path)(source));
        };
        let write = async {
            self.file.write_all(&length.to_be_bytes()).await?;
            self.file.write_all(&sealed).await
        };
        write.await.map_err(BackupError::file(&self.path))
    }
}

/// A file that is read from its beginning.
struct Source {
    path: PathBuf,
    file: BufReader<File>,
    read: u64,
    length: u64,
}

impl Source {
    async fn open(path: &Path) -> Result<Self, BackupError> {
        let open = async {
            let file = File::open(path).await?;
            let metadata = file.metadata().await?;
            if !metadata.is_file() {
                return Err(std::io::Error::other("it is no file"));
            }
            Ok((file, metadata.len()))
        };
        let (file, length) = open.await.map_err(BackupError::file(path))?;
        Ok(Self {
            path: path.to_owned(),
            file: BufReader::with_capacity(BUFFER, file),
            read: 0,
            length,
        })
    }

    /// The header, and all bytes up to its end.
    async fn preamble(&mut self) -> Result<(BackupHeader, Vec<u8>), BackupError> {
        let path = self.path.clone();
        let foreign = |error| match error {
            BackupError::Damaged { .. } => BackupError::NotABackup(path.clone()),
            other => other,
        };
        let front: [u8; 21] = self.array().await.map_err(foreign)?;
        let (magic, rest) = front.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(BackupError::NotABackup(self.path.clone()));
        }
        let length = u32::from_be_bytes([rest[1], rest[2], rest[3], rest[4]]);
        if length > LONGEST_HEADER {
            return Err(self.damaged("its header is too long"));
        }
        let text = self.bytes(length).await?;
        let header = serde_json::from_slice::<BackupHeader>(&text);
        // Whatever is in a file that somebody made may be shown to a person before it is proven.
        let header = header.ok().filter(BackupHeader::is_plain);
        match (rest[0], header) {
            (FORMAT, Some(header)) => Ok((header, [front.as_slice(), &text].concat())),
            (FORMAT, None) => Err(self.damaged("its header cannot be read")),
            (format, header) => Err(BackupError::NewerFormat {
                path: self.path.clone(),
                format,
                attache: header
                    .map_or_else(|| "of a later version".to_owned(), |header| header.attache),
            }),
        }
    }

    async fn array<const N: usize>(&mut self) -> Result<[u8; N], BackupError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes).await?;
        Ok(bytes)
    }

    async fn bytes(&mut self, length: u32) -> Result<Vec<u8>, BackupError> {
        if u64::from(length) > self.length.saturating_sub(self.read) {
            return Err(self.damaged("it ends too early"));
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        self.fill(&mut bytes).await?;
        Ok(bytes)
    }

    async fn fill(&mut self, bytes: &mut [u8]) -> Result<(), BackupError> {
        match self.file.read_exact(bytes).await {
            Ok(read) => {
                self.read += read as u64;
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                Err(self.damaged("it ends too early"))
            }
            Err(error) => Err(BackupError::file(&self.path)(error)),
        }
    }

    fn damaged(&self, detail: &str) -> BackupError {
        BackupError::damaged(&self.path, detail)
    }
}

/// A backup that is being read.
pub(super) struct Reader {
    source: Source,
    header: BackupHeader,
    binding: Binding,
    rest: Vec<u8>,
    at: usize,
    digest: Sha256,
    counts: BackupCounts,
    ended: bool,
}

impl Reader {
    /// Opens the backup at `path`, and sees whether `key` is the one that it needs.
    pub(super) async fn open(
        path: &Path,
        key: &MasterKey,
        random: &Random,
    ) -> Result<Self, BackupError> {
        let mut source = Source::open(path).await?;
        let (header, preamble) = source.preamble().await?;
        let given = key_id(key);
        if header.key != given {
            return Err(BackupError::OtherKey {
                path: path.to_owned(),
                needed: header.key,
                given,
            });
        }
        Ok(Self {
            binding: Binding::new(&preamble, key, random),
            source,
            header,
            rest: Vec::new(),
            at: 0,
            digest: Sha256::new(),
            counts: BackupCounts::default(),
            ended: false,
        })
    }

    /// What it says of itself.
    pub(super) fn header(&self) -> &BackupHeader {
        &self.header
    }

    /// What was read so far; all of it once there is no next row.
    pub(super) fn counts(&self) -> &BackupCounts {
        &self.counts
    }

    /// How many bytes were read, and how many there are.
    pub(super) fn position(&self) -> (u64, u64) {
        (self.source.read, self.source.length)
    }

    /// What is wrong with it.
    pub(super) fn damaged(&self, detail: &str) -> BackupError {
        self.source.damaged(detail)
    }

    /// The next row. None only once the end was read, and bore out everything before it.
    pub(super) async fn next(&mut self) -> Result<Option<Entry>, BackupError> {
        while self.at == self.rest.len() {
            if self.ended {
                return Ok(None);
            }
            self.chunk().await?;
        }
        let entry = self.entry();
        let entry = entry.ok_or_else(|| self.damaged("a row in it cannot be read"))?;
        self.counts.add(&entry.key);
        Ok(Some(entry))
    }

    async fn chunk(&mut self) -> Result<(), BackupError> {
        let length = u32::from_be_bytes(self.source.array().await?);
        if length > LARGEST_CHUNK {
            return Err(self.damaged("a part of it is too long"));
        }
        let sealed = self.source.bytes(length).await?;
        let place = self.binding.next();
        let opened = self.binding.seal.open(&place, &sealed);
        let opened = opened.map_err(|_| {
            let number = self.binding.index;
            self.damaged(&format!("part {number} was changed, or belongs elsewhere"))
        })?;
        match opened.split_first() {
            Some((&ROWS, _)) => {
                self.digest.update(opened.as_slice());
                self.rest = opened.to_vec();
                self.at = 1;
                Ok(())
            }
            Some((&END, closing)) => self.close(closing),
            _ => Err(self.damaged("a part of it is of no known kind")),
        }
    }

    fn close(&mut self, closing: &[u8]) -> Result<(), BackupError> {
        let closing = serde_json::from_slice::<Closing>(closing);
        let digest = HEXLOWER.encode(&self.digest.clone().finalize());
        let bears_out =
            closing.is_ok_and(|closing| closing.counts == self.counts && closing.digest == digest);
        if !bears_out {
            return Err(self.damaged("its end speaks of other rows"));
        }
        if self.source.read != self.source.length {
            return Err(self.damaged("something follows its end"));
        }
        self.ended = true;
        Ok(())
    }

    fn entry(&mut self) -> Option<Entry> {
        let mut rest = self.rest.get(self.at..)?;
        let mut take = |length: usize| {
            let (taken, after) = rest.split_at_checked(length)?;
            rest = after;
            Some(taken)
        };
        let mark = Mark::of(*take(1)?.first()?)?;
        let mut number = || Some(u32::from_be_bytes(take(4)?.try_into().ok()?));
        let (key, value) = (number()?, number()?);
        let key = take(usize::try_from(key).ok()?)?;
        let value = take(usize::try_from(value).ok()?)?;
        let entry = Entry {
            mark,
            key: String::from_utf8(key.to_vec()).ok()?,
            value: value.to_vec(),
        };
        self.at = self.rest.len() - rest.len();
        Some(entry)
    }
}
