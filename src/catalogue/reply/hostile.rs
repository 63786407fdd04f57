//! Whatever a provider sends is shaped or refused, within the caps, for every tool of the built-in files.

use std::time::Duration;

use http::Response;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Reply, ReplyScope, ReplyShape};
use crate::catalogue::error_rules::ErrorRules;
use crate::catalogue::index::parse;
use crate::catalogue::places::Places;
use crate::catalogue::problem::ParsedFile;
use crate::catalogue::{CHECKS, embedded};

struct Nothing;

impl Places for Nothing {
    fn value(&self, _: &str) -> Option<&Value> {
        None
    }
}

fn files() -> Vec<ParsedFile> {
    parse(&embedded()).0
}

/// Reads the reply with every tool, and proves what is promised of each output.
fn read_by_all(files: &[ParsedFile], response: &Response<Vec<u8>>) {
    let scope = ReplyScope {
        places: &Nothing,
        page: None,
    };
    for file in files {
        let rules = ErrorRules::new(
            file.provider.errors.clone(),
            file.provider.error_text.clone(),
        );
        for tool in &file.provider.tools {
            prove(
                &tool.reply,
                &tool.reply.read(response, &rules, scope),
                &tool.name,
            );
        }
    }
}

fn prove(shape: &ReplyShape, reply: &Reply, tool: &str) {
    match reply {
        Reply::Success(output) => {
            assert!(
                output.text.len() <= shape.max_bytes,
                "{tool}: {} bytes",
                output.text.len()
            );
        }
        Reply::Refused(refusal) => {
            assert!(
                refusal.message.chars().count() <= 1500,
                "{tool}: a long message"
            );
            assert!(
                !refusal.message.contains(char::is_control),
                "{tool}: control characters"
            );
            let bidi = |c: char| matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
            assert!(
                !refusal.message.contains(bidi),
                "{tool}: direction characters"
            );
            assert!(
                refusal
                    .retry_after
                    .is_none_or(|wait| wait <= Duration::from_hours(24))
            );
        }
    }
}

fn response(status: u16, media_type: &str, body: Vec<u8>) -> Response<Vec<u8>> {
    Response::builder()
        .status(status)
        .header("content-type", media_type)
        .header("retry-after", "-7.5e300")
        .header("link", "<?page=2>; rel=\"next\"")
        .body(body)
        .unwrap()
}

#[test]
fn there_are_files_and_checks_to_be_proven() {
    assert!(files().len() >= 4 && !CHECKS.is_empty());
}

#[test]
fn bodies_that_nest_without_end_are_refused_or_cut() {
    let files = files();
    // The depth that a parser must not follow down its own stack, and shapes that picks look into.
    for (unit, times) in [
        ("[", 200_000),
        ("{\"a\":", 2_000),
        ("{\"results\":[", 2_000),
        ("[[{\"data\":", 2_000),
    ] {
        let body = unit.repeat(times).into_bytes();
        for status in [200, 404] {
            read_by_all(&files, &response(status, "application/json", body.clone()));
        }
    }
}

#[test]
fn a_megabyte_of_one_thing_stays_within_every_cap() {
    let files = files();
    let items: Vec<Value> = (0..600)
        .map(|id| json!({"id": id, "name": "x".repeat(500)}))
        .collect();
    let mut fields = Map::new();
    for key in ["data", "items", "results", "value", "messages"] {
        fields.insert(key.to_owned(), Value::Array(items.clone()));
    }
    let body = Value::Object(fields).to_string().into_bytes();
    read_by_all(&files, &response(200, "application/json", body));
    read_by_all(&files, &response(200, "text/plain", vec![b'x'; 1 << 20]));
    read_by_all(
        &files,
        &response(
            200,
            "application/json",
            format!("\"{}\"", "\\u0001".repeat(50_000)).into_bytes(),
        ),
    );
}

/// Keys that picks and rules of the files look at, so that random JSON is not only skipped.
fn key() -> impl Strategy<Value = String> {
    let words = embedded()
        .iter()
        .flat_map(|source| {
            let quoted = source.text.split('"').skip(1).step_by(2);
            quoted.flat_map(|text| text.split('.').map(str::to_owned).collect::<Vec<_>>())
        })
        .filter(|word| !word.is_empty() && word.len() < 30 && !word.contains([' ', '/']))
        .collect::<std::collections::BTreeSet<String>>();
    prop::sample::select(words.into_iter().collect::<Vec<_>>())
}

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,40}".prop_map(Value::from),
        "(</?[a-z:]{1,6}>|\\PC|[\\x00-\\x1f\u{202E}]){0,40}".prop_map(Value::from),
        "[A-Za-z0-9_-]{0,40}={0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(7, 300, 10, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..10).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..10)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_json_is_shaped_or_refused(body in tree(), status in prop::sample::select(vec![200_u16, 201, 204, 302, 400, 401, 403, 404, 409, 429, 503])) {
        read_by_all(&files(), &response(status, "application/json", body.to_string().into_bytes()));
    }

    #[test]
    fn any_bytes_are_shaped_or_refused(
        mut body in prop::collection::vec(any::<u8>(), 0..2000), times in 1_usize..100, gzip in any::<bool>(), status in 200_u16..600,
        media_type in prop::sample::select(vec!["application/json", "text/plain; charset=utf-16", "text/html", "image/png", "text/csv; charset=x"]),
    ) {
        if gzip {
            body.splice(..0, [0x1f, 0x8b, 8, 0]);
        }
        read_by_all(&files(), &response(status, media_type, body.repeat(times)));
    }
}
