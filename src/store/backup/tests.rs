//! Backups of small stores: what is in them, what is noticed, and what a cut leaves.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::draft::Draft;
use super::format::{Mark, Reader, Writer};
use super::group::Groups;
use super::place::Place;
use super::*;
use crate::base::{ConnectionId, PersonId, Random, Secret, Timestamp};
use crate::connection::Credential;
use crate::store::backend::{KeyRange, Order, Swap};
use crate::store::{MasterKey, Origin, Settings, Store, Table};

const NOON: Timestamp = Timestamp::from_unix(1_800_000_000);

fn quiet(_: Stage, _: u64, _: Option<u64>) {}

/// A folder with a store and its key.
struct Bench {
    folder: tempfile::TempDir,
    key: MasterKey,
}

impl Bench {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            key: MasterKey::generate(&Random::System),
        }
    }

    fn settings(&self, name: &str) -> Settings {
        Settings::new(self.folder.path().join(name))
    }

    async fn open(&self, name: &str) -> Store {
        let opened = Store::open(&self.settings(name), self.key.clone(), Random::System).await;
        opened.unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("backups").join(name)
    }

    fn restore(&self, backup: &Path, into: &str, replace: bool) -> Restore {
        Restore {
            settings: self.settings(into),
            backup: backup.to_owned(),
            replace,
            aside: "store.before-then".to_owned(),
        }
    }

    async fn run(&self, restore: &Restore) -> Result<Restored, RestoreError> {
        restore.run(&self.key, &Random::System, &quiet).await
    }

    async fn check(&self, path: &Path) -> Result<Backup, BackupError> {
        Store::check_backup(path, &self.key, &Random::System, &quiet).await
    }
}

fn credential(refresh_token: Option<&str>) -> Credential {
    Credential {
        access_token: Secret::new("access"),
        refresh_token: refresh_token.map(Secret::new),
        obtained: NOON,
        expires: None,
        refresh_expires: None,
        generation: 1,
        intent: None,
    }
}

/// Some people with credentials, notes, a session and a table that nobody knows.
async fn populate(store: &Store, people: usize) -> Vec<String> {
    let mut keys = Vec::new();
    for number in 0..people {
        let random = Random::seeded(number as u64);
        let key = format!("{}/{}", PersonId::new(&random), ConnectionId::new(&random));
        let token = (number % 2 == 0).then_some("refresh");
        let credentials = store.credentials();
        credentials.create(&key, &credential(token)).await.unwrap();
        store.note_due(NOON, &format!("renew/{key}")).await.unwrap();
        keys.push(key);
    }
    let later = NOON + std::time::Duration::from_hours(1);
    let sessions: Table<u8> = store.table("ses");
    sessions.create_until("1", &1, later).await.unwrap();
    let events: Table<u8> = store.table("evt");
    events.create_until("1", &1, later).await.unwrap();
    let unknown: Table<u8> = store.table("new");
    unknown.create("1", &1).await.unwrap();
    keys
}

async fn rows(store: &Store) -> Vec<(String, Vec<u8>)> {
    let range = KeyRange::prefix("");
    let rows = store.0.backend.scan(&range, Order::Ascending, usize::MAX);
    let text = |(key, value): (Vec<u8>, _)| (String::from_utf8(key).unwrap(), value);
    rows.await.unwrap().into_iter().map(text).collect()
}

#[tokio::test]
async fn a_backup_becomes_the_same_store_less_what_must_not_come_back() {
    let bench = Bench::new();
    let store = bench.open("old").await;
    let keys = populate(&store, 9).await;
    let path = bench.file("one.backup");
    let backup = store.back_up(&path, NOON, &quiet).await.unwrap();
    assert_eq!(backup.counts.tables["cre"], 9);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    assert_eq!(BackupHeader::read(&path).await.unwrap(), backup.header);
    let read = bench.check(&path).await.unwrap();
    assert_eq!(read, backup);

    let restored = bench
        .run(&bench.restore(&path, "new", false))
        .await
        .unwrap();
    assert_eq!((restored.doubted, restored.aside), (5, None));
    let (old, new) = (rows(&store).await, bench.open("new").await);
    let new_rows = rows(&new).await;
    for (key, value) in &old {
        let found = new_rows.iter().find(|(found, _)| found == key);
        let goes = key.starts_with("ses/") || key.contains("/ses/");
        assert_eq!(found.is_none(), goes, "{key}");
        let is_kept = !key.starts_with("cre/") && !key.starts_with("man/");
        assert!(
            goes || !is_kept || found.is_some_and(|(_, found)| found == value),
            "{key}"
        );
    }
    for (number, key) in keys.iter().enumerate() {
        let found = new.credentials().get(key).await.unwrap().unwrap().value;
        let doubt = found
            .intent
            .map(|intent| (intent.unanswered, intent.unclear));
        assert_eq!(doubt, (number % 2 == 0).then_some((1, true)));
    }
    assert_eq!(new.index(&["a"]), store.index(&["a"]));
    new.close().await;
    store.close().await;
}

#[tokio::test]
async fn whatever_is_changed_or_cut_off_is_refused_and_the_store_stays() {
    let bench = Bench::new();
    let store = bench.open("old").await;
    populate(&store, 40).await;
    let path = bench.file("one.backup");
    store.back_up(&path, NOON, &quiet).await.unwrap();
    store.close().await;
    let whole = fs::read(&path).unwrap();
    let before = fs::read(bench.settings("old").log_file()).unwrap();
    let bad = bench.file("bad.backup");
    let restore = bench.restore(&bad, "old", true);
    let header = 21 + u64::from(u32::from_be_bytes(whole[17..21].try_into().unwrap()));
    let flips = (0..header).chain((header..whole.len() as u64).step_by(97));
    let flips = flips.map(|at| {
        let mut bytes = whole.clone();
        bytes[usize::try_from(at).unwrap()] ^= 1 << (at % 8);
        bytes
    });
    let cuts = (0..whole.len()).step_by(131).map(|at| whole[..at].to_vec());
    let longer = [whole.as_slice(), b"x"].concat();
    let (mut tried, mut restores) = (0, 0);
    for bytes in flips.chain(cuts).chain([longer]) {
        fs::write(&bad, &bytes).unwrap();
        let error = bench.check(&bad).await.unwrap_err();
        let is_clear = matches!(
            error,
            BackupError::NotABackup(_)
                | BackupError::NewerFormat { .. }
                | BackupError::OtherKey { .. }
                | BackupError::Damaged { .. }
        );
        assert!(is_clear, "{error}");
        tried += 1;
        if tried % 23 == 0 {
            bench.run(&restore).await.unwrap_err();
            restores += 1;
        }
    }
    assert!(tried > 200 && restores > 8, "{tried} {restores}");
    let data_dir = bench.settings("old").data_dir;
    assert_eq!(fs::read(bench.settings("old").log_file()).unwrap(), before);
    assert_eq!(
        fs::read_dir(data_dir).unwrap().count(),
        ["ballast", "store"].len(),
        "something was left behind"
    );
}

#[tokio::test]
async fn parts_of_two_backups_do_not_make_one() {
    let bench = Bench::new();
    let store = Store::memory(bench.key.clone(), Random::System);
    let table: Table<Vec<u8>> = store.table("new");
    for number in 0..6 {
        table
            .create(&number.to_string(), &vec![7; 60_000])
            .await
            .unwrap();
    }
    let parts = |path: &Path| {
        let bytes = fs::read(path).unwrap();
        let mut at = 21 + u32::from_be_bytes(bytes[17..21].try_into().unwrap()) as usize;
        let mut parts = vec![bytes[..at].to_vec()];
        while at < bytes.len() {
            let length = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
            parts.push(bytes[at..at + 4 + length].to_vec());
            at += 4 + length;
        }
        parts
    };
    let (one, other) = (bench.file("one.backup"), bench.file("other.backup"));
    store.back_up(&one, NOON, &quiet).await.unwrap();
    store.back_up(&other, NOON, &quiet).await.unwrap();
    let (one, other) = (parts(&one), parts(&other));
    assert!(one.len() >= 5, "{}", one.len());
    let bad = bench.file("bad.backup");
    let swapped = [&one[0], &one[2], &one[1], &one[3], &one[4]];
    let without = [&one[0], &one[1], &one[3], &one[4]];
    let twice = [&one[0], &one[1], &one[1], &one[2], &one[3], &one[4]];
    let spliced = [&one[0], &one[1], &other[2], &one[3], &one[4]];
    let headed = [&other[0], &one[1], &one[2], &one[3], &one[4]];
    let endless: Vec<_> = one[..one.len() - 1].iter().collect();
    for parts in [&swapped[..], &without, &twice, &spliced, &headed, &endless] {
        let bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        fs::write(&bad, bytes).unwrap();
        let error = bench.check(&bad).await.unwrap_err();
        assert!(matches!(error, BackupError::Damaged { .. }), "{error}");
    }
}

#[tokio::test]
async fn another_key_is_named_and_a_later_format_too() {
    let bench = Bench::new();
    let store = bench.open("old").await;
    let path = bench.file("one.backup");
    let backup = store.back_up(&path, NOON, &quiet).await.unwrap();
    store.close().await;
    let other = MasterKey::generate(&Random::System);
    let restore = bench.restore(&path, "new", false);
    let error = restore
        .run(&other, &Random::System, &quiet)
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(&backup.header.key) && text.contains(&format::key_id(&other)),
        "{text}"
    );
    assert!(!bench.settings("new").store_dir().exists());

    let mut later = fs::read(&path).unwrap();
    later[16] = 2;
    fs::write(&path, later).unwrap();
    let text = bench.check(&path).await.unwrap_err().to_string();
    assert!(
        text.contains("format 2") && text.contains(env!("CARGO_PKG_VERSION")),
        "{text}"
    );
}

#[tokio::test]
async fn a_store_is_moved_aside_and_never_replaced_unasked() {
    let bench = Bench::new();
    let store = bench.open("old").await;
    let table: Table<u8> = store.table("new");
    table.create("before", &1).await.unwrap();
    let path = bench.file("one.backup");
    store.back_up(&path, NOON, &quiet).await.unwrap();
    table.create("after", &2).await.unwrap();
    store.close().await;

    let refused = bench.run(&bench.restore(&path, "old", false)).await;
    assert!(
        matches!(refused, Err(RestoreError::StoreExists(_))),
        "{refused:?}"
    );
    let restored = bench.run(&bench.restore(&path, "old", true)).await.unwrap();
    let aside = bench.settings("old").data_dir.join("store.before-then");
    assert_eq!(restored.aside.as_deref(), Some(aside.as_path()));
    let store = bench.open("old").await;
    let table: Table<u8> = store.table("new");
    assert!(table.get("before").await.unwrap().is_some());
    assert!(table.get("after").await.unwrap().is_none());
    store.close().await;
    // The old one is a store as good as ever.
    let elsewhere = bench.settings("elsewhere");
    fs::create_dir_all(&elsewhere.data_dir).unwrap();
    fs::rename(&aside, elsewhere.store_dir()).unwrap();
    let store = bench.open("elsewhere").await;
    let table: Table<u8> = store.table("new");
    assert!(table.get("after").await.unwrap().is_some());
    store.close().await;
}

/// When, what is there then, and which store there is afterwards.
type Cut = (&'static str, fn(&Path), &'static str);

/// Where a restore can be cut off, and which store is there afterwards.
#[tokio::test]
async fn a_cut_leaves_the_old_store_or_the_new_one() {
    let cuts: [Cut; 5] = [
        ("while it is built", |_| {}, "old"),
        (
            "before the exchange",
            |data| fs::create_dir_all(data.join("restoring/store/blobs")).unwrap(),
            "old",
        ),
        (
            "after the exchange",
            |data| {
                fs::rename(data.join("store"), data.join("moving")).unwrap();
                fs::rename(data.join("restoring/store"), data.join("store")).unwrap();
                fs::rename(data.join("moving"), data.join("restoring/store")).unwrap();
            },
            "new",
        ),
        (
            "between two steps",
            |data| fs::rename(data.join("store"), data.join("store.before-then")).unwrap(),
            "new",
        ),
        (
            "before the mark is gone",
            |data| {
                fs::rename(data.join("store"), data.join("store.before-then")).unwrap();
                fs::rename(data.join("restoring/store"), data.join("store")).unwrap();
            },
            "new",
        ),
    ];
    for (when, cut, expected) in cuts {
        let bench = Bench::new();
        let settings = bench.settings("data");
        let store = bench.open("data").await;
        let table: Table<String> = store.table("new");
        table.create("which", &"old".to_owned()).await.unwrap();
        store.close().await;
        let place = Place::of(&settings);
        place.begin("store.before-then").unwrap();
        let built = Settings::new(place.building());
        let store = Store::open_from(
            Origin::Backup,
            &built,
            bench.key.clone().into(),
            Random::System,
        )
        .await
        .unwrap();
        let table: Table<String> = store.table("new");
        table.create("which", &"new".to_owned()).await.unwrap();
        store.close().await;
        cut(&settings.data_dir);

        let store = bench.open("data").await;
        let table: Table<String> = store.table("new");
        let found = table.get("which").await.unwrap().map(|found| found.value);
        assert_eq!(found.as_deref(), Some(expected), "cut {when}");
        store.close().await;
        let mut left: Vec<_> = fs::read_dir(&settings.data_dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let expected: &[&str] = match expected {
            "old" => &["ballast", "store"],
            _ => &["ballast", "store", "store.before-then"],
        };
        assert_eq!(left, expected, "cut {when}");
        assert!(
            !settings.store_dir().join("restoring").exists(),
            "cut {when}"
        );
    }
}

#[tokio::test]
async fn records_of_one_person_are_of_one_moment() {
    let bench = Bench::new();
    let store = bench.open("old").await;
    let table: Table<u64> = store.table("con");
    for number in 0..4 {
        table.create(&format!("per_a/{number}"), &0).await.unwrap();
    }
    let going = AtomicBool::new(true);
    // Every record gets the next number in turn, so that at each moment none is ahead of one before it, nor far behind.
    let writing = async {
        let mut turn = 1_u64;
        while going.load(Ordering::SeqCst) {
            for number in 0..4 {
                let record = table
                    .get(&format!("per_a/{number}"))
                    .await
                    .unwrap()
                    .unwrap();
                table.replace(&record, &turn).await.unwrap();
            }
            turn += 1;
        }
        turn
    };
    let reading = async {
        for round in 0..10 {
            let path = bench.file(&format!("{round}.backup"));
            store.back_up(&path, NOON, &quiet).await.unwrap();
        }
        going.store(false, Ordering::SeqCst);
    };
    let (turns, ()) = tokio::join!(writing, reading);
    assert!(turns > 1);
    store.close().await;
    for round in 0..10 {
        let into = format!("new{round}");
        let path = bench.file(&format!("{round}.backup"));
        bench
            .run(&bench.restore(&path, &into, false))
            .await
            .unwrap();
        let store = bench.open(&into).await;
        let table: Table<u64> = store.table("con");
        let listed = table.list("per_a/", 10).await.unwrap().whole().unwrap();
        let turns: Vec<u64> = listed.iter().map(|record| record.value).collect();
        assert!(turns.is_sorted_by(|one, next| one >= next), "{turns:?}");
        assert!(turns[0] - turns[3] <= 1, "{turns:?}");
        store.close().await;
    }
}

#[tokio::test]
async fn every_group_is_named_once_however_many_rows_it_has() {
    let store = Store::memory(MasterKey::generate(&Random::System), Random::System);
    let connections: Table<u8> = store.table("con");
    let agents: Table<u8> = store.table("agt");
    for number in 0..300 {
        let person = number % 3;
        let key = format!("per_{person}/con_{number:03}");
        connections.create(&key, &1).await.unwrap();
        agents
            .create(&format!("agt_{:03x}{number}", number % 7), &1)
            .await
            .unwrap();
    }
    let mut groups = Groups::of(&store.0.backend);
    let mut names = Vec::new();
    while let Some(group) = groups.next().await.unwrap() {
        names.push(group.name().to_owned());
    }
    let mut expected: Vec<_> = (0..7).map(|part| format!("agt-{part:03x}")).collect();
    expected.extend((0..3).map(|person| format!("per_{person}")));
    assert_eq!(names, expected);
}

#[tokio::test]
async fn a_backup_that_fails_leaves_nothing_and_what_was_left_is_removed() {
    let bench = Bench::new();
    let store = Store::memory(bench.key.clone(), Random::System);
    let path = bench.file("one.backup");
    let (draft, _file) = Draft::begin(&path, &Random::System).unwrap();
    let held = draft.path().to_owned();
    // Another's draft stays, one that nobody holds goes.
    let left = bench.file("old.00000000.backup-draft");
    fs::write(&left, b"").unwrap();
    store
        .back_up(&bench.file("two.backup"), NOON, &quiet)
        .await
        .unwrap();
    assert!(held.exists() && !left.exists());
    drop(draft);
    assert!(!held.exists());
    let again = store.back_up(&bench.file("two.backup"), NOON, &quiet).await;
    assert!(matches!(again, Err(BackupError::Exists(_))), "{again:?}");

    let swap = store.0.backend.swap("new/1", None, Some(b"rubbish"));
    assert_eq!(swap.await, Ok(Swap::Done));
    let error = store.back_up(&path, NOON, &quiet).await.unwrap_err();
    let BackupError::Records { damaged: 1, .. } = error else {
        panic!("{error}");
    };
    assert!(path.exists(), "the best copy that there is is kept");
}

#[tokio::test]
async fn rows_of_any_size_come_back_as_they_were() {
    let bench = Bench::new();
    let path = bench.folder.path().join("raw");
    let header = BackupHeader::new(NOON, &bench.key, &Random::System);
    let file = tokio::fs::File::create(&path).await.unwrap();
    let writer = Writer::begin(file, &path, &header, &bench.key, &Random::System).await;
    let mut writer = writer.unwrap();
    let sizes = [0, 1, 262_000, 300_000, 5, 262_144, 0];
    for (number, size) in sizes.into_iter().enumerate() {
        let value = vec![u8::try_from(number).unwrap(); size];
        writer
            .put(Mark::First, &number.to_string(), &value)
            .await
            .unwrap();
    }
    writer.finish().await.unwrap();
    let mut reader = Reader::open(&path, &bench.key, &Random::System)
        .await
        .unwrap();
    for (number, size) in sizes.into_iter().enumerate() {
        let entry = reader.next().await.unwrap().unwrap();
        assert_eq!((entry.key, entry.value.len()), (number.to_string(), size));
    }
    assert!(reader.next().await.unwrap().is_none());
}
