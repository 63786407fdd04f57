//! A change of the master key in processes that are killed at random moments (S-40): every record is there after it, and
//! the old key opens nothing.
//!
//! `scripts/rotation-kills` runs the full form.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use attache::base::{PersonId, Random};
use attache::store::{KeySource, MasterKey, MasterKeys, OpenError, Settings, Store, Table};

/// How many records there are, if not said otherwise.
const ROWS: u128 = 300;
/// How many of them one person has.
const OF_ONE_PERSON: u128 = 10;
const FOLDER: &str = "ROTATION_KILLS_FOLDER";

/// What whoever started this process said.
#[expect(
    clippy::disallowed_methods,
    reason = "a test of a process of its own is told so"
)]
fn said(variable: &str) -> Option<String> {
    std::env::var(variable).ok()
}

fn rows() -> u128 {
    let said = said("ROTATION_KILLS_ROWS");
    said.map_or(ROWS, |text| text.parse().expect("a number of records"))
}

fn keys(settings: &Settings) -> MasterKeys {
    let source = KeySource::beside(settings);
    MasterKeys::load(&source, None, settings, &Random::System).expect("a master key")
}

async fn open(settings: &Settings) -> Store {
    let store = Store::open(settings, keys(settings), Random::System);
    store.await.expect("a store that opens")
}

fn table(store: &Store) -> Table<String> {
    store.table("cre")
}

fn key_of(row: u128) -> String {
    let person = PersonId::from_bytes((row / OF_ONE_PERSON).to_be_bytes());
    format!("{person}/{row}")
}

/// A process of its own, which is killed from outside.
#[tokio::test]
#[ignore = "run by the test below, in a process of its own"]
async fn rotate_until_killed() {
    let Some(folder) = said(FOLDER) else {
        return;
    };
    let store = open(&Settings::new(PathBuf::from(folder))).await;
    println!("\nopen");
    let ended = store.rotate().await.expect("a change that goes on");
    assert!(ended.is_some());
    println!("\ndone");
    store.close().await;
}

fn start(folder: &Path) -> Child {
    let name = "rotation_kills::rotate_until_killed";
    Command::new(std::env::current_exe().expect("this program"))
        .args([name, "--exact", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program starts")
}

/// Kills the process after `patience`; answers whether it said that it was done.
fn kill_after(mut child: Child, patience: Duration) -> bool {
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let opened = lines
        .by_ref()
        .map_while(Result::ok)
        .any(|line| line == "open");
    assert!(opened, "the store did not open after a kill");
    // The moment is meant to be any.
    std::thread::sleep(patience);
    child.kill().expect("it is ours");
    child.wait().expect("it is ours");
    lines.map_while(Result::ok).any(|line| line == "done")
}

#[tokio::test]
async fn a_rotation_survives_kills_and_the_old_key_opens_nothing_after() {
    let top = tempfile::tempdir().expect("a folder");
    let settings = Settings::new(top.path().join("data"));
    let old: MasterKey = keys(&settings).current;
    let store = open(&settings).await;
    let rows = rows();
    for first in (0..rows).step_by(500) {
        let (table, last) = (table(&store), rows.min(first + 500));
        let writes = (first..last).map(|row| {
            let table = table.clone();
            async move { table.create(&key_of(row), &row.to_string()).await }
        });
        for written in futures::future::join_all(writes).await {
            written.expect("a store");
        }
    }
    store.begin_rotation().await.expect("a key file of our own");
    store.close().await;

    let mut kills = 0_u64;
    loop {
        let [chance] = Random::System.bytes::<1>();
        // Longer with each round, so that it ends on any machine.
        let patience = Duration::from_micros(u64::from(chance) * 20 * (kills + 1));
        if kill_after(start(&settings.data_dir), patience) {
            break;
        }
        kills += 1;
        if !settings.data_dir.join("master.key.next").exists() {
            break;
        }
    }
    let refused = Store::open(&settings, old, Random::System).await;
    assert!(matches!(refused, Err(OpenError::WrongKey { .. })));
    let store = open(&settings).await;
    assert_eq!(store.key_status().rotation, None);
    for row in 0..rows {
        let found = table(&store).get(&key_of(row)).await.expect("readable");
        assert_eq!(found.map(|found| found.value), Some(row.to_string()));
    }
    store.close().await;
    println!("{rows} records, {kills} kills, 0 lost, the old key is refused");
}
