//! Group commit: many writers, one thread that applies their swaps, and one sync for all that came in together.
//!
//! Owns the order of writes, the promise that a swap is durable before it is acknowledged, and what happens when that
//! promise cannot be kept. Refuses to know what is synced and how: that is the [`Journal`].
//!
//! While one sync runs, new swaps queue up; when it ends they are applied together and share the next. A conflict is
//! answered after the sync of its own batch, so the bytes that it lost against are durable by then.
//!
//! A failed sync leaves the kernel and the engine in a state that cannot be known (the pages may be marked clean all
//! the same), so nothing is tried again: the writers of that batch hear [`Swap::Unknown`], and every later one
//! [`StoreError::Poisoned`], until the store is reopened from what is really on the disk.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::{io, iter};

use tokio::sync::oneshot;

use super::backend::{Swap, Urgency};
use super::error::StoreError;

/// The most swaps that share one sync, so that no writer waits for an endless batch.
const BATCH: usize = 1024;

/// One swap as the committer applies it.
pub(super) struct Write {
    pub(super) key: Vec<u8>,
    pub(super) expected: Option<Vec<u8>>,
    pub(super) new: Option<Vec<u8>>,
    pub(super) urgency: Urgency,
}

/// What the committer writes to. An error, or a panic, from either poisons the committer.
pub(super) trait Journal: Send + 'static {
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
    pub(super) fn start(journal: impl Journal) -> io::Result<Self> {
        let (queue, requests) = mpsc::channel();
        let syncs = Arc::new(AtomicU64::new(0));
        let mut desk = Desk {
            journal,
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
    poison: Option<String>,
    syncs: Arc<AtomicU64>,
}

impl<J: Journal> Desk<J> {
    fn work(&mut self, requests: &mpsc::Receiver<Request>) {
        while let Ok(first) = requests.recv() {
            self.commit(iter::once(first).chain(requests.try_iter()).take(BATCH));
        }
    }

    fn commit(&mut self, batch: impl Iterator<Item = Request>) {
        let mut applied = Vec::new();
        let mut unsynced = false;
        for Request { write, answer } in batch {
            let result = self.apply(&write);
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

    fn apply(&mut self, write: &Write) -> Result<Swap, StoreError> {
        if let Some(reason) = &self.poison {
            return Err(StoreError::Poisoned {
                reason: reason.clone(),
            });
        }
        match guarded(|| self.journal.apply(write)) {
            Ok(true) => Ok(Swap::Done),
            Ok(false) => Ok(Swap::Conflict),
            Err(reason) => {
                self.poison = Some(reason);
                Ok(Swap::Unknown)
            }
        }
    }

    fn sync(&mut self) {
        self.poison = guarded(|| self.journal.sync()).err();
        self.syncs.fetch_add(1, Ordering::Relaxed);
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

    /// A journal whose sync waits to be let through, and then ends as it is told.
    struct Gated {
        applied: Arc<AtomicU64>,
        syncing: mpsc::Sender<()>,
        verdicts: mpsc::Receiver<Result<(), String>>,
    }

    impl Journal for Gated {
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
        applied: Arc<AtomicU64>,
        syncing: mpsc::Receiver<()>,
        verdicts: mpsc::Sender<Result<(), String>>,
    }

    fn bench() -> Bench {
        let applied = Arc::new(AtomicU64::new(0));
        let (started, syncing) = mpsc::channel();
        let (verdicts, told) = mpsc::channel();
        let committer = Committer::start(Gated {
            applied: Arc::clone(&applied),
            syncing: started,
            verdicts: told,
        })
        .unwrap();
        Bench {
            committer,
            applied,
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
    async fn a_failed_sync_is_unknown_to_its_writers_and_poisons_the_rest() {
        let bench = bench();
        bench.verdicts.send(Err("no space".to_owned())).unwrap();
        assert_eq!(
            bench.committer.swap(write("lost?")).await,
            Ok(Swap::Unknown)
        );
        assert_eq!(
            bench.committer.swap(write("later")).await,
            poisoned("no space")
        );
        assert_eq!(bench.applied.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_failed_or_panicking_step_poisons_all_the_same() {
        let bench_of_failure = bench();
        assert_eq!(
            bench_of_failure.committer.swap(write("fail")).await,
            Ok(Swap::Unknown)
        );
        assert_eq!(
            bench_of_failure.committer.swap(write("later")).await,
            poisoned("no space")
        );

        let bench_of_panic = bench();
        assert_eq!(
            bench_of_panic.committer.swap(write("panic")).await,
            Ok(Swap::Unknown)
        );
        assert_eq!(
            bench_of_panic.committer.swap(write("later")).await,
            poisoned("the storage engine panicked: split of page 7")
        );
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
