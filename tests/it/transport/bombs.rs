//! S-31 and R-12, short: bodies that are too much. `scripts/hostile-load` sends them by the thousand.

use futures::stream;
use reqwest::{Body, Response};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::gateway::{TestGateway, gateway_with_acme};
use crate::support::wire::Wire;

const MIB: usize = 1 << 20;

/// How often each is sent.
const TRIES: usize = 3;

async fn setting() -> (TestGateway, Wire, Wire, impl Sized) {
    let (acme, gateway) = gateway_with_acme().await;
    let (ana, ben) = (gateway.person("ana").await, gateway.person("ben").await);
    let (hostile, other) = (Wire::of(&gateway, &ana), Wire::of(&gateway, &ben));
    (gateway, hostile, other, acme)
}

async fn sentence(answer: Response) -> String {
    let text = answer.text().await.unwrap();
    match serde_json::from_str::<Value>(&text) {
        Ok(answer) => answer["error"]["message"].as_str().unwrap().to_owned(),
        Err(_) => text,
    }
}

#[tokio::test]
async fn a_message_that_is_too_much_is_refused_in_a_sentence() {
    let (_gateway, hostile, other, _acme) = setting().await;
    let in_call = |arguments: &str| {
        format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{{\"name\":\"acme_whoami\",\
             \"arguments\":{arguments}}}}}"
        )
    };
    let keys: Vec<_> = (0..1_000_000).map(|at| format!("\"{at:x}\":0")).collect();
    let keys = in_call(&format!("{{{}}}", keys.join(",")));
    // Longer than a message may be: as an array, the same number fits.
    let items = in_call(&format!("[{}0]", "0,".repeat(1_000_000)));
    let deep = in_call(&format!("{}1{}", "[".repeat(200), "]".repeat(200)));
    let few_keys: Vec<_> = (0..200_000).map(|at| format!("\"{at:x}\":0")).collect();
    let few_keys = in_call(&format!("{{{}}}", few_keys.join(",")));
    let rows = [
        (
            "5 MiB",
            in_call(&format!("\"{}\"", "x".repeat(5 * MIB))),
            413,
            "4 MiB",
        ),
        ("a million keys", keys, 413, "4 MiB"),
        ("200,000 keys", few_keys, 400, "values"),
        ("a million values", items, 400, "values"),
        ("200 levels", deep, 400, "levels deep"),
        ("no JSON", "{\"jsonrpc\":".to_owned(), 400, "not JSON"),
        ("nothing", String::new(), 400, "not JSON"),
        ("no message", "[1]".to_owned(), 400, "no JSON-RPC message"),
    ];
    for (what, body, status, words) in rows {
        for _ in 0..TRIES {
            let answer = hostile.post().body(body.clone()).send().await.unwrap();
            assert_eq!(answer.status(), status, "{what}");
            let sentence = sentence(answer).await;
            assert!(
                sentence.contains(words) && sentence.ends_with('.'),
                "{what}: {sentence}"
            );
        }
        hostile.assert_served().await;
        other.assert_served().await;
    }
}

#[tokio::test]
async fn a_body_without_a_length_is_read_no_further_than_it_may_go() {
    let (_gateway, hostile, other, _acme) = setting().await;
    for _ in 0..TRIES {
        let parts = (0..64).map(|_| Ok::<_, std::io::Error>(vec![b' '; MIB / 8]));
        let body = Body::wrap_stream(stream::iter(parts));
        let answer = hostile.post().body(body).send().await.unwrap();
        assert_eq!(answer.status(), 413);
        assert!(sentence(answer).await.contains("4 MiB"));
        other.assert_served().await;
    }
}

/// A hundred megabytes are refused by what is announced, before one of them was sent.
#[tokio::test]
async fn a_length_that_is_too_long_is_refused_unread() {
    let (_gateway, hostile, other, _acme) = setting().await;
    let (_, authority) = hostile.origin().split_once("://").unwrap();
    let token = hostile.post().build().unwrap().headers()["authorization"].clone();
    for _ in 0..TRIES {
        let mut stream = TcpStream::connect(authority).await.unwrap();
        let head = format!(
            "POST /mcp HTTP/1.1\r\nhost: {authority}\r\nauthorization: {}\r\ncontent-type: application/json\r\n\
             accept: application/json, text/event-stream\r\ncontent-length: 104857600\r\n\r\n",
            token.to_str().unwrap()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert!(
            text.starts_with("HTTP/1.1 413") && text.contains("4 MiB"),
            "{text}"
        );
        other.assert_served().await;
    }
}
