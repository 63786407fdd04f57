//! The clients see what a server says, in each era.

use serde_json::json;

use super::super::environment;
use super::stub::{LINK, Stub, TOKEN};
use super::{Era, OnLink, PythonSdk, Session, inspect};

fn connect(stub: &Stub, era: Era, on_link: OnLink) -> Option<Session> {
    let sdk = PythonSdk::over_http(&stub.url, TOKEN)?
        .era(era)
        .on_link(on_link);
    Some(sdk.call("greet", &json!({})))
}

#[tokio::test]
async fn the_sdk_negotiates_each_era_and_lists_the_tools() {
    let stub = Stub::start().await;
    for (era, version) in [
        (Era::Modern, "2026-07-28"),
        (Era::Legacy, "2025-11-25"),
        (Era::Legacy20250618, "2025-06-18"),
    ] {
        let Some(sdk) = PythonSdk::over_http(&stub.url, TOKEN) else {
            return;
        };
        let seen = sdk.era(era).list().finished().await;
        assert_eq!(seen["protocol_version"], version, "{seen:#}");
        assert_eq!(seen["tools"][0]["name"], "greet", "{seen:#}");
    }
}

#[tokio::test]
async fn a_link_is_shown_and_its_answer_reaches_the_server() {
    let stub = Stub::start().await;
    let Some(mut session) = connect(&stub, Era::Modern, OnLink::Accept) else {
        return;
    };
    assert_eq!(session.shown_link().await, LINK);
    session.link_was_used();
    let seen = session.finished().await;
    assert_eq!(seen["result"]["content"][0]["text"], "accept", "{seen:#}");
    assert_eq!(seen["elicitations"][0]["elicitation_id"], "el_1");

    for (on_link, action) in [(OnLink::Decline, "decline"), (OnLink::Cancel, "cancel")] {
        let session = connect(&stub, Era::Modern, on_link).expect("installed");
        let seen = session.finished().await;
        assert_eq!(seen["result"]["content"][0]["text"], action, "{seen:#}");
        assert_eq!(seen["result"]["isError"], true);
    }
}

#[tokio::test]
async fn the_error_of_2025_is_told_with_its_data() {
    let stub = Stub::start().await;
    let Some(session) = connect(&stub, Era::Legacy, OnLink::None) else {
        return;
    };
    let seen = session.finished().await;
    assert_eq!(seen["error"]["code"], -32042);
    assert_eq!(seen["error"]["data"]["elicitations"][0]["url"], LINK);

    let mut session = connect(&stub, Era::Legacy, OnLink::Accept).expect("installed");
    assert_eq!(session.shown_link().await, LINK);
    session.link_was_used();
    let seen = session.finished().await;
    assert_eq!(seen["link_error"]["code"], -32042, "the first answer");
    assert_eq!(
        seen["error"]["code"], -32042,
        "the second: it was not used after all"
    );
}

#[tokio::test]
async fn what_fails_below_json_rpc_is_told_too() {
    let stub = Stub::start().await;
    let Some(sdk) = PythonSdk::over_http(&stub.url, "a wrong token") else {
        return;
    };
    let seen = sdk.list().finished().await;
    assert!(seen.get("tools").is_none(), "{seen:#}");
    assert!(
        seen.get("error").or(seen.get("failure")).is_some(),
        "{seen:#}"
    );
}

/// A server on standard streams, named by its environment.
const SERVER: &str = "import os; from mcp.server.mcpserver import MCPServer; MCPServer(os.environ['NAME']).run('stdio')";

#[tokio::test]
async fn the_sdk_starts_a_server_with_the_environment_it_is_given() {
    let Some(clients) = environment::clients() else {
        return;
    };
    let python = clients.join("venv/bin/python").display().to_string();
    let sdk = PythonSdk::over_stdio(&[&python, "-c", SERVER], &[("NAME", "attache-stub")]);
    let seen = sdk
        .expect("installed")
        .era(Era::Legacy)
        .list()
        .finished()
        .await;
    assert_eq!(seen["server"]["name"], "attache-stub", "{seen:#}");
    assert_eq!(seen["tools"], json!([]));
}

#[tokio::test]
async fn the_inspector_lists_and_calls() {
    let stub = Stub::start().await;
    let Some(listed) = inspect(&stub.url, TOKEN, &["--method", "tools/list"]).await else {
        return;
    };
    assert_eq!(listed.status, 0);
    let output = listed.output.expect("JSON");
    assert_eq!(output["tools"][0]["name"], "greet", "{output:#}");
    let refused = inspect(&stub.url, "wrong", &["--method", "tools/list"])
        .await
        .expect("installed");
    assert_ne!(refused.status, 0);
}
