//! Whoever gives up a call gives up the request that it makes: the provider sees its caller go away.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::gateway::{TestGateway, gateway_with_acme};
use crate::support::legacy::LegacySession;
use crate::support::machine::{legacy, modern};
use crate::support::person::Person;
use crate::support::provider::Provider;
use crate::support::wire::Wire;

/// The tool that the tests call, and where it makes its request.
const TOOL: &str = "acme_list_things";
const PATH: &str = "/api/things";

async fn connected() -> (Provider, TestGateway, Person) {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let link = ana.call(TOOL, json!({})).await.link();
    ana.connect(&link, &acme).await.assert_connected();
    (acme, gateway, ana)
}

fn cancelled(id: u64) -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}})
}

#[tokio::test]
async fn a_client_that_goes_away() {
    let (acme, gateway, ana) = connected().await;
    let held = acme.is_slow_to_answer(PATH);
    let wire = Wire::of(&gateway, &ana);
    let call = tokio::spawn(async move {
        wire.ask("tools/call", json!({ "name": TOOL, "arguments": {} }))
            .await
    });
    held.reached_by(1).await;
    call.abort();
    held.left_by(1).await;
    held.release();
    ana.call(TOOL, json!({})).await.json();
}

#[tokio::test]
async fn a_session_that_says_so() {
    let (acme, gateway, ana) = connected().await;
    let held = acme.is_slow_to_answer(PATH);
    let url = format!("{}/mcp", gateway.origin());
    let session = LegacySession::begin(&url, ana.token(), "2025-11-25", json!({})).await;
    let session = Arc::new(session);
    // It stays: it is the message alone that cancels.
    let call = tokio::spawn({
        let session = Arc::clone(&session);
        async move { session.call_and_leave(TOOL).await }
    });
    held.reached_by(1).await;
    session.notify(&cancelled(1)).await;
    held.left_by(1).await;
    call.abort();
    held.release();
    let answer = session.call(TOOL, json!({})).await;
    assert_eq!(answer["result"]["isError"], false, "{answer:#}");
}

#[tokio::test]
async fn a_process_that_says_so() {
    for has_handshake in [false, true] {
        let form = if has_handshake { legacy } else { modern };
        let (acme, mut gateway, _ana) = connected().await;
        let held = acme.is_slow_to_answer(PATH);
        let mut bridge = gateway.bridge_for("ana").await;
        if has_handshake {
            bridge.initialize().await;
        }
        let call = |id| {
            let mut call = form(id, "tools/call");
            call["params"]["name"] = TOOL.into();
            call["params"]["arguments"] = json!({});
            call
        };
        bridge.send(&call(1));
        held.reached_by(1).await;
        bridge.send(&cancelled(1));
        held.left_by(1).await;
        held.release();
        bridge.send(&call(2));
        let mut answer = bridge.next().await;
        if answer["id"] == 1 {
            // An answer that crosses the cancellation is to be ignored (MCP 2025-11-25, cancellation).
            answer = bridge.next().await;
        }
        assert_eq!(
            (&answer["id"], &answer["result"]["isError"]),
            (&json!(2), &json!(false))
        );
    }
}
