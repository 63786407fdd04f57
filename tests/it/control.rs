//! The commands that need state: by the running gateway, or without one; and what scripts get from them.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::support::machine::{Machine, modern};
use crate::support::person::Person;
use crate::support::program::{Program, run};

/// `attache demo`, whose data folder is `folder`.
async fn demo(folder: &std::path::Path) -> (Program, String) {
    let demo = Program::demo(folder).await;
    (demo, folder.to_str().unwrap().to_owned())
}

#[test]
fn a_command_opens_the_store_itself_when_no_gateway_runs() {
    let machine = Machine::new();
    let services = machine.json(&["connections", "--json"]);
    assert_eq!(services[0]["service"], "asana");
    assert_eq!(services[0]["status"], "not_set_up");
    let added = machine.json(&["agents", "add", "Laptop", "--json"]);
    assert!(added["token"].as_str().unwrap().starts_with("att_"));
    let agents = machine.json(&["agents", "--json"]).to_string();
    assert!(agents.contains("Laptop") && !agents.contains(added["token"].as_str().unwrap()));
    assert_eq!((machine.gateway(), machine.gateways()), (None, 0));
}

#[tokio::test]
async fn commands_and_clients_share_the_gateway() {
    let machine = Machine::new();
    let mut bridge = machine.bridge();
    bridge.ask(&modern(1, "tools/list")).await;
    let added = machine.json(&["agents", "add", "Laptop", "--json"]);
    let origin = added["mcp_url"].as_str().unwrap().trim_end_matches("/mcp");
    let laptop = Person::new("owner", origin, added["token"].as_str().unwrap());
    assert!(laptop.is_known().await);
    let id = added["id"].as_str().unwrap();
    assert_eq!(
        machine.json(&["agents", "revoke", id, "--json"]),
        json!({"revoked": "Laptop"})
    );
    assert!(!laptop.is_known().await);
    assert_eq!(machine.run(&["agents", "revoke", id]).status, Some(2));
    assert_eq!(machine.gateways(), 1);
}

#[tokio::test]
async fn many_commands_at_once_without_a_gateway_all_get_their_answer() {
    let machine = Machine::new();
    let commands: Vec<_> = (0..4)
        .map(|at| {
            let name = format!("Agent {at}");
            let mut command = machine.command(&["agents", "add", &name]);
            std::thread::spawn(move || command.output().unwrap().status.code())
        })
        .collect();
    for command in commands {
        assert_eq!(command.join().unwrap(), Some(0));
    }
    let agents = machine.json(&["agents", "--json"]);
    assert_eq!(
        agents.as_array().unwrap().len(),
        5,
        "four, and Attache's own"
    );
}

#[tokio::test]
async fn the_exit_status_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (demo, data) = demo(folder.path()).await;
    let attache = |arguments: &[&str]| run(&[arguments, &["--data-dir", &data]].concat());

    let missing = attache(&["call", "sandbox_whoami"]);
    assert_eq!((missing.status, missing.stdout.as_str()), (Some(4), ""));
    assert!(missing.stderr.contains("/connect/"), "{}", missing.stderr);
    let missing = attache(&["call", "sandbox_whoami", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&missing.stdout).unwrap();
    assert_eq!(told["kind"], "connection_required");
    assert!(told["connect_url"].as_str().unwrap().contains("/connect/"));

    for (arguments, status) in [
        (&["call", "sandbox_create_note"][..], 5),
        (&["call", "sandbox_create_note", "text"], 2),
        (&["call", "no_such_tool"], 2),
        (&["call", "sandbox_whoami", "--args", "[]"], 2),
        (&["connect", "no_such_service"], 2),
        (&["connect", "github"], 1),
        (&["disconnect", "sandbox"], 1),
        (&["tools", "--service", "no_such_service"], 2),
        (&["agents", "revoke", "agt_x"], 2),
        (&["tools", "--service", "sandbox"], 0),
        (&["connections"], 0),
    ] {
        let ended = attache(arguments);
        assert_eq!(
            ended.status,
            Some(status),
            "{arguments:?}: {}",
            ended.stderr
        );
        assert_eq!(ended.stderr.is_empty(), status == 0, "{arguments:?}");
    }
    let tools = attache(&["tools", "--json"]);
    let tools: serde_json::Value = serde_json::from_str(&tools.stdout).unwrap();
    assert_eq!(tools.as_array().unwrap().len(), 5);

    let bill = attache(&["tools", "--context", "--json"]);
    let bill: serde_json::Value = serde_json::from_str(&bill.stdout).unwrap();
    assert_eq!(bill["tools"], 5 + 2, "the sandbox's and Attache's own");
    let of = |service: &str| {
        let lines = bill["services"].as_array().unwrap();
        let line = lines.iter().find(|line| line["service"] == service);
        line.unwrap()["tokens"].as_u64().unwrap()
    };
    assert!(of("sandbox") > 100 && of("attache") > 100, "{bill:#}");
    assert_eq!(bill["tokens"], of("sandbox") + of("attache"));
    let words = attache(&["tools", "--context"]);
    assert!(words.stdout.contains("(cl100k_base)"), "{}", words.stdout);

    let reloaded = attache(&["reload", "--json"]);
    let reloaded: serde_json::Value = serde_json::from_str(&reloaded.stdout).unwrap();
    assert_eq!(
        (&reloaded["services"], &reloaded["tools"]),
        (&1.into(), &5.into())
    );
    let (printed, status) = demo.terminate().await;
    assert_eq!((printed, status), (Vec::new(), 0));
    assert!(!folder.path().join("control.sock").exists());
}

/// The whole job from the terminal: open, connect, call, disconnect.
#[tokio::test]
async fn a_person_connects_calls_and_disconnects_from_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let (demo, data) = demo(folder.path()).await;
    let attache = |arguments: &[&str]| run(&[arguments, &["--data-dir", &data]].concat());
    let Some(browser) = crate::support::browser::Browser::start().await else {
        return;
    };
    browser.goto(attache(&["open"]).stdout.trim()).await;
    browser.wait_for("#who").await;
    browser
        .goto(attache(&["connect", "sandbox"]).stdout.trim())
        .await;
    browser.click("#continue").await;
    browser.click("#account-ana").await;
    browser.click("#allow").await;
    browser.wait_for("#connected").await;

    // Nobody had asked to write.
    let refused = attache(&["call", "sandbox_create_note", "text=5"]);
    assert_eq!(refused.status, Some(4), "{}", refused.stderr);
    let link = refused.stderr.split_whitespace();
    let link = link.into_iter().find(|word| word.contains("/connect/"));
    browser.goto(link.expect("a link")).await;
    browser.click("#continue").await;
    browser.click("#allow").await;
    browser.wait_for("#connected").await;

    let note = attache(&["call", "sandbox_create_note", "text=5", "--json"]);
    assert_eq!(note.status, Some(0), "{}", note.stderr);
    let note: serde_json::Value = serde_json::from_str(&note.stdout).unwrap();
    assert!(note["text"].as_str().unwrap().contains("\"5\""), "{note}");
    let listed = attache(&["connections"]).stdout;
    assert!(
        listed.contains("connected as Ana (ana@sandbox.example)"),
        "{listed}"
    );

    let gone = attache(&["disconnect", "sandbox"]);
    assert!(
        gone.stdout.contains("Sandbox is disconnected"),
        "{}",
        gone.stdout
    );
    assert_eq!(attache(&["call", "sandbox_whoami"]).status, Some(4));
    drop(demo);
}

#[tokio::test]
async fn two_gateways_on_one_folder_do_not_disturb_each_other() {
    let machine = Machine::new();
    let mut bridge = machine.bridge();
    bridge.ask(&modern(1, "tools/list")).await;
    let second = machine.run(&["serve"]);
    assert_eq!(second.status, Some(1));
    assert!(
        second.stderr.contains("another process holds the store"),
        "{}",
        second.stderr
    );
    bridge.ask(&modern(2, "tools/list")).await;
    machine.json(&["connections", "--json"]);
}

#[tokio::test]
async fn the_socket_is_for_its_owner_alone() {
    let machine = Machine::new();
    machine.bridge().ask(&modern(1, "tools/list")).await;
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&machine.socket()), 0o600);
    assert_eq!(mode(&machine.data_dir()), 0o700);
    machine.bridge().ask(&modern(1, "tools/list")).await;
}

#[tokio::test]
async fn another_users_connection_is_refused_and_the_log_says_so() {
    let machine = Machine::new();
    let mut bridge = machine.bridge();
    bridge.ask(&modern(1, "tools/list")).await;
    let Some(seen) = machine.as_another_user() else {
        eprintln!("SKIPPED: only root can be somebody else for a moment");
        return;
    };
    assert_eq!(seen, "", "not even a greeting");
    let log = std::fs::read_to_string(machine.data_dir().join("gateway.log")).unwrap();
    assert!(
        log.contains("refused a connection to the control socket by user"),
        "{log}"
    );
    bridge.ask(&modern(2, "tools/list")).await;
}
