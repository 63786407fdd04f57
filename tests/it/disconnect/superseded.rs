//! Credentials that others take the place of: revoked where that harms nothing, left alone where it would.

use super::*;

/// The provider file says that a revocation reaches no further than the tokens of one sign-in.
async fn with_reach(reach: &str) -> Scene {
    let clock = clock();
    let acme = Provider::start(&clock);
    let gateway = TestGateway::start_configured(&clock, &[&acme], |config| {
        let file = config
            .providers
            .as_ref()
            .expect("a folder")
            .join("acme.toml");
        let text = std::fs::read_to_string(&file).expect("a provider file");
        let line = "tokens = \"refresh_then_access\"";
        assert!(text.contains(line), "{text}");
        let text = text.replace(line, &format!("{line}\nreach = \"{reach}\""));
        std::fs::write(file, text).expect("a provider file");
    })
    .await;
    let ana = connected(&gateway, &acme, "ana").await;
    Scene { acme, gateway, ana }
}

async fn reconnect(scene: &Scene) {
    let destination = scene.ana.leave_from_connections("acme").await;
    let callback = scene.acme.has_account("ana").consent(&destination).await;
    scene.ana.open(callback.as_str()).await.assert_connected();
}

async fn assert_works(scene: &Scene) {
    let answer = scene.ana.call("acme_whoami", json!({})).await;
    assert_eq!(answer.json()["name"], "ana");
}

/// Ana's earlier sign-in is over, so that she can connect anew.
async fn expire(scene: &Scene) {
    scene.acme.access_is_removed_by("ana");
    let refused = scene.ana.call("acme_whoami", json!({})).await;
    refused.link();
    scene.assert_card("expired").await;
}

#[tokio::test]
async fn the_tokens_of_an_earlier_sign_in_are_revoked_where_that_reaches_no_further() {
    let scene = with_reach("token").await;
    expire(&scene).await;
    reconnect(&scene).await;
    assert!(scene.acme.revocation_requests().is_empty());
    scene.later(2 * MINUTE).await;
    let asked = scene.acme.revocation_requests().len();
    assert_eq!(asked, 2, "both tokens of the earlier one");
    assert_eq!(scene.acme.live_grants_of("ana"), 1, "the new one");
    assert_works(&scene).await;
    scene.assert_stored(1, 0).await;
}

#[tokio::test]
async fn where_a_revocation_takes_the_whole_grant_the_earlier_tokens_are_left_alone() {
    let scene = with_reach("grant").await;
    expire(&scene).await;
    reconnect(&scene).await;
    scene.later(2 * MINUTE).await;
    assert!(scene.acme.revocation_requests().is_empty());
    assert_works(&scene).await;
    scene.assert_stored(1, 0).await;
}

/// Disconnected while the provider was down, and connected again before it was told: telling it now would end the new one.
#[tokio::test]
async fn connecting_anew_calls_off_a_revocation_that_would_take_the_new_grant() {
    for (reach, told) in [("grant", false), ("token", true)] {
        let scene = with_reach(reach).await;
        scene.acme.revocation_is_down();
        says(&scene.disconnect().await, "pending");
        reconnect(&scene).await;
        scene.acme.recovers();
        let before = scene.acme.revocation_requests().len();
        scene.later(5 * MINUTE).await;
        let asked = scene.acme.revocation_requests().len() > before;
        assert_eq!(asked, told, "{reach}");
        scene.assert_card("active").await;
        assert_works(&scene).await;
        scene.assert_stored(1, 0).await;
    }
}

/// What a failed sign-in brought is revoked, later if it must be.
#[tokio::test]
async fn tokens_that_could_not_be_kept_are_revoked_when_the_provider_is_up_again() {
    let clock = clock();
    let acme = Provider::start(&clock);
    let gateway = TestGateway::start(&clock, &[&acme]).await;
    let ana = gateway.person("ana").await;
    let destination = ana.leave_from_connections("acme").await;
    let callback = acme.has_account("ana").consent(&destination).await;
    acme.answers_api_with(503, "{}").revocation_is_down();
    ana.open(callback.as_str())
        .await
        .assert_error(502, "does not answer");
    let scene = Scene { acme, gateway, ana };
    let scene = scene.assert_stored(0, 1).await;
    assert_eq!(scene.acme.live_grants_of("ana"), 1);
    scene.acme.recovers();
    scene.later(2 * MINUTE).await;
    assert_eq!(scene.acme.live_grants_of("ana"), 0);
    scene.assert_stored(0, 0).await;
}
