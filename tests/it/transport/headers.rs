//! S-20: what the headers say and what the body says is the same, or the request is refused (MCP 2026-07-28, streamable
//! HTTP, server validation): a proxy that decides by the headers decides about what is run.

use data_encoding::BASE64;
use serde_json::Value;

use crate::support::gateway::gateway_with_acme;
use crate::support::wire::{Wire, call};

const VERSION: (&str, &str) = ("mcp-protocol-version", "2026-07-28");
const METHOD: (&str, &str) = ("mcp-method", "tools/call");
const NAME: (&str, &str) = ("mcp-name", "acme_whoami");

fn wrapped(name: &str) -> String {
    format!("=?base64?{}?=", BASE64.encode(name.as_bytes()))
}

async fn send(wire: &Wire, headers: &[(&str, &str)]) -> (u16, Value) {
    let mut request = wire.post();
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.body(call("acme_whoami")).send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    (status, body)
}

#[tokio::test]
async fn headers_that_say_something_else_are_refused() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let link = ana.call("acme_whoami", serde_json::json!({})).await.link();
    ana.connect(&link, &acme).await.assert_connected();
    let before = acme.api_requests().len();
    let wire = Wire::of(&gateway, &ana);

    let (other, twice) = (
        wrapped("acme_list_things"),
        wrapped(&wrapped("acme_whoami")),
    );
    let unpadded = wrapped("acme_whoami").replace("=?=", "?=");
    assert_ne!(unpadded, wrapped("acme_whoami"));
    let wrong = |text: &'static str| ("mcp-name", text);
    let rows: &[&[(&str, &str)]] = &[
        // The method.
        &[VERSION, NAME],
        &[VERSION, NAME, ("mcp-method", "tools/list")],
        &[VERSION, NAME, ("mcp-method", "Tools/Call")],
        &[VERSION, NAME, ("mcp-method", "tools/call,tools/call")],
        &[VERSION, NAME, ("mcp-method", "")],
        &[VERSION, NAME, METHOD, METHOD],
        &[VERSION, NAME, METHOD, ("mcp-method", "tools/list")],
        &[VERSION, NAME, ("mcp-method", "tools/list"), METHOD],
        &[VERSION, NAME, ("mcp-method", "=?base64?dG9vbHMvY2FsbA==?=")],
        // The name.
        &[VERSION, METHOD],
        &[VERSION, METHOD, wrong("acme_list_things")],
        &[VERSION, METHOD, wrong("ACME_WHOAMI")],
        &[VERSION, METHOD, wrong("acme_whoami;x")],
        &[VERSION, METHOD, wrong("acme_whoam")],
        &[VERSION, METHOD, wrong("")],
        &[VERSION, METHOD, NAME, NAME],
        &[VERSION, METHOD, NAME, wrong("acme_delete_thing")],
        &[VERSION, METHOD, wrong("acme_delete_thing"), NAME],
        &[VERSION, METHOD, ("mcp-name", other.as_str())],
        &[VERSION, METHOD, ("mcp-name", twice.as_str())],
        &[VERSION, METHOD, ("mcp-name", unpadded.as_str())],
        &[VERSION, METHOD, wrong("=?base64??=")],
        &[VERSION, METHOD, wrong("=?base64?%%%?=")],
        &[VERSION, METHOD, wrong("=?base64?/////w==?=")],
        // The version.
        &[METHOD, NAME],
        &[METHOD, NAME, ("mcp-protocol-version", "2025-11-25")],
    ];
    for headers in rows {
        let (status, answer) = send(&wire, headers).await;
        assert_eq!(status, 400, "{headers:?}: {answer:#}");
        assert_eq!(answer["error"]["code"], -32020, "{headers:?}: {answer:#}");
        let sentence = answer["error"]["message"].as_str().unwrap();
        assert!(sentence.len() > 10, "{sentence}");
    }
    // Refused, though not as a mismatch: there is no such version, or there are two.
    let rows: &[&[(&str, &str)]] = &[
        &[METHOD, NAME, ("mcp-protocol-version", "2099-01-01")],
        &[METHOD, NAME, ("mcp-protocol-version", "")],
        &[
            METHOD,
            NAME,
            ("mcp-protocol-version", "2025-11-25"),
            VERSION,
        ],
    ];
    for headers in rows {
        let (status, answer) = send(&wire, headers).await;
        assert_eq!(status, 400, "{headers:?}: {answer:#}");
    }
    assert_eq!(acme.api_requests().len(), before, "nothing ran");
}

#[tokio::test]
async fn headers_that_say_the_same_pass() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let link = ana.call("acme_whoami", serde_json::json!({})).await.link();
    ana.connect(&link, &acme).await.assert_connected();
    let wire = Wire::of(&gateway, &ana);
    let base64 = wrapped("acme_whoami");
    let rows: &[&[(&str, &str)]] = &[
        &[VERSION, METHOD, NAME],
        &[NAME, METHOD, VERSION],
        &[VERSION, METHOD, ("mcp-name", base64.as_str())],
        &[
            ("MCP-Protocol-Version", "2026-07-28"),
            ("Mcp-Method", "tools/call"),
            ("MCP-NAME", "acme_whoami"),
        ],
        &[VERSION, METHOD, ("mcp-name", " acme_whoami\t")],
    ];
    for headers in rows {
        let (status, answer) = send(&wire, headers).await;
        assert_eq!(status, 200, "{headers:?}: {answer:#}");
        assert_eq!(
            answer["result"]["isError"], false,
            "{headers:?}: {answer:#}"
        );
    }
}
