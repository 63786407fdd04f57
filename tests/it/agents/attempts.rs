//! Guessing leads nowhere, and takes nothing from those who are right.

use futures::{StreamExt, stream};
use reqwest::{Client, Response, StatusCode};
use serde_json::json;

use super::connected;
use crate::support::gateway::{TestGateway, clock, gateway_with_acme};
use crate::support::provider::Provider;

fn http() -> Client {
    let http = Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none());
    http.build().unwrap()
}

fn wrong(number: usize) -> String {
    format!("att_{:026}_{number:043}", 0)
}

async fn guess(http: &Client, gateway: &TestGateway, number: usize, from: &str) -> Response {
    let request = http.post(format!("{}/mcp", gateway.origin()));
    let request = request
        .bearer_auth(wrong(number))
        .header("x-forwarded-for", from);
    request.send().await.unwrap()
}

#[tokio::test]
async fn after_ten_thousand_guesses_whoever_is_right_is_let_in_and_connects() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let link = ana.call("acme_whoami", json!({})).await.link();
    let (http, origin) = (http(), gateway.origin());
    let statuses: Vec<_> = stream::iter(0..10_000)
        .map(|number| {
            let (http, gateway, origin, ana) = (&http, &gateway, &origin, &ana);
            async move {
                match number % 3 {
                    0 => guess(http, gateway, number, "192.0.2.1").await.status(),
                    1 => http
                        .get(format!("{origin}/sign-in/{number:043}"))
                        .send()
                        .await
                        .unwrap()
                        .status(),
                    _ => {
                        let path = format!("/oauth/callback/acme?state={number:043}&code=x");
                        ana.open(&path).await.status
                    }
                }
            }
        })
        .buffer_unordered(16)
        .collect()
        .await;
    let refused = statuses
        .iter()
        .filter(|status| **status == StatusCode::TOO_MANY_REQUESTS);
    // Each kind has its own: 100 tokens, 20 links and 50 callbacks, and the clock stands still.
    assert_eq!(refused.count(), 10_000 - 170);

    let told = guess(&http, &gateway, 1, "192.0.2.1").await;
    assert_eq!(told.headers()["retry-after"], "1");
    let sentence = told.text().await.unwrap();
    assert!(
        sentence.contains("too many failed attempts") && !sentence.contains('\n'),
        "{sentence}"
    );

    // The right token, the right sign-in link and the right callback, from the same address.
    assert!(ana.is_known().await);
    ana.connect(&link, &acme).await.assert_connected();
    connected(&gateway, &acme, "ben").await;
}

#[tokio::test]
async fn only_a_trusted_proxy_says_who_fails() {
    let clock = clock();
    let acme = Provider::start(&clock);
    let http = http();
    let gateway = TestGateway::start(&clock, &[&acme]).await;
    for number in 0..100 {
        let from = format!("192.0.2.{number}");
        assert_eq!(guess(&http, &gateway, number, &from).await.status(), 401);
    }
    assert_eq!(
        guess(&http, &gateway, 0, "198.51.100.1").await.status(),
        429,
        "nobody believes it"
    );

    let gateway = gateway
        .restart_configured(&[&acme], |config| {
            config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        })
        .await;
    for number in 0..100 {
        assert_eq!(
            guess(&http, &gateway, number, "192.0.2.1").await.status(),
            401
        );
    }
    assert_eq!(guess(&http, &gateway, 0, "192.0.2.1").await.status(), 429);
    assert_eq!(
        guess(&http, &gateway, 0, "10.9.8.7, 192.0.2.1")
            .await
            .status(),
        429,
        "made up before the proxy"
    );
    assert_eq!(guess(&http, &gateway, 0, "192.0.2.2").await.status(), 401);
}

/// A client that begins without a token learns what it needs, as often as it asks.
#[tokio::test]
async fn asking_without_a_token_is_no_guess() {
    let (_acme, gateway) = gateway_with_acme().await;
    let http = http();
    for _ in 0..200 {
        let response = http
            .post(format!("{}/mcp", gateway.origin()))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    }
}

#[test]
fn a_proxy_is_an_address_or_a_network() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("attache.toml");
    let resolved = |proxies: &str| {
        std::fs::write(&file, format!("trusted_proxies = [{proxies}]")).unwrap();
        let options = attache::config::Options {
            config: Some(file.clone()),
            ..Default::default()
        };
        attache::config::Config::resolve(&options, &attache::config::Environment::default())
    };
    let config = resolved(r#""10.0.0.0/8", "192.0.2.7", "2001:db8::/32""#).unwrap();
    let proxies: Vec<_> = config
        .trusted_proxies
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(proxies, ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"]);
    let problems = resolved(r#""10.0.0.0/33", "proxy.example.com""#).unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(
        problems[0].to_string().contains("trusted_proxies"),
        "{problems:?}"
    );
}
