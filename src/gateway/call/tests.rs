use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::catalogue::{Catalogue, RefusalKind, Source, ToolOutput};
use crate::egress::canned_server::{Answer, CannedServer};
use crate::egress::{Egress, Settings};
use crate::gateway::CallError;
use crate::gateway::fixture::Fixture;
use crate::identity::Caller;

const FILE: &str = r#"
name = "Notes"
base_url = "http://localhost:@port@"
host_allow = ["localhost"]
confidence = "documentation"
error_text = ["message"]

[setup]
redirect_rules = "Any address that was registered."

[oauth]
pkce = "required"
client_auth = "post"
scopes = []
authorize = { url = "http://localhost:@port@/authorize" }
token = { url = "http://localhost:@port@/token" }
revoke = { unsupported = true }

[account]
get = "/me"
id = "id"
label = "name"

[[error]]
when = { status = 404 }
is = "not_found"

[[error]]
when = { status = 401 }
is = "token_invalid"

[[tool]]
name = "notes_fill"
title = "Fill a note"
description = "Make a note and write into it."
read_only = false
destructive = false
idempotent = false
open_world = false
scopes = []
put = "/notes/{new}/text"
body = { text = "words" }
pick = { id = "id" }
example = {}

[[tool.step]]
id = "make"
post = "/notes"
capture = { new = "id" }
done = "The note {new} was made."

[[tool]]
name = "notes_list"
title = "List notes"
description = "List every note in full."
read_only = true
destructive = false
idempotent = true
open_world = false
scopes = []
get = "/list"
pick = { notes = { each = "notes", pick = { text = "text" } } }
example = {}

[tool.expand]
over = "notes"
get = "/list/{item.id}"
max = 4
concurrency = 2

[[tool]]
name = "notes_export"
title = "Export notes"
description = "Write every note into a file."
read_only = false
destructive = false
idempotent = false
open_world = false
scopes = []
post = "/exports"
pick = { url = "url" }
example = {}

[tool.poll]
get = "/exports/{export_id}"
capture = { export_id = "id" }
done = { path = "state", equals = "done" }
"#;

/// A reply with a status and a JSON body.
fn says(status: &str, body: &Value) -> Answer {
    let body = body.to_string();
    let length = body.len();
    Answer::Bytes(format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}").into())
}

fn ok(body: &Value) -> Answer {
    says("200 OK", body)
}

/// A provider that answers by the beginning of a request, and a gateway with a connection to it.
async fn provider(answers: Vec<(&'static str, Answer)>) -> (CannedServer, Fixture) {
    let server = CannedServer::start(Answer::ByHead(answers)).await;
    let port = server.address.port().to_string();
    let source = Source {
        file: "notes.toml".to_owned(),
        text: FILE.replace("@port@", &port),
    };
    let catalogue = Catalogue::from_sources(vec![source]).unwrap_or_else(|problems| {
        panic!("{problems:#?}");
    });
    let authority = format!("localhost:{port}").parse().unwrap();
    let egress = Egress::new(Settings {
        dangerously_allow_loopback: vec![authority],
        ..Settings::default()
    });
    let fixture = Fixture::of(catalogue, "notes", egress.unwrap()).await;
    (server, fixture)
}

async fn caller(fixture: &Fixture) -> Caller {
    let called = fixture
        .gateway
        .startup_caller("test", "ana", "ana", "agent")
        .await;
    called.unwrap().0
}

async fn call(fixture: &Fixture, tool: &str) -> Result<ToolOutput, CallError> {
    let caller = caller(fixture).await;
    fixture.gateway.call_tool(&caller, tool, &Map::new()).await
}

fn lines(server: &CannedServer) -> Vec<String> {
    let heads = server.heads();
    let first = heads.iter().filter_map(|head| head.lines().next());
    first.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_call_of_several_requests_has_one_answer() {
    let (server, fixture) = provider(vec![
        ("POST /notes ", ok(&json!({"id": "n7"}))),
        ("PUT /notes/n7/text ", ok(&json!({"id": "n7"}))),
    ])
    .await;
    let output = call(&fixture, "notes_fill").await.unwrap();
    assert_eq!(output.structured, Some(json!({"id": "n7"})));
    assert_eq!(
        lines(&server),
        ["POST /notes HTTP/1.1", "PUT /notes/n7/text HTTP/1.1"]
    );
}

#[tokio::test]
async fn what_was_done_is_said_whatever_comes_in_between() {
    let (_server, fixture) = provider(vec![
        ("POST /notes ", ok(&json!({"id": "n7"}))),
        (
            "PUT /notes/n7/text ",
            says("404 Not Found", &json!({"message": "gone"})),
        ),
    ])
    .await;
    let error = call(&fixture, "notes_fill").await.unwrap_err();
    let sentence = error.sentence();
    assert!(sentence.starts_with("The note n7 was made. "), "{sentence}");
    assert!(sentence.contains("Notes refused: gone."), "{sentence}");
    let CallError::HalfDone { error, .. } = error else {
        panic!("{error:?}")
    };
    assert!(
        matches!(*error, CallError::Refused { refusal, .. } if refusal.kind == RefusalKind::NotFound)
    );

    // Nobody answers the second request.
    let (_server, fixture) = provider(vec![("POST /notes ", ok(&json!({"id": "n7"})))]).await;
    let sentence = call(&fixture, "notes_fill").await.unwrap_err().sentence();
    assert!(sentence.starts_with("The note n7 was made. "), "{sentence}");
    assert!(!sentence.contains("Nothing was changed"), "{sentence}");
    assert!(sentence.contains("not known whether"), "{sentence}");

    // The token is refused, and cannot be renewed because the provider cannot be asked.
    let (_server, fixture) = provider(vec![
        ("POST /notes ", ok(&json!({"id": "n7"}))),
        ("PUT /notes/n7/text ", says("401 Unauthorized", &json!({}))),
    ])
    .await;
    let sentence = call(&fixture, "notes_fill").await.unwrap_err().sentence();
    assert!(sentence.starts_with("The note n7 was made. "), "{sentence}");
    assert!(
        !sentence.contains("did not run") && !sentence.contains("has not run"),
        "{sentence}"
    );
}

#[tokio::test]
async fn a_first_request_that_fails_has_done_nothing() {
    let (_server, fixture) =
        provider(vec![("POST /notes ", says("404 Not Found", &json!({})))]).await;
    let error = call(&fixture, "notes_fill").await.unwrap_err();
    assert!(matches!(error, CallError::Refused { .. }), "{error:?}");
}

#[tokio::test]
async fn items_are_asked_for_side_by_side() {
    let notes: Vec<Value> = (1..=4).map(|id| json!({ "id": id })).collect();
    let (server, fixture) = provider(vec![
        ("GET /list ", ok(&json!({ "notes": notes }))),
        ("GET /list/1 ", ok(&json!({"text": "a"}))),
        ("GET /list/2 ", says("404 Not Found", &json!({}))),
        ("GET /list/3 ", ok(&json!({"text": "c"}))),
        ("GET /list/4 ", ok(&json!({"text": "d"}))),
    ])
    .await;
    let output = call(&fixture, "notes_list").await.unwrap();
    assert_eq!(
        output.structured,
        Some(json!({"notes": [{"text": "a"}, {"text": "c"}, {"text": "d"}]}))
    );
    assert_eq!(server.connections(), 5);
}

#[tokio::test]
async fn no_more_than_allowed_are_under_way_at_once() {
    let notes: Vec<Value> = (1..=4).map(|id| json!({ "id": id })).collect();
    let (server, fixture) = provider(vec![
        ("GET /list ", ok(&json!({ "notes": notes }))),
        ("GET /list/", Answer::Stall(Vec::new())),
    ])
    .await;
    let caller = caller(&fixture).await;
    let arguments = Map::new();
    let mut calling = Box::pin(fixture.gateway.call_tool(&caller, "notes_list", &arguments));
    while server.heads().len() < 3 {
        tokio::select! {
            outcome = &mut calling => panic!("nobody answered: {outcome:?}"),
            () = tokio::task::yield_now() => {}
        }
    }
    // Two items are under way: there is time for a third, and none is sent.
    let outcome = tokio::time::timeout(Duration::from_millis(100), calling).await;
    assert!(outcome.is_err(), "nobody answered: {outcome:?}");
    assert_eq!(server.heads().len(), 3, "{:?}", lines(&server));
}

#[tokio::test]
async fn a_call_that_is_given_up_between_two_requests_sends_nothing_further() {
    let (server, fixture) = provider(vec![
        ("POST /exports ", ok(&json!({"id": "e1"}))),
        ("GET /exports/e1 ", ok(&json!({"state": "busy"}))),
    ])
    .await;
    let caller = caller(&fixture).await;
    let arguments = Map::new();
    let mut calling = Box::pin(
        fixture
            .gateway
            .call_tool(&caller, "notes_export", &arguments),
    );
    while server.heads().len() < 2 {
        tokio::select! {
            outcome = &mut calling => panic!("it is not done yet: {outcome:?}"),
            () = tokio::time::sleep(Duration::from_millis(5)) => {}
        }
    }
    drop(calling);
    // What would send the next one is gone.
    assert_eq!(
        lines(&server),
        ["POST /exports HTTP/1.1", "GET /exports/e1 HTTP/1.1"]
    );
}
