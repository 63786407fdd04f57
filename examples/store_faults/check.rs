//! The judging process: opens the store and compares every place with what was acknowledged there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use attache::store::{Store, StoreError, Table};
use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ledger::{Comparison, Ledger};
use super::slot::{Kind, Slot};
use super::write::{REFUSED, open};

#[derive(Args, Clone)]
pub(crate) struct Orders {
    /// The data folder.
    #[arg(long)]
    folder: PathBuf,
    /// What the writing processes said.
    #[arg(long)]
    ledger: PathBuf,
}

/// Something is not as it was acknowledged, and the store does not say so.
pub(crate) const SILENT: u8 = 20;
/// Something is not as it was acknowledged, and the store says so.
pub(crate) const SAID: u8 = 11;

/// How many places are how.
#[derive(Default)]
struct Figures(BTreeMap<&'static str, usize>);

impl Figures {
    fn count(&mut self, what: &'static str, slot: &Slot, detail: &str) {
        *self.0.entry(what).or_default() += 1;
        if what != "right" {
            println!("{what} {slot} {detail}");
        }
    }

    fn has(&self, what: &[&str]) -> bool {
        what.iter().any(|what| self.0.contains_key(what))
    }
}

pub(crate) fn run(orders: &Orders) -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(judge(orders))
}

async fn judge(orders: &Orders) -> ExitCode {
    let text = fs::read_to_string(&orders.ledger).expect("a ledger");
    let ledger = Ledger::parse(&text);
    let store = match open(&orders.folder).await {
        Ok(store) => store,
        Err(refusal) => {
            println!("refused {refusal}");
            return ExitCode::from(REFUSED);
        }
    };
    let mut figures = Figures::default();
    let mut present = BTreeSet::new();
    for (slot, known) in &ledger.slots {
        let found = slot.read(&store).await;
        let what = match &found {
            Ok(found) => match known.compare(*found) {
                Comparison::Right => "right",
                Comparison::Lost => "LOST",
                Comparison::Older => "OLDER",
                Comparison::Revived => "REVIVED",
                Comparison::Wrong => "WRONG",
            },
            Err(error) if error.record().is_some() => "own-error",
            Err(_) => "store-error",
        };
        let detail = match &found {
            Ok(found) => format!("{found:?} {known:?}"),
            Err(error) => error.to_string(),
        };
        figures.count(what, slot, &detail);
        if !matches!(found, Ok(super::slot::Found::Nothing)) {
            present.insert(slot.clone());
        }
    }
    list_all(&store, &ledger, &present, &mut figures).await;
    write_anew(&store, &mut figures).await;
    store.close().await;
    let told: Vec<_> = figures
        .0
        .iter()
        .map(|(what, n)| format!("{what}={n}"))
        .collect();
    println!("figures {}", told.join(" "));
    ExitCode::from(
        if figures.has(&["LOST", "OLDER", "REVIVED", "WRONG", "UNLISTED"]) {
            SILENT
        } else if figures.has(&["own-error", "store-error", "list-error", "write-error"]) {
            SAID
        } else {
            0
        },
    )
}

/// What a page would show: every record that is there, or that has an error of its own, must be in its person's list.
async fn list_all(store: &Store, ledger: &Ledger, present: &BTreeSet<Slot>, figures: &mut Figures) {
    let people: BTreeSet<_> = ledger
        .slots
        .keys()
        .filter(|slot| slot.kind == Kind::Person)
        .map(|slot| slot.key.clone())
        .collect();
    for person in people {
        let prefix = format!("{person}/");
        let lists = [
            (
                Kind::Connection,
                listed(&store.connections(), &prefix).await,
            ),
            (
                Kind::Credential,
                listed(&store.credentials(), &prefix).await,
            ),
        ];
        for (kind, listed) in lists {
            let whole = Slot {
                kind,
                key: prefix.clone(),
            };
            let (keys, damaged) = match listed {
                Ok(listed) => listed,
                Err(error) => {
                    figures.count("list-error", &whole, &error.to_string());
                    continue;
                }
            };
            let expected = present
                .iter()
                .filter(|slot| slot.kind == kind && slot.key.starts_with(&prefix));
            let missing = expected.filter(|slot| !keys.contains(&slot.key)).count();
            if missing > damaged {
                let detail = format!("{missing} not in the list, {damaged} errors in it");
                figures.count("UNLISTED", &whole, &detail);
            }
        }
    }
}

async fn listed<V: Serialize + DeserializeOwned>(
    table: &Table<V>,
    prefix: &str,
) -> Result<(BTreeSet<String>, usize), StoreError> {
    let listing = table.list(prefix, 1_000).await?;
    let keys = listing.records.iter().map(|record| record.key().to_owned());
    let mut said = listing.damaged.iter().filter_map(StoreError::record);
    // Where the manifest itself is in doubt, that is said once for everything that it lists.
    let damaged = if said.any(|key| key.starts_with("man/")) {
        usize::MAX
    } else {
        listing.damaged.len()
    };
    Ok((keys.collect(), damaged))
}

/// The rest of the store goes on: somebody new can be written and read.
async fn write_anew(store: &Store, figures: &mut Figures) {
    for slot in Slot::of_person(u64::MAX, 0) {
        let written = slot.put(store, 1).await;
        let detail = match written {
            Ok(()) => match slot.read(store).await {
                Ok(super::slot::Found::Written(1)) => continue,
                other => format!("read back as {other:?}"),
            },
            Err(error) => error.to_string(),
        };
        figures.count("write-error", &slot, &detail);
    }
}
