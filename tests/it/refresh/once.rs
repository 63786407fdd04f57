//! One refresh, however many want it.

use std::sync::Arc;

use attache::gateway::CallError;
use attache::identity::Caller;
use futures::future::join_all;
use serde_json::{Map, json};

use super::{HOUR, Scene};
use crate::support::bare::{Machine, Someone};
use crate::support::gateway::clock;
use crate::support::provider::Provider;

async fn anas_caller(scene: &Scene) -> Arc<Caller> {
    let gateway = scene.gateway.app().gateway();
    let (caller, _) = gateway
        .startup_caller("attache:test", "ana", "ana", "ana's agent")
        .await
        .expect("the store works");
    Arc::new(caller)
}

/// Row R-01, at the layer where no client can be the bottleneck: all callers are under way before the token endpoint
/// answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_callers_with_one_expired_token_cost_one_refresh() {
    const CALLERS: usize = 10_000;
    let scene = Scene::strict().await;
    let caller = anas_caller(&scene).await;
    scene.clock().advance(HOUR);
    let slow = scene.acme.is_slow_to_answer("/token");
    let calls: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (gateway, caller) = (scene.gateway.app().gateway().clone(), Arc::clone(&caller));
            tokio::spawn(async move {
                // Nothing is asked of the API: the answer is that of the credential alone.
                gateway.call_tool(&caller, "acme_whoami", &Map::new()).await
            })
        })
        .collect();
    slow.reached_by(1).await;
    drop(slow);
    let mut answered = 0;
    for call in join_all(calls).await {
        let output = call.expect("no panic").expect("an answer");
        answered += usize::from(output.text.contains("ana"));
    }
    assert_eq!((answered, scene.refreshes()), (CALLERS, 1));
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_no_lease_behind() {
    let scene = Scene::strict().await;
    scene.clock().advance(HOUR);
    let slow = scene.acme.is_slow_to_answer("/token");
    let caller = anas_caller(&scene).await;
    let gateway = scene.gateway.app().gateway().clone();
    let impatient =
        tokio::spawn(async move { gateway.call_tool(&caller, "acme_whoami", &Map::new()).await });
    slow.reached_by(1).await;
    impatient.abort();
    assert!(impatient.await.unwrap_err().is_cancelled());
    drop(slow);
    scene.assert_works().await;
    assert_eq!(
        scene.refreshes(),
        1,
        "the renewal went on without its caller"
    );
}

#[tokio::test]
async fn a_gateway_that_stops_finishes_the_renewal_under_way() {
    let scene = Scene::strict().await;
    scene.clock().advance(HOUR);
    let slow = scene.acme.is_slow_to_answer("/token");
    let caller = anas_caller(&scene).await;
    let gateway = scene.gateway.app().gateway().clone();
    let call =
        tokio::spawn(async move { gateway.call_tool(&caller, "acme_whoami", &Map::new()).await });
    slow.reached_by(1).await;
    let restart = tokio::spawn(scene.restarted());
    drop(slow);
    let scene = restart.await.expect("it stops and starts");
    // The call itself may have been cut off by the end; the token was not.
    let _: Result<_, CallError> = call.await.expect("no panic");
    scene.assert_works().await;
    assert_eq!(scene.refreshes(), 1);
}

#[tokio::test]
async fn listing_and_looking_around_never_wait_for_a_renewal() {
    let scene = Scene::strict().await;
    scene.clock().advance(HOUR);
    let _never = scene.acme.is_slow_to_answer("/token");
    let tools = scene.ana.tools().await;
    assert!(tools.iter().any(|tool| tool["name"] == "acme_whoami"));
    scene.assert_card("active").await;
    let connections = scene.ana.call("attache_connections", json!({})).await;
    assert!(
        connections.text().contains("ana@"),
        "{:#}",
        connections.body
    );
    let connect = scene
        .ana
        .call("attache_connect", json!({ "services": ["acme"] }))
        .await;
    assert!(!connect.text().contains("/connect/"), "{:#}", connect.body);
    assert_eq!(scene.refreshes(), 0);
}

/// Row R-02: a thousand connections whose tokens end in the same moment.
#[test]
fn a_thousand_connections_cost_one_refresh_each() {
    const CONNECTIONS: usize = 1_000;
    const AT_ONCE: usize = 32;
    let clock = clock();
    let acme = Provider::start(&clock);
    acme.rotates_refresh_tokens();
    let machine = Machine::new(&clock, &acme);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let gateway = runtime.block_on(async { machine.start() });
    let people: Vec<_> = runtime.block_on(async {
        let mut people = Vec::new();
        for number in 0..CONNECTIONS {
            let name = format!("person{number}");
            let person = Someone::named(&gateway, &name).await;
            let connected = person.connect(&gateway, &acme, &name).await;
            connected.unwrap_or_else(|error| panic!("{name}: {error:?}"));
            people.push((name, person));
        }
        people
    });
    clock.advance(HOUR);
    let before = acme.token_requests().len();
    let slow = acme.is_slow_to_answer("/token");
    runtime.block_on(async {
        let calls = join_all(people.iter().map(async |(name, person)| {
            let output = person
                .call(&gateway, "acme_whoami")
                .await
                .expect("an answer");
            assert!(output.text.contains(&format!("{name}@")), "{}", output.text);
        }));
        tokio::join!(calls, async {
            slow.reached_by(AT_ONCE).await;
            // The rest wait their turn here, not there.
            assert_eq!(slow.arrived(), AT_ONCE);
            slow.release();
        });
    });
    assert_eq!(acme.token_requests().len() - before, CONNECTIONS);
}

/// Row R-01: and so on, a hundred times, without ever losing the connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_rounds_lose_nothing() {
    const CALLERS: usize = 50;
    let clock = clock();
    let acme = Provider::start(&clock);
    acme.rotates_refresh_tokens();
    let gateway = Machine::new(&clock, &acme).start();
    let ana = Someone::named(&gateway, "ana").await;
    ana.connect(&gateway, &acme, "ana")
        .await
        .expect("a connection");
    let before = acme.token_requests().len();
    for round in 1..=100 {
        clock.advance(HOUR);
        for answer in join_all((0..CALLERS).map(|_| ana.call(&gateway, "acme_whoami"))).await {
            assert!(answer.expect("an answer").text.contains("ana@"));
        }
        assert_eq!(acme.token_requests().len() - before, round);
    }
}
