//! The MCP surface over streamable HTTP: who may call, what is answered, and the forms of a missing connection.

use serde_json::{Value, json};

use crate::support::gateway::{TestGateway, clock, gateway_with_acme};
use crate::support::provider::Provider;

const OPENS_LINKS: &str = r#"{"elicitation":{"form":{},"url":{}}}"#;

fn opens_links() -> Value {
    serde_json::from_str(OPENS_LINKS).unwrap()
}

#[tokio::test]
async fn only_services_that_are_set_up_are_advertised_in_a_fixed_order() {
    let (_acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let names: Vec<_> = ana
        .tools()
        .await
        .iter()
        .map(|tool| tool["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        names,
        [
            "acme_whoami",
            "acme_list_things",
            "acme_create_thing",
            "acme_delete_thing",
            "attache_connect",
            "attache_connections"
        ]
    );
    let refused = ana.call("github_get_me", json!({})).await;
    refused.assert_failed("GitHub is not set up on this gateway");
}

#[tokio::test]
async fn a_caller_without_a_good_token_is_told_so_in_a_sentence() {
    let (_acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/mcp", gateway.origin());
    let forged = format!("{}x", ana.token());
    for header in [
        None,
        Some("Basic abc"),
        Some("Bearer"),
        Some("Bearer x"),
        Some("Bearer att_1_2"),
        Some(&forged),
    ] {
        let mut request = http.post(&url).body("{}");
        if let Some(value) = header {
            request = request.header("authorization", value);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 401, "{header:?}");
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        let text = response.text().await.unwrap();
        assert!(
            text.contains("token") || text.contains("Bearer att_"),
            "{text}"
        );
    }
    for path in [
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-authorization-server",
    ] {
        assert_eq!(
            http.get(format!("{}{path}", gateway.origin()))
                .send()
                .await
                .unwrap()
                .status(),
            404,
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_unknown_tool_is_a_protocol_error_that_helps() {
    let (_acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let answer = ana.call("acme_who_am_i", json!({})).await;
    assert_eq!(answer.body["error"]["code"], -32602);
    let message = answer.body["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("no tool named") && message.contains("acme_whoami"),
        "{message}"
    );
}

#[tokio::test]
async fn arguments_that_break_the_schema_are_a_result_that_the_model_can_read() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    ana.call("acme_create_thing", json!({}))
        .await
        .assert_failed("name");
    ana.call("acme_create_thing", json!({ "name": 7 }))
        .await
        .assert_failed("name");
    ana.call("acme_create_thing", json!({ "name": "x", "colour": "red" }))
        .await
        .assert_failed("colour");
    assert!(acme.requests().is_empty(), "nothing was sent");
}

#[tokio::test]
async fn a_client_that_opens_links_is_asked_and_its_retry_runs_the_tool() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let asked = ana
        .call_with("acme_whoami", json!({}), opens_links(), json!({}))
        .await;
    let result = asked.result();
    assert_eq!(result["resultType"], "input_required");
    let request = &result["inputRequests"]["connect_acme"];
    assert_eq!(
        (&request["method"], &request["params"]["mode"]),
        (&json!("elicitation/create"), &json!("url"))
    );
    assert!(
        !request["params"]["elicitationId"]
            .as_str()
            .unwrap()
            .is_empty()
    );
    let link = request["params"]["url"].as_str().unwrap().to_owned();
    let state = result["requestState"].clone();

    ana.connect(&link, &acme).await.assert_connected();
    let more = json!({ "requestState": state, "inputResponses": { "connect_acme": { "action": "accept" } } });
    let answer = ana
        .call_with("acme_whoami", json!({}), opens_links(), more)
        .await;
    assert_eq!(answer.json()["name"], "ana");
}

#[tokio::test]
async fn a_client_that_says_no_gets_the_link_in_words() {
    let (_acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    for action in ["decline", "cancel"] {
        let asked = ana
            .call_with("acme_whoami", json!({}), opens_links(), json!({}))
            .await;
        let state = asked.result()["requestState"].clone();
        let more = json!({ "requestState": state, "inputResponses": { "connect_acme": { "action": action } } });
        let answer = ana
            .call_with("acme_whoami", json!({}), opens_links(), more)
            .await;
        let link = answer.link();
        let structured = &answer.result()["structuredContent"];
        assert_eq!(structured["error"], "connection_required");
        assert_eq!(structured["connect_url"].as_str(), Some(link.as_str()));
        assert_eq!(structured["message"].as_str(), Some(answer.text()));
    }
}

/// A client that always accepts and never connects is asked three times, then told in words.
#[tokio::test]
async fn a_client_that_only_claims_to_have_connected_is_not_asked_for_ever() {
    let clock = clock();
    let acme = Provider::start(&clock);
    let gateway = TestGateway::start_configured(&clock, &[&acme], |config| {
        config.mcp.wait_seconds = 0;
    })
    .await;
    let ana = gateway.person("ana").await;
    let mut more = json!({});
    for _ in 0..3 {
        let asked = ana
            .call_with("acme_whoami", json!({}), opens_links(), more)
            .await;
        assert_eq!(asked.result()["resultType"], "input_required");
        let state = asked.result()["requestState"].clone();
        more = json!({ "requestState": state, "inputResponses": { "connect_acme": { "action": "accept" } } });
    }
    ana.call_with("acme_whoami", json!({}), opens_links(), more)
        .await
        .link();
}

/// Request state that was changed, or belongs to another person, tool or argument, is refused (MCP 2026-07-28, multi
/// round-trip requests).
#[tokio::test]
async fn foreign_request_state_is_refused() {
    let (_acme, gateway) = gateway_with_acme().await;
    let (ana, ben) = (gateway.person("ana").await, gateway.person("ben").await);
    let asked = ana
        .call_with(
            "acme_create_thing",
            json!({ "name": "a" }),
            opens_links(),
            json!({}),
        )
        .await;
    let state = asked.result()["requestState"].as_str().unwrap().to_owned();
    let declined = |state: &str| json!({ "requestState": state, "inputResponses": { "connect_acme": { "action": "decline" } } });
    let mut changed = state.clone();
    changed.replace_range(40..=40, if &state[40..=40] == "A" { "B" } else { "A" });
    let attempts = [
        (
            &ben,
            "acme_create_thing",
            json!({ "name": "a" }),
            state.as_str(),
        ),
        (&ana, "acme_delete_thing", json!({ "id": 1 }), &state),
        (&ana, "acme_create_thing", json!({ "name": "b" }), &state),
        (&ana, "acme_create_thing", json!({ "name": "a" }), &changed),
        (
            &ana,
            "acme_create_thing",
            json!({ "name": "a" }),
            "nonsense",
        ),
    ];
    for (who, tool, arguments, state) in attempts {
        let answer = who
            .call_with(tool, arguments, opens_links(), declined(state))
            .await;
        assert_eq!(
            answer.body["error"]["code"], -32602,
            "{tool} for {}",
            who.name
        );
    }
    let own = ana
        .call_with(
            "acme_create_thing",
            json!({ "name": "a" }),
            opens_links(),
            declined(&state),
        )
        .await;
    own.link();
}

#[tokio::test]
async fn a_foreign_origin_or_host_is_refused() {
    let (_acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = |name: &'static str, value: &'static str| {
        http.post(format!("{}/mcp", gateway.origin()))
            .header("authorization", format!("Bearer {}", ana.token()))
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json")
            .header(name, value)
            .body(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#)
            .send()
    };
    assert_eq!(
        post("origin", "https://evil.example")
            .await
            .unwrap()
            .status(),
        403
    );
    assert_eq!(post("host", "evil.example").await.unwrap().status(), 403);
    let page = http
        .get(format!("{}/connections", gateway.origin()))
        .header("host", "evil.example")
        .send()
        .await;
    assert_eq!(page.unwrap().status(), 421);
}
