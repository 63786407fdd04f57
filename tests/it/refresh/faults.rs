//! What becomes of a connection when the provider does not play along.

use std::time::Duration;

use serde_json::json;

use super::{HOUR, Scene, assert_delayed};
use crate::support::gateway::clock;

const MINUTE: Duration = Duration::from_mins(1);

/// Row R-08.
#[tokio::test]
async fn a_refused_grant_ends_the_connection_at_once_and_is_asked_for_no_more() {
    for body in [r#"{"error":"invalid_grant"}"#, "{}"] {
        let scene = Scene::strict().await;
        scene.acme.answers_token_with(400, "application/json", body);
        scene.clock().advance(HOUR);
        let ended = scene.whoami().await;
        ended.assert_failed("has ended. The service no longer accepts it");
        scene.assert_card("expired").await;
        for _ in 0..3 {
            scene.whoami().await.link();
            scene.clock().advance(10 * MINUTE);
            scene.do_due_work().await;
        }
        assert_eq!(scene.refreshes(), 1, "{body}");
        scene.acme.recovers();
        scene.reconnect().await;
    }
}

/// Row R-07.
#[tokio::test]
async fn a_token_endpoint_that_is_down_ends_nothing() {
    for (status, body) in [
        (500, "oops"),
        (502, "<html>"),
        (503, ""),
        (429, r#"{"error":"slow_down"}"#),
        (401, r#"{"error":"invalid_client"}"#),
    ] {
        let scene = Scene::strict().await;
        // Still valid: served with what is there.
        scene.clock().advance(Duration::from_secs(3580));
        scene
            .acme
            .answers_token_with(status, "application/json", body);
        scene.assert_works().await;
        // Over: told to wait, not to sign in again. One attempt for each step of the back-off.
        scene.clock().advance(Duration::from_secs(20));
        let before = scene.refreshes();
        for _ in 0..10 {
            assert_delayed(&scene.whoami().await);
        }
        assert!(
            scene.refreshes() <= before + 1,
            "{status}: {}",
            scene.refreshes()
        );
        scene.assert_card("active").await;
        for _ in 0..20 {
            scene.clock().advance(Duration::from_mins(30));
            scene.do_due_work().await;
        }
        scene.assert_card("active").await;
        scene.acme.recovers();
        scene.clock().advance(Duration::from_mins(30));
        scene.assert_works().await;
    }
}

/// Row R-07: a token that the API has refused is not tried again while it cannot be renewed.
#[tokio::test]
async fn a_refused_token_is_not_sent_again_and_again() {
    let scene = Scene::strict().await;
    scene.acme.access_tokens_die();
    scene.acme.answers_token_with(503, "text/plain", "");
    let before = scene.acme.api_requests().len();
    for _ in 0..10 {
        assert_delayed(&scene.whoami().await);
    }
    assert_eq!(scene.acme.api_requests().len(), before + 1);
    scene.acme.recovers();
    scene.clock().advance(10 * MINUTE);
    scene.assert_works().await;
}

/// Row R-07: `Retry-After` is granted.
#[tokio::test]
async fn a_provider_that_asks_to_be_left_alone_is_left_alone() {
    let scene = Scene::strict().await;
    scene.acme.limits_token_requests(Duration::from_mins(10));
    scene.clock().advance(HOUR);
    let told = scene.whoami().await;
    assert_delayed(&told);
    assert_eq!(
        told.result()["structuredContent"]["retry_after_seconds"],
        json!(600)
    );
    scene.clock().advance(9 * MINUTE);
    assert_delayed(&scene.whoami().await);
    assert_eq!(scene.refreshes(), 1);
    scene.acme.recovers();
    scene.clock().advance(MINUTE);
    scene.assert_works().await;
}

/// Row R-06, at a provider that accepts a spent token once more for a while.
#[tokio::test]
async fn a_lost_answer_is_asked_for_once_more() {
    let scene = Scene::strict().await;
    scene
        .acme
        .forgives_replays()
        .expects_replays(1)
        .loses_the_next_token_answer();
    scene.clock().advance(HOUR);
    scene.assert_works().await;
    assert_eq!(scene.refreshes(), 2);
    scene.assert_card("active").await;
}

/// Row R-06, at a strict provider: the loss is shown, and there is no storm.
#[tokio::test]
async fn a_lost_answer_at_a_strict_provider_is_shown_as_what_it_is() {
    let scene = Scene::strict().await;
    scene.acme.expects_replays(1).loses_the_next_token_answer();
    scene.clock().advance(HOUR);
    let ended = scene.whoami().await;
    ended.assert_failed("A renewal was cut off");
    for _ in 0..3 {
        scene.whoami().await.link();
        scene.clock().advance(HOUR);
        scene.do_due_work().await;
    }
    assert_eq!(scene.refreshes(), 2);
    scene.reconnect().await;
}

/// Before a replay that could end everything, the old access token is tried; while it works there is no hurry.
#[tokio::test]
async fn a_lost_answer_ahead_of_time_costs_nothing_while_the_old_token_works() {
    let scene = Scene::strict().await;
    scene.acme.loses_the_next_token_answer();
    scene.clock().advance(MINUTE * 56);
    scene.do_due_work().await;
    assert_eq!(scene.refreshes(), 1);
    for _ in 0..5 {
        scene.assert_works().await;
        scene.do_due_work().await;
    }
    assert_eq!(scene.refreshes(), 1, "no replay while the old token works");
    scene.acme.expects_replays(1);
    scene.clock().advance(4 * MINUTE);
    scene.whoami().await.assert_failed("A renewal was cut off");
    assert_eq!(scene.refreshes(), 2);
}

/// Row R-09: a token that the API refuses, in whatever way, is renewed, and a call that may be repeated is.
#[tokio::test]
async fn a_token_refused_in_the_middle_is_renewed_and_the_call_repeated() {
    for status in [401, 403, 200] {
        let (ours, theirs) = (clock(), clock());
        let scene = Scene::with_clocks(&ours, &theirs, |acme| {
            acme.rotates_refresh_tokens()
                .answers_expired_tokens_with(status);
        })
        .await;
        let boat = json!({ "name": "boat" });
        let id = scene.ana.call("acme_create_thing", boat).await.json()["id"].clone();
        // Nothing here knows yet that the token is over.
        theirs.advance(HOUR);
        scene.assert_works().await;
        assert_eq!(scene.refreshes(), 1, "{status}");
        theirs.advance(HOUR);
        let deleted = scene
            .ana
            .call("acme_delete_thing", json!({ "id": id }))
            .await;
        assert_eq!(deleted.json()["deleted"], json!(true), "{status}");
        assert_eq!(scene.refreshes(), 2, "{status}");
        scene.assert_card("active").await;
    }
}

/// Row R-06 and R-09 together: nothing is left to try, and the connection says so at once.
#[tokio::test]
async fn a_token_that_is_refused_after_its_renewal_was_lost_ends_the_connection() {
    let scene = Scene::strict().await;
    scene.acme.expects_replays(1).loses_the_next_token_answer();
    scene.clock().advance(MINUTE * 56);
    scene.do_due_work().await;
    scene.acme.access_tokens_die();
    scene.whoami().await.assert_failed("A renewal was cut off");
    assert_eq!(scene.refreshes(), 2);
    scene.reconnect().await;
}

/// Row R-09: a call that must not be repeated unasked is not; the agent is told that nothing happened.
#[tokio::test]
async fn a_call_that_is_not_idempotent_is_not_repeated_unasked() {
    let scene = Scene::strict().await;
    scene.acme.access_tokens_die();
    let told = scene
        .ana
        .call("acme_create_thing", json!({ "name": "boat" }))
        .await;
    told.assert_failed("run the same call again");
    let posts = |scene: &Scene| {
        let requests = scene.acme.api_requests();
        requests
            .iter()
            .filter(|request| request.method == "POST")
            .count()
    };
    assert_eq!((posts(&scene), scene.refreshes()), (1, 1));
    scene
        .ana
        .call("acme_create_thing", json!({ "name": "boat" }))
        .await
        .json();
    assert_eq!(posts(&scene), 2);
}

/// Row R-09: a brand-new token that is refused as well ends the connection; there is no loop.
#[tokio::test]
async fn a_new_token_that_is_refused_too_ends_the_connection() {
    let scene = Scene::strict().await;
    scene.acme.answers_api_with(401, r#"{"message":"no"}"#);
    let ended = scene.whoami().await;
    ended.assert_failed("The service no longer accepts it");
    assert_eq!((scene.refreshes(), scene.acme.api_requests().len()), (1, 3));
    scene.assert_card("expired").await;
    scene.acme.recovers();
    scene.reconnect().await;
}

#[tokio::test]
async fn access_that_is_removed_at_the_provider_ends_with_a_link() {
    let scene = Scene::strict().await;
    scene.acme.access_is_removed_by("ana");
    let ended = scene.whoami().await;
    ended.assert_failed("has ended");
    assert_eq!(scene.refreshes(), 1);
    scene.reconnect().await;
}

#[tokio::test]
async fn a_disconnect_during_a_renewal_leaves_nothing_alive() {
    let scene = Scene::strict().await;
    scene.clock().advance(HOUR);
    let slow = scene.acme.is_slow_to_answer("/token");
    let page = scene.ana.open("/connections").await;
    let path = page
        .text
        .split('"')
        .find(|part| part.ends_with("/disconnect"))
        .expect("a way to disconnect")
        .to_owned();
    let (called, disconnected) = tokio::join!(scene.whoami(), async {
        slow.reached_by(1).await;
        let page = scene.ana.open(&path).await;
        let receipt = scene.ana.press(&page, &path).await;
        drop(slow);
        receipt
    });
    called.link();
    assert!(disconnected.status.is_success());
    scene.assert_card("revoked").await;
    scene.clock().advance(10 * MINUTE);
    scene.do_due_work().await;
    assert_eq!(scene.acme.live_grants_of("ana"), 0);
}

/// Row R-06: two answers lost in a row, and there is no third request.
#[tokio::test]
async fn a_token_is_sent_twice_at_most_without_an_answer() {
    let scene = Scene::strict().await;
    scene.acme.forgives_replays().expects_replays(1);
    scene.acme.loses_token_answers(2);
    scene.clock().advance(HOUR);
    scene.whoami().await.assert_failed("A renewal was cut off");
    for _ in 0..3 {
        scene.clock().advance(HOUR);
        scene.do_due_work().await;
        scene.whoami().await.link();
    }
    assert_eq!(scene.refreshes(), 2);
    scene.reconnect().await;
}

/// A renewal that is refused says nothing about the connection that was made while it was under way.
#[tokio::test]
async fn a_refusal_that_comes_too_late_ends_nothing() {
    let scene = Scene::with(|acme| {
        acme.rotates_refresh_tokens().refreshes_elsewhere();
    })
    .await;
    scene.clock().advance(MINUTE * 56);
    let slow = scene.acme.is_slow_to_answer("/token/refresh");
    // Renewed meanwhile: the call itself is answered with the old token.
    scene.assert_works().await;
    slow.reached_by(1).await;
    scene.acme.access_is_removed_by("ana");
    let destination = scene.ana.leave_from_connections("acme").await;
    let callback = scene.acme.has_account("ana").consent(&destination).await;
    scene.ana.open(callback.as_str()).await.assert_connected();
    drop(slow);
    scene.gateway.app().gateway().drain().await;
    scene.assert_card("active").await;
    scene.assert_works().await;
}
