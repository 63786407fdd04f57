//! One suite that every backend passes: what the three verbs promise, and what the tables above them promise for it.

use std::collections::BTreeMap;

use futures::future::join_all;
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use super::backend::{Backend, KeyRange, Order, Swap};
use super::memory::Memory;
use super::reads::Reads;
use super::sled::Sled;
use super::{MasterKey, Settings, Store, Table, WriteError};
use crate::base::Random;

/// A backend, and the folder that goes with it.
struct Subject {
    backend: Backend,
    _folder: Option<TempDir>,
}

async fn memory() -> Subject {
    Subject {
        backend: Backend::Memory(Memory::default()),
        _folder: None,
    }
}

async fn sled() -> Subject {
    let folder = tempfile::tempdir().unwrap();
    let sled = Sled::open(
        folder.path().join("store"),
        1 << 20,
        crate::store::SpaceSettings::default(),
        Reads::new(1 << 14),
    )
    .await;
    Subject {
        backend: Backend::Sled(sled.unwrap()),
        _folder: Some(folder),
    }
}

/// A store, and the folder that goes with it.
struct Shelf {
    store: Store,
    _folder: Option<TempDir>,
}

async fn memory_store() -> Shelf {
    let random = Random::seeded(1);
    Shelf {
        store: Store::memory(MasterKey::generate(&random), random),
        _folder: None,
    }
}

async fn sled_store() -> Shelf {
    let folder = tempfile::tempdir().unwrap();
    let random = Random::seeded(1);
    let settings = Settings::new(folder.path().join("data"));
    let store = Store::open(&settings, MasterKey::generate(&random), random).await;
    Shelf {
        store: store.unwrap(),
        _folder: Some(folder),
    }
}

macro_rules! suite {
    ($name:ident, $backend:path, $store:path, $cases:literal) => {
        mod $name {
            use super::*;

            proptest! {
                #![proptest_config(ProptestConfig::with_cases($cases))]

                #[test]
                fn behaves_like_a_sorted_map(steps in prop::collection::vec(step(), 1..60)) {
                    runtime().block_on(async { like_a_map(&$backend().await.backend, steps).await });
                }
            }

            #[tokio::test]
            async fn swaps_in_every_combination() {
                every_combination(&$backend().await.backend).await;
            }

            #[tokio::test]
            async fn pages_show_every_row_once() {
                pages(&$backend().await.backend).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn of_many_takers_one_succeeds() {
                one_taker(&$store().await.store).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn of_many_writers_none_is_lost() {
                no_lost_update(&$store().await.store).await;
            }

            #[tokio::test]
            async fn lists_in_key_order_beyond_a_page() {
                listing(&$store().await.store).await;
            }
        }
    };
}

suite!(in_memory, memory, memory_store, 256);
suite!(on_sled, sled, sled_store, 24);

fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

#[derive(Debug, Clone)]
enum Step {
    Get(String),
    Swap {
        key: String,
        /// Whether the expected bytes are those that are there.
        hit: bool,
        guess: Option<Vec<u8>>,
        new: Option<Vec<u8>>,
    },
    Scan {
        from: String,
        to: Option<String>,
        descending: bool,
        limit: usize,
    },
}

/// Few keys, so that steps meet; some are prefixes of others.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab]{1,2}(/[ab]{0,2})?",
        Just("\u{10ffff}".to_owned()),
        Just("a\0".to_owned())
    ]
}

fn bytes() -> impl Strategy<Value = Option<Vec<u8>>> {
    prop::option::of(prop::collection::vec(any::<u8>(), 0..40))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => key().prop_map(Step::Get),
        6 => (key(), prop::bool::weighted(0.8), bytes(), bytes())
            .prop_map(|(key, hit, guess, new)| Step::Swap { key, hit, guess, new }),
        2 => (key(), prop::option::of(key()), any::<bool>(), 0..8_usize)
            .prop_map(|(from, to, descending, limit)| Step::Scan { from, to, descending, limit }),
    ]
}

async fn like_a_map(backend: &Backend, steps: Vec<Step>) {
    let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    for step in steps {
        match step {
            Step::Get(key) => {
                let found = backend.get(&key).await.unwrap();
                assert_eq!(found.as_ref(), model.get(key.as_bytes()));
            }
            Step::Swap {
                key,
                hit,
                guess,
                new,
            } => {
                let current = model.get(key.as_bytes()).cloned();
                let expected = if hit { current.clone() } else { guess };
                let swap = backend.swap(&key, expected.as_deref(), new.as_deref());
                if expected == current {
                    assert_eq!(swap.await, Ok(Swap::Done));
                    match new {
                        Some(new) => drop(model.insert(key.into_bytes(), new)),
                        None => drop(model.remove(key.as_bytes())),
                    }
                } else {
                    assert_eq!(swap.await, Ok(Swap::Conflict));
                }
            }
            Step::Scan {
                from,
                to,
                descending,
                limit,
            } => {
                let order = if descending {
                    Order::Descending
                } else {
                    Order::Ascending
                };
                let range = KeyRange {
                    from: from.into_bytes(),
                    to: to.map(String::into_bytes),
                };
                let rows = backend.scan(&range, order, limit).await.unwrap();
                assert_eq!(rows, model_scan(&model, &range, order, limit));
            }
        }
    }
}

fn model_scan(
    model: &BTreeMap<Vec<u8>, Vec<u8>>,
    range: &KeyRange,
    order: Order,
    limit: usize,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let within =
        |key: &&Vec<u8>| **key >= range.from && range.to.as_ref().is_none_or(|to| *key < to);
    let mut rows: Vec<_> = model
        .iter()
        .filter(|(key, _)| within(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if order == Order::Descending {
        rows.reverse();
    }
    rows.truncate(limit);
    rows
}

/// Three states before, three expectations, three outcomes wished for.
async fn every_combination(backend: &Backend) {
    const STATES: [Option<&[u8]>; 3] = [None, Some(b"one"), Some(b"two")];
    for (at, before) in STATES.into_iter().enumerate() {
        for (guess, expected) in STATES.into_iter().enumerate() {
            for (wish, new) in STATES.into_iter().enumerate() {
                let key = format!("{at}/{guess}/{wish}");
                backend.swap(&key, None, before).await.unwrap();
                let swap = backend.swap(&key, expected, new).await;
                let found = backend.get(&key).await.unwrap();
                if expected == before {
                    assert_eq!((swap, found.as_deref()), (Ok(Swap::Done), new), "{key}");
                } else {
                    assert_eq!(
                        (swap, found.as_deref()),
                        (Ok(Swap::Conflict), before),
                        "{key}"
                    );
                }
            }
        }
    }
}

async fn pages(backend: &Backend) {
    let keys: Vec<String> = (0..57).map(|n| format!("con/{n:03}")).collect();
    let outside = ["com/z", "con", "con0", "cop/0"].map(str::to_owned);
    let writes = keys.iter().chain(&outside);
    join_all(writes.map(|key| backend.swap(key, None, Some(key.as_bytes())))).await;

    for order in [Order::Ascending, Order::Descending] {
        let mut range = KeyRange::prefix("con/");
        let mut seen = Vec::new();
        loop {
            let rows = backend.scan(&range, order, 10).await.unwrap();
            let Some((last, _)) = rows.last() else { break };
            range = range.past(last, order);
            seen.extend(
                rows.into_iter()
                    .map(|(key, _)| String::from_utf8(key).unwrap()),
            );
        }
        if order == Order::Descending {
            seen.reverse();
        }
        assert_eq!(seen, keys);
    }
    let backwards = KeyRange {
        from: b"con/1".to_vec(),
        to: Some(b"con/0".to_vec()),
    };
    let nothing = backend.scan(&backwards, Order::Ascending, 10).await;
    assert_eq!(nothing, Ok(Vec::new()));
}

async fn one_taker(store: &Store) {
    let table: Table<u32> = store.table("auth");
    for round in 0..10 {
        let key = format!("state{round}");
        table.create(&key, &round).await.unwrap();
        let mut takers = JoinSet::new();
        for _ in 0..16 {
            let (table, key) = (table.clone(), key.clone());
            takers.spawn(async move { table.take(&key).await.unwrap() });
        }
        let taken: Vec<u32> = takers.join_all().await.into_iter().flatten().collect();
        assert_eq!(taken, [round]);
        assert!(table.get(&key).await.unwrap().is_none());
    }
}

async fn no_lost_update(store: &Store) {
    let table: Table<u32> = store.table("count");
    table.create("all", &0).await.unwrap();
    let mut writers = JoinSet::new();
    for _ in 0..8 {
        let table = table.clone();
        writers.spawn(async move {
            for _ in 0..10 {
                loop {
                    let old = table.get("all").await.unwrap().unwrap();
                    match table.replace(&old, &(old.value + 1)).await {
                        Ok(_) => break,
                        Err(WriteError::Conflict) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        });
    }
    writers.join_all().await;
    assert_eq!(table.get("all").await.unwrap().unwrap().value, 80);
}

async fn listing(store: &Store) {
    let table: Table<usize> = store.table("con");
    let other: Table<usize> = store.table("cone");
    other.create("per_a/0", &0).await.unwrap();
    table.create("per_b/0", &0).await.unwrap();
    let keys: Vec<String> = (0..600).map(|n| format!("per_a/{n:04}")).collect();
    let values = keys.iter().enumerate();
    join_all(values.clone().map(|(n, key)| async move {
        let table: Table<usize> = store.table("con");
        table.create(key, &n).await.unwrap();
    }))
    .await;

    let all = table.list("per_a/", usize::MAX).await.unwrap();
    let found: Vec<_> = all.whole().unwrap();
    assert!(
        found
            .iter()
            .map(|record| (record.value, record.key()))
            .eq(values.map(|(n, key)| (n, key.as_str())))
    );
    for (limit, count) in [(0, 0), (1, 1), (256, 256), (257, 257), (601, 600)] {
        let first = table.list("per_a/", limit).await.unwrap().records;
        assert_eq!(first.len(), count);
        assert!(
            first
                .iter()
                .zip(&keys)
                .all(|(record, key)| record.key() == key)
        );
        let last = table.list_last("per_a/", limit).await.unwrap().records;
        assert_eq!(last.len(), count);
        let descending = keys.iter().rev();
        assert!(
            last.iter()
                .zip(descending)
                .all(|(record, key)| record.key() == key)
        );
    }
    assert_eq!(table.list("", usize::MAX).await.unwrap().records.len(), 601);
}
