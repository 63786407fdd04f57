//! The writing process: creates, replaces and removes records, and says what was acknowledged.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use attache::base::Random;
use attache::store::{KeySource, MasterKey, OpenError, Settings, Store};
use clap::Args;

use super::ledger::REMOVED;
use super::slot::Slot;

#[derive(Args, Clone)]
pub(crate) struct Orders {
    /// The data folder.
    #[arg(long)]
    folder: PathBuf,
    /// Which people, and which writes.
    #[arg(long)]
    seed: u64,
    /// Which writes, apart from which people.
    #[arg(long, default_value_t = 0)]
    round: u64,
    /// How many writes.
    #[arg(long)]
    writes: u64,
    /// How many people there are.
    #[arg(long, default_value_t = 4)]
    people: usize,
    /// How many write at once. Each person is written to by one.
    #[arg(long, default_value_t = 1)]
    at_once: usize,
}

/// The store could not be opened, and said why.
pub(crate) const REFUSED: u8 = 10;

pub(crate) async fn open(folder: &std::path::Path) -> Result<Store, String> {
    let settings = Settings::new(folder.to_owned());
    let key = MasterKey::load(&KeySource::beside(&settings), &settings, &Random::System)
        .map_err(|error| format!("MasterKey {error}"))?;
    let opened = Store::open(&settings, key, Random::System).await;
    opened.map_err(|error| format!("{} {error}", variant(&error)))
}

fn variant(error: &OpenError) -> String {
    let text = format!("{error:?}");
    let end = text.find(|c: char| !c.is_alphanumeric());
    text[..end.unwrap_or(text.len())].to_owned()
}

/// Says one line, at once and whole.
fn say(line: &str) {
    let said = std::io::stdout().write_all(format!("{line}\n").as_bytes());
    if said.is_err() {
        // Whoever listens would not hear of what is acknowledged from here on.
        std::process::exit(3);
    }
}

pub(crate) fn run(orders: &Orders) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(write_all(orders)),
        Err(error) => {
            eprintln!("no runtime: {error}");
            ExitCode::from(3)
        }
    }
}

async fn write_all(orders: &Orders) -> ExitCode {
    let store = match open(&orders.folder).await {
        Ok(store) => store,
        Err(refusal) => {
            eprintln!("refused: {refusal}");
            return ExitCode::from(REFUSED);
        }
    };
    say("opened");
    let numbers = Arc::new(AtomicU64::new(orders.round * 1_000_000 + 1));
    let hands = (0..orders.at_once).map(|hand| {
        let (store, orders, numbers) = (store.clone(), orders.clone(), Arc::clone(&numbers));
        tokio::spawn(async move { write_some(&store, &orders, hand, &numbers).await })
    });
    let hands: Vec<_> = hands.collect();
    let mut failed = false;
    for hand in hands {
        failed |= hand.await.is_err();
    }
    store.close().await;
    say("closed");
    ExitCode::from(u8::from(failed))
}

/// Writes what this hand has to write: to every so many-th person.
async fn write_some(store: &Store, orders: &Orders, hand: usize, numbers: &AtomicU64) {
    let slots: Vec<_> = (hand..orders.people)
        .step_by(orders.at_once)
        .flat_map(|person| Slot::of_person(orders.seed, person))
        .collect();
    if slots.is_empty() {
        return;
    }
    let chance = Random::seeded(orders.seed ^ orders.round << 20 ^ (hand as u64) << 50);
    let writes = orders.writes / orders.at_once as u64;
    for _ in 0..writes {
        let [place, choice] = [(); 2].map(|()| u64::from_be_bytes(chance.bytes()));
        let slot = &slots[usize::try_from(place % slots.len() as u64).unwrap_or_default()];
        let removes = slot.is_removable() && choice % 5 == 0;
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        write_one(store, slot, if removes { REMOVED } else { number }).await;
    }
}

async fn write_one(store: &Store, slot: &Slot, number: u64) {
    say(&format!("try {slot} {number}"));
    let written = match number {
        REMOVED => slot.remove(store).await,
        number => slot.put(store, number).await.map(|()| true),
    };
    match written {
        // There was nothing to remove, so nothing was written.
        Ok(false) => say(&format!("none {slot} {number}")),
        Ok(true) => say(&format!("ack {slot} {number}")),
        Err(error) => say(&format!("err {slot} {number} {error}")),
    }
}
