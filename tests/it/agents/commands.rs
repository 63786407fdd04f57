//! The commands about agents.

use crate::support::machine::Machine;

#[tokio::test]
async fn an_agent_is_added_narrowed_stopped_and_revoked() {
    let machine = Machine::new();
    // While a client is there, so is a gateway, and no command opens the store itself.
    let mut client = machine.bridge();
    client.initialize().await;
    let added = machine.json(&[
        "agents",
        "add",
        "Laptop",
        "--kind",
        "cursor",
        "--service",
        "slack",
        "--read-only",
        "--expires",
        "90d",
        "--json",
    ]);
    let id = added["id"].as_str().unwrap();
    let token = added["token"].as_str().unwrap();
    assert!(token.starts_with("att_"));

    let line = |machine: &Machine| {
        let agents = machine.json(&["agents", "--json"]);
        let agents = agents.as_array().unwrap().clone();
        let found = agents.iter().find(|agent| agent["id"] == id);
        found.unwrap_or_else(|| panic!("{agents:#?}")).clone()
    };
    let agent = line(&machine);
    assert_eq!(
        (&agent["kind"], &agent["state"]),
        (&"cursor".into(), &"active".into())
    );
    assert_eq!(
        agent["narrowing"]["words"],
        "slack with tools that only look"
    );
    assert!(agent["expires"].is_string() && agent["last_used"].is_null());
    assert!(!agent.to_string().contains(token));

    let ended = machine.run(&["agents", "narrow", id, "--service", "slakc"]);
    assert_eq!(ended.status, Some(2));
    machine.json(&["agents", "narrow", id, "--service", "github", "--json"]);
    assert_eq!(line(&machine)["narrowing"]["words"], "github");
    machine.json(&["agents", "narrow", id, "--none", "--json"]);
    assert!(line(&machine)["narrowing"].is_null());
    assert_ne!(machine.run(&["agents", "narrow", id]).status, Some(0));

    machine.json(&["agents", "stop", "--json"]);
    assert_eq!(line(&machine)["state"], "stopped");
    machine.json(&["agents", "resume", "--json"]);
    assert_eq!(line(&machine)["state"], "active");

    for wrong in [
        ["--kind", "psychic"],
        ["--expires", "yesterday"],
        ["--expires", "2020-01-01"],
        ["--until", "0d"],
        ["--service", "slakc"],
    ] {
        let ended = machine.run(&["agents", "add", "Other", wrong[0], wrong[1]]);
        assert_eq!(ended.status, Some(2), "{wrong:?}");
    }
}
