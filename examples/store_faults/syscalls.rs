//! System calls that fail, and a process that is killed at them.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use super::Loop;
use super::cases::{Chance, Outcome, run_all, tail};
use super::child::{self, Ended, How};
use super::ground::{Ground, Scratch, copy, write_words};
use super::trace;
use super::verdict::Verdict;

/// How many writes make the store that half of the cases begin with.
const WRITES_BEFORE: u64 = 60;

/// How many writes meet the fault.
const WRITES: u64 = 30;

/// What a store asks of the kernel that a disk can refuse.
const CALLS: [&str; 20] = [
    "pwrite64",
    "fdatasync",
    "fsync",
    "sync_file_range",
    "write",
    "openat",
    "ftruncate",
    "fallocate",
    "rename",
    "linkat",
    "link",
    "unlink",
    "mkdir",
    "chmod",
    "pread64",
    "read",
    "lseek",
    "getdents64",
    "statx",
    "flock",
];

const SIGKILL: i32 = 9;

/// What happens at a call.
const FAULTS: [(&str, &str, bool); 5] = [
    ("EIO once", "error=EIO", false),
    ("ENOSPC once", "error=ENOSPC", false),
    ("EIO from then on", "error=EIO", true),
    ("ENOSPC from then on", "error=ENOSPC", true),
    ("killed", "signal=KILL", false),
];

/// One fault at one place.
#[derive(Clone, Debug)]
struct Point {
    /// Whether the store is there already.
    grown: bool,
    call: &'static str,
    time: usize,
    fault: usize,
}

pub(crate) fn run(orders: &Loop) -> ExitCode {
    if let Err(reason) = tracing_works() {
        println!("SKIPPED: {reason}");
        return ExitCode::SUCCESS;
    }
    let mut scratch = Scratch::new(orders.scratch.as_deref());
    let ground = Ground::make(&scratch.path, orders.seed, WRITES_BEFORE);
    let points = points(&scratch.path, &ground, orders.seed);
    println!("{} points", points.len());
    let chosen = |number: usize| &points[number * points.len() / orders.cases.max(1)];
    let mut orders = orders.clone();
    orders.cases = orders.cases.min(points.len());
    run_all("store-syscalls", &orders, &mut scratch, |number, folder| {
        one(chosen(number), &ground, orders.seed, folder)
    })
}

/// Whether there is a strace, and the kernel lets it trace.
fn tracing_works() -> Result<(), String> {
    let tried = Command::new("strace")
        .args(["-f", "-o", "/dev/null", "true"])
        .output();
    match tried {
        Err(error) => Err(format!("there is no strace: {error}")),
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!(
            "strace may not trace: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
    }
}

/// Every call of a run that goes well, for a store that is new and for one that is not, with every fault.
fn points(scratch: &Path, ground: &Ground, seed: u64) -> Vec<Point> {
    let mut points = Vec::new();
    for grown in [false, true] {
        let folder = scratch.join(format!("clean-{grown}"));
        begin(&folder, ground, grown);
        let (ended, trace) = traced(&folder, seed, None);
        assert!(
            ended.how == How::Exit(0),
            "a run without faults went wrong: {}",
            ended.complained
        );
        let shown = trace::read(&trace);
        assert!(!shown.falsely_acknowledged && !shown.injected);
        for call in CALLS {
            for time in 1..=shown.most.get(call).copied().unwrap_or_default() {
                points.extend((0..FAULTS.len()).map(|fault| Point {
                    grown,
                    call,
                    time,
                    fault,
                }));
            }
        }
    }
    // Fewer cases than points are spread over all of them.
    let chance = Chance::of(seed, usize::MAX);
    for last in (1..points.len()).rev() {
        points.swap(last, chance.below(last + 1));
    }
    points
}

fn begin(folder: &Path, ground: &Ground, grown: bool) {
    fs::create_dir_all(folder).expect("a folder");
    if grown {
        copy(&ground.folder, &folder.join("data")).expect("a copy");
        fs::copy(&ground.ledger, folder.join("ledger")).expect("a ledger");
    }
}

/// Writes under strace, with a fault or without, and answers with what was said and traced.
fn traced(folder: &Path, seed: u64, fault: Option<&Point>) -> (Ended, String) {
    let log = folder.join("trace");
    let mut words: Vec<OsString> = ["strace", "-f", "-y", "-s", "90", "-o"]
        .map(OsString::from)
        .to_vec();
    words.push(log.clone().into());
    let traced = match fault {
        Some(point) => format!("trace={},fdatasync,openat,write", point.call),
        None => format!("trace={}", CALLS.join(",")),
    };
    words.extend(["-e".into(), traced.into()]);
    if let Some(point) = fault {
        let (_, what, on) = FAULTS[point.fault];
        let on = if on { "+" } else { "" };
        let inject = format!("inject={}:{what}:when={}{on}", point.call, point.time);
        words.extend(["-e".into(), inject.into()]);
    }
    words.extend(write_words(&folder.join("data"), seed, 9, WRITES));
    let words: Vec<&OsStr> = words.iter().map(OsString::as_os_str).collect();
    let ended = child::run(&words);
    let trace = fs::read(&log).unwrap_or_default();
    (ended, String::from_utf8_lossy(&trace).into_owned())
}

fn one(point: &Point, ground: &Ground, seed: u64, folder: &Path) -> Outcome {
    begin(folder, ground, point.grown);
    let (writing, trace) = traced(folder, seed, Some(point));
    let ledger = folder.join("ledger");
    let before = fs::read_to_string(&ledger).unwrap_or_default();
    fs::write(&ledger, before + &writing.said).expect("a ledger");
    let shown = trace::read(&trace);
    let checked = child::check(&folder.join("data"), &ledger);
    let verdict = match (Verdict::of(&checked), writing.how) {
        (silent @ Verdict::Silent(_), _) => silent,
        _ if shown.falsely_acknowledged => Verdict::FalselyAcknowledged,
        // The fault hit the process elsewhere: at its own libraries, its pipes, the runtime's alarm.
        _ if !shown.injected => Verdict::NotReached,
        (_, How::Hung) => Verdict::Hung,
        (_, How::Exit(101)) => Verdict::Panicked,
        (_, How::Killed(signal)) if signal != SIGKILL => Verdict::Aborted,
        (left, _) => left,
    };
    let (fault, ..) = FAULTS[point.fault];
    let store = if point.grown { "grown" } else { "new" };
    Outcome {
        row: format!("{} {fault}", point.call),
        allowed: matches!(verdict, Verdict::Right | Verdict::NotReached),
        story: format!(
            "{} {fault} at {} of a {store} store: {verdict:?}\n    writing: {:?} {}\n    {}",
            point.call,
            point.time,
            writing.how,
            tail(&writing),
            tail(&checked)
        ),
        verdict,
    }
}
