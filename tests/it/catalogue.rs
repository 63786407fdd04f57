//! The provider files of this release: what they advertise, and what they ask of a person.
//!
//! One snapshot per tool and question. A changed snapshot is a change that agents notice: read it, then accept it. What
//! tools send and how they read stands in the contract fixtures, see `contracts.rs`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use attache::catalogue::{Catalogue, ScopeRequirement, ScopeSet, Source, Tool, check};
use serde_json::{Map, json};

use crate::support::catalogue::{arguments, catalogue, tools, variables};

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
        .flat_map(|provider| {
            let products = provider
                .products()
                .iter()
                .map(attache::catalogue::Product::id);
            std::iter::once(provider.id()).chain(products)
        })
        .collect();
    insta::assert_snapshot!(ids.join(" "), @"asana atlassian confluence jira dropbox github gitlab google gmail google_calendar google_docs google_drive google_sheets hubspot linear microsoft onedrive outlook_calendar outlook_mail teams notion sandbox slack");
    for (provider, tool) in tools() {
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
    let _catalogue = catalogue();
    for (_, tool) in tools() {
        let scopes = match tool.scopes() {
            ScopeRequirement::All(scopes) => json!({"all": scopes}),
            ScopeRequirement::Any(scopes) => json!({"any": scopes}),
            ScopeRequirement::ByArgument(cases) => json!({
                "by_argument": cases.argument(),
                "table": cases.cases().collect::<BTreeMap<_, _>>(),
            }),
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
        let tool = |tool: &Arc<Tool>| {
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
fn every_provider_speaks_oauth_as_its_snapshot_says() {
    for provider in catalogue().providers() {
        let profile = provider
            .oauth(&variables(provider))
            .expect("resolved variables render");
        snapshot("oauth", provider.id(), &format!("{profile:#?}"));
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
fn a_model_is_told_what_to_correct() {
    let catalogue = catalogue();
    let (_, tool) = catalogue.tool("github_list_issues").unwrap();
    let wrong = json!({"owner": "octocat", "limit": 500, "state": "opened", "label": ["bug"]});
    let complaint = tool.check(&arguments(wrong)).unwrap_err().to_string();
    insta::assert_snapshot!(complaint, @r#"github_list_issues was not called, its arguments do not fit: `repo`: it is required; `state`: "opened" is not one of "open", "closed" or "all"; `limit`: 500 is greater than the maximum of 100; `label`: there is no such argument (did you mean `labels`?). Correct them and call again."#);
    let given = json!({"owner": "o", "repo": "r", "since": null});
    let filled = tool.with_defaults(&arguments(given));
    assert_eq!(filled["limit"], json!(30));
    assert!(!filled.contains_key("since"));
}

#[test]
fn variables_of_one_provider_open_no_other() {
    let catalogue = catalogue();
    let (_, tool) = catalogue.tool("github_get_me").unwrap();
    let sandbox = catalogue.provider("sandbox").unwrap();
    let nothing = Map::new();
    let begun = tool.begin(&variables(sandbox), &nothing, String::new());
    assert!(begun.is_err());
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
