//! The rules are tried: each finds what is planted, on its line, and leaves alone what is allowed.

use super::rules::{Providers, Rules};
use super::source::Source;

/// The rules, in a world with the providers `acme` and `sandbox`.
fn rules() -> Rules {
    let mut providers = Providers::default();
    providers.add("acme", "base_url = \"https://api.acme.example/v1\"");
    providers.add("sandbox", "");
    Rules::new(providers)
}

fn broken(rules: &Rules, path: &str, text: &str) -> Vec<(usize, String)> {
    let breaches = rules.inspect(&Source::scan(path, text));
    breaches
        .into_iter()
        .map(|breach| (breach.line, breach.rule))
        .collect()
}

/// What is planted on the second line of which file, and what the rule says.
const PLANTED: &[(&str, &str, &str)] = &[
    (
        "store/mod.rs",
        "\nuse crate::gateway::Call;",
        "must not import `gateway`",
    ),
    (
        "web/page.rs",
        "\nuse super::super::store::Store;",
        "must not import `store`",
    ),
    ("web/mod.rs", "\nuse super::mcp;", "must not import `mcp`"),
    (
        "mcp/server.rs",
        "\nuse crate::{base::Clock, gateway::{a, b}, oauth::Grant};",
        "must not import `oauth`",
    ),
    (
        "identity/mod.rs",
        "\nfn a() { crate::catalogue::b() }",
        "must not import `catalogue`",
    ),
    (
        "sandbox/mod.rs",
        "\nuse crate::egress::Egress;",
        "must not import `egress`",
    ),
    (
        "app/mod.rs",
        "\nuse crate::cli::Arguments;",
        "must not import `cli`",
    ),
    (
        "gateway/call.rs",
        "\nuse rmcp::model::Tool;",
        "the crate `rmcp`",
    ),
    (
        "gateway/call.rs",
        "\nfn a(b: ::axum::Router) {}",
        "the crate `axum`",
    ),
    (
        "oauth/client.rs",
        "\n    reqwest::get(url)",
        "the crate `reqwest`",
    ),
    ("store/memory.rs", "\nuse sled::Tree;", "the crate `sled`"),
    (
        "connection/mod.rs",
        "\nuse tokio::sync::Mutex;",
        "floor 1 is synchronous",
    ),
    (
        "policy/rule.rs",
        "\n std::fs::read(path)",
        "reads files on floor 1",
    ),
    (
        "gateway/call.rs",
        "\n std::env::var_os(name)",
        "the environment is read",
    ),
    (
        "web/page.rs",
        "\nfn a(b: &Credential) {}",
        "never enters a surface",
    ),
    (
        "gateway/call.rs",
        "\n token.expose()",
        "a secret is exposed",
    ),
    (
        "gateway/call.rs",
        "\n#[serde(with = \"for_sealing\")]",
        "a secret is exposed",
    ),
    (
        "gateway/call.rs",
        "\nif id == \"acme\" {}",
        "names the provider `acme`",
    ),
    (
        "gateway/call.rs",
        "\nlet a = r#\"https://api.acme.example/x\"#;",
        "names the provider `api.acme.example`",
    ),
    (
        "gateway/call.rs",
        "\nif id == \"sandbox\" {}",
        "names the provider `sandbox`",
    ),
];

#[test]
fn every_planted_violation_is_found_on_its_line() {
    let rules = rules();
    for (path, text, expected) in PLANTED {
        let found = broken(&rules, path, text);
        let [(2, rule)] = &found[..] else {
            panic!("{path}: {text}: {found:?}")
        };
        assert!(rule.contains(expected), "{rule} instead of {expected}");
    }
}

#[test]
fn modules_without_a_floor_and_drawers_are_found() {
    let rules = rules();
    assert!(
        broken(&rules, "weather/mod.rs", "")[0]
            .1
            .contains("has no floor")
    );
    assert!(
        broken(&rules, "web/util.rs", "")[0]
            .1
            .contains("says nothing")
    );
    assert!(
        broken(&rules, "web/helpers/page.rs", "")[0]
            .1
            .contains("says nothing")
    );
    assert!(
        !rules
            .stale_rows(&[Source::scan("base/secret.rs", "")])
            .is_empty()
    );
}

#[test]
fn what_is_allowed_is_left_alone() {
    let rules = rules();
    for (path, text) in [
        (
            "gateway/mod.rs",
            "use crate::{oauth::Grant, store::Store};\nuse crate::base;",
        ),
        (
            "web/pages/card.rs",
            "use super::super::layout;\nuse super::store;",
        ),
        ("store/sled.rs", "use sled::Db;"),
        ("store/mod.rs", "mod sled;\npub use sled::Sled;"),
        (
            "gateway/call.rs",
            "// use rmcp::model; token.expose()\n/* \"acme\" */",
        ),
        (
            "gateway/call.rs",
            "let a = \"// crate::mcp::x .expose() \\\" rmcp::\"; let b = '\"'; fn c<'a>() {}",
        ),
        (
            "gateway/call.rs",
            "#[cfg(test)]\nmod tests {\n use rmcp::x;\n const A: &str = \"acme }\";\n}\n",
        ),
        ("gateway/call.rs", "#[cfg(test)]\nuse rmcp::x;\nfn a() {}"),
        ("cli/mod.rs", "let a = \"sandbox\";"),
        ("sandbox/mod.rs", "let a = \"acme\";"),
        ("main.rs", "use attache::cli;"),
        ("catalogue/load.rs", "std::fs::read(path)"),
    ] {
        assert_eq!(broken(&rules, path, text), [], "{path}: {text}");
    }
}

#[test]
fn code_after_a_test_is_seen_again_and_on_its_line() {
    let rules = rules();
    let found = broken(
        &rules,
        "web/page.rs",
        "#[cfg(test)]\nfn a() {\n  \"}\";\n}\nuse crate::store::Store;",
    );
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, 5);
}

#[test]
fn files_of_test_modules_are_not_the_product() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    };
    write("store/mod.rs", "#[cfg(test)]\nmod conformance;\nmod sled;");
    write("store/conformance.rs", "use rmcp::x;");
    write("store/conformance/deep.rs", "use rmcp::x;");
    write("store/sled.rs", "");
    let mut paths: Vec<_> = Source::tree(folder.path())
        .into_iter()
        .map(|file| file.path)
        .collect();
    paths.sort();
    assert_eq!(paths, ["store/mod.rs", "store/sled.rs"]);
}
