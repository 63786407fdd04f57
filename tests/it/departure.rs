//! Removing a person destroys everything of theirs, and nothing of anybody else's.

use std::time::Duration;

use attache::base::PersonId;
use attache::gateway::RemovePersonError;
use attache::identity::{AgentTerms, Principal};
use attache::store::Store;
use serde_json::json;

use crate::support::gateway::{TestGateway, gateway_with_acme};
use crate::support::machine::Machine;
use crate::support::person::Person;
use crate::support::provider::Provider;

const MINUTES: Duration = Duration::from_mins(2);

/// Ben leaves, at the wish of Ana, who stays.
struct Scene {
    acme: Provider,
    gateway: TestGateway,
    ana: Person,
    ben: Person,
}

async fn scene() -> Scene {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = connect(&gateway, &acme, "ana").await;
    let ben = connect(&gateway, &acme, "ben").await;
    // A link that waits, a flow that is under way, a sign-in link that nobody has used, a second agent.
    ben.leave_from_connections("acme").await;
    let principal = principal(&gateway, "ben").await;
    let parts = gateway.app().gateway();
    parts
        .create_sign_in_link(&principal)
        .await
        .expect("a store");
    parts
        .add_agent(&principal, "Second", AgentTerms::default())
        .await
        .expect("a store");
    let caller = parts
        .startup_caller("attache:test", "ben", "ben", "ben's agent")
        .await;
    let (caller, _) = caller.expect("a store");
    let link = parts.connect_link_for_service(&caller, "acme").await;
    link.expect("a link");
    Scene {
        acme,
        gateway,
        ana,
        ben,
    }
}

async fn connect(gateway: &TestGateway, acme: &Provider, name: &str) -> Person {
    let person = gateway.person(name).await;
    let link = person.call("acme_whoami", json!({})).await.link();
    person.connect(&link, acme).await.assert_connected();
    person
}

async fn principal(gateway: &TestGateway, name: &str) -> Principal {
    let person = gateway.app().gateway().person("attache:test", name, name);
    person.await.expect("a store").as_ref().clone()
}

/// How many records of each kind are of this person: connections, credentials, agents, sessions, sign-in links, tickets,
/// authorization requests, their own record; and tombstones.
async fn belongings(store: &Store, person: &PersonId) -> ([usize; 8], usize) {
    macro_rules! count {
        ($table:ident, $value:ident => $is_theirs:expr) => {{
            let listed = store.$table().list("", 1_000).await.expect("a store");
            let records = listed.whole().expect("readable");
            records
                .iter()
                .filter(|record| {
                    let $value = &record.value;
                    record.key().starts_with(person.as_str()) || $is_theirs
                })
                .count()
        }};
    }
    let counts = [
        count!(connections, value => value.person == *person),
        count!(credentials, _value => false),
        count!(agents, value => value.person == *person),
        count!(sessions, value => value.person == *person),
        count!(sign_in_links, value => value.person == *person),
        count!(tickets, value => value.person == *person),
        count!(authorization_requests, value => value.person == *person),
        count!(people, value => value.id == *person)
            + count!(person_index, value => *value == *person),
    ];
    (counts, count!(tombstones, value => value.person == *person))
}

#[tokio::test]
async fn nothing_of_a_person_who_was_removed_is_left() {
    let scene = scene().await;
    let (ana, ben) = (
        principal(&scene.gateway, "ana").await,
        principal(&scene.gateway, "ben").await,
    );
    let Scene { acme, gateway, .. } = &scene;
    let parts = gateway.app().gateway();
    let departure = parts.remove_person(&ana, &ben.id).await.expect("removed");
    assert_eq!(departure.person.as_ref(), Some(&ben));
    assert_eq!(departure.connections.ended.len(), 1);
    assert_eq!(acme.live_grants_of("ben"), 0);
    assert!(!scene.ben.is_known().await, "his agent's token");
    let page = scene.ben.open("/connections").await;
    assert!(!page.text.contains("acme.test"), "{}", page.text);
    assert_eq!(
        scene.ana.call("acme_whoami", json!({})).await.json()["name"],
        "ana"
    );
    let again = parts.remove_person(&ana, &ben.id).await;
    assert!(
        matches!(again, Err(RemovePersonError::UnknownPerson)),
        "{again:?}"
    );
    let people = parts.people().await.expect("a store");
    assert_eq!(people.len(), 1);
    scene
        .gateway
        .at_rest(&[&scene.acme], async |store| {
            assert_eq!(belongings(store, &ben.id).await, ([0; 8], 0));
            let (of_ana, _) = belongings(store, &ana.id).await;
            assert!(of_ana[0] == 1 && of_ana[7] == 2, "{of_ana:?}");
        })
        .await;
}

#[tokio::test]
async fn what_the_provider_has_not_confirmed_is_revoked_after_the_person_is_gone() {
    let scene = scene().await;
    let (ana, ben) = (
        principal(&scene.gateway, "ana").await,
        principal(&scene.gateway, "ben").await,
    );
    scene.acme.revocation_is_down();
    let parts = scene.gateway.app().gateway();
    parts.remove_person(&ana, &ben.id).await.expect("removed");
    let Scene { acme, gateway, .. } = scene;
    let gateway = gateway
        .at_rest(&[&acme], async |store| {
            assert_eq!(belongings(store, &ben.id).await, ([0; 8], 1));
        })
        .await;
    acme.recovers();
    gateway.clock().advance(MINUTES);
    let due = gateway.app().gateway().do_due_work().await;
    due.expect("the store works");
    assert_eq!(acme.live_grants_of("ben"), 0);
    gateway
        .at_rest(&[&acme], async |store| {
            assert_eq!(belongings(store, &ben.id).await, ([0; 8], 0));
        })
        .await;
}

/// The process is killed after the person's own record went, which is when they are gone: the rest follows.
#[tokio::test]
async fn a_removal_that_was_cut_off_is_finished() {
    let scene = scene().await;
    let ben = principal(&scene.gateway, "ben").await;
    let Scene { acme, gateway, .. } = scene;
    let now = gateway.clock().now();
    let gateway = gateway
        .at_rest(&[&acme], async |store| {
            let task = format!("forget/{}", ben.id);
            store
                .note_due(now + MINUTES / 2, &task)
                .await
                .expect("a store");
            let index = store.index(&[&ben.issuer, &ben.subject]);
            store.person_index().take(&index).await.expect("a store");
            store.people().take(ben.id.as_str()).await.expect("a store");
            let (before, _) = belongings(store, &ben.id).await;
            assert!(before[..7].iter().all(|count| *count > 0), "{before:?}");
        })
        .await;
    for _ in 0..2 {
        gateway.clock().advance(MINUTES);
        let due = gateway.app().gateway().do_due_work().await;
        due.expect("the store works");
    }
    assert_eq!(acme.live_grants_of("ben"), 0);
    gateway
        .at_rest(&[&acme], async |store| {
            assert_eq!(belongings(store, &ben.id).await, ([0; 8], 0));
        })
        .await;
}

#[tokio::test]
async fn whoever_asks_cannot_remove_themselves_and_a_note_alone_removes_nobody() {
    let scene = scene().await;
    let ana = principal(&scene.gateway, "ana").await;
    let parts = scene.gateway.app().gateway();
    let refused = parts.remove_person(&ana, &ana.id).await;
    assert!(
        matches!(refused, Err(RemovePersonError::IsOneself)),
        "{refused:?}"
    );
    let Scene { acme, gateway, .. } = scene;
    let now = gateway.clock().now();
    let gateway = gateway
        .at_rest(&[&acme], async |store| {
            let task = format!("forget/{}", ana.id);
            store.note_due(now, &task).await.expect("a store");
        })
        .await;
    let due = gateway.app().gateway().do_due_work().await;
    due.expect("the store works");
    let ana = gateway.person("ana").await;
    assert_eq!(
        ana.call("acme_whoami", json!({})).await.json()["name"],
        "ana"
    );
}

/// From the terminal, on the store itself.
#[test]
fn people_are_listed_and_a_removal_must_be_meant() {
    let machine = Machine::new();
    let people = machine.json(&["people", "--json"]);
    let id = people[0]["id"].as_str().expect("an identifier").to_owned();
    assert_eq!(people[0]["connections"], 0);
    let asked = machine.run(&["people", "remove", &id]);
    assert_eq!(asked.status, Some(1));
    assert!(asked.stderr.contains("--yes"), "{}", asked.stderr);
    let refused = machine.run(&["people", "remove", &id, "--yes"]);
    assert_eq!(refused.status, Some(1));
    assert!(
        refused.stderr.contains("person of this machine"),
        "{}",
        refused.stderr
    );
    let unknown = machine.run(&["people", "remove", "nobody", "--yes"]);
    assert_eq!(unknown.status, Some(2));
    for (arguments, status) in [
        (&["disconnect"][..], 2),
        (&["disconnect", "github", "--all"], 2),
        (&["disconnect", "--service", "github"], 2),
        (&["disconnect", "--all"], 1),
        (&["disconnect", "--all", "--person", "nobody"], 2),
    ] {
        let ended = machine.run(arguments);
        assert_eq!(
            ended.status,
            Some(status),
            "{arguments:?}: {}",
            ended.stderr
        );
    }
}
