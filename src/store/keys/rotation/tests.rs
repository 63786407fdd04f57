//! A change of the master key that is cut off at every step, and one that goes on under writers.

use std::collections::BTreeSet;
use std::fs;
use std::pin::pin;
use std::task::Poll;

use super::*;
use crate::base::{PersonId, Random, Secret};
use crate::store::seal::Seal;
use crate::store::{KeySource, MasterKey, MasterKeys, Table, WriteError};

struct House {
    _folder: tempfile::TempDir,
    settings: Settings,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::new(folder.path().join("data"));
        Self {
            _folder: folder,
            settings,
        }
    }

    fn keys(&self) -> MasterKeys {
        let source = KeySource::beside(&self.settings);
        MasterKeys::load(&source, None, &self.settings, &Random::System).unwrap()
    }

    async fn open(&self) -> Store {
        Store::open(&self.settings, self.keys(), Random::System)
            .await
            .unwrap()
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.settings.data_dir).unwrap();
        let name = |entry: io::Result<fs::DirEntry>| {
            entry.unwrap().file_name().to_string_lossy().into_owned()
        };
        let mut names: Vec<_> = entries.map(name).collect();
        names.sort();
        names
    }
}

fn person(n: u128) -> PersonId {
    PersonId::from_bytes(n.to_be_bytes())
}

fn table(store: &Store) -> Table<u128> {
    store.table("con")
}

async fn fill(store: &Store, people: u128) {
    for n in 0..people {
        for connection in 0..3 {
            let key = format!("{}/{connection}", person(n));
            table(store).create(&key, &n).await.unwrap();
        }
        store
            .table::<u128>("ses")
            .create(&n.to_string(), &n)
            .await
            .unwrap();
    }
}

async fn assert_all_there(store: &Store, people: u128) {
    for n in 0..people {
        let listed = table(store).list(person(n).as_str(), 10).await.unwrap();
        let values: Vec<_> = listed
            .whole()
            .unwrap()
            .iter()
            .map(|one| one.value)
            .collect();
        assert_eq!(values, [n; 3]);
    }
    let sessions = store.table::<u128>("ses").list("", 1_000).await.unwrap();
    assert_eq!(sessions.whole().unwrap().len() as u128, people);
}

async fn key_ids(store: &Store) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut pages = Pages::below("");
    while let Some(rows) = pages.next(&store.0.backend).await.unwrap() {
        let sealed = rows.iter().filter(|(key, _)| is_sealed(key));
        found.extend(sealed.map(|(_, bytes)| KeyId::of(bytes).unwrap().to_string()));
    }
    found
}

#[tokio::test]
async fn a_new_key_takes_the_old_ones_place_and_nothing_opens_with_the_old_one() {
    let house = House::new();
    let old = house.keys().current;
    let store = house.open().await;
    fill(&store, 5).await;
    let legacy = Seal::new(&old.store_key("records"), Random::System);
    let sealed = legacy.seal(b"ses/legacy", b"\x01\x007");
    store
        .0
        .backend
        .swap("ses/legacy", None, Some(&sealed))
        .await
        .unwrap();
    let before = key_ids(&store).await;
    let (index, old_id) = (store.index(&["a"]), store.key_status().key);

    store.begin_rotation().await.unwrap();
    assert_eq!(store.key_status().previous, PreviousKey::Needed);
    assert_all_there_and_legacy(&store).await;
    let end = store.rotate().await.unwrap().unwrap();
    assert_eq!((end.unreadable, &end.old_key), (0, &old_id));
    assert_eq!(store.rotate().await.unwrap(), None);
    assert!(key_ids(&store).await.is_disjoint(&before));
    assert_all_there_and_legacy(&store).await;
    let status = store.key_status();
    assert_ne!(status.key, old_id);
    assert_eq!((status.rotation, status.last), (None, Some(end.clone())));
    store.close().await;

    let retired = format!("master.key.retired-{old_id}");
    assert_eq!(house.files(), ["ballast", "master.key", &retired, "store"]);
    let refused = Store::open(&house.settings, old, Random::System).await;
    assert!(matches!(refused.unwrap_err(), OpenError::WrongKey { .. }));
    let store = house.open().await;
    assert_eq!(store.index(&["a"]), index);
    assert_all_there_and_legacy(&store).await;
    store.close().await;
}

async fn assert_all_there_and_legacy(store: &Store) {
    let sessions = store.table::<u128>("ses");
    let legacy = sessions.get("legacy").await.unwrap().unwrap();
    assert_eq!(legacy.value, 7);
    for n in 0..5 {
        let key = format!("{}/0", person(n));
        assert_eq!(table(store).get(&key).await.unwrap().unwrap().value, n);
    }
}

/// The change is dropped after each number of steps, and the store opened again from its files.
#[tokio::test]
async fn a_change_that_is_cut_off_anywhere_is_gone_on_with() {
    let house = House::new();
    let first = house.keys().current;
    let store = house.open().await;
    fill(&store, 24).await;
    let before = key_ids(&store).await;
    store.begin_rotation().await.unwrap();
    store.close().await;
    let mut cuts = 0;
    for steps in 0.. {
        let store = house.open().await;
        assert_all_there(&store, 24).await;
        let ended = after_steps(store.rotate(), steps).await;
        assert_all_there(&store, 24).await;
        store.close().await;
        match ended {
            Some(end) => {
                // None: it was over already, and the cut fell between that and the answer.
                assert!(end.unwrap().is_none_or(|end| end.unreadable == 0));
                break;
            }
            None => cuts += 1,
        }
    }
    assert!(cuts > 5, "{cuts}");
    let refused = Store::open(&house.settings, first, Random::System).await;
    assert!(matches!(refused.unwrap_err(), OpenError::WrongKey { .. }));
    let store = house.open().await;
    assert!(key_ids(&store).await.is_disjoint(&before));
    assert_all_there(&store, 24).await;
}

/// Polls `work` at most `steps` times, each time that it was woken.
async fn after_steps<T>(work: impl Future<Output = T>, steps: usize) -> Option<T> {
    let mut work = pin!(work);
    let mut polled = 0;
    std::future::poll_fn(|context| {
        if polled == steps {
            return Poll::Ready(None);
        }
        polled += 1;
        work.as_mut().poll(context).map(Some)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn people_write_on_while_the_key_changes() {
    let house = House::new();
    let store = house.open().await;
    fill(&store, 20).await;
    let stop = tokio_util::sync::CancellationToken::new();
    let writers = (0..8_u128).map(|writer| {
        let (store, stop) = (store.clone(), stop.clone());
        tokio::spawn(async move {
            let mut written = 0_u128;
            while !stop.is_cancelled() {
                // Existing people, and new ones whose keys are made meanwhile.
                let who = person(1_000 + writer * 100 + written % 7);
                let key = format!("{who}/w{writer}");
                let table = table(&store);
                match table.get(&key).await.unwrap() {
                    // Only this task writes here, so nothing but a change of keys could conflict.
                    Some(old) => drop(table.replace(&old, &written).await.unwrap()),
                    None => drop(table.create(&key, &written).await.unwrap()),
                }
                written += 1;
            }
            written
        })
    });
    let writers: Vec<_> = writers.collect();
    for _ in 0..3 {
        store.begin_rotation().await.unwrap();
        assert!(store.rotate().await.unwrap().is_some());
    }
    stop.cancel();
    let mut written = 0;
    for writer in writers {
        written += writer.await.unwrap();
    }
    assert!(written > 100, "{written}");
    assert_all_there(&store, 20).await;
    assert!(
        table(&store)
            .list("", 10_000)
            .await
            .unwrap()
            .damaged
            .is_empty()
    );
    let retired = house.files();
    assert_eq!(
        retired
            .iter()
            .filter(|name| name.contains("retired"))
            .count(),
        3
    );
    store.close().await;
}

#[tokio::test]
async fn a_key_from_elsewhere_changes_with_the_start_that_names_the_old_one() {
    let house = House::new();
    let key = |byte: u8| {
        let text = data_encoding::BASE64.encode(&[byte; 32]);
        KeySource::Value(Secret::new(text))
    };
    let open = async |current: u8, previous: Option<u8>| {
        let previous = previous.map(key);
        let (settings, random) = (&house.settings, Random::System);
        let keys = MasterKeys::load(&key(current), previous.as_ref(), settings, &random).unwrap();
        Store::open(settings, keys, random).await
    };
    let store = open(1, None).await.unwrap();
    fill(&store, 3).await;
    let refused = store.begin_rotation().await.unwrap_err();
    assert!(matches!(refused, RotationError::FromOutside), "{refused}");
    store.close().await;

    let refused = open(2, None).await.unwrap_err();
    assert!(matches!(refused, OpenError::WrongKey { .. }));
    let store = open(2, Some(1)).await.unwrap();
    assert_eq!(store.key_status().previous, PreviousKey::Needed);
    assert_all_there(&store, 3).await;
    let end = store.rotate().await.unwrap().unwrap();
    assert_eq!((end.retired, end.unreadable), (None, 0));
    assert_eq!(store.key_status().previous, PreviousKey::Unneeded);
    store.close().await;

    let store = open(2, Some(1)).await.unwrap();
    assert_eq!(store.key_status().previous, PreviousKey::Unneeded);
    assert_eq!(store.rotate().await.unwrap(), None);
    store.close().await;
    assert!(open(1, None).await.is_err());
    let store = open(2, None).await.unwrap();
    assert_eq!(store.key_status().previous, PreviousKey::NotNamed);
    assert_all_there(&store, 3).await;
    store.close().await;
}

#[tokio::test]
async fn what_does_not_open_is_left_and_counted() {
    let house = House::new();
    let store = house.open().await;
    fill(&store, 2).await;
    let rubbish = b"rubbish".as_slice();
    let row = store
        .0
        .backend
        .get(&format!("key/{}", person(1)))
        .await
        .unwrap()
        .unwrap();
    let mut bad_row = row.clone();
    *bad_row.last_mut().unwrap() ^= 1;
    store
        .0
        .put_raw(&format!("key/{}", person(1)), &row, &bad_row)
        .await
        .unwrap();
    store
        .0
        .backend
        .swap("ses/rubbish", None, Some(rubbish))
        .await
        .unwrap();
    store.close().await;
    let store = house.open().await;
    store.begin_rotation().await.unwrap();
    let end = store.rotate().await.unwrap().unwrap();
    // The rubbish, the person's key, and their three connections.
    assert_eq!(end.unreadable, 5);
    let left = store.0.backend.get("ses/rubbish").await.unwrap();
    assert_eq!(left.as_deref(), Some(rubbish));
    let found = table(&store)
        .get(&format!("{}/0", person(0)))
        .await
        .unwrap();
    assert_eq!(found.unwrap().value, 0);
    store.close().await;
}

#[tokio::test]
async fn a_conflict_that_is_only_a_change_of_keys_is_none() {
    let store = Store::memory(MasterKey::generate(&Random::seeded(1)), Random::seeded(2));
    let key = format!("{}/1", person(1));
    let old = table(&store).create(&key, &1).await.unwrap();
    let change = async || {
        let next = MasterKey::generate(&Random::System);
        store
            .0
            .keys
            .change_to(Wrapping::new(&next, &Random::System));
        store.rotate().await.unwrap().unwrap()
    };
    change().await;
    let new = table(&store).replace(&old, &2).await.unwrap();
    let stale = table(&store).replace(&old, &3).await;
    assert_eq!(stale.unwrap_err(), WriteError::Conflict);
    change().await;
    let stale = table(&store).replace(&old, &3).await;
    assert_eq!(stale.unwrap_err(), WriteError::Conflict);
    table(&store).delete(&new).await.unwrap();

    // Made again at the same key, with the same generation.
    table(&store).create(&key, &9).await.unwrap();
    change().await;
    assert_eq!(table(&store).delete(&old).await, Err(WriteError::Conflict));
}
