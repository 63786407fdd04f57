//! Work over many records: one that cannot be read stops none of the others, and is in the report.

use super::*;

#[tokio::test]
async fn disconnecting_everything_leaves_out_one_and_says_so() {
    let scene = Scene::new().await.injured("con", Injury::Flip).await;
    let by = scene.principal("ben").await;
    let all = scene.parts().disconnect_all(&by, None, None).await.unwrap();
    assert_eq!((all.ended.len(), all.unreadable.len()), (3, 1));
    assert!(all.ended.iter().all(|ended| ended.outcome.is_ok()));
    assert_eq!(scene.birch.live_grants_of("ana"), 0);
    assert_eq!(scene.acme.live_grants_of("ben"), 0);
}

#[tokio::test]
async fn disconnecting_everything_ends_what_has_no_credential_left() {
    let scene = Scene::new().await.injured("cre", Injury::Flip).await;
    let by = scene.principal("ben").await;
    let answer = scene
        .command(
            "ben",
            Command::DisconnectAll {
                service: None,
                person: None,
            },
        )
        .await;
    let Answer::Disconnected(lines) = answer else {
        panic!("{answer:?}");
    };
    let outcome = |outcome: &str| {
        let lines = lines.iter().filter(|line| line.at_provider == outcome);
        lines.count()
    };
    assert_eq!(
        (outcome("gave_up"), outcome("confirmed")),
        (1, 3),
        "{lines:?}"
    );
    let again = scene.parts().disconnect_all(&by, None, None).await.unwrap();
    assert!(again.ended.is_empty() && again.unreadable.is_empty());
}

#[tokio::test]
async fn a_person_leaves_with_what_cannot_be_read() {
    let scene = Scene::new().await.injured("con", Injury::Flip).await;
    let person = scene.principal("ana").await;
    let answer = scene
        .command(
            "ben",
            Command::RemovePerson {
                keep_connections: false,
                person: "ana".to_owned(),
            },
        )
        .await;
    let Answer::PersonRemoved(departed) = answer else {
        panic!("{answer:?}");
    };
    let told: Vec<_> = departed
        .connections
        .iter()
        .map(|line| line.at_provider.as_str())
        .collect();
    assert_eq!(told, ["confirmed", "not_told"]);
    let (scene, left) = scene
        .with_rows(|rows| {
            let of = |prefix: &str| rows.keys(&format!("{prefix}/{}", person.id)).len();
            ["per", "con", "cre", "use", "def"].map(of)
        })
        .await;
    assert_eq!(left, [0; 5]);
    let ben = scene.gateway.person("ben").await;
    assert_eq!(whoami(&ben, "acme").await, "ben");
}

#[tokio::test]
async fn what_can_be_foreseen_is_and_the_rest_is_named() {
    let scene = Scene::new().await.injured("con", Injury::Flip).await;
    let Answer::EndingSoon(report) = scene.command("ben", Command::EndingSoon).await else {
        panic!("a report");
    };
    assert_eq!(report.unreadable.len(), 1);
    assert!(report.unreadable[0].starts_with("con/per_"));
}

/// Somebody else's damage is none of a person's business, and the operator's list still counts everybody.
#[tokio::test]
async fn the_list_of_people_is_whole() {
    let scene = Scene::new().await.injured("con", Injury::Flip).await;
    let people = scene.parts().people().await.unwrap();
    let line = |name: &str| {
        let mut people = people.iter();
        let found = people.find(|line| line.person.as_ref().is_some_and(|one| one.name == name));
        let line = found.unwrap();
        (line.connections, line.damaged)
    };
    assert_eq!(
        [line("ana"), line("ben"), line("cleo")],
        [(1, 1), (1, 0), (1, 0)]
    );
    let ben = scene.gateway.person("ben").await;
    let page = ben.open("/connections").await;
    assert!(!page.text.contains("data-status=\"damaged\""));
}

/// A token that waits to be revoked and cannot be read any more: nobody waits for it in vain.
#[tokio::test]
async fn a_tombstone_that_cannot_be_read_is_a_revocation_that_gave_up() {
    let scene = Scene::new().await;
    scene.acme.revocation_is_down();
    let ana = scene.gateway.person("ana").await;
    let key = scene.key("ana", "acme").await;
    let path = format!("/connections/{}/disconnect", key.split_once('/').unwrap().1);
    let question = ana.open(&path).await;
    let receipt = ana.press(&question, &path).await;
    assert!(receipt.text.contains("data-at-provider=\"pending\""));
    let (scene, ()) = scene
        .with_rows(|rows| rows.flip(&rows.keys("tom/").remove(0)))
        .await;
    scene.acme.recovers();
    let ana = scene.gateway.person("ana").await;
    let gave_up = "data-at-provider=\"gave_up\"";
    assert!(ana.open(&path).await.text.contains(gave_up));
    scene.later(2 * MINUTE).await;
    assert!(ana.open(&path).await.text.contains(gave_up));
    assert_eq!(ana.open("/connections").await.card("acme"), "revoked");
    let (scene, left) = scene.with_rows(|rows| rows.keys("tom/").len()).await;
    assert_eq!(left, 0);
    scene.assert_others_go_on(Injury::Flip).await;
}
