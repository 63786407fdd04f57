//! The main job: a tool is called, a link comes back, the person connects, the tool runs.

use serde_json::json;

use crate::support::gateway::gateway_with_acme;

#[tokio::test]
async fn a_call_without_a_connection_gives_a_link_and_with_it_the_call_runs() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let link = ana.call("acme_whoami", json!({})).await.link();
    ana.connect(&link, &acme).await.assert_connected();
    assert_eq!(
        ana.call("acme_whoami", json!({})).await.json()["name"],
        "ana"
    );
    assert_eq!(ana.open("/connections").await.card("acme"), "active");
}

#[tokio::test]
async fn two_people_each_reach_only_their_own_account() {
    let (acme, gateway) = gateway_with_acme().await;
    for name in ["ana", "ben"] {
        let person = gateway.person(name).await;
        let link = person
            .call("acme_create_thing", json!({ "name": "mine" }))
            .await
            .link();
        person.connect(&link, &acme).await.assert_connected();
        person
            .call(
                "acme_create_thing",
                json!({ "name": format!("{name}'s own") }),
            )
            .await
            .json();
    }
    for (name, other) in [("ana", "ben"), ("ben", "ana")] {
        let person = gateway.person(name).await;
        let link = person.call("acme_list_things", json!({})).await.link();
        person.connect(&link, &acme).await.assert_connected();
        let things = person.call("acme_list_things", json!({})).await;
        let things = things.json().to_string();
        assert!(
            things.contains(&format!("{name}'s own")) && !things.contains(other),
            "{things}"
        );
    }
}

#[tokio::test]
async fn a_connection_survives_a_restart() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let link = ana.call("acme_whoami", json!({})).await.link();
    ana.connect(&link, &acme).await.assert_connected();
    let gateway = gateway.restart(&[&acme]).await;
    assert_eq!(
        gateway
            .person("ana")
            .await
            .call("acme_whoami", json!({}))
            .await
            .json()["name"],
        "ana"
    );
}

#[tokio::test]
async fn connecting_from_the_connections_page_needs_no_agent() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    assert_eq!(ana.open("/connections").await.card("acme"), "not_connected");
    let destination = ana.leave_from_connections("acme").await;
    let callback = acme.has_account("ana").consent(&destination).await;
    ana.open(callback.as_str()).await.assert_connected();
    assert_eq!(ana.open("/connections").await.card("acme"), "active");
}

#[tokio::test]
async fn a_token_that_the_provider_refuses_expires_the_connection_and_a_new_one_mends_it() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let link = ana.call("acme_whoami", json!({})).await.link();
    ana.connect(&link, &acme).await.assert_connected();
    acme.access_is_removed_by("ana");
    let refused = ana.call("acme_whoami", json!({})).await;
    refused.assert_failed("has ended. The service no longer accepts it");
    assert_eq!(ana.open("/connections").await.card("acme"), "expired");
    ana.connect(&refused.link(), &acme).await.assert_connected();
    assert_eq!(
        ana.call("acme_whoami", json!({})).await.json()["name"],
        "ana"
    );
}

#[tokio::test]
async fn disconnecting_revokes_at_the_provider_and_ends_the_use_here() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let link = ana.call("acme_whoami", json!({})).await.link();
    ana.connect(&link, &acme).await.assert_connected();
    let page = ana.open("/connections").await;
    let path = page.disconnect_path();
    let question = ana.open(&path).await;
    assert_eq!(acme.live_grants_of("ana"), 1, "looking changes nothing");
    let receipt = ana.press(&question, &path).await;
    assert!(receipt.status.is_success(), "{}", receipt.text);
    assert_eq!(acme.live_grants_of("ana"), 0);
    assert_eq!(ana.open("/connections").await.card("acme"), "revoked");
    ana.call("acme_whoami", json!({}))
        .await
        .assert_failed("ana has disconnected");
}

#[tokio::test]
async fn a_disconnect_that_the_provider_misses_is_told_and_can_be_repeated() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let link = ana.call("acme_whoami", json!({})).await.link();
    ana.connect(&link, &acme).await.assert_connected();
    acme.revocation_is_down();
    let path = ana.open("/connections").await.disconnect_path();
    let question = ana.open(&path).await;
    let receipt = ana.press(&question, &path).await;
    assert!(
        receipt.text.contains("has not confirmed"),
        "{}",
        receipt.text
    );
    ana.call("acme_whoami", json!({}))
        .await
        .assert_failed("ana has disconnected");
    assert_eq!(acme.live_grants_of("ana"), 1, "the provider still holds it");
    acme.recovers();
    ana.press(&receipt, &path).await;
    assert_eq!(acme.live_grants_of("ana"), 0);
}
