//! What is asked for, by a file in which scopes cover, replace and accompany each other.

use super::*;
use crate::catalogue::{Catalogue, Provider, Source};

const FILE: &str = r#"
name = "Notes"
base_url = "https://notes.example"
host_allow = ["notes.example"]
confidence = "documentation"
unconfirmed = ["Nothing is confirmed."]
setup = { redirect_rules = "Any address will do." }

[oauth]
pkce = "required"
client_auth = "none"
scopes = ["me", "read", "write", "mail"]
base_scopes = ["offline"]
write_scopes = ["write", "pin"]
implies = { write = ["read", "pin"] }
scope_words = { me = "See you", read = "Read", write = "Write", mail = "Mail", offline = "Stay" }
authorize = { url = "https://notes.example/authorize" }
token = { url = "https://notes.example/token" }
revoke = { unsupported = true }

[account]
get = "/me"
scopes = ["me"]
id = "id"
label = "name"

[[error]]
when = { status = 401 }
is = "token_invalid"

@tools@
"#;

fn tool(name: &str, read_only: bool, scopes: &str) -> String {
    format!(
        "[[tool]]\nname = \"notes_{name}\"\ntitle = \"Do it\"\ndescription = \"Do what it says.\"\nread_only = {read_only}\n\
         destructive = false\nidempotent = true\nopen_world = false\nscopes = {scopes}\n{} = \"/{name}\"\nexample = {{}}\n",
        if read_only { "get" } else { "put" }
    )
}

fn provider(change: (&str, &str)) -> Arc<Provider> {
    let tools = [
        tool("list", true, r#"["read"]"#),
        tool("search", true, r#"{ any = ["mail", "read"] }"#),
        tool("pin", false, r#"["pin"]"#),
        tool("write", false, r#"["write"]"#),
    ];
    let text = FILE
        .replace("@tools@", &tools.join("\n"))
        .replace(change.0, change.1);
    let file = "notes.toml".to_owned();
    let catalogue = Catalogue::from_sources(vec![Source { file, text }]);
    let catalogue = catalogue.unwrap_or_else(|problems| panic!("{problems:#?}"));
    Arc::clone(catalogue.provider("notes").unwrap())
}

fn scopes(text: &str) -> ScopeSet {
    ScopeSet::parse(text, "")
}

/// What is asked for `names` by whoever holds `held`.
fn asked(held: &str, names: &[&str]) -> String {
    let provider = provider(("", ""));
    let tools = provider.tools().iter().map(AsRef::as_ref);
    let wanted = tools.filter(|tool: &&Tool| names.iter().any(|name| tool.name().ends_with(name)));
    let plan = provider.scope_plan();
    plan.with_tools(&scopes(held), wanted).to_string()
}

#[test]
fn a_tool_brings_its_own_scopes_those_of_the_account_and_those_of_the_protocol() {
    for (held, tools, expected) in [
        ("", &["list"][..], "me offline read"),
        ("", &["pin"], "me offline pin"),
        ("", &["search"], "mail me offline"),
        // One of those that can stand for each other is there anyway, or was granted.
        ("", &["search", "list"], "me offline read"),
        ("read", &["search"], "me offline read"),
        // The wider covers the narrower, whichever was first.
        ("read", &["write"], "me offline write"),
        ("write", &["list", "pin"], "me offline write"),
        // What the file does not know is never asked for.
        ("me identify", &["list"], "me offline read"),
        ("", &[], "me offline"),
    ] {
        assert_eq!(asked(held, tools), expected, "{held}: {tools:?}");
    }
}

#[test]
fn the_default_set_is_the_files_or_what_reads_or_everything() {
    let default = |from, to| provider((from, to)).scope_plan().by_default().to_string();
    assert_eq!(default("", ""), "me offline read");
    let named = "default_scopes = [\"mail\"]\nwrite_scopes";
    assert_eq!(default("write_scopes", named), "mail me offline");
    let file = provider(("", ""));
    let all = file.scope_plan().with_all_tools(&ScopeSet::default());
    assert_eq!(all.to_string(), "me offline write");
}

#[test]
fn what_came_back_is_held_against_what_was_asked() {
    let provider = provider(("", ""));
    let plan = provider.scope_plan();
    let (asked, granted) = (scopes("me offline read write"), scopes("identify me read"));
    // What the protocol needs is not counted, nor what the file does not know.
    assert_eq!(plan.refused(&asked, &granted), scopes("write"));
    assert_eq!(plan.beyond(&asked, &granted), scopes(""));
    assert_eq!(plan.beyond(&scopes("me"), &granted), scopes("read"));
    let rewritten = scopes("me write");
    assert_eq!(plan.refused(&asked, &rewritten), scopes(""));
    let names: Vec<_> = plan.blocked(&asked, &granted).map(Tool::name).collect();
    assert_eq!(names, ["notes_pin", "notes_write"]);
}

#[test]
fn a_use_is_credited_to_the_narrowest_scope_and_a_withdrawal_takes_every_cover() {
    let provider = provider(("", ""));
    let plan = provider.scope_plan();
    let tool = |name: &str| {
        let mut tools = provider.tools().iter();
        tools.find(|tool| tool.name().ends_with(name)).unwrap()
    };
    let both = scopes("me read write");
    assert_eq!(plan.used_by(tool("list").scopes(), &both), scopes("read"));
    assert_eq!(plan.used_by(tool("pin").scopes(), &both), scopes("write"));
    assert_eq!(plan.used_by(tool("search").scopes(), &both), scopes("read"));
    assert_eq!(
        plan.behind(tool("list").scopes(), &both),
        scopes("read write")
    );
    assert_eq!(
        plan.used_always(&scopes("me offline read")),
        scopes("me offline")
    );
    assert_eq!(plan.needed(&scopes("identify me read")), scopes("me read"));
}
