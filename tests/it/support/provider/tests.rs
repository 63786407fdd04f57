//! The judge is judged: each knob does what it says, and each violation is seen.

use std::time::Duration;

use attache::base::{Clock, Timestamp};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

use super::{CANARY, Hold, INBOUND_TOKEN, Provider, SCOPES, Violation};

mod knobs;

const CALLBACK: &str = "http://127.0.0.1:1/oauth/callback/acme";
const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters";

/// A client that does everything right unless the test changes a parameter.
struct Client<'a> {
    provider: &'a Provider,
    http: reqwest::Client,
}

struct Reply {
    status: u16,
    body: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    fn text(&self, field: &str) -> String {
        let json = self.json();
        json[field]
            .as_str()
            .unwrap_or_else(|| panic!("no {field} in {json}"))
            .to_owned()
    }
}

impl<'a> Client<'a> {
    fn of(provider: &'a Provider) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        Self { provider, http }
    }

    fn authorization_url(&self) -> Url {
        let mut url = self.provider.url("/authorize");
        url.query_pairs_mut()
            .append_pair("client_id", &self.provider.client_id())
            .append_pair("redirect_uri", CALLBACK)
            .append_pair("response_type", "code")
            .append_pair("state", "the-state")
            .append_pair("scope", SCOPES)
            .append_pair("code_challenge_method", "S256")
            .append_pair(
                "code_challenge",
                &BASE64URL_NOPAD.encode(&Sha256::digest(VERIFIER)),
            );
        url
    }

    async fn code(&self) -> String {
        let callback = self.provider.consent(&self.authorization_url()).await;
        query(&callback, "code").expect("the callback has a code")
    }

    async fn post(&self, path: &str, params: &[(&str, &str)]) -> Option<Reply> {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(params)
            .finish();
        let request = self
            .http
            .post(self.provider.url(path))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        Self::send(request).await
    }

    /// `None` when the answer was lost on the wire.
    async fn send(request: reqwest::RequestBuilder) -> Option<Reply> {
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let body = response.text().await.ok()?;
        Some(Reply { status, body })
    }

    async fn redeem(&self, code: &str) -> Reply {
        self.redeem_with(
            code,
            &[("code_verifier", VERIFIER), ("redirect_uri", CALLBACK)],
        )
        .await
    }

    async fn redeem_with(&self, code: &str, extra: &[(&str, &str)]) -> Reply {
        let (id, secret) = (self.provider.client_id(), self.provider.client_secret());
        let mut params = vec![
            ("grant_type", "authorization_code"),
            ("client_id", &id),
            ("client_secret", &secret),
            ("code", code),
        ];
        params.extend_from_slice(extra);
        self.post("/token", &params).await.expect("an answer")
    }

    async fn connect(&self) -> Reply {
        let reply = self.redeem(&self.code().await).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply
    }

    async fn try_refresh(&self, token: &str) -> Option<Reply> {
        let basic = format!(
            "{}:{}",
            self.provider.client_id(),
            self.provider.client_secret()
        );
        let request = self
            .http
            .post(self.provider.url("/token"))
            .header(
                "authorization",
                format!("Basic {}", BASE64.encode(basic.as_bytes())),
            )
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("grant_type=refresh_token&refresh_token={token}"));
        Self::send(request).await
    }

    async fn refresh(&self, token: &str) -> Reply {
        self.try_refresh(token).await.expect("an answer")
    }

    async fn call(&self, method: &str, path: &str, token: &str, body: &str) -> Reply {
        let method = method.parse().expect("a method");
        let request = self
            .http
            .request(method, self.provider.url(path))
            .header("authorization", format!("Bearer {token}"))
            .body(body.to_owned());
        Self::send(request).await.expect("an answer")
    }
}

fn query(url: &Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

fn clock() -> Clock {
    Clock::manual(Timestamp::from_unix(1_800_000_000))
}

fn acme() -> Provider {
    let provider = Provider::start(&clock());
    provider.has_account("ana");
    provider
}

#[tokio::test]
async fn a_connection_is_made_used_and_revoked() {
    let provider = acme();
    provider.registers_redirect_uri(CALLBACK);
    let client = Client::of(&provider);
    let callback = provider.consent(&client.authorization_url()).await;
    assert_eq!(query(&callback, "state").as_deref(), Some("the-state"));
    assert_eq!(query(&callback, "iss"), Some(provider.issuer()));

    let tokens = client
        .redeem(&query(&callback, "code").expect("a code"))
        .await;
    let access = tokens.text("access_token");
    assert_eq!(tokens.json()["expires_in"], 3600);
    assert_eq!(
        client
            .call("GET", "/api/me", &access, "")
            .await
            .text("email"),
        "ana@acme.test"
    );
    let thing = client
        .call("POST", "/api/things", &access, r#"{"name":"kite"}"#)
        .await;
    assert_eq!((thing.status, thing.json()["id"].as_u64()), (201, Some(1)));
    let things = client.call("GET", "/api/things", &access, "").await;
    assert_eq!(things.json()["things"][0]["name"], "kite");
    assert_eq!(
        client
            .call("DELETE", "/api/things/1", &access, "")
            .await
            .status,
        204
    );
    assert_eq!(
        client
            .call("DELETE", "/api/things/1", &access, "")
            .await
            .status,
        404
    );
    assert_eq!(
        client
            .call("POST", "/api/things", &access, "{}")
            .await
            .status,
        422
    );

    let refreshed = client.refresh(&tokens.text("refresh_token")).await;
    assert_eq!(refreshed.json().get("refresh_token"), None, "it is kept");
    assert_eq!(provider.live_grants_of("ana"), 1);
    let (id, secret) = (provider.client_id(), provider.client_secret());
    let token = tokens.text("refresh_token");
    let revocation = [
        ("client_id", id.as_str()),
        ("client_secret", &secret),
        ("token", &token),
    ];
    provider.revocation_is_down();
    assert_eq!(
        client
            .post("/revoke", &revocation)
            .await
            .expect("an answer")
            .status,
        503
    );
    provider.recovers();
    assert_eq!(
        client
            .post("/revoke", &revocation)
            .await
            .expect("an answer")
            .status,
        200
    );
    assert_eq!(provider.revocation_requests().len(), 2);
    assert_eq!(provider.live_grants_of("ana"), 0);
    assert_eq!(client.call("GET", "/api/me", &access, "").await.status, 401);
    provider.assert_no_violations();
}

#[tokio::test]
async fn the_log_and_the_canaries_hold_everything() {
    let provider = Provider::start_named("globex", &clock());
    provider.has_account("ben");
    let client = Client::of(&provider);
    let tokens = client.connect().await;
    client
        .call("GET", "/api/me", &tokens.text("access_token"), "")
        .await;

    let [token_request] = &provider.token_requests()[..] else {
        panic!("one token request")
    };
    assert_eq!(
        token_request.param("grant_type").as_deref(),
        Some("authorization_code")
    );
    assert_eq!(token_request.at, Timestamp::from_unix(1_800_000_000));
    assert_eq!(
        provider.requests_to("/authorize").len(),
        2,
        "the page and the decision"
    );
    let api = provider.api_requests();
    assert_eq!(api[0].bearer(), Some(tokens.text("access_token").as_str()));
    for secret in [
        provider.client_secret(),
        tokens.text("access_token"),
        tokens.text("refresh_token"),
    ] {
        assert!(
            secret.starts_with(CANARY) && secret.contains("globex"),
            "{secret}"
        );
        assert!(provider.canaries().contains(&secret));
    }
    assert!(provider.canaries().contains(&VERIFIER.to_owned()));
    assert!(provider.provider_file().contains(&provider.issuer()));
    assert_eq!(provider.name(), "globex");
}

#[tokio::test]
async fn the_person_and_the_provider_may_say_no() {
    let provider = acme();
    let client = Client::of(&provider);
    provider
        .denies_access()
        .sends_wrong_iss("https://evil.test");
    let callback = provider.consent(&client.authorization_url()).await;
    assert_eq!(query(&callback, "error").as_deref(), Some("access_denied"));
    assert_eq!(
        query(&callback, "iss").as_deref(),
        Some("https://evil.test")
    );
    provider
        .recovers()
        .sends_no_iss()
        .grants_fewer_scopes("profile");
    let callback = provider.consent(&client.authorization_url()).await;
    assert_eq!(query(&callback, "iss"), None);

    let tokens = client
        .redeem(&query(&callback, "code").expect("a code"))
        .await;
    assert_eq!(tokens.text("scope"), "profile");
    let refused = client
        .call("GET", "/api/things", &tokens.text("access_token"), "")
        .await;
    assert_eq!(
        (refused.status, refused.text("error")),
        (403, "insufficient_scope".to_owned())
    );
    provider.access_is_removed_by("ana");
    assert_eq!(
        client
            .refresh(&tokens.text("refresh_token"))
            .await
            .text("error"),
        "invalid_grant"
    );
}

#[tokio::test]
async fn scripted_answers_win_until_the_provider_recovers() {
    let provider = acme();
    let client = Client::of(&provider);
    let tokens = client.connect().await;
    let refresh = tokens.text("refresh_token");
    provider.answers_token_error("temporarily_unavailable");
    assert_eq!(
        client.refresh(&refresh).await.text("error"),
        "temporarily_unavailable"
    );
    provider.answers_token_with(502, "text/html", vec![b'x'; 10_000_000]);
    let huge = client.refresh(&refresh).await;
    assert_eq!((huge.status, huge.body.len()), (502, 10_000_000));
    provider.answers_api_with(429, r#"{"error":"slow down"}"#);
    assert_eq!(
        client.call("GET", "/api/me", "whoever", "").await.status,
        429
    );
    provider.recovers();
    assert_eq!(client.refresh(&refresh).await.status, 200);
}

#[tokio::test]
async fn tokens_expire_by_the_clock_of_the_test() {
    let clock = clock();
    let provider = Provider::start(&clock);
    provider
        .has_account("ana")
        .access_tokens_last(Duration::from_mins(5))
        .refresh_tokens_last(Duration::from_mins(10))
        .does_not_say_when_tokens_expire();
    let client = Client::of(&provider);
    let tokens = client.connect().await;
    let access = tokens.text("access_token");
    assert_eq!(tokens.json().get("expires_in"), None);
    clock.advance(Duration::from_mins(5));
    assert_eq!(client.call("GET", "/api/me", &access, "").await.status, 401);
    provider.answers_expired_tokens_with(403);
    assert_eq!(client.call("GET", "/api/me", &access, "").await.status, 403);
    assert_eq!(
        client.refresh(&tokens.text("refresh_token")).await.status,
        200
    );
    clock.advance(Duration::from_mins(5));
    assert_eq!(
        client.refresh(&tokens.text("refresh_token")).await.status,
        400
    );

    let code = client.code().await;
    clock.advance(Duration::from_mins(10));
    assert_eq!(client.redeem(&code).await.text("error"), "invalid_grant");
    provider.gives_no_refresh_token();
    assert_eq!(client.connect().await.json().get("refresh_token"), None);
}

#[tokio::test]
async fn rotation_kills_the_family_on_a_second_use() {
    let provider = acme();
    provider.rotates_refresh_tokens();
    let client = Client::of(&provider);
    let first = client.connect().await.text("refresh_token");
    let second = client.refresh(&first).await.text("refresh_token");
    assert_ne!(first, second);
    assert_eq!(client.refresh(&first).await.text("error"), "invalid_grant");
    assert_eq!(provider.take_violations(), [Violation::RefreshTokenReused]);
    assert_eq!(client.refresh(&second).await.text("error"), "invalid_grant");
    assert_eq!(provider.live_grants_of("ana"), 0);
}

#[tokio::test]
async fn a_lost_answer_may_be_replayed_when_the_test_expects_it() {
    let provider = acme();
    provider.rotates_refresh_tokens().forgives_replays();
    let client = Client::of(&provider);
    let token = client.connect().await.text("refresh_token");
    provider.loses_the_next_token_answer().expects_replays(1);
    assert!(
        client.try_refresh(&token).await.is_none(),
        "the answer is lost"
    );
    assert_eq!(client.refresh(&token).await.status, 200);
    provider.assert_no_violations();
    assert_eq!(client.refresh(&token).await.status, 200, "it forgives");
    assert_eq!(
        provider.take_violations(),
        [Violation::RefreshTokenReused],
        "the judge does not"
    );
}

#[tokio::test]
async fn a_slow_answer_waits_for_the_test_and_overlap_is_seen() {
    let provider = acme();
    let client = Client::of(&provider);
    let token = client.connect().await.text("refresh_token");
    let hold: Hold = provider.is_slow_to_answer("/token");
    let both = futures::future::join(client.refresh(&token), client.refresh(&token));
    let released = async {
        hold.reached_by(2).await;
        hold.release();
    };
    let ((one, other), ()) = futures::future::join(both, released).await;
    assert_eq!((one.status, other.status), (200, 200));
    assert_eq!(provider.take_violations(), [Violation::RefreshesOverlap]);
    client.refresh(&token).await;
    provider.assert_no_violations();
}

#[tokio::test]
async fn a_code_is_redeemed_once_and_with_what_belongs_to_it() {
    let provider = acme();
    let client = Client::of(&provider);
    let code = client.code().await;
    let access = client.redeem(&code).await.text("access_token");
    assert_eq!(client.redeem(&code).await.text("error"), "invalid_grant");
    assert_eq!(provider.take_violations(), [Violation::CodeReused]);
    assert_eq!(
        client.call("GET", "/api/me", &access, "").await.status,
        401,
        "taken back"
    );

    let here = ("redirect_uri", CALLBACK);
    let cases = [
        (vec![here], Violation::VerifierMissing),
        (
            vec![here, ("code_verifier", "another")],
            Violation::VerifierWrong,
        ),
        (
            vec![("code_verifier", VERIFIER)],
            Violation::RedirectUriDiffers {
                authorized: CALLBACK.to_owned(),
                redeemed: None,
            },
        ),
    ];
    for (params, violation) in cases {
        let reply = client.redeem_with(&client.code().await, &params).await;
        assert_eq!(reply.text("error"), "invalid_grant", "{violation}");
        assert_eq!(provider.take_violations(), [violation]);
    }
}

#[tokio::test]
async fn a_bad_authorization_request_gets_an_error_page_and_no_redirect() {
    let provider = acme();
    provider.registers_redirect_uri(CALLBACK);
    let good = Client::of(&provider).authorization_url();
    let with = |name: &str, value: Option<&str>| {
        let mut url = good.clone();
        let others = good.query_pairs().filter(|(key, _)| key != name);
        url.query_pairs_mut().clear().extend_pairs(others);
        if let Some(value) = value {
            url.query_pairs_mut().append_pair(name, value);
        }
        url
    };
    for (name, value) in [
        ("client_id", "another"),
        ("redirect_uri", "http://127.0.0.1:1/elsewhere"),
        ("response_type", "token"),
        ("response_mode", "form_post"),
        ("scope", "everything"),
    ] {
        assert!(
            provider
                .try_consent(&with(name, Some(value)))
                .await
                .is_err(),
            "{name}={value}"
        );
        provider.assert_no_violations();
    }
    let mut twice = good.clone();
    twice.query_pairs_mut().append_pair("scope", "profile");
    let plain = Some("plain".to_owned());
    for (url, violation) in [
        (with("state", None), Violation::StateMissing),
        (
            twice,
            Violation::ParameterTwice {
                name: "scope".to_owned(),
            },
        ),
        (
            with("code_challenge_method", Some("plain")),
            Violation::ChallengeNotS256 { method: plain },
        ),
        (
            with("code_challenge_method", None),
            Violation::ChallengeNotS256 { method: None },
        ),
    ] {
        assert!(provider.try_consent(&url).await.is_err(), "{violation}");
        assert_eq!(provider.take_violations(), [violation]);
    }
}

#[tokio::test]
async fn secrets_in_urls_and_inbound_tokens_are_seen_wherever_they_stand() {
    let provider = acme();
    let client = Client::of(&provider);
    let access = client.connect().await.text("access_token");
    for url in [
        format!("/api/me?access_token={access}"),
        "/api/me?client_secret=x".to_owned(),
    ] {
        client.call("GET", &url, &access, "").await;
        let request = "GET /api/me".to_owned();
        assert_eq!(
            provider.take_violations(),
            [Violation::SecretInUrl { request }]
        );
    }
    let inbound = format!("{INBOUND_TOKEN}123");
    client
        .call(
            "POST",
            &format!("/api/things?q={inbound}"),
            &inbound,
            &inbound,
        )
        .await;
    let places: Vec<String> = provider
        .take_violations()
        .into_iter()
        .map(|violation| match violation {
            Violation::InboundToken { place, .. } => place,
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(
        places,
        ["the header `authorization`", "the URL", "the body"]
    );
}

#[tokio::test]
async fn clients_prove_themselves_in_one_way() {
    let provider = acme();
    let client = Client::of(&provider);
    let wrong = [
        ("grant_type", "refresh_token"),
        ("client_id", "acme-client"),
        ("client_secret", "wrong"),
    ];
    let reply = client.post("/token", &wrong).await.expect("an answer");
    assert_eq!(
        (reply.status, reply.text("error")),
        (401, "invalid_client".to_owned())
    );
    provider.assert_no_violations();
    let (id, secret) = (provider.client_id(), provider.client_secret());
    let basic = BASE64.encode(format!("{id}:{secret}").as_bytes());
    let request = client
        .http
        .post(provider.url("/token"))
        .header("authorization", format!("Basic {basic}"))
        .header("content-type", "application/json")
        .body(format!(
            r#"{{"client_id":"{id}","client_secret":"{secret}"}}"#
        ));
    Client::send(request).await;
    assert_eq!(
        provider.take_violations(),
        [Violation::ClientAuthenticatedTwice]
    );
    let metadata = client
        .call("GET", "/.well-known/oauth-authorization-server", "", "")
        .await;
    assert_eq!(metadata.text("issuer"), provider.issuer());
}

#[tokio::test]
async fn a_provider_that_was_treated_badly_fails_its_test_when_it_is_dropped() {
    let dropped = tokio::spawn(async {
        let provider = acme();
        Client::of(&provider)
            .call("GET", "/api/me?client_secret=x", "", "")
            .await;
    });
    let panic = dropped.await.expect_err("the drop panics").into_panic();
    let message = panic.downcast_ref::<String>().expect("a message");
    assert!(
        message.contains("a secret stood in the URL of GET /api/me"),
        "{message}"
    );
}
