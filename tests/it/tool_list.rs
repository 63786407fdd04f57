//! The tool list: its pages, and that clients hear when it changes.

use std::num::NonZeroUsize;

use serde_json::{Value, json};

use crate::support::gateway::{TestGateway, clock, gateway_with_acme};
use crate::support::legacy::LegacySession;
use crate::support::person::{Answer, Person};
use crate::support::provider::Provider;

async fn page(person: &Person, cursor: Option<&str>) -> Value {
    let parameters = cursor.map_or(json!({}), |cursor| json!({ "cursor": cursor }));
    let response = person
        .send("/mcp", "tools/list", None, parameters, json!({}))
        .await;
    Answer::of(response).await.body
}

#[tokio::test]
async fn pages_together_are_the_list() {
    let clock = clock();
    let acme = Provider::start(&clock);
    let gateway = TestGateway::start_configured(&clock, &[&acme], |config| {
        config.mcp.tools_per_page = NonZeroUsize::new(4).unwrap();
    })
    .await;
    let ana = gateway.person("ana").await;
    let first = page(&ana, None).await;
    let cursor = first["result"]["nextCursor"].as_str().unwrap();
    let second = page(&ana, Some(cursor)).await;
    assert!(second["result"].get("nextCursor").is_none());
    assert_eq!(
        first["result"]["cacheScope"],
        second["result"]["cacheScope"]
    );
    let mut names = Vec::new();
    for part in [&first, &second] {
        let tools = part["result"]["tools"].as_array().unwrap();
        names.extend(
            tools
                .iter()
                .map(|tool| tool["name"].as_str().unwrap().to_owned()),
        );
    }
    assert_eq!(names.len(), 6);
    names.dedup();
    assert_eq!(names.len(), 6, "each once");
    for wrong in ["", "x", "0", &format!("{cursor}9"), "0000000000000000-4"] {
        let refused = page(&ana, Some(wrong)).await;
        assert_eq!(refused["error"]["code"], -32602, "{wrong}: {refused}");
    }
}

/// The operator adds a service while clients of every kind listen.
#[tokio::test]
async fn clients_hear_that_there_are_other_tools() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let url = format!("{}/mcp", gateway.origin());
    let session = LegacySession::begin(&url, ana.token(), "2025-11-25", json!({})).await;
    let (mut old, mut new) = (session.listen().await, ana.listen_to_changes().await);
    new.next_of("notifications/subscriptions/acknowledged")
        .await;
    let before = page(&ana, None).await;

    let file = gateway.folder().join("providers/acme.toml");
    let changed = acme.provider_file().replace("acme_whoami", "acme_who");
    std::fs::write(&file, changed).unwrap();
    gateway.app().reload().unwrap();
    old.next_of("notifications/tools/list_changed").await;
    let told = new.next_of("notifications/tools/list_changed").await;
    assert_eq!(
        told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"],
        1
    );
    let after = page(&ana, None).await;
    assert_ne!(before["result"]["tools"], after["result"]["tools"]);
    assert_eq!(after["result"]["tools"][0]["name"], "acme_who");
    let gone = ana.call("acme_whoami", json!({})).await;
    assert!(
        gone.body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("acme_who")
    );
}

#[tokio::test]
async fn a_broken_file_changes_nothing() {
    let (_acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let before = page(&ana, None).await;
    std::fs::write(gateway.folder().join("providers/acme.toml"), "nonsense").unwrap();
    let problem = gateway.app().reload().unwrap_err().to_string();
    assert!(problem.contains("acme"), "{problem}");
    assert_eq!(
        page(&ana, None).await["result"]["tools"],
        before["result"]["tools"]
    );
}

/// A graceful end of the gateway ends what clients listen to.
#[tokio::test]
async fn listening_ends_with_the_gateway() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let mut events = ana.listen_to_changes().await;
    events
        .next_of("notifications/subscriptions/acknowledged")
        .await;
    let providers = [&acme];
    let (_gateway, ()) = tokio::join!(gateway.restart(&providers), async {
        while events.next().await.is_some() {}
    });
}
