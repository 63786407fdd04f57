//! Replies that are too much (S-30): cut at the limit, an error of the tool, a connection that stays as it was, and memory
//! that does not follow.

use serde_json::json;

use crate::support::bombs::KINDS;
use crate::support::inward::{File, Inward, log_in, owner, tool};
use crate::support::program::Program;

/// What the calls of one kind may add to the memory of the gateway, in kB: twice the goal, since runs differ.
const MOST_KB: u64 = 64 << 10;
/// Every way in which a reply is read.
const TOOLS: [&str; 6] = ["plain", "pick", "list", "step", "poll", "items"];

/// A figure of the memory of a process, in kB: `VmRSS` is what is resident, `VmHWM` the most that ever was.
fn memory(process: u32, figure: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"));
    let status = status.expect("Linux, and a process that runs");
    let mut lines = status.lines();
    let found = lines.find_map(|line| line.strip_prefix(figure)?.strip_prefix(':'));
    let number = found.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.expect("a number")
}

fn file() -> File {
    let kind = "\n[tool.input.kind]\ntype = \"string\"\ndescription = \"What is sent.\"\n";
    let example = "example = { kind = \"ok\" }\n";
    let own = "get = \"/{kind}\"\n";
    let asks = "read_only = true\nget = \"/{kind}\"\n";
    File {
        tools: [
            tool("plain", &format!("{own}{example}{kind}")),
            tool("pick", &format!("{own}pick = {{ id = \"id\" }}\n{example}{kind}")),
            tool(
                "list",
                &format!("{own}pick = {{ id = {{ each = \"id\", pick = {{ a = \"a\" }} }} }}\n{example}{kind}"),
            ),
            tool(
                "step",
                &format!(
                    "get = \"/ok\"\nquery = {{ x = \"$x\" }}\n{example}{kind}\n[[tool.step]]\nid = \"first\"\n{asks}\
                     capture = {{ x = {{ path = \"name\", required = false }} }}\n"
                ),
            ),
            tool(
                "poll",
                &format!(
                    "get = \"/me\"\n{example}{kind}\n[tool.poll]\nget = \"/{{kind}}\"\n\
                     done = {{ path = \"id\", equals = \"x\" }}\ninterval_ms = 200\nmax_s = 1\n"
                ),
            ),
            tool(
                "items",
                &format!("{own}{example}{kind}\n[tool.expand]\nover = \"id\"\nmax = 2\nconcurrency = 2\nget = \"/{{kind}}\"\nquery = {{ id = \"$item.id\" }}\n"),
            ),
        ]
        .concat(),
        ..File::default()
    }
}

/// The world with one service that is connected.
async fn connected() -> Inward {
    let world = Inward::start().await;
    world.has_service("bombs", &file());
    let program = Program::run(world.command("")).await;
    let ana = owner(&program).await;
    let link = ana
        .call("bombs_plain", json!({ "kind": "me" }))
        .await
        .link();
    log_in(&ana, &link).await.assert_connected();
    program.terminate().await;
    world
}

/// Calls every tool with the reply `kind` on a gateway that was just started; how much memory grew by the worst of it.
async fn growth(world: &Inward, kind: &str) -> u64 {
    let program = Program::run(world.command("")).await;
    let ana = owner(&program).await;
    ana.call("bombs_plain", json!({ "kind": "me" }))
        .await
        .json();
    let before = memory(program.id(), "VmRSS");
    for tool in TOOLS {
        let answer = ana
            .call(&format!("bombs_{tool}"), json!({ "kind": kind }))
            .await;
        let said = answer.text();
        // What no file reshapes is handed on as the text that came, up to the cap of outputs, and nothing is built of it.
        let is_handed_on = kind == "deep" && matches!(tool, "plain" | "items");
        if is_handed_on && said.len() <= 256 << 10 {
            continue;
        }
        answer.assert_failed("");
        assert!(
            said.len() < 2_000 && !said.contains("connect"),
            "{tool} {kind}: {said:.300}"
        );
    }
    let grown = memory(program.id(), "VmHWM").saturating_sub(before);
    ana.call("bombs_plain", json!({ "kind": "me" }))
        .await
        .json();
    let connections = ana.open("/connections").await;
    assert_eq!(connections.card("bombs"), "active");
    program.terminate().await;
    grown
}

#[tokio::test]
async fn no_reply_takes_more_memory_than_there_is_for_it() {
    let world = connected().await;
    let mut grown = Vec::new();
    for kind in KINDS {
        let by = growth(&world, kind).await;
        println!("{kind}: {by} kB");
        grown.push((kind, by));
    }
    for (kind, by) in grown {
        assert!(by < MOST_KB, "{kind}: grown by {by} kB");
    }
    assert_eq!(world.canaries.hits(), 0);
}
