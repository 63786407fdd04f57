//! Predicted ends: shown everywhere that a person looks, and told once, in time.

use std::fs;
use std::time::Duration;

use attache::app::control::{Answer, Command, ConnectionLine, run};
use attache::base::Clock;
use attache::gateway::Gateway;
use serde_json::json;

use crate::support::gateway::{START, TestGateway, clock};
use crate::support::person::Person;
use crate::support::provider::Provider;
use crate::support::receiver::{Received, Receiver};

const DAY: Duration = Duration::from_hours(24);

/// A gateway on which `ana` has connected `acme`, whose refresh tokens follow `rules`.
struct House {
    clock: Clock,
    acme: Provider,
    ops: Receiver,
    gateway: TestGateway,
}

impl House {
    async fn new(rules: &str, change: impl FnOnce(&Provider)) -> Self {
        let (clock, ops) = (clock(), Receiver::start().await);
        let acme = Provider::start(&clock);
        change(&acme);
        let gateway = TestGateway::start_configured(&clock, &[&acme], |config| {
            ops.set_up(config, "ops");
            let file = config.providers.as_ref().unwrap().join("acme.toml");
            let text = fs::read_to_string(&file).unwrap();
            let rules = format!("[oauth.refresh]\n{rules}\n\n[oauth.revoke]");
            fs::write(file, text.replace("[oauth.revoke]", &rules)).unwrap();
        })
        .await;
        let house = Self {
            clock,
            acme,
            ops,
            gateway,
        };
        house.connect().await;
        house
    }

    /// Signed in anew: sessions do not last for months.
    async fn ana(&self) -> Person {
        self.gateway.person("ana").await
    }

    async fn connect(&self) {
        let ana = self.ana().await;
        let away = ana.leave_from_connections("acme").await;
        let callback = self.acme.has_account("ana").consent(&away).await;
        ana.open(callback.as_str()).await.assert_connected();
    }

    fn gateway(&self) -> &Gateway {
        self.gateway.app().gateway()
    }

    /// Turns the clock, and waits until all that is due then was done.
    async fn later(&self, by: Duration) {
        self.clock.advance(by);
        self.gateway().do_due_work().await.unwrap();
        for webhook in self.gateway().webhooks() {
            self.gateway().deliver(webhook).await.unwrap();
        }
    }

    /// The warnings that were told so far.
    fn warnings(&self) -> Vec<Received> {
        let mut received = self.ops.received();
        received.retain(|event| event.kind() == "connection.about_to_expire");
        received
    }

    async fn page(&self) -> String {
        self.ana().await.open("/connections").await.text
    }

    /// What an agent reads of it.
    async fn agent_reads(&self) -> serde_json::Value {
        let answer = self
            .ana()
            .await
            .call("attache_connections", json!({}))
            .await;
        answer.result()["structuredContent"]["services"][0].clone()
    }

    async fn command(&self, command: Command) -> Answer {
        let started = self
            .gateway()
            .startup_caller("attache:test", "ana", "ana", "ana's agent");
        let (owner, _) = started.await.unwrap();
        run(self.gateway(), &owner, command).await
    }

    /// What `attache connections` shows.
    async fn line(&self) -> ConnectionLine {
        let Answer::Connections(lines) = self.command(Command::Connections).await else {
            panic!("lines");
        };
        lines
            .into_iter()
            .find(|line| line.service == "acme")
            .unwrap()
    }

    /// What `attache doctor` asks for.
    async fn endings(&self) -> usize {
        match self.command(Command::EndingSoon).await {
            Answer::EndingSoon(found) => found.endings.len(),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_connection_that_renews_itself_says_so_and_nobody_is_warned() {
    let house = House::new("rotates = \"never\"", |_| {}).await;
    assert!(house.page().await.contains("Renews itself"));
    let line = house.line().await;
    assert_eq!((line.renews_itself, line.ends), (Some(true), None));
    assert_eq!(house.agent_reads().await.get("ends"), None);
    assert_eq!(house.endings().await, 0);
    let event = house.ops.arrived(1).await.remove(0);
    assert_eq!(event.body["data"].get("ends"), None);
}

#[tokio::test]
async fn a_grant_with_an_end_is_shown_early_and_told_once_a_week_before() {
    let rules = format!("rotates = \"never\"\nabsolute_ttl_s = {}", 90 * 86_400);
    let house = House::new(&rules, |acme| {
        acme.access_tokens_last(DAY * 1_000);
    })
    .await;
    let end = (START + DAY * 90).to_string();
    let page = house.page().await;
    assert!(
        page.contains("Ends") && page.contains("on 21 February 2027"),
        "{page}"
    );
    assert!(!page.contains("data-ends"), "there is time");
    let line = house.line().await;
    assert_eq!(line.ends.as_deref(), Some(end.as_str()));
    assert_eq!(line.ends_because.as_deref(), Some("grant_too_old"));
    assert_eq!(house.agent_reads().await.get("ends"), None);
    assert_eq!(house.ops.arrived(1).await[0].body["data"]["ends"], end);

    house.later(DAY * 77).await;
    assert_eq!(
        house.endings().await,
        1,
        "the doctor tells two weeks before"
    );
    house.later(Duration::from_hours(6 * 24 - 1)).await;
    assert_eq!(house.warnings().len(), 0);
    house.later(Duration::from_hours(1)).await;
    let warnings = house.warnings();
    let data = &warnings[0].body["data"];
    assert_eq!(
        (&data["ends"], &data["reason"]),
        (&json!(end), &json!("grant_too_old"))
    );
    assert_eq!(data["status"], "connected");
    let page = house.page().await;
    assert!(page.contains(&format!("data-ends=\"{end}\"")), "{page}");
    assert!(page.contains("reconnect before") && page.contains("id=\"renew-acme\""));
    assert_eq!(house.agent_reads().await["ends"], end);
    house.later(DAY).await;
    house.later(DAY).await;
    assert_eq!(house.warnings().len(), 1, "once for each end");

    // Connected again: another end, and another warning for it.
    house.connect().await;
    let line = house.line().await;
    assert_eq!(line.ends, Some((START + DAY * (85 + 90)).to_string()));
    assert!(!house.page().await.contains("data-ends"));
    house.later(DAY * 83).await;
    assert_eq!(house.warnings().len(), 2);
}

#[tokio::test]
async fn a_token_that_nothing_renews_is_told_a_fifth_of_its_life_before() {
    let house = House::new("rotates = \"never\"", |acme| {
        acme.gives_no_refresh_token().access_tokens_last(DAY * 5);
    })
    .await;
    let line = house.line().await;
    assert_eq!(line.ends_because.as_deref(), Some("refresh_token_missing"));
    house.later(Duration::from_mins(4 * 24 * 60 - 2)).await;
    assert_eq!(house.warnings().len(), 0);
    house.later(Duration::from_mins(2)).await;
    assert_eq!(house.warnings().len(), 1);
    // The warning outlives a restart: the same event, not another one.
    house.later(Duration::from_hours(1)).await;
    assert_eq!(house.warnings().len(), 1);
}

#[tokio::test]
async fn what_was_disconnected_is_not_warned_of() {
    let house = House::new("rotates = \"never\"", |acme| {
        acme.gives_no_refresh_token().access_tokens_last(DAY * 5);
    })
    .await;
    let Answer::Disconnected(_) = house
        .command(Command::Disconnect {
            service: "acme".into(),
        })
        .await
    else {
        panic!("it was connected");
    };
    house.later(DAY * 4 + Duration::from_hours(1)).await;
    assert_eq!((house.warnings().len(), house.endings().await), (0, 0));
    assert_eq!(house.line().await.ends, None);
}
