//! Who may come in, as what, and how they leave.

use attache::app::control::{Answer, Command, run};
use attache::gateway::PersonLine;
use attache::identity::{AgentTerms, Caller, Role};
use serde_json::json;

use super::{SESSION, Team, is_signed_in};
use crate::support::person::Person;

fn groups(names: &[&str]) -> serde_json::Value {
    json!({ "groups": names })
}

async fn with_groups() -> Team {
    Team::configured(|config| {
        let groups = &mut config.sign_in.as_mut().unwrap().groups;
        groups.admins = vec!["ops".to_owned()];
        groups.members = vec!["staff".to_owned()];
    })
    .await
}

async fn line(team: &Team, subject: &str) -> Option<PersonLine> {
    let people = team.gateway.app().gateway().people().await.unwrap();
    people.into_iter().find(|line| {
        let person = line.person.as_ref();
        person.is_some_and(|person| person.subject == subject)
    })
}

async fn role(team: &Team, subject: &str) -> Option<Role> {
    line(team, subject).await.expect("known").role
}

/// Whoever may run commands on this machine.
async fn caretaker(team: &Team) -> Caller {
    let gateway = team.gateway.app().gateway();
    let caller = gateway.caretaker("attache:local", "owner", "root", "commands");
    caller.await.unwrap()
}

async fn command(team: &Team, command: Command) -> Answer {
    let owner = caretaker(team).await;
    run(team.gateway.app().gateway(), &owner, command).await
}

fn refusal(answer: &Answer) -> &str {
    let Answer::Refused(refusal) = answer else {
        panic!("{answer:?}");
    };
    &refusal.sentence
}

fn change(answer: &Answer) -> &str {
    let Answer::PersonChanged(sentence) = answer else {
        panic!("{answer:?}");
    };
    sentence
}

#[tokio::test]
async fn groups_let_people_in_and_say_who_looks_after_the_gateway() {
    let team = with_groups().await;
    let ana = team.browser("ana");
    team.sign_in(&ana, "ana", groups(&["staff"])).await;
    assert_eq!(role(&team, "ana").await, Some(Role::Member));
    team.sign_in(&ana, "ana", groups(&["staff", "ops"])).await;
    assert_eq!(role(&team, "ana").await, Some(Role::Admin));
    team.sign_in(&ana, "ana", json!({ "groups": "staff" }))
        .await;
    assert_eq!(
        role(&team, "ana").await,
        Some(Role::Member),
        "at each sign-in"
    );
    let answer = command(
        &team,
        Command::PersonRole {
            person: "ana".into(),
            role: Role::Admin,
        },
    );
    assert!(refusal(&answer.await).contains("admin_groups"));

    for claims in [
        json!({}),
        groups(&[]),
        groups(&["STAFF"]),
        json!({ "groups": { "staff": 1 } }),
    ] {
        let stranger = team.browser("mallory");
        let page = team.sign_in(&stranger, "mallory", claims).await;
        page.assert_error(403, "none of the groups");
        assert!(stranger.cookie(SESSION).is_none());
    }
    assert!(
        line(&team, "mallory").await.is_none(),
        "they are not even known"
    );
}

#[tokio::test]
async fn who_is_not_let_in_any_more_is_signed_out_everywhere() {
    let team = with_groups().await;
    let (here, there) = (team.browser("ana"), team.browser("ana"));
    for browser in [&here, &there] {
        team.sign_in(browser, "ana", groups(&["staff"])).await;
    }
    let page = team.sign_in(&there, "ana", groups(&[])).await;
    page.assert_error(403, "none of the groups");
    assert!(!is_signed_in(&here).await && !is_signed_in(&there).await);
}

#[tokio::test]
async fn where_groups_decide_nothing_a_command_does() {
    let team = Team::start().await;
    team.person("ana").await;
    let to = |role| Command::PersonRole {
        person: "ana".into(),
        role,
    };
    let answer = command(&team, to(Role::Admin)).await;
    assert_eq!(change(&answer), "ana is an admin from now on.");
    team.person("ana").await;
    assert_eq!(role(&team, "ana").await, Some(Role::Admin), "and stays so");
    command(&team, to(Role::Member)).await;
    assert_eq!(role(&team, "ana").await, Some(Role::Member));
    let Answer::People(rows) = command(&team, Command::People).await else {
        panic!("no people");
    };
    let ana = rows.iter().find(|row| row.subject == "ana").unwrap();
    assert_eq!(ana.role.as_deref(), Some("member"));
}

#[tokio::test]
async fn a_command_signs_somebody_out_everywhere() {
    let team = Team::start().await;
    let (here, there) = (team.person("ana").await, team.person("ana").await);
    let ben = team.person("ben").await;
    let out = |person: &str| Command::SignOutPerson {
        person: person.into(),
    };
    let answer = command(&team, out("ana")).await;
    assert_eq!(
        change(&answer),
        "ana is signed out everywhere: 2 sessions ended."
    );
    assert!(!is_signed_in(&here).await && !is_signed_in(&there).await);
    assert!(is_signed_in(&ben).await);
    assert!(refusal(&command(&team, out("nobody")).await).contains("no person"));
}

/// Somebody of the team with an agent.
async fn with_agent(team: &Team, subject: &str) -> Person {
    let browser = team.person(subject).await;
    let person = line(team, subject).await.unwrap().person.unwrap();
    let gateway = team.gateway.app().gateway();
    let (_, token) = gateway
        .add_agent(&person, "agent", AgentTerms::default())
        .await
        .unwrap();
    let agent = Person::new(subject, &team.gateway.origin(), token.expose());
    agent.has_cookie(SESSION, &browser.cookie(SESSION).unwrap());
    assert!(agent.is_known().await && is_signed_in(&agent).await);
    agent
}

#[tokio::test]
async fn whoever_leaves_is_out_at_once() {
    let team = Team::start().await;
    for keep_connections in [true, false] {
        let (ana, ben) = (
            with_agent(&team, "ana").await,
            with_agent(&team, "ben").await,
        );
        let remove = Command::RemovePerson {
            person: "ana".into(),
            keep_connections,
        };
        let answer = command(&team, remove).await;
        assert!(!matches!(answer, Answer::Refused(_)), "{answer:?}");
        assert!(!ana.is_known().await && !is_signed_in(&ana).await);
        assert!(ben.is_known().await && is_signed_in(&ben).await);
        assert_eq!(line(&team, "ana").await.is_some(), keep_connections);
    }
    // Their standing went with them: whoever the issuer calls so later begins as anybody does.
    team.person("ana").await;
    assert_eq!(role(&team, "ana").await, Some(Role::Member));
}

#[tokio::test]
async fn there_are_no_links_past_the_issuer() {
    let team = Team::start().await;
    assert!(refusal(&command(&team, Command::Open).await).contains("/sign-in"));
    let connect = Command::Connect {
        service: "sandbox".into(),
    };
    assert!(refusal(&command(&team, connect).await).contains("/connections"));
    // Not even one that was made all the same.
    let owner = caretaker(&team).await;
    let gateway = team.gateway.app().gateway();
    let link = gateway.create_sign_in_link(&owner.principal).await.unwrap();
    let browser = team.browser("owner");
    browser.open(&link).await.assert_error(410, "has been used");
    assert!(browser.cookie(SESSION).is_none());
}
