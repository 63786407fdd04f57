//! S-19: the names under which the gateway answers, and the pages that may ask it (DNS rebinding, cross-site requests).

use reqwest::Method;

use crate::support::gateway::gateway_with_acme;
use crate::support::wire::{Wire, body};

#[tokio::test]
async fn only_our_own_names_and_our_own_pages_are_answered() {
    let (_acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let wire = Wire::of(&gateway, &ana);
    let (_, authority) = wire.origin().split_once("://").unwrap();
    let (_, port) = authority.rsplit_once(':').unwrap();
    let hosts = [
        (authority.to_owned(), true),
        (format!("localhost:{port}"), true),
        (format!("LOCALHOST:{port}"), true),
        (format!("[::1]:{port}"), true),
        ("evil.example".to_owned(), false),
        (format!("evil.example:{port}"), false),
        (format!("{authority}.evil.example"), false),
        (format!("127.0.0.1.evil.example:{port}"), false),
        (format!("user@{authority}"), false),
        ("127.0.0.1".to_owned(), false),
        ("127.0.0.1:1".to_owned(), false),
        (format!("0.0.0.0:{port}"), false),
    ];
    let origins = [
        (None, true),
        (Some(wire.origin().to_owned()), true),
        (Some("null".to_owned()), false),
        (Some("https://evil.example".to_owned()), false),
        (Some(format!("https://{authority}")), false),
        (Some("http://127.0.0.1".to_owned()), false),
        (Some("http://127.0.0.1:1".to_owned()), false),
        (Some(format!("{}.evil.example", wire.origin())), false),
        (Some(format!("http://evil.example:{port}")), false),
        (Some("chrome-extension://abcdefgh".to_owned()), false),
        (Some("x".to_owned()), false),
    ];
    for (host, ours) in &hosts {
        for (origin, from_here) in &origins {
            let send = |method: Method, path: &str| {
                let mut request = wire
                    .request(method, path)
                    .header("host", host)
                    .header("accept", "application/json, text/event-stream")
                    .header("content-type", "application/json")
                    .header("mcp-protocol-version", "2026-07-28")
                    .header("mcp-method", "tools/list")
                    .header("access-control-request-method", "POST")
                    .header("access-control-request-headers", "authorization");
                if let Some(origin) = origin {
                    request = request.header("origin", origin);
                }
                request
            };
            for path in ["/mcp", "/mcp/acme"] {
                let request =
                    send(Method::POST, path).body(body("tools/list", serde_json::json!({})));
                let answer = request.send().await.unwrap();
                let expected = if *ours && *from_here { 200 } else { 403 };
                assert_eq!(answer.status(), expected, "{path} {host} {origin:?}");
                assert_shares_nothing(&answer);
            }
            for (method, path) in [
                (Method::GET, "/connections"),
                (Method::GET, "/"),
                (Method::POST, "/services/acme/connect"),
                (Method::OPTIONS, "/mcp"),
                (Method::OPTIONS, "/connections"),
            ] {
                let is_page = path != "/mcp";
                let answer = send(method.clone(), path).send().await.unwrap();
                if is_page && !ours {
                    assert_eq!(answer.status(), 421, "{method} {path} {host} {origin:?}");
                }
                if method != Method::GET {
                    assert!(
                        !answer.status().is_success(),
                        "{method} {path} {host} {origin:?}"
                    );
                }
                assert_shares_nothing(&answer);
            }
        }
    }
}

/// No page of another site may read an answer (Fetch, CORS protocol).
fn assert_shares_nothing(answer: &reqwest::Response) {
    let shared = answer
        .headers()
        .keys()
        .find(|name| name.as_str().starts_with("access-control-"));
    assert_eq!(shared, None, "{}", answer.url());
}
