//! Cycles of filling and freeing under a gateway whose one connection is renewed with rotating refresh tokens.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use attache::base::{Clock, Random};
use attache::sandbox::{self, Order, Sandbox, Whose};
use serde_json::json;

use super::disk::SmallDisk;
use crate::support::person::{Answer, Person};
use crate::support::program::Program;
use crate::support::sandbox_visitor::SandboxVisitor;

/// The tool that is called: it only looks.
const TOOL: &str = "sandbox_whoami";

/// Every so many cycles the gateway is started again while the disk is full.
const RESTART_EVERY: usize = 3;

/// How many calls, each of which needs a renewal, run while the disk fills up.
const UNDER_WAY: usize = 8;

/// How long the gateway may take to go on by itself once there is room.
const PATIENCE: Duration = Duration::from_mins(1);

/// Everything, and what was counted.
pub(super) struct Cycles {
    disk: Arc<SmallDisk>,
    sandbox: Sandbox,
    whose: Whose,
    owner: Person,
    address: String,
    program: Option<Program>,
    figures: Figures,
}

#[derive(Debug, Default)]
struct Figures {
    cycles: usize,
    calls_that_worked_while_full: usize,
    renewals_not_sent: usize,
    starts_on_a_full_disk: usize,
    starts_standing_by: usize,
    slowest_recovery: Duration,
    lost: usize,
}

impl Cycles {
    /// A gateway on the disk, connected.
    pub(super) async fn on(disk: SmallDisk) -> Self {
        let sandbox = sandbox::start(sandbox::Settings::default(), Clock::System, Random::System);
        let sandbox = sandbox.await.expect("a Sandbox");
        let address = free_address();
        let redirect = format!("http://{address}/oauth/callback/sandbox");
        let client = sandbox.register_client("Attache", &redirect).await;
        let client = client.expect("a client");
        let port = sandbox.port();
        let configuration = format!(
            "[egress]\ndangerously_allow_loopback = [\"localhost:{port}\"]\n[services.sandbox]\nclient_id = {:?}\n\
             client_secret = {:?}\nvariables = {{ port = \"{port}\" }}\n",
            client.client_id,
            client.client_secret.expose()
        );
        std::fs::write(disk.beside().join("attache.toml"), configuration).expect("our own folder");
        let program = start(&disk, &address).await;
        let owner = Person::new(
            "owner",
            &format!("http://{address}"),
            program.text("/agent_token"),
        );
        owner.sign_in(program.text("/sign_in_url")).await;
        let cycles = Self {
            whose: Whose::of(&client.client_id, "ana"),
            disk: Arc::new(disk),
            sandbox,
            owner,
            address,
            program: Some(program),
            figures: Figures::default(),
        };
        cycles.connect().await;
        cycles
    }

    async fn connect(&self) {
        let visitor = SandboxVisitor::new("ana");
        let link = self.call().await.link();
        let page = self.owner.open(&link).await;
        let path = url::Url::parse(&link).expect("a link").path().to_owned();
        let leaving = self.owner.press(&page, &path).await;
        let callback = visitor.agree(&leaving.destination()).await;
        let page = self.owner.open(callback.as_str()).await;
        assert!(page.text.contains("id=\"connected\""), "{}", page.text);
    }

    /// Fills the disk while renewals are under way, looks what still goes on, frees it, and looks whether all does.
    pub(super) async fn one(&mut self) {
        self.figures.cycles += 1;
        let disk = Arc::clone(&self.disk);
        let filling = tokio::task::spawn_blocking(move || disk.fill());
        for _ in 0..UNDER_WAY {
            self.end_access_token().await;
            self.call().await;
        }
        filling.await.expect("it is filled");
        self.renew_nothing().await;
        // With a token that still works, a call needs no room: the Sandbox makes one valid again only by a renewal, so the
        // page, which needs none, stands for reading.
        let page = self.owner.open("/connections").await;
        assert_eq!(page.status, 200, "{}", page.text);
        assert_eq!(page.card("sandbox"), "active");
        // Not restarted here: a token that came just as the last of the disk went is held in memory alone until there is room.
        self.disk.free();
        self.recover().await;
        self.read_while_full().await;
    }

    /// A call that cannot go on without a new token is told so, and the provider hears nothing: what it would answer could
    /// not be kept.
    async fn renew_nothing(&mut self) {
        self.end_access_token().await;
        let before = self.sandbox.control().counters().refresh_requests;
        let answer = self.call().await;
        assert_eq!(answer.result()["isError"], json!(true), "{:#}", answer.body);
        assert!(
            !answer.text().contains("/connect/"),
            "it was given up: {}",
            answer.text()
        );
        let after = self.sandbox.control().counters().refresh_requests;
        assert_eq!(
            before, after,
            "a token was asked for that could not be kept"
        );
        self.figures.renewals_not_sent += 1;
    }

    /// With a token that works, calls go on while the disk is full.
    async fn read_while_full(&mut self) {
        self.disk.fill();
        for _ in 0..3 {
            let answer = self.call().await;
            assert_ne!(answer.result()["isError"], json!(true), "{:#}", answer.body);
            self.figures.calls_that_worked_while_full += 1;
        }
        if self.figures.cycles.is_multiple_of(RESTART_EVERY) {
            self.start_again_while_full().await;
        }
        self.disk.free();
    }

    async fn start_again_while_full(&mut self) {
        let program = self.program.take().expect("it runs");
        let (_, status) = program.terminate().await;
        assert_eq!(status, 0, "it ends in order on a full disk");
        // What the end has freed is taken as well.
        self.disk.fill();
        let program = start(&self.disk, &self.address).await;
        self.figures.starts_on_a_full_disk += 1;
        let state = program.text("/state");
        assert_ne!(state, "ready", "{:#}", program.ready);
        if state == "standby" {
            self.figures.starts_standing_by += 1;
        }
        self.program = Some(program);
    }

    /// Waits until a call works again, by itself.
    async fn recover(&mut self) {
        let began = tokio::time::Instant::now();
        let works = async {
            loop {
                let Ok(answer) = self.owner.try_call(TOOL).await else {
                    continue;
                };
                if answer.body["result"]["isError"] == json!(false) {
                    return true;
                }
                if answer.body.to_string().contains("/connect/") {
                    println!("lost: {:#}", answer.body);
                    return false;
                }
                // Room that is there again tells nobody.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let works = tokio::time::timeout(PATIENCE, works).await;
        let works = works.expect("it goes on by itself");
        self.figures.slowest_recovery = self.figures.slowest_recovery.max(began.elapsed());
        if !works {
            self.figures.lost += 1;
            self.connect().await;
        }
    }

    /// Prints what was counted.
    pub(super) async fn finish(mut self) {
        let counters = self.sandbox.control().counters();
        println!("{:#?}\n{counters:#?}", self.figures);
        assert_eq!(self.figures.lost, 0, "refresh tokens were lost");
        assert_eq!(counters.reuses, 0, "a refresh token was used twice");
        assert_eq!(self.sandbox.control().grants(&self.whose).await, 1);
        let program = self.program.take().expect("it runs");
        assert_eq!(program.terminate().await.1, 0);
    }

    async fn end_access_token(&self) {
        let whose = self.whose.clone();
        let obeyed = self.sandbox.control().obey(Order::Expire { whose }).await;
        obeyed.expect("nothing is saved");
    }

    async fn call(&self) -> Answer {
        self.owner.call(TOOL, json!({})).await
    }
}

async fn start(disk: &SmallDisk, address: &str) -> Program {
    let text = |path: std::path::PathBuf| path.to_str().expect("a plain path").to_owned();
    let config = text(disk.beside().join("attache.toml"));
    let data = text(disk.inside().join("data"));
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
    Program::run(disk.command(&arguments)).await
}

/// An address that nobody listens on: the redirect URI has to be known before the gateway runs, and stays the same.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").to_string()
}
