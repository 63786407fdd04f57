//! A store of the version before, a cut in the middle of its upgrade, and what must not pass for either.

use std::fs;
use std::path::Path;

use super::super::backend::Row;
use super::super::{KeySource, MasterKey, Store};
use super::*;

struct Place {
    _folder: tempfile::TempDir,
    settings: Settings,
}

impl Place {
    /// With the data folder that the version before left.
    fn of_format_1() -> Self {
        let place = Self::new();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store-of-format-1");
        let to = &place.settings.data_dir;
        fs::create_dir_all(to.join("store")).unwrap();
        for file in ["master.key", "store/conf", "store/db", "store/key-check"] {
            fs::copy(from.join(file), to.join(file)).unwrap();
            super::super::folder::make_private(&to.join(file)).unwrap();
        }
        place
    }

    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            settings: Settings::new(folder.path().join("data")),
            _folder: folder,
        }
    }

    async fn try_open(&self) -> Result<Store, OpenError> {
        let source = KeySource::beside(&self.settings);
        let key = MasterKey::load(&source, &self.settings, &Random::System).unwrap();
        Store::open(&self.settings, key, Random::System).await
    }

    async fn open(&self) -> Store {
        self.try_open().await.unwrap()
    }

    fn root(&self) -> PathBuf {
        self.settings.store_dir().join(ROOT)
    }
}

async fn rows(store: &Store, prefix: &str) -> Vec<Row> {
    let range = KeyRange::prefix(prefix);
    let rows = store.0.backend.scan(&range, Order::Ascending, 1_000);
    rows.await.unwrap()
}

async fn remove(store: &Store, key: &str) {
    let row = store.0.backend.get(key).await.unwrap();
    let swap = store.0.backend.swap(key, row.as_deref(), None);
    assert_eq!(swap.await, Ok(Swap::Done));
}

/// Everything that the fixture holds.
async fn is_whole(store: &Store) {
    let people = store.people().list("", 10).await.unwrap().whole().unwrap();
    let mut names: Vec<_> = people.iter().map(|one| one.value.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["Ana", "Ben"]);
    for person in &people {
        let prefix = format!("{}/", person.key());
        let connections = store.connections().list(&prefix, 10).await.unwrap();
        let connections = connections.whole().unwrap();
        assert_eq!(connections.len(), 1);
        let credential = store.credentials().get(connections[0].key()).await;
        assert!(credential.unwrap().is_some());
    }
    let agents = store.agents().list("", 10).await.unwrap().whole().unwrap();
    assert!(agents.iter().any(|agent| agent.value.name == "builder"));
    assert_eq!(rows(store, "idp/").await.len(), 2);
    let report = store.verify().await.unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert!(report.records >= 10 && report.manifests >= 4, "{report:?}");
}

#[tokio::test]
async fn a_store_of_the_version_before_opens_with_everything_in_it() {
    let place = Place::of_format_1();
    for _ in 0..2 {
        let store = place.open().await;
        is_whole(&store).await;
        store.close().await;
    }
    // And is written to.
    let store = place.open().await;
    let people = store.people().list("", 1).await.unwrap().whole().unwrap();
    store
        .people()
        .replace(&people[0], &people[0].value)
        .await
        .unwrap();
    let full_key = format!("per/{}", people[0].key());
    store.settle().await.unwrap();
    let group = group_of(&full_key).unwrap();
    let floor = store.0.roll(&group).await.unwrap().entries.get(&full_key);
    assert_eq!(floor.unwrap().floor, 1);
    store.close().await;
}

/// Cut after each of the manifests that an upgrade writes: the next start goes on.
#[tokio::test]
async fn an_upgrade_that_was_cut_off_goes_on() {
    let whole = Place::of_format_1();
    let store = whole.open().await;
    let manifests = rows(&store, "man/").await;
    store.close().await;
    for left in 0..=manifests.len() {
        let place = Place::of_format_1();
        let store = place.open().await;
        remove(&store, KEY).await;
        for (key, _) in &rows(&store, "man/").await[left..] {
            remove(&store, std::str::from_utf8(key).unwrap()).await;
        }
        let head = Head {
            stage: Stage::Upgrading,
            made_anew: None,
        };
        assert!(
            store
                .0
                .root
                .get()
                .unwrap()
                .rewrite(head, Some(HashMap::new()))
        );
        store.close().await;
        let store = place.open().await;
        is_whole(&store).await;
        assert_eq!(store.0.root.get().unwrap().head().stage, Stage::Settled);
        store.close().await;
    }
}

#[tokio::test]
async fn what_vanished_is_not_blessed_by_a_second_upgrade() {
    for lost_root in [false, true] {
        let place = Place::of_format_1();
        let store = place.open().await;
        remove(&store, KEY).await;
        store.close().await;
        if lost_root {
            fs::remove_file(place.root()).unwrap();
        }
        let error = place.try_open().await.unwrap_err();
        assert!(
            error.to_string().contains("which format it has is missing"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_later_format_is_refused() {
    let place = Place::new();
    let store = place.open().await;
    let old = store.0.backend.get(KEY).await.unwrap();
    let plaintext = envelope::compose(KEY, &(FORMAT + 1), 2, None).unwrap();
    let later = store.0.seal_record(KEY, &plaintext).await.unwrap();
    let swap = store.0.backend.swap(KEY, old.as_deref(), Some(&later));
    assert_eq!(swap.await, Ok(Swap::Done));
    store.close().await;
    let error = place.try_open().await.unwrap_err();
    assert!(
        matches!(error, OpenError::NewerFormat { format: 3, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_lost_or_damaged_root_is_made_anew_and_told_until_repaired() {
    let place = Place::of_format_1();
    place.open().await.close().await;
    for damaged in [false, true] {
        if damaged {
            let mut bytes = fs::read(place.root()).unwrap();
            bytes[40] ^= 1;
            fs::write(place.root(), bytes).unwrap();
        } else {
            fs::remove_file(place.root()).unwrap();
        }
        place.open().await.close().await;
        let store = place.open().await;
        let report = store.verify().await.unwrap();
        let root = report.root.as_ref().unwrap();
        let why = if damaged { "damaged" } else { "missing" };
        assert_eq!(root.made_anew.as_deref(), Some(why));
        assert!(report.findings.is_empty() && root.lost == 0 && !report.is_whole());
        store.repair(&report).await.unwrap();
        store.close().await;
        let store = place.open().await;
        is_whole(&store).await;
        store.close().await;
    }
}
