//! Every contract fixture of this release holds, and no argument moves a request.

use std::collections::BTreeSet;

use attache::catalogue::{Evidence, Tool, missing_fixtures, replay};
use http::Request;
use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::support::catalogue::{catalogue, fixtures, play, replies, tools, variables};

#[test]
fn every_fixture_is_sent_and_read_as_it_says() {
    let mut problems = Vec::new();
    for file in fixtures() {
        let replayed = replay(catalogue(), file);
        problems.extend(replayed.problems.iter().map(ToString::to_string));
        if replayed.completed.is_some() {
            problems.push(format!("{} leaves something out", file.file));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn no_tool_is_without_a_fixture_and_no_provider_without_its_refusals() {
    let owners = catalogue().providers().iter().flat_map(|provider| {
        let products = provider
            .products()
            .iter()
            .map(attache::catalogue::Product::id);
        std::iter::once(provider.id()).chain(products)
    });
    let owners: BTreeSet<String> = owners.map(str::to_owned).collect();
    let missing = missing_fixtures(catalogue(), fixtures(), &owners);
    let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(tools().count() >= 150, "{} tools", tools().count());
}

/// A fixture that says it is documented is evidence: it names a page of documentation, never a guess.
#[test]
fn what_is_documented_names_its_page() {
    for file in fixtures() {
        let replayed = replay(catalogue(), file);
        if replayed.evidence == Some(Evidence::Documented) {
            let fixture: Value = serde_json::from_str(&file.text).unwrap();
            let url = fixture["url"].as_str().unwrap_or_default();
            assert!(url.starts_with("https://"), "{}", file.file);
        }
    }
}

/// Text that somebody who wants to escape would send, and any text at all.
fn hostile() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "..",
        ".",
        "",
        "/",
        "//",
        "../..",
        "..%2f..",
        "%2e%2e",
        "%2e",
        ".%2e",
        "a/../b",
        "a\\..\\b",
        "\\\\evil.example",
        "//evil.example",
        "https://evil.example/",
        "@evil.example",
        ":80",
        "?x=1",
        "#x",
        "a?b#c",
        "a;b",
        "a&b=c",
        "a\r\nHost: evil.example",
        "\0",
        "\u{202e}",
        "．．",
        "／",
        "%",
        "%00",
        "a%2Fb",
        " ",
        "\t",
        "é",
        "💥",
        "a,b",
        "javascript:alert(1)",
        "{x}",
        "$owner",
    ])
    .prop_map(str::to_owned);
    prop_oneof![
        known.clone(),
        any::<String>(),
        (known.clone(), known).prop_map(|(a, b)| format!("{a}/{b}")),
    ]
}

/// The arguments of a tool that may fill several segments of a path.
fn spanning(tool: &Tool) -> BTreeSet<String> {
    let file = attache::catalogue::embedded()
        .into_iter()
        .find(|source| source.id() == tool.product())
        .expect("the file of a tool");
    let file: toml::Table = file.text.parse().expect("TOML");
    let tools = file["tool"].as_array().expect("tools");
    let own = tools
        .iter()
        .find(|own| own["name"].as_str() == Some(tool.name()));
    let text = own.expect("a tool of its file").to_string();
    let parts = text.split(['{', '}']);
    let names = parts.filter_map(|part| part.strip_prefix("/+").or(part.strip_prefix('+')));
    names.map(str::to_owned).collect()
}

fn segments(request: &Request<Vec<u8>>) -> usize {
    request.uri().path().split('/').count()
}

fn names(request: &Request<Vec<u8>>) -> BTreeSet<String> {
    let query = request.uri().query().unwrap_or_default();
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.map(|(name, _)| name.into_owned()).collect()
}

/// The document of a GraphQL request.
fn document(request: &Request<Vec<u8>>) -> Option<Value> {
    let body: Value = serde_json::from_slice(request.body()).ok()?;
    body.get("query")
        .filter(|_| request.uri().path().ends_with("/graphql"))
        .cloned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever the arguments: every request of a call goes to the provider, to the path that the template promises, with
    /// the headers and the parameters of the template (S-27, S-28, S-29).
    #[test]
    fn no_argument_ever_moves_a_request(values in prop::collection::vec(hostile(), 8), pick in any::<prop::sample::Index>()) {
        let all: Vec<_> = tools().collect();
        let (provider, tool) = all[pick.index(all.len())];
        let variables = variables(provider);
        let replies = replies(tool);
        let (expected, _) = play(tool, &variables, tool.example(), &replies).unwrap();
        let mut arguments = tool.example().clone();
        let texts = arguments.values_mut().filter(|value| value.is_string());
        for (value, hostile) in texts.zip(&values) {
            *value = Value::String(hostile.clone());
        }
        let Ok((sent, _)) = play(tool, &variables, &arguments, &replies) else { return Ok(()) };
        let spanning = spanning(tool);
        let slashes = |arguments: &Map<String, Value>| -> usize {
            let values = arguments.iter().filter(|(name, _)| spanning.contains(*name));
            values.filter_map(|(_, value)| value.as_str()).map(|text| text.matches('/').count()).sum()
        };
        for request in &sent {
            let same_place = |expected: &&Request<Vec<u8>>| {
                expected.uri().scheme() == request.uri().scheme()
                    && expected.uri().authority() == request.uri().authority()
                    && expected.method() == request.method()
                    && segments(expected) + slashes(&arguments) == segments(request) + slashes(tool.example())
            };
            // Arguments choose among the requests of a tool and which of them carry what; they make no new one.
            let known = expected.iter().any(|expected| same_place(&expected)) || sent.len() != expected.len();
            prop_assert!(known, "{} sends {} {}", tool.name(), request.method(), request.uri());
            prop_assert!(expected.iter().any(|expected| expected.uri().authority() == request.uri().authority()));
            let reparsed = url::Url::parse(&request.uri().to_string()).unwrap();
            prop_assert_eq!(reparsed.path(), request.uri().path());
            prop_assert!(reparsed.path().split('/').all(|segment| segment != "." && segment != ".."));
        }
        if let (Some(sent), Some(expected), true) = (sent.first(), expected.first(), sent.len() == expected.len()) {
            let headers = |request: &Request<Vec<u8>>| -> BTreeSet<String> {
                request.headers().keys().map(ToString::to_string).collect()
            };
            prop_assert_eq!(headers(sent), headers(expected), "{}", tool.name());
            prop_assert!(names(sent).is_subset(&names(expected)), "{} {:?}", tool.name(), names(sent));
            prop_assert_eq!(document(sent), document(expected));
        }
    }
}
