//! What is missing, old, swapped or added is that record's own error; and nothing else ever is.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt;
use proptest::prelude::*;

use super::*;
use crate::base::Random;
use crate::store::backend::{KeyRange, Order, Row, Swap};
use crate::store::{MasterKey, Settings, Store, StoreError, Table, WriteError};

const ANA: &str = "per_ana";
const BEN: &str = "per_ben";

struct Place {
    _folder: tempfile::TempDir,
    settings: Settings,
    key: MasterKey,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            settings: Settings::new(folder.path().join("data")),
            key: MasterKey::generate(&Random::System),
            _folder: folder,
        }
    }

    async fn open(&self) -> Store {
        let opened = Store::open(&self.settings, self.key.clone(), Random::System).await;
        opened.unwrap()
    }
}

fn memory() -> Store {
    let random = Random::seeded(3);
    Store::memory(MasterKey::generate(&random), random)
}

async fn raw(store: &Store, key: &str) -> Option<Vec<u8>> {
    store.0.backend.get(key).await.unwrap()
}

/// Writes a row as somebody who has the files.
async fn put_raw(store: &Store, key: &str, bytes: Option<&[u8]>) {
    let old = raw(store, key).await;
    let swap = store.0.backend.swap(key, old.as_deref(), bytes);
    assert_eq!(swap.await, Ok(Swap::Done));
}

async fn rows(store: &Store) -> Vec<Row> {
    let all = KeyRange::prefix("");
    let rows = store.0.backend.scan(&all, Order::Ascending, 10_000);
    rows.await.unwrap()
}

async fn put_back(store: &Store, before: &[Row]) {
    let keep: BTreeMap<_, _> = before.iter().cloned().collect();
    for (key, _) in rows(store).await {
        if !keep.contains_key(&key) {
            put_raw(store, &String::from_utf8(key).unwrap(), None).await;
        }
    }
    for (key, bytes) in before {
        put_raw(store, std::str::from_utf8(key).unwrap(), Some(bytes)).await;
    }
}

/// What reading a record comes to: its value, nothing, or the key that the error names.
type Seen = Result<Option<String>, String>;

const TABLES: [&str; 5] = ["per", "con", "cre", "def", "idp"];

async fn seen(store: &Store, full_key: &str) -> Seen {
    let (prefix, key) = full_key.split_once('/').unwrap();
    let prefix = TABLES.into_iter().find(|table| *table == prefix).unwrap();
    let table: Table<String> = store.table(prefix);
    match table.get(key).await {
        Ok(found) => Ok(found.map(|record| record.value)),
        Err(error) => Err(error.record().unwrap().to_owned()),
    }
}

async fn all_seen(store: &Store, keys: &[String]) -> BTreeMap<String, Seen> {
    let mut all = BTreeMap::new();
    for key in keys {
        all.insert(key.clone(), seen(store, key).await);
    }
    all
}

/// Two people with records of every kind, each written twice, one removed; settled. Answers with the keys and with the
/// rows as they were after the first writes.
async fn furnish(store: &Store) -> (Vec<String>, Vec<Row>) {
    let mut keys = Vec::new();
    for person in [ANA, BEN] {
        keys.push(format!("per/{person}"));
        for table in ["con", "cre", "def"] {
            keys.extend(["1", "2"].map(|n| format!("{table}/{person}/{n}")));
        }
        keys.push(format!("idp/0123{person}"));
        keys.push(format!("con/{person}/gone"));
    }
    for key in &keys {
        let (table, key) = table_of(store, key);
        table.create(&key, &format!("first {key}")).await.unwrap();
    }
    store.settle().await.unwrap();
    let first = rows(store).await;
    for key in &keys {
        let (table, own) = table_of(store, key);
        let record = table.get(&own).await.unwrap().unwrap();
        let record = table.replace(&record, &format!("value of {key}")).await;
        if own.ends_with("gone") {
            table.delete(&record.unwrap()).await.unwrap();
        }
    }
    store.settle().await.unwrap();
    (keys, first)
}

fn table_of(store: &Store, full_key: &str) -> (Table<String>, String) {
    let (prefix, key) = full_key.split_once('/').unwrap();
    let prefix = TABLES.into_iter().find(|table| *table == prefix).unwrap();
    (store.table(prefix), key.to_owned())
}

/// Only `wrong` may be seen otherwise than before, and only as an error of its own, or of `manifest`, or, where nothing
/// was, as nothing.
async fn only(store: &Store, before: &BTreeMap<String, Seen>, wrong: &[&str], case: &str) {
    let keys: Vec<String> = before.keys().cloned().collect();
    for (key, after) in all_seen(store, &keys).await {
        if wrong.contains(&key.as_str()) {
            let nothing = before[&key] == Ok(None) && after == Ok(None);
            assert!(
                after == Err(key.clone()) || nothing,
                "{case}: {key}: {after:?}"
            );
        } else {
            assert_eq!(after, before[&key], "{case}: {key}");
        }
    }
}

/// Row S-38 of the threat model, on the rows themselves.
async fn swap_matrix(store: &Store) {
    let (keys, first) = furnish(store).await;
    let sound = rows(store).await;
    let before = all_seen(store, &keys).await;
    assert!(store.verify().await.unwrap().is_whole());
    let first: BTreeMap<String, Vec<u8>> = first
        .into_iter()
        .map(|(key, bytes)| (String::from_utf8(key).unwrap(), bytes))
        .collect();
    let mut cases = 0;
    for one in &keys {
        // Gone, and an old version put back; of a removed record too.
        for bytes in [None, Some(first[one].as_slice())] {
            put_raw(store, one, bytes).await;
            only(store, &before, &[one], "deleted or rolled back").await;
            if before[one] != Ok(None) {
                let report = store.verify().await.unwrap();
                let found: Vec<_> = report.findings.iter().map(|found| &found.key).collect();
                assert_eq!(found, [one]);
            }
            put_back(store, &sound).await;
            cases += 1;
        }
        // Another's bytes in its place, and its own in the other's.
        for other in &keys {
            let (mine, theirs) = (raw(store, one).await, raw(store, other).await);
            if one < other && mine.is_some() && theirs.is_some() {
                put_raw(store, one, theirs.as_deref()).await;
                put_raw(store, other, mine.as_deref()).await;
                only(store, &before, &[one, other], "swapped").await;
                put_back(store, &sound).await;
                cases += 1;
            }
        }
    }
    // A row that was never there.
    let added = raw(store, "con/per_ana/1").await;
    put_raw(store, "con/per_ana/3", added.as_deref()).await;
    assert!(seen(store, "con/per_ana/3").await.is_err());
    only(store, &before, &[], "added").await;
    put_back(store, &sound).await;
    assert_eq!(cases, 18 * 2 + 16 * 15 / 2);
    assert_eq!(all_seen(store, &keys).await, before);
}

#[tokio::test]
async fn no_row_passes_for_another_in_memory() {
    swap_matrix(&memory()).await;
}

#[tokio::test]
async fn no_row_passes_for_another_on_sled() {
    let place = Place::new();
    let store = place.open().await;
    swap_matrix(&store).await;
    store.close().await;
}

/// A manifest that is old, gone, swapped or changed is the error of its whole group and of nobody else, also after the
/// store was closed meanwhile; and a group that vanished altogether is counted.
#[tokio::test]
async fn a_manifest_put_back_with_its_rows_is_its_groups_error() {
    let place = Place::new();
    let store = place.open().await;
    let (keys, first) = furnish(&store).await;
    let before = all_seen(&store, &keys).await;
    let sound = rows(&store).await;
    let manifest = format!("man/{ANA}");
    let others = raw(&store, &format!("man/{BEN}")).await;
    let of_ana = |key: &str| group_of(key).unwrap().manifest_key() == manifest;
    let hers: Vec<_> = first
        .iter()
        .filter(|(key, _)| {
            let key = std::str::from_utf8(key).unwrap();
            key == manifest || group_of(key).is_some() && of_ana(key)
        })
        .cloned()
        .collect();
    store.close().await;
    let cases: [(&str, Vec<Row>); 4] = [
        ("rolled back with all its rows", hers),
        ("gone", Vec::new()),
        (
            "another's",
            vec![(manifest.clone().into_bytes(), others.unwrap())],
        ),
        (
            "changed",
            vec![(manifest.clone().into_bytes(), b"rubbish".to_vec())],
        ),
    ];
    for (case, edits) in cases {
        let store = place.open().await;
        put_raw(&store, &manifest, None).await;
        for (key, bytes) in &edits {
            put_raw(&store, std::str::from_utf8(key).unwrap(), Some(bytes)).await;
        }
        store.close().await;
        let store = place.open().await;
        for (key, after) in all_seen(&store, &keys).await {
            if of_ana(&key) {
                assert_eq!(after, Err(manifest.clone()), "{case}: {key}");
            } else {
                assert_eq!(after, before[&key], "{case}: {key}");
            }
        }
        let listed: Table<String> = store.table("con");
        let listing = listed.list(&format!("{ANA}/"), 10).await.unwrap();
        assert_eq!((listing.records.len(), listing.damaged.len()), (0, 1));
        let report = store.verify().await.unwrap();
        assert!(
            report.findings.iter().any(|found| found.key == manifest),
            "{case}"
        );

        let lines = store.repair(&report).await.unwrap();
        assert!(!lines.is_empty(), "{case}");
        let after = store.verify().await.unwrap();
        store.repair(&after).await.unwrap();
        assert!(store.verify().await.unwrap().is_whole(), "{case}");
        // As before, with a manifest that is newer than all.
        let key = format!("con/{ANA}/1");
        let (table, own) = table_of(&store, &key);
        let value = table.get(&own).await.unwrap();
        assert!(value.is_some(), "{case}");
        for (key, bytes) in &sound {
            let key = std::str::from_utf8(key).unwrap();
            if key != manifest && group_of(key).is_some_and(|_| of_ana(key)) {
                put_raw(&store, key, Some(bytes)).await;
            }
        }
        store.close().await;
    }
    let store = place.open().await;
    for (key, _) in rows(&store).await {
        let key = String::from_utf8(key).unwrap();
        if key == manifest || group_of(&key).is_some_and(|_| of_ana(&key)) {
            put_raw(&store, &key, None).await;
        }
    }
    let report = store.verify().await.unwrap();
    assert_eq!(report.root.as_ref().unwrap().lost, 1);
    store.repair(&report).await.unwrap();
    assert!(store.verify().await.unwrap().is_whole());
    store.close().await;
}

#[tokio::test]
async fn what_was_found_wanting_can_be_made_again_and_no_old_row_comes_back() {
    let store = memory();
    let table: Table<u32> = store.table("con");
    let made = table.create("per_a/1", &1).await.unwrap();
    table.replace(&made, &2).await.unwrap();
    store.settle().await.unwrap();
    let old = raw(&store, "con/per_a/1").await;
    let key = "con/per_a/1";
    let missing = StoreError::Missing {
        key: key.to_owned(),
    };

    put_raw(&store, key, None).await;
    assert_eq!(table.get("per_a/1").await.unwrap_err(), missing);
    let listing = table.list("per_a/", 10).await.unwrap();
    assert_eq!(listing.damaged, [missing]);
    table.create("per_a/1", &3).await.unwrap();
    assert_eq!(table.get("per_a/1").await.unwrap().unwrap().value, 3);
    store.settle().await.unwrap();
    put_raw(&store, key, old.as_deref()).await;
    let rolled_back = StoreError::RolledBack {
        key: key.to_owned(),
    };
    assert_eq!(table.get("per_a/1").await.unwrap_err(), rolled_back);
    let conflict = table.create("per_a/1", &4).await.unwrap_err();
    assert_eq!(conflict, WriteError::Conflict);

    store.discard(key).await.unwrap();
    assert!(table.get("per_a/1").await.unwrap().is_none());
    put_raw(&store, key, old.as_deref()).await;
    assert!(table.get("per_a/1").await.unwrap().is_none(), "outlived");
    table.create("per_a/1", &5).await.unwrap();
    assert_eq!(table.get("per_a/1").await.unwrap().unwrap().value, 5);
    store.settle().await.unwrap();
    assert!(store.verify().await.unwrap().is_whole());
}

#[tokio::test]
async fn a_record_that_was_only_sealed_anew_is_no_conflict() {
    let store = memory();
    for prefix in ["con", "ses"] {
        let table: Table<u32> = store.table(prefix);
        let full_key = format!("{prefix}/per_a/1");
        let anew = async || {
            let sealed = raw(&store, &full_key).await.unwrap();
            let envelope = store.0.open_record(&full_key, &sealed).await.unwrap();
            let plaintext =
                crate::store::envelope::compose_bytes(envelope.bytes(), envelope.generation);
            let sealed = store.0.seal_record(&full_key, &plaintext).await.unwrap();
            put_raw(&store, &full_key, Some(&sealed)).await;
        };
        let made = table.create("per_a/1", &1).await.unwrap();
        anew().await;
        let replaced = table.replace(&made, &2).await.unwrap();
        let stale = table.replace(&made, &3).await.unwrap_err();
        assert_eq!(stale, WriteError::Conflict);
        anew().await;
        table.delete(&replaced).await.unwrap();
        assert!(table.get("per_a/1").await.unwrap().is_none());
    }
    // Where no manifest counts, another record at the same key has the same generation.
    let table: Table<u32> = store.table("ses");
    let first = table.create("1", &1).await.unwrap();
    table.delete(&first).await.unwrap();
    table.create("1", &2).await.unwrap();
    let conflict = table.replace(&first, &3).await.unwrap_err();
    assert_eq!(conflict, WriteError::Conflict);
    assert_eq!(table.delete(&first).await, Err(WriteError::Conflict));
}

/// A manifest is opened once, and not again while its bytes are the same.
#[tokio::test]
async fn an_unchanged_manifest_is_not_opened_twice() {
    let store = memory();
    let table: Table<u32> = store.table("con");
    table.create("per_a/1", &1).await.unwrap();
    store.settle().await.unwrap();
    let group = group_of("con/per_a/1").unwrap();
    let one = store.0.roll(&group).await.unwrap();
    let other = store.0.roll(&group).await.unwrap();
    assert!(Arc::ptr_eq(&one, &other));
}

#[derive(Clone, Debug)]
enum Step {
    Create(usize),
    Replace(usize),
    Delete(usize),
    Take(usize),
    /// The next step's caller stops waiting after being polled this often.
    GiveUp(u8),
    Settle,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..KEYS.len()).prop_map(Step::Create),
        4 => (0..KEYS.len()).prop_map(Step::Replace),
        3 => (0..KEYS.len()).prop_map(Step::Delete),
        1 => (0..KEYS.len()).prop_map(Step::Take),
        3 => (0..4_u8).prop_map(Step::GiveUp),
        2 => Just(Step::Settle),
        1 => Just(Step::Reopen),
    ]
}

const KEYS: [(&str, &str); 4] = [
    ("con", "per_a/1"),
    ("cre", "per_a/1"),
    ("tom", "per_a/1/x"),
    ("con", "per_b/1"),
];

/// Polls `work` a few times, then drops it.
async fn polled<T>(work: impl Future<Output = T>, times: u8) -> Option<T> {
    let mut work = Box::pin(work);
    for _ in 0..times {
        if let Some(done) = work.as_mut().now_or_never() {
            return Some(done);
        }
        tokio::task::yield_now().await;
    }
    None
}

/// After each step every record is there or not, as it should be, and nothing is ever called damaged. What a caller did
/// not wait for may have happened or not; what is found then counts.
async fn like_a_map(place: Option<&Place>, steps: Vec<Step>) {
    let mut store = match place {
        Some(place) => place.open().await,
        None => memory(),
    };
    let mut model: BTreeMap<usize, u32> = BTreeMap::new();
    let (mut patience, mut next) = (None, 0);
    for step in steps {
        next += 1;
        let at = match step {
            Step::GiveUp(times) => {
                patience = Some(times);
                continue;
            }
            Step::Settle => {
                store.settle().await.unwrap();
                continue;
            }
            Step::Reopen => {
                if let Some(place) = place {
                    // With or without what is still to be settled.
                    if next % 2 == 0 {
                        store.clone().close().await;
                    }
                    drop(store);
                    store = place.open().await;
                }
                continue;
            }
            Step::Create(at) | Step::Replace(at) | Step::Delete(at) | Step::Take(at) => at,
        };
        let (prefix, key) = KEYS[at];
        let table: Table<u32> = store.table(prefix);
        let before = table.get(key).await.unwrap();
        assert_eq!(
            before.as_ref().map(|record| record.value),
            model.get(&at).copied()
        );
        let work = async {
            match (&step, &before) {
                (Step::Create(_), _) => table.create(key, &next).await.map(|_| Some(next)),
                (Step::Replace(_), Some(before)) => {
                    table.replace(before, &next).await.map(|_| Some(next))
                }
                (Step::Delete(_), Some(before)) => table.delete(before).await.map(|()| None),
                (Step::Take(_), _) => Ok(table.take(key).await.map(|_| None).unwrap()),
                _ => Err(WriteError::Conflict),
            }
        };
        let outcome = match patience.take() {
            None => Some(work.await),
            Some(times) => polled(work, times).await,
        };
        match outcome {
            Some(Ok(Some(value))) => drop(model.insert(at, value)),
            Some(Ok(None)) => drop(model.remove(&at)),
            Some(Err(WriteError::Conflict)) => {
                assert_eq!(matches!(step, Step::Create(_)), before.is_some());
            }
            Some(Err(error)) => panic!("{error}"),
            None => {
                // It goes on by itself: whoever has the turn next comes after it, and so does the next write.
                let full_key = format!("{prefix}/{key}");
                drop(store.0.manifests.records.wait(&full_key).await);
                let barrier = store.0.backend.swap("ses/barrier", Some(b"never"), None);
                assert_eq!(barrier.await, Ok(Swap::Conflict));
                match table.get(key).await.unwrap() {
                    Some(record) => drop(model.insert(at, record.value)),
                    None => drop(model.remove(&at)),
                }
            }
        }
    }
    store.settle().await.unwrap();
    let report = store.verify().await.unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(report.records, model.len());
    store.close().await;
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn listed_records_in_memory_are_like_a_map(steps in prop::collection::vec(step(), 1..60)) {
        runtime().block_on(like_a_map(None, steps));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn listed_records_on_sled_are_like_a_map(steps in prop::collection::vec(step(), 1..40)) {
        runtime().block_on(async { like_a_map(Some(&Place::new()), steps).await });
    }
}

/// Many at once, in one group, with a settler in between: each write stands, and no alarm is raised meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_raise_no_alarm() {
    let store = memory();
    let work = |n: u32| {
        let store = store.clone();
        async move {
            let table: Table<u32> = store.table("con");
            let key = format!("per_a/{}", n % 8);
            for round in 0..40 {
                match table.get(&key).await.unwrap() {
                    Some(found) if round % 3 == 0 => {
                        let _ = table.delete(&found).await;
                    }
                    Some(found) => drop(table.replace(&found, &round).await),
                    None => drop(table.create(&key, &round).await),
                }
                if n == 0 {
                    store.settle().await.unwrap();
                }
                assert!(table.list("per_a/", 10).await.unwrap().damaged.is_empty());
            }
        }
    };
    let mut all = tokio::task::JoinSet::new();
    for n in 0..16 {
        all.spawn(work(n));
    }
    all.join_all().await;
    store.settle().await.unwrap();
    assert!(store.verify().await.unwrap().is_whole());
}
