//! What comes back from a provider, or claims to (S-04, S-07, S-09), and token endpoints that misbehave.

use std::time::Duration;

use serde_json::json;
use url::Url;

use crate::support::gateway::{TestGateway, clock};
use crate::support::person::Person;
use crate::support::provider::Provider;

struct Flow {
    acme: Provider,
    gateway: TestGateway,
    ana: Person,
    callback: Url,
    clock: attache::base::Clock,
}

/// A flow in which Ana has agreed at the provider and her browser is about to come back.
async fn flow(behave: impl FnOnce(&Provider)) -> Flow {
    let clock = clock();
    let acme = Provider::start(&clock);
    behave(&acme);
    let gateway = TestGateway::start(&clock, &[&acme]).await;
    let ana = gateway.person("ana").await;
    let link = ana.call("acme_whoami", json!({})).await.link();
    let destination = ana.leave_for_provider(&link).await;
    let callback = acme.has_account("ana").consent(&destination).await;
    Flow {
        acme,
        gateway,
        ana,
        callback,
        clock,
    }
}

impl Flow {
    /// Nobody is connected, and the connection can still be made.
    async fn assert_nothing_lost(&self) {
        self.ana
            .call("acme_whoami", json!({}))
            .await
            .assert_failed("not connected for ana");
        self.acme.recovers();
        let link = self.ana.call("acme_whoami", json!({})).await.link();
        self.ana.connect(&link, &self.acme).await.assert_connected();
    }
}

fn without(callback: &Url, name: &str) -> Url {
    replaced(callback, name, &[])
}

fn replaced(callback: &Url, name: &str, values: &[&str]) -> Url {
    let kept: Vec<_> = callback
        .query_pairs()
        .into_owned()
        .filter(|(known, _)| known != name)
        .collect();
    let mut edited = callback.clone();
    edited
        .query_pairs_mut()
        .clear()
        .extend_pairs(kept)
        .extend_pairs(values.iter().map(|value| (name, value)));
    edited
}

/// S-04: the callback of Ana's flow arrives in Ben's browser.
#[tokio::test]
async fn a_callback_in_another_persons_browser_is_refused_before_the_token_request() {
    let flow = flow(|_| {}).await;
    let ben = flow.gateway.person("ben").await;
    ben.open(flow.callback.as_str())
        .await
        .assert_error(403, "for someone else");
    assert!(flow.acme.token_requests().is_empty());
    flow.ana
        .open(flow.callback.as_str())
        .await
        .assert_connected();
}

/// The same person in another browser: the flow cookie is missing.
#[tokio::test]
async fn a_callback_without_the_flow_cookie_is_refused_before_the_token_request() {
    let flow = flow(|_| {}).await;
    flow.ana.loses_cookies("__Host-attache_flow");
    flow.ana
        .open(flow.callback.as_str())
        .await
        .assert_error(400, "lost track");
    assert!(flow.acme.token_requests().is_empty());
    flow.assert_nothing_lost().await;
}

#[tokio::test]
async fn a_callback_without_any_cookie_leads_to_sign_in() {
    let flow = flow(|_| {}).await;
    flow.ana.loses_cookies("__Host-");
    assert_eq!(
        flow.ana.open(flow.callback.as_str()).await.location(),
        "/sign-in"
    );
    assert!(flow.acme.token_requests().is_empty());
}

/// S-09: a `state` that is absent, empty, doubled, random, of another provider, expired or used.
#[tokio::test]
async fn a_wrong_state_is_refused_without_a_token_request() {
    let flow = flow(|_| {}).await;
    let (ana, callback) = (&flow.ana, &flow.callback);
    let random = "A".repeat(43);
    for wrong in [
        &[][..],
        &[""],
        &["x"],
        &[&random],
        &["a", "b"],
        &["<script>"],
        &["%00"],
    ] {
        let edited = replaced(callback, "state", wrong);
        ana.open(edited.as_str())
            .await
            .assert_error(400, "lost track");
    }
    let other_provider = callback
        .as_str()
        .replace("/callback/acme", "/callback/github");
    assert!(ana.open(&other_provider).await.status.is_client_error());
    for number in 0..900 {
        let edited = replaced(callback, "state", &[&format!("{number:043}")]);
        // From some guess on there is no answer but to wait.
        let status = ana.open(edited.as_str()).await.status.as_u16();
        assert!(matches!(status, 400 | 429), "{status}");
    }
    assert!(flow.acme.token_requests().is_empty());
    ana.open(callback.as_str()).await.assert_connected();
    flow.gateway.clock().advance(Duration::from_hours(1));
    for _ in 0..20 {
        ana.open(callback.as_str())
            .await
            .assert_error(400, "lost track");
    }
    assert_eq!(flow.acme.token_requests().len(), 1);
}

#[tokio::test]
async fn a_state_of_another_provider_is_refused() {
    let clock = clock();
    let (acme, bolt) = (
        Provider::start(&clock),
        Provider::start_named("bolt", &clock),
    );
    let gateway = TestGateway::start(&clock, &[&acme, &bolt]).await;
    let ana = gateway.person("ana").await;
    let link = ana.call("acme_whoami", json!({})).await.link();
    let callback = acme
        .has_account("ana")
        .consent(&ana.leave_for_provider(&link).await)
        .await;
    let mixed = callback
        .as_str()
        .replace("/callback/acme", "/callback/bolt");
    ana.open(&mixed).await.assert_error(400, "lost track");
    assert!(acme.token_requests().is_empty() && bolt.token_requests().is_empty());
    ana.open(callback.as_str()).await.assert_connected();
}

#[tokio::test]
async fn a_state_expires_after_ten_minutes() {
    let flow = flow(|_| {}).await;
    flow.clock.advance(Duration::from_mins(10));
    flow.ana
        .open(flow.callback.as_str())
        .await
        .assert_error(400, "lost track");
    assert!(flow.acme.token_requests().is_empty());
    flow.assert_nothing_lost().await;
}

/// A callback is accepted at most once under any interleaving.
#[tokio::test]
async fn of_many_callbacks_at_once_one_is_accepted() {
    let flow = flow(|_| {}).await;
    let all = (0..16).map(|_| flow.ana.open(flow.callback.as_str()));
    let pages = futures::future::join_all(all).await;
    let connected = pages
        .iter()
        .filter(|page| page.text.contains("id=\"connected\""))
        .count();
    assert_eq!((connected, flow.acme.token_requests().len()), (1, 1));
}

/// S-07: `iss` missing though announced, different, doubled, or written otherwise.
#[tokio::test]
async fn a_wrong_issuer_is_refused_and_its_words_are_not_shown() {
    let issuer = flow(|_| {}).await.acme.issuer();
    let slash = format!("{issuer}/");
    let capital = issuer.replace("localhost", "LOCALHOST");
    let variants: [&[&str]; 6] = [
        &[],
        &["https://evil.example"],
        &[&slash],
        &[&capital],
        &[""],
        &["SAME", "SAME"],
    ];
    for variant in variants {
        let flow = flow(|_| {}).await;
        let own = flow.acme.issuer();
        let (slash, capital) = (format!("{own}/"), own.replace("localhost", "LOCALHOST"));
        let values: Vec<&str> = variant
            .iter()
            .map(|value| match *value {
                "SAME" => own.as_str(),
                value if value.ends_with('/') => slash.as_str(),
                value if value.contains("LOCALHOST") => capital.as_str(),
                value => value,
            })
            .collect();
        let edited = replaced(&flow.callback, "iss", &values);
        let page = flow.ana.open(edited.as_str()).await;
        page.assert_error(400, "did not fit");
        assert!(!page.text.contains("evil.example"));
        assert!(flow.acme.token_requests().is_empty(), "{values:?}");
    }
}

#[tokio::test]
async fn a_person_who_says_no_is_told_that_nothing_was_connected() {
    let flow = flow(|acme| {
        acme.denies_access();
    })
    .await;
    let page = flow.ana.open(flow.callback.as_str()).await;
    page.assert_error(200, "did not allow it");
    assert!(flow.acme.token_requests().is_empty());
    flow.assert_nothing_lost().await;
}

#[tokio::test]
async fn an_error_of_the_provider_is_named_only_when_it_is_plain() {
    let flow = flow(|_| {}).await;
    let refused = replaced(
        &without(&flow.callback, "code"),
        "error",
        &["<script>alert(1)</script>"],
    );
    let page = flow.ana.open(refused.as_str()).await;
    page.assert_error(502, "refused to connect");
    assert!(!page.text.contains("alert(1)"));
}

#[tokio::test]
async fn a_callback_without_a_code_is_refused() {
    let flow = flow(|_| {}).await;
    flow.ana
        .open(without(&flow.callback, "code").as_str())
        .await
        .assert_error(502, "refused to connect");
    assert!(flow.acme.token_requests().is_empty());
    flow.assert_nothing_lost().await;
}

/// A token endpoint that answers 500, HTML, ten megabytes, nothing useful, or a refusal.
#[tokio::test]
async fn a_token_endpoint_that_misbehaves_is_told_clearly_and_nothing_is_stored() {
    let cases: [(u16, &str, Vec<u8>, &str); 7] = [
        (500, "text/plain", b"oops".to_vec(), "does not answer"),
        (
            200,
            "text/html",
            b"<html>sign in</html>".to_vec(),
            "does not answer",
        ),
        (
            200,
            "application/json",
            vec![b' '; 10 * 1024 * 1024],
            "does not answer",
        ),
        (200, "application/json", b"{}".to_vec(), "does not answer"),
        (
            200,
            "application/json",
            br#"{"access_token":"a\r\nb","token_type":"bearer"}"#.to_vec(),
            "does not answer",
        ),
        (
            200,
            "application/json",
            vec![b'['; 100_000],
            "does not answer",
        ),
        (
            400,
            "application/json",
            br#"{"error":"invalid_grant"}"#.to_vec(),
            "invalid_grant",
        ),
    ];
    for (status, content_type, body, sentence) in cases {
        let flow = flow(|_| {}).await;
        flow.acme.answers_token_with(status, content_type, body);
        flow.ana
            .open(flow.callback.as_str())
            .await
            .assert_error(502, sentence);
        flow.assert_nothing_lost().await;
    }
}

/// The account call fails after the exchange: nothing is stored, and the token is given back.
#[tokio::test]
async fn a_token_that_cannot_be_kept_is_revoked() {
    let flow = flow(|acme| {
        acme.answers_api_with(500, "{}");
    })
    .await;
    flow.ana
        .open(flow.callback.as_str())
        .await
        .assert_error(502, "does not answer");
    assert_eq!(
        flow.acme.live_grants_of("ana"),
        0,
        "a token that was received is never just dropped"
    );
    flow.assert_nothing_lost().await;
}
