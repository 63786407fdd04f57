use std::collections::BTreeMap;
use std::time::Duration;

use http::{Request, Response};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Answer, Next, Run};
use crate::catalogue::{Catalogue, RefusalKind, Reply, Source, ToolOutput, Variables};

const FILE: &str = r#"
name = "Notes"
base_url = "https://api.notes.example:8443/v1"
bases = { archive = "https://old.notes.example/archive" }
host_allow = ["api.notes.example", "old.notes.example", "login.notes.example"]
headers = { X-Version = "2" }
confidence = "documentation"
error_text = ["message"]

[setup]
redirect_rules = "Any address that was registered."

[oauth]
pkce = "required"
client_auth = "post"
scopes = ["all"]
authorize = { url = "https://login.notes.example/authorize" }
token = { url = "https://login.notes.example/token" }
revoke = { unsupported = true }

[oauth.scope_words]
all = "See and change your notes"

[account]
get = "/me"
scopes = ["all"]
id = "id"
label = "name"

[[error]]
when = { status = 401 }
is = "token_invalid"

[[error]]
when = { status = 404 }
is = "not_found"

[[error]]
when = { status = 429 }
is = "rate_limited"
retry_after = { header = "Retry-After", unit = "s" }

[[tool]]
name = "notes_move"
title = "Move a note"
description = "Move a note to another state."
read_only = false
destructive = false
idempotent = false
open_world = false
scopes = ["all"]
post = "/notes/{note_id}/moves/{move}"
idempotency_header = "Idempotency-Key"
body = { version = "$version", people = "$people", state = "$current" }
pick = { id = "id" }
example = { note_id = "n7", state = "Done", me = "ana" }

[tool.input.note_id]
type = "string"
description = "The note to move."

[tool.input.state]
type = "string"
description = "Where it goes."

[tool.input.me]
type = "string"
description = "Who moves it."

[tool.input.lock]
type = "boolean"
default = false
description = "Whether it is locked first."

[[tool.step]]
id = "look"
get = "/notes/{note_id}/moves"
missing = "The note cannot go to that state."

[tool.step.capture]
version = { path = "version", add = 1 }
move = { each = "moves", where = { path = "name", equals = "$state" }, take = "id" }
people = { path = "people", required = false, change = { where = { path = "name", equals = "$me" }, put = { moved = true } } }
current = { path = "state", required = false, lookup = { a = "begun" } }

[[tool.step]]
id = "lock"
when = { argument = "lock", equals = true }
put = "/notes/{note_id}/lock"
done = "The note {note_id} was locked."

[[tool.step]]
id = "seen"
when = { argument = "current", equals = "begun" }
get = "/notes/{note_id}/seen"
base = "archive"
answers = true
pick = { seen = "seen" }

[[tool]]
name = "notes_list"
title = "List notes"
description = "List every note in full."
read_only = true
destructive = false
idempotent = true
open_world = false
scopes = ["all"]
get = "/list"
pick = { notes = { each = "notes", pick = { id = "id", text = "text" } } }
example = {}

[tool.expand]
over = "notes"
get = "/list/{item.id}"
base = "archive"
max = 3
concurrency = 2

[[tool]]
name = "notes_export"
title = "Export notes"
description = "Write every note into a file."
read_only = false
destructive = false
idempotent = false
open_world = false
scopes = ["all"]
post = "/exports"
pick = { url = "url" }
example = {}

[tool.poll]
get = "/exports/{export_id}"
capture = { export_id = "id" }
done = { path = "state", equals = "done" }
failed = { path = "state", in = ["failed", "gone"] }
interval_ms = 2000
max_s = 10
"#;

fn catalogue() -> Catalogue {
    let source = Source {
        file: "notes.toml".to_owned(),
        text: FILE.to_owned(),
    };
    Catalogue::from_sources(vec![source]).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// What a run did: every request, every pause, and what came of it.
struct Story {
    sent: Vec<(String, Value)>,
    pauses: Vec<Duration>,
    reply: Reply,
    done: Option<String>,
}

impl Story {
    fn sent(&self) -> Vec<&str> {
        self.sent.iter().map(|(line, _)| line.as_str()).collect()
    }

    fn output(&self) -> &ToolOutput {
        match &self.reply {
            Reply::Success(output) => output,
            Reply::Refused(refusal) => panic!("{refusal:?}"),
        }
    }

    fn refusal(&self) -> (RefusalKind, &str) {
        match &self.reply {
            Reply::Success(output) => panic!("{output:?}"),
            Reply::Refused(refusal) => (refusal.kind, &refusal.message),
        }
    }
}

fn line(request: &Request<Vec<u8>>) -> String {
    format!("{} {}", request.method(), request.uri())
}

fn reply(status: u16, body: &Value) -> Response<Vec<u8>> {
    let body = body.to_string().into_bytes();
    Response::builder().status(status).body(body).unwrap()
}

/// Carries a run on until it has an answer. Of several requests, the last is answered first.
fn drive(
    run: &mut Run<'_>,
    mut provider: impl FnMut(&Request<Vec<u8>>) -> Response<Vec<u8>>,
) -> Story {
    let (mut sent, mut pauses) = (Vec::new(), Vec::new());
    loop {
        match run.next() {
            Next::Wait(pause) => pauses.push(pause),
            Next::Send(requests, at_once) => {
                assert!((1..=8).contains(&at_once) && !requests.is_empty());
                for outgoing in requests.into_iter().rev() {
                    if run.is_over() {
                        break;
                    }
                    let request = outgoing.request;
                    let body = serde_json::from_slice(request.body()).unwrap_or(Value::Null);
                    sent.push((line(&request), body));
                    let response = provider(&request);
                    run.answer(vec![Answer {
                        to: outgoing.id,
                        response,
                    }]);
                }
            }
            Next::Done(reply) => {
                return Story {
                    sent,
                    pauses,
                    reply,
                    done: run.done_so_far(),
                };
            }
        }
    }
}

fn variables(catalogue: &Catalogue) -> Variables {
    let provider = catalogue.provider("notes").unwrap();
    provider.resolve(&BTreeMap::new()).unwrap()
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// A whole call over a provider that answers each line of a table.
fn call(tool: &str, arguments: &Value, table: &[(&str, u16, Value)]) -> Story {
    let catalogue = catalogue();
    let (_, tool) = catalogue.tool(tool).unwrap();
    let arguments = object(arguments);
    tool.check(&arguments).unwrap();
    let mut run = tool
        .begin(&variables(&catalogue), &arguments, "u-1".to_owned())
        .unwrap();
    drive(&mut run, |request| {
        let line = line(request);
        let found = table.iter().find(|(known, _, _)| line.ends_with(known));
        let (_, status, body) = found.unwrap_or_else(|| panic!("nobody expected {line}"));
        reply(*status, body)
    })
}

fn looked() -> Value {
    json!({
        "version": 6, "state": "open",
        "moves": [{"id": "m1", "name": "Later"}, {"id": 12, "name": "DONE"}],
        "people": [{"name": "Ana", "mail": "a"}, {"name": "Bo"}],
    })
}

const MOVE: &str = "/notes/n7/moves/12";

#[test]
fn what_a_step_captures_goes_into_the_next_request() {
    let story = call(
        "notes_move",
        &json!({"note_id": "n7", "state": "Done", "me": "ana"}),
        &[
            ("/notes/n7/moves", 200, looked()),
            (MOVE, 200, json!({"id": "n7", "noise": 1})),
        ],
    );
    assert_eq!(
        story.sent(),
        [
            "GET https://api.notes.example:8443/v1/notes/n7/moves",
            "POST https://api.notes.example:8443/v1/notes/n7/moves/12",
        ]
    );
    assert_eq!(
        story.sent[1].1,
        json!({"version": 7, "people": [{"name": "Ana", "mail": "a", "moved": true}, {"name": "Bo"}]})
    );
    assert_eq!(story.output().structured, Some(json!({"id": "n7"})));
    assert_eq!(story.done, None);
}

#[test]
fn what_has_happened_is_said_when_a_later_request_fails() {
    let story = call(
        "notes_move",
        &json!({"note_id": "n7", "state": "Done", "me": "x", "lock": true}),
        &[
            ("/notes/n7/moves", 200, looked()),
            ("/notes/n7/lock", 200, json!({})),
            (MOVE, 404, json!({"message": "no such note"})),
        ],
    );
    assert_eq!(story.refusal(), (RefusalKind::NotFound, "no such note"));
    assert_eq!(story.done.as_deref(), Some("The note n7 was locked."));
}

#[test]
fn a_step_that_fails_ends_the_call() {
    let given = json!({"note_id": "n7", "state": "Gone", "me": "x", "lock": true});
    let story = call("notes_move", &given, &[("/moves", 200, looked())]);
    assert_eq!(
        story.refusal(),
        (RefusalKind::NotFound, "The note cannot go to that state.")
    );
    assert_eq!((story.sent.len(), story.done), (1, None));
    let story = call("notes_move", &given, &[("/moves", 429, json!({}))]);
    assert_eq!(story.refusal().0, RefusalKind::RateLimited);
    let story = call("notes_move", &given, &[("/moves", 200, json!("text"))]);
    assert_eq!(story.refusal().0, RefusalKind::NotFound);
}

#[test]
fn a_captured_value_cannot_leave_its_segment() {
    for id in [json!(".."), json!(""), json!({"a": 1})] {
        let mut found = looked();
        found["moves"][1]["id"] = id;
        let story = call(
            "notes_move",
            &json!({"note_id": "n7", "state": "Done", "me": "x", "lock": true}),
            &[
                ("/notes/n7/moves", 200, found),
                ("/notes/n7/lock", 200, json!({})),
            ],
        );
        assert_eq!(story.refusal().0, RefusalKind::Invalid);
        assert_eq!(story.done.as_deref(), Some("The note n7 was locked."));
    }
}

#[test]
fn a_step_can_be_the_answer() {
    let mut found = looked();
    found["state"] = json!("a");
    let story = call(
        "notes_move",
        &json!({"note_id": "n7", "state": "Done", "me": "x"}),
        &[
            ("v1/notes/n7/moves", 200, found),
            (
                "archive/notes/n7/seen",
                200,
                json!({"seen": true, "by": "Bo"}),
            ),
        ],
    );
    assert_eq!(
        story.sent()[1],
        "GET https://old.notes.example/archive/notes/n7/seen"
    );
    assert_eq!(story.output().structured, Some(json!({"seen": true})));
}

fn list() -> Value {
    json!({"notes": [{"id": "a"}, {"id": "b", "text": "short"}, {"name": "no id"}, {"id": "d"}]})
}

#[test]
fn items_are_replaced_by_their_replies_in_any_order() {
    let story = call(
        "notes_list",
        &json!({}),
        &[
            ("/v1/list", 200, list()),
            ("/list/a", 200, json!({"id": "a", "text": "long a"})),
            ("/list/b", 404, json!({})),
        ],
    );
    // The third says no id, the fourth is beyond the limit.
    assert_eq!(
        story.sent()[1..],
        [
            "GET https://old.notes.example/archive/list/b",
            "GET https://old.notes.example/archive/list/a",
        ]
    );
    assert_eq!(
        story.output().structured,
        Some(json!({"notes": [
            {"id": "a", "text": "long a"}, {"id": "b", "text": "short"}, {"id": "d"},
        ]}))
    );
}

#[test]
fn an_item_that_is_refused_otherwise_refuses_the_whole() {
    for (status, kind) in [
        (429, RefusalKind::RateLimited),
        (401, RefusalKind::TokenInvalid),
        (500, RefusalKind::Other),
    ] {
        let table = [
            ("/v1/list", 200, list()),
            ("/list/a", 200, json!({})),
            ("/list/b", status, json!({})),
        ];
        let story = call("notes_list", &json!({}), &table);
        assert_eq!(story.refusal().0, kind);
        assert_eq!(story.sent.len(), 2, "{:?}", story.sent);
    }
}

#[test]
fn a_list_without_items_is_read_as_it_is() {
    for body in [json!({"notes": []}), json!({"notes": "none"}), json!([])] {
        let story = call("notes_list", &json!({}), &[("/v1/list", 200, body)]);
        assert_eq!(story.sent.len(), 1);
        story.output();
    }
}

#[test]
fn only_what_was_refused_is_sent_again() {
    let catalogue = catalogue();
    let (_, tool) = catalogue.tool("notes_list").unwrap();
    let none = Map::new();
    let mut run = tool
        .begin(&variables(&catalogue), &none, String::new())
        .unwrap();
    assert!(!run.repeat(), "nothing was refused yet");
    let story = drive(&mut run, |request| match request.uri().path() {
        "/v1/list" => reply(
            200,
            &json!({"notes": [{"id": "a"}, {"id": "b"}, {"id": "c"}]}),
        ),
        "/archive/list/c" => reply(200, &json!({"id": "c", "text": "c"})),
        _ => reply(401, &json!({})),
    });
    assert_eq!(story.refusal().0, RefusalKind::TokenInvalid);
    assert!(run.repeat());
    let story = drive(&mut run, |request| {
        let id = request.uri().path().rsplit('/').next().unwrap();
        reply(200, &json!({"id": id, "text": id}))
    });
    assert_eq!(story.sent.len(), 2, "{:?}", story.sent);
    assert_eq!(
        story.output().structured,
        Some(json!({"notes": [
            {"id": "a", "text": "a"}, {"id": "b", "text": "b"}, {"id": "c", "text": "c"},
        ]}))
    );
}

#[test]
fn nothing_is_repeated_twice_or_unasked() {
    let catalogue = catalogue();
    let (_, tool) = catalogue.tool("notes_export").unwrap();
    let none = Map::new();
    let begin = || {
        tool.begin(&variables(&catalogue), &none, String::new())
            .unwrap()
    };
    let mut run = begin();
    drive(&mut run, |_| reply(401, &json!({})));
    assert!(!run.repeat(), "a POST is not repeated");
    let mut run = begin();
    let story = drive(&mut run, |request| match request.uri().path() {
        "/v1/exports" => reply(200, &json!({"id": "e1"})),
        _ => reply(401, &json!({})),
    });
    assert_eq!(
        story.done.as_deref(),
        Some("The provider has accepted it (export_id: e1).")
    );
    assert!(run.repeat(), "asking whether it is done is");
    let story = drive(&mut run, |_| reply(401, &json!({})));
    assert_eq!(
        story.sent(),
        ["GET https://api.notes.example:8443/v1/exports/e1"]
    );
    assert!(!run.repeat(), "and that once");
}

#[test]
fn a_repeated_request_keeps_its_key() {
    let catalogue = catalogue();
    let (_, tool) = catalogue.tool("notes_move").unwrap();
    let arguments = object(&json!({"note_id": "n7", "state": "Done", "me": "x"}));
    let mut run = tool
        .begin(&variables(&catalogue), &arguments, "u-1".to_owned())
        .unwrap();
    let mut keys = Vec::new();
    let mut provider = |request: &Request<Vec<u8>>, status| {
        let key = request.headers().get("idempotency-key");
        keys.push(key.map(|key| key.to_str().unwrap().to_owned()));
        match request.method().as_str() {
            "GET" => reply(200, &looked()),
            _ => reply(status, &json!({"id": "n7"})),
        }
    };
    drive(&mut run, |request| provider(request, 401));
    assert!(run.repeat(), "the provider recognises the repetition");
    drive(&mut run, |request| provider(request, 200)).output();
    let key = Some("u-1".to_owned());
    assert_eq!(keys, [None, key.clone(), key]);
}

#[test]
fn a_poll_ends_when_it_is_done_or_failed_or_late() {
    let export = |states: &'static [(u16, &'static str)]| {
        let catalogue = catalogue();
        let (_, tool) = catalogue.tool("notes_export").unwrap();
        let none = Map::new();
        let mut run = tool
            .begin(&variables(&catalogue), &none, String::new())
            .unwrap();
        let mut coming = states
            .iter()
            .copied()
            .chain(std::iter::repeat((200, "busy")));
        drive(&mut run, |request| {
            if request.method().as_str() == "POST" {
                reply(202, &json!({"id": "e1"}))
            } else {
                let (code, state) = coming.next().unwrap();
                let mut response = reply(
                    code,
                    &json!({"state": state, "url": "u", "message": "no room"}),
                );
                if code == 429 {
                    response
                        .headers_mut()
                        .insert("retry-after", "5".parse().unwrap());
                }
                response
            }
        })
    };
    let two = Duration::from_secs(2);
    let story = export(&[(200, "busy"), (200, "done")]);
    assert_eq!(story.pauses, [two, two]);
    assert_eq!(story.output().structured, Some(json!({"url": "u"})));

    let story = export(&[(429, ""), (200, "done")]);
    assert_eq!(story.pauses, [two, Duration::from_secs(5)]);
    story.output();

    let story = export(&[(200, "failed")]);
    let told = "the provider says that it has failed: no room";
    assert_eq!(story.refusal(), (RefusalKind::Other, told));

    let story = export(&[]);
    assert_eq!((story.pauses.len(), story.sent.len()), (5, 6));
    assert!(
        story.refusal().1.contains("after 10 seconds"),
        "{:?}",
        story.reply
    );
    assert!(story.done.unwrap().contains("export_id: e1"));
}

/// The paths of the file, with the host of each and the number of its segments.
fn is_promised(request: &Request<Vec<u8>>) -> bool {
    let uri = request.uri();
    let segments: Vec<&str> = uri.path().split('/').skip(1).collect();
    let authority = uri.authority().map(http::uri::Authority::as_str);
    let is_below = |path: &[&str]| {
        segments.len() == path.len()
            && segments.iter().zip(path).all(|(found, known)| {
                *known == "*" && !matches!(*found, "" | "." | "..") || found == known
            })
    };
    let is_known = match authority {
        Some("api.notes.example:8443") => [
            &["v1", "notes", "*", "moves"][..],
            &["v1", "notes", "*", "moves", "*"],
            &["v1", "notes", "*", "lock"],
            &["v1", "list"],
            &["v1", "exports"],
            &["v1", "exports", "*"],
        ]
        .iter()
        .any(|path| is_below(path)),
        Some("old.notes.example") => {
            is_below(&["archive", "notes", "*", "seen"]) || is_below(&["archive", "list", "*"])
        }
        _ => false,
    };
    let has_only = |name: &http::HeaderName| {
        matches!(
            name.as_str(),
            "x-version" | "content-type" | "idempotency-key"
        )
    };
    is_known
        && uri.scheme_str() == Some("https")
        && uri.query().is_none()
        && request.headers().keys().all(has_only)
        && request.headers()["x-version"] == "2"
}

fn any_scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        "[./@?#%:&a]{0,6}".prop_map(Value::from),
        Just(json!("done")),
        Just(json!("a")),
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        Just("id".to_owned()),
        Just("notes".to_owned()),
        Just("moves".to_owned()),
        Just("people".to_owned()),
        Just("name".to_owned()),
        Just("state".to_owned()),
        Just("version".to_owned()),
        "\\PC{0,4}",
    ];
    any_scalar().prop_recursive(3, 32, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(key.clone(), inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_response() -> impl Strategy<Value = Response<Vec<u8>>> {
    // Most of them lead somewhere.
    let status = prop_oneof![4 => Just(200_u16), 1 => 200_u16..600];
    let body = prop_oneof![
        3 => any_json().prop_map(|body| body.to_string().into_bytes()),
        2 => any_scalar().prop_map(|id| json!({
            "id": id, "version": 1, "state": "a", "moves": [{"id": id, "name": "s"}], "people": [],
            "notes": vec![json!({"id": id}); 60],
        }).to_string().into_bytes()),
        1 => proptest::collection::vec(any::<u8>(), 0..64),
    ];
    (status, body).prop_map(|(status, body)| Response::builder().status(status).body(body).unwrap())
}

proptest! {
    #[test]
    fn a_run_ends_and_never_leaves_its_addresses(
        tool in prop_oneof![Just("notes_move"), Just("notes_list"), Just("notes_export")],
        note_id in "\\PC{0,12}",
        me in "\\PC{0,12}",
        lock in any::<bool>(),
        answers in proptest::collection::vec(any_response(), 1..12),
    ) {
        let catalogue = catalogue();
        let (_, tool) = catalogue.tool(tool).unwrap();
        let given = match tool.name() {
            "notes_move" => json!({"note_id": note_id, "state": "s", "me": me, "lock": lock}),
            _ => json!({}),
        };
        let given = object(&given);
        let Ok(mut run) = tool.begin(&variables(&catalogue), &given, "u".to_owned()) else {
            return Ok(());
        };
        let (mut sent, mut steps, mut repeats) = (0, 0, 0);
        loop {
            steps += 1;
            prop_assert!(steps <= 1_000, "it does not end");
            match run.next() {
                Next::Wait(_) => {}
                Next::Send(requests, _) => {
                    let mut replies = Vec::new();
                    for outgoing in requests {
                        prop_assert!(is_promised(&outgoing.request), "{:?}", outgoing.request);
                        let response = answers[sent % answers.len()].clone();
                        sent += 1;
                        replies.push(Answer { to: outgoing.id, response });
                    }
                    run.answer(replies);
                }
                Next::Done(_) if run.repeat() => repeats += 1,
                Next::Done(_) => break,
            }
        }
        prop_assert!(repeats <= 1);
        // Three steps, its own request, three items or five polls; and once more what was refused.
        prop_assert!(sent <= 2 * (3 + 1 + 5), "{sent} requests");
    }
}
