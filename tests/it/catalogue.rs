//! The provider files of this release: what they advertise, what they send, how they read.
//!
//! One snapshot per tool and question. A changed snapshot is a change that agents notice: read it, then accept it.
//! Fixtures stand in `tests/fixtures/providers/{provider}/{tool}.json`; each says in `source` whether it was recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use attache::catalogue::{
    CHECKS, Catalogue, Provider, RefusalKind, Reply, ScopeRequirement, ScopeSet, Source, Tool,
    Variables, check,
};
use http::{Request, Response};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Values for the variables of the providers of this release.
fn variables(provider: &Provider) -> Variables {
    let examples = BTreeMap::from([("port", "8711")]);
    let given = provider
        .variables()
        .keys()
        .map(|name| (name.clone(), examples[name.as_str()].to_owned()))
        .collect();
    provider.resolve(&given).expect("example values fit")
}

fn catalogue() -> Catalogue {
    Catalogue::load(None).unwrap_or_else(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{}", problems.join("\n"))
    })
}

fn tools(catalogue: &Catalogue) -> impl Iterator<Item = (&Arc<Provider>, &Arc<Tool>)> {
    catalogue
        .providers()
        .iter()
        .flat_map(|provider| provider.tools().iter().map(move |tool| (provider, tool)))
}

fn fixture_path(provider: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/providers")
        .join(provider)
        .join(format!("{name}.json"))
}

fn fixture(provider: &str, name: &str) -> Response<Vec<u8>> {
    let path = fixture_path(provider, name);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("every tool has a fixture at {}: {error}", path.display()));
    let fixture: Value = serde_json::from_str(&text).expect("a fixture is JSON");
    assert!(
        fixture["source"].is_string(),
        "{} does not say where it comes from",
        path.display()
    );
    let status = fixture["status"]
        .as_u64()
        .and_then(|status| u16::try_from(status).ok());
    let body = fixture
        .get("body")
        .map(|body| body.to_string().into_bytes());
    Response::builder()
        .status(status.expect("a fixture has a status"))
        .body(body.unwrap_or_default())
        .expect("a fixture is a reply")
}

fn is_form(request: &Request<Vec<u8>>) -> bool {
    let media_type = request.headers().get("content-type");
    media_type.is_some_and(|media_type| media_type == "application/x-www-form-urlencoded")
}

fn is_graphql(request: &Request<Vec<u8>>) -> bool {
    request.uri().path().ends_with("/graphql")
}

/// A JSON body with every value taken out, or the names of a form: what no argument may change.
fn shape(request: &Request<Vec<u8>>) -> Value {
    fn without_values(value: &Value) -> Value {
        match value {
            Value::Object(fields) => fields
                .iter()
                .map(|(key, field)| (key.clone(), without_values(field)))
                .collect::<Map<_, _>>()
                .into(),
            Value::Array(items) => items.iter().map(without_values).collect(),
            _ => Value::Null,
        }
    }
    if is_form(request) {
        return url::form_urlencoded::parse(request.body())
            .map(|(name, _)| name.into_owned())
            .collect();
    }
    serde_json::from_slice(request.body()).map_or(Value::Null, |body| without_values(&body))
}

fn show(request: &Request<Vec<u8>>) -> String {
    let mut shown = format!("{} {}\n", request.method(), request.uri());
    let headers: BTreeSet<String> = request
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    for header in headers {
        writeln!(shown, "{header}").unwrap();
    }
    if is_form(request) {
        for (name, value) in url::form_urlencoded::parse(request.body()) {
            write!(shown, "\n{name}={value}").unwrap();
        }
    } else if !request.body().is_empty() {
        let mut body: Value = serde_json::from_slice(request.body()).unwrap();
        let document = match body.as_object_mut().filter(|_| is_graphql(request)) {
            Some(body) => body.shift_remove("query"),
            None => None,
        };
        write!(shown, "\n{body:#}").unwrap();
        if let Some(document) = document {
            write!(shown, "\n\n{}", document.as_str().unwrap()).unwrap();
        }
    }
    shown
}

fn snapshot(question: &str, name: &str, content: &str) {
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!(format!("{question}__{name}"), content);
    });
}

#[test]
fn every_provider_of_this_release_is_sound() {
    let catalogue = catalogue();
    let ids: Vec<&str> = catalogue
        .providers()
        .iter()
        .map(|provider| provider.id())
        .collect();
    assert_eq!(ids, ["github", "linear", "sandbox", "slack"]);
    for (provider, tool) in tools(&catalogue) {
        let (found_provider, found_tool) = catalogue
            .tool(tool.name())
            .expect("every tool is found by name");
        assert_eq!(
            (found_provider.id(), found_tool.name()),
            (provider.id(), tool.name())
        );
        assert_eq!(tool.provider(), provider.id());
    }
    assert!(catalogue.tool("github_launch_rocket").is_none());
    assert!(catalogue.provider("nobody").is_none());
}

#[test]
fn every_tool_advertises_what_its_snapshot_says() {
    let catalogue = catalogue();
    for (_, tool) in tools(&catalogue) {
        let scopes = match tool.scopes() {
            ScopeRequirement::All(scopes) => json!({"all": scopes}),
            ScopeRequirement::Any(scopes) => json!({"any": scopes}),
        };
        let advertised = json!({
            "name": tool.name(),
            "title": tool.title(),
            "description": tool.description(),
            "hints": tool.hints(),
            "effects": tool.effects(),
            "scopes": scopes,
            "inputSchema": tool.input_schema().as_ref(),
        });
        snapshot("advertises", tool.name(), &format!("{advertised:#}"));
    }
}

#[test]
fn every_provider_asks_a_person_for_what_its_snapshot_says() {
    for provider in catalogue().providers() {
        let plan = provider.scope_plan();
        let none = ScopeSet::default();
        let tool = |tool: &std::sync::Arc<Tool>| {
            let asked = plan.with_tools(&none, [tool.as_ref()]);
            (tool.name().to_owned(), json!(asked))
        };
        let asked = json!({
            "default": plan.by_default(),
            "everything": plan.with_all_tools(&none),
            "tools": provider.tools().iter().map(tool).collect::<serde_json::Map<_, _>>(),
        });
        snapshot("asks", provider.id(), &format!("{asked:#}"));
    }
}

#[test]
fn every_tool_sends_what_its_snapshot_says() {
    let catalogue = catalogue();
    for (provider, tool) in tools(&catalogue) {
        tool.check(tool.example()).expect("the example fits");
        let request = tool
            .render(&variables(provider), tool.example())
            .expect("the example renders");
        snapshot("sends", tool.name(), &show(&request));
    }
}

#[test]
fn every_tool_reads_its_fixture_as_its_snapshot_says() {
    let catalogue = catalogue();
    for (provider, tool) in tools(&catalogue) {
        let Reply::Success(output) = tool.read(&fixture(provider.id(), tool.name())) else {
            panic!("the fixture of {} is a refusal", tool.name())
        };
        let text: Value = serde_json::from_str(&output.text).expect("the text is JSON");
        if let Some(structured) = output.structured {
            assert_eq!(
                structured,
                text,
                "both forms of the output of {} say the same",
                tool.name()
            );
        }
        snapshot("reads", tool.name(), &format!("{text:#}"));
    }
}

#[test]
fn every_provider_speaks_oauth_and_names_the_account_as_its_snapshot_says() {
    for provider in catalogue().providers() {
        let variables = variables(provider);
        let profile = provider
            .oauth(&variables)
            .expect("resolved variables render");
        snapshot("oauth", provider.id(), &format!("{profile:#?}"));
        let request = provider
            .account_request(&variables)
            .expect("resolved variables render");
        let account = provider.read_account(&fixture(provider.id(), "account"));
        snapshot(
            "account",
            provider.id(),
            &format!(
                "{}\n{:#?}",
                show(&request),
                account.expect("the fixture names an account")
            ),
        );
    }
}

#[test]
fn no_fixture_is_left_without_a_tool() {
    let catalogue = catalogue();
    for provider in catalogue.providers() {
        let directory = fixture_path(provider.id(), "account");
        for entry in std::fs::read_dir(directory.parent().unwrap()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(
                name == "account" || catalogue.tool(name).is_some(),
                "{}",
                path.display()
            );
        }
    }
}

#[test]
fn an_operator_adds_providers_but_replaces_none_silently() {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("providers/sandbox.toml"),
    )
    .unwrap();
    let own = sandbox.replace("name = \"sandbox_", "name = \"notes_");
    std::fs::write(directory.path().join("notes.toml"), own).unwrap();
    let with_own = Catalogue::load(Some(directory.path())).unwrap();
    assert!(with_own.tool("notes_whoami").is_some() && with_own.tool("sandbox_whoami").is_some());

    std::fs::write(directory.path().join("sandbox.toml"), sandbox).unwrap();
    let problems = Catalogue::load(Some(directory.path())).unwrap_err();
    assert!(
        problems
            .iter()
            .any(|problem| problem.check == "ids_are_unique"
                && problem.file.starts_with(directory.path().to_str().unwrap()))
    );
}

#[test]
fn each_refusal_of_github_is_understood() {
    let catalogue = catalogue();
    let (_, tool) = catalogue.tool("github_get_issue").unwrap();
    let read = |status: u16, headers: &[(&str, &str)], message: &str| {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let body = json!({"message": message, "documentation_url": "https://docs.github.com"});
        match tool.read(&response.body(body.to_string().into_bytes()).unwrap()) {
            Reply::Refused(refusal) => (
                refusal.kind,
                refusal.retry_after.map(|pause| pause.as_secs()),
            ),
            Reply::Success(output) => panic!("{output:?}"),
        }
    };
    assert_eq!(
        read(401, &[], "Bad credentials"),
        (RefusalKind::TokenInvalid, None)
    );
    assert_eq!(
        read(
            403,
            &[(
                "x-github-sso",
                "required; url=https://github.com/orgs/o/sso"
            )],
            "Resource protected"
        ),
        (RefusalKind::ScopeMissing, None)
    );
    let exhausted = [
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "1700000060"),
        ("date", "Tue, 14 Nov 2023 22:13:20 GMT"),
    ];
    assert_eq!(
        read(403, &exhausted, "API rate limit exceeded"),
        (RefusalKind::RateLimited, Some(60))
    );
    assert_eq!(
        read(
            403,
            &[("retry-after", "30")],
            "You have exceeded a secondary rate limit."
        ),
        (RefusalKind::RateLimited, Some(30))
    );
    assert_eq!(
        read(403, &[], "Resource not accessible by integration"),
        (RefusalKind::ScopeMissing, None)
    );
    assert_eq!(
        read(403, &[], "Must have admin rights"),
        (RefusalKind::Other, None)
    );
    assert_eq!(read(404, &[], "Not Found"), (RefusalKind::NotFound, None));
    assert_eq!(
        read(410, &[], "Issues are disabled"),
        (RefusalKind::NotFound, None)
    );
    assert_eq!(read(409, &[], "Conflict"), (RefusalKind::Conflict, None));
    assert_eq!(
        read(422, &[], "Validation Failed"),
        (RefusalKind::Invalid, None)
    );
    assert_eq!(read(503, &[], "Unicorn"), (RefusalKind::Retryable, None));
}

#[test]
fn each_refusal_of_slack_is_understood() {
    let catalogue = catalogue();
    let (_, tool) = catalogue.tool("slack_read_channel").unwrap();
    let refused = |status: u16, body: &Value| {
        let response = Response::builder()
            .status(status)
            .header("retry-after", "30");
        let response = response.body(body.to_string().into_bytes()).unwrap();
        match tool.read(&response) {
            Reply::Refused(refusal) => refusal,
            Reply::Success(output) => panic!("{output:?}"),
        }
    };
    for (error, kind) in [
        ("invalid_auth", RefusalKind::TokenInvalid),
        ("token_revoked", RefusalKind::TokenInvalid),
        ("token_expired", RefusalKind::TokenInvalid),
        ("account_inactive", RefusalKind::TokenInvalid),
        ("not_authed", RefusalKind::TokenInvalid),
        ("user_removed_from_team", RefusalKind::TokenInvalid),
        ("missing_scope", RefusalKind::ScopeMissing),
        ("ratelimited", RefusalKind::RateLimited),
        ("channel_not_found", RefusalKind::NotFound),
        ("is_archived", RefusalKind::Conflict),
        ("internal_error", RefusalKind::Retryable),
        ("not_in_channel", RefusalKind::Invalid),
        ("something_new", RefusalKind::Invalid),
    ] {
        let refusal = refused(200, &json!({"ok": false, "error": error}));
        assert_eq!(refusal.kind, kind, "{error}");
        assert!(refusal.message.contains(error), "{refusal}");
    }
    let missing = json!({"ok": false, "error": "missing_scope", "needed": "im:history", "provided": "im:read"});
    assert_eq!(refused(200, &missing).message, "missing_scope: im:history");
    let limited = refused(429, &json!({"ok": false, "error": "ratelimited"}));
    assert_eq!(limited.kind, RefusalKind::RateLimited);
    assert_eq!(limited.retry_after.map(|pause| pause.as_secs()), Some(30));
    assert_eq!(refused(503, &json!(null)).kind, RefusalKind::Retryable);
}

#[test]
fn a_reaction_that_is_there_already_is_a_success() {
    let catalogue = catalogue();
    let (_, tool) = catalogue.tool("slack_add_reaction").unwrap();
    let read = |error: &str| {
        let body = json!({"ok": false, "error": error}).to_string();
        tool.read(&Response::new(body.into_bytes()))
    };
    let Reply::Success(output) = read("already_reacted") else {
        panic!("nothing was left to do")
    };
    assert_eq!(output.text, r#"{"ok":true,"already_there":true}"#);
    assert!(matches!(read("no_reaction"), Reply::Refused(_)));
    let (_, other) = catalogue.tool("slack_delete_message").unwrap();
    let body = json!({"ok": false, "error": "already_reacted"}).to_string();
    assert!(matches!(
        other.read(&Response::new(body.into_bytes())),
        Reply::Refused(_)
    ));
}

#[test]
fn each_refusal_of_linear_is_understood() {
    let catalogue = catalogue();
    let (_, tool) = catalogue.tool("linear_create_issue").unwrap();
    let refused = |status: u16, body: &Value| {
        let response = Response::builder()
            .status(status)
            .header("date", "Tue, 14 Nov 2023 22:13:20 GMT")
            .header("x-ratelimit-requests-reset", "1700000060000");
        let response = response.body(body.to_string().into_bytes()).unwrap();
        match tool.read(&response) {
            Reply::Refused(refusal) => refusal,
            Reply::Success(output) => panic!("{output:?}"),
        }
    };
    for (status, code, kind) in [
        (200, "AUTHENTICATION_ERROR", RefusalKind::TokenInvalid),
        (400, "AUTHENTICATION_ERROR", RefusalKind::TokenInvalid),
        (401, "ANYTHING", RefusalKind::TokenInvalid),
        (200, "FORBIDDEN", RefusalKind::ScopeMissing),
        (403, "FORBIDDEN", RefusalKind::ScopeMissing),
        (400, "RATELIMITED", RefusalKind::RateLimited),
        (200, "INTERNAL_SERVER_ERROR", RefusalKind::Retryable),
        (502, "ANYTHING", RefusalKind::Retryable),
        (200, "INPUT_ERROR", RefusalKind::Invalid),
        (400, "GRAPHQL_VALIDATION_FAILED", RefusalKind::Invalid),
    ] {
        let error = json!({"message": "Refused", "extensions": {"code": code, "userPresentableMessage": "Not so."}});
        let refusal = refused(status, &json!({"errors": [error], "data": null}));
        assert_eq!(refusal.kind, kind, "{status} {code}");
        assert_eq!(refusal.message, "Refused: Not so.");
    }
    let limited =
        json!({"errors": [{"message": "Rate limit", "extensions": {"code": "RATELIMITED"}}]});
    let pause = refused(400, &limited).retry_after;
    assert_eq!(pause.map(|pause| pause.as_secs()), Some(60));
    let missing = json!({"errors": [{"message": "Entity not found: Team"}], "data": null});
    assert_eq!(refused(200, &missing).kind, RefusalKind::NotFound);

    let half =
        json!({"errors": [{"message": "Timeout"}], "data": {"issueCreate": {"success": true}}});
    assert_eq!(refused(200, &half).kind, RefusalKind::Invalid);
    for silent in [
        json!({"data": {"issueCreate": {"success": false}}}),
        json!({"data": null}),
        json!({"data": {"issueCreate": null}}),
    ] {
        assert_eq!(refused(200, &silent).kind, RefusalKind::Other, "{silent}");
    }
}

/// A null would clear a field, so what is absent or null never becomes one.
#[test]
fn linear_is_sent_no_null() {
    let catalogue = catalogue();
    let (provider, tool) = catalogue.tool("linear_update_issue").unwrap();
    let arguments = json!({"id": "ENG-1", "title": "A", "assignee_id": null});
    let arguments = arguments.as_object().unwrap();
    tool.check(arguments).unwrap();
    let request = tool.render(&variables(provider), arguments).unwrap();
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(body["variables"], json!({"id": "ENG-1", "title": "A"}));
}

#[test]
fn the_last_page_has_no_cursor() {
    let catalogue = catalogue();
    let (_, tool) = catalogue.tool("slack_list_users").unwrap();
    let body = json!({"ok": true, "members": [], "response_metadata": {"next_cursor": ""}});
    let Reply::Success(output) = tool.read(&Response::new(body.to_string().into_bytes())) else {
        panic!("an empty page is a success")
    };
    assert_eq!(output.text, r#"{"users":[]}"#);
}

#[test]
fn a_model_is_told_what_to_correct() {
    let catalogue = catalogue();
    let (_, tool) = catalogue.tool("github_list_issues").unwrap();
    let arguments =
        json!({"owner": "octocat", "per_page": 500, "state": "opened", "label": ["bug"]});
    let complaint = tool
        .check(arguments.as_object().unwrap())
        .unwrap_err()
        .to_string();
    insta::assert_snapshot!(complaint, @r#"github_list_issues was not called, its arguments do not fit: `repo`: it is required; `state`: "opened" is not one of "open", "closed" or "all"; `per_page`: 500 is greater than the maximum of 100; `label`: there is no such argument (did you mean `labels`?). Correct them and call again."#);
    let filled = tool.with_defaults(
        json!({"owner": "o", "repo": "r", "since": null})
            .as_object()
            .unwrap(),
    );
    assert_eq!(filled["per_page"], json!(30));
    assert!(!filled.contains_key("since"));
}

#[test]
fn the_root_of_a_repository_is_listed_when_there_is_no_path() {
    let catalogue = catalogue();
    let (provider, tool) = catalogue.tool("github_get_file_contents").unwrap();
    let arguments = json!({"owner": "octocat", "repo": "hello-world"});
    let request = tool
        .render(&variables(provider), arguments.as_object().unwrap())
        .unwrap();
    assert_eq!(
        request.uri(),
        "https://api.github.com/repos/octocat/hello-world/contents"
    );
    let listing = json!({"type": "dir", "path": "", "entries": [{"name": "a.rs", "type": "file", "size": 3, "url": "x"}]});
    let response = Response::new(listing.to_string().into_bytes());
    let Reply::Success(output) = tool.read(&response) else {
        panic!("a listing is a success")
    };
    assert_eq!(
        output.text,
        r#"{"type":"dir","path":"","entries":[{"name":"a.rs","type":"file","size":3}]}"#
    );
}

#[test]
fn variables_of_one_provider_open_no_other() {
    let catalogue = catalogue();
    let (_, tool) = catalogue.tool("github_get_me").unwrap();
    let sandbox = catalogue.provider("sandbox").unwrap();
    assert!(tool.render(&variables(sandbox), &Map::new()).is_err());
    assert!(
        catalogue
            .provider("github")
            .unwrap()
            .oauth(&variables(sandbox))
            .is_err()
    );
}

#[test]
fn a_port_is_a_number_or_the_sandbox_cannot_be_reached() {
    let catalogue = catalogue();
    let sandbox = catalogue.provider("sandbox").unwrap();
    for port in ["", "0", "65536", "80/", "80@evil.example", "80#", "１２"] {
        let given = BTreeMap::from([("port".to_owned(), port.to_owned())]);
        assert!(sandbox.resolve(&given).is_err(), "{port:?}");
    }
    assert!(sandbox.resolve(&BTreeMap::new()).is_err());
}

#[test]
fn files_that_cannot_be_read_are_all_reported() {
    let broken = |file: &str, text: &str| Source {
        file: file.to_owned(),
        text: text.to_owned(),
    };
    let problems = check(&[
        broken("a.toml", "name = "),
        broken("b.toml", "nmae = \"B\""),
    ]);
    let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(shown.join("\n"));
}

/// The example of the format reference is a whole file: it must pass every check.
#[test]
fn the_example_of_the_format_reference_is_sound() {
    let readme = include_str!("../../providers/README.md");
    let example = readme
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("the reference has an example");
    let problems = check(&[Source {
        file: "helpdesk.toml".to_owned(),
        text: example.to_owned(),
    }]);
    assert!(problems.is_empty(), "{problems:#?}");
}

/// Every check is explained where authors look for it.
#[test]
fn the_format_reference_names_every_check() {
    let readme = include_str!("../../providers/README.md");
    for check in CHECKS {
        assert!(
            readme.contains(&format!("`{}`", check.name)),
            "{}",
            check.name
        );
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever the arguments: the request goes to the provider, and to the path that the template promises.
    #[test]
    fn no_argument_ever_moves_a_request(values in prop::collection::vec(hostile(), 8), pick in any::<prop::sample::Index>()) {
        thread_local! {
            static CATALOGUE: Catalogue = catalogue();
        }
        CATALOGUE.with(|catalogue| {
            let all: Vec<_> = tools(catalogue).collect();
            let (provider, tool) = all[pick.index(all.len())];
            let variables = variables(provider);
            let example = tool.render(&variables, tool.example()).unwrap();
            let mut arguments = tool.example().clone();
            let texts = arguments.values_mut().filter(|value| value.is_string());
            for (value, hostile) in texts.zip(&values) {
                *value = Value::String(hostile.clone());
            }
            let Ok(request) = tool.render(&variables, &arguments) else { return Ok(()) };

            prop_assert_eq!(request.uri().scheme(), example.uri().scheme());
            prop_assert_eq!(request.uri().authority(), example.uri().authority());
            prop_assert_eq!(request.method(), example.method());
            prop_assert_eq!(request.headers(), example.headers());
            let segments = |text: &str| text.split('/').count();
            let slashes = |arguments: &Map<String, Value>| arguments
                .get("path")
                .and_then(Value::as_str)
                .map_or(0, segments);
            prop_assert_eq!(
                segments(request.uri().path()) - slashes(&arguments),
                segments(example.uri().path()) - slashes(tool.example())
            );
            let reparsed = url::Url::parse(&request.uri().to_string()).unwrap();
            prop_assert_eq!(reparsed.path(), request.uri().path());
            prop_assert!(reparsed.path().split('/').all(|segment| segment != "." && segment != ".."));
            let names = |uri: &http::Uri| -> BTreeSet<String> {
                let query = uri.query().unwrap_or_default().to_owned();
                url::form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name.into_owned()).collect()
            };
            prop_assert_eq!(names(request.uri()), names(example.uri()));
            prop_assert_eq!(shape(&request), shape(&example));
            if is_graphql(&example) {
                let document = |request: &Request<Vec<u8>>| -> Value {
                    let body: Value = serde_json::from_slice(request.body()).unwrap();
                    body["query"].clone()
                };
                prop_assert!(document(&example).is_string());
                prop_assert_eq!(document(&request), document(&example));
            }
            Ok(())
        })?;
    }
}
