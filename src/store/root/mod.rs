//! The root: how new each manifest must be at least, in a sealed file of its own beside sled.
//!
//! Owns that file and the thread that writes it. What sled loses or what is put back in its files, a manifest among it,
//! does not agree with the root any more. It follows some time behind the manifests and is never ahead of them: a floor is
//! raised once the manifest is durable. So no write waits for it, and a cut leaves it lower than it could be, never wrong.
//! Refuses to know what a manifest holds.

mod file;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::manifest::Group;
use super::seal::Seal;
use crate::base::Random;
use file::RootFile;
pub(super) use file::{Head, Loaded, MadeAnew, Stage, load};

/// How long floors are gathered before they are written.
const GATHERING: Duration = Duration::from_millis(500);

/// How long after a failure it is tried again.
const RETRY: Duration = Duration::from_secs(30);

/// The file is written anew when it holds more than this many floors for each that counts, and some more.
const OUTDATED: usize = 3;
const SMALL: usize = 16 * 1024;

/// A group, as the root knows it: 96 bits of the SHA-256 of its name. A million groups collide with a chance of 2^-57.
pub(super) type GroupDigest = [u8; 12];

/// A generation, in big-endian bytes: so an entry takes 20 bytes in memory and in the file.
pub(super) type Floor = [u8; 8];

/// The root of an open store.
pub(super) struct Root {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    floors: Mutex<Floors>,
    changed: Condvar,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "four things that are asked of the thread, or said by it, in any combination"
)]
struct Floors {
    by_group: HashMap<GroupDigest, Floor>,
    head: Head,
    /// What was raised since it was last written.
    raised: HashMap<GroupDigest, Floor>,
    /// The whole file is to be written, with its head.
    whole: bool,
    /// Counts what was asked for; what the file holds follows.
    asked: u64,
    written: u64,
    hurried: bool,
    stopping: bool,
    failed: bool,
}

impl Root {
    /// Goes on with the file that was loaded.
    pub(super) fn resume(
        path: PathBuf,
        loaded: Loaded,
        seal: Seal,
        random: &Random,
    ) -> io::Result<Self> {
        let Loaded { head, floors, file } = loaded;
        let writer = |shared| Writer {
            shared,
            path,
            seal,
            random: random.clone(),
            file: Some(file),
        };
        Self::start(head, floors, writer)
    }

    /// Makes the file, durably, in the place of any that is there.
    pub(super) fn make(
        path: PathBuf,
        head: Head,
        floors: HashMap<GroupDigest, Floor>,
        seal: Seal,
        random: &Random,
    ) -> io::Result<Self> {
        let file = RootFile::replace(&path, &seal, random, head, &floors)?;
        let writer = |shared| Writer {
            shared,
            path,
            seal,
            random: random.clone(),
            file: Some(file),
        };
        Self::start(head, floors, writer)
    }

    fn start(
        head: Head,
        by_group: HashMap<GroupDigest, Floor>,
        writer: impl FnOnce(Arc<Shared>) -> Writer,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            floors: Mutex::new(Floors {
                by_group,
                head,
                raised: HashMap::new(),
                whole: false,
                asked: 0,
                written: 0,
                hurried: false,
                stopping: false,
                failed: false,
            }),
            changed: Condvar::new(),
        });
        let writer = writer(Arc::clone(&shared));
        let thread = thread::Builder::new()
            .name("store-root".to_owned())
            .spawn(move || writer.work())?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// The lowest acceptable generation of the group's manifest; none when there need be no manifest.
    pub(super) fn floor(&self, group: &Group) -> Option<u64> {
        let floors = self.shared.floors();
        floors
            .by_group
            .get(&digest(group))
            .copied()
            .map(u64::from_be_bytes)
    }

    /// The group's manifest is durable with this generation.
    pub(super) fn raise(&self, group: &Group, generation: u64) {
        let digest = digest(group);
        let mut floors = self.shared.floors();
        let floor = generation.to_be_bytes();
        let known = floors.by_group.entry(digest).or_insert(floor);
        if *known > floor {
            return;
        }
        *known = floor;
        floors.raised.insert(digest, floor);
        floors.asked += 1;
        drop(floors);
        self.shared.changed.notify_all();
    }

    pub(super) fn head(&self) -> Head {
        self.shared.floors().head
    }

    /// How many groups it knows.
    pub(super) fn groups(&self) -> usize {
        self.shared.floors().by_group.len()
    }

    /// Says something else about itself from now on, and knows just the groups of `floors` where some are given. Durable
    /// when it returns, unless it could not be written.
    pub(super) fn rewrite(&self, head: Head, floors: Option<HashMap<GroupDigest, Floor>>) -> bool {
        let mut own = self.shared.floors();
        own.head = head;
        if let Some(mut floors) = floors {
            // What was raised while they were gathered counts.
            floors.extend(own.raised.drain());
            own.by_group = floors;
        }
        own.whole = true;
        own.asked += 1;
        drop(own);
        self.flush()
    }

    /// Waits until everything up to now is written. Answers whether it could be.
    pub(super) fn flush(&self) -> bool {
        let mut floors = self.shared.floors();
        let asked = floors.asked;
        floors.hurried = true;
        self.shared.changed.notify_all();
        while floors.written < asked && !floors.failed && !floors.stopping {
            floors = self
                .shared
                .changed
                .wait(floors)
                .unwrap_or_else(PoisonError::into_inner);
        }
        floors.written >= asked
    }

    /// Writes what is still to be written, and ends the thread.
    pub(super) fn stop(&self) {
        self.shared.floors().stopping = true;
        self.shared.changed.notify_all();
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            // It does not panic; if it did, the root would only be behind.
            let _ = thread.join();
        }
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn floors(&self) -> MutexGuard<'_, Floors> {
        self.floors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How the root names a group.
pub(super) fn digest(group: &Group) -> GroupDigest {
    let whole = Sha256::digest(group.manifest_key().as_bytes());
    let mut digest = GroupDigest::default();
    let length = digest.len();
    digest.copy_from_slice(&whole[..length]);
    digest
}

/// What the writing thread works with.
struct Writer {
    shared: Arc<Shared>,
    path: PathBuf,
    seal: Seal,
    random: Random,
    /// None after a failure: the next file is written whole.
    file: Option<RootFile>,
}

/// What is to be written next.
enum Next {
    Some(HashMap<GroupDigest, Floor>),
    Whole(Head, HashMap<GroupDigest, Floor>),
}

impl Writer {
    fn work(mut self) {
        while let Some((next, asked)) = self.next() {
            let outcome = self.write(&next);
            let mut floors = self.shared.floors();
            match &outcome {
                Ok(()) => {
                    floors.written = asked;
                    floors.failed = false;
                }
                Err(error) => {
                    if !floors.failed {
                        tracing::error!(%error, "the root of the manifests cannot be written; it is tried again");
                    }
                    floors.failed = true;
                    floors.whole = true;
                    self.file = None;
                }
            }
            let ending = floors.stopping && outcome.is_err();
            drop(floors);
            self.shared.changed.notify_all();
            if ending {
                return;
            }
        }
    }

    /// Waits for something to write, gathers what else comes, and takes it; none when there is nothing and it is to end.
    fn next(&self) -> Option<(Next, u64)> {
        let mut floors = self.shared.floors();
        let mut gathered = false;
        loop {
            let something = floors.written < floors.asked && (gathered || !floors.failed);
            if something && (gathered || floors.hurried || floors.stopping) {
                break;
            }
            if floors.stopping && floors.written == floors.asked {
                return None;
            }
            if floors.stopping && floors.failed {
                break;
            }
            if floors.written < floors.asked {
                let pause = if floors.failed { RETRY } else { GATHERING };
                let (after, waited) = self
                    .shared
                    .changed
                    .wait_timeout_while(floors, pause, |floors| !floors.hurried && !floors.stopping)
                    .unwrap_or_else(PoisonError::into_inner);
                floors = after;
                gathered |= waited.timed_out() || floors.hurried;
            } else {
                floors.hurried = false;
                floors = self
                    .shared
                    .changed
                    .wait(floors)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
        floors.hurried = false;
        let asked = floors.asked;
        let raised = std::mem::take(&mut floors.raised);
        let count = self.file.as_ref().map_or(usize::MAX, RootFile::count);
        let outdated = count.saturating_sub(SMALL) / OUTDATED > floors.by_group.len();
        if std::mem::take(&mut floors.whole) || outdated {
            return Some((Next::Whole(floors.head, floors.by_group.clone()), asked));
        }
        Some((Next::Some(raised), asked))
    }

    fn write(&mut self, next: &Next) -> io::Result<()> {
        match (next, &mut self.file) {
            (Next::Some(raised), Some(file)) => file.append(&self.seal, raised),
            (Next::Some(_), None) => Err(io::Error::other("the file must be written whole first")),
            (Next::Whole(head, floors), _) => {
                let file = RootFile::replace(&self.path, &self.seal, &self.random, *head, floors)?;
                self.file = Some(file);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
