//! The loop over cases: some at once, each with chance of its own, and a line of figures at the end.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, thread};

use attache::base::Random;

use super::Loop;
use super::child::Ended;
use super::ground::Scratch;
use super::verdict::{Tally, Verdict};

/// What a case leaves behind.
pub(crate) struct Outcome {
    /// The row of the table that it belongs to.
    pub(crate) row: String,
    pub(crate) verdict: Verdict,
    /// Whether it may end so.
    pub(crate) allowed: bool,
    /// What was done, and what was found.
    pub(crate) story: String,
}

/// Chance for one case of a run.
pub(crate) struct Chance(Random);

impl Chance {
    pub(crate) fn of(seed: u64, case: usize) -> Self {
        Self(Random::seeded(
            seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ case as u64,
        ))
    }

    /// A number below `limit`, 0 when that is 0.
    pub(crate) fn below(&self, limit: usize) -> usize {
        let number = u64::from_be_bytes(self.0.bytes());
        usize::try_from(number % (limit.max(1) as u64)).unwrap_or_default()
    }

    pub(crate) fn pick<'a, T>(&self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// How much of what a process said is told.
const LINES: usize = 5;
const WIDTH: usize = 240;

/// The last lines that a process left.
pub(crate) fn tail(ended: &Ended) -> String {
    let lines = ended.said.lines().chain(ended.complained.lines());
    let worth = lines.filter(|line| !line.starts_with("own-error"));
    let lines: Vec<&str> = worth.collect();
    let from = lines.len().saturating_sub(LINES);
    let cut = lines[from..]
        .iter()
        .map(|line| line.chars().take(WIDTH).collect::<String>());
    cut.collect::<Vec<_>>().join("\n    ")
}

/// Runs `case` for each number, in a folder of its own that is gone afterwards unless the case failed.
pub(crate) fn run_all(
    name: &str,
    orders: &Loop,
    scratch: &mut Scratch,
    case: impl Fn(usize, &Path) -> Outcome + Sync,
) -> ExitCode {
    let numbers: Vec<usize> = match orders.only {
        Some(only) => vec![only],
        None => (0..orders.cases).collect(),
    };
    let (next, tally) = (AtomicUsize::new(0), Mutex::new((Tally::default(), 0_usize)));
    let root: PathBuf = scratch.path.clone();
    thread::scope(|scope| {
        for _ in 0..orders.at_once.max(1) {
            scope.spawn(|| {
                while let Some(&number) = numbers.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let folder = root.join(format!("case-{number}"));
                    let outcome = case(number, &folder);
                    let mut tally = tally.lock().expect("no case panicked");
                    tally.0.count(&outcome.row, &outcome.verdict);
                    if !outcome.allowed {
                        tally.1 += 1;
                        println!("FAILED case {number}: {}", outcome.story);
                    } else if orders.only.is_some() {
                        println!("case {number}: {}", outcome.story);
                    }
                    if outcome.allowed && orders.only.is_none() {
                        let _ = fs::remove_dir_all(&folder);
                    }
                }
            });
        }
    });
    let (tally, failed) = tally.into_inner().expect("no case panicked");
    tally.print();
    if failed > 0 || orders.only.is_some() {
        scratch.keep();
    }
    println!(
        "{name}: seed {}, {} cases, {failed} failed",
        orders.seed,
        tally.cases()
    );
    ExitCode::from(u8::from(failed > 0))
}
