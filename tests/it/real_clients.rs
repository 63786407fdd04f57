//! What people's clients make of the gateway, over each transport that they speak: they list, they show the link of a
//! missing connection, and once the person is connected their call runs.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::clients::command_lines::{
    Printed, Request, Target, fastmcp, mcp_remote, mcporter,
};
use crate::support::clients::{Era, PythonSdk, inspect, inspect_over_sse, inspect_over_stdio};
use crate::support::gateway::{TestGateway, gateway_with_acme};
use crate::support::person::Person;
use crate::support::program::Program;
use crate::support::provider::Provider;

/// A gateway, and a person of it whose clients are tried.
struct Scene {
    acme: Provider,
    gateway: TestGateway,
    ana: Person,
}

impl Scene {
    async fn set() -> Self {
        let (acme, gateway) = gateway_with_acme().await;
        let ana = gateway.person("ana").await;
        Self { acme, gateway, ana }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.gateway.origin())
    }

    /// The command of a bridge to this gateway, for a client that starts one.
    async fn stdio(&mut self) -> [String; 4] {
        drop(self.gateway.bridge_for("ana").await);
        let binary = crate::support::environment::binary();
        let data = self.gateway.folder().join("data");
        [
            binary.display().to_string(),
            "stdio".to_owned(),
            "--data-dir".to_owned(),
            data.display().to_string(),
        ]
    }

    /// The person uses the link that a client showed.
    async fn connect(&self, shown: &str) {
        let start = format!("{}/connect/", self.gateway.origin());
        let at = shown
            .find(&start)
            .unwrap_or_else(|| panic!("no link in {shown}"));
        let rest = &shown[at + start.len()..];
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'));
        let link = format!("{start}{}", &rest[..end.unwrap_or(rest.len())]);
        self.ana.connect(&link, &self.acme).await.assert_connected();
    }

    /// A client that is asked by its command line does all three.
    async fn is_used_by<F, R>(&self, client: F)
    where
        F: Fn(Request<'static>) -> R,
        R: Future<Output = Option<Printed>>,
    {
        let Some(listed) = client(Request::List).await else {
            return;
        };
        assert_eq!(listed.status, 0, "{listed:?}");
        assert!(listed.text.contains("acme_whoami"), "{listed:?}");
        let refused = client(Request::Call("acme_whoami")).await.unwrap();
        assert_eq!(refused.status, 1, "{refused:?}");
        self.connect(&refused.text).await;
        let called = client(Request::Call("acme_whoami")).await.unwrap();
        assert_eq!(called.status, 0, "{called:?}");
        assert!(called.text.contains("ana"), "{called:?}");
    }

    /// The Python SDK does all three.
    async fn is_used_by_sdk(&self, client: impl Fn() -> Option<PythonSdk>) {
        let Some(sdk) = client() else { return };
        let listed = sdk.list().finished().await;
        assert!(
            listed["tools"].to_string().contains("acme_whoami"),
            "{listed:#}"
        );
        let call = || client().unwrap().call("acme_whoami", &json!({})).finished();
        let refused = call().await;
        assert_eq!(refused["result"]["isError"], true, "{refused:#}");
        let text = refused["result"]["content"][0]["text"].as_str().unwrap();
        self.connect(text).await;
        let called = call().await;
        assert_ne!(called["result"]["isError"], true, "{called:#}");
        assert!(called["result"].to_string().contains("ana"), "{called:#}");
    }
}

#[tokio::test]
async fn fastmcp_over_http() {
    let scene = Scene::set().await;
    let (url, bearer) = (scene.url("/mcp"), scene.ana.token());
    let target = Target::Http { url: &url, bearer };
    scene.is_used_by(|request| fastmcp(target, request)).await;
}

#[tokio::test]
async fn fastmcp_over_sse() {
    let scene = Scene::set().await;
    let (url, bearer) = (scene.url("/sse"), scene.ana.token());
    let target = Target::Sse { url: &url, bearer };
    scene.is_used_by(|request| fastmcp(target, request)).await;
}

#[tokio::test]
async fn fastmcp_over_stdio() {
    let mut scene = Scene::set().await;
    let server = scene.stdio().await;
    let server = server.each_ref().map(String::as_str);
    let target = Target::Stdio(&server);
    scene.is_used_by(|request| fastmcp(target, request)).await;
}

#[tokio::test]
async fn mcporter_over_http() {
    let scene = Scene::set().await;
    let (url, bearer) = (scene.url("/mcp"), scene.ana.token());
    let target = Target::Http { url: &url, bearer };
    scene.is_used_by(|request| mcporter(target, request)).await;
}

#[tokio::test]
async fn mcporter_over_stdio() {
    let mut scene = Scene::set().await;
    let server = scene.stdio().await;
    let server = server.each_ref().map(String::as_str);
    let target = Target::Stdio(&server);
    scene.is_used_by(|request| mcporter(target, request)).await;
}

/// In both eras: the newer one has to fall back.
#[tokio::test]
async fn the_python_sdk_over_sse() {
    for era in [Era::Modern, Era::Legacy] {
        let scene = Scene::set().await;
        let (url, bearer) = (scene.url("/sse"), scene.ana.token());
        let client = || PythonSdk::over_sse(&url, bearer).map(|sdk| sdk.era(era));
        scene.is_used_by_sdk(client).await;
    }
}

/// A client that speaks stdio alone, through mcp-remote, over both transports.
#[tokio::test]
async fn mcp_remote_as_a_bridge() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().to_str().unwrap();
    for path in ["/mcp", "/sse"] {
        let scene = Scene::set().await;
        let (url, bearer) = (scene.url(path), scene.ana.token());
        let target = match path {
            "/mcp" => Target::Http { url: &url, bearer },
            _ => Target::Sse { url: &url, bearer },
        };
        let Some(bridge) = mcp_remote(target) else {
            return;
        };
        let bridge: Vec<_> = bridge.iter().map(String::as_str).collect();
        let environment = [("HOME", home), ("MCP_REMOTE_CONFIG_DIR", home)];
        scene
            .is_used_by_sdk(|| PythonSdk::over_stdio(&bridge, &environment))
            .await;
    }
}

/// Every schema of the catalogue passes the Inspector's linter, over each transport, and nothing is missing.
#[tokio::test]
async fn the_inspector_finds_no_fault_in_the_whole_catalogue() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("attache.toml");
    let services = crate::support::catalogue::catalogue().providers().iter();
    let registrations: Vec<String> = services
        .map(|provider| provider.id())
        .filter(|id| *id != "sandbox")
        .map(|id| format!("[services.{id}]\nclient_id = 'id'\nclient_secret = 'secret'\n"))
        .collect();
    std::fs::write(&config, registrations.concat()).unwrap();
    let (config, data) = (config.to_str().unwrap(), folder.path().join("data"));
    let data = data.to_str().unwrap();
    let demo = Program::start(&[
        "demo",
        "--json",
        "--bind",
        "127.0.0.1:0",
        "--data-dir",
        data,
        "--config",
        config,
    ])
    .await;
    let (url, token) = (demo.text("/mcp_url"), demo.text("/agent_token"));
    let sse = url.replace("/mcp", "/sse");
    let binary = crate::support::environment::binary();
    let server = [binary.to_str().unwrap(), "stdio"];
    let environment = [format!("ATTACHE_DATA_DIR={data}")];
    let environment = environment.each_ref().map(String::as_str);
    let list = ["--method", "tools/list", "--strict"];
    for (transport, listed) in [
        ("http", inspect(url, token, &list).await),
        ("sse", inspect_over_sse(&sse, token, &list).await),
        (
            "stdio",
            inspect_over_stdio(&server, &environment, &list).await,
        ),
    ] {
        let Some(listed) = listed else { return };
        assert_eq!(listed.status, 0, "{transport}: {:?}", listed.output);
        assert_eq!(names(&listed.output.unwrap()), catalogue(), "{transport}");
    }
}

/// The tools that the manifest promises with every service set up.
fn catalogue() -> BTreeSet<String> {
    let manifest = include_str!("../../mcp-manifest.json");
    names(&serde_json::from_str(manifest).unwrap())
}

fn names(listed: &Value) -> BTreeSet<String> {
    let tools = listed["tools"].as_array().unwrap().iter();
    tools
        .map(|tool| tool["name"].as_str().unwrap().to_owned())
        .collect()
}
