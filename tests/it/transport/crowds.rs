//! short: many connections at once, and agents that ask for more than their share. `scripts/hostile-load`
//! brings them by the thousand.

use attache::config::Config;
use futures::future::join_all;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::gateway::{TestGateway, clock, gateway_with_acme};
use crate::support::provider::Provider;
use crate::support::wire::Wire;

async fn gateway_with_limits(change: impl FnOnce(&mut Config)) -> (Provider, TestGateway) {
    let clock = clock();
    let acme = Provider::start(&clock);
    let gateway = TestGateway::start_configured(&clock, &[&acme], change).await;
    (acme, gateway)
}

#[tokio::test]
async fn half_sent_requests_keep_nobody_waiting() {
    let (_acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let wire = Wire::of(&gateway, &ana);
    let (_, authority) = wire.origin().split_once("://").unwrap();
    let head = format!("POST /mcp HTTP/1.1\r\nhost: {authority}\r\nx: ");
    let token = wire.post().build().unwrap().headers()["authorization"].clone();
    let half_a_body = format!(
        "POST /mcp HTTP/1.1\r\nhost: {authority}\r\nauthorization: {}\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\ncontent-length: 100\r\n\r\n{{\"jsonrpc\"",
        token.to_str().unwrap()
    );
    let mut slow = Vec::new();
    for start in [head.as_str(), half_a_body.as_str(), "P", ""].repeat(20) {
        let mut stream = TcpStream::connect(authority).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    join_all((0..20).map(|_| wire.assert_served())).await;
    drop(slow);
    wire.assert_served().await;
}

#[tokio::test]
async fn idle_streams_keep_nobody_waiting_and_end_with_the_gateway() {
    let (acme, gateway) = gateway_with_acme().await;
    let mut streams = Vec::new();
    for name in ["ana", "ben", "cleo"] {
        let wire = Wire::of(&gateway, &gateway.person(name).await);
        let opened = join_all((0..100).map(|_| wire.listen())).await;
        assert!(opened.iter().all(|stream| stream.status() == 200));
        streams.extend(opened);
        wire.assert_served().await;
    }
    let dora = Wire::of(&gateway, &gateway.person("dora").await);
    dora.assert_served().await;
    let ends = join_all(streams.into_iter().map(reqwest::Response::text));
    let providers = [&acme];
    let (_gateway, ends) = tokio::join!(gateway.restart(&providers), ends);
    assert_eq!(ends.len(), 300);
    for end in ends {
        assert!(
            end.unwrap()
                .contains("notifications/subscriptions/acknowledged")
        );
    }
}

#[tokio::test]
async fn an_agent_with_too_many_requests_open_is_told_and_others_are_served() {
    let (_acme, gateway) = gateway_with_limits(|config| config.limits.requests_at_once = 3).await;
    let (ana, ben) = (gateway.person("ana").await, gateway.person("ben").await);
    let (ana, ben) = (Wire::of(&gateway, &ana), Wire::of(&gateway, &ben));
    let streams = join_all((0..3).map(|_| ana.listen())).await;
    assert!(streams.iter().all(|stream| stream.status() == 200));
    let refused = ana.ask("tools/list", json!({})).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "1");
    let sentence = refused.text().await.unwrap();
    assert!(
        sentence.contains("3 requests and streams open"),
        "{sentence}"
    );
    ben.assert_served().await;

    drop(streams);
    // That a stream was left is no event on this side.
    while ana.ask("tools/list", json!({})).await.status() != 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_agent_with_too_many_calls_under_way_is_told_and_others_are_served() {
    let (acme, gateway) = gateway_with_limits(|config| config.limits.calls_at_once = 2).await;
    let (ana, ben) = (gateway.person("ana").await, gateway.person("ben").await);
    for person in [&ana, &ben] {
        let link = person.call("acme_list_things", json!({})).await.link();
        person.connect(&link, &acme).await.assert_connected();
    }
    let held = acme.is_slow_to_answer("/api/things");
    let slow = || ana.call("acme_list_things", json!({}));
    let meanwhile = async {
        held.reached_by(2).await;
        let refused = ana.call("acme_whoami", json!({})).await;
        refused.assert_failed("2 tool calls under way");
        assert_eq!(
            ben.call("acme_whoami", json!({})).await.json()["name"],
            "ben"
        );
        held.release();
    };
    let (first, second, ()) = tokio::join!(slow(), slow(), meanwhile);
    first.json();
    second.json();
    assert_eq!(
        ana.call("acme_whoami", json!({})).await.json()["name"],
        "ana"
    );
}
