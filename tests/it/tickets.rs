//! Connect links in wrong hands, in no hands, edited, used and old (S-01, S-02, S-03).

use std::time::Duration;

use serde_json::json;

use crate::support::gateway::gateway_with_acme;

/// S-01: a link made for Ana is opened by Ben.
#[tokio::test]
async fn a_link_opened_by_someone_else_is_refused_and_nothing_happens() {
    let (acme, gateway) = gateway_with_acme().await;
    let (ana, ben) = (gateway.person("ana").await, gateway.person("ben").await);
    let link = ana.call("acme_whoami", json!({})).await.link();
    ben.open(&link).await.assert_error(403, "for someone else");
    let own_page = ben.open("/connections").await;
    let path = link.strip_prefix(&gateway.origin()).unwrap();
    ben.press(&own_page, path)
        .await
        .assert_error(403, "for someone else");
    assert!(
        acme.requests().is_empty(),
        "the provider saw {:?}",
        acme.requests()
    );
    ana.connect(&link, &acme).await.assert_connected();
    ben.call("acme_whoami", json!({}))
        .await
        .assert_failed("not connected for ben");
}

/// S-02: a link opened without a session leads to sign-in and signs nobody in.
#[tokio::test]
async fn a_link_signs_nobody_in() {
    let (_acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let link = ana.call("acme_whoami", json!({})).await.link();
    ana.loses_cookies("__Host-attache_session");
    let page = ana.open(&link).await;
    assert_eq!((page.status.as_u16(), page.location()), (303, "/sign-in"));
    let cookies: Vec<_> = page
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|line| line.to_str().unwrap())
        .collect();
    assert!(
        cookies
            .iter()
            .all(|line| !line.starts_with("__Host-attache_session")),
        "{cookies:?}"
    );
}

/// After signing in, the person is where they wanted to go.
#[tokio::test]
async fn signing_in_leads_back_to_the_link() {
    let (_acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let link = ana.call("acme_whoami", json!({})).await.link();
    ana.loses_cookies("__Host-attache_session");
    ana.open(&link).await;
    let principal = gateway
        .app()
        .gateway()
        .person("attache:test", "ana", "ana")
        .await
        .unwrap();
    let sign_in = gateway
        .app()
        .gateway()
        .create_sign_in_link(&principal)
        .await
        .unwrap();
    assert!(link.ends_with(ana.sign_in(&sign_in).await.location()));
    ana.open(&sign_in).await;
    ana.loses_cookies("__Host-attache_session");
    ana.open(&sign_in).await.assert_error(410, "has been used");
}

/// S-03: every edited link is unknown. The provider hears of none.
#[tokio::test]
async fn an_edited_link_leads_nowhere() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let link = ana.call("acme_whoami", json!({})).await.link();
    let (start, ticket) = link.rsplit_once('/').unwrap();
    assert_eq!(ticket.len(), 43, "256 bits");
    for at in 0..ticket.len() {
        for replacement in ["A", "b", "_"] {
            let mut edited = ticket.to_owned();
            edited.replace_range(at..=at, replacement);
            if edited != ticket {
                ana.open(&format!("{start}/{edited}"))
                    .await
                    .assert_error(410, "has expired");
            }
        }
    }
    for other in ["x", "..%2f..%2fconnections", &"a".repeat(5_000)] {
        let page = ana.open(&format!("{start}/{other}")).await;
        assert!(page.status.is_client_error(), "{other}: {}", page.status);
    }
    assert!(acme.requests().is_empty());
}

#[tokio::test]
async fn a_link_works_once_and_for_ten_minutes() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let link = ana.call("acme_whoami", json!({})).await.link();
    assert_eq!(
        ana.call("acme_whoami", json!({})).await.link(),
        link,
        "who asks again gets the same link"
    );
    gateway.clock().advance(Duration::from_secs(599));
    let destination = ana.leave_for_provider(&link).await;
    gateway.clock().advance(Duration::from_secs(1));
    ana.open(&link).await.assert_error(410, "has expired");
    let callback = acme.has_account("ana").consent(&destination).await;
    ana.open(callback.as_str()).await.assert_connected();

    let ben = gateway.person("ben").await;
    let link = ben.call("acme_whoami", json!({})).await.link();
    ben.connect(&link, &acme).await.assert_connected();
    ben.open(&link).await.assert_error(410, "has been used");
}

/// S-05: a form that another site submits does nothing.
#[tokio::test]
async fn a_forged_form_is_refused() {
    let (_acme, gateway) = gateway_with_acme().await;
    let (ana, ben) = (gateway.person("ana").await, gateway.person("ben").await);
    let link = ana.call("acme_whoami", json!({})).await.link();
    let bens_form = ben.open("/connections").await;
    let path = link.strip_prefix(&gateway.origin()).unwrap();
    ana.press(&bens_form, path)
        .await
        .assert_error(403, "too old");
    ana.press(&bens_form, "/services/acme/connect")
        .await
        .assert_error(403, "too old");
}

#[tokio::test]
async fn a_service_that_does_not_exist_is_a_page_and_not_a_fault() {
    let (_acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let page = ana.open("/connections").await;
    for service in ["nope", "github", "..%2facme"] {
        let answer = ana
            .press(&page, &format!("/services/{service}/connect"))
            .await;
        answer.assert_error(404, "nothing here");
        ana.open(&format!("/oauth/callback/{service}?state=x&code=y"))
            .await
            .assert_error(404, "nothing here");
    }
    for path in [
        "/connections/con_nope/disconnect",
        "/connections/con_00000000000000000000000000/disconnect",
    ] {
        ana.open(path).await.assert_error(404, "nothing here");
        ana.press(&page, path)
            .await
            .assert_error(404, "nothing here");
    }
}

/// Somebody else's connection is answered like one that does not exist, and is not touched.
#[tokio::test]
async fn a_connection_of_somebody_else_does_not_exist() {
    let (acme, gateway) = gateway_with_acme().await;
    let (ana, ben) = (gateway.person("ana").await, gateway.person("ben").await);
    let link = ana.call("acme_whoami", json!({})).await.link();
    ana.connect(&link, &acme).await.assert_connected();
    let path = &ana.open("/connections").await.disconnect_path();
    ben.open(path).await.assert_error(404, "nothing here");
    ben.press(&ben.open("/connections").await, path)
        .await
        .assert_error(404, "nothing here");
    assert_eq!(acme.live_grants_of("ana"), 1);
    assert_eq!(
        ana.call("acme_whoami", json!({})).await.json()["name"],
        "ana"
    );
}
