//! A gateway in a process of its own on a folder that outlives it, and the Sandbox in the process of the test, which
//! outlives both.

use std::fmt::Write;
use std::net::TcpListener;
use std::sync::Mutex;
use std::time::Duration;

use attache::base::{Clock, Random};
use attache::sandbox::{self, Control, Counters, Order, RegisteredClient, Sandbox, Whose};
use serde_json::json;
use tempfile::TempDir;

use crate::support::person::{Answer, Page, Person};
use crate::support::program::Program;
use crate::support::sandbox_visitor::SandboxVisitor;

/// The tool that is called: it only looks.
pub(super) const TOOL: &str = "sandbox_whoami";

/// How long a call that is put off may be put off altogether.
const PATIENCE: Duration = Duration::from_mins(2);

/// How long a disconnect that was cut off may take to be gone on with: a minute until its note is due, another one in
/// which what it left behind is let alone, and both in whole minutes.
const GOES_ON_WITHIN: Duration = Duration::from_mins(5);

/// Everything.
pub(super) struct House {
    pub(super) owner: Person,
    sandbox: Sandbox,
    whose: Whose,
    visitor: SandboxVisitor,
    folder: TempDir,
    address: String,
    program: Mutex<Option<Program>>,
}

/// How the connection stands, by what an agent gets on its next call, and by what the page then shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The call got its result.
    Works,
    /// The agent got a link, and the page says that the connection has expired.
    ExpiredShown,
    /// The agent got a link, and the page says that it was disconnected, or never connected.
    NotConnected,
}

impl House {
    pub(super) async fn new() -> Self {
        let settings = sandbox::Settings::default();
        let sandbox = sandbox::start(settings, Clock::System, Random::System);
        let sandbox = sandbox.await.expect("a Sandbox");
        let address = free_address();
        let redirect = format!("http://{address}/oauth/callback/sandbox");
        let client = sandbox.register_client("Attache", &redirect).await;
        let client = client.expect("a client");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let configuration = configuration(&client, sandbox.port());
        std::fs::write(folder.path().join("attache.toml"), configuration).expect("our own folder");
        let program = start(&folder, &address).await;
        let origin = format!("http://{address}");
        let owner = Person::new("owner", &origin, program.text("/agent_token"));
        owner.sign_in(program.text("/sign_in_url")).await;
        Self {
            owner,
            whose: Whose::of(&client.client_id, "ana"),
            sandbox,
            visitor: SandboxVisitor::new("ana"),
            folder,
            address,
            program: Mutex::new(Some(program)),
        }
    }

    pub(super) fn control(&self) -> Control {
        self.sandbox.control()
    }

    pub(super) fn counters(&self) -> Counters {
        self.control().counters()
    }

    /// Waits until the Sandbox holds no grant for the gateway. Whether that came.
    pub(super) async fn is_revoked(&self) -> bool {
        let mut counters = self.control().watch();
        let gone = async {
            while self.grants().await > 0 {
                counters.changed().await.expect("the Sandbox runs");
            }
        };
        tokio::time::timeout(GOES_ON_WITHIN, gone).await.is_ok()
    }

    /// How many grants the Sandbox holds for the gateway.
    pub(super) async fn grants(&self) -> usize {
        self.control().grants(&self.whose).await
    }

    /// Ends what a connect that was cut off may have left at the Sandbox: nobody was told that it is there.
    pub(super) async fn forget_what_nobody_was_told_of(&self) {
        let whose = self.whose.clone();
        self.order(Order::Revoke { whose }).await;
    }

    pub(super) async fn end_access_token(&self) {
        let whose = self.whose.clone();
        self.order(Order::Expire { whose }).await;
    }

    pub(super) async fn order(&self, order: Order) {
        let obeyed = self.control().obey(order).await;
        obeyed.expect("nothing is saved");
    }

    /// Ends the gateway at this very moment, as a power cut or the kernel would.
    pub(super) fn kill(&self) {
        drop(self.take());
    }

    /// Tells the gateway to end, and waits until it has. Its exit status.
    pub(super) async fn stop(&self) -> i32 {
        self.take().terminate().await.1
    }

    fn take(&self) -> Program {
        let mut program = self.program.lock().expect("no panic before");
        program.take().expect("it runs")
    }

    pub(super) async fn restart(&self) {
        let program = start(&self.folder, &self.address).await;
        let before = self
            .program
            .lock()
            .expect("no panic before")
            .replace(program);
        assert!(before.is_none(), "it was ended before");
    }

    // -- what a person and an agent do; none of it fails when the gateway is gone in the middle ------------------------

    /// Connects as a browser would. Whether the page of a completed connection was seen.
    pub(super) async fn connect(&self) -> bool {
        self.try_connect().await.unwrap_or(false)
    }

    async fn try_connect(&self) -> reqwest::Result<bool> {
        let link = self.owner.try_call(TOOL).await?.link();
        let page = self.owner.try_open(&link).await?;
        let path = url::Url::parse(&link).expect("a link").path().to_owned();
        let leaving = self.owner.try_press(&page, &path).await?;
        let callback = self.visitor.agree(&leaving.destination()).await;
        let page = self.owner.try_open(callback.as_str()).await?;
        Ok(page.text.contains("id=\"connected\""))
    }

    /// Disconnects as a browser would: the receipt, if it was seen.
    pub(super) async fn disconnect(&self) -> Option<Page> {
        let page = self.owner.try_open("/connections").await.ok()?;
        let path = page.disconnect_path();
        let question = self.owner.try_open(&path).await.ok()?;
        self.owner.try_press(&question, &path).await.ok()
    }

    /// Calls the tool; none when the gateway was gone before it answered.
    pub(super) async fn call(&self) -> Option<Answer> {
        self.owner.try_call(TOOL).await.ok()
    }

    /// Looks at the connection the way people do: an agent calls, and the page is opened.
    pub(super) async fn standing(&self) -> Standing {
        let mut put_off = Duration::ZERO;
        loop {
            let answer = self.call().await.expect("the gateway runs");
            let result = answer.result();
            if result["isError"] != json!(true) {
                assert_eq!(self.card().await, "active", "what works is shown as active");
                return Standing::Works;
            }
            if let Some(wait) = result["structuredContent"]["retry_after_seconds"].as_u64() {
                put_off += Duration::from_secs(wait);
                assert!(put_off < PATIENCE, "put off for ever: {result:#}");
                tokio::time::sleep(Duration::from_secs(wait)).await;
                continue;
            }
            assert!(
                answer.text().contains("/connect/"),
                "neither a result nor a link: {result:#}"
            );
            return match self.card().await.as_str() {
                "expired" => Standing::ExpiredShown,
                "revoked" | "revoking" | "not_connected" | "waiting" => Standing::NotConnected,
                other => panic!("the agent got a link and the page says {other}"),
            };
        }
    }

    /// The status on the Connections page.
    pub(super) async fn card(&self) -> String {
        self.owner.open("/connections").await.card("sandbox")
    }
}

async fn start(folder: &TempDir, address: &str) -> Program {
    let at = |name: &str| folder.path().join(name).to_str().expect("plain").to_owned();
    let (config, data) = (at("attache.toml"), at("data"));
    let arguments = [
        "serve",
        "--json",
        "--config",
        &config,
        "--data-dir",
        &data,
        "--bind",
        address,
    ];
    Program::start_with(&arguments, &[("ATTACHE_LOG", "off")]).await
}

/// An address that nobody listens on: the redirect URI has to be known before the gateway runs, and stays the same.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").to_string()
}

fn configuration(client: &RegisteredClient, port: u16) -> String {
    let mut text = format!("[egress]\ndangerously_allow_loopback = [\"localhost:{port}\"]\n");
    let secret = client.client_secret.expose();
    write!(
        text,
        "[services.sandbox]\nclient_id = {:?}\nclient_secret = {secret:?}\nvariables = {{ port = \"{port}\" }}\n",
        client.client_id
    )
    .expect("a String takes everything");
    text
}
