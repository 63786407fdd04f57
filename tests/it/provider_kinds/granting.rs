//! Every way of saying what was granted, and scopes that may be refused.

use serde_json::json;

use super::Connected;
use crate::support::gateway::{TestGateway, clock};
use crate::support::provider::Provider;

/// Ana's agent asks for writing, and Ana grants less: the callback says so, the token reply does not.
#[tokio::test]
async fn scopes_of_the_callback_count() {
    let connected = Connected::to(|acme| {
        acme.says_scopes_in_the_callback()
            .grants_fewer_scopes("profile things:read");
    })
    .await;
    let Connected { acme, ana, .. } = &connected;
    assert_eq!(acme.asked_for(), "profile things:write");
    connected.assert_works().await;
    ana.call("acme_list_things", json!({})).await.json();
    let api_requests = acme.api_requests().len();
    let refused = ana.call("acme_create_thing", json!({ "name": "kite" }));
    let link = refused.await.link();
    assert_eq!(acme.api_requests().len(), api_requests, "nobody had to try");
    acme.recovers();
    ana.connect(&link, acme).await.assert_connected();
    let created = ana.call("acme_create_thing", json!({ "name": "kite" }));
    assert_eq!(created.await.json()["name"], "kite");
}

/// A refresh does not say it either, and changes nothing about it.
#[tokio::test]
async fn scopes_of_the_callback_outlive_a_refresh() {
    let connected = Connected::to(|acme| {
        acme.says_scopes_in_the_callback()
            .grants_fewer_scopes("profile");
    })
    .await;
    connected
        .gateway
        .clock()
        .advance(std::time::Duration::from_hours(1));
    connected.assert_works().await;
    assert_eq!(connected.refreshes().len(), 1);
    let refused = connected.ana.call("acme_list_things", json!({}));
    refused.await.link();
}

/// Where nothing is said, what was asked for counts; a field that happens to be called `scope` does not.
#[tokio::test]
async fn without_a_word_about_scopes_those_asked_for_count() {
    let connected = Connected::to(|acme| {
        acme.never_says_scopes();
    })
    .await;
    let Connected { acme, ana, .. } = &connected;
    connected.assert_works().await;
    let created = ana.call("acme_create_thing", json!({ "name": "kite" }));
    assert_eq!(created.await.json()["name"], "kite");
    // Reading was not asked for, so it is missing before anybody tries.
    let api_requests = acme.api_requests().len();
    ana.call("acme_list_things", json!({})).await.link();
    assert_eq!(acme.api_requests().len(), api_requests);
}

/// A person who refuses an optional scope is connected; what needs it is answered with the link that asks for it again.
#[tokio::test]
async fn an_optional_scope_can_be_refused_and_granted_later() {
    for (required_param, optional_param) in [
        ("scope", "optional_scope"),
        ("user_scope", "optional_user_scope"),
    ] {
        let clock = clock();
        let acme = Provider::start(&clock);
        acme.has_an_optional_scope("things:write", required_param, optional_param)
            .grants_fewer_scopes("profile things:read");
        let gateway = TestGateway::start(&clock, &[&acme]).await;
        let ana = gateway.person("ana").await;
        let create = || ana.call("acme_create_thing", json!({ "name": "kite" }));
        let asked = |param| acme.was_asked_in(param);

        let link = create().await.link();
        ana.connect(&link, &acme).await.assert_connected();
        assert_eq!(asked(required_param).as_deref(), Some("profile"));
        assert_eq!(asked(optional_param).as_deref(), Some("things:write"));

        // What needs no optional scope works; what needs it is not even tried.
        ana.call("acme_whoami", json!({})).await.json();
        ana.call("acme_list_things", json!({})).await.json();
        let api_requests = acme.api_requests().len();
        let link = create().await.link();
        assert_eq!(acme.api_requests().len(), api_requests);

        // Refused once more: nothing is lost by it.
        ana.connect(&link, &acme).await.assert_connected();
        assert_eq!(asked(optional_param).as_deref(), Some("things:write"));
        ana.call("acme_list_things", json!({})).await.json();

        // And then granted, with the same kind of link.
        acme.recovers();
        let link = create().await.link();
        ana.connect(&link, &acme).await.assert_connected();
        assert_eq!(create().await.json()["name"], "kite");
        ana.call("acme_list_things", json!({})).await.json();
    }
}

/// Whoever needs no optional scope is not asked for one.
#[tokio::test]
async fn an_optional_scope_is_not_asked_for_in_vain() {
    let clock = clock();
    let acme = Provider::start(&clock);
    acme.has_an_optional_scope("things:write", "scope", "optional_scope");
    let gateway = TestGateway::start(&clock, &[&acme]).await;
    let ana = gateway.person("ana").await;
    let link = ana.call("acme_list_things", json!({})).await.link();
    ana.connect(&link, &acme).await.assert_connected();
    assert_eq!(
        acme.was_asked_in("scope").as_deref(),
        Some("profile things:read")
    );
    assert_eq!(acme.was_asked_in("optional_scope"), None);
}
