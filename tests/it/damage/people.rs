//! Agents, people and the way to them.

use super::*;

/// A person at another port, with the token that they had before.
fn again(scene: &Scene, person: &Person) -> Person {
    Person::new(&person.name, &scene.gateway.origin(), person.token())
}

#[tokio::test]
async fn an_agent_that_cannot_be_read_is_nobody_and_others_call_on() {
    let scene = Scene::new().await;
    let (ana, ben) = (
        scene.gateway.person("ana").await,
        scene.gateway.person("ben").await,
    );
    let agent = scene.caller("ana").await.agent;
    let key = format!("agt/{agent}");
    let (scene, ()) = scene.with_rows(|rows| rows.flip(&key)).await;
    let (ana, ben) = (again(&scene, &ana), again(&scene, &ben));
    assert!(!ana.is_known().await);
    assert!(ben.is_known().await);
    assert_eq!(whoami(&ben, "acme").await, "ben");
    // The gateway's own agent is made anew at the next start, with the same token.
    scene.caller("ana").await;
    assert!(ana.is_known().await);
    assert_eq!(whoami(&ana, "acme").await, "ana");
}

#[tokio::test]
async fn a_person_is_never_made_twice() {
    for prefix in ["per", "idp"] {
        let scene = Scene::new().await;
        let before = scene.principal("ana").await;
        let others = scene.principal("ben").await;
        let (scene, count) = scene
            .with_rows(|rows| {
                let keys = rows.keys(&format!("{prefix}/"));
                // The index says nothing about whose it is, so all of it is damaged there.
                let hers = format!("per/{}", before.id);
                for key in keys.iter().filter(|key| prefix == "idp" || **key == hers) {
                    rows.flip(key);
                }
                rows.keys("per/").len()
            })
            .await;
        let ana = scene.gateway.person("ana").await;
        assert_eq!(scene.principal("ana").await, before, "{prefix}");
        assert_eq!(scene.principal("ben").await, others, "{prefix}");
        assert_eq!(whoami(&ana, "acme").await, "ana");
        let people = scene.parts().people().await.unwrap();
        assert_eq!(people.len(), count, "{prefix}: nobody was added");
    }
}

/// Where neither the way to a person nor the person can be read, nobody is made in their place.
#[tokio::test]
async fn a_person_of_whom_nothing_is_left_is_an_error() {
    let scene = Scene::new().await;
    let ana = scene.principal("ana").await;
    let (scene, ()) = scene
        .with_rows(|rows| {
            rows.flip(&format!("per/{}", ana.id));
            rows.keys("idp/").iter().for_each(|key| rows.flip(key));
        })
        .await;
    let found = scene.parts().person("attache:test", "ana", "ana").await;
    let error = found.expect_err("nobody").to_string();
    assert!(error.contains("idp/"), "{error}");
    let cleo = scene.gateway.person("cleo").await;
    assert_eq!(whoami(&cleo, "acme").await, "cleo");
    let people = scene.parts().people().await.unwrap();
    let unreadable = people.iter().filter(|line| line.person.is_none());
    assert_eq!(unreadable.count(), 1, "{people:?}");
    // Whoever runs the gateway can still remove them.
    let by = scene.principal("cleo").await;
    let departure = scene.parts().remove_person(&by, &ana.id).await.unwrap();
    assert_eq!(departure.connections.ended.len(), 2);
    let (_, left) = scene
        .with_rows(|rows| rows.keys(&format!("con/{}", ana.id)).len())
        .await;
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_ledger_of_use_that_cannot_be_read_is_begun_anew() {
    let scene = Scene::new().await;
    let ana = scene.gateway.person("ana").await;
    whoami(&ana, "acme").await;
    let key = format!("use/{}", scene.key("ana", "acme").await);
    let (scene, ()) = scene.with_rows(|rows| rows.flip(&key)).await;
    let ana = scene.gateway.person("ana").await;
    assert_eq!(ana.open("/connections").await.card("acme"), "active");
    assert_eq!(whoami(&ana, "acme").await, "ana");
    scene.parts().write_all_uses().await.unwrap();
    let (principal, id) = (scene.principal("ana").await, scene.key("ana", "acme").await);
    let id = attache::base::ConnectionId::parse(id.split_once('/').unwrap().1).unwrap();
    let (connection, _) = scene
        .parts()
        .find_connection(&principal, &id)
        .await
        .unwrap();
    let used = scene.parts().last_used(&connection).await.unwrap();
    assert_eq!(used, Some(scene.gateway.clock().now()));
}
