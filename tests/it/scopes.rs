//! Scope creep (S-34): what is asked for, what came back, what is used, and how to allow more or less.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::gateway::{TestGateway, clock, gateway_with_acme};
use crate::support::person::{Page, Person};
use crate::support::program;
use crate::support::provider::Provider;

const DAY: Duration = Duration::from_hours(24);

/// A gateway with a provider whose behaviour the test decides before the gateway reads its file.
async fn gateway_with(behaviour: impl FnOnce(&Provider)) -> (Provider, TestGateway) {
    let clock = clock();
    let acme = Provider::start(&clock);
    acme.access_tokens_last(DAY * 400);
    behaviour(&acme);
    let gateway = TestGateway::start(&clock, &[&acme]).await;
    (acme, gateway)
}

async fn create(person: &Person) -> crate::support::person::Answer {
    person
        .call("acme_create_thing", json!({ "name": "kite" }))
        .await
}

/// Connects with the link that a call of `tool` answers with.
async fn connect_for(person: &Person, tool: &str, arguments: Value, acme: &Provider) -> Page {
    let link = person.call(tool, arguments).await.link();
    let page = person.connect(&link, acme).await;
    page.assert_connected();
    page
}

/// The path of the form whose button's id starts with `id`.
fn form_of(page: &Page, id: &str) -> String {
    let form = page.text.split("<form ").find(|form| {
        let form = form.split("</form>").next().unwrap_or_default();
        form.contains(&format!("id=\"{id}"))
    });
    let form = form.unwrap_or_else(|| panic!("no {id} in {}", page.text));
    let path = form.split("action=\"").nth(1).expect("an action");
    path.split('"')
        .next()
        .expect("an end")
        .replace("&#38;", "&")
}

/// Presses the button on the Connections page and agrees at the provider.
async fn press(person: &Person, id: &str, acme: &Provider) -> Page {
    let page = person.open("/connections").await;
    let path = form_of(&page, id);
    let destination = person.press(&page, &path).await.destination();
    let page = person.agree(&destination, acme).await;
    page.assert_connected();
    page
}

/// What `attache connections --json` says of the connection to acme.
async fn connection_line(gateway: &TestGateway) -> Value {
    let data = gateway.folder().join("data");
    let ended = tokio::task::spawn_blocking(move || {
        let data = data.to_str().expect("a plain path");
        program::run(&["connections", "--json", "--data-dir", data])
    })
    .await
    .expect("it ends");
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let lines: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let mut lines = lines.as_array().expect("a list").iter();
    let line = lines.find(|line| line["service"] == "acme");
    line.expect("a line for acme").clone()
}

fn scope<'a>(line: &'a Value, name: &str) -> &'a Value {
    let mut scopes = line["scopes"].as_array().expect("a list").iter();
    let found = scopes.find(|scope| scope["scope"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {line:#}"))
}

#[tokio::test]
async fn an_agent_asks_for_what_its_tool_needs_and_nothing_else() {
    let (acme, gateway) = gateway_with_acme().await;
    for (name, tool, arguments, expected) in [
        ("ana", "acme_whoami", json!({}), "profile"),
        ("ben", "acme_list_things", json!({}), "profile things:read"),
        (
            "eve",
            "acme_delete_thing",
            json!({ "id": 1 }),
            "profile things:write",
        ),
    ] {
        let person = gateway.person(name).await;
        connect_for(&person, tool, arguments, &acme).await;
        assert_eq!(acme.asked_for(), expected, "{tool}");
    }
}

#[tokio::test]
async fn whoever_names_no_tool_is_asked_for_the_default_set() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let destination = ana.leave_from_connections("acme").await;
    ana.agree(&destination, &acme).await.assert_connected();
    assert_eq!(acme.asked_for(), "profile things:read");
    let page = ana.open("/connections").await;
    assert!(
        !page.text.contains("permission is missing"),
        "{}",
        page.text
    );
    assert!(page.text.contains("Asked for when a tool needs it"));
}

#[tokio::test]
async fn a_link_is_for_every_tool_that_the_agent_tried() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let link = ana.call("acme_whoami", json!({})).await.link();
    assert_eq!(create(&ana).await.link(), link, "one link, not two");
    assert!(
        ana.open(&link)
            .await
            .text
            .contains("Make and delete things")
    );
    ana.connect(&link, &acme).await.assert_connected();
    assert_eq!(acme.asked_for(), "profile things:write");
    create(&ana).await.json();
}

#[tokio::test]
async fn a_writing_tool_after_a_reading_grant_names_the_scope_and_asks_for_both() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    connect_for(&ana, "acme_list_things", json!({}), &acme).await;
    let refused = create(&ana).await;
    refused.assert_failed("lacks a permission that this needs (things:write)");
    assert!(
        acme.requests_to("/api/things")
            .iter()
            .all(|r| r.method == "GET")
    );
    ana.connect(&refused.link(), &acme).await.assert_connected();
    assert_eq!(acme.asked_for(), "profile things:read things:write");
    create(&ana).await.json();
    ana.call("acme_list_things", json!({})).await.json();
    // It is the same connection.
    let page = ana.open("/connections").await;
    assert_eq!(page.text.matches("data-service=\"acme\"").count(), 1);
}

#[tokio::test]
async fn reconnecting_does_not_lose_what_was_granted_before() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    connect_for(&ana, "acme_create_thing", json!({ "name": "kite" }), &acme).await;
    acme.access_is_removed_by("ana");
    let again = ana.call("acme_whoami", json!({})).await.link();
    ana.connect(&again, &acme).await.assert_connected();
    assert_eq!(acme.asked_for(), "profile things:write");
    acme.access_is_removed_by("ana");
    ana.call("acme_whoami", json!({})).await.link();
    let destination = ana.leave_from_connections("acme").await;
    ana.agree(&destination, &acme).await.assert_connected();
    assert_eq!(acme.asked_for(), "profile things:write");
}

#[tokio::test]
async fn what_was_disconnected_is_not_asked_for_again() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    connect_for(&ana, "acme_create_thing", json!({ "name": "kite" }), &acme).await;
    ana.disconnect().await;
    connect_for(&ana, "acme_whoami", json!({}), &acme).await;
    assert_eq!(acme.asked_for(), "profile");
}

#[tokio::test]
async fn a_scope_that_was_unticked_is_shown_with_the_tools_that_need_it() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    acme.grants_fewer_scopes("profile");
    let page = connect_for(&ana, "acme_create_thing", json!({ "name": "kite" }), &acme).await;
    let missing = page.text.split("id=\"missing\"").nth(1).expect("a notice");
    for shown in [
        "Make and delete things as you",
        "Create a thing",
        "Delete a thing",
    ] {
        assert!(missing.contains(shown), "{shown}: {}", page.text);
    }
    assert!(!missing.contains("List things"), "nobody asked for it");
    let refused = create(&ana).await;
    refused.assert_failed("things:write");
    let page = ana.open("/connections").await;
    assert!(
        page.text.contains("One permission is missing"),
        "{}",
        page.text
    );
    assert!(
        acme.requests_to("/api/things").is_empty(),
        "nothing was tried"
    );

    acme.recovers();
    ana.connect(&refused.link(), &acme).await.assert_connected();
    assert_eq!(acme.asked_for(), "profile things:write");
    create(&ana).await.json();
}

#[tokio::test]
async fn allow_more_on_the_return_page_asks_again_for_what_was_refused() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    acme.grants_fewer_scopes("profile");
    let page = connect_for(&ana, "acme_create_thing", json!({ "name": "kite" }), &acme).await;
    acme.recovers();
    let destination = ana
        .press(&page, &form_of(&page, "allow-more"))
        .await
        .destination();
    let page = ana.agree(&destination, &acme).await;
    assert!(!page.assert_connected().text.contains("id=\"missing\""));
    assert_eq!(acme.asked_for(), "profile things:write");
}

#[tokio::test]
async fn a_call_that_waited_is_answered_with_a_link_when_the_person_allowed_less() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let capabilities = json!({ "elicitation": { "form": {}, "url": {} } });
    let arguments = json!({ "name": "kite" });
    let call = |more| {
        ana.call_with(
            "acme_create_thing",
            arguments.clone(),
            capabilities.clone(),
            more,
        )
    };
    let asked = call(json!({})).await;
    let link = |asked: &Value| {
        let url = &asked["inputRequests"]["connect_acme"]["params"]["url"];
        url.as_str().expect("a link").to_owned()
    };
    let back = json!({
        "requestState": asked.result()["requestState"],
        "inputResponses": { "connect_acme": { "action": "accept" } },
    });
    acme.grants_fewer_scopes("profile");
    let first = link(asked.result());
    let (answer, page) = tokio::join!(call(back), ana.connect(&first, &acme));
    page.assert_connected();
    let again = answer.result();
    assert_eq!(again["resultType"], "input_required", "{again:#}");
    assert_ne!(link(again), first);
    let message = again["inputRequests"]["connect_acme"]["params"]["message"].as_str();
    assert!(message.unwrap().contains("things:write"), "{again:#}");
}

#[tokio::test]
async fn a_scope_that_the_provider_withdrew_is_mended_with_a_link() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    connect_for(&ana, "acme_create_thing", json!({ "name": "kite" }), &acme).await;
    create(&ana).await.json();
    acme.withdraws("ana", "things:write");
    let refused = create(&ana).await;
    refused.assert_failed("does not allow it any more");
    refused.assert_failed("(things:write)");
    assert_eq!(ana.open("/connections").await.card("acme"), "active");
    let tried = acme.requests_to("/api/things").len();
    let again = create(&ana).await;
    again.assert_failed("lacks a permission that this needs (things:write)");
    assert_eq!(
        acme.requests_to("/api/things").len(),
        tried,
        "it is not tried again"
    );
    let page = ana.open("/connections").await;
    assert!(
        page.text.contains("One permission is missing"),
        "{}",
        page.text
    );
    ana.call("acme_whoami", json!({})).await.json();

    ana.connect(&again.link(), &acme).await.assert_connected();
    assert_eq!(acme.asked_for(), "profile things:write");
    create(&ana).await.json();
}

#[tokio::test]
async fn what_a_wider_scope_covers_is_not_asked_for() {
    let (acme, gateway) = gateway_with(|acme| {
        acme.writing_implies_reading();
    })
    .await;
    let ana = gateway.person("ana").await;
    connect_for(&ana, "acme_create_thing", json!({ "name": "kite" }), &acme).await;
    ana.call("acme_list_things", json!({})).await.json();
    let page = ana.open("/connections").await;
    assert!(
        !page.text.contains("Asked for when a tool needs it"),
        "{}",
        page.text
    );

    let ben = gateway.person("ben").await;
    connect_for(&ben, "acme_list_things", json!({}), &acme).await;
    assert_eq!(acme.asked_for(), "profile things:read");
    press(&ben, "allow-more-acme", &acme).await;
    assert_eq!(acme.asked_for(), "profile things:write");
    ben.call("acme_list_things", json!({})).await.json();
}

#[tokio::test]
async fn a_reply_that_names_no_scopes_grants_those_that_were_asked_for() {
    let (acme, gateway) = gateway_with(|acme| {
        acme.does_not_say_scopes();
    })
    .await;
    let ana = gateway.person("ana").await;
    connect_for(&ana, "acme_list_things", json!({}), &acme).await;
    ana.call("acme_list_things", json!({})).await.json();
    create(&ana).await.assert_failed("things:write");
}

#[tokio::test]
async fn the_ledger_of_use_shows_what_is_used_and_survives_a_restart() {
    let (acme, mut gateway) = gateway_with(|_| {}).await;
    let ana = gateway.person("ana").await;
    connect_for(&ana, "acme_list_things", json!({}), &acme).await;
    let _bridge = gateway.bridge_for("ana").await;
    let line = connection_line(&gateway).await;
    assert_eq!(line["last_used"], Value::Null, "{line:#}");
    assert_eq!(scope(&line, "things:read")["need"], "not_used_yet");
    assert_eq!(line["missing_scopes"], json!(["things:write"]));
    assert_eq!(line["refused_scopes"], json!([]));

    gateway.clock().advance(Duration::from_mins(5));
    ana.call("acme_list_things", json!({})).await.json();
    // The second use within the hour is not written before the end.
    gateway.clock().advance(Duration::from_mins(10));
    ana.call("acme_list_things", json!({})).await.json();
    let expected = json!({ "scope": "things:read", "need": "used", "last_needed": "2026-11-23" });
    let used = connection_line(&gateway).await;
    assert_eq!(*scope(&used, "things:read"), expected);
    assert_eq!(scope(&used, "profile")["need"], "always");
    assert_eq!(used["last_used"], "2026-11-23T06:15:00Z");

    let mut gateway = gateway.restart(&[&acme]).await;
    let ana = gateway.person("ana").await;
    let _bridge = gateway.bridge_for("ana").await;
    assert_eq!(connection_line(&gateway).await, used);
    let page = ana.open("/connections").await;
    assert!(page.text.contains("Last used"), "{}", page.text);
    assert!(page.text.contains("used on <time"), "{}", page.text);
}

#[tokio::test]
async fn a_person_can_give_up_what_nobody_used_for_a_month() {
    let (acme, gateway) = gateway_with(|_| {}).await;
    let ana = gateway.person("ana").await;
    connect_for(&ana, "acme_list_things", json!({}), &acme).await;
    press(&ana, "allow-more-acme", &acme).await;
    assert_eq!(acme.asked_for(), "profile things:read things:write");
    create(&ana).await.json();
    gateway.clock().advance(DAY * 25);
    let ana = gateway.person("ana").await;
    ana.call("acme_list_things", json!({})).await.json();
    let page = ana.open("/connections").await;
    assert!(!page.text.contains("Reconnect with less"), "{}", page.text);

    gateway.clock().advance(DAY * 6);
    let ana = gateway.person("ana").await;
    let page = ana.open("/connections").await;
    assert!(page.text.contains("not used for a month"), "{}", page.text);
    let page = press(&ana, "allow-less-acme", &acme).await;
    assert_eq!(acme.asked_for(), "profile things:read");
    assert!(!page.text.contains("id=\"beyond\""), "{}", page.text);
    ana.call("acme_list_things", json!({})).await.json();
    create(&ana).await.assert_failed("things:write");
    let page = ana.open("/connections").await;
    assert_eq!(page.text.matches("data-service=\"acme\"").count(), 1);
    assert!(!page.text.contains("Reconnect with less"));
}

#[tokio::test]
async fn a_provider_that_adds_grants_up_is_shown_as_it_is() {
    let (acme, gateway) = gateway_with(|acme| {
        acme.adds_up_grants();
    })
    .await;
    let ana = gateway.person("ana").await;
    connect_for(&ana, "acme_create_thing", json!({ "name": "kite" }), &acme).await;
    press(&ana, "allow-more-acme", &acme).await;
    gateway.clock().advance(DAY * 31);
    let ana = gateway.person("ana").await;
    ana.call("acme_list_things", json!({})).await.json();
    let page = press(&ana, "allow-less-acme", &acme).await;
    assert_eq!(acme.asked_for(), "profile things:read");
    let beyond = page.text.split("id=\"beyond\"").nth(1).expect("a notice");
    assert!(
        beyond.contains("Make and delete things as you"),
        "{}",
        page.text
    );
    create(&ana).await.json();
}

#[tokio::test]
async fn a_connection_of_another_cannot_be_begun_anew() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    connect_for(&ana, "acme_list_things", json!({}), &acme).await;
    let path = form_of(&ana.open("/connections").await, "allow-more-acme");
    let ben = gateway.person("ben").await;
    let page = ben.open("/connections").await;
    ben.press(&page, &path).await.assert_error(404, "");
}
