//! Callbacks that prove who sent them.

use serde_json::json;
use url::Url;

use crate::support::gateway::{TestGateway, clock};
use crate::support::provider::{ClientProof, Provider};

const DID_NOT_FIT: &str = "did not fit";

/// `callback` with its parameters changed.
fn changed(callback: &Url, change: impl Fn(&mut Vec<(String, String)>)) -> Url {
    let mut pairs: Vec<_> = callback.query_pairs().into_owned().collect();
    change(&mut pairs);
    let mut changed = callback.clone();
    changed.query_pairs_mut().clear().extend_pairs(pairs);
    changed
}

fn set(callback: &Url, name: &str, value: &str) -> Url {
    changed(callback, |pairs| {
        let found = pairs.iter_mut().find(|(given, _)| given == name);
        value.clone_into(&mut found.expect("a parameter").1);
    })
}

/// A callback without the right proof brings nothing and takes nothing: the right one still connects.
#[tokio::test]
async fn only_the_callback_with_the_right_proof_is_used() {
    let clock = clock();
    let acme = Provider::start(&clock);
    acme.proves_callbacks();
    let gateway = TestGateway::start(&clock, &[&acme]).await;
    let ana = gateway.person("ana").await;
    let link = ana.call("acme_whoami", json!({})).await.link();
    let destination = ana.leave_for_provider(&link).await;
    let callback = acme.has_account("ana").consent(&destination).await;
    let proof = callback.query_pairs().find(|(name, _)| name == "hmac");
    let proof = proof.expect("a proof").1.into_owned();
    let without = |name: &'static str| {
        changed(&callback, move |pairs| {
            pairs.retain(|(given, _)| given != name);
        })
    };
    let with = |name: &'static str, value: &str| {
        let pair = (name.to_owned(), value.to_owned());
        changed(&callback, move |pairs| pairs.push(pair.clone()))
    };
    for forged in [
        without("hmac"),
        without("shop"),
        without("timestamp"),
        set(&callback, "hmac", ""),
        set(&callback, "hmac", &proof[..62]),
        set(&callback, "hmac", &"0".repeat(64)),
        set(&callback, "code", "another"),
        set(&callback, "shop", "attacker.example"),
        with("hmac", &proof),
        with("shop", "attacker.example"),
        with("more", "1"),
    ] {
        let page = ana.open(forged.as_str()).await;
        page.assert_error(400, DID_NOT_FIT);
        assert!(acme.token_requests().is_empty(), "{forged}");
    }
    ana.open(callback.as_str()).await.assert_connected();
    assert_eq!(acme.token_requests().len(), 1);
    ana.call("acme_whoami", json!({})).await.json();
}

/// The proof is of the parameters, in whichever order they come.
#[tokio::test]
async fn the_order_of_parameters_does_not_matter() {
    let clock = clock();
    let acme = Provider::start(&clock);
    acme.proves_callbacks()
        .authenticates_clients_by(ClientProof::Body);
    let gateway = TestGateway::start(&clock, &[&acme]).await;
    let ana = gateway.person("ana").await;
    let link = ana.call("acme_whoami", json!({})).await.link();
    let destination = ana.leave_for_provider(&link).await;
    let callback = acme.has_account("ana").consent(&destination).await;
    let turned = changed(&callback, |pairs| pairs.reverse());
    ana.open(turned.as_str()).await.assert_connected();
}
