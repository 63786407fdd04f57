//! Calls that wait for their person to connect, and finish by themselves.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::gateway::{TestGateway, clock, gateway_with_acme};
use crate::support::legacy::LegacySession;
use crate::support::person::{Answer, Person};
use crate::support::provider::Provider;

fn opens_links() -> Value {
    json!({ "elicitation": { "form": {}, "url": {} } })
}

/// Calls a tool that needs a connection: the link, and what the client brings back once it was opened.
async fn asked(person: &Person, tool: &str, arguments: Value) -> (String, Value) {
    let asked = person
        .call_with(tool, arguments, opens_links(), json!({}))
        .await;
    let result = asked.result();
    assert_eq!(result["resultType"], "input_required", "{result:#}");
    let link = result["inputRequests"]["connect_acme"]["params"]["url"].clone();
    let back = json!({
        "requestState": result["requestState"],
        "inputResponses": { "connect_acme": { "action": "accept" } },
    });
    (link.as_str().expect("a link").to_owned(), back)
}

/// A gateway on which calls wait hardly at all.
async fn impatient() -> (Provider, TestGateway) {
    let clock = clock();
    let acme = Provider::start(&clock);
    let gateway = TestGateway::start_configured(&clock, &[&acme], |config| {
        config.mcp.wait_seconds = 0;
    })
    .await;
    (acme, gateway)
}

#[tokio::test]
async fn a_call_waits_and_finishes_by_itself() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let (link, mut back) = asked(&ana, "acme_whoami", json!({})).await;
    back["_meta"] = json!({ "progressToken": "t" });
    let mut call = ana.listen_to_call("acme_whoami", opens_links(), back).await;

    let progress = call.next_of("notifications/progress").await;
    assert_eq!(progress["params"]["progressToken"], "t");
    assert_eq!(progress["params"]["total"], 20.0);
    let message = progress["params"]["message"].as_str().unwrap();
    assert!(message.contains("ana"), "{message}");
    assert!(
        acme.api_requests().is_empty(),
        "nothing is sent while it waits"
    );

    ana.connect(&link, &acme).await.assert_connected();
    let answer = call.answer().await;
    assert_eq!(Answer { body: answer }.json()["name"], "ana");
}

/// A client whose connection broke asks the same again: the tool has run once.
#[tokio::test]
async fn a_repeated_round_gets_the_result_and_does_not_run_again() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let thing = json!({ "name": "lamp" });
    let (link, back) = asked(&ana, "acme_create_thing", thing.clone()).await;
    let retry = || {
        ana.call_with(
            "acme_create_thing",
            thing.clone(),
            opens_links(),
            back.clone(),
        )
    };
    let waiting = join_all((0..5).map(|_| retry()));
    let (answers, page) = tokio::join!(waiting, ana.connect(&link, &acme));
    page.assert_connected();
    let first = answers[0].json();
    for answer in &answers {
        assert_eq!(answer.json(), first);
    }
    assert_eq!(retry().await.json(), first);
    let created = acme.requests_to("/api/things");
    assert_eq!(created.len(), 1, "{created:#?}");
}

/// A call that was given up while it waited never runs, and the client may ask again.
#[tokio::test]
async fn a_waiting_call_ends_with_its_client() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let thing = json!({ "name": "lamp" });
    let (link, back) = asked(&ana, "acme_create_thing", thing.clone()).await;
    let mut told = back.clone();
    told["_meta"] = json!({ "progressToken": 1 });
    told["arguments"] = thing.clone();
    let mut call = ana
        .listen_to_call("acme_create_thing", opens_links(), told)
        .await;
    call.next_of("notifications/progress").await;
    drop(call);
    ana.connect(&link, &acme).await.assert_connected();
    // Whatever was left of the first call had its chance before this one is answered.
    let answer = ana
        .call_with("acme_create_thing", thing, opens_links(), back)
        .await;
    assert_eq!(answer.json()["name"], "lamp");
    assert_eq!(acme.requests_to("/api/things").len(), 1);
}

#[tokio::test]
async fn nobody_elses_connection_wakes_a_call() {
    let (acme, gateway) = gateway_with_acme().await;
    let (ana, ben) = (gateway.person("ana").await, gateway.person("ben").await);
    let (link, back) = asked(&ana, "acme_whoami", json!({})).await;
    let (bens, bens_back) = asked(&ben, "acme_whoami", json!({})).await;
    let call = |person: &'static str, back: Value| {
        let who = if person == "ana" { &ana } else { &ben };
        who.call_with("acme_whoami", json!({}), opens_links(), back)
    };
    let (anas, bens_answer, ()) = tokio::join!(call("ana", back), call("ben", bens_back), async {
        ben.connect(&bens, &acme).await.assert_connected();
        ana.connect(&link, &acme).await.assert_connected();
    });
    assert_eq!(anas.json()["name"], "ana");
    assert_eq!(bens_answer.json()["name"], "ben");
}

/// Who is in the middle of connecting is waited for, whatever the client can show.
#[tokio::test]
async fn a_client_that_only_reads_text_is_waited_for_once_the_link_is_open() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let link = ana.call("acme_whoami", json!({})).await.link();
    let away = ana.leave_for_provider(&link).await;
    let more = json!({ "_meta": { "progressToken": "t" } });
    let mut call = ana.listen_to_call("acme_whoami", json!({}), more).await;
    call.next_of("notifications/progress").await;
    let callback = acme.has_account("ana").consent(&away).await;
    ana.open(callback.as_str()).await.assert_connected();
    let answer = call.answer().await;
    assert_eq!(Answer { body: answer }.json()["name"], "ana");
}

/// Before 2026-07-28 a client that goes away has not cancelled: only tools that look around wait for the person.
#[tokio::test]
async fn before_2026_only_tools_that_change_nothing_wait() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let url = format!("{}/mcp", gateway.origin());
    let session = LegacySession::begin(&url, ana.token(), "2025-06-18", json!({})).await;
    let thing = json!({ "name": "lamp" });
    let asked = Answer {
        body: session.call("acme_create_thing", thing.clone()).await,
    };
    let away = ana.leave_for_provider(&asked.link()).await;
    // Answered while the person is still away: it did not wait.
    let again = Answer {
        body: session.call("acme_create_thing", thing).await,
    };
    again.link();
    let looks = session.call("acme_whoami", json!({}));
    let (looked, ()) = tokio::join!(looks, async {
        let callback = acme.has_account("ana").consent(&away).await;
        ana.open(callback.as_str()).await.assert_connected();
    });
    assert_eq!(Answer { body: looked }.json()["name"], "ana");
}

/// When waiting was in vain, the next call does not wait again, unless the link is opened again.
#[tokio::test]
async fn a_link_that_was_put_down_is_not_waited_for() {
    let (_acme, gateway) = impatient().await;
    let ana = gateway.person("ana").await;
    let link = ana.call("acme_whoami", json!({})).await.link();
    ana.open(&link).await;
    for _ in 0..2 {
        assert_eq!(ana.call("acme_whoami", json!({})).await.link(), link);
    }
}

/// MCP 2025-11-25, URL mode elicitation: the session that was asked hears when it is done, and no other.
#[tokio::test]
async fn in_2025_the_session_hears_that_its_link_was_used() {
    let (acme, gateway) = gateway_with_acme().await;
    let (ana, ben) = (gateway.person("ana").await, gateway.person("ben").await);
    let url = format!("{}/mcp", gateway.origin());
    let anas = LegacySession::begin(&url, ana.token(), "2025-11-25", opens_links()).await;
    let bens = LegacySession::begin(&url, ben.token(), "2025-11-25", opens_links()).await;
    let (mut hears, mut other) = (anas.listen().await, bens.listen().await);
    let mut links = Vec::new();
    for session in [&anas, &bens] {
        let answer = session.call("acme_whoami", json!({})).await;
        assert_eq!(answer["error"]["code"], -32042, "{answer:#}");
        links.push(answer["error"]["data"]["elicitations"][0].clone());
    }
    let url = |at: usize| links[at]["url"].as_str().unwrap().to_owned();
    for (at, (person, events)) in [(&ana, &mut hears), (&ben, &mut other)]
        .into_iter()
        .enumerate()
    {
        person.connect(&url(at), &acme).await.assert_connected();
        let done = events.next_of("notifications/elicitation/complete").await;
        assert_eq!(done["params"]["elicitationId"], links[at]["elicitationId"]);
    }
    assert_eq!(
        Answer {
            body: anas.call("acme_whoami", json!({})).await
        }
        .json()["name"],
        "ana"
    );
}

/// Many callers wait at once: none is lost, none gets another's answer.
#[tokio::test]
async fn of_many_waiting_calls_none_is_lost_or_mixed_up() {
    let (acme, gateway) = gateway_with_acme().await;
    let mut people = Vec::new();
    for at in 0..10 {
        people.push(gateway.person(&format!("person-{at}")).await);
    }
    let mut asked_all = Vec::new();
    for person in &people {
        asked_all.push(asked(person, "acme_whoami", json!({})).await);
    }
    let calls = people
        .iter()
        .zip(&asked_all)
        .flat_map(|(person, (_, back))| {
            (0..5).map(|_| person.call_with("acme_whoami", json!({}), opens_links(), back.clone()))
        });
    let connects = async {
        for (person, (link, _)) in people.iter().zip(&asked_all) {
            person.connect(link, &acme).await.assert_connected();
        }
    };
    let (answers, ()) = tokio::join!(join_all(calls), connects);
    assert_eq!(answers.len(), 50);
    for (at, answer) in answers.iter().enumerate() {
        assert_eq!(answer.json()["name"], format!("person-{}", at / 5));
    }
}
