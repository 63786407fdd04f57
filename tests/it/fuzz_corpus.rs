//! Every input that fuzzing has kept, once more: what was found once stays mended. `scripts/fuzz` finds new ones.

#[path = "../fuzz/entry.rs"]
#[expect(unreachable_pub, reason = "in the fuzz package this file is a library")]
mod entry;

use std::panic;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use entry::Entry;

use crate::support::folder::files;

/// The fewest inputs that a corpus has: one of each kind of message.
const FEWEST: usize = 10;

/// Gives each input of `target` to an entry, which panics at whatever is wrong.
fn replay(target: &str, give: impl Fn(&Entry, &[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let inputs = files(&folder.join(target));
    assert!(inputs.len() >= FEWEST, "only {} in {target}", inputs.len());
    let entry = Entry::new();
    let panicked = watch_this_thread();
    for input in inputs {
        // Shown when it fails.
        println!("{}", input.display());
        give(&entry, &std::fs::read(&input).unwrap());
        assert!(!panicked.load(Ordering::Acquire), "{}", input.display());
    }
}

/// Whether anything has panicked on this thread: the runtime, which runs everything here, keeps the panics of tasks to
/// itself.
fn watch_this_thread() -> Arc<AtomicBool> {
    let panicked = Arc::new(AtomicBool::new(false));
    let (ours, flag) = (thread::current().id(), Arc::clone(&panicked));
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if thread::current().id() == ours {
            flag.store(true, Ordering::Release);
        }
        before(info);
    }));
    panicked
}

#[test]
fn http_requests() {
    replay("http_entry", Entry::http);
}

#[test]
fn lines() {
    replay("line_entry", Entry::line);
}

#[test]
#[should_panic(expected = "JSON")]
fn what_is_wrong_is_found() {
    replay("line_entry", |_, _| entry::judge_message(b"no message"));
}

#[test]
#[should_panic(expected = "line_entry")]
fn a_panic_that_the_runtime_swallows_is_found() {
    replay("line_entry", |_, _| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let task = runtime.spawn(async { panic!("nobody looks") });
        assert!(runtime.block_on(task).is_err());
    });
}
