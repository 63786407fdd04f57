//! `/mcp/{service}`: some of the services, and nothing else.

use serde_json::{Value, json};

use crate::support::gateway::{TestGateway, clock, gateway_with_acme};
use crate::support::legacy::LegacySession;
use crate::support::machine::{Bridge, Machine, modern};
use crate::support::person::{Answer, Person};
use crate::support::program::{self, Program};
use crate::support::provider::Provider;

async fn names(person: &Person, endpoint: &str) -> Vec<String> {
    let response = person
        .send(endpoint, "tools/list", None, json!({}), json!({}))
        .await;
    let answer = Answer::of(response).await;
    let tools = answer.result()["tools"].as_array().unwrap().clone();
    let name = |tool: &Value| tool["name"].as_str().unwrap().to_owned();
    tools.iter().map(name).collect()
}

#[tokio::test]
async fn an_endpoint_of_one_service_offers_its_tools_alone() {
    let clock = clock();
    let (acme, birch) = (
        Provider::start(&clock),
        Provider::start_named("birch", &clock),
    );
    let gateway = TestGateway::start(&clock, &[&acme, &birch]).await;
    let ana = gateway.person("ana").await;
    let of = |service: &'static str, names: &[String]| {
        names
            .iter()
            .all(|name| name.starts_with(&format!("{service}_")))
    };
    assert!(of("acme", &names(&ana, "/mcp/acme").await));
    assert!(of("birch", &names(&ana, "/mcp/birch").await));
    let (one, both, all) = (
        names(&ana, "/mcp/acme").await.len(),
        names(&ana, "/mcp/birch,acme").await.len(),
        names(&ana, "/mcp").await.len(),
    );
    assert_eq!((both, all), (2 * one, 2 * one + 2));

    let call = |endpoint: &'static str, tool: &'static str| {
        let parameters = json!({ "name": tool, "arguments": {} });
        let ana = &ana;
        async move {
            Answer::of(
                ana.send(endpoint, "tools/call", Some(tool), parameters, json!({}))
                    .await,
            )
            .await
        }
    };
    call("/mcp/acme", "acme_whoami").await.link();
    for tool in ["birch_whoami", "attache_connections"] {
        let refused = call("/mcp/acme", tool).await;
        assert_eq!(refused.body["error"]["code"], -32602, "{tool}");
    }
}

#[tokio::test]
async fn an_unknown_service_is_told_with_those_there_are() {
    let (_acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    for endpoint in ["/mcp/acne", "/mcp/acme,acne", "/mcp/slack"] {
        let response = ana
            .send(endpoint, "tools/list", None, json!({}), json!({}))
            .await;
        assert_eq!(response.status(), 404, "{endpoint}");
        let sentence = response.text().await.unwrap();
        assert!(sentence.contains("It has acme."), "{sentence}");
    }
}

/// A session is not carried from one endpoint to another.
#[tokio::test]
async fn a_session_belongs_to_its_endpoint() {
    let (_acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let url = format!("{}/mcp/acme", gateway.origin());
    let mut session = LegacySession::begin(&url, ana.token(), "2025-11-25", json!({})).await;
    assert_eq!(
        session.call_with_token(ana.token(), "acme_whoami").await,
        200
    );
    session.moves_to(&format!("{}/mcp", gateway.origin()));
    assert_eq!(
        session.call_with_token(ana.token(), "acme_whoami").await,
        404
    );
}

/// Through the control socket, and to a gateway elsewhere.
#[tokio::test]
async fn the_bridge_selects_services_too() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Program::demo(folder.path()).await;
    let url = demo.text("/mcp_url").trim_end_matches("/mcp");
    let remote = |services: &[&str]| {
        let mut command = program::command(&["stdio"]);
        command
            .env("ATTACHE_URL", url)
            .env("ATTACHE_TOKEN", demo.text("/agent_token"));
        for service in services {
            command.args(["--service", service]);
        }
        Bridge::start(command)
    };
    let selected = tools(&mut remote(&["sandbox"])).await;
    assert!(!selected.is_empty());
    assert!(
        selected.iter().all(|name| name.starts_with("sandbox_")),
        "{selected:?}"
    );
    let all = tools(&mut remote(&[])).await;
    assert!(all.contains(&"attache_connect".to_owned()), "{all:?}");

    let machine = Machine::new();
    let (_, status) = Bridge::start(machine.command(&["stdio", "--service", "nowhere"]))
        .close()
        .await;
    assert_eq!(status, 1);
}

async fn tools(bridge: &mut Bridge) -> Vec<String> {
    let answer = bridge.ask(&modern(1, "tools/list")).await;
    let tools = answer["result"]["tools"].as_array().expect("tools").clone();
    let name = |tool: &Value| tool["name"].as_str().unwrap().to_owned();
    tools.iter().map(name).collect()
}
