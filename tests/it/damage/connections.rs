//! A connection whose own record cannot be read: nobody knows any more of which service it was.

use super::*;

async fn remove(scene: &Scene, name: &str) {
    let person = scene.gateway.person(name).await;
    let removed = opens_and_presses(&person, "/remove").await;
    assert!(
        removed.text.contains("data-at-provider=\"not_told\""),
        "{}",
        removed.text
    );
    let page = person.open("/connections").await;
    assert!(!page.text.contains("data-status=\"damaged\""));
}

#[tokio::test]
async fn a_link_mends_it_and_what_is_left_can_be_removed() {
    for injury in INJURIES {
        let scene = Scene::new().await.injured("con", injury).await;
        let before = scene.acme.api_requests().len();
        let ana = scene.gateway.person("ana").await;
        let answer = ana.call("acme_whoami", json!({})).await;
        answer.assert_failed("One of the connections of ana cannot be read");
        assert_eq!(scene.acme.api_requests().len(), before, "{injury:?}");
        let page = ana.open("/connections").await;
        assert_eq!(page.card("unknown"), "damaged");
        assert_eq!(page.card("acme"), "waiting");
        scene.assert_others_go_on(injury).await;

        // Connected anew first, removed afterwards: what is new stays.
        ana.connect(&answer.link(), &scene.acme)
            .await
            .assert_connected();
        assert_eq!(whoami(&ana, "acme").await, "ana");
        remove(&scene, "ana").await;
        scene.later(5 * MINUTE).await;
        assert_eq!(whoami(&ana, "acme").await, "ana");
        assert_eq!(ana.open("/connections").await.card("acme"), "active");
        assert!(scene.acme.revocation_requests().is_empty(), "{injury:?}");
        scene.assert_others_go_on(injury).await;
    }
}

#[tokio::test]
async fn it_is_removed_with_everything_of_it() {
    let scene = Scene::new().await.injured("con", Injury::Flip).await;
    let person = scene.principal("ana").await.id;
    remove(&scene, "ana").await;
    let (scene, left) = scene
        .with_rows(|rows| {
            let of = |prefix: &str| rows.keys(&format!("{prefix}/{person}/")).len();
            [of("con"), of("cre"), of("use"), of("def")]
        })
        .await;
    assert_eq!(left[..2], [1, 1], "what she has at birch alone");
    assert!(left[2] <= 1 && left[3] == 0, "{left:?}");
    let ana = scene.gateway.person("ana").await;
    connects(&ana, &scene.acme).await;
    assert_eq!(whoami(&ana, "acme").await, "ana");
}

/// Removing is for what cannot be read, for its person, and for a button that was pressed.
#[tokio::test]
async fn nothing_else_can_be_removed() {
    let scene = Scene::new().await;
    let good = scene.key("ana", "birch").await;
    let scene = scene.injured("con", Injury::Flip).await;
    let (ana, ben) = (
        scene.gateway.person("ana").await,
        scene.gateway.person("ben").await,
    );
    let page = ana.open("/connections").await;
    let path = paths(&page, "/remove").remove(0);
    assert_eq!(ben.open(&path).await.status, 404);
    let his = ben.open("/connections").await;
    assert_eq!(ben.press(&his, &path).await.status, 404);
    let (_, good) = good.split_once('/').unwrap();
    let whole = format!("/connections/{good}/remove");
    assert_eq!(ana.open(&whole).await.status, 404);
    assert_eq!(ana.press(&page, &whole).await.status, 404);
    // Looking changes nothing, and a form from elsewhere is refused.
    ana.open(&path).await;
    assert_eq!(ana.press(&his, &path).await.status, 403);
    assert_eq!(ana.open("/connections").await.card("unknown"), "damaged");
    assert_eq!(whoami(&ana, "birch").await, "ana");
}

#[tokio::test]
async fn commands_list_it_and_remove_it() {
    let scene = Scene::new().await.injured("con", Injury::Flip).await;
    let Answer::Connections(lines) = scene.command("ana", Command::Connections).await else {
        panic!("lines");
    };
    let damaged = lines.iter().find(|line| line.status == "damaged").unwrap();
    let connection = damaged.connection.clone().unwrap();
    assert!(damaged.service.is_empty());
    let Answer::Accounts(accounts) = scene.command("ana", Command::Accounts).await else {
        panic!("accounts");
    };
    let named = accounts.iter().any(|line| line.connection == connection);
    assert!(named, "{accounts:?}");
    let remove = || Command::RemoveDamaged {
        connection: connection.clone(),
    };
    let other = scene.command("ben", remove()).await;
    assert!(matches!(other, Answer::Refused(_)), "{other:?}");
    let Answer::Disconnected(receipts) = scene.command("ana", remove()).await else {
        panic!("receipts");
    };
    assert_eq!(receipts[0].at_provider, "not_told");
    let again = scene.command("ana", remove()).await;
    assert!(matches!(again, Answer::Refused(_)), "{again:?}");
}

/// A call does not slip to another account because the one that was chosen cannot be read.
#[tokio::test]
async fn the_default_is_not_replaced_by_whatever_is_left() {
    let scene = Scene::new().await;
    let ana = scene.gateway.person("ana").await;
    let away = ana.leave_from_connections("acme").await;
    let callback = scene.acme.has_account("office").consent(&away).await;
    ana.open(callback.as_str()).await.assert_connected();
    let principal = scene.principal("ana").await;
    let views = scene.parts().connections(&principal).await.unwrap();
    let acme = views
        .iter()
        .find(|view| view.service.id() == "acme")
        .unwrap();
    let first = acme.find_account("ana@acme.test").unwrap();
    let set = scene.parts().set_default_account(&principal, &first).await;
    set.expect("hers");
    assert_eq!(whoami(&ana, "acme").await, "ana");

    let key = format!("con/{}/{first}", principal.id);
    let (scene, ()) = scene.with_rows(|rows| rows.flip(&key)).await;
    let ana = scene.gateway.person("ana").await;
    let answer = ana.call("acme_whoami", json!({})).await;
    answer.assert_failed("cannot be read");
    // Named, the other is used.
    let named = ana
        .call("acme_whoami", json!({"account": "office@acme.test"}))
        .await;
    assert_eq!(named.json()["name"], "office");
    // Connected anew, the account is one of two again, and the person chooses.
    scene.acme.has_account("ana");
    ana.connect(&answer.link(), &scene.acme)
        .await
        .assert_connected();
    ana.call("acme_whoami", json!({}))
        .await
        .assert_failed("Say which one is meant");
}

/// The same for a choice that cannot be read itself: it is asked.
#[tokio::test]
async fn a_default_that_cannot_be_read_is_asked_for_again() {
    let scene = Scene::new().await;
    let ana = scene.gateway.person("ana").await;
    let away = ana.leave_from_connections("acme").await;
    let callback = scene.acme.has_account("office").consent(&away).await;
    ana.open(callback.as_str()).await.assert_connected();
    let set = |account: &str| Command::DefaultAccount {
        service: "acme".to_owned(),
        account: Some(account.to_owned()),
    };
    scene.command("ana", set("office@acme.test")).await;
    assert_eq!(whoami(&ana, "acme").await, "office");
    let (scene, ()) = scene
        .with_rows(|rows| rows.flip(&rows.keys("def/").remove(0)))
        .await;
    let ana = scene.gateway.person("ana").await;
    ana.call("acme_whoami", json!({}))
        .await
        .assert_failed("Say which one is meant");
    assert_eq!(ana.open("/connections").await.status, 200);
    scene.command("ana", set("ana@acme.test")).await;
    assert_eq!(whoami(&ana, "acme").await, "ana");
}
