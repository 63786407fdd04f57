//! `attache stdio`: many clients, one gateway, which may come, go, and be of another version.

use serde_json::{Value, json};

use crate::support::machine::{Bridge, Machine, legacy, modern};
use crate::support::other_version::{Behaviour, OtherVersion};
use crate::support::process::Process;
use crate::support::program::Program;

fn tool_names(answer: &Value) -> Vec<&str> {
    let tools = answer["result"]["tools"].as_array();
    let tools = tools.unwrap_or_else(|| panic!("no tools in {answer:#}"));
    tools
        .iter()
        .map(|tool| tool["name"].as_str().expect("a name"))
        .collect()
}

/// A machine on which one service is set up, so that there are tools.
fn machine() -> Machine {
    let machine = Machine::new();
    let folder = machine.data_dir().join("..").join(".config/attache");
    std::fs::create_dir_all(machine.data_dir()).unwrap();
    std::fs::create_dir_all(&folder).unwrap();
    let config = "[services.github]\nclient_id = 'c'\nclient_secret = 's'\n";
    std::fs::write(folder.join("attache.toml"), config).unwrap();
    machine
}

#[tokio::test]
async fn ten_at_once_on_a_cold_machine_share_one_gateway() {
    let machine = machine();
    let mut bridges: Vec<_> = (0..10).map(|_| machine.bridge()).collect();
    for (at, bridge) in bridges.iter_mut().enumerate() {
        let answer = if at % 2 == 0 {
            bridge.ask(&modern(1, "tools/list")).await
        } else {
            bridge.initialize().await;
            bridge.ask(&legacy(1, "tools/list")).await
        };
        assert!(tool_names(&answer).contains(&"github_get_me"));
    }
    assert_eq!(machine.gateways(), 1);

    // And once more, all at the same moment, after it was killed while they were idle.
    machine.kill_gateway();
    for (at, bridge) in bridges.iter_mut().enumerate() {
        let form = if at % 2 == 0 { modern } else { legacy };
        bridge.send(&form(2, "tools/list"));
    }
    for bridge in &mut bridges {
        let answer = bridge.next().await;
        assert_eq!(answer["id"], 2);
        assert!(tool_names(&answer).contains(&"github_get_me"));
    }
    assert_eq!(machine.gateways(), 1);
    for bridge in bridges {
        assert_eq!(bridge.close().await, (Vec::new(), 0));
    }
}

#[tokio::test]
async fn clients_do_not_notice_that_the_gateway_was_killed() {
    let machine = machine();
    let mut modern_one = machine.bridge();
    modern_one.ask(&modern(1, "tools/list")).await;
    let mut legacy_one = machine.bridge();
    legacy_one.initialize().await;
    legacy_one.ask(&legacy(1, "tools/list")).await;
    for round in 2..4 {
        let before = machine.gateway();
        machine.kill_gateway();
        let answer = modern_one.ask(&modern(round, "tools/list")).await;
        assert!(tool_names(&answer).contains(&"github_get_me"));
        let answer = legacy_one.ask(&legacy(round, "tools/list")).await;
        assert!(tool_names(&answer).contains(&"github_get_me"));
        assert_ne!(machine.gateway(), before);
        assert_eq!(machine.gateways(), 1);
    }
    for bridge in [modern_one, legacy_one] {
        assert_eq!(bridge.close().await, (Vec::new(), 0));
    }
}

/// A line that is longer than a message may be is refused under its id, and what follows is answered.
#[tokio::test]
async fn a_message_that_is_too_long_is_told_so() {
    let machine = machine();
    let mut bridge = machine.bridge();
    let mut long = modern(1, "tools/call");
    long["params"]["arguments"] = json!({ "text": "x".repeat(9 << 20) });
    let answer = bridge.ask(&long).await;
    assert_eq!(answer["error"]["code"], -32600);
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("longer than 4 MiB"), "{message}");
    let answer = bridge.ask(&modern(2, "tools/list")).await;
    assert!(tool_names(&answer).contains(&"github_get_me"));
    assert_eq!(bridge.close().await, (Vec::new(), 0));
}

#[tokio::test]
async fn a_call_under_way_is_told_that_nobody_knows() {
    let machine = Machine::new();
    let dying = OtherVersion::listen(&machine.socket(), "99.0.0", Behaviour::Dies);
    let mut bridge = machine.bridge();
    let answer = bridge.ask(&modern(1, "tools/call")).await;
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("not known whether the call took effect"),
        "{message}"
    );
    assert_eq!(dying.ended(), ["mcp"]);
    let answer = bridge.ask(&modern(2, "tools/list")).await;
    assert!(tool_names(&answer).is_empty(), "a new gateway answers");
}

#[tokio::test]
async fn a_question_under_way_is_asked_again() {
    let machine = Machine::new();
    let dying = OtherVersion::listen(&machine.socket(), "99.0.0", Behaviour::Dies);
    let mut bridge = machine.bridge();
    let answer = bridge.ask(&modern(1, "tools/list")).await;
    assert!(tool_names(&answer).is_empty(), "a new gateway answers");
    assert_eq!(dying.ended(), ["mcp"]);
}

#[tokio::test]
async fn an_older_bridge_uses_a_newer_gateway() {
    let machine = Machine::new();
    let newer = OtherVersion::listen(&machine.socket(), "99.0.0", Behaviour::Answers);
    let mut bridge = machine.bridge();
    let answer = bridge.ask(&modern(1, "tools/list")).await;
    assert_eq!(answer["result"], json!({"from": "another version"}));
    assert_eq!(bridge.close().await, (Vec::new(), 0));
    assert_eq!(newer.ended(), ["mcp"]);
}

#[tokio::test]
async fn a_newer_bridge_has_an_older_gateway_end_and_starts_its_own() {
    let machine = Machine::new();
    let older = OtherVersion::listen(&machine.socket(), "0.0.1", Behaviour::Answers);
    let mut bridge = machine.bridge();
    let answer = bridge.ask(&modern(1, "tools/list")).await;
    assert!(tool_names(&answer).is_empty(), "its own gateway answers");
    assert_eq!(older.ended(), ["mcp", "mcp", "end"]);
    assert_eq!(machine.gateways(), 1);
}

/// Somebody who uses the store and may be about to end, or about to listen.
fn hold_the_store(machine: &Machine) -> std::fs::File {
    std::fs::create_dir_all(machine.data_dir()).unwrap();
    let lock = std::fs::File::create(machine.data_dir().join("gateway.lock")).unwrap();
    lock.lock().unwrap();
    lock
}

#[tokio::test]
async fn a_gateway_that_was_starting_already_is_used() {
    let machine = Machine::new();
    let held = hold_the_store(&machine);
    let mut bridge = machine.bridge();
    bridge.send(&modern(1, "tools/list"));
    machine.wait_for_a_start().await;
    let other = OtherVersion::listen(&machine.socket(), "99.0.0", Behaviour::Answers);
    assert_eq!(
        bridge.next().await["result"],
        json!({"from": "another version"})
    );
    bridge.close().await;
    assert_eq!(other.ended(), ["mcp", "mcp"]);
    drop(held);
}

#[tokio::test]
async fn a_gateway_that_was_still_ending_is_waited_for() {
    let machine = Machine::new();
    let held = hold_the_store(&machine);
    let mut bridge = machine.bridge();
    bridge.send(&modern(1, "tools/list"));
    machine.wait_for_a_start().await;
    drop(held);
    assert!(tool_names(&bridge.next().await).is_empty());
    assert_eq!(machine.gateways(), 1);
}

/// The gateway that a client had started is killed before it listens: a sentence, and the next message starts another.
#[tokio::test]
async fn a_gateway_that_is_killed_while_it_starts_is_told_and_started_again() {
    let machine = Machine::new();
    let mut bridge = machine.bridge();
    bridge.ask(&modern(1, "tools/list")).await;
    machine.end_gateway();
    let held = hold_the_store(&machine);
    bridge.send(&modern(2, "tools/list"));
    machine.kill_a_start().await;
    let answer = bridge.next().await;
    assert_eq!(answer["id"], 2, "{answer:#}");
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("ended before it was ready") && message.contains("gateway.log"),
        "{message}"
    );
    drop(held);
    let answer = bridge.ask(&modern(3, "tools/list")).await;
    assert!(tool_names(&answer).is_empty());
    assert_eq!(machine.gateways(), 1);
}

/// `attache serve` and a client at the same moment: whoever comes first is the gateway, and the client is served.
#[tokio::test]
async fn a_client_beside_a_starting_serve_is_served() {
    for _ in 0..4 {
        let machine = Machine::new();
        let serve = Process::start(machine.command(&["serve", "--json"]));
        let mut bridge = machine.bridge();
        let answer = bridge.ask(&modern(1, "tools/list")).await;
        assert!(tool_names(&answer).is_empty());
        assert!(machine.gateways() <= 1);
        drop(serve);
    }
}

/// The gateway's side of the same: asked to end, it does so in order, and closes the connection only when it has.
#[tokio::test]
async fn a_gateway_that_is_asked_to_end_says_so_by_closing() {
    let machine = Machine::new();
    let mut bridge = machine.bridge();
    bridge.ask(&modern(1, "tools/list")).await;
    let before = machine.gateway();
    machine.end_gateway();
    assert!(!machine.socket().exists());
    let answer = bridge.ask(&modern(2, "tools/list")).await;
    assert!(tool_names(&answer).is_empty());
    assert_ne!(machine.gateway(), before);
}

#[tokio::test]
async fn a_gateway_that_nobody_uses_ends() {
    let machine = Machine::new();
    let mut command = machine.command(&["stdio"]);
    command.env("ATTACHE_IDLE_EXIT_SECONDS", "1");
    let mut bridge = Bridge::start(command);
    bridge.ask(&modern(1, "tools/list")).await;
    let watching = machine.watch_gateway();
    bridge.close().await;
    // Comes to its end only when the gateway does.
    watching.ended().await;
    assert!(!machine.socket().exists());
}

#[tokio::test]
async fn a_stale_socket_is_replaced() {
    let machine = Machine::new();
    std::fs::create_dir_all(machine.data_dir()).unwrap();
    drop(std::os::unix::net::UnixListener::bind(machine.socket()).unwrap());
    let mut bridge = machine.bridge();
    bridge.ask(&modern(1, "tools/list")).await;
    assert!(machine.gateway().is_some());
}

#[test]
fn a_gateway_that_cannot_start_says_why() {
    let machine = Machine::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = machine.run(&["stdio", "--bind", &address]);
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(1), ""));
    assert!(ended.stderr.contains("already in use"), "{}", ended.stderr);
}

/// Answers still come when the client closes its side right after its requests, as a pipe in a shell does.
#[tokio::test]
async fn requests_in_a_pipe_are_answered() {
    let machine = Machine::new();
    let mut bridge = machine.bridge();
    bridge.send(&modern(1, "tools/list"));
    let (lines, status) = bridge.close().await;
    assert_eq!((lines.len(), status), (1, 0), "{lines:?}");
}

/// A machine whose clients use a gateway elsewhere.
fn remote_bridge(machine: &Machine, demo: &Program, token: &str) -> Bridge {
    let mut command = machine.command(&["stdio"]);
    let url = demo.text("/mcp_url");
    command.env("ATTACHE_URL", url).env("ATTACHE_TOKEN", token);
    Bridge::start(command)
}

#[tokio::test]
async fn a_gateway_elsewhere_serves_both_eras() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Program::demo(folder.path()).await;
    let token = demo.text("/agent_token").to_owned();
    let machine = Machine::new();

    let mut bridge = remote_bridge(&machine, &demo, &token);
    let answer = bridge.ask(&modern(1, "tools/list")).await;
    assert!(tool_names(&answer).contains(&"sandbox_whoami"));
    let mut call = modern(2, "tools/call");
    call["params"]["name"] = json!("sandbox_whoami");
    let answer = bridge.ask(&call).await;
    assert_eq!(answer["result"]["isError"], json!(true), "{answer:#}");
    // What lasts is not passed on, so a client that wants to listen is not left waiting.
    let answer = bridge.ask(&modern(3, "subscriptions/listen")).await;
    assert_eq!(answer["error"]["code"], -32601, "{answer:#}");
    assert_eq!(bridge.close().await, (Vec::new(), 0));

    let mut bridge = remote_bridge(&machine, &demo, &token);
    bridge.initialize().await;
    let answer = bridge.ask(&legacy(1, "tools/list")).await;
    assert!(tool_names(&answer).contains(&"sandbox_whoami"));
    assert_eq!(machine.gateways(), 0);

    // Its session is gone with the gateway; the client does not notice.
    let port = demo.text("/mcp_url").to_owned();
    let authority = port.trim_start_matches("http://").trim_end_matches("/mcp");
    let data = folder.path().to_str().unwrap();
    demo.terminate().await;
    let arguments = ["demo", "--json", "--bind", authority, "--data-dir", data];
    let again = Program::start(&arguments).await;
    let answer = bridge.ask(&legacy(2, "tools/list")).await;
    assert!(tool_names(&answer).contains(&"sandbox_whoami"));
    assert_eq!(bridge.close().await, (Vec::new(), 0));
    drop(again);
}

#[tokio::test]
async fn a_gateway_elsewhere_that_says_no_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Program::demo(folder.path()).await;
    let machine = Machine::new();
    let mut bridge = remote_bridge(&machine, &demo, "att_wrong");
    let answer = bridge.ask(&modern(1, "tools/list")).await;
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("status 401") && message.contains("not known here"),
        "{message}"
    );
    demo.kill();
    let answer = bridge.ask(&modern(2, "tools/list")).await;
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("could not be reached"), "{message}");
}
