//! The format in words, the JSON Schema for editors and the parser say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use attache::catalogue::{CHECKS, Problem, Source, check, embedded, schema};
use serde_json::Value;

use crate::support::program;

const PAGE: &str = include_str!("../../docs/provider-file.md");

/// A key that no table has.
const UNKNOWN: &str = "zzz";

/// For each place with keys, a file in which an unknown one stands there: the parser then names those it knows.
const PROBES: &[(&str, &str)] = &[
    ("provider", "zzz = 1"),
    ("product", "authorization = 'a'\nzzz = 1"),
    ("variable", "[variables.a]\nzzz = 1"),
    ("derive", "[variables.a]\nderive = { zzz = 1 }"),
    ("setup", "[setup]\nzzz = 1"),
    ("inject", "[inject]\nzzz = 1"),
    ("oauth", "[oauth]\nzzz = 1"),
    ("authorize", "[oauth.authorize]\nzzz = 1"),
    ("token", "[oauth.token]\nzzz = 1"),
    ("token_reply", "[oauth.token_reply]\nzzz = 1"),
    ("callback", "[oauth.callback]\nzzz = 1"),
    ("introspection", "[oauth.introspection]\nzzz = 1"),
    ("refresh", "[oauth.refresh]\nzzz = 1"),
    ("revoke", "[oauth.revoke]\nzzz = 1"),
    ("oauth_capture", "[oauth.capture.a]\nzzz = 1"),
    ("tenants", "[oauth.tenants]\nzzz = 1"),
    ("account", "[account]\nzzz = 1"),
    ("sign_in", "[account.sign_in]\nzzz = 1"),
    ("account_rule", "[[account_rule]]\nzzz = 1"),
    ("error", "[[error]]\nzzz = 1"),
    ("when", "[[error]]\nwhen = { zzz = 1 }"),
    ("test", "[[error]]\nwhen = { body = { zzz = 1 } }"),
    ("one_test", "[[error]]\nwhen = { all = [{ zzz = 1 }] }"),
    ("retry_after", "[[error]]\nretry_after = { zzz = 1 }"),
    ("tool", "[[tool]]\nzzz = 1"),
    ("step", "[[tool]]\n[[tool.step]]\nzzz = 1"),
    (
        "capture",
        "[[tool]]\n[[tool.step]]\ncapture = { a = { zzz = 1 } }",
    ),
    ("expand", "[[tool]]\n[tool.expand]\nzzz = 1"),
    ("poll", "[[tool]]\n[tool.poll]\nzzz = 1"),
    ("pagination", "[[tool]]\n[tool.pagination]\nzzz = 1"),
    (
        "next_link",
        "[[tool]]\npagination = { next_link = { zzz = 1 } }",
    ),
    ("page", "[[tool]]\npagination = { page = { zzz = 1 } }"),
    ("offset", "[[tool]]\npagination = { offset = { zzz = 1 } }"),
    (
        "last_id",
        "[[tool]]\npagination = { last_id = { zzz = 1 } }",
    ),
    ("list", "[[tool]]\npick = { a = { each = '.', zzz = 1 } }"),
    (
        "apply",
        "[[tool]]\npick = { a = { apply = 'non_empty_text', zzz = 1 } }",
    ),
    (
        "entries",
        "[[tool]]\npick = { a = { entries = '.', key = 'k', zzz = 1 } }",
    ),
    ("first", "[[tool]]\npick = { a = { first = [], zzz = 1 } }"),
    (
        "cut",
        "[[tool]]\npick = { a = { cut = '.', chars = 1, zzz = 1 } }",
    ),
    ("continue", "[[tool]]\n[tool.pagination.continue]\nzzz = 1"),
    ("graphql", "[[tool]]\ngraphql = { zzz = 1 }"),
    ("raw", "[[tool]]\nraw = { zzz = 1 }"),
    (
        "multipart_related",
        "[[tool]]\nmultipart_related = { zzz = 1 }",
    ),
    ("part", "[[tool]]\nmultipart_form = [{ zzz = 1 }]"),
    ("header_json", "[[tool]]\nheader_json = { zzz = 1 }"),
    ("redirect", "[[tool]]\nredirect = { zzz = 1 }"),
    (
        "treat_as_success",
        "[[tool]]\ntreat_as_success = { zzz = 1 }",
    ),
];

/// Places of which the page describes the keys in its text rather than in a table of their own.
const IN_TEXT: &[&str] = &[
    "continue",
    "derive",
    "one_test",
    "redirect",
    "treat_as_success",
];

/// Keys that the page and the schema describe in common for several places.
const SHARED: &[(&str, &[&str])] = &[
    ("account", &["request"]),
    ("tenants", &["request"]),
    ("tool", &["request", "reply"]),
    ("step", &["request", "reply"]),
    ("expand", &["request"]),
    ("poll", &["request"]),
    ("continue", &["request"]),
];

fn problems(file: &str, text: &str) -> Vec<Problem> {
    check(&[Source {
        file: file.to_owned(),
        text: text.to_owned(),
    }])
}

/// The names in backticks after the first of them.
fn quoted(text: &str) -> BTreeSet<String> {
    let names = text.split('`').skip(1).step_by(2);
    names.map(str::to_owned).collect()
}

/// What the parser says it knows where `text` has something unknown.
fn known(text: &str) -> BTreeSet<String> {
    let found = problems("probe.toml", text);
    let message = &found.first().expect("an unknown key is refused").message;
    let (given, expected) = message
        .split_once(", expected ")
        .or_else(|| message.split_once(": there are "))
        .unwrap_or_else(|| panic!("`{message}` names nothing that is known"));
    assert!(given.contains(UNKNOWN), "{text}: {message}");
    if expected.contains('`') {
        return quoted(expected);
    }
    let names = expected
        .split(", ")
        .map(|name| name.trim_matches(['$', ' ', '.']));
    names.map(str::to_owned).collect()
}

/// What stands in the first column of the tables that follow a marker.
fn on_the_page(marker: &str) -> BTreeSet<String> {
    let marker = format!("<!-- {marker} -->");
    let tables: Vec<&str> = PAGE.split(&marker).skip(1).collect();
    assert!(!tables.is_empty(), "the page has no table for {marker}");
    let rows = tables.iter().flat_map(|table| {
        let lines = table.trim_start().lines();
        lines.take_while(|line| line.starts_with('|')).skip(2)
    });
    rows.flat_map(|row| {
        quoted(
            row.trim_matches('|')
                .split(" | ")
                .next()
                .unwrap_or_default(),
        )
    })
    .collect()
}

fn in_the_schema(place: &str) -> BTreeSet<String> {
    let schema = schema();
    let properties = schema["$defs"][place]["properties"].as_object();
    let properties = properties.unwrap_or_else(|| panic!("the schema has no `{place}`"));
    properties.keys().cloned().collect()
}

/// What differs, in words; nothing when both know the same.
fn difference(what: &str, there: &BTreeSet<String>, parser: &BTreeSet<String>) -> Option<String> {
    let missing: Vec<_> = parser.difference(there).collect();
    let idle: Vec<_> = there.difference(parser).collect();
    (!missing.is_empty() || !idle.is_empty()).then(|| {
        format!("{what} lacks {missing:?} and has {idle:?}, which the parser does not know")
    })
}

fn assert_same(differences: impl IntoIterator<Item = Option<String>>) {
    let differences: Vec<_> = differences.into_iter().flatten().collect();
    assert!(differences.is_empty(), "{differences:#?}");
}

#[test]
fn the_page_describes_every_key_of_the_parser_and_no_other() {
    let with_tables = PROBES.iter().filter(|(place, _)| !IN_TEXT.contains(place));
    assert_same(with_tables.map(|(place, probe)| {
        let mut described = on_the_page(&format!("keys: {place}"));
        let shared = SHARED.iter().find(|(name, _)| name == place);
        for shared in shared.into_iter().flat_map(|(_, shared)| *shared) {
            described.extend(on_the_page(&format!("keys: {shared}")));
        }
        let what = format!("docs/provider-file.md, `keys: {place}`,");
        difference(&what, &described, &known(probe))
    }));
}

#[test]
fn the_schema_has_every_key_of_the_parser_and_no_other() {
    assert_same(PROBES.iter().map(|(place, probe)| {
        let what = format!("src/catalogue/schema/places.json, `{place}`,");
        difference(&what, &in_the_schema(place), &known(probe))
    }));
}

#[test]
fn every_table_of_the_page_and_every_place_of_the_schema_is_probed() {
    let probed: BTreeSet<&str> = PROBES.iter().map(|(place, _)| *place).collect();
    let shared: BTreeSet<&str> = SHARED
        .iter()
        .flat_map(|(_, shared)| *shared)
        .copied()
        .collect();
    for marker in PAGE.split("<!-- keys: ").skip(1) {
        let place = marker.split(" -->").next().unwrap();
        assert!(probed.contains(place) || shared.contains(place), "{place}");
    }
    let schema = schema();
    let places = schema["$defs"].as_object().unwrap().iter();
    for (place, _) in places.filter(|(_, definition)| definition["additionalProperties"] == false) {
        // A test that stands in an untagged choice: the parser does not name its keys.
        let told = probed.contains(place.as_str()) || shared.contains(place.as_str());
        assert!(told || place == "place_test", "{place}");
    }
}

#[test]
fn the_page_describes_every_operator_quoter_and_transform() {
    let first_words = |marker: &str| -> BTreeSet<String> {
        let first = |name: &String| name.split(' ').next().unwrap_or_default().to_owned();
        on_the_page(marker).iter().map(first).collect()
    };
    let mut operators = known("[[tool]]\nquery = { a = { zzz = 1 } }");
    // A query alone has these: they are several parameters rather than a value.
    operators.extend(["repeat", "brackets", "form_brackets"].map(str::to_owned));
    let hints = "read_only = true\ndestructive = false\nidempotent = true\nopen_world = false";
    let quoter = "scopes = []\nget = '/a/{b|zzz}'\nexample = {}";
    let quoters = known(&format!(
        "[[tool]]\nname = 'a'\ntitle = 'A'\ndescription = 'A.'\n{hints}\n{quoter}"
    ));
    let transforms = known("[[tool]]\npick = { a = { apply = 'zzz', to = 'b' } }");
    let named = [
        ("operators", operators),
        ("quoters", quoters),
        ("transforms", transforms),
    ];
    assert_same(named.iter().map(|(marker, parser)| {
        let what = format!("docs/provider-file.md, {marker},");
        difference(&what, &first_words(marker), parser)
    }));
}

/// The blocks of the page are files: a provider, and a product of it.
#[test]
fn every_block_of_the_page_loads_and_passes_the_checks() {
    let mut sources = Vec::new();
    for block in PAGE.split("\n```toml").skip(1) {
        let (heading, rest) = block.split_once('\n').unwrap();
        let id = match heading.trim() {
            "" => "helpdesk",
            "product of helpdesk" => "helpdesk_knowledge",
            other => panic!("{other}"),
        };
        sources.push(Source {
            file: format!("{id}.toml"),
            text: rest.split("```").next().unwrap().to_owned(),
        });
    }
    assert_eq!(sources.len(), 2);
    let problems = check(&sources);
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn the_page_names_every_check() {
    let named = |name: &str| PAGE.contains(&format!("| `{name}` |"));
    let missing = CHECKS
        .iter()
        .map(|check| check.name)
        .filter(|name| !named(name));
    let missing: Vec<_> = missing.collect();
    assert!(missing.is_empty(), "{missing:?}");
}

fn kept(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_default()
}

/// Holds a file that the program prints; the failure says how it is written anew.
fn assert_fresh(path: &str, arguments: &[&str]) {
    let printed = program::run(arguments);
    assert_eq!(printed.status, Some(0), "{}", printed.stderr);
    assert!(
        printed.stdout == kept(path),
        "{path} is stale: run `attache {} > {path}`",
        arguments.join(" ")
    );
}

#[test]
fn the_kept_schema_is_fresh() {
    assert_fresh("providers/provider.schema.json", &["check", "--schema"]);
}

#[test]
fn the_page_of_services_is_fresh() {
    let fixtures = "tests/fixtures/providers";
    let arguments = ["providers", "--markdown", "--fixtures", fixtures];
    assert_fresh("docs/providers.md", &arguments);
}

/// The schema takes every file that the parser takes, and refuses what the parser refuses for its keys.
#[test]
fn every_file_of_the_release_satisfies_the_schema() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let value = |text: &str| -> Value { toml::from_str(text).unwrap() };
    for source in embedded() {
        let errors: BTreeMap<String, String> = validator
            .iter_errors(&value(&source.text))
            .map(|error| (error.instance_path().to_string(), error.to_string()))
            .collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", source.file);
    }
    let (file, text) = embedded()
        .into_iter()
        .map(|source| (source.file, source.text))
        .find(|(_, text)| text.contains("[oauth]\n") && text.contains("[account]\n"))
        .unwrap();
    for (from, to) in [
        ("[oauth]\n", "[oauth]\nzzz = 1\n"),
        ("[account]\n", "[account]\nzzz = 1\n"),
        ("name = ", "nmae = "),
        ("confidence = \"documentation\"", "confidence = \"surely\""),
    ] {
        let broken = text.replacen(from, to, 1);
        assert!(!validator.is_valid(&value(&broken)), "{file}: {to}");
    }
}

/// Written by the tutorial, for services that the release does not come with.
#[test]
fn the_example_files_pass_every_check() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/providers");
    let checked = program::run(&["check", "--alone", folder.to_str().unwrap()]);
    assert_eq!(checked.status, Some(0), "{}", checked.stderr);
    assert_eq!(checked.stdout.trim(), "2 provider files are right.");
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(validator.is_valid(&toml::from_str(&text).unwrap()));
    }
}

#[test]
fn a_new_provider_passes_at_once_and_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let written = program::run(&["new-provider", "my_pets", "--dir", dir]);
    assert_eq!(written.status, Some(0), "{}", written.stderr);
    let file = PathBuf::from(written.stdout.trim());
    assert_eq!(file, folder.path().join("my_pets.toml"));
    let checked = program::run(&["check", dir]);
    assert_eq!(checked.status, Some(0), "{}", checked.stderr);
    let text = std::fs::read_to_string(&file).unwrap();
    let validator = jsonschema::validator_for(&schema()).unwrap();
    assert!(validator.is_valid(&toml::from_str(&text).unwrap()));

    std::fs::write(&file, "mine").unwrap();
    let again = program::run(&["new-provider", "my_pets", "--dir", dir]);
    assert_eq!(again.status, Some(1));
    assert!(
        again.stderr.contains("it is there already"),
        "{}",
        again.stderr
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    for bad in ["../pets", "Pets", "attache", "sandbox"] {
        let refused = program::run(&["new-provider", bad, "--dir", dir]);
        assert_eq!(refused.status, Some(2), "{bad}: {}", refused.stderr);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
