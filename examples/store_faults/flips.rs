//! One flipped bit in a closed store.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::Loop;
use super::cases::{Chance, Outcome, run_all, tail};
use super::child;
use super::ground::{Ground, Scratch, copy, files, kind_of};
use super::verdict::Verdict;

/// How many writes make the store.
const WRITES: u64 = 300;

/// What a byte has around it where something is written: sled fills its segments up with zeroes.
const AROUND: usize = 32;

pub(crate) fn run(orders: &Loop) -> ExitCode {
    let mut scratch = Scratch::new(orders.scratch.as_deref());
    let ground = Ground::make(&scratch.path, orders.seed, WRITES);
    run_all("store-flips", orders, &mut scratch, |number, folder| {
        let chance = Chance::of(orders.seed, number);
        copy(&ground.folder, folder).expect("a copy");
        let (file, place, bit) = choose(folder, number, &chance);
        let mut bytes = fs::read(&file).expect("a file of the store");
        bytes[place] ^= 1 << bit;
        fs::write(&file, bytes).expect("a file of the store");
        let ended = child::check(folder, &ground.ledger);
        let verdict = Verdict::of(&ended);
        let name = kind_of(&file);
        Outcome {
            story: format!(
                "bit {bit} of byte {place} of {name}: {verdict:?}\n    {}",
                tail(&ended)
            ),
            allowed: verdict.is_allowed_after_damage(),
            row: name,
            verdict,
        }
    })
}

/// A third of the flips may hit any byte of all files, a third any file and a byte of it, and a third something that is
/// written in the log.
fn choose(folder: &Path, number: usize, chance: &Chance) -> (PathBuf, usize, usize) {
    let sized: Vec<(PathBuf, usize)> = files(folder)
        .into_iter()
        .map(|file| {
            let size = fs::metadata(&file).map_or(0, |metadata| metadata.len());
            (file, usize::try_from(size).unwrap_or_default())
        })
        .filter(|(_, size)| *size > 0)
        .collect();
    let bit = chance.below(8);
    match number % 3 {
        0 => {
            let mut place = chance.below(sized.iter().map(|(_, size)| size).sum());
            for (file, size) in &sized {
                if place < *size {
                    return (file.clone(), place, bit);
                }
                place -= size;
            }
            unreachable!("the place lies in one of the files")
        }
        1 => {
            let (file, size) = chance.pick(&sized);
            (file.clone(), chance.below(*size), bit)
        }
        _ => {
            let log = folder.join("store/db");
            let bytes = fs::read(&log).expect("a log");
            loop {
                let place = chance.below(bytes.len());
                let around = place.saturating_sub(AROUND)..bytes.len().min(place + AROUND);
                if bytes[around].iter().any(|byte| *byte != 0) {
                    return (log, place, bit);
                }
            }
        }
    }
}
