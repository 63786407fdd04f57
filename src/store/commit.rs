//! Group commit: many writers, one thread that applies their swaps, and one sync for all that came in together.
//!
//! Owns the order of writes, the promise that a swap is durable before it is acknowledged, and what happens when that
//! promise cannot be kept. Refuses to know what is synced and how: that is the [`Journal`].
//!
//! While one sync runs, new swaps queue up; when it ends they are applied together and share the next. A conflict is
//! answered after the sync of its own batch, so the bytes that it lost against are durable by then.
//!
//! A failed sync leaves the kernel and the engine in a state that cannot be known (the pages may be marked clean all
//! the same), so nothing is tried again: the writers of that batch hear [`Swap::Unknown`]. Then the journal is reopened
//! from what is really on the disk, at once and, while that fails, again and again with growing pauses; every writer that
//! comes meanwhile hears [`StoreError::Poisoned`], or [`StoreError::NoSpace`] where that is the reason. Since one thread
//! does all this, a writer that looks again after `Unknown` is answered from the reopened journal.
//!
//! A disk that is nearly full is noticed before a write is applied, where it is refused without harm.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{io, iter};

use tokio::sync::oneshot;

use super::backend::{Swap, Urgency};
use super::error::StoreError;
use super::space::{Room, speaks_of_a_full_disk};
use crate::base::Clock;

/// The pause after the first attempt to reopen that failed; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause between two attempts to reopen: an idle disk that is sound again is noticed within it.
const LONGEST_PAUSE: Duration = Duration::from_secs(16);

/// The same where the reason is a full disk, on which a look costs nothing.
const LONGEST_PAUSE_WHEN_FULL: Duration = Duration::from_secs(1);

/// How often the journal is asked whether it is content again, while it is not.
const TENDING: Duration = Duration::from_secs(1);

/// The most swaps that share one sync, so that no writer waits for an endless batch.
const BATCH: usize = 1024;

/// One swap as the committer applies it.
pub(super) struct Write {
    pub(super) key: Vec<u8>,
    pub(super) expected: Option<Vec<u8>>,
    pub(super) new: Option<Vec<u8>>,
    pub(super) urgency: Urgency,
}

impl Write {
    /// What it adds, in bytes.
    fn size(&self) -> u64 {
        (self.key.len() + self.new.as_ref().map_or(0, Vec::len)) as u64
    }

    /// Whether it may use up the last of the disk: it ends something, makes room, or only looks how another ended.
    fn is_last(&self) -> bool {
        self.urgency == Urgency::Last || self.new.is_none() || self.new == self.expected
    }
}

/// What the committer writes to. An error, or a panic, from `apply` or `sync` poisons the committer until `reopen` has
/// done its work.
pub(super) trait Journal: Send + 'static {
    /// What may be written, when what comes is `bytes` long.
    fn room(&mut self, bytes: u64) -> Room;

    /// Makes what room can be made for `bytes`.
    fn make_way(&mut self, bytes: u64);

    /// Gives up what is open and opens anew from what is really on the disk.
    fn reopen(&mut self, reason: &str) -> Result<(), String>;

    /// Looks after itself between two batches. Answers whether it wants to be asked again soon.
    fn tend(&mut self) -> bool;

    /// Compares and swaps, not yet durably; says whether the expected bytes were there.
    fn apply(&mut self, write: &Write) -> Result<bool, String>;

    /// Makes everything that was applied durable.
    fn sync(&mut self) -> Result<(), String>;
}

struct Request {
    write: Write,
    answer: oneshot::Sender<Result<Swap, StoreError>>,
}

/// The queue to the committing thread, and its counters.
pub(super) struct Committer {
    queue: Mutex<Option<mpsc::Sender<Request>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    syncs: Arc<AtomicU64>,
}

impl Committer {
    /// Starts the thread that owns `journal`.
    pub(super) fn start(journal: impl Journal, clock: Clock) -> io::Result<Self> {
        let (queue, requests) = mpsc::channel();
        let syncs = Arc::new(AtomicU64::new(0));
        let mut desk = Desk {
            journal,
            clock,
            poison: None,
            syncs: Arc::clone(&syncs),
        };
        let thread = thread::Builder::new()
            .name("store-commit".to_owned())
            .spawn(move || desk.work(&requests))?;
        Ok(Self {
            queue: Mutex::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
            syncs,
        })
    }

    /// Applies `write` and waits until it is durable. Writes take effect in the order of their first poll.
    pub(super) async fn swap(&self, write: Write) -> Result<Swap, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.enqueue(Request { write, answer })?;
        // The thread answers every request it takes; silence means that it died with this one in hand.
        answered.await.unwrap_or(Ok(Swap::Unknown))
    }

    fn enqueue(&self, request: Request) -> Result<(), StoreError> {
        self.queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .and_then(|queue| queue.send(request).ok())
            .ok_or(StoreError::Closed)
    }

    /// How many syncs have been made.
    pub(super) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    /// Takes no more writes. The thread that is handed back ends, and drops the journal, when those under way are done;
    /// `None` when it was handed out before.
    pub(super) fn stop(&self) -> Option<JoinHandle<()>> {
        drop(take(&self.queue));
        take(&self.thread)
    }
}

fn take<T>(slot: &Mutex<Option<T>>) -> Option<T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// What the committing thread works with.
struct Desk<J> {
    journal: J,
    clock: Clock,
    poison: Option<Poison>,
    syncs: Arc<AtomicU64>,
}

/// Why nothing is written, and when the journal is reopened next, on the monotonic clock.
struct Poison {
    reason: String,
    due: Duration,
    pause: Duration,
}

impl Poison {
    fn is_a_full_disk(&self) -> bool {
        speaks_of_a_full_disk(&self.reason)
    }

    fn refusal(&self) -> StoreError {
        if self.is_a_full_disk() {
            return StoreError::NoSpace;
        }
        StoreError::Poisoned {
            reason: self.reason.clone(),
        }
    }
}

impl<J: Journal> Desk<J> {
    fn work(&mut self, requests: &mpsc::Receiver<Request>) {
        loop {
            match self.next(requests) {
                Ok(first) => self.commit(iter::once(first).chain(requests.try_iter()).take(BATCH)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.reopen_if_due();
        }
    }

    /// The next request, waiting no longer than something else can wait.
    fn next(&mut self, requests: &mpsc::Receiver<Request>) -> Result<Request, RecvTimeoutError> {
        let wait = match &self.poison {
            Some(poison) => Some(poison.due.saturating_sub(self.clock.monotonic())),
            None => self.tend().then_some(TENDING),
        };
        match wait {
            Some(wait) => requests.recv_timeout(wait.max(Duration::from_millis(1))),
            None => Ok(requests.recv()?),
        }
    }

    fn tend(&mut self) -> bool {
        let tended = guarded(|| Ok(self.journal.tend()));
        tended.unwrap_or_else(|reason| {
            tracing::error!(%reason, "the room on the disk could not be looked after");
            false
        })
    }

    fn commit(&mut self, batch: impl Iterator<Item = Request>) {
        self.reopen_if_due();
        let batch: Vec<Request> = batch.collect();
        let room = self.room(&batch);
        let mut applied = Vec::with_capacity(batch.len());
        let mut unsynced = false;
        for Request { write, answer } in batch {
            let result = self.apply(&write, room);
            unsynced |= result == Ok(Swap::Done);
            applied.push((answer, result));
        }
        if unsynced && self.poison.is_none() {
            self.sync();
        }
        for (answer, result) in applied {
            let durable = match result {
                Ok(Swap::Done) if self.poison.is_some() => Ok(Swap::Unknown),
                other => other,
            };
            // A caller that no longer waits has no use for the answer.
            let _ = answer.send(durable);
        }
    }

    /// What of the batch may be written; way is made for what must be.
    fn room(&mut self, batch: &[Request]) -> Room {
        let bytes = |last: bool| -> u64 {
            let counted = batch.iter().map(|request| &request.write);
            let counted = counted.filter(|write| !last || write.is_last());
            counted.map(Write::size).sum()
        };
        let room = self.journal.room(bytes(false));
        if room == Room::Plenty {
            return room;
        }
        if batch.iter().any(|request| request.write.is_last()) {
            self.journal.make_way(bytes(true));
        }
        // What is refused takes no room.
        self.journal.room(bytes(true)).min(Room::Scarce)
    }

    fn apply(&mut self, write: &Write, room: Room) -> Result<Swap, StoreError> {
        if let Some(poison) = &self.poison {
            return Err(poison.refusal());
        }
        if room == Room::None || (room == Room::Scarce && !write.is_last()) {
            return Err(StoreError::NoSpace);
        }
        match guarded(|| self.journal.apply(write)) {
            Ok(true) => Ok(Swap::Done),
            Ok(false) => Ok(Swap::Conflict),
            Err(reason) => {
                self.poison(reason);
                Ok(Swap::Unknown)
            }
        }
    }

    fn sync(&mut self) {
        if let Err(reason) = guarded(|| self.journal.sync()) {
            self.poison(reason);
        }
        self.syncs.fetch_add(1, Ordering::Relaxed);
    }

    /// Nothing more is written until the journal was reopened, which is tried once the batch has its answers.
    fn poison(&mut self, reason: String) {
        tracing::error!(%reason, "a write could not be made durable; the store is reopened from what is on the disk");
        self.poison = Some(Poison {
            reason,
            due: self.clock.monotonic(),
            pause: FIRST_PAUSE,
        });
    }

    fn reopen_if_due(&mut self) {
        let now = self.clock.monotonic();
        let Some(poison) = self.poison.as_mut().filter(|poison| poison.due <= now) else {
            return;
        };
        match guarded(|| self.journal.reopen(&poison.reason)) {
            Ok(()) => {
                tracing::info!("the store was reopened and takes writes again");
                self.poison = None;
            }
            Err(reason) => {
                if reason != poison.reason {
                    tracing::error!(%reason, "the store could not be reopened; trying again until it can");
                }
                poison.reason = reason;
                poison.due = self.clock.monotonic() + poison.pause;
                let longest = if poison.is_a_full_disk() {
                    LONGEST_PAUSE_WHEN_FULL
                } else {
                    LONGEST_PAUSE
                };
                poison.pause = (poison.pause * 2).min(longest);
            }
        }
    }
}

/// Runs a step of the engine and turns a panic inside it into a reason.
///
/// An engine that panicked is not used for writing again, so its broken state cannot be built upon.
pub(super) fn guarded<T>(step: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(step)).unwrap_or_else(|panic| Err(panic_text(panic.as_ref())))
}

/// The first line of a panic's message.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    let line: String = text
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(200)
        .collect();
    format!("the storage engine panicked: {line}")
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::future::join_all;

    use super::*;
    use crate::base::Timestamp;

    /// A journal whose sync waits to be let through, and then ends as it is told. So does reopening, where nothing is
    /// said, it works.
    struct Gated {
        applied: Arc<AtomicU64>,
        room: Arc<Mutex<Room>>,
        reopenings: mpsc::Receiver<Result<(), String>>,
        reopened: Arc<AtomicU64>,
        syncing: mpsc::Sender<()>,
        verdicts: mpsc::Receiver<Result<(), String>>,
    }

    impl Journal for Gated {
        fn room(&mut self, _bytes: u64) -> Room {
            *self.room.lock().unwrap()
        }

        fn make_way(&mut self, _bytes: u64) {
            let mut room = self.room.lock().unwrap();
            *room = (*room).max(Room::Scarce);
        }

        fn reopen(&mut self, _reason: &str) -> Result<(), String> {
            self.reopened.fetch_add(1, Ordering::SeqCst);
            self.reopenings.try_recv().unwrap_or(Ok(()))
        }

        fn tend(&mut self) -> bool {
            false
        }

        fn apply(&mut self, write: &Write) -> Result<bool, String> {
            match write.key.as_slice() {
                b"conflict" => Ok(false),
                b"panic" => panic!("split of page 7\nwith more detail"),
                b"fail" => Err("no space".to_owned()),
                _ => {
                    self.applied.fetch_add(1, Ordering::SeqCst);
                    Ok(true)
                }
            }
        }

        fn sync(&mut self) -> Result<(), String> {
            self.syncing.send(()).unwrap();
            self.verdicts.recv().unwrap()
        }
    }

    struct Bench {
        committer: Committer,
        clock: Clock,
        applied: Arc<AtomicU64>,
        room: Arc<Mutex<Room>>,
        reopenings: mpsc::Sender<Result<(), String>>,
        reopened: Arc<AtomicU64>,
        syncing: mpsc::Receiver<()>,
        verdicts: mpsc::Sender<Result<(), String>>,
    }

    fn bench() -> Bench {
        let (applied, reopened) = (Arc::default(), Arc::default());
        let room = Arc::new(Mutex::new(Room::Plenty));
        let (started, syncing) = mpsc::channel();
        let (verdicts, told) = mpsc::channel();
        let (reopenings, foretold) = mpsc::channel();
        let clock = Clock::manual(Timestamp::from_unix(0));
        let journal = Gated {
            applied: Arc::clone(&applied),
            room: Arc::clone(&room),
            reopenings: foretold,
            reopened: Arc::clone(&reopened),
            syncing: started,
            verdicts: told,
        };
        let committer = Committer::start(journal, clock.clone()).unwrap();
        Bench {
            committer,
            clock,
            applied,
            room,
            reopenings,
            reopened,
            syncing,
            verdicts,
        }
    }

    fn write(key: &str) -> Write {
        Write {
            key: key.as_bytes().to_vec(),
            expected: None,
            new: None,
            urgency: Urgency::Usual,
        }
    }

    fn poisoned(reason: &str) -> Result<Swap, StoreError> {
        Err(StoreError::Poisoned {
            reason: reason.to_owned(),
        })
    }

    #[tokio::test]
    async fn writers_that_arrive_during_a_sync_share_the_next_one() {
        let bench = bench();
        let mut first = Box::pin(bench.committer.swap(write("first")));
        assert!(first.as_mut().now_or_never().is_none());
        bench.syncing.recv().unwrap();

        let mut rest = Box::pin(join_all(
            (0..100).map(|n| bench.committer.swap(write(&n.to_string()))),
        ));
        assert!(rest.as_mut().now_or_never().is_none());
        assert!(
            first.as_mut().now_or_never().is_none(),
            "acknowledged before its sync ended"
        );

        bench.verdicts.send(Ok(())).unwrap();
        bench.verdicts.send(Ok(())).unwrap();
        assert_eq!(first.await, Ok(Swap::Done));
        assert_eq!(rest.await, vec![Ok(Swap::Done); 100]);
        assert_eq!(bench.committer.syncs(), 2);
    }

    #[tokio::test]
    async fn a_batch_of_conflicts_syncs_nothing() {
        let bench = bench();
        assert_eq!(
            bench.committer.swap(write("conflict")).await,
            Ok(Swap::Conflict)
        );
        assert_eq!(bench.committer.syncs(), 0);
    }

    #[tokio::test]
    async fn a_failed_sync_is_unknown_to_its_writers_and_the_next_are_served_from_the_disk() {
        let bench = bench();
        bench.verdicts.send(Err("torn".to_owned())).unwrap();
        bench.verdicts.send(Ok(())).unwrap();
        assert_eq!(
            bench.committer.swap(write("lost?")).await,
            Ok(Swap::Unknown)
        );
        assert_eq!(bench.committer.swap(write("later")).await, Ok(Swap::Done));
        assert_eq!(bench.reopened.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn while_it_cannot_be_reopened_writers_are_refused_and_it_is_tried_with_growing_pauses() {
        let bench = bench();
        let mut failures = 6;
        for _ in 0..failures {
            bench.reopenings.send(Err("EIO".to_owned())).unwrap();
        }
        bench.verdicts.send(Err("EIO".to_owned())).unwrap();
        let lost = bench.committer.swap(write("lost?")).await;
        assert_eq!(lost, Ok(Swap::Unknown));
        let mut pause = FIRST_PAUSE;
        while failures > 0 {
            let refused = bench.committer.swap(write("refused")).await;
            assert_eq!(refused, poisoned("EIO"));
            let attempts = bench.reopened.load(Ordering::SeqCst);
            let early = bench.committer.swap(write("early")).await;
            assert_eq!(early, poisoned("EIO"));
            assert_eq!(bench.reopened.load(Ordering::SeqCst), attempts, "too soon");
            bench.clock.advance(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
            failures -= 1;
        }
        bench.verdicts.send(Ok(())).unwrap();
        assert_eq!(bench.committer.swap(write("later")).await, Ok(Swap::Done));
        assert_eq!(bench.reopened.load(Ordering::SeqCst), 7);
        assert_eq!(bench.applied.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_full_disk_behind_a_failure_is_called_so() {
        let bench = bench();
        let full = io::Error::from_raw_os_error(28).to_string();
        bench.reopenings.send(Err(full.clone())).unwrap();
        bench.verdicts.send(Err(full)).unwrap();
        let lost = bench.committer.swap(write("lost?")).await;
        assert_eq!(lost, Ok(Swap::Unknown));
        let refused = bench.committer.swap(write("refused")).await;
        assert_eq!(refused, Err(StoreError::NoSpace));
    }

    #[tokio::test]
    async fn a_failed_or_panicking_step_is_unknown_all_the_same() {
        for (key, reason) in [
            ("fail", "no space"),
            ("panic", "the storage engine panicked: split of page 7"),
        ] {
            let bench = bench();
            bench.reopenings.send(Err(reason.to_owned())).unwrap();
            let failed = bench.committer.swap(write(key)).await;
            assert_eq!(failed, Ok(Swap::Unknown), "{key}");
            let later = bench.committer.swap(write("later")).await;
            assert_eq!(later, poisoned(reason));
        }
    }

    #[tokio::test]
    async fn on_a_nearly_full_disk_only_what_ends_something_is_written() {
        let bench = bench();
        *bench.room.lock().unwrap() = Room::Scarce;
        let refused = bench
            .committer
            .swap(Write {
                new: Some(vec![1]),
                ..write("usual")
            })
            .await;
        assert_eq!(refused, Err(StoreError::NoSpace));
        assert_eq!(bench.applied.load(Ordering::SeqCst), 0, "it was applied");

        let last = Write {
            new: Some(vec![1]),
            urgency: Urgency::Last,
            ..write("last")
        };
        let removal = Write {
            expected: Some(vec![1]),
            ..write("removal")
        };
        let look = Write {
            expected: Some(vec![1]),
            new: Some(vec![1]),
            ..write("look")
        };
        for (n, allowed) in [last, removal, look].into_iter().enumerate() {
            // The first of them finds nothing left at all until way was made.
            *bench.room.lock().unwrap() = if n == 0 { Room::None } else { Room::Scarce };
            bench.verdicts.send(Ok(())).unwrap();
            assert_eq!(bench.committer.swap(allowed).await, Ok(Swap::Done), "{n}");
        }
    }

    #[tokio::test]
    async fn closing_finishes_what_was_begun_and_takes_no_more() {
        let bench = bench();
        let mut under_way = Box::pin(bench.committer.swap(write("under way")));
        assert!(under_way.as_mut().now_or_never().is_none());
        bench.verdicts.send(Ok(())).unwrap();
        bench.committer.stop().unwrap().join().unwrap();
        assert_eq!(under_way.await, Ok(Swap::Done));
        assert_eq!(
            bench.committer.swap(write("later")).await,
            Err(StoreError::Closed)
        );
    }

    #[tokio::test]
    async fn a_caller_that_stops_waiting_does_not_take_its_write_back() {
        let bench = bench();
        let mut given_up = Box::pin(bench.committer.swap(write("given up")));
        assert!(given_up.as_mut().now_or_never().is_none());
        drop(given_up);
        bench.verdicts.send(Ok(())).unwrap();
        bench.committer.stop().unwrap().join().unwrap();
        assert_eq!(bench.applied.load(Ordering::SeqCst), 1);
    }
}
