//! Disconnecting everything at once (S-36), from the command line and below it.

use attache::app::control::{self, Answer, Command, ReceiptLine};
use attache::gateway::Gateway;
use attache::identity::Caller;

use super::*;

async fn owner(gateway: &Gateway) -> Caller {
    let caller = gateway
        .startup_caller("attache:test", "ana", "ana", "ana's agent")
        .await;
    caller.expect("the store works").0
}

async fn run(gateway: &TestGateway, service: Option<&str>, person: Option<&str>) -> Answer {
    let gateway = gateway.app().gateway();
    let command = Command::DisconnectAll {
        service: service.map(str::to_owned),
        person: person.map(str::to_owned),
    };
    control::run(gateway, &owner(gateway).await, command).await
}

fn lines(answer: Answer) -> Vec<ReceiptLine> {
    match answer {
        Answer::Disconnected(mut lines) => {
            lines.sort_by(|one, other| one.account.cmp(&other.account));
            lines
        }
        other => panic!("{other:?}"),
    }
}

struct Crowd {
    acme: Provider,
    bolt: Provider,
    gateway: TestGateway,
    ana: Person,
    ben: Person,
}

/// Ana and Ben, both connected to both of two services.
async fn crowd() -> Crowd {
    let clock = clock();
    let acme = Provider::start(&clock);
    let bolt = Provider::start_named("bolt", &clock);
    let gateway = TestGateway::start(&clock, &[&acme, &bolt]).await;
    let ana = connected(&gateway, &acme, "ana").await;
    connected(&gateway, &bolt, "ana").await;
    let ben = connected(&gateway, &acme, "ben").await;
    connected(&gateway, &bolt, "ben").await;
    Crowd {
        acme,
        bolt,
        gateway,
        ana,
        ben,
    }
}

#[tokio::test]
async fn everything_ends_with_a_line_for_each() {
    let crowd = crowd().await;
    crowd.bolt.revocation_is_down();
    let lines = lines(run(&crowd.gateway, None, None).await);
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            let person = line.person.as_deref().unwrap_or_default();
            (person, line.account.as_str(), line.at_provider.as_str())
        })
        .collect();
    let expected = [
        ("ana", "ana@acme.test", "confirmed"),
        ("ana", "ana@bolt.test", "pending"),
        ("ben", "ben@acme.test", "confirmed"),
        ("ben", "ben@bolt.test", "pending"),
    ];
    assert_eq!(told, expected);
    let page = crowd.ben.open("/connections").await;
    assert!(page.text.contains("An administrator disconnected it"));
    let page = crowd.ana.open("/connections").await;
    assert!(page.text.contains("You disconnected it"));
    assert_eq!(page.card("bolt"), "revoking");

    crowd.bolt.recovers();
    crowd.gateway.clock().advance(2 * MINUTE);
    let due = crowd.gateway.app().gateway().do_due_work().await;
    due.expect("the store works");
    for person in ["ana", "ben"] {
        assert_eq!(crowd.bolt.live_grants_of(person), 0);
        assert_eq!(crowd.acme.live_grants_of(person), 0);
    }
    let again = run(&crowd.gateway, None, None).await;
    assert!(matches!(again, Answer::Refused(_)), "{again:?}");
}

#[tokio::test]
async fn one_service_or_one_person_ends_and_the_rest_stays() {
    let crowd = crowd().await;
    let of_bolt = lines(run(&crowd.gateway, Some("bolt"), None).await);
    assert_eq!(of_bolt.len(), 2);
    assert!(of_bolt.iter().all(|line| line.service == "bolt"));
    let of_ben = lines(run(&crowd.gateway, None, Some("ben")).await);
    assert_eq!(of_ben.len(), 1);
    assert_eq!(of_ben[0].account, "ben@acme.test");
    let answer = crowd.ana.call("acme_whoami", json!({})).await;
    assert_eq!(answer.json()["name"], "ana");
    let nobody = run(&crowd.gateway, None, Some("cleo")).await;
    assert!(matches!(nobody, Answer::Refused(_)), "{nobody:?}");
}

/// A provider that is down is asked for a few of very many, not for each.
#[tokio::test]
async fn a_provider_that_is_down_is_not_asked_for_each_of_very_many() {
    let clock = clock();
    let acme = Provider::start(&clock);
    let gateway = TestGateway::start(&clock, &[&acme]).await;
    connected(&gateway, &acme, "ana").await;
    let gateway = many(gateway, &acme, 300).await;
    let ana = gateway.person("ana").await;
    acme.revocation_is_down();
    let ended = lines(run(&gateway, None, None).await);
    assert_eq!(ended.len(), 301);
    assert!(ended.iter().all(|line| line.at_provider == "pending"));
    let asked = acme.revocation_requests().len();
    assert!(asked <= 2 * 64, "{asked} requests");
    let page = ana.open("/connections").await;
    assert_eq!(page.card("acme"), "revoking");
}

/// The figure of S-36: `cargo nextest run --run-ignored only ten_thousand --no-capture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a figure, not a test of behaviour; it takes a while"]
async fn ten_thousand_connections() {
    const MANY: usize = 10_000;
    let clock = clock();
    let acme = Provider::start(&clock);
    let gateway = TestGateway::start(&clock, &[&acme]).await;
    connected(&gateway, &acme, "ana").await;
    let gateway = many(gateway, &acme, MANY - 1).await;
    let begun = gateway_time();
    let ended = lines(run(&gateway, None, None).await);
    let took = gateway_time().saturating_sub(begun);
    let count = |state: &str| {
        ended
            .iter()
            .filter(|line| line.at_provider == state)
            .count()
    };
    println!(
        "disconnect --all of {} connections: {:.1} s; confirmed {}, pending {}, failed {}; {} requests at the provider",
        ended.len(),
        took.as_secs_f64(),
        count("confirmed"),
        count("pending"),
        count("failed"),
        acme.revocation_requests().len() + acme.api_requests().len(),
    );
    assert_eq!(ended.len(), MANY);
    assert_eq!(count("failed"), 0);
}

fn gateway_time() -> Duration {
    attache::base::Clock::System.monotonic()
}

/// More connections, each of a person of its own, with tokens that the provider does not know and so takes as revoked.
async fn many(gateway: TestGateway, acme: &Provider, count: usize) -> TestGateway {
    let random = attache::base::Random::seeded(5);
    gateway
        .at_rest(&[acme], async |store| {
            let known = store.connections().list("", 1).await.expect("a store");
            let pattern = known.whole().expect("readable").remove(0).value;
            let store = store.clone();
            let made = (0..count).map(|number| {
                let (store, mut connection) = (store.clone(), pattern.clone());
                connection.id = ConnectionId::new(&random);
                connection.person = attache::base::PersonId::new(&random);
                connection.account.id = number.to_string();
                async move { write(&store, connection, number).await }
            });
            futures::stream::StreamExt::for_each_concurrent(
                futures::stream::iter(made),
                256,
                |written| written,
            )
            .await;
        })
        .await
}

async fn write(store: &Store, connection: attache::connection::Connection, number: usize) {
    let key = format!("{}/{}", connection.person, connection.id);
    let credential = attache::connection::Credential {
        access_token: attache::base::Secret::new(format!("access-{number}")),
        refresh_token: Some(attache::base::Secret::new(format!("refresh-{number}"))),
        obtained: connection.since,
        expires: None,
        refresh_expires: None,
        generation: 1,
        intent: None,
    };
    let written = store.credentials().create(&key, &credential).await;
    written.expect("a store");
    let written = store.connections().create(&key, &connection).await;
    written.expect("a store");
}
