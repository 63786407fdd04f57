//! Attacks that need more than one step (S-08, S-10, S-11).

use serde_json::json;
use url::Url;

use crate::support::gateway::gateway_with_acme;

fn parameter(url: &Url, name: &str) -> String {
    let mut values = url.query_pairs().filter(|(known, _)| known == name);
    let value = values
        .next()
        .unwrap_or_else(|| panic!("no {name} in {url}"))
        .1
        .into_owned();
    assert!(values.next().is_none(), "{name} stands twice in {url}");
    value
}

/// S-08: the victim's browser is fed the attacker's code and state, so that the victim would use the attacker's account.
#[tokio::test]
async fn a_browser_that_is_fed_someone_elses_callback_connects_nothing() {
    let (acme, gateway) = gateway_with_acme().await;
    let (victim, attacker) = (gateway.person("ana").await, gateway.person("mallory").await);
    let destination = attacker.leave_from_connections("acme").await;
    let callback = acme.has_account("mallory").consent(&destination).await;
    victim
        .open(callback.as_str())
        .await
        .assert_error(403, "for someone else");
    assert!(acme.token_requests().is_empty());
    assert_eq!(
        victim.open("/connections").await.card("acme"),
        "not_connected"
    );

    // The same with a flow of the victim's own under way: the attacker's code, the victim's state.
    let own = victim.leave_from_connections("acme").await;
    let mut mixed = callback.clone();
    let (code, issuer) = (parameter(&callback, "code"), parameter(&callback, "iss"));
    let pairs = [
        ("code", code.as_str()),
        ("state", &parameter(&own, "state")),
        ("iss", &issuer),
    ];
    mixed.query_pairs_mut().clear().extend_pairs(pairs);
    let page = victim.open(mixed.as_str()).await;
    assert!(page.text.contains("id=\"error\""), "{}", page.text);
    assert_eq!(
        victim.open("/connections").await.card("acme"),
        "not_connected"
    );
    let seen = acme.take_violations();
    assert!(
        !seen.is_empty(),
        "the proof key of another flow is what stopped it"
    );
}

/// S-10: S256 always, and the verifier is seen by the token endpoint alone.
#[tokio::test]
async fn the_proof_key_is_s256_and_stays_secret() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let link = ana.call("acme_whoami", json!({})).await.link();
    let destination = ana.leave_for_provider(&link).await;
    assert_eq!(parameter(&destination, "code_challenge_method"), "S256");
    assert_eq!(parameter(&destination, "code_challenge").len(), 43);
    let cookies = ana.cookies();
    let callback = acme.has_account("ana").consent(&destination).await;
    let page = ana.open(callback.as_str()).await;
    let verifier = acme.token_requests()[0]
        .param("code_verifier")
        .expect("a verifier")
        .clone();
    assert!((43..=128).contains(&verifier.len()));
    for place in [
        destination.as_str(),
        callback.as_str(),
        &cookies,
        &page.assert_connected().text,
    ] {
        assert!(!place.contains(&verifier), "the verifier is in {place}");
    }
}

/// S-11: the redirect URI is the configured one, whatever a request says about hosts.
#[tokio::test]
async fn headers_never_become_the_redirect_uri() {
    let (_acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let headers = [
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-port", "444"),
        ("forwarded", "host=evil.example;proto=https"),
        ("x-original-host", "evil.example"),
    ];
    let destination = ana.leave_with_headers("acme", &headers).await;
    let redirect_uri = parameter(&destination, "redirect_uri");
    assert_eq!(
        redirect_uri,
        format!("{}/oauth/callback/acme", gateway.origin())
    );
    assert!(!destination.as_str().contains("evil.example"));
}
