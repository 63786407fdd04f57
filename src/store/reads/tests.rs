use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;

use futures::FutureExt;
use futures::future::join_all;
use tokio::sync::Notify;

use super::super::backend::Urgency;
use super::super::space::Room;
use super::*;

type Found = Result<Option<Vec<u8>>, StoreError>;

#[expect(clippy::unnecessary_wraps, reason = "what a reader answers")]
fn bytes(text: &str) -> Found {
    Ok(Some(text.as_bytes().to_vec()))
}

/// A way to read what must not be needed.
fn unread() -> Result<fn(&[u8]) -> Found, StoreError> {
    panic!("the backend was asked")
}

#[tokio::test(flavor = "current_thread")]
async fn a_slow_disk_holds_up_the_one_who_reads_and_nobody_else() {
    let reads = Reads::new(1 << 20);
    let (gate, opened) = mpsc::channel::<()>();
    let begun = Arc::new(Notify::new());
    let worker = thread::current().id();
    let at_disk = Arc::clone(&begun);
    let slow = reads.read(b"slow", || {
        Ok(move |_: &[u8]| {
            assert_ne!(
                thread::current().id(),
                worker,
                "the worker would wait for ever"
            );
            at_disk.notify_one();
            opened.recv().unwrap();
            bytes("slow")
        })
    });
    let other = async {
        begun.notified().await;
        // The disk is at it, and the only worker goes on with this, another read included.
        let read = reads.read(b"other", || Ok(|_: &[u8]| bytes("other"))).await;
        assert_eq!(read, bytes("other"));
        gate.send(()).unwrap();
    };
    let (slow, ()) = tokio::join!(slow, other);
    assert_eq!(slow, bytes("slow"));
}

#[tokio::test]
async fn what_was_read_is_answered_without_waiting() {
    let reads = Reads::new(1 << 20);
    reads
        .read(b"key", || Ok(|_: &[u8]| bytes("value")))
        .await
        .unwrap();
    reads
        .read(b"none", || Ok(|_: &[u8]| Ok(None)))
        .await
        .unwrap();
    let known = reads.read(b"key", unread).now_or_never();
    assert_eq!(known, Some(bytes("value")));
    assert_eq!(reads.read(b"none", unread).now_or_never(), Some(Ok(None)));
}

#[tokio::test]
async fn of_many_only_those_that_are_not_known_are_read_and_each_stands_at_its_place() {
    let reads = Reads::new(1 << 20);
    reads
        .read(b"b", || Ok(|_: &[u8]| bytes("known")))
        .await
        .unwrap();
    let threads = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&threads);
    let open = || {
        Ok(move |key: &[u8]| {
            asked
                .lock()
                .unwrap()
                .push((thread::current().id(), key.to_vec()));
            Ok((key != b"c").then(|| key.to_vec()))
        })
    };
    let all = reads.read_many(&["a", "b", "c", "d"], open).await.unwrap();
    let text = |text: &str| Some(text.as_bytes().to_vec());
    assert_eq!(all, [text("a"), text("known"), None, text("d")]);
    let asked = threads.lock().unwrap();
    let keys: Vec<_> = asked.iter().map(|(_, key)| key.as_slice()).collect();
    assert_eq!(keys, [b"a", b"c", b"d"]);
    assert!(
        asked
            .iter()
            .all(|(on, _)| *on == asked[0].0 && *on != thread::current().id())
    );
    let again = reads.read_many(&["d", "c"], unread).now_or_never();
    assert_eq!(again, Some(Ok(vec![text("d"), None])));
}

#[tokio::test]
async fn an_error_is_told_and_not_kept() {
    let reads = Reads::new(1 << 20);
    let failed = reads.read(b"key", || Ok(|_: &[u8]| Err(StoreError::Closed)));
    assert_eq!(failed.await, Err(StoreError::Closed));
    let read = reads.read(b"key", || Ok(|_: &[u8]| bytes("value"))).await;
    assert_eq!(read, bytes("value"));
}

#[tokio::test]
async fn only_so_many_threads_wait_for_the_disk() {
    let reads = Reads::new(0);
    let (at_once, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let all = join_all((0..AT_ONCE * 8).map(|_| {
        let (at_once, most) = (Arc::clone(&at_once), Arc::clone(&most));
        reads.read(b"key", move || {
            Ok(move |_: &[u8]| {
                let now = at_once.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                thread::yield_now();
                at_once.fetch_sub(1, Ordering::SeqCst);
                bytes("value")
            })
        })
    }));
    assert!(all.await.iter().all(Result::is_ok));
    assert!((1..=AT_ONCE).contains(&most.load(Ordering::SeqCst)));
}

/// A journal that says what it is told to.
struct Told(Result<bool, String>);

impl Journal for Told {
    fn room(&mut self, _bytes: u64) -> Room {
        Room::Plenty
    }

    fn make_way(&mut self, _bytes: u64) {}

    fn reopen(&mut self, _reason: &str) -> Result<(), String> {
        Ok(())
    }

    fn tend(&mut self) -> bool {
        false
    }

    fn apply(&mut self, _write: &Write) -> Result<bool, String> {
        self.0.clone()
    }

    fn sync(&mut self) -> Result<(), String> {
        Ok(())
    }
}

#[tokio::test]
async fn every_way_a_swap_ends_is_made_known() {
    let replaced = Write {
        key: b"key".to_vec(),
        expected: Some(b"old".to_vec()),
        new: Some(b"new".to_vec()),
        urgency: Urgency::Usual,
    };
    for (ends, then) in [
        (Ok(true), Some("new")),
        (Ok(false), None),
        (Err("no space".to_owned()), None),
    ] {
        let reads = Reads::new(1 << 20);
        reads
            .read(b"key", || Ok(|_: &[u8]| bytes("old")))
            .await
            .unwrap();
        let mut journal = reads.watching(Told(ends.clone()));
        assert_eq!(journal.apply(&replaced), ends);
        if let Some(then) = then {
            let known = reads.read(b"key", unread).now_or_never();
            assert_eq!(known, Some(bytes(then)));
        } else {
            let anew = reads.read(b"key", || Ok(|_: &[u8]| bytes("asked"))).await;
            assert_eq!(anew, bytes("asked"));
        }
    }
}
