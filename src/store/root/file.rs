//! The root's file: sealed frames, one after another.
//!
//! Owns its layout, and what a torn end and a damaged middle look like. Refuses to know when it is written.
//!
//! ```text
//! "attache root" 1 (13 bytes) | id of the file (16 bytes) | frames
//! frame: length (4 bytes) | its complement (4 bytes) | sealed
//! sealed, the first frame: stage (1 byte) | made anew (1 byte)
//! sealed, all others: group (12 bytes) | floor (8 bytes), as often as needed; what comes later counts
//! ```
//!
//! Numbers are big-endian. A frame is sealed for its place in its file, so none can be moved, left out or brought over
//! from another file. The end can be cut off: then the floors of the cut frames are those of the frames before.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use data_encoding::HEXLOWER;

use zeroize::Zeroizing;

use super::{Floor, GroupDigest};
use crate::base::Random;
use crate::store::folder;
use crate::store::seal::Seal;

const MAGIC: &[u8; 13] = b"attache root\x01";
const ID: usize = 16;
const PAIR: usize = size_of::<GroupDigest>() + size_of::<Floor>();
/// How many floors one frame holds at most.
const FRAME: usize = 8 * 1024;

/// What the root says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Head {
    pub(in crate::store) stage: Stage,
    pub(in crate::store) made_anew: Option<MadeAnew>,
}

/// Whether manifests are made for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Stage {
    /// They are being made of what is there.
    Upgrading,
    /// They are made; what is in none is not ours.
    Settled,
}

/// Why the root was made of the manifests that were there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum MadeAnew {
    Missing,
    Damaged,
}

/// What a file held, and the file, to go on with.
pub(in crate::store) struct Loaded {
    pub(in crate::store) head: Head,
    pub(in crate::store) floors: HashMap<GroupDigest, Floor>,
    pub(in crate::store) file: RootFile,
}

/// The file as it is written to.
pub(in crate::store) struct RootFile {
    file: File,
    id: [u8; ID],
    frames: u64,
    length: u64,
    count: usize,
}

/// Reads the file at `path`; none when there is none.
///
/// # Errors
/// [`ErrorKind::InvalidData`] when it is damaged.
pub(in crate::store) fn load(path: &Path, seal: &Seal) -> io::Result<Option<Loaded>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut reading = Reading::begin(&bytes, seal)?;
    let head = reading.head()?;
    let mut floors = HashMap::new();
    while let Some(frame) = reading.next()? {
        for pair in frame.as_chunks::<PAIR>().0 {
            let (group, floor) = pair.split_at(size_of::<GroupDigest>());
            let group = GroupDigest::try_from(group).map_err(|_| damaged())?;
            let floor = Floor::try_from(floor).map_err(|_| damaged())?;
            floors.insert(group, floor);
            reading.count += 1;
        }
    }
    let file = OpenOptions::new().write(true).open(path)?;
    let length = reading.at as u64;
    if reading.at < bytes.len() {
        tracing::warn!(
            bytes = bytes.len() - reading.at,
            "the end of the root's file was torn off in the middle of a write; what it would have said is said by the manifests"
        );
        file.set_len(length)?;
        file.sync_all()?;
    }
    let file = RootFile {
        file,
        id: reading.id,
        frames: reading.frames,
        length,
        count: reading.count,
    };
    Ok(Some(Loaded { head, floors, file }))
}

fn damaged() -> io::Error {
    io::Error::new(
        ErrorKind::InvalidData,
        "it was changed, or is of another store",
    )
}

struct Reading<'a> {
    bytes: &'a [u8],
    seal: &'a Seal,
    id: [u8; ID],
    at: usize,
    frames: u64,
    count: usize,
}

impl<'a> Reading<'a> {
    fn begin(bytes: &'a [u8], seal: &'a Seal) -> io::Result<Self> {
        let id = bytes
            .strip_prefix(MAGIC)
            .and_then(|rest| rest.first_chunk::<ID>());
        Ok(Self {
            bytes,
            seal,
            id: *id.ok_or_else(damaged)?,
            at: MAGIC.len() + ID,
            frames: 0,
            count: 0,
        })
    }

    /// The first frame was made durable before the file got its name, so it is never torn.
    fn head(&mut self) -> io::Result<Head> {
        let frame = self.next()?.ok_or_else(damaged)?;
        let [stage, made_anew] = *frame.as_slice() else {
            return Err(damaged());
        };
        Ok(Head {
            stage: match stage {
                0 => Stage::Upgrading,
                1 => Stage::Settled,
                _ => return Err(damaged()),
            },
            made_anew: match made_anew {
                0 => None,
                1 => Some(MadeAnew::Missing),
                2 => Some(MadeAnew::Damaged),
                _ => return Err(damaged()),
            },
        })
    }

    /// The next frame that is whole; none at the end, torn or not.
    fn next(&mut self) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        let rest = &self.bytes[self.at..];
        let Some((front, rest)) = rest.split_first_chunk::<8>() else {
            return Ok(None);
        };
        // The length, and the length again with every bit turned.
        let twice = u64::from_be_bytes(*front);
        let (length, turned) = (twice >> 32, twice & u64::from(u32::MAX));
        if length != !turned & u64::from(u32::MAX) {
            // Blocks that were given to the file and never written read as zeros.
            return if twice == 0 && rest.iter().all(|byte| *byte == 0) {
                Ok(None)
            } else {
                Err(damaged())
            };
        }
        let length = usize::try_from(length).map_err(|_| damaged())?;
        let Some((sealed, after)) = rest.split_at_checked(length) else {
            return Ok(None);
        };
        match self.seal.open(&place(&self.id, self.frames), sealed) {
            Ok(frame) => {
                self.at += front.len() + length;
                self.frames += 1;
                Ok(Some(frame))
            }
            // The last frame may have been written in part.
            Err(_) if after.is_empty() && self.frames > 0 => Ok(None),
            Err(_) => Err(damaged()),
        }
    }
}

impl RootFile {
    /// Writes a whole file, durable before it takes the place of the one at `path`.
    pub(super) fn replace(
        path: &Path,
        seal: &Seal,
        random: &Random,
        head: Head,
        floors: &HashMap<GroupDigest, Floor>,
    ) -> io::Result<Self> {
        let suffix = HEXLOWER.encode(&random.bytes::<8>());
        let mut draft = path.as_os_str().to_owned();
        draft.push(format!(".{suffix}.draft"));
        let draft = Path::new(&draft);
        let written = Self::write_draft(draft, seal, random, head, floors);
        let placed = written.and_then(|file| {
            fs::rename(draft, path)?;
            folder::sync_parent(path)?;
            Ok(file)
        });
        if placed.is_err() {
            // Gone or not, the draft decides nothing any more.
            let _ = fs::remove_file(draft);
        }
        placed
    }

    fn write_draft(
        draft: &Path,
        seal: &Seal,
        random: &Random,
        head: Head,
        floors: &HashMap<GroupDigest, Floor>,
    ) -> io::Result<Self> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(draft)?;
        let id = random.bytes();
        let mut new = Self {
            file,
            id,
            frames: 0,
            length: 0,
            count: 0,
        };
        let mut bytes = [MAGIC.as_slice(), &id].concat();
        let head = [
            u8::from(head.stage == Stage::Settled),
            match head.made_anew {
                None => 0,
                Some(MadeAnew::Missing) => 1,
                Some(MadeAnew::Damaged) => 2,
            },
        ];
        new.push_frame(&mut bytes, seal, &head)?;
        new.push_floors(&mut bytes, seal, floors)?;
        new.file.write_all(&bytes)?;
        new.file.sync_all()?;
        new.length = bytes.len() as u64;
        Ok(new)
    }

    /// Writes `floors` behind the others, durably.
    pub(super) fn append(
        &mut self,
        seal: &Seal,
        floors: &HashMap<GroupDigest, Floor>,
    ) -> io::Result<()> {
        let mut bytes = Vec::new();
        self.push_floors(&mut bytes, seal, floors)?;
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.write_all(&bytes)?;
        self.file.sync_data()?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// How many floors it holds, those that count no more among them.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    fn push_floors(
        &mut self,
        bytes: &mut Vec<u8>,
        seal: &Seal,
        floors: &HashMap<GroupDigest, Floor>,
    ) -> io::Result<()> {
        let pairs: Vec<_> = floors.iter().collect();
        for some in pairs.chunks(FRAME) {
            let mut frame = Vec::with_capacity(some.len() * PAIR);
            for (group, floor) in some {
                frame.extend_from_slice(group.as_slice());
                frame.extend_from_slice(floor.as_slice());
            }
            self.push_frame(bytes, seal, &frame)?;
        }
        self.count += floors.len();
        Ok(())
    }

    fn push_frame(&mut self, bytes: &mut Vec<u8>, seal: &Seal, frame: &[u8]) -> io::Result<()> {
        let sealed = seal.seal(&place(&self.id, self.frames), frame);
        let length = u32::try_from(sealed.len()).map_err(io::Error::other)?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&(!length).to_be_bytes());
        bytes.extend_from_slice(&sealed);
        self.frames += 1;
        Ok(())
    }
}

/// What a frame is sealed for.
fn place(id: &[u8; ID], frame: u64) -> Vec<u8> {
    [b"store/root".as_slice(), id, &frame.to_be_bytes()].concat()
}
