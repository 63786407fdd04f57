//! What a person changes takes effect with the next request, on open streams, and for calls that wait.

use attache::identity::{AgentTerms, Narrowing};
use serde_json::{Value, json};

use super::{agent, connected, id_of, narrowed_to, only, principal};
use crate::support::gateway::{TestGateway, clock, gateway_with_acme};
use crate::support::legacy::LegacySession;
use crate::support::machine::legacy;
use crate::support::person::Person;
use crate::support::provider::Provider;

fn names(answer: &Value) -> Vec<String> {
    let tools = answer["result"]["tools"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let name = |tool: &Value| tool["name"].as_str().unwrap_or_default().to_owned();
    tools.iter().map(name).collect()
}

async fn narrow(gateway: &TestGateway, bearer: &Person, narrowing: &Narrowing) {
    let owner = principal(gateway, &bearer.name).await;
    let narrowed = gateway
        .app()
        .gateway()
        .narrow_agent(&owner, &id_of(bearer), narrowing)
        .await;
    assert!(narrowed.unwrap().is_some());
}

/// A call that needs a connection, and has come back to wait for it.
async fn waiting(bearer: &Person) -> crate::support::events::Events {
    let opens_links = json!({ "elicitation": { "form": {}, "url": {} } });
    let asked = bearer
        .call_with("acme_whoami", json!({}), opens_links.clone(), json!({}))
        .await;
    let back = json!({
        "requestState": asked.result()["requestState"],
        "inputResponses": { "connect_acme": { "action": "accept" } },
        "_meta": { "progressToken": "t" },
    });
    let mut call = bearer
        .listen_to_call("acme_whoami", opens_links, back)
        .await;
    call.next_of("notifications/progress").await;
    call
}

#[tokio::test]
async fn a_call_that_waits_ends_when_all_agents_are_stopped() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let mut call = waiting(&ana).await;
    let owner = principal(&gateway, "ana").await;
    gateway.app().gateway().stop_agents(&owner).await.unwrap();
    let answer = call.answer().await.to_string();
    assert!(answer.contains("not let in any more"), "{answer}");
    assert!(!ana.is_known().await);
    assert!(acme.api_requests().is_empty());

    gateway.app().gateway().resume_agents(&owner).await.unwrap();
    assert!(ana.is_known().await);
}

#[tokio::test]
async fn a_call_that_waits_ends_when_its_agent_is_revoked_or_narrowed() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let owner = principal(&gateway, "ana").await;
    let (one, first) = agent(&gateway, &ana, AgentTerms::default()).await;
    let (_, second) = agent(&gateway, &ana, AgentTerms::default()).await;
    let (mut revoked, mut narrowed) = (waiting(&first).await, waiting(&second).await);
    gateway
        .app()
        .gateway()
        .revoke_agent(&owner, &one.id)
        .await
        .unwrap();
    let answer = revoked.answer().await.to_string();
    assert!(answer.contains("not let in any more"), "{answer}");
    narrow(&gateway, &second, &only(&["acme_notes"], false)).await;
    let answer = narrowed.answer().await.to_string();
    assert!(answer.contains("has narrowed its token"), "{answer}");
    assert!(acme.api_requests().is_empty());
}

#[tokio::test]
async fn streams_tell_of_a_narrowing_and_end_with_their_agent() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = connected(&gateway, &acme, "ana").await;
    let owner = principal(&gateway, "ana").await;
    let (record, bearer) = agent(&gateway, &ana, AgentTerms::default()).await;
    let url = format!("{}/mcp", gateway.origin());
    let session = LegacySession::begin(&url, bearer.token(), "2025-11-25", json!({})).await;
    let mut old = session.listen().await;
    let mut new = bearer.listen_to_changes().await;
    new.next_of("notifications/subscriptions/acknowledged")
        .await;

    narrow(&gateway, &bearer, &only(&[], true)).await;
    for stream in [&mut old, &mut new] {
        stream.next_of("notifications/tools/list_changed").await;
    }
    let listed = names(&session.ask("tools/list", json!({})).await);
    assert!(
        listed.contains(&"acme_whoami".to_owned())
            && !listed.contains(&"acme_create_thing".to_owned()),
        "{listed:?}"
    );
    let refused = session
        .call("acme_create_thing", json!({ "name": "kite" }))
        .await;
    assert!(
        refused.to_string().contains("has narrowed its token"),
        "{refused:#}"
    );

    narrow(&gateway, &bearer, &Narrowing::default()).await;
    let listed = names(&session.ask("tools/list", json!({})).await);
    assert!(
        listed.contains(&"acme_create_thing".to_owned()),
        "{listed:?}"
    );

    gateway
        .app()
        .gateway()
        .revoke_agent(&owner, &record.id)
        .await
        .unwrap();
    while old.next().await.is_some() {}
    while new.next().await.is_some() {}
    assert_eq!(
        session.call_with_token(bearer.token(), "acme_whoami").await,
        401
    );
}

/// The time of a narrowing ends without anybody doing anything.
#[tokio::test]
async fn after_its_time_an_agent_is_told_so() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = connected(&gateway, &acme, "ana").await;
    let hour = std::time::Duration::from_hours(1);
    let until = Narrowing {
        until: Some(gateway.clock().now() + hour),
        ..Narrowing::default()
    };
    let (_, bearer) = agent(&gateway, &ana, narrowed_to(until)).await;
    assert!(!bearer.tools().await.is_empty());
    bearer.call("acme_whoami", json!({})).await.text();
    gateway.clock().advance(hour);
    assert!(bearer.tools().await.is_empty());
    for tool in ["acme_whoami", "attache_connections", "attache_connect"] {
        bearer
            .call(tool, json!({}))
            .await
            .assert_failed("came after that");
    }
}

/// A process on the control socket stays for days: what it may do is looked up each time.
#[tokio::test]
async fn a_process_of_this_machine_is_narrowed_stopped_and_let_in_again() {
    let (acme, mut gateway) = gateway_with_acme().await;
    let ana = connected(&gateway, &acme, "ana").await;
    let mut bridge = gateway.bridge_for("ana").await;
    bridge.initialize().await;
    assert!(
        names(&bridge.ask(&legacy(1, "tools/list")).await)
            .contains(&"acme_create_thing".to_owned())
    );

    narrow(&gateway, &ana, &only(&[], true)).await;
    let told = bridge.next().await;
    assert_eq!(
        told["method"], "notifications/tools/list_changed",
        "{told:#}"
    );
    assert!(
        !names(&bridge.ask(&legacy(2, "tools/list")).await)
            .contains(&"acme_create_thing".to_owned())
    );

    let owner = principal(&gateway, "ana").await;
    gateway.app().gateway().stop_agents(&owner).await.unwrap();
    let stopped = bridge.ask(&legacy(3, "tools/list")).await;
    assert!(
        stopped["error"]["message"]
            .as_str()
            .unwrap()
            .contains("not let in any more"),
        "{stopped:#}"
    );
    gateway.app().gateway().resume_agents(&owner).await.unwrap();
    assert!(!names(&bridge.ask(&legacy(4, "tools/list")).await).is_empty());
}

/// Two clients with one token are seen as two, also after a restart, and whatever they call themselves.
#[tokio::test]
async fn the_clients_of_a_token_are_remembered() {
    let clock = clock();
    let acme = Provider::start(&clock);
    let gateway = TestGateway::start(&clock, &[&acme]).await;
    let ana = gateway.person("ana").await;
    assert!(!ana.tools().await.is_empty());
    let url = format!("{}/mcp", gateway.origin());
    LegacySession::begin(&url, ana.token(), "2025-06-18", json!({})).await;
    let gateway = gateway.restart(&[&acme]).await;

    let owner = principal(&gateway, "ana").await;
    let agents = gateway.app().gateway().agents_of(&owner).await.unwrap();
    let [view] = agents.agents.as_slice() else {
        panic!("{agents:#?}");
    };
    let mut revisions: Vec<_> = view
        .seen
        .clients
        .iter()
        .map(|seen| seen.client.revision.as_str())
        .collect();
    revisions.sort_unstable();
    assert_eq!(revisions, ["2025-06-18", "2026-07-28"]);
    assert_eq!(view.seen.first_seen, Some(clock.now()));
    assert_eq!(view.seen.last_used, Some(clock.now()));
    assert!(view.agent.startup && !view.is_over && agents.stopped.is_none());
}
