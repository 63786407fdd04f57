//! The floors of the house, held: who may import whom, where a crate lives, and what is never written.
//!
//! Each table below is the rule itself. A new module needs a row in [`FLOORS`]; a new place that exposes a secret needs
//! a row in [`EXPOSING`], and somebody who reads that row.

mod rules;
mod source;

#[cfg(test)]
mod tests;

use std::path::Path;

use rules::{Providers, Rules};
use source::Source;

/// Which modules a module may import. `lib.rs` and `main.rs` may name everything.
const FLOORS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("identity", &["base"]),
    ("catalogue", &["base"]),
    ("connection", &["base identity catalogue"]),
    ("policy", &["base identity catalogue connection"]),
    ("audit", &["base identity catalogue connection"]),
    ("store", &[TO_FLOOR_1]),
    ("egress", &[TO_FLOOR_1]),
    ("oauth", &[TO_FLOOR_1, "store egress"]),
    ("upstream", &[TO_FLOOR_1, "store egress"]),
    ("gateway", &[TO_FLOOR_1, "store egress oauth upstream"]),
    ("mcp", &[TO_FLOOR_1, "gateway"]),
    ("web", &[TO_FLOOR_1, "gateway"]),
    ("config", &[TO_FLOOR_5]),
    ("sandbox", &["base"]),
    ("clients", &["base"]),
    ("app", &[TO_FLOOR_5, "config sandbox"]),
    ("cli", &[TO_FLOOR_5, "config sandbox clients app"]),
];
const TO_FLOOR_1: &str = "base identity catalogue connection policy audit";
const TO_FLOOR_5: &str =
    "base identity catalogue connection policy audit store egress oauth upstream gateway mcp web";

/// The one home of a crate.
const HOMES: &[(&str, &[&str])] = &[
    ("rmcp", &["mcp/", "upstream/mcp.rs"]),
    (
        "axum",
        &[
            "web/",
            "mcp/http.rs",
            "mcp/names.rs",
            "mcp/protected_resource.rs",
            "mcp/sse/mod.rs",
            "sandbox/",
            "app/",
        ],
    ),
    ("hyper", &["app/"]),
    ("reqwest", &["egress/"]),
    ("governor", &["gateway/admission.rs", "gateway/attempts.rs"]),
    ("sled", &["store/sled.rs", "store/sled/"]),
    ("chacha20poly1305", &["store/seal.rs", "store/seal/"]),
    ("oauth2", &["oauth/"]),
    (
        "jsonwebtoken",
        &["identity/access_token.rs", "identity/access_token/"],
    ),
    ("openidconnect", &["oauth/sign_in/"]),
    ("askama", &["web/", "sandbox/"]),
    ("clap", &["cli/", "main.rs"]),
    ("tracing_subscriber", &["app/"]),
    ("rand", &["base/random.rs"]),
    ("secrecy", &["base/secret.rs"]),
];

/// What never stands in these places, and why.
const BANS: &[(&str, &[&str], &str)] = &[
    (
        r"\b(tokio|reqwest|axum|rmcp|sled)::",
        FLOOR_1,
        "floor 1 is synchronous and pure",
    ),
    (
        r"\bfs::",
        FLOOR_1,
        "only `catalogue/load.rs` reads files on floor 1",
    ),
    (
        r"\benv::(var|vars|var_os|vars_os)\b",
        &[""],
        "the environment is read in `config/source.rs`",
    ),
    (
        r"\bCredential\b",
        &["mcp/", "web/"],
        "the outbound credential never enters a surface",
    ),
];
const FLOOR_1: &[&str] = &[
    "identity/",
    "catalogue/",
    "connection/",
    "policy/",
    "audit/",
];

/// The files that a ban leaves out.
const EXCEPTIONS: &[&str] = &["catalogue/load.rs", "config/source.rs"];

/// The files that may take a secret out of its wrapping: `.expose()` or `for_sealing`.
const EXPOSING: &[&str] = &[
    "base/secret.rs",
    // Records that are sealed.
    "connection/authorization_request.rs",
    "connection/credential.rs",
    "connection/tombstone.rs",
    "identity/session.rs",
    "identity/sign_in_attempt.rs",
    "store/master_key/mod.rs",
    // Requests to providers.
    "oauth/authorization.rs",
    "oauth/callback_verification.rs",
    "oauth/client_proof.rs",
    "oauth/code_verifier.rs",
    "oauth/introspection.rs",
    "oauth/provider_text.rs",
    "oauth/revocation.rs",
    "oauth/sign_in/discovery.rs",
    "oauth/sign_in/exchange.rs",
    "oauth/sign_in/id_token.rs",
    "oauth/token.rs",
    "upstream/credential.rs",
    // What a person is handed: links, cookies, form tokens, an agent token once.
    "gateway/links.rs",
    // Keys that sign.
    "gateway/webhook.rs",
    "identity/agent.rs",
    "web/cookies.rs",
    "web/sign_in.rs",
    "web/pages/layout.rs",
    "app/bridge/remote.rs",
    "app/control/answer.rs",
    "app/ready.rs",
    "cli/ask.rs",
    "cli/steps.rs",
    // The Sandbox, which stands for a service of somebody else's.
    "sandbox/authorize.rs",
    "sandbox/bearer.rs",
    "sandbox/browser.rs",
    "sandbox/clients.rs",
    "sandbox/consent.rs",
    "sandbox/state.rs",
    "sandbox/token.rs",
];

/// Names that say nothing, and so become drawers.
const DRAWERS: &[&str] = &[
    "util", "utils", "common", "helpers", "types", "manager", "service",
];

/// Where the Sandbox may be named, which is a service of ours: where it is started.
const MAY_NAME_THE_SANDBOX: &[&str] = &["app/", "cli/"];

#[test]
fn the_house_stands() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = Source::tree(&root.join("src"));
    let seen = sources.iter().any(|source| source.path == "base/secret.rs");
    assert!(seen, "the scan sees nothing");
    let rules = Rules::new(Providers::read(&root.join("providers")));
    let mut breaches: Vec<_> = sources
        .iter()
        .flat_map(|source| rules.inspect(source))
        .collect();
    breaches.extend(rules.stale_rows(&sources));
    let list: Vec<_> = breaches.iter().map(ToString::to_string).collect();
    assert!(
        list.is_empty(),
        "{} broken rules:\n{}",
        list.len(),
        list.join("\n")
    );
}
