//! A product that shares the connection of its provider, at addresses that only the login says: from the token reply, and
//! from what the grant reaches.

use serde_json::{Value, json};

use crate::support::gateway::{TestGateway, clock};
use crate::support::person::Person;
use crate::support::provider::Provider;

const READ: &str = "acme_notes_read";

async fn gateway_with_sites(sites: &[(&str, &str)]) -> (Provider, TestGateway) {
    let clock = clock();
    let acme = Provider::start(&clock);
    acme.has_sites(sites);
    let gateway = TestGateway::start(&clock, &[&acme]).await;
    (acme, gateway)
}

async fn connected(gateway: &TestGateway, name: &str, acme: &Provider) -> Person {
    let person = gateway.person(name).await;
    let link = person.call(READ, json!({})).await.link();
    person.connect(&link, acme).await.assert_connected();
    person
}

fn notes(site: &str, instance: &str) -> Value {
    json!({ "site": site, "instance": instance, "person": "ana", "url": format!("https://{site}.acme.test/notes") })
}

fn paths(acme: &Provider) -> Vec<String> {
    let all = acme.requests().into_iter();
    let of_notes = all.filter(|request| request.path.contains("/at/"));
    of_notes.map(|request| request.path).collect()
}

#[tokio::test]
async fn one_site_is_used_without_a_word_and_another_after_connecting_anew() {
    let (acme, gateway) = gateway_with_sites(&[("s-1", "Garden")]).await;
    let ana = connected(&gateway, "ana", &acme).await;
    assert_eq!(ana.call(READ, json!({})).await.json(), notes("s-1", "one"));
    // What it reaches is kept with the connection: nobody asks again.
    let asked = |acme: &Provider| {
        let requests = acme.requests();
        requests
            .iter()
            .filter(|one| one.path == "/api/sites")
            .count()
    };
    assert_eq!(asked(&acme), 1);
    let gateway = gateway.restart(&[&acme]).await;
    let ana = gateway.person("ana").await;
    assert_eq!(ana.call(READ, json!({})).await.json(), notes("s-1", "one"));
    assert_eq!(asked(&acme), 1);

    acme.has_sites(&[("s-2", "Roof")]).is_instance("two");
    let destination = ana.leave_from_connections("acme").await;
    ana.agree(&destination, &acme).await.assert_connected();
    assert_eq!(ana.call(READ, json!({})).await.json(), notes("s-2", "two"));
    ana.disconnect().await;
    let again = ana.call(READ, json!({})).await;
    again.assert_failed("ana has disconnected");
}

#[tokio::test]
async fn several_sites_are_named_by_id_or_name_and_listed_to_whoever_names_none() {
    let (acme, gateway) = gateway_with_sites(&[("s-1", "Garden"), ("s-2", "Roof")]).await;
    let ana = connected(&gateway, "ana", &acme).await;
    for (said, site) in [("s-2", "s-2"), ("roof", "s-2"), ("GARDEN", "s-1")] {
        let answer = ana.call(READ, json!({ "site": said })).await;
        assert_eq!(answer.json(), notes(site, "one"), "{said}");
    }
    let sent = paths(&acme).len();
    for (arguments, kind) in [
        (json!({}), "tenant_required"),
        (json!({ "site": null }), "tenant_required"),
        (json!({ "site": "cellar" }), "unknown_tenant"),
        (json!({ "site": "../s-1" }), "unknown_tenant"),
    ] {
        let answer = ana.call(READ, arguments.clone()).await;
        let said = &answer.result()["structuredContent"];
        assert_eq!(said["error"], kind, "{arguments} {said}");
        let choices = json!([{ "id": "s-1", "label": "Garden" }, { "id": "s-2", "label": "Roof" }]);
        assert_eq!(said["choices"], choices);
        assert_eq!(said["argument"], "site");
    }
    let not_a_name = ana.call(READ, json!({ "site": ["s-1"] })).await;
    assert!(not_a_name.text().contains("site"), "{}", not_a_name.text());
    assert_eq!(paths(&acme).len(), sent, "nothing was sent");
    // A tool that goes to no site is not asked which one.
    assert_eq!(
        ana.call("acme_notes_sites", json!({}))
            .await
            .text()
            .matches("\"s-")
            .count(),
        2
    );

    // Another person learns nothing of the sites of this one.
    let ben = gateway.person("ben").await;
    let answer = ben.call(READ, json!({ "site": "cellar" })).await;
    assert!(!answer.text().contains("Garden"), "{}", answer.text());
    answer.link();
}

#[tokio::test]
async fn what_only_an_answer_is_made_of_is_left_out_where_it_has_another_form() {
    // A capital letter: no identifier is broken by it, and the link has not the form that the file demands.
    let (acme, gateway) = gateway_with_sites(&[("S-9", "Cellar"), ("s-1", "Garden")]).await;
    let ana = connected(&gateway, "ana", &acme).await;
    let answer = ana.call(READ, json!({ "site": "Cellar" })).await.json();
    assert_eq!(
        answer,
        json!({ "site": "S-9", "instance": "one", "person": "ana" })
    );
    let answer = ana.call(READ, json!({ "site": "Garden" })).await.json();
    assert_eq!(answer, notes("s-1", "one"));
}

#[tokio::test]
async fn the_page_behind_the_link_names_the_product_above_what_it_needs() {
    let (_acme, gateway) = gateway_with_sites(&[("s-1", "Garden")]).await;
    let ana = gateway.person("ana").await;
    let link = ana.call(READ, json!({})).await.link();
    let page = ana.open(&link).await.text;
    let (_, asks) = page.split_once("id=\"asks\"").expect("what is asked for");
    let (heading, words) = asks.split_once("<h3>acme Notes</h3>").expect("a heading");
    assert!(!heading.contains("acme Notes: "), "{heading}");
    assert!(words.contains("<li>"), "{words}");
}

#[tokio::test]
async fn the_argument_stands_in_the_schema_of_the_tools_that_take_it() {
    let (acme, gateway) = gateway_with_sites(&[("s-1", "Garden")]).await;
    let ana = connected(&gateway, "ana", &acme).await;
    let takes_site: Vec<_> = ana
        .tools()
        .await
        .iter()
        .filter(|tool| tool["inputSchema"]["properties"]["site"].is_object())
        .map(|tool| tool["name"].clone())
        .collect();
    assert_eq!(takes_site, [json!(READ)]);
}

#[tokio::test]
async fn an_account_without_a_site_is_not_connected_and_its_person_reads_why() {
    let (acme, gateway) = gateway_with_sites(&[]).await;
    let ana = gateway.person("ana").await;
    let link = ana.call(READ, json!({})).await.link();
    let page = ana.connect(&link, &acme).await;
    assert!(page.text.contains("nothing to reach at"), "{}", page.text);
    ana.call(READ, json!({})).await.link();
    let revoked = acme.revocation_requests();
    assert!(!revoked.is_empty(), "what was granted is given back");
}

#[tokio::test]
async fn what_no_address_can_be_made_of_is_refused_before_anything_is_stored() {
    for (id, instance) in [
        ("../../token", "one"),
        ("s-1/../../x", "one"),
        ("s-1@evil.example", "one"),
        ("s-1", "../x"),
        ("s-1", "localhost:1/"),
        ("s-1", "ONE"),
        ("s-1", ""),
    ] {
        let (acme, gateway) = gateway_with_sites(&[(id, "Garden")]).await;
        acme.is_instance(instance);
        let ana = gateway.person("ana").await;
        let link = ana.call(READ, json!({})).await.link();
        let page = ana.connect(&link, &acme).await;
        page.assert_error(502, "could not be reached, or had a problem of its own");
        assert!(paths(&acme).is_empty(), "{id} {instance}");
        ana.call(READ, json!({})).await.link();
    }
}
