use serde_json::json;

use super::*;

/// The fixture `stem` of the Sandbox's own file, with `text`.
fn file(stem: &str, text: &Value) -> FixtureFile {
    FixtureFile {
        file: format!("fixtures/sandbox/{stem}.json"),
        owner: "sandbox".to_owned(),
        stem: stem.to_owned(),
        text: text.to_string(),
    }
}

fn replayed(stem: &str, text: &Value) -> Replayed {
    let catalogue = Catalogue::load(None).unwrap();
    replay(&catalogue, &file(stem, text))
}

fn lines(replayed: &Replayed) -> Vec<String> {
    let problems = replayed.problems.iter();
    problems
        .map(|problem| format!("{}: {}", problem.place, problem.message))
        .collect()
}

fn whoami() -> Value {
    json!({
        "source": "constructed",
        "variables": {"port": "8711"},
        "exchanges": [{"response": {"status": 200, "body": {"id": "acc_1", "name": "Ada", "email": "ada@example.com"}}}],
    })
}

#[test]
fn what_a_fixture_leaves_out_is_filled_in_and_then_holds() {
    let first = replayed("sandbox_whoami", &whoami());
    assert_eq!(lines(&first), Vec::<String>::new());
    let completed = first.completed.expect("something was left out");
    let whole: Value = serde_json::from_str(&completed).unwrap();
    assert_eq!(whole["exchanges"][0]["request"]["method"], "GET");
    let keys: Vec<&String> = whole["exchanges"][0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["request", "response"]);
    let second = replayed("sandbox_whoami", &whole);
    assert_eq!((lines(&second), second.completed), (Vec::new(), None));
}

#[test]
fn whatever_differs_is_said() {
    let completed = replayed("sandbox_whoami", &whoami()).completed.unwrap();
    let mut whole: Value = serde_json::from_str(&completed).unwrap();
    whole["exchanges"][0]["request"]["url"] = json!("https://elsewhere.example/");
    whole["output"] = json!({"other": 1});
    let found = lines(&replayed("sandbox_whoami", &whole));
    assert!(
        found
            .iter()
            .any(|line| line.starts_with("exchanges.0.request: `url` is")),
        "{found:?}"
    );
    assert!(
        found
            .iter()
            .any(|line| line.starts_with("output: `other` is missing")),
        "{found:?}"
    );
}

#[test]
fn a_fixture_that_cannot_be_right_is_refused() {
    let mut documented = whoami();
    documented["source"] = json!("documented");
    assert_eq!(
        lines(&replayed("sandbox_whoami", &documented)),
        ["source: it is said to be documented, and not where"]
    );
    let mut twice = whoami();
    twice["output"] = json!({});
    twice["refusal"] = json!({});
    assert!(lines(&replayed("sandbox_whoami", &twice))[0].starts_with("output: it has several"));
    assert!(
        lines(&replayed("sandbox_launch", &whoami()))[0]
            .starts_with("tool: `sandbox_launch` is no tool")
    );
    let mut silent = whoami();
    silent["exchanges"] = json!([]);
    assert!(lines(&replayed("sandbox_whoami", &silent))[0].contains("a further request is sent"));
    let mut error = whoami();
    error["tool"] = json!("sandbox_whoami");
    assert!(lines(&replayed("error.not_found", &error))[0].contains("promises `not_found`"));
}

#[test]
fn what_is_left_out_is_named_and_filled_in() {
    let first = replayed("sandbox_whoami", &whoami());
    assert_eq!(first.left_out, ["exchanges.0.request", "output"]);
    let mut error = whoami();
    error["tool"] = json!("sandbox_whoami");
    error["exchanges"] = json!([{"response": {"status": 404, "body": {}}}]);
    error["refusal"] = json!({"kind": "not_found"});
    let replayed = replayed("error.not_found", &error);
    assert_eq!(
        replayed.left_out,
        ["exchanges.0.request", "refusal.message"]
    );
    let whole: Value = serde_json::from_str(&replayed.completed.unwrap()).unwrap();
    assert_eq!(whole["refusal"]["kind"], "not_found");
    assert!(
        whole["refusal"]["message"]
            .as_str()
            .is_some_and(|said| !said.is_empty())
    );
}

#[test]
fn a_refusal_without_a_tool_is_told_which_line_is_missing() {
    let replayed = replayed("error.not_found", &whoami());
    let problem = &replayed.problems[0];
    assert_eq!(
        problem.message,
        "it does not say which tool is refused with `not_found`"
    );
    assert!(
        problem.remedy.starts_with("add `\"tool\": \"sandbox_")
            && problem.remedy.contains("--write"),
        "{}",
        problem.remedy
    );
}

#[test]
fn what_is_there_already_is_to_be_removed_before_it_is_written_again() {
    let mut whole: Value =
        serde_json::from_str(&replayed("sandbox_whoami", &whoami()).completed.unwrap()).unwrap();
    whole["output"] = json!({"other": 1});
    let replayed = replayed("sandbox_whoami", &whole);
    assert!(replayed.completed.is_none(), "nothing is rewritten");
    let remedies: Vec<&str> = replayed
        .problems
        .iter()
        .map(|one| one.remedy.as_str())
        .collect();
    assert!(
        !remedies.is_empty()
            && remedies
                .iter()
                .all(|remedy| remedy.contains("remove `output` and run this with --write")),
        "{remedies:?}"
    );
}
