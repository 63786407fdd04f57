//! The `initialize` era over HTTP: what is answered to each revision, and whose a session is.

use serde_json::{Value, json};

use crate::support::gateway::{TestGateway, clock, gateway_with_acme};
use crate::support::legacy::LegacySession;
use crate::support::person::Person;
use crate::support::provider::Provider;

async fn session(
    gateway: &TestGateway,
    person: &Person,
    version: &str,
    opens_links: bool,
) -> LegacySession {
    let capabilities = if opens_links {
        json!({ "elicitation": { "form": {}, "url": {} } })
    } else {
        json!({})
    };
    let url = format!("{}/mcp", gateway.origin());
    LegacySession::begin(&url, person.token(), version, capabilities).await
}

fn assert_in_words(answer: &Value) {
    let result = &answer["result"];
    assert_eq!(result["isError"], json!(true), "{answer:#}");
    let text = result["content"][0]["text"].as_str().unwrap();
    let link = result["structuredContent"]["connect_url"].as_str().unwrap();
    assert!(
        text.contains(link) && link.contains("/connect/"),
        "{answer:#}"
    );
}

#[tokio::test]
async fn the_error_with_the_link_comes_once_and_then_words() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let first = session(&gateway, &ana, "2025-11-25", true).await;
    assert_eq!(first.version(), "2025-11-25");
    let answer = first.call("acme_whoami", json!({})).await;
    let error = &answer["error"];
    assert_eq!(error["code"], -32042, "{answer:#}");
    let elicitation = &error["data"]["elicitations"][0];
    let link = elicitation["url"].as_str().unwrap();
    assert!(
        error["message"].as_str().unwrap().contains(link),
        "half of the clients show only the message"
    );
    assert_eq!(elicitation["mode"], "url");
    assert!(!elicitation["elicitationId"].as_str().unwrap().is_empty());
    assert_in_words(&first.call("acme_whoami", json!({})).await);

    let other = session(&gateway, &ana, "2025-11-25", true).await;
    assert_eq!(
        other.call("acme_whoami", json!({})).await["error"]["code"],
        -32042,
        "another session is asked itself"
    );
    gateway.clock().advance(std::time::Duration::from_mins(11));
    assert_eq!(
        first.call("acme_whoami", json!({})).await["error"]["code"],
        -32042,
        "and so is this one, later"
    );

    let link = ana.call("acme_whoami", json!({})).await.link();
    ana.connect(&link, &acme).await.assert_connected();
    let answer = first.call("acme_whoami", json!({})).await;
    assert!(
        answer["result"]["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains("ana"),
        "{answer:#}"
    );
}

#[tokio::test]
async fn clients_that_cannot_open_links_and_older_revisions_are_told_in_words() {
    let (_acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    for (version, opens_links) in [
        ("2025-11-25", false),
        ("2025-06-18", true),
        ("2025-03-26", false),
    ] {
        let session = session(&gateway, &ana, version, opens_links).await;
        assert_eq!(session.version(), version);
        assert_in_words(&session.call("acme_whoami", json!({})).await);
    }
}

/// To everyone but the agent that began it, a session does not exist, on every way in.
#[tokio::test]
async fn a_session_belongs_to_the_agent_that_began_it() {
    let (_acme, gateway) = gateway_with_acme().await;
    let (ana, ben) = (gateway.person("ana").await, gateway.person("ben").await);
    let anas = session(&gateway, &ana, "2025-11-25", false).await;
    assert_eq!(anas.call_with_token(ben.token(), "acme_whoami").await, 404);
    assert_eq!(
        anas.touch_with_token(ben.token(), reqwest::Method::GET)
            .await,
        404
    );
    assert_eq!(
        anas.touch_with_token(ben.token(), reqwest::Method::DELETE)
            .await,
        404
    );
    assert_in_words(&anas.call("acme_whoami", json!({})).await);
}

/// With `missing_connection` the operator overrides what clients say they can show.
#[tokio::test]
async fn the_form_can_be_set() {
    use attache::mcp::MissingConnection;
    let clock = clock();
    let acme = Provider::start(&clock);
    for (setting, code) in [
        (MissingConnection::Error, json!(-32042)),
        (MissingConnection::Text, Value::Null),
    ] {
        let change = |config: &mut attache::config::Config| config.mcp.missing_connection = setting;
        let gateway = TestGateway::start_configured(&clock, &[&acme], change).await;
        let ana = gateway.person("ana").await;
        for (version, opens_links) in [("2025-11-25", true), ("2025-06-18", false)] {
            let session = session(&gateway, &ana, version, opens_links).await;
            let answer = session.call("acme_whoami", json!({})).await;
            assert_eq!(
                answer["error"]["code"], code,
                "{setting:?} {version}: {answer:#}"
            );
        }
    }
}
