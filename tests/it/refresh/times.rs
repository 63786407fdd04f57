//! When a credential is renewed: at use, ahead of time, once a day; and what clocks may do.

use std::time::Duration;

use attache::base::Clock;
use serde_json::json;

use super::{HOUR, Scene};
use crate::support::gateway::clock;

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn an_expired_token_is_renewed_by_the_call_that_needs_it() {
    let scene = Scene::strict().await;
    for round in 1..=5 {
        scene.clock().advance(HOUR);
        scene.assert_works().await;
        assert_eq!(scene.refreshes(), round);
    }
    scene.assert_card("active").await;
}

#[tokio::test]
async fn a_token_that_is_near_its_end_is_renewed_ahead_of_time_and_nobody_waits() {
    let scene = Scene::strict().await;
    scene.clock().advance(MINUTE * 56);
    let slow = scene.acme.is_slow_to_answer("/token");
    // Answered with the old token, while the renewal hangs.
    scene.assert_works().await;
    slow.reached_by(1).await;
    drop(slow);
    scene.clock().advance(4 * MINUTE);
    scene.assert_works().await;
    assert_eq!(scene.refreshes(), 1);
}

#[tokio::test]
async fn a_connection_in_use_is_renewed_in_the_background() {
    let scene = Scene::strict().await;
    scene.clock().advance(MINUTE * 56);
    scene.do_due_work().await;
    assert_eq!(scene.refreshes(), 1);
    scene.do_due_work().await;
    assert_eq!(scene.refreshes(), 1, "nothing else was due");
    scene.clock().advance(5 * MINUTE);
    scene.assert_works().await;
    assert_eq!(scene.refreshes(), 1);
    // And so on, for ever.
    scene.clock().advance(MINUTE * 51);
    scene.do_due_work().await;
    assert_eq!(scene.refreshes(), 2);
}

/// Row R-10.
#[tokio::test]
async fn the_old_refresh_token_and_lifetime_stay_where_the_answer_has_none() {
    // Refresh tokens are kept, as at Google: the answer to a refresh has none.
    let scene = Scene::with(|_| {}).await;
    scene.acme.does_not_say_when_tokens_expire();
    for round in 1..=3 {
        scene.clock().advance(HOUR);
        scene.assert_works().await;
        assert_eq!(scene.refreshes(), round, "an hour, as before");
    }
}

/// Row R-10.
#[tokio::test]
async fn without_a_refresh_token_the_connection_ends_with_its_access_token() {
    let scene = Scene::with(|acme| {
        acme.gives_no_refresh_token();
    })
    .await;
    scene.clock().advance(Duration::from_secs(3599));
    scene.assert_works().await;
    scene.clock().advance(Duration::from_secs(1));
    let ended = scene.whoami().await;
    ended.assert_failed("gives nothing to renew it with");
    scene.assert_card("expired").await;
    scene
        .ana
        .connect(&ended.link(), &scene.acme)
        .await
        .assert_connected();
    scene.assert_works().await;
}

/// Row R-10: the margin stays below half of the lifetime, so a short-lived token is not renewed at every call.
#[tokio::test]
async fn a_short_lifetime_does_not_mean_a_refresh_at_every_call() {
    let scene = Scene::with(|acme| {
        acme.rotates_refresh_tokens()
            .access_tokens_last(Duration::from_mins(1));
    })
    .await;
    for _ in 0..5 {
        scene.assert_works().await;
    }
    assert_eq!(scene.refreshes(), 0);
    scene.clock().advance(Duration::from_mins(1));
    for _ in 0..5 {
        scene.assert_works().await;
    }
    assert_eq!(scene.refreshes(), 1);
}

/// A scene whose gateway has a clock of its own, for somebody to set.
async fn with_a_clock_of_its_own() -> (Scene, Clock) {
    let (ours, theirs) = (clock(), clock());
    let scene = Scene::with_clocks(&ours, &theirs, |acme| {
        acme.rotates_refresh_tokens();
    });
    (scene.await, theirs)
}

/// Row R-11.
#[tokio::test]
async fn a_clock_that_jumps_while_the_gateway_runs_changes_nothing() {
    let (scene, theirs) = with_a_clock_of_its_own().await;
    for jump in [2 * 3600, -24 * 3600, 22 * 3600] {
        scene.clock().jump(jump);
        scene.assert_works().await;
        scene.do_due_work().await;
        assert_eq!(scene.refreshes(), 0, "{jump}");
    }
    for clock in [scene.clock(), &theirs] {
        clock.advance(HOUR);
    }
    scene.assert_works().await;
    assert_eq!(scene.refreshes(), 1);
}

/// Row R-11: after a restart there is only the wall clock, and the provider's own word.
#[tokio::test]
async fn a_clock_that_jumped_before_a_start_costs_one_refresh() {
    for (jump, hours, refreshes) in [(2 * 3600, 0, 1), (-24 * 3600, 0, 0), (-24 * 3600, 1, 1)] {
        let (scene, theirs) = with_a_clock_of_its_own().await;
        scene.clock().jump(jump);
        let scene = scene.restarted().await;
        for clock in [scene.clock(), &theirs] {
            clock.advance(HOUR * hours);
        }
        for _ in 0..3 {
            scene.assert_works().await;
            scene.do_due_work().await;
        }
        assert_eq!(scene.refreshes(), refreshes, "{jump} and {hours} h");
    }
}

#[tokio::test]
async fn a_renewed_connection_survives_a_restart() {
    let scene = Scene::strict().await;
    scene.clock().advance(HOUR);
    scene.assert_works().await;
    let scene = scene.restarted().await;
    scene.assert_works().await;
    scene.clock().advance(HOUR);
    scene
        .ana
        .call("acme_create_thing", json!({ "name": "boat" }))
        .await
        .json();
    assert_eq!(scene.refreshes(), 2);
}

/// Row R-10: some providers issue the same, already dead access token twice within a second.
#[tokio::test]
async fn a_token_that_is_issued_twice_is_not_taken_for_a_new_one() {
    let scene = Scene::with(|acme| {
        acme.rotates_refresh_tokens().repeats_dead_access_tokens();
    })
    .await;
    scene.acme.access_tokens_die();
    super::assert_delayed(&scene.whoami().await);
    scene.clock().advance(Duration::from_secs(2));
    scene.assert_works().await;
    assert_eq!(scene.refreshes(), 2);
    scene.assert_card("active").await;
}

/// Row R-10: a refresh token that dies together with its access token.
#[tokio::test]
async fn a_refresh_token_that_dies_with_its_access_token_is_renewed_before() {
    let scene = Scene::with(|acme| {
        acme.rotates_refresh_tokens()
            .refresh_tokens_die_with_access_tokens();
    })
    .await;
    for round in 1..=3 {
        scene.clock().advance(MINUTE * 56);
        scene.do_due_work().await;
        assert_eq!(scene.refreshes(), round);
        scene.assert_works().await;
    }
    scene.clock().advance(HOUR);
    scene.whoami().await.assert_failed("has ended");
    scene.reconnect().await;
}

#[tokio::test]
async fn a_connection_of_another_registration_is_used_while_it_lasts_and_never_renewed() {
    let scene = Scene::strict().await;
    let Scene { acme, gateway, .. } = scene;
    let gateway = gateway
        .restart_configured(&[&acme], |config| {
            let service = config.services.get_mut("acme").expect("it is set up");
            service.client_id = Some("another".to_owned());
        })
        .await;
    let ana = gateway.person("ana").await;
    let scene = Scene { acme, gateway, ana };
    scene.assert_works().await;
    scene.clock().advance(HOUR);
    scene
        .whoami()
        .await
        .assert_failed("was made with another setup");
    assert_eq!(scene.refreshes(), 0);
}
