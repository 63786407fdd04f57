//! Events: what is told, to whom, how often, and what a receiver can rely on.

use std::time::Duration;

use attache::app::control::{Answer, Command, run};
use attache::base::{Clock, PersonId};
use attache::config::Config;
use attache::gateway::Gateway;
use attache::identity::Caller;
use serde_json::{Value, json};

use crate::support::gateway::{START, TestGateway, clock};
use crate::support::person::Person;
use crate::support::program::{self, Program};
use crate::support::provider::{CANARY, Provider};
use crate::support::receiver::{Received, Receiver, SECRET};

/// A gateway with the provider `acme` and one webhook, `ops`.
struct House {
    clock: Clock,
    acme: Provider,
    ops: Receiver,
    gateway: TestGateway,
}

impl House {
    async fn new() -> Self {
        let (clock, ops) = (clock(), Receiver::start().await);
        let acme = Provider::start(&clock);
        let gateway =
            TestGateway::start_configured(&clock, &[&acme], |config| ops.set_up(config, "ops"))
                .await;
        Self {
            clock,
            acme,
            ops,
            gateway,
        }
    }

    fn gateway(&self) -> &Gateway {
        self.gateway.app().gateway()
    }

    /// Connects `acme` for `name`.
    async fn connect(&self, name: &str) -> Person {
        let person = self.gateway.person(name).await;
        connect(&person, &self.acme).await;
        person
    }

    /// Turns the clock, and waits until all that is due then was tried.
    async fn later(&self, by: Duration) {
        self.clock.advance(by);
        for webhook in self.gateway().webhooks() {
            self.gateway()
                .deliver(webhook)
                .await
                .expect("the store works");
        }
    }

    async fn restart(self, change: impl FnOnce(&mut Config, &Receiver)) -> Self {
        let Self {
            clock,
            acme,
            ops,
            gateway,
        } = self;
        let gateway = gateway
            .restart_configured(&[&acme], |config| change(config, &ops))
            .await;
        Self {
            clock,
            acme,
            ops,
            gateway,
        }
    }

    /// What `attache webhooks` and its subcommands get.
    async fn command(&self, command: Command) -> Answer {
        run(self.gateway(), &self.owner().await, command).await
    }

    async fn owner(&self) -> Caller {
        let started = self
            .gateway()
            .startup_caller("attache:test", "owner", "owner", "agent");
        started.await.expect("the store works").0
    }

    /// The log, as scripts see it.
    async fn log(&self) -> Value {
        match self.command(Command::Webhooks).await {
            Answer::Webhooks(report) => serde_json::to_value(report).expect("JSON"),
            other => panic!("{other:?}"),
        }
    }
}

async fn connect(person: &Person, acme: &Provider) {
    let away = person.leave_from_connections("acme").await;
    let callback = acme.has_account(&person.name).consent(&away).await;
    person.open(callback.as_str()).await.assert_connected();
}

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn a_connection_is_told_of_from_its_beginning_to_its_end() {
    let house = House::new().await;
    let ana = house.connect("ana").await;
    // Nobody turned the clock: an event goes out at once.
    house.ops.arrived(1).await;
    house.acme.access_is_removed_by("ana");
    ana.call("acme_whoami", json!({})).await.link();
    house.ops.arrived(2).await;
    house.later(HOUR).await;
    connect(&ana, &house.acme).await;
    house.ops.arrived(3).await;
    ana.disconnect().await;
    let events = house.ops.arrived(4).await;

    let kinds: Vec<_> = events.iter().map(|event| event.kind().to_owned()).collect();
    let expected = ["connected", "expired", "connected", "revoked"];
    assert_eq!(kinds, expected.map(|kind| format!("connection.{kind}")));
    let data: Vec<_> = events.iter().map(|event| &event.body["data"]).collect();
    let statuses: Vec<_> = data.iter().map(|data| data["status"].clone()).collect();
    assert_eq!(
        statuses,
        ["connected", "expired", "connected", "disconnected"]
    );
    assert_eq!(data[0].get("reason"), None);
    assert_eq!(data[1]["reason"], "refused_by_provider");
    assert_eq!(data[3]["reason"], "disconnected_by_user");
    for (event, data) in events.iter().zip(&data) {
        assert_eq!(data["service"], "acme");
        assert_eq!(data["connection"], events[0].body["data"]["connection"]);
        assert!(data["person"].as_str().unwrap().starts_with("per_"));
        assert_eq!(data["since"], event.body["timestamp"]);
        assert!(event.id.starts_with("evt_"), "{}", event.id);
        // The account is personal data, and nobody asked for it; secrets are never there.
        for hidden in [CANARY, SECRET, "ana@", "account"] {
            assert!(!event.text.contains(hidden), "{hidden}: {}", event.text);
        }
    }
    assert_eq!(events[0].body["timestamp"], START.to_string());
    let mut ids: Vec<_> = events.iter().map(|event| &event.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4, "each event has an identifier of its own");
}

#[tokio::test]
async fn a_webhook_gets_the_kinds_and_the_account_that_it_asks_for() {
    let (clock, ops, own) = (clock(), Receiver::start().await, Receiver::start().await);
    let acme = Provider::start(&clock);
    let gateway = TestGateway::start_configured(&clock, &[&acme], |config| {
        ops.set_up(config, "ops");
        own.set_up_with(config, "own", |settings| {
            settings.events = Some(vec!["connection.revoked".into()]);
            settings.with_account = true;
        });
    })
    .await;
    let ana = gateway.person("ana").await;
    connect(&ana, &acme).await;
    ana.disconnect().await;
    let told = ops.arrived(2).await;
    let owns = own.arrived(1).await;
    assert_eq!(owns[0].kind(), "connection.revoked");
    let account = owns[0].body["data"]["account"].as_str().unwrap();
    assert!(account.starts_with("ana@"), "{account}");
    let same = told
        .iter()
        .find(|event| event.kind() == "connection.revoked");
    assert_eq!(
        same.unwrap().id,
        owns[0].id,
        "one event, however many receivers"
    );
}

#[tokio::test]
async fn what_a_receiver_does_not_take_is_sent_again_under_the_same_name() {
    let house = House::new().await;
    let later = [("retry-after", "600".to_owned())];
    house.ops.answers(1, 500).answers_with(1, 503, &later);
    house.connect("ana").await;
    house.ops.arrived(1).await;
    // The first pause is five seconds and up to a tenth more.
    house.later(Duration::from_secs(4)).await;
    house.ops.arrived(1).await;
    house.later(Duration::from_secs(2)).await;
    house.ops.arrived(2).await;
    // The next would be five minutes; the receiver wants ten.
    house.later(Duration::from_secs(599)).await;
    house.ops.arrived(2).await;
    house.later(Duration::from_secs(1)).await;
    let tries = house.ops.arrived(3).await;
    for again in &tries {
        assert_eq!((&again.id, &again.text), (&tries[0].id, &tries[0].text));
    }
    let sent: Vec<_> = tries
        .iter()
        .map(|event| event.sent - START.as_unix())
        .collect();
    assert_eq!(sent, [0, 6, 606], "each attempt is signed at its own time");
    house.later(HOUR * 100).await;
    house.ops.arrived(3).await;

    let log = house.log().await;
    assert_eq!(log["webhooks"][0]["origin"], house.ops.url(""));
    let line = &log["deliveries"][0];
    assert_eq!(
        (&line["status"], &line["webhook"]),
        (&json!("delivered"), &json!("ops"))
    );
    let attempts = line["attempts"].as_array().unwrap().iter();
    let statuses: Vec<_> = attempts.map(|attempt| attempt["status"].clone()).collect();
    assert_eq!(statuses, [500, 503, 204]);
    assert!(
        !log.to_string().contains("/hooks"),
        "the path may be a secret"
    );
}

#[tokio::test]
async fn a_receiver_that_never_takes_it_is_given_up_and_can_have_it_again() {
    let house = House::new().await;
    house.ops.answers(11, 500);
    house.connect("ana").await;
    house.ops.arrived(1).await;
    for tries in 2..=10 {
        house.later(HOUR * 27).await;
        house.ops.arrived(tries).await;
    }
    house.later(HOUR * 27).await;
    let id = house.ops.arrived(10).await[0].id.clone();
    assert_eq!(house.log().await["deliveries"][0]["status"], "given_up");

    let resend = || house.command(Command::ResendEvent { id: id.clone() });
    let Answer::Resent(lines) = resend().await else {
        panic!("it was sent");
    };
    assert_eq!(
        (lines[0].status.as_str(), lines[0].attempts.len()),
        ("waiting", 11)
    );
    let Answer::Resent(lines) = resend().await else {
        panic!("it was sent");
    };
    assert_eq!(lines[0].status, "delivered");
    assert!(
        house
            .ops
            .arrived(12)
            .await
            .iter()
            .all(|event| event.id == id)
    );
    // What was left of the first resending does not send it once more.
    house.later(HOUR).await;
    house.ops.arrived(12).await;
    let unknown = house
        .command(Command::ResendEvent { id: "evt_x".into() })
        .await;
    assert!(matches!(unknown, Answer::Refused(_)), "{unknown:?}");
}

#[tokio::test]
async fn a_receiver_that_says_gone_gets_nothing_until_it_takes_a_test() {
    let house = House::new().await;
    house.ops.answers(1, 410);
    let ana = house.connect("ana").await;
    house.ops.arrived(1).await;
    house.later(HOUR).await;
    ana.disconnect().await;
    house.later(HOUR).await;
    house.ops.arrived(1).await;
    let log = house.log().await;
    assert_eq!(log["webhooks"][0]["gone_since"], START.to_string());
    for line in log["deliveries"].as_array().unwrap() {
        assert_eq!(line["status"], "given_up");
    }
    let test = || house.command(Command::TestWebhooks { name: None });
    house.ops.answers(1, 410);
    let Answer::WebhookTests(lines) = test().await else {
        panic!("it was sent");
    };
    assert_eq!(
        (lines[0].delivered, lines[0].attempt.status),
        (false, Some(410))
    );
    let Answer::WebhookTests(lines) = test().await else {
        panic!("it was sent");
    };
    assert!(lines[0].delivered);
    connect(&ana, &house.acme).await;
    let events = house.ops.arrived(4).await;
    let kinds: Vec<_> = events.iter().map(Received::kind).collect();
    let expected = [
        "connection.connected",
        "attache.test",
        "attache.test",
        "connection.connected",
    ];
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let house = House::new().await;
    let elsewhere = [("location", house.ops.url("/elsewhere"))];
    house.ops.answers_with(1, 307, &elsewhere);
    house.connect("ana").await;
    house.ops.arrived(1).await;
    house.later(Duration::from_secs(6)).await;
    let events = house.ops.arrived(2).await;
    assert!(
        events.iter().all(|event| event.path == "/hooks"),
        "{events:#?}"
    );
}

#[tokio::test]
async fn a_slow_receiver_holds_nothing_up() {
    let (clock, slow, quick) = (clock(), Receiver::start().await, Receiver::start().await);
    let acme = Provider::start(&clock);
    let gateway = TestGateway::start_configured(&clock, &[&acme], |config| {
        slow.set_up(config, "slow");
        quick.set_up(config, "quick");
    })
    .await;
    slow.is_silent();
    let ana = gateway.person("ana").await;
    connect(&ana, &acme).await;
    slow.arrived(1).await;
    // It waits for its answer, and calls, pages, due work and the other receiver go on.
    let called = ana.call("acme_whoami", json!({})).await;
    assert_eq!(called.json()["name"], "ana");
    gateway.app().gateway().do_due_work().await.unwrap();
    ana.disconnect().await;
    quick.arrived(2).await;
    slow.answers_again();
    slow.arrived(2).await;
}

#[tokio::test]
async fn what_waits_outlives_the_gateway() {
    let house = House::new().await;
    house.ops.answers(1, 500);
    house.connect("ana").await;
    let first = house.ops.arrived(1).await;
    let house = house.restart(|config, ops| ops.set_up(config, "ops")).await;
    house.later(HOUR).await;
    let events = house.ops.arrived(2).await;
    assert_eq!(events[1].id, first[0].id);
    // Also one that ends while it waits for an answer: it may come twice, and never not at all.
    house.ops.is_silent();
    let ben = house.connect("ben").await;
    house.ops.arrived(3).await;
    drop(ben);
    let house = house.restart(|config, ops| ops.set_up(config, "ops")).await;
    house.ops.answers_again();
    let events = house.ops.arrived(4).await;
    assert_eq!(
        (&events[3].id, &events[3].text),
        (&events[2].id, &events[2].text)
    );
}

#[tokio::test]
async fn an_address_inside_is_not_reached_whatever_the_webhook_says() {
    let house = House::new().await;
    // As when a name leads somewhere else than it did when the configuration was read.
    let house = house
        .restart(|config, ops| {
            ops.set_up(config, "ops");
            config.egress.dangerously_allow_loopback.pop();
        })
        .await;
    house.connect("ana").await;
    house.later(HOUR).await;
    assert_eq!(house.ops.received().len(), 0);
    let log = house.log().await;
    let attempt = &log["deliveries"][0]["attempts"][0];
    let failure = attempt["failure"].as_str().unwrap();
    assert!(failure.contains("does not connect to"), "{failure}");
}

/// Whoever keeps something of theirs must learn that it goes; after that nothing tells of them.
#[tokio::test]
async fn what_was_told_of_a_person_who_left_is_destroyed_once_their_end_is_told() {
    let house = House::new().await;
    house.connect("ben").await;
    house.connect("ana").await;
    let told = house.ops.arrived(2).await;
    house.later(HOUR).await;
    house.ops.answers(1, 500);
    let ana = told[1].body["data"]["person"].as_str().unwrap();
    let ana = PersonId::parse(ana).expect("an identifier");
    let owner = house.owner().await;
    let removed = house.gateway().remove_person(&owner.principal, &ana).await;
    removed.expect("removed");
    house.ops.arrived(3).await;
    let kinds = async || -> Vec<Value> {
        let log = house.log().await;
        let lines = log["deliveries"].as_array().unwrap().iter();
        lines.map(|line| line["type"].clone()).collect()
    };
    assert_eq!(
        kinds().await,
        ["connection.revoked", "connection.connected"]
    );
    house.later(Duration::from_secs(6)).await;
    let told = house.ops.arrived(4).await;
    assert_eq!(told[3].kind(), "connection.revoked");
    assert_eq!(told[3].body["data"]["person"], ana.as_str());
    house.clock.advance(HOUR);
    let due = house.gateway().do_due_work().await;
    due.expect("the store works");
    assert_eq!(kinds().await, ["connection.connected"], "that of Ben");
}

#[tokio::test]
async fn without_webhooks_nothing_is_written() {
    let house = House::new().await;
    let house = house.restart(|_, _| {}).await;
    house.connect("ana").await;
    let house = house.restart(|config, ops| ops.set_up(config, "ops")).await;
    house.later(HOUR).await;
    assert_eq!(house.log().await["deliveries"], json!([]));
    assert_eq!(house.ops.received().len(), 0);
}

/// The whole program, as an operator uses it.
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_tests_a_webhook_and_sees_what_was_sent() {
    let (ops, folder) = (Receiver::start().await, tempfile::tempdir().unwrap());
    let url = ops.url("/hooks");
    let authority = ops.url("").replace("http://", "");
    let file = folder.path().join("attache.toml");
    let text = format!(
        "[egress]\ndangerously_allow_loopback = ['{authority}']\n[webhooks.ops]\nurl = '{url}'\nsecret = '{SECRET}'\n"
    );
    std::fs::write(&file, text).unwrap();
    let data = folder.path().join("data");
    let places = [
        "--config",
        file.to_str().unwrap(),
        "--data-dir",
        data.to_str().unwrap(),
    ];
    let bind = ["--bind", "127.0.0.1:0"];
    let attache = |arguments: &[&str]| program::run(&[arguments, &places].concat());

    let offline = attache(&["webhooks", "test"]);
    assert_eq!(offline.status, Some(0), "{}", offline.stderr);
    assert!(
        offline.stdout.contains("answered 204"),
        "{}",
        offline.stdout
    );

    let serve = [&["serve", "--json"], &places[..], &bind[..]].concat();
    let _running = Program::start(&serve).await;
    ops.answers(1, 500);
    let refused = attache(&["webhooks", "test", "ops", "--json"]);
    assert_eq!(refused.status, Some(1));
    let told: Value = serde_json::from_str(&refused.stdout).unwrap();
    assert_eq!(
        (&told[0]["webhook"], &told[0]["delivered"]),
        (&json!("ops"), &json!(false))
    );
    assert_eq!(told[0]["attempt"]["status"], 500);
    assert_eq!(ops.arrived(2).await[1].kind(), "attache.test");

    let list = attache(&["webhooks"]);
    assert!(
        list.stdout.starts_with("ops ") && !list.stdout.contains("/hooks"),
        "{}",
        list.stdout
    );
    assert_eq!(attache(&["webhooks", "test", "opps"]).status, Some(2));
    assert_eq!(attache(&["webhooks", "resend", "evt_x"]).status, Some(2));
    let doctor = attache(&["doctor", "--json"]);
    let findings: Value = serde_json::from_str(&doctor.stdout).unwrap();
    let mut findings = findings.as_array().unwrap().iter();
    let ending = findings
        .find(|finding| finding["check"] == "ending")
        .unwrap();
    assert_eq!(ending["status"], "ok", "{ending:#}");
    for shown in [refused.stdout, list.stdout, doctor.stdout] {
        assert!(!shown.contains(SECRET));
    }
}
