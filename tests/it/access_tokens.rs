//! Access tokens of external issuers: who gets in with one, what clients are told otherwise, and that none goes out.

use std::time::Duration;

use attache::base::Clock;
use attache::gateway::SignInSettings;
use attache::identity::{GroupRules, Mode, SessionLimits, SigningAlgorithm, TrustedIssuer};
use attache::oauth::IssuerSettings;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::gateway::{TestGateway, clock};
use crate::support::person::Person;
use crate::support::provider::Provider;
use crate::support::token_issuer::TokenIssuer;

/// A gateway in the mode `sso` with one trusted issuer, and a provider.
struct House {
    issuer: TokenIssuer,
    acme: Provider,
    gateway: TestGateway,
}

impl House {
    async fn start() -> Self {
        Self::start_with_scopes(&[]).await
    }

    async fn start_with_scopes(scopes: &[&str]) -> Self {
        let (clock, issuer) = (clock(), TokenIssuer::start().await);
        let acme = Provider::start(&clock);
        let trusted = TrustedIssuer {
            issuer: issuer.name(),
            audiences: Vec::new(),
            algorithms: SigningAlgorithm::ALL.to_vec(),
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            jwks_url: None,
        };
        let authority = issuer.authority().parse().expect("a loopback authority");
        let gateway = TestGateway::start_configured(&clock, &[&acme], |config| {
            config.mode = Mode::Sso;
            config.access_tokens = vec![trusted];
            config.sign_in = Some(sign_in_with(&issuer));
            config.egress.dangerously_allow_loopback.push(authority);
        })
        .await;
        Self {
            issuer,
            acme,
            gateway,
        }
    }

    fn clock(&self) -> &Clock {
        self.gateway.clock()
    }

    fn claims(&self, subject: &str) -> Value {
        json!({
            "iss": self.issuer.name(),
            "sub": subject,
            "aud": format!("{}/mcp", self.gateway.origin()),
            "client_id": "Claude Code",
            "exp": self.clock().now().as_unix() + 600,
        })
    }

    /// Whoever bears this token.
    fn bearer(&self, token: &str) -> Person {
        Person::new("ana", &self.gateway.origin(), token)
    }

    /// A person with an access token, whose browser is signed in.
    async fn person(&self, subject: &str) -> Person {
        let token = self.issuer.sign(&self.claims(subject));
        let person = Person::new(subject, &self.gateway.origin(), &token);
        let gateway = self.gateway.app().gateway();
        let known = gateway.person(&self.issuer.name(), subject, subject).await;
        let known = known.expect("the store works");
        let link = gateway.create_sign_in_link(&known).await;
        person.sign_in(&link.expect("the store works")).await;
        person
    }

    /// Status, `WWW-Authenticate` and sentence for a request with this token, or with none.
    async fn ask(&self, path: &str, token: Option<&str>) -> (StatusCode, String, String) {
        let url = format!("{}{path}", self.gateway.origin());
        let client = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }}});
        let mut request = client
            .request(Method::POST, url)
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/list")
            .body(list.to_string());
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.expect("an answer");
        let header = response.headers().get("www-authenticate");
        let header = header.map(|value| value.to_str().expect("plain").to_owned());
        (
            response.status(),
            header.unwrap_or_default(),
            response.text().await.expect("a body"),
        )
    }
}

/// Where people sign in to the pages: with the same issuer.
fn sign_in_with(issuer: &TokenIssuer) -> SignInSettings {
    SignInSettings {
        issuer: IssuerSettings {
            issuer: issuer.name(),
            client_id: "attache".to_owned(),
            client_secret: None,
            scopes: vec!["openid".to_owned()],
        },
        name: "Acme ID".to_owned(),
        groups: GroupRules::default(),
        sessions: SessionLimits::OF_AN_ISSUER,
    }
}

#[tokio::test]
async fn the_same_person_is_behind_the_cookie_and_the_token() {
    let house = House::start().await;
    let (ana, ben) = (house.person("ana").await, house.person("ben").await);
    let missing = ana.call("acme_whoami", json!({})).await;
    ana.connect(&missing.link(), &house.acme).await;
    assert!(
        ana.call("acme_whoami", json!({}))
            .await
            .text()
            .contains("ana")
    );
    assert!(!ben.call("acme_whoami", json!({})).await.link().is_empty());
    // A later token of the same person and client, and the same agent.
    let mut claims = house.claims("ana");
    claims["exp"] = json!(house.clock().now().as_unix() + 900);
    let later = house.bearer(&house.issuer.sign(&claims));
    assert!(
        later
            .call("acme_whoami", json!({}))
            .await
            .text()
            .contains("ana")
    );
    let gateway = house.gateway.app().gateway();
    let known = gateway
        .person(&house.issuer.name(), "ana", "ana")
        .await
        .unwrap();
    let agents = gateway.agents_of(&known).await.unwrap();
    let names: Vec<_> = agents
        .agents
        .iter()
        .map(|view| view.agent.name.as_str())
        .collect();
    assert_eq!(names, ["Claude Code"]);
    // What comes in does not go out: the provider refuses to have seen anything but its own tokens.
    let seen = house.acme.requests();
    assert!(seen.iter().all(|request| {
        let headers = request.headers.iter();
        !headers
            .clone()
            .any(|(_, value)| value.contains(ana.token()) || value.contains(later.token()))
    }));
}

#[tokio::test]
async fn clients_are_told_where_to_get_a_token() {
    let house = House::start_with_scopes(&["mcp", "openid"]).await;
    let origin = house.gateway.origin();
    let metadata = |path: &str| {
        let url = format!("{origin}/.well-known/oauth-protected-resource{path}");
        async move {
            let client = reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("a client");
            let response = client.get(url).send().await.expect("an answer");
            (
                response.status(),
                serde_json::from_str(&response.text().await.expect("a body"))
                    .unwrap_or(Value::Null),
            )
        }
    };
    for (path, resource) in [("", "/mcp"), ("/mcp", "/mcp"), ("/mcp/acme", "/mcp/acme")] {
        let expected = json!({
            "resource": format!("{origin}{resource}"),
            "resource_name": "Attache",
            "authorization_servers": [house.issuer.name()],
            "bearer_methods_supported": ["header"],
            "scopes_supported": ["mcp", "openid"],
        });
        assert_eq!(metadata(path).await, (StatusCode::OK, expected), "{path}");
    }
    assert_eq!(metadata("/mcp/unknown").await.0, StatusCode::NOT_FOUND);

    let found = format!(r#"resource_metadata="{origin}/.well-known/oauth-protected-resource/mcp""#);
    let (status, header, sentence) = house.ask("/mcp", None).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(header, format!(r#"Bearer scope="mcp openid", {found}"#));
    assert!(
        sentence.contains("sign in through your client"),
        "{sentence}"
    );
    let part = house.ask("/mcp/acme", None).await.1;
    assert!(
        part.ends_with(r#"/.well-known/oauth-protected-resource/mcp/acme""#),
        "{part}"
    );

    let weak = house.issuer.sign(&house.claims("ana"));
    let (status, header, _) = house.ask("/mcp", Some(&weak)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(
        header.starts_with(r#"Bearer error="insufficient_scope", "#),
        "{header}"
    );
    assert!(
        header.contains(r#"scope="mcp openid""#) && header.ends_with(&found),
        "{header}"
    );

    let mut over = house.claims("ana");
    over["exp"] = json!(house.clock().now().as_unix() - 60);
    let (status, header, sentence) = house.ask("/mcp", Some(&house.issuer.sign(&over))).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(header.starts_with(
        r#"Bearer error="invalid_token", error_description="the access token has expired""#
    ));
    assert!(sentence.contains("has expired"), "{sentence}");

    let (status, header, _) = house.ask("/mcp", Some("att_unknown_token")).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(
        header.starts_with(r#"Bearer error="invalid_token""#),
        "{header}"
    );
}

#[tokio::test]
async fn elsewhere_there_is_nothing_to_find() {
    let clock = clock();
    let acme = Provider::start(&clock);
    let gateway = TestGateway::start(&clock, &[&acme]).await;
    let issuer = TokenIssuer::start().await;
    let house = House {
        issuer,
        acme,
        gateway,
    };
    let (status, header, sentence) = house.ask("/mcp", None).await;
    assert_eq!(
        (status, header.as_str()),
        (StatusCode::UNAUTHORIZED, "Bearer")
    );
    assert!(sentence.contains("agent token"), "{sentence}");
    let token = house.issuer.sign(&house.claims("ana"));
    assert_eq!(
        house.ask("/mcp", Some(&token)).await.0,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(house.issuer.fetches(), 0);
    let person = house.bearer(&token);
    for path in ["", "/mcp", "/mcp/acme"] {
        let page = person
            .open(&format!("/.well-known/oauth-protected-resource{path}"))
            .await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_token_for_another_resource_lets_nobody_in() {
    let house = House::start().await;
    let origin = house.gateway.origin();
    let for_resource = |audience: &str| {
        let mut claims = house.claims("ana");
        claims["aud"] = json!(audience);
        house.issuer.sign(&claims)
    };
    let cases = [
        (format!("{origin}/mcp"), "/mcp", true),
        (format!("{origin}/mcp"), "/mcp/acme", true),
        (format!("{origin}/mcp/acme"), "/mcp/acme", true),
        // What is good for a part is not good for the whole.
        (format!("{origin}/mcp/acme"), "/mcp", false),
        (format!("{origin}/mcp/"), "/mcp", false),
        (origin.clone(), "/mcp", false),
        (format!("{}/mcp", house.issuer.name()), "/mcp", false),
        ("https://attache.example.com/mcp".to_owned(), "/mcp", false),
    ];
    for (audience, path, good) in cases {
        // Twice: what is remembered of one resource says nothing of another.
        for _ in 0..2 {
            let (status, ..) = house.ask(path, Some(&for_resource(&audience))).await;
            assert_eq!(
                status == StatusCode::OK,
                good,
                "{audience} at {path}: {status}"
            );
        }
    }
}

#[tokio::test]
async fn an_issuer_may_change_its_keys_and_liars_do_not_make_us_ask() {
    let house = House::start().await;
    let old = house.issuer.sign(&house.claims("ana"));
    assert_eq!(house.ask("/mcp", Some(&old)).await.0, StatusCode::OK);
    assert_eq!(
        house
            .ask("/mcp", Some(&house.issuer.sign(&house.claims("ben"))))
            .await
            .0,
        StatusCode::OK
    );
    assert_eq!(house.issuer.fetches(), 1);

    // Made-up tokens with made-up keys: the issuer is not asked for each of them.
    let stranger = TokenIssuer::start().await;
    stranger.rotates_its_key();
    for number in 0..50 {
        let token = stranger.sign(&house.claims(&format!("eve{number}")));
        assert_eq!(
            house.ask("/mcp", Some(&token)).await.0,
            StatusCode::UNAUTHORIZED
        );
    }
    assert!(house.issuer.fetches() <= 2, "{}", house.issuer.fetches());

    house.clock().advance(Duration::from_secs(31));
    house.issuer.rotates_its_key();
    let new = house.issuer.sign(&house.claims("ana"));
    assert_eq!(house.ask("/mcp", Some(&new)).await.0, StatusCode::OK);
    // A token that was believed stays so until it ends.
    assert_eq!(house.ask("/mcp", Some(&old)).await.0, StatusCode::OK);
    // Half a minute more than that: clocks differ.
    house.clock().advance(Duration::from_secs(661));
    assert_eq!(
        house.ask("/mcp", Some(&old)).await.0,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        house.ask("/mcp", Some(&new)).await.0,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn without_the_keys_nobody_is_let_in_and_nobody_is_told_that_their_token_is_bad() {
    let house = House::start().await;
    house.issuer.is_down(true);
    let token = house.issuer.sign(&house.claims("ana"));
    let (status, header, sentence) = house.ask("/mcp", Some(&token)).await;
    assert_eq!(
        (status, header.as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "")
    );
    assert!(
        sentence.contains("cannot be checked at the moment"),
        "{sentence}"
    );
    house.issuer.is_down(false);
    house.clock().advance(Duration::from_secs(31));
    assert_eq!(house.ask("/mcp", Some(&token)).await.0, StatusCode::OK);
    // Keys that are known are good while their issuer is away.
    house.issuer.is_down(true);
    house.clock().advance(Duration::from_secs(4_000));
    let later = house.issuer.sign(&house.claims("ben"));
    assert_eq!(house.ask("/mcp", Some(&later)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn metadata_of_somebody_else_are_not_believed() {
    let house = House::start().await;
    house.issuer.says_another_name();
    let token = house.issuer.sign(&house.claims("ana"));
    assert_eq!(
        house.ask("/mcp", Some(&token)).await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(house.issuer.fetches(), 0);
}

#[tokio::test]
async fn a_token_counts_in_the_header_alone_and_once() {
    let house = House::start().await;
    let token = house.issuer.sign(&house.claims("ana"));
    let in_query = format!("/mcp?access_token={token}");
    assert_eq!(house.ask(&in_query, None).await.0, StatusCode::UNAUTHORIZED);
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let twice = client
        .post(format!("{}/mcp", house.gateway.origin()))
        .header("authorization", format!("Bearer {token}"))
        .header("authorization", format!("Bearer {token}"))
        .send();
    assert_eq!(
        twice.await.expect("an answer").status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_client_whose_agent_is_revoked_or_stopped_stays_out_whatever_tokens_it_gets() {
    let house = House::start().await;
    let ana = house.person("ana").await;
    let listed = house.ask("/mcp", Some(ana.token())).await;
    assert_eq!(listed.0, StatusCode::OK);
    let gateway = house.gateway.app().gateway();
    let known = gateway.person(&house.issuer.name(), "ana", "ana").await;
    let known = known.expect("the store works");

    gateway.stop_agents(&known).await.expect("the store works");
    let (status, header, _) = house.ask("/mcp", Some(ana.token())).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(header.contains("ended what this client may do"), "{header}");
    gateway
        .resume_agents(&known)
        .await
        .expect("the store works");
    assert_eq!(house.ask("/mcp", Some(ana.token())).await.0, StatusCode::OK);

    let agents = gateway.agents_of(&known).await.expect("the store works");
    let agent = agents.agents[0].agent.id.clone();
    let revoked = gateway.revoke_agent(&known, &agent).await;
    assert!(revoked.expect("the store works").is_some());
    let mut claims = house.claims("ana");
    claims["exp"] = json!(house.clock().now().as_unix() + 900);
    let fresh = house.issuer.sign(&claims);
    for token in [ana.token(), &fresh] {
        assert_eq!(
            house.ask("/mcp", Some(token)).await.0,
            StatusCode::UNAUTHORIZED
        );
    }
    // Another client of hers, and another person, are not concerned.
    claims["client_id"] = json!("Cursor");
    let other = house.issuer.sign(&claims);
    assert_eq!(house.ask("/mcp", Some(&other)).await.0, StatusCode::OK);
    let ben = house.issuer.sign(&house.claims("ben"));
    assert_eq!(house.ask("/mcp", Some(&ben)).await.0, StatusCode::OK);
}
