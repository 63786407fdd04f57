//! What comes back from the issuer, or from somebody who would like to be it (S-07, S-08, S-09, S-16).

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::{Team, is_signed_in};
use crate::support::issuer::{CLIENT_ID, CLIENT_SECRET, Signature, Token};

/// The callback with other values of `name`.
fn with(callback: &Url, name: &str, values: &[&str]) -> Url {
    let kept: Vec<_> = callback
        .query_pairs()
        .filter(|(known, _)| known != name)
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let mut changed = callback.clone();
    changed.query_pairs_mut().clear().extend_pairs(kept);
    let values = values.iter().map(|value| (name, *value));
    changed.query_pairs_mut().extend_pairs(values);
    changed
}

#[tokio::test]
async fn a_callback_works_once_and_in_the_browser_that_began() {
    let team = Team::start().await;
    let (ana, mallory) = (team.browser("ana"), team.browser("mallory"));
    let destination = mallory.leave_for_issuer().await;
    let callback = team.issuer.signs_in(&destination, "mallory", json!({}));
    team.issuer.take_requests();
    // Login CSRF: the victim's browser is fed the attacker's answer.
    ana.open(callback.as_str())
        .await
        .assert_error(400, "came back in another browser");
    // The same with a sign-in of the victim's own under way, whose cookie has another name.
    let own = ana.leave_for_issuer().await;
    ana.open(callback.as_str())
        .await
        .assert_error(400, "Start once more");
    let state = own.query_pairs().find(|(name, _)| name == "state").unwrap();
    let mixed = with(&callback, "state", &[&state.1]);
    assert!(team.issuer.take_requests().is_empty(), "no code was used");
    // The attacker's code with the victim's state: the proof key of another sign-in stops it.
    let page = ana.open(mixed.as_str()).await;
    page.assert_error(502, "refused to sign you in");
    assert!(!is_signed_in(&ana).await);

    let destination = ana.leave_for_issuer().await;
    let callback = team.issuer.signs_in(&destination, "ana", json!({}));
    assert_eq!(ana.open(callback.as_str()).await.status, 303);
    team.issuer.take_requests();
    for _ in 0..3 {
        ana.open(callback.as_str())
            .await
            .assert_error(400, "opened twice");
    }
    assert!(
        team.issuer.take_requests().is_empty(),
        "a replay reaches nobody"
    );
}

#[tokio::test]
async fn a_state_that_is_not_ours_or_too_old_is_refused() {
    let team = Team::start().await;
    let ana = team.browser("ana");
    let destination = ana.leave_for_issuer().await;
    let callback = team.issuer.signs_in(&destination, "ana", json!({}));
    team.issuer.take_requests();
    let state = callback.query_pairs().find(|(name, _)| name == "state");
    let state = state.unwrap().1.into_owned();
    let wrong = format!("{state}x");
    let mut bodies = Vec::new();
    for values in [
        &[][..],
        &[""],
        &[&wrong],
        &[&state[1..]],
        &[&state, &state],
        &["'; DROP TABLE"],
    ] {
        let page = ana.open(with(&callback, "state", values).as_str()).await;
        page.assert_error(400, "You are not signed in");
        bodies.push(without_number(&page.text));
    }
    team.gateway.clock().advance(Duration::from_mins(10));
    let page = ana.open(callback.as_str()).await;
    page.assert_error(400, "It took too long");
    bodies.push(without_number(&page.text));
    bodies.dedup();
    assert_eq!(
        bodies.len(),
        1,
        "the answer does not tell which it was (S-44)"
    );
    assert!(team.issuer.take_requests().is_empty());
}

fn without_number(text: &str) -> String {
    let number = regex::Regex::new("req_[0-9a-f]{12}").unwrap();
    number.replace_all(text, "").into_owned()
}

#[tokio::test]
async fn an_answer_of_another_issuer_is_dropped_before_its_code_is_used() {
    let team = Team::start().await;
    let url = team.issuer.url().to_owned();
    let slash = format!("{url}/");
    let upper = url.to_uppercase();
    for iss in [
        &[][..],
        &[""],
        &["https://evil.example"],
        &[&slash],
        &[&upper],
        &[&url, &url],
        &[&url, "https://evil.example"],
    ] {
        let ana = team.browser("ana");
        let destination = ana.leave_for_issuer().await;
        let callback = team.issuer.signs_in(&destination, "ana", json!({}));
        team.issuer.take_requests();
        let hostile = with(&callback, "iss", iss);
        let hostile = with(
            &hostile,
            "error_description",
            &["<script>alert(1)</script>"],
        );
        let page = ana.open(hostile.as_str()).await;
        page.assert_error(400, "was not what we asked it for");
        assert!(!page.text.contains("alert(1)"));
        assert!(team.issuer.take_requests().is_empty(), "{iss:?}");
        assert!(!is_signed_in(&ana).await);
    }
}

#[tokio::test]
async fn an_issuer_that_does_not_announce_its_name_may_leave_it_out_and_not_lie() {
    let team = Team::start().await;
    team.issuer.does_not_name_itself();
    assert!(is_signed_in(&team.person("ana").await).await);
    let ben = team.browser("ben");
    let destination = ben.leave_for_issuer().await;
    let callback = team.issuer.signs_in(&destination, "ben", json!({}));
    let lie = with(&callback, "iss", &["https://evil.example"]);
    ben.open(lie.as_str())
        .await
        .assert_error(400, "was not what we asked");
}

type Change = fn(&mut Token);

/// Every way in which an ID token can be wrong, and what the person is told.
const WRONG: &[(&str, Change, &str)] = &[
    ("aud", |t| t.claims["aud"] = json!("another-client"), FIT),
    (
        "aud list",
        |t| t.claims["aud"] = json!([CLIENT_ID, "another-client"]),
        FIT,
    ),
    ("no aud", |t| remove(t, "aud"), FIT),
    ("azp", |t| t.claims["azp"] = json!("another-client"), FIT),
    (
        "iss",
        |t| t.claims["iss"] = json!("https://evil.example"),
        FIT,
    ),
    ("no iss", |t| remove(t, "iss"), FIT),
    ("expired", |t| t.claims["exp"] = later(t, -61), CLOCK),
    ("from the future", |t| t.claims["iat"] = later(t, 62), CLOCK),
    ("not yet", |t| t.claims["nbf"] = later(t, 62), CLOCK),
    ("no exp", |t| remove(t, "exp"), FIT),
    ("nonce", |t| t.claims["nonce"] = json!("another"), FIT),
    ("no nonce", |t| remove(t, "nonce"), FIT),
    ("no sub", |t| remove(t, "sub"), FIT),
    ("empty sub", |t| t.claims["sub"] = json!(""), FIT),
    (
        "long sub",
        |t| t.claims["sub"] = json!("x".repeat(256)),
        FIT,
    ),
    (
        "none",
        |t| (t.header["alg"], t.signature) = (json!("none"), Signature::None),
        FIT,
    ),
    (
        "None",
        |t| (t.header["alg"], t.signature) = (json!("None"), Signature::None),
        FIT,
    ),
    ("no signature", |t| t.signature = Signature::None, FIT),
    ("strange key", |t| t.signature = Signature::Strange, FIT),
    (
        "unknown kid",
        |t| t.header["kid"] = json!("../../dev/null"),
        FIT,
    ),
    (
        "HS256 with the client secret",
        |t| {
            let secret = CLIENT_SECRET.as_bytes().to_vec();
            (t.header["alg"], t.signature) = (json!("HS256"), Signature::Shared(secret));
        },
        FIT,
    ),
    ("wrong alg", |t| t.header["alg"] = json!("RS256"), FIT),
    (
        "an access token",
        |t| t.header["typ"] = json!("at+jwt"),
        FIT,
    ),
    ("critical header", |t| t.header["crit"] = json!(["x"]), FIT),
];
const FIT: &str = "was not what we asked it for";
const CLOCK: &str = "is not valid at this time";

fn remove(token: &mut Token, claim: &str) {
    token.claims.as_object_mut().unwrap().remove(claim);
}

/// `seconds` after the moment at which the token was made.
fn later(token: &Token, seconds: i64) -> Value {
    // The tests' clock stands still, and `exp` is five minutes ahead of it.
    let made = token.claims["exp"].as_i64().unwrap() - 300;
    json!(made + seconds)
}

#[tokio::test]
async fn an_id_token_that_is_wrong_in_any_way_signs_nobody_in() {
    let team = Team::start().await;
    for (name, change, sentence) in WRONG {
        team.issuer.misbehaves(*change);
        let ana = team.browser("ana");
        let page = team.sign_in(&ana, "ana", json!({})).await;
        assert!(
            page.status == 400 && page.text.contains(sentence),
            "{name}: {} {}",
            page.status,
            page.text
        );
        assert!(!is_signed_in(&ana).await, "{name}");
        assert!(ana.cookie(super::SESSION).is_none(), "{name}");
    }
    // A public key as the secret of a shared-secret signature, in every form in which somebody may have it.
    let key = team.issuer.public_key();
    let text = key["x"].as_str().unwrap().to_owned();
    let bytes = data_encoding::BASE64URL_NOPAD
        .decode(text.as_bytes())
        .unwrap();
    for secret in [text.into_bytes(), bytes, key.to_string().into_bytes()] {
        team.issuer.misbehaves(move |token| {
            token.header["alg"] = json!("HS256");
            token.signature = Signature::Shared(secret.clone());
        });
        let ana = team.browser("ana");
        let page = team.sign_in(&ana, "ana", json!({})).await;
        page.assert_error(400, FIT);
    }
    team.issuer.behaves();
    assert!(
        is_signed_in(&team.person("ana").await).await,
        "else all is well"
    );
    let people = team.gateway.app().gateway().people().await.unwrap();
    assert_eq!(people.len(), 1, "nobody else was ever added");
}

#[tokio::test]
async fn clocks_may_be_a_minute_apart() {
    let team = Team::start().await;
    let nearly: [Change; 3] = [
        |t| t.claims["exp"] = later(t, -59),
        |t| t.claims["iat"] = later(t, 59),
        |t| t.claims["nbf"] = later(t, 59),
    ];
    for change in nearly {
        team.issuer.misbehaves(change);
        assert!(is_signed_in(&team.person("ana").await).await);
    }
}

#[tokio::test]
async fn new_keys_are_fetched_when_they_are_needed_and_not_more_often_than_once_a_minute() {
    let team = Team::start().await;
    team.person("ana").await;
    assert_eq!(team.issuer.take_requests(), ["discovery", "keys", "token"]);
    team.issuer.rotates_its_key("second");
    let page = team.sign_in(&team.browser("ana"), "ana", json!({})).await;
    page.assert_error(400, FIT);
    assert_eq!(team.issuer.take_requests(), ["token"], "asked a moment ago");
    team.gateway.clock().advance(Duration::from_mins(1));
    team.person("ana").await;
    assert_eq!(team.issuer.take_requests(), ["token", "discovery", "keys"]);
    // The same name for another key is a rotation too.
    team.gateway.clock().advance(Duration::from_mins(1));
    team.issuer.rotates_its_key("second");
    team.person("ana").await;
    assert_eq!(team.issuer.take_requests(), ["token", "discovery", "keys"]);
    // Somebody who signs with keys of nobody's cannot make us hammer the issuer.
    team.issuer
        .misbehaves(|token| token.signature = Signature::Strange);
    for _ in 0..5 {
        team.sign_in(&team.browser("ana"), "ana", json!({})).await;
    }
    assert_eq!(team.issuer.take_requests(), ["token"; 5]);
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_is_named_and_recovers() {
    let team = Team::start().await;
    team.issuer.is_down();
    let ana = team.browser("ana");
    let own = [("sec-fetch-site", "same-origin")];
    for _ in 0..3 {
        let page = ana.submit("/sign-in", "", &own).await;
        page.assert_error(502, "Acme ID could not be reached");
    }
    assert_eq!(team.issuer.take_requests(), ["discovery"], "not hammered");
    team.issuer.behaves();
    team.gateway.clock().advance(Duration::from_secs(5));
    team.person("ana").await;
    // Known once, it is believed to be as it was; only a code cannot be exchanged.
    team.issuer.is_down();
    team.gateway.clock().advance(Duration::from_hours(2));
    let destination = ana.leave_for_issuer().await;
    let callback = team.issuer.signs_in(&destination, "ana", json!({}));
    let page = ana.open(callback.as_str()).await;
    page.assert_error(502, "Acme ID could not be reached");
    assert!(!is_signed_in(&ana).await);
}

#[tokio::test]
async fn a_discovery_document_that_names_somebody_else_is_not_believed() {
    let team = Team::start().await;
    let slash = format!("{}/", team.issuer.url());
    for name in ["https://evil.example", &slash] {
        team.issuer.calls_itself(name);
        let page = team.browser("ana");
        let page = page.submit("/sign-in", "", &[("sec-fetch-site", "same-origin")]);
        page.await.assert_error(502, "could not be reached");
        team.gateway.clock().advance(Duration::from_secs(5));
    }
}

#[tokio::test]
async fn what_the_issuer_says_instead_of_a_code_is_told_in_our_words() {
    let team = Team::start().await;
    for (error, status, sentence) in [
        ("access_denied", 200, "You did not sign in at Acme ID"),
        ("login_required", 502, "Its reason: login_required."),
        ("<b>bold</b>", 502, "did not name clearly"),
    ] {
        let ana = team.browser("ana");
        let destination = ana.leave_for_issuer().await;
        let callback = team.issuer.signs_in(&destination, "ana", json!({}));
        let refusal = with(&with(&callback, "code", &[]), "error", &[error]);
        let page = ana.open(refusal.as_str()).await;
        page.assert_error(status, sentence);
        assert!(page.text.contains("Back to sign-in"));
    }
    let ana = team.browser("ana");
    let destination = ana.leave_for_issuer().await;
    let callback = team.issuer.signs_in(&destination, "ana", json!({}));
    let both = with(&callback, "error", &["access_denied"]);
    ana.open(both.as_str()).await.assert_error(400, FIT);
}
