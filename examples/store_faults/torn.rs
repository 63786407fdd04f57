//! Whole files of a closed store that are torn, cut off, gone, empty, twice as long, or older than the rest.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use super::Loop;
use super::cases::{Chance, Outcome, run_all, tail};
use super::child;
use super::ground::{Ground, Scratch, copy, files, kind_of};
use super::verdict::Verdict;

/// How many writes make the store.
const WRITES: u64 = 300;

/// What sled reads and writes at once.
const BLOCK: usize = 4096;

/// What is done to a file.
#[derive(Clone, Copy, Debug)]
enum Damage {
    TornTail,
    CutOff,
    Removed,
    Emptied,
    Doubled,
    GarbageBehind,
    ZeroedBlock,
    Older,
}

const DAMAGES: [Damage; 8] = [
    Damage::TornTail,
    Damage::CutOff,
    Damage::Removed,
    Damage::Emptied,
    Damage::Doubled,
    Damage::GarbageBehind,
    Damage::ZeroedBlock,
    Damage::Older,
];

pub(crate) fn run(orders: &Loop) -> ExitCode {
    let mut scratch = Scratch::new(orders.scratch.as_deref());
    let ground = Ground::make(&scratch.path, orders.seed, WRITES);
    run_all("store-torn", orders, &mut scratch, |number, folder| {
        let chance = Chance::of(orders.seed, number);
        copy(&ground.folder, folder).expect("a copy");
        // Every kind of damage to every kind of file, again and again with other places.
        let files = files(folder);
        let file = &files[number / DAMAGES.len() % files.len()];
        let damage = DAMAGES[number % DAMAGES.len()];
        let within = file.strip_prefix(folder).expect("a file of the store");
        inflict(damage, file, &ground.older.join(within), &chance).expect("damage is done");
        let ended = child::check(folder, &ground.ledger);
        let verdict = Verdict::of(&ended);
        let name = kind_of(file);
        Outcome {
            story: format!("{damage:?} {name}: {verdict:?}\n    {}", tail(&ended)),
            allowed: verdict.is_allowed_after_damage(),
            row: format!("{name} {damage:?}"),
            verdict,
        }
    })
}

fn inflict(damage: Damage, file: &Path, older: &Path, chance: &Chance) -> io::Result<()> {
    let mut bytes = fs::read(file)?;
    let length = bytes.len();
    match damage {
        Damage::TornTail => bytes.truncate(length.saturating_sub(1 + chance.below(600))),
        Damage::CutOff => bytes.truncate(chance.below(length)),
        Damage::Removed => return fs::remove_file(file),
        Damage::Emptied => bytes.clear(),
        Damage::Doubled => bytes.extend_from_within(..),
        Damage::GarbageBehind => {
            let garbage = 0..=chance.below(BLOCK);
            bytes.extend(garbage.map(|_| u8::try_from(chance.below(256)).unwrap_or_default()));
        }
        Damage::ZeroedBlock => {
            let from = chance.below(length) / BLOCK * BLOCK;
            let to = length.min(from + BLOCK);
            bytes[from..to].fill(0);
        }
        // A file that was not there then is gone.
        Damage::Older => match fs::read(older) {
            Ok(older) => bytes = older,
            Err(_) => return fs::remove_file(file),
        },
    }
    fs::write(file, bytes)
}
