//! Starts on a disk that is full or whose store is damaged: pages, agents and commands are told so, and it goes on by itself.

use std::fs;

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::disk::SmallDisk;
use crate::support::machine::Machine;
use crate::support::process::Process;
use crate::support::program::Program;

/// Asks without credentials, as everybody may.
async fn ask(program: &Program, path: &str) -> (StatusCode, String) {
    let dashboard = url::Url::parse(program.text("/dashboard_url")).expect("an address");
    let address = dashboard.join(path).expect("an address");
    let answer = reqwest::get(address).await.expect("it listens");
    (answer.status(), answer.text().await.expect("a text"))
}

async fn initialize(program: &Program) -> Value {
    let request = json!({"jsonrpc": "2.0", "id": 7, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
    }});
    let client = reqwest::Client::new();
    let sent = client
        .post(program.text("/mcp_url"))
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .body(request.to_string());
    let answer = sent.send().await.expect("it listens");
    serde_json::from_str(&answer.text().await.expect("a text")).expect("JSON")
}

#[tokio::test]
async fn on_a_full_disk_it_stands_by_and_comes_alive_when_there_is_room() {
    let Some(disk) = SmallDisk::of(4).await else {
        return;
    };
    let data = disk.inside().join("data");
    let data = data.to_str().expect("a plain path");
    let arguments = [
        "serve",
        "--json",
        "--bind",
        "127.0.0.1:0",
        "--data-dir",
        data,
    ];
    let first = Program::run(disk.command(&arguments)).await;
    let token = first.text("/agent_token").to_owned();
    assert_eq!(first.terminate().await.1, 0);
    // Without its ballast it has nothing to free.
    fs::remove_file(disk.reached("data/ballast")).expect("it was made");
    disk.fill();

    let mut program = Program::run(disk.command(&arguments)).await;
    assert_eq!(program.text("/state"), "standby", "{:#}", program.ready);
    assert!(program.text("/problem").contains("no space left"));
    for path in ["/connections", "/", "/connect/abc"] {
        let (status, page) = ask(&program, path).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(
            page.contains("id=\"outage\"") && page.contains("is full"),
            "{page}"
        );
    }
    let (status, health) = ask(&program, "/healthz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(health.contains("free some space"), "{health}");
    let refused = initialize(&program).await;
    assert_eq!(refused["id"], 7);
    let message = refused["error"]["message"].as_str().expect("a message");
    assert!(message.contains("is full"), "{message}");
    let stdio = ["stdio", "--data-dir", data];
    let mut bridge = Process::start(disk.command(&stdio));
    bridge.write_line(r#"{"jsonrpc":"2.0","id":8,"method":"tools/list"}"#);
    let line = bridge.next_line().await.expect("an answer");
    let refused: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(refused["id"], 8, "{refused:#}");
    assert!(
        refused["error"]["message"]
            .as_str()
            .is_some_and(|text| text.contains("no space left"))
    );
    drop(bridge);
    let told = disk
        .command(&["connections", "--data-dir", data])
        .output()
        .expect("it runs");
    assert_eq!(told.status.code(), Some(1));
    let told = String::from_utf8_lossy(&told.stderr);
    assert!(told.contains("no space left"), "{told}");

    disk.free();
    program.ready_again().await;
    assert_eq!(program.text("/state"), "ready", "{:#}", program.ready);
    assert_eq!(program.text("/agent_token"), token, "it is another store");
    assert_eq!(ask(&program, "/healthz").await.0, StatusCode::OK);
    assert_eq!(program.terminate().await.1, 0);
}

#[tokio::test]
async fn with_its_ballast_it_starts_on_a_full_disk_and_reads() {
    let Some(disk) = SmallDisk::of(24).await else {
        return;
    };
    let data = disk.inside().join("data");
    let data = data.to_str().expect("a plain path");
    let arguments = [
        "serve",
        "--json",
        "--bind",
        "127.0.0.1:0",
        "--data-dir",
        data,
    ];
    let first = Program::run(disk.command(&arguments)).await;
    let token = first.text("/agent_token").to_owned();
    // As a power cut would: nothing is put in order.
    first.kill();
    disk.fill();

    let program = Program::run(disk.command(&arguments)).await;
    assert_eq!(program.text("/state"), "nearly_full", "{:#}", program.ready);
    assert_eq!(program.text("/agent_token"), token);
    assert_eq!(ask(&program, "/healthz").await.0, StatusCode::OK);
    assert_eq!(program.terminate().await.1, 0);
}

#[tokio::test]
async fn a_damaged_store_is_left_alone_told_everywhere_and_ended_in_order() {
    let machine = Machine::new();
    let data = machine.data_dir();
    let data_dir = data.to_str().expect("a plain path");
    let arguments = ["serve", "--json", "--data-dir", data_dir];
    assert_eq!(start(&machine, &arguments).await.terminate().await.1, 0);
    let log = data.join("store/db");
    let whole = fs::read(&log).expect("a log");
    fs::write(&log, vec![0xa5; whole.len()]).expect("our own file");
    let damaged = fs::read(&log).expect("a log");

    let mut program = start(&machine, &arguments).await;
    assert_eq!(program.text("/state"), "standby", "{:#}", program.ready);
    assert!(
        program.text("/problem").contains("attache restore"),
        "{:#}",
        program.ready
    );
    let (status, page) = ask(&program, "/connections").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        page.contains("are damaged") && page.contains("attache restore"),
        "{page}"
    );
    let doctor = machine.run(&["doctor", "--json"]);
    assert!(
        doctor.stdout.contains("is damaged"),
        "{}{}",
        doctor.stdout,
        doctor.stderr
    );
    assert_eq!(fs::read(&log).expect("a log"), damaged, "it was touched");

    // Put back by hand, it is found by itself.
    fs::write(&log, whole).expect("our own file");
    program.ready_again().await;
    assert_eq!(program.text("/state"), "ready");
    assert_eq!(program.terminate().await.1, 0);
}

#[tokio::test]
async fn a_wrong_key_still_ends_the_start_and_changes_nothing() {
    let machine = Machine::new();
    let data = machine.data_dir();
    let data_dir = data.to_str().expect("a plain path");
    let arguments = ["serve", "--json", "--data-dir", data_dir];
    start(&machine, &arguments).await.kill();
    let before = fs::read(data.join("store/db")).expect("a log");
    let other = "0".repeat(64);
    let mut command = machine.command(&arguments);
    let ended = command
        .env("ATTACHE_MASTER_KEY", other)
        .output()
        .expect("it runs");
    assert_eq!(ended.status.code(), Some(1));
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("master key"), "{said}");
    assert_eq!(fs::read(data.join("store/db")).expect("a log"), before);
}

async fn start(machine: &Machine, arguments: &[&str]) -> Program {
    Program::run(machine.command(arguments)).await
}
