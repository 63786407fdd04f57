//! S-18: request state that a client brings back (MCP 2026-07-28, multi round-trip requests). Another person's, tool's or
//! arguments' is in `tests/it/mcp.rs`.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::support::gateway::gateway_with_acme;
use crate::support::person::{Answer, Person};

async fn call(person: &Person, more: Value) -> Answer {
    let opens_links = json!({ "elicitation": { "form": {}, "url": {} } });
    person
        .call_with(
            "acme_create_thing",
            json!({ "name": "a" }),
            opens_links,
            more,
        )
        .await
}

fn accepted(state: &str) -> Value {
    json!({ "requestState": state, "inputResponses": { "connect_acme": { "action": "accept" } } })
}

/// Asked for a connection, of which the person has made none: what the client is to bring back.
async fn asked(person: &Person) -> String {
    let asked = call(person, json!({})).await;
    let result = asked.result();
    assert_eq!(result["resultType"], "input_required");
    result["requestState"].as_str().unwrap().to_owned()
}

/// The person is connected, so that nothing but the state stands between a forged round and the call.
#[tokio::test]
async fn no_byte_of_it_can_be_changed() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let first = call(&ana, json!({})).await;
    let result = first.result();
    let state = result["requestState"].as_str().unwrap();
    let link = result["inputRequests"]["connect_acme"]["params"]["url"].as_str();
    ana.connect(link.unwrap(), &acme).await.assert_connected();
    let before = acme.requests_to("/api/things").len();

    let sealed = BASE64URL_NOPAD.decode(state.as_bytes()).unwrap();
    assert!(sealed.len() > 40, "there is something to flip");
    let flipped = (0..sealed.len()).map(|at| {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        BASE64URL_NOPAD.encode(&changed)
    });
    let cut = [0, 1, sealed.len() / 2, sealed.len() - 1]
        .map(|length| BASE64URL_NOPAD.encode(&sealed[..length]));
    let longer = [
        format!("{state}AAAA"),
        format!("{state}="),
        format!(" {state}"),
    ];
    let mut tried = 0;
    for forged in flipped.chain(cut).chain(longer) {
        let answer = call(&ana, accepted(&forged)).await;
        assert_eq!(
            answer.body["error"]["code"], -32602,
            "{forged}: {:#}",
            answer.body
        );
        tried += 1;
    }
    assert_eq!(tried, sealed.len() + 7);
    assert_eq!(acme.requests_to("/api/things").len(), before, "nothing ran");

    assert_eq!(call(&ana, accepted(state)).await.json()["name"], "a");
    assert_eq!(acme.requests_to("/api/things").len(), before + 1);
}

#[tokio::test]
async fn when_it_is_too_old_the_call_begins_anew() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let state = asked(&ana).await;
    // Three rounds are the limit: if the old ones counted, the last of these would be told in words.
    for _ in 0..4 {
        gateway.clock().advance(Duration::from_mins(10));
        let answer = call(&ana, accepted(&state)).await;
        assert_eq!(answer.result()["resultType"], "input_required");
    }
    assert!(acme.api_requests().is_empty());
}
