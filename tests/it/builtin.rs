//! Attache's own tools: what is connected, and one link for everything that a task needs.

use serde_json::{Value, json};

use crate::support::gateway::{TestGateway, clock};
use crate::support::person::{Answer, Person};
use crate::support::provider::Provider;

async fn gateway_with_two() -> (Provider, Provider, TestGateway) {
    let clock = clock();
    let (acme, birch) = (
        Provider::start(&clock),
        Provider::start_named("birch", &clock),
    );
    let gateway = TestGateway::start(&clock, &[&acme, &birch]).await;
    (acme, birch, gateway)
}

async fn lines(person: &Person) -> Vec<(String, String, Option<String>)> {
    let answer = person.call("attache_connections", json!({})).await;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let services = &answer.result()["structuredContent"]["services"];
    let line = |line: &Value| {
        let (service, status) = (text(&line["service"]), text(&line["status"]));
        (service.unwrap(), status.unwrap(), text(&line["account"]))
    };
    services.as_array().unwrap().iter().map(line).collect()
}

/// Takes one step of a link of several: where the browser ends up.
async fn take_step(
    person: &Person,
    link: &str,
    provider: &Provider,
) -> crate::support::person::Page {
    let page = person.open(link).await;
    let path = format!(
        "{}?service={}",
        link.strip_prefix(&person_origin(link)).unwrap(),
        provider.name()
    );
    let away = person.press(&page, &path).await.destination();
    let callback = provider.has_account(&person.name).consent(&away).await;
    person.open(callback.as_str()).await
}

fn person_origin(link: &str) -> String {
    url::Url::parse(link)
        .unwrap()
        .origin()
        .ascii_serialization()
}

#[tokio::test]
async fn one_link_connects_everything_that_a_task_needs() {
    let (acme, birch, gateway) = gateway_with_two().await;
    let ana = gateway.person("ana").await;
    let asked = ana
        .call("attache_connect", json!({ "services": ["acme", "birch"] }))
        .await;
    let structured = &asked.result()["structuredContent"];
    assert_eq!(structured["missing"], json!(["acme", "birch"]));
    let link = structured["connect_url"].as_str().unwrap().to_owned();
    assert!(
        asked.text().contains(&link) && asked.text().contains("acme and birch"),
        "{}",
        asked.text()
    );
    let again = ana
        .call("attache_connect", json!({ "services": ["acme", "birch"] }))
        .await;
    assert_eq!(
        again.result()["structuredContent"]["connect_url"],
        link,
        "the same link"
    );

    let page = ana.open(&link).await;
    assert!(page.text.contains("Connect 2 services") && page.text.contains("0 of 2 done"));
    let halfway = take_step(&ana, &link, &birch).await;
    halfway.assert_connected();
    assert!(
        halfway.text.contains("One more service") && halfway.text.contains("acme"),
        "{}",
        halfway.text
    );
    let page = ana.open(&link).await;
    assert!(page.text.contains("1 of 2 done"), "{}", page.text);
    assert_eq!(
        lines(&ana).await,
        [
            ("acme".into(), "waiting".into(), None),
            (
                "birch".into(),
                "connected".into(),
                Some("ana@birch.test".into())
            ),
        ]
    );

    let done = take_step(&ana, &link, &acme).await;
    done.assert_connected();
    assert!(!done.text.contains("Go on"));
    ana.open(&link).await.assert_error(410, "used");
    let all = ana.call("attache_connect", json!({})).await;
    assert_eq!(all.result()["structuredContent"]["missing"], json!([]));
    assert!(
        all.text().contains("acme is connected as ana@acme.test."),
        "{}",
        all.text()
    );
    assert_eq!(
        ana.call("birch_whoami", json!({})).await.json()["name"],
        "ana"
    );
}

/// A client that opens links is asked, waits, and gets the answer when the last step is done.
#[tokio::test]
async fn a_client_that_opens_links_waits_for_the_last_step() {
    let (acme, birch, gateway) = gateway_with_two().await;
    let ana = gateway.person("ana").await;
    let links = json!({ "elicitation": { "url": {} } });
    let asked = ana
        .call_with("attache_connect", json!({}), links.clone(), json!({}))
        .await;
    let result = asked.result().clone();
    let question = &result["inputRequests"]["connect_acme_birch"]["params"];
    let link = question["url"].as_str().unwrap();
    let back = json!({
        "requestState": result["requestState"],
        "inputResponses": { "connect_acme_birch": { "action": "accept" } },
    });
    let waits = ana.call_with("attache_connect", json!({}), links, back);
    let (answer, ()) = tokio::join!(waits, async {
        take_step(&ana, link, &acme).await.assert_connected();
        take_step(&ana, link, &birch).await.assert_connected();
    });
    let structured = &answer.result()["structuredContent"];
    assert_eq!(
        structured["connected"],
        json!(["acme", "birch"]),
        "{structured:#}"
    );
}

#[tokio::test]
async fn a_link_of_several_services_is_its_persons_alone() {
    let (_acme, _birch, gateway) = gateway_with_two().await;
    let (ana, ben) = (gateway.person("ana").await, gateway.person("ben").await);
    let asked = ana.call("attache_connect", json!({})).await;
    let link = asked.result()["structuredContent"]["connect_url"]
        .as_str()
        .unwrap()
        .to_owned();
    ben.open(&link).await.assert_error(403, "someone else");
    assert!(
        lines(&ben)
            .await
            .iter()
            .all(|line| line.1 == "not_connected")
    );
}

#[tokio::test]
async fn wrong_arguments_are_told_in_a_sentence() {
    let (_acme, _birch, gateway) = gateway_with_two().await;
    let ana = gateway.person("ana").await;
    for (arguments, sentence) in [
        (json!({ "services": ["acne"] }), "Did you mean acme?"),
        (json!({ "services": ["slack"] }), "It has acme, birch."),
        (json!({ "services": [] }), "empty"),
        (json!({ "services": "acme" }), "a list of names"),
        (json!({ "service": ["acme"] }), "unknown field"),
    ] {
        ana.call("attache_connect", arguments)
            .await
            .assert_failed(sentence);
    }
    ana.call("attache_connections", json!({ "x": 1 }))
        .await
        .assert_failed("no arguments");
}

/// What they answer is what their schemas say.
#[tokio::test]
async fn what_they_answer_fits_their_output_schemas() {
    let (acme, _birch, gateway) = gateway_with_two().await;
    let ana = gateway.person("ana").await;
    let schemas = ana.tools().await;
    let schema = |name: &str| {
        let tool = schemas.iter().find(|tool| tool["name"] == name);
        jsonschema::validator_for(&tool.unwrap()["outputSchema"]).unwrap()
    };
    let link = ana.call("acme_whoami", json!({})).await.link();
    ana.connect(&link, &acme).await.assert_connected();
    for name in ["attache_connect", "attache_connections"] {
        let answer = ana.call(name, json!({})).await;
        let structured = &answer.result()["structuredContent"];
        assert!(schema(name).is_valid(structured), "{name}: {structured:#}");
    }
}

#[tokio::test]
async fn they_can_be_switched_off() {
    let clock = clock();
    let acme = Provider::start(&clock);
    let gateway = TestGateway::start_configured(&clock, &[&acme], |config| {
        config.mcp.builtin_tools = false;
    })
    .await;
    let ana = gateway.person("ana").await;
    let own = |tool: &Value| tool["name"].as_str().unwrap().starts_with("attache_");
    assert!(!ana.tools().await.iter().any(own));
    let answer: Answer = ana.call("attache_connect", json!({})).await;
    assert_eq!(answer.body["error"]["code"], -32602);
}
