//! Backups of a gateway that works, and gateways out of backups (R-20, S-37).

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use attache::app::BackupTo;
use attache::base::{ConnectionId, PersonId, Random};
use attache::connection::{Connection, Credential};
use attache::identity::Principal;
use attache::store::{Backup, BackupError, Store};
use futures::StreamExt;
use serde_json::json;
use tokio::time::Instant;

use crate::support::environment;
use crate::support::folder::files;
use crate::support::gateway::{START, TestGateway, clock, gateway_with_acme};
use crate::support::machine::Machine;
use crate::support::person::Person;
use crate::support::provider::Provider;

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// A backup that somebody asked for, read back.
async fn back_up(gateway: &TestGateway) -> Backup {
    let made = gateway
        .app()
        .backups()
        .make(&BackupTo::Shelf, &|_, _, _| {});
    made.await.unwrap_or_else(|error| panic!("{error}"))
}

async fn connect(gateway: &TestGateway, acme: &Provider, name: &str) -> Person {
    let person = gateway.person(name).await;
    acme.has_account(name);
    let link = person
        .call("acme_create_thing", json!({ "name": "kite" }))
        .await
        .link();
    person.connect(&link, acme).await.assert_connected();
    person
}

async fn whoami(person: &Person) -> String {
    let answer = person.call("acme_whoami", json!({})).await;
    answer.json()["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn refreshes(acme: &Provider) -> usize {
    let requests = acme.token_requests();
    let is_refresh = |grant: Option<String>| grant.as_deref() == Some("refresh_token");
    requests
        .iter()
        .filter(|request| is_refresh(request.param("grant_type")))
        .count()
}

#[tokio::test]
async fn what_was_unspent_in_a_backup_goes_on() {
    let (acme, gateway) = gateway_with_acme().await;
    acme.rotates_refresh_tokens();
    let ana = connect(&gateway, &acme, "ana").await;
    let backup = back_up(&gateway).await;
    assert_eq!(
        (backup.counts.people(), backup.counts.connections()),
        (1, 1)
    );
    let (gateway, restored) = gateway.restored(&[&acme], &backup.path).await;
    assert_eq!(restored.doubted, 1);
    assert_eq!(restored.connections[0].person, "ana");
    assert_eq!(restored.connections[0].service, "acme");
    assert!(
        restored
            .aside
            .is_some_and(|aside| aside.join("db").exists())
    );
    drop(ana);
    let ana = gateway.person("ana").await;
    assert_eq!((whoami(&ana).await.as_str(), refreshes(&acme)), ("ana", 0));
    gateway.clock().advance(HOUR);
    assert_eq!((whoami(&ana).await.as_str(), refreshes(&acme)), ("ana", 1));
    gateway.clock().advance(HOUR);
    assert_eq!((whoami(&ana).await.as_str(), refreshes(&acme)), ("ana", 2));
}

/// The token was used after the backup was made, so the restored copy of it is spent. It is tried once, and never again.
#[tokio::test]
async fn what_was_spent_since_is_tried_once_and_shown() {
    let (acme, gateway) = gateway_with_acme().await;
    acme.rotates_refresh_tokens();
    let ana = connect(&gateway, &acme, "ana").await;
    let backup = back_up(&gateway).await;
    gateway.clock().advance(HOUR);
    assert_eq!((whoami(&ana).await.as_str(), refreshes(&acme)), ("ana", 1));
    // Due work may try it before anybody calls.
    acme.expects_replays(1);
    let (gateway, _) = gateway.restored(&[&acme], &backup.path).await;
    let ana = gateway.person("ana").await;
    let ended = ana.call("acme_whoami", json!({})).await;
    ended.assert_failed("A renewal was cut off");
    for _ in 0..3 {
        ana.call("acme_whoami", json!({})).await.link();
        gateway.clock().advance(HOUR);
        let work = gateway.app().gateway().do_due_work().await;
        work.expect("the store works");
    }
    assert_eq!(refreshes(&acme), 2, "one before, and one replay");
    assert_eq!(ana.open("/connections").await.card("acme"), "expired");
    let link = ana.call("acme_whoami", json!({})).await.link();
    ana.connect(&link, &acme).await.assert_connected();
    assert_eq!(whoami(&ana).await, "ana");
}

/// Where the answer to that one attempt is lost as well, there is no second.
#[tokio::test]
async fn a_lost_answer_to_the_replay_is_the_end() {
    let (acme, gateway) = gateway_with_acme().await;
    acme.rotates_refresh_tokens();
    connect(&gateway, &acme, "ana").await;
    let backup = back_up(&gateway).await;
    let (gateway, _) = gateway.restored(&[&acme], &backup.path).await;
    let ana = gateway.person("ana").await;
    acme.loses_the_next_token_answer();
    gateway.clock().advance(HOUR);
    for _ in 0..5 {
        ana.call("acme_whoami", json!({})).await;
        gateway.clock().advance(HOUR);
        let work = gateway.app().gateway().do_due_work().await;
        work.expect("the store works");
    }
    assert_eq!(refreshes(&acme), 1);
    assert_eq!(ana.open("/connections").await.card("acme"), "expired");
}

/// A person who was disconnected when the backup was made is still being revoked after it is restored.
#[tokio::test]
async fn a_revocation_under_way_goes_on_in_the_restored_store() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = connect(&gateway, &acme, "ana").await;
    acme.revocation_is_down();
    ana.disconnect().await;
    let backup = back_up(&gateway).await;
    let (gateway, restored) = gateway.restored(&[&acme], &backup.path).await;
    assert_eq!(restored.connections, []);
    acme.recovers();
    assert_eq!(acme.live_grants_of("ana"), 1);
    for _ in 0..8 {
        gateway.clock().advance(HOUR);
        let work = gateway.app().gateway().do_due_work().await;
        work.expect("the store works");
    }
    assert_eq!(acme.live_grants_of("ana"), 0);
}

/// Row R-20: a backup is made while everybody calls and tokens are renewed; then it takes the store's place, and
/// everybody finds their own connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backups_made_while_people_work_are_whole() {
    const PEOPLE: usize = 6;
    let cycles = environment::backup_cycles();
    let clock = clock();
    let acme = Provider::start(&clock);
    acme.keeps_refresh_tokens().access_tokens_last(HOUR);
    let mut gateway = TestGateway::start(&clock, &[&acme]).await;
    let names: Vec<_> = (0..PEOPLE)
        .map(|number| format!("person{number}"))
        .collect();
    for name in &names {
        connect(&gateway, &acme, name).await;
    }
    let (mut calls, mut bytes, mut rows) = (0, 0, 0);
    for cycle in 0..cycles {
        let mut people = Vec::new();
        for name in &names {
            people.push(gateway.person(name).await);
        }
        let before = refreshes(&acme);
        let (going, called) = (AtomicBool::new(true), AtomicUsize::new(0));
        let working = futures::future::join_all(people.iter().map(async |person| {
            while going.load(Ordering::SeqCst) {
                assert_eq!(whoami(person).await, person.name);
                called.fetch_add(1, Ordering::SeqCst);
            }
        }));
        let backing_up = async {
            // Everybody's token is over, so the backup is made among renewals.
            clock.advance(HOUR);
            let backup = back_up(&gateway).await;
            // And until everybody has called at least once after it.
            let seen = called.load(Ordering::SeqCst);
            while called.load(Ordering::SeqCst) < seen + PEOPLE {
                tokio::task::yield_now().await;
            }
            going.store(false, Ordering::SeqCst);
            backup
        };
        let (_, backup) = tokio::join!(working, backing_up);
        assert!(
            refreshes(&acme) > before,
            "cycle {cycle}: nothing was renewed meanwhile"
        );
        let key = gateway.master_key();
        let read = Store::check_backup(&backup.path, &key, &Random::System, &|_, _, _| {}).await;
        let read = read.unwrap_or_else(|error| panic!("cycle {cycle}: {error}"));
        assert_eq!(read, backup);
        assert_eq!(backup.counts.connections(), PEOPLE as u64);
        let restored;
        (gateway, restored) = gateway.restored(&[&acme], &backup.path).await;
        assert_eq!(
            (restored.doubted, restored.connections.len()),
            (PEOPLE, PEOPLE)
        );
        for name in &names {
            let person = gateway.person(name).await;
            assert_eq!(whoami(&person).await, *name, "cycle {cycle}");
            assert_eq!(person.open("/connections").await.card("acme"), "active");
        }
        calls += called.into_inner();
        (bytes, rows) = (backup.bytes, backup.counts.rows);
        // Names say the second: the next one must not meet this one.
        clock.advance(Duration::from_secs(1));
    }
    println!(
        "{cycles} cycles: {calls} calls meanwhile, {} renewals; the last backup: {bytes} bytes, {rows} rows",
        refreshes(&acme)
    );
}

/// Row S-37 for backups and what is made of them.
#[tokio::test]
async fn no_secret_and_no_name_is_in_a_backup_in_clear() {
    let (acme, gateway) = gateway_with_acme().await;
    acme.rotates_refresh_tokens();
    let ana = connect(&gateway, &acme, "ana").await;
    gateway.clock().advance(HOUR);
    whoami(&ana).await;
    let backup = back_up(&gateway).await;
    let folder = backup.path.parent().expect("a folder").to_owned();
    assert_eq!(files(&folder), std::slice::from_ref(&backup.path));
    let (gateway, _) = gateway.restored(&[&acme], &backup.path).await;
    let mut stored = std::fs::read(&backup.path).expect("a backup");
    for file in files(&gateway.folder().join("data")) {
        stored.extend(std::fs::read(file).unwrap_or_default());
    }
    let mut canaries = acme.canaries();
    assert!(canaries.len() >= 6, "{}", canaries.len());
    canaries.push(ana.token().to_owned());
    canaries.push("ana@".to_owned());
    canaries.push("ana's agent".to_owned());
    for canary in canaries {
        let found = stored
            .windows(canary.len())
            .any(|window| window == canary.as_bytes());
        assert!(!found, "{canary:.16}… is in clear");
    }
}

#[tokio::test]
async fn backups_are_made_when_they_are_due_and_the_oldest_go() {
    let clock = clock();
    let gateway = TestGateway::start_configured(&clock, &[], |config| {
        config.backups.keep = 2;
    })
    .await;
    let backups = gateway.app().backups();
    let made = async || backups.make_if_due().await.map(|made| made.is_some());
    assert!(made().await.expect("room"), "there was none");
    assert!(!made().await.expect("room"), "there is one");
    let asked = back_up(&gateway).await;
    for _ in 0..3 {
        clock.advance(DAY);
        assert!(made().await.expect("room"));
    }
    let left = backups.list().await.expect("a folder");
    let automatic = left.iter().filter(|backup| backup.automatic).count();
    assert_eq!((left.len(), automatic), (3, 2));
    assert!(left.iter().any(|backup| backup.path == asked.path));

    // A failure is remembered until one succeeds, and removes nothing.
    let folder = backups.shelf().folder.clone();
    let elsewhere = folder.with_file_name("elsewhere");
    std::fs::rename(&folder, &elsewhere).expect("our own");
    std::fs::write(&folder, b"in the way").expect("our own");
    clock.advance(DAY);
    let error = made().await.expect_err("there is no folder");
    assert!(matches!(error, BackupError::File { .. }), "{error}");
    let failure = backups.failure().expect("it is remembered");
    assert!(
        failure.sentence.contains("cannot use"),
        "{}",
        failure.sentence
    );
    assert_eq!(failure.at, clock.now());
    std::fs::remove_file(&folder).expect("our own");
    std::fs::rename(&elsewhere, &folder).expect("our own");
    assert!(made().await.expect("room"));
    assert_eq!(backups.failure(), None);
}

#[tokio::test]
async fn a_gateway_that_is_told_not_to_makes_none() {
    let gateway = TestGateway::start_configured(&clock(), &[], |config| {
        config.backups.every = None;
    })
    .await;
    let made = gateway.app().backups().make_if_due().await;
    assert!(made.expect("nothing to fail").is_none());
    assert_eq!(gateway.app().backups().list().await.expect("no folder"), []);
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

#[tokio::test]
async fn the_commands_back_up_verify_and_restore() {
    let machine = Machine::new();
    let nothing = machine.run(&["backup"]);
    assert_eq!(nothing.status, Some(1));
    assert!(
        nothing.stderr.contains("there is no store"),
        "{}",
        nothing.stderr
    );

    // Without a gateway, by the command itself.
    machine.json(&["agents", "add", "Laptop", "--json"]);
    let made = machine.json(&["backup", "--json"]);
    assert_eq!((&made["people"], &made["agents"]), (&json!(1), &json!(2)));
    let first = PathBuf::from(made["path"].as_str().expect("a path"));
    assert_eq!(machine.gateway(), None);

    // By the running gateway.
    let bridge = machine.bridge();
    machine.json(&["agents", "add", "Desk", "--json"]);
    while machine.gateway().is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let to = machine.folder().join("elsewhere/mine.backup");
    let made = machine.json(&["backup", "--to", text(&to), "--json"]);
    assert_eq!(
        (&made["agents"], &made["path"]),
        (&json!(3), &json!(text(&to)))
    );
    let again = machine.run(&["backup", "--to", text(&to)]);
    assert_eq!(again.status, Some(1));
    assert!(
        again.stderr.contains("is there already"),
        "{}",
        again.stderr
    );
    let folder = format!("{}/", machine.folder().join("elsewhere").display());
    let told = machine.run(&["backup", "--to", &folder]);
    assert!(
        told.stdout.contains("It needs the master key"),
        "{}",
        told.stderr
    );
    let verified = machine.json(&["backup", "verify", text(&to), "--json"]);
    assert_eq!(verified, made);
    let listed = machine.json(&["backup", "list", "--json"]);
    assert_eq!(listed[0]["path"], json!(text(&first)));
    let running = machine.run(&["restore", text(&first), "--replace"]);
    assert_eq!(running.status, Some(1));
    assert!(
        running.stderr.contains("a gateway is running"),
        "{}",
        running.stderr
    );
    // A bridge that is still there would start another gateway.
    bridge.close().await;
    machine.end_gateway();

    let refused = machine.run(&["restore", text(&first)]);
    assert_eq!(refused.status, Some(1));
    assert!(refused.stderr.contains("--replace"), "{}", refused.stderr);
    let restored = machine.json(&["restore", text(&first), "--replace", "--json"]);
    assert_eq!(restored["backup"]["agents"], json!(2));
    let agents = machine.json(&["agents", "--json"]).to_string();
    assert!(
        agents.contains("Laptop") && !agents.contains("Desk"),
        "{agents}"
    );
    let aside = PathBuf::from(restored["aside"].as_str().expect("a folder"));
    assert!(aside.join("db").exists());
    let told = machine.run(&["restore", text(&to), "--replace"]);
    assert!(
        told.stdout.contains("the agent Desk may call"),
        "{}",
        told.stderr
    );

    // Another machine has another key, or none.
    let other = Machine::new();
    let without = other.run(&["restore", text(&first)]);
    assert_eq!(without.status, Some(1));
    assert!(
        without
            .stderr
            .contains(made["key"].as_str().expect("a key")),
        "{}",
        without.stderr
    );
    assert!(!other.data_dir().join("master.key").exists());
    other.json(&["agents", "--json"]);
    let with_another = other.run(&["restore", text(&first), "--replace"]);
    assert!(
        with_another.stderr.contains("needs the master key"),
        "{}",
        with_another.stderr
    );
    let key = other.data_dir().join("master.key");
    std::fs::copy(machine.data_dir().join("master.key"), key).expect("our own");
    let moved = other.json(&["restore", text(&first), "--replace", "--json"]);
    assert_eq!(moved["agents"].as_array().map(Vec::len), Some(2));
}

/// What a backup of many connections costs, by the command: printed, not judged. A hundred in a usual run;
/// `ATTACHE_TEST_CONNECTIONS=10000` for the figures in the documents.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_many_connections_says_what_it_costs() {
    let count = environment::many_connections();
    let machine = Machine::new();
    machine.json(&["agents", "--json"]);
    let store = machine.open_store().await;
    let random = Random::System;
    let every = futures::stream::iter(0..count).map(|number| {
        let (store, random) = (&store, &random);
        async move {
            let (person, id) = (PersonId::new(random), ConnectionId::new(random));
            let principal = Principal {
                id: person.clone(),
                issuer: "https://idp.example".to_owned(),
                subject: format!("subject-{number}"),
                name: format!("Person {number}"),
            };
            let connection = serde_json::from_value::<Connection>(json!({
                "id": id, "person": person, "service": "acme", "status": {"is": "active"}, "since": 1_795_413_600, "connects": 1,
                "account": {"id": format!("{number}"), "label": format!("person{number}@example.com")},
                "granted_by": {"issuer": null, "token_endpoint": "https://acme.example/token", "client_id": "attache"},
                "requested": ["read", "write"], "granted": ["read", "write"],
            }));
            let credential = Credential {
                access_token: random.token(),
                refresh_token: Some(random.token()),
                obtained: START,
                expires: Some(START + HOUR),
                refresh_expires: None,
                generation: 1,
                intent: None,
            };
            let key = format!("{person}/{id}");
            let index = store.index(&[&principal.issuer, &principal.subject]);
            let people = store.people();
            people.create(person.as_str(), &principal).await.expect("room");
            store.person_index().create(&index, &person).await.expect("room");
            store.credentials().create(&key, &credential).await.expect("room");
            let connection = connection.expect("a connection");
            store.connections().create(&key, &connection).await.expect("room");
            let task = format!("renew/{key}");
            store.note_due(START + HOUR, &task).await.expect("room");
        }
    });
    every.buffer_unordered(256).collect::<()>().await;
    store.close().await;

    let began = Instant::now();
    let made = machine.json(&["backup", "--json"]);
    let written = began.elapsed();
    assert_eq!(made["connections"], json!(count));
    let path = made["path"].as_str().expect("a path");
    let began = Instant::now();
    assert_eq!(machine.json(&["backup", "verify", path, "--json"]), made);
    let verified = began.elapsed();
    let began = Instant::now();
    let restored = machine.json(&["restore", path, "--replace", "--json"]);
    let back = began.elapsed();
    assert_eq!(restored["credentials_in_doubt"], json!(count));
    assert_eq!(restored["records_damaged"], json!(0));
    let bytes = made["bytes"].as_u64().expect("a number");
    println!(
        "{count} connections: {bytes} bytes ({} each); written and read back in {written:.1?}, verified in {verified:.1?}, \
         restored in {back:.1?}",
        bytes / count as u64
    );
}
