//! No secret where it does not belong (S-17, S-42): every flow is run with recognisable secrets, then answers, pages, the
//! log at its most talkative, and the raw store are searched for them.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing_subscriber::EnvFilter;

use crate::support::folder::files;
use crate::support::gateway::{TestGateway, clock, gateway_with_acme};
use crate::support::machine::modern;
use crate::support::person::Person;
use crate::support::provider::{ClientProof, INBOUND_TOKEN, Provider, Request};

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Listens to everything from here on, in this process, which is this test's own.
    fn start() -> Self {
        let log = Self::default();
        let writer = log.clone();
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new("trace"))
            .with_writer(move || writer.clone())
            .init();
        log
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

/// Runs every flow, the good and the bad, and collects what people and agents saw.
async fn run_everything(gateway: &TestGateway, acme: &Provider, ana: &Person) -> String {
    let mut seen = String::new();
    let link = ana.call("acme_whoami", json!({})).await.link();
    acme.answers_token_error("invalid_grant");
    seen += &ana.connect(&link, acme).await.text;
    acme.recovers();
    acme.answers_token_with(200, "text/html", "<html>");
    seen += &ana.connect(&link, acme).await.text;
    acme.recovers();
    acme.answers_api_with(500, "{}");
    seen += &ana.connect(&link, acme).await.text;
    acme.recovers();
    seen += &ana.connect(&link, acme).await.assert_connected().text;
    for tool in ["acme_whoami", "acme_list_things", "acme_nothing"] {
        seen += &ana.call(tool, json!({})).await.body.to_string();
    }
    acme.answers_api_with(500, r#"{"message":"broken"}"#);
    seen += &ana.call("acme_whoami", json!({})).await.body.to_string();
    acme.recovers();
    let connections = ana.open("/connections").await;
    let path = connections.disconnect_path();
    seen += &connections.text;
    let question = ana.open(&path).await;
    acme.revocation_is_down();
    seen += &ana.press(&question, &path).await.text;
    acme.recovers();
    seen += &ana.press(&question, &path).await.text;
    seen += &ana.call("acme_whoami", json!({})).await.body.to_string();
    seen + &ana
        .open(&format!("{}/nowhere", gateway.origin()))
        .await
        .text
}

#[tokio::test]
async fn no_secret_is_seen_logged_or_stored_in_clear() {
    let log = Log::start();
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let seen = run_everything(&gateway, &acme, &ana).await;
    let (log, stored) = (log.text(), raw(gateway.folder()));
    let canaries = acme.canaries();
    assert!(
        canaries.len() >= 8,
        "the flows used secrets: {}",
        canaries.len()
    );
    assert!(
        log.contains("attache::") && !stored.is_empty(),
        "there is something to search"
    );
    for secret in canaries.iter().map(String::as_str).chain([ana.token()]) {
        let shown = &secret[..secret.len().min(16)];
        assert!(!seen.contains(secret), "{shown}… was shown");
        assert!(!contains(&stored, secret), "{shown}… is stored in clear");
        let lines: Vec<_> = log.lines().filter(|line| line.contains(secret)).collect();
        assert!(lines.is_empty(), "{shown}… was logged: {:.300}", lines[0]);
    }
    assert!(
        !contains(&stored, INBOUND_TOKEN),
        "an agent token is stored in clear"
    );
}

/// The same at a provider that reads token requests in their address alone: whatever goes wrong, no address is written
/// down, by us or by what we send with.
#[tokio::test]
async fn no_secret_of_an_address_is_logged() {
    let log = Log::start();
    let clock = clock();
    let acme = Provider::start(&clock);
    acme.wants_token_requests_in_the_query()
        .authenticates_clients_by(ClientProof::Body)
        .rotates_refresh_tokens()
        .tells_lifetimes_when_asked();
    let gateway = TestGateway::start(&clock, &[&acme]).await;
    let ana = gateway.person("ana").await;
    let link = ana.call("acme_whoami", json!({})).await.link();
    acme.answers_token_error("invalid_grant");
    let mut seen = ana.connect(&link, &acme).await.text;
    acme.recovers();
    acme.loses_the_next_token_answer();
    seen += &ana.connect(&link, &acme).await.text;
    acme.answers_introspection_with(500, "{}");
    seen += &ana.connect(&link, &acme).await.assert_connected().text;
    acme.access_tokens_die();
    acme.answers_token_with(500, "text/html", "<html>");
    seen += &ana.call("acme_whoami", json!({})).await.body.to_string();
    acme.recovers();
    acme.expects_one_more_replay();
    clock.advance(std::time::Duration::from_hours(1));
    seen += &ana.call("acme_whoami", json!({})).await.body.to_string();
    let log = log.text();
    let in_query = |name: &str| {
        let requests = acme.token_requests();
        let mut pairs = requests.iter().flat_map(Request::query_pairs);
        pairs.any(|(given, _)| given == name)
    };
    for secret in ["client_secret", "code", "code_verifier", "refresh_token"] {
        assert!(in_query(secret), "{secret} travelled in an address");
    }
    assert!(log.contains("attache::") && log.contains("hyper"));
    assert!(log.contains("how long an access token lives could not be learned"));
    assert!(!log.contains("grant_type"), "no address was logged");
    for secret in acme.canaries() {
        assert!(!seen.contains(&secret), "{secret:.16}… was shown");
        let lines: Vec<_> = log.lines().filter(|line| line.contains(&secret)).collect();
        assert!(
            lines.is_empty(),
            "{secret:.16}… was logged: {:.300}",
            lines[0]
        );
    }
}

/// The same for what is said of records that cannot be read, in the log above all.
#[tokio::test]
async fn no_secret_is_told_with_a_damaged_record() {
    let log = Log::start();
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let link = ana.call("acme_whoami", json!({})).await.link();
    ana.connect(&link, &acme).await.assert_connected();
    let mut seen = String::new();
    let mut gateway = gateway;
    for prefix in ["cre/", "con/"] {
        let providers = [&acme];
        let damaged = gateway.with_rows(&providers, |rows| {
            rows.keys(prefix).iter().for_each(|key| rows.flip(key));
        });
        (gateway, ()) = damaged.await;
        let ana = gateway.person("ana").await;
        seen += &ana.call("acme_whoami", json!({})).await.body.to_string();
        seen += &ana.open("/connections").await.text;
    }
    let log = log.text();
    for said in [&seen, &log] {
        assert!(said.contains("damaged") || said.contains("cannot be read"));
        for secret in acme.canaries().iter().map(String::as_str) {
            assert!(!said.contains(secret), "{secret:.16}… was told");
        }
    }
    let named = |prefix: &str| {
        let mut lines = log.lines();
        lines.any(|line| line.contains("cannot be read") && line.contains(&format!("{prefix}per_")))
    };
    assert!(named("cre/") && named("con/"), "the operator is told which");
}

/// The same over stdio: whatever the client's process is told, by the bridge and through it.
#[tokio::test]
async fn no_secret_passes_the_bridge() {
    let (acme, mut gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let mut bridge = gateway.bridge_for("ana").await;
    let mut heard = bridge.ask(&modern(1, "tools/list")).await.to_string();
    let call = |id: u64, tool: &str| {
        let mut request = modern(id, "tools/call");
        request["params"]["name"] = json!(tool);
        request["params"]["arguments"] = json!({});
        request
    };
    let asked = bridge.ask(&call(2, "acme_whoami")).await;
    let link = asked["result"]["structuredContent"]["connect_url"]
        .as_str()
        .unwrap();
    ana.connect(link, &acme).await.assert_connected();
    for (id, tool) in [
        (3, "acme_whoami"),
        (4, "acme_list_things"),
        (5, "acme_nothing"),
    ] {
        heard += &bridge.ask(&call(id, tool)).await.to_string();
    }
    acme.access_is_removed_by("ana");
    heard += &bridge.ask(&call(6, "acme_whoami")).await.to_string();
    assert!(
        heard.contains("no longer accepts") && heard.contains("ana"),
        "{heard}"
    );
    for secret in acme
        .canaries()
        .iter()
        .map(String::as_str)
        .chain([ana.token()])
    {
        assert!(!heard.contains(secret), "{secret:.16}… passed the bridge");
    }
    bridge.close().await;
}

/// All bytes of all files of the data folder but the provider files, which are the operator's.
fn raw(folder: &Path) -> Vec<u8> {
    let files = files(&folder.join("data")).into_iter();
    // The control socket is no file that can be read.
    let regular = files.filter(|file| file.is_file());
    regular
        .flat_map(|file| std::fs::read(file).expect("a readable file"))
        .collect()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}
