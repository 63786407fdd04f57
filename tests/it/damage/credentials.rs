//! A credential that cannot be read: its connection is answered like one that has expired.

use attache::connection::AtProvider;

use super::*;

#[tokio::test]
async fn it_is_that_connections_error_and_a_reconnect_mends_it() {
    for injury in INJURIES {
        let scene = Scene::new().await.injured("cre", injury).await;
        let before = scene.acme.api_requests().len();
        let ana = scene.gateway.person("ana").await;
        let answer = ana.call("acme_whoami", json!({})).await;
        answer.assert_failed("was damaged or changed");
        let link = answer.link();
        let sent = scene.acme.api_requests().len() - before;
        assert_eq!(sent, 0, "{injury:?}: a token of somebody was sent");
        assert_eq!(ana.open("/connections").await.card("acme"), "damaged");
        scene.assert_others_go_on(injury).await;

        ana.connect(&link, &scene.acme).await.assert_connected();
        assert_eq!(whoami(&ana, "acme").await, "ana");
        assert_eq!(ana.open("/connections").await.card("acme"), "active");
        scene.later(5 * MINUTE).await;
        assert_eq!(whoami(&ana, "acme").await, "ana");
        scene.acme.assert_no_violations();
    }
}

#[tokio::test]
async fn it_can_be_disconnected_and_the_receipt_says_that_nobody_was_told() {
    for injury in INJURIES {
        let scene = Scene::new().await.injured("cre", injury).await;
        let ana = scene.gateway.person("ana").await;
        let key = scene.key("ana", "acme").await;
        let (_, id) = key.split_once('/').unwrap();
        let path = format!("/connections/{id}/disconnect");
        let question = ana.open(&path).await;
        let receipt = ana.press(&question, &path).await;
        assert!(
            receipt.text.contains("data-at-provider=\"gave_up\""),
            "{}",
            receipt.text
        );
        assert!(
            scene.acme.revocation_requests().is_empty(),
            "{injury:?}: somebody's token was revoked"
        );
        let principal = scene.principal("ana").await;
        let id = attache::base::ConnectionId::parse(id).unwrap();
        let stored = scene.parts().receipt(&principal, &id).await.unwrap();
        assert_eq!(stored.unwrap().at_provider, AtProvider::GaveUp);
        scene.later(2 * MINUTE).await;
        scene.assert_others_go_on(injury).await;
        connects(&ana, &scene.acme).await;
        assert_eq!(whoami(&ana, "acme").await, "ana");
    }
}

#[tokio::test]
async fn pages_commands_and_agents_say_damaged() {
    let scene = Scene::new().await.injured("cre", Injury::Flip).await;
    let Answer::Connections(lines) = scene.command("ana", Command::Connections).await else {
        panic!("lines");
    };
    let status = |service: &str| {
        let mut lines = lines.iter();
        lines
            .find(|line| line.service == service)
            .unwrap()
            .status
            .clone()
    };
    assert_eq!(
        (status("acme"), status("birch")),
        ("damaged".to_owned(), "connected".to_owned())
    );
    let ana = scene.gateway.person("ana").await;
    let answer = ana.call("attache_connections", json!({})).await;
    let services = &answer.result()["structuredContent"]["services"];
    assert_eq!(services[0]["status"], "damaged", "{services}");
    assert_eq!(services[1]["status"], "connected", "{services}");
}

/// Whatever is due for it is put off, and the rest of the work is done.
#[tokio::test]
async fn due_work_goes_on_for_everybody_else() {
    let scene = Scene::new().await.injured("cre", Injury::Flip).await;
    let renewed = |scene: &Scene| {
        let requests = scene.acme.token_requests();
        let is_refresh = |request: &&crate::support::provider::Request| {
            request.param("grant_type").as_deref() == Some("refresh_token")
        };
        requests.iter().filter(is_refresh).count()
    };
    assert_eq!(renewed(&scene), 0);
    for name in ["ben", "cleo"] {
        let person = scene.gateway.person(name).await;
        assert_eq!(whoami(&person, "acme").await, name);
    }
    // Shortly before the hour of the access tokens is over, by the clock of every note.
    scene.later(55 * MINUTE).await;
    scene.later(4 * MINUTE).await;
    assert_eq!(renewed(&scene), 2, "Ben's and Cleo's");
    let again = scene.parts().do_due_work().await.unwrap();
    assert_eq!(again, 0, "what cannot be done now is put off");
}
