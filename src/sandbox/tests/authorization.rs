//! The authorization endpoint and its pages.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;

use super::person::{ALL, Person, REDIRECT, Tokens, VERIFIER, World, answer, hidden, parameter};

#[tokio::test]
async fn the_server_describes_itself_under_its_issuer() {
    let world = World::new().await;
    let url = world.at("/.well-known/oauth-authorization-server");
    let (status, document) = answer(world.http.get(url).send().await.unwrap()).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(document["issuer"], world.sandbox.url());
    assert_eq!(document["token_endpoint"], world.at("/token"));
    assert_eq!(
        document["code_challenge_methods_supported"],
        json!(["S256"])
    );
    assert_eq!(
        document["authorization_response_iss_parameter_supported"],
        true
    );
    assert!(world.sandbox.url().starts_with("http://localhost:"));
}

#[tokio::test]
async fn a_person_signs_in_allows_and_the_client_gets_tokens() {
    let world = World::new().await;
    let tokens = world.connect("ana").await;
    let (status, me) = world.get("/api/me", &tokens.access).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        me,
        json!({ "id": "ana", "name": "Ana", "email": "ana@sandbox.example" })
    );
    assert_eq!(tokens.scope, ALL);
}

#[tokio::test]
async fn the_consent_page_says_who_asks_for_what_and_escapes_it() {
    let world = World::new().await;
    let url = world.authorize_url(&[("scope", "notes:read profile")]);
    let page = Person::new(&world).consent_page("ben", &url).await;
    assert!(
        !page.contains("<Writer>"),
        "the client's name is not escaped"
    );
    assert!(page.contains("Reader &#38; &#60;Writer&#62;"), "{page}");
    assert!(page.contains("127.0.0.1:9") && page.contains("ben@sandbox.example"));
    assert!(page.contains("name=\"scope\" value=\"notes:read\" checked"));
    assert!(!page.contains("value=\"notes:write\""));
    assert!(page.contains("id=\"allow\"") && page.contains("id=\"cancel\""));
}

#[tokio::test]
async fn a_person_can_grant_fewer_scopes_but_not_others_and_not_none() {
    let world = World::new().await;
    let code = Person::new(&world).allow("ana", "notes:read").await;
    let tokens = Tokens::of(&world.redeem(&code, VERIFIER).await.1);
    assert_eq!(tokens.scope, "notes:read");
    let (status, error) = world.get("/api/me", &tokens.access).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(error["error"], "insufficient_scope");
    assert_eq!(
        world.get("/api/notes", &tokens.access).await.0,
        StatusCode::OK
    );

    let mut person = Person::new(&world);
    let url = world.authorize_url(&[("scope", "profile")]);
    let page = person.consent_page("ana", &url).await;
    let none = [("decision", "allow")];
    let (status, _) = person.press(&page, "/consent", &none).await.page();
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let more = [("decision", "allow"), ("scope", "notes:write")];
    let (status, _) = person.press(&page, "/consent", &more).await.page();
    assert_eq!(status, StatusCode::FORBIDDEN);
    let asked = [("decision", "allow"), ("scope", "profile")];
    let url = person.press(&page, "/consent", &asked).await.away();
    assert!(parameter(&url, "code").is_some());
}

#[tokio::test]
async fn cancel_tells_the_client_and_the_request_is_over() {
    let world = World::new().await;
    let mut person = Person::new(&world);
    let page = person.consent_page("ana", &world.authorize_url(&[])).await;
    let cancel = [("decision", "cancel"), ("scope", "profile")];
    let url = person.press(&page, "/consent", &cancel).await.away();
    assert_eq!(parameter(&url, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&url, "state").as_deref(), Some("st&te="));
    assert_eq!(parameter(&url, "from").as_deref(), Some("sandbox"));
    assert_eq!(parameter(&url, "iss").as_deref(), Some(world.sandbox.url()));
    assert_eq!(parameter(&url, "code"), None);
    let (status, _) = person.press(&page, "/consent", &cancel).await.page();
    assert_eq!(status, StatusCode::GONE);
}

#[tokio::test]
async fn a_wrong_client_or_redirect_uri_is_shown_and_never_followed() {
    let world = World::new().await;
    for changes in [
        ("client_id", "client_unknown"),
        ("client_id", ""),
        ("redirect_uri", ""),
        ("redirect_uri", "http://127.0.0.1:9/callback"),
        (
            "redirect_uri",
            "http://127.0.0.1:9/callback?from=sandbox&x=1",
        ),
        ("redirect_uri", "http://127.0.0.1:9/Callback?from=sandbox"),
        ("redirect_uri", "https://elsewhere.example/"),
    ] {
        let url = world.authorize_url(&[changes]);
        let (status, _) = Person::new(&world).open(&url).await.page();
        assert_eq!(status, StatusCode::BAD_REQUEST, "{changes:?}");
    }
    let twice = format!("{}&redirect_uri=x", world.authorize_url(&[]));
    let (status, _) = Person::new(&world).open(&twice).await.page();
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn every_other_mistake_goes_back_to_the_client_with_state_and_issuer() {
    let world = World::new().await;
    let plain = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjX";
    for (change, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("response_type", ""), "invalid_request"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge", plain), "invalid_request"),
        (("code_challenge_method", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("scope", ""), "invalid_scope"),
        (("scope", "profile admin"), "invalid_scope"),
    ] {
        let url = world.authorize_url(&[change]);
        let url = Person::new(&world).open(&url).await.away();
        assert!(url.as_str().starts_with(REDIRECT));
        assert_eq!(
            parameter(&url, "error").as_deref(),
            Some(error),
            "{change:?}"
        );
        assert_eq!(parameter(&url, "state").as_deref(), Some("st&te="));
        assert_eq!(parameter(&url, "iss").as_deref(), Some(world.sandbox.url()));
    }
    let twice = format!("{}&scope=profile", world.authorize_url(&[]));
    let url = Person::new(&world).open(&twice).await.away();
    assert_eq!(parameter(&url, "error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn a_form_needs_its_own_browser_and_its_own_proof() {
    let world = World::new().await;
    let mut ana = Person::new(&world);
    let page = ana.consent_page("ana", &world.authorize_url(&[])).await;
    let request = hidden(&page, "request");
    let allow = [("decision", "allow"), ("scope", "profile")];

    let mut without_proof = allow.to_vec();
    without_proof.push(("request", &request));
    let (status, _) = ana.submit("/consent", &without_proof).await.page();
    assert_eq!(status, StatusCode::FORBIDDEN);

    let mut stranger = Person::new(&world);
    let (status, _) = stranger.press(&page, "/consent", &allow).await.page();
    assert_eq!(status, StatusCode::FORBIDDEN);
    let own = stranger
        .consent_page("ben", &world.authorize_url(&[]))
        .await;
    let csrf = hidden(&own, "csrf");
    let mut stolen = allow.to_vec();
    stolen.extend([("request", request.as_str()), ("csrf", csrf.as_str())]);
    let (status, _) = stranger.submit("/consent", &stolen).await.page();
    assert_eq!(status, StatusCode::GONE);

    let url = ana.press(&page, "/consent", &allow).await.away();
    assert!(parameter(&url, "code").is_some());
}

#[tokio::test]
async fn another_account_takes_over_the_request_and_outdates_the_page_before() {
    let world = World::new().await;
    let mut person = Person::new(&world);
    let as_ana = person.consent_page("ana", &world.authorize_url(&[])).await;
    let before = person.cookie().map(str::to_owned);
    let (_, sign_in) = person.press(&as_ana, "/sign-out", &[]).await.page();
    let ben = [("account", "ben")];
    let (_, as_ben) = person.press(&sign_in, "/sign-in", &ben).await.page();
    assert!(as_ben.contains("ben@sandbox.example"));
    assert_ne!(person.cookie().map(str::to_owned), before);

    let allow = [("decision", "allow"), ("scope", "profile")];
    let (status, _) = person.press(&as_ana, "/consent", &allow).await.page();
    assert_eq!(status, StatusCode::FORBIDDEN);
    let url = person.press(&as_ben, "/consent", &allow).await.away();
    let code = parameter(&url, "code").unwrap();
    let tokens = Tokens::of(&world.redeem(&code, VERIFIER).await.1);
    assert_eq!(world.get("/api/me", &tokens.access).await.1["id"], "ben");
}

#[tokio::test]
async fn who_is_signed_in_goes_straight_to_the_consent_page_and_can_take_access_back() {
    let world = World::new().await;
    let mut person = Person::new(&world);
    let code = person.allow("ana", ALL).await;
    let tokens = Tokens::of(&world.redeem(&code, VERIFIER).await.1);
    let again = world.authorize_url(&[]);
    let (_, page) = person.open(&again).await.page();
    assert!(page.contains("id=\"allow\"") && page.contains("let this application in before"));

    let (_, home) = person.open(&world.at("/")).await.page();
    let client_id = hidden(&home, "client_id");
    assert_eq!(client_id, world.client.client_id);
    let more = [("client_id", client_id.as_str())];
    let (_, home) = person.press(&home, "/take-back", &more).await.page();
    assert_eq!(hidden(&home, "client_id"), "");
    assert!(!world.works(&tokens.access).await);
    assert_eq!(
        world.refresh(&tokens.refresh).await.1["error"],
        "invalid_grant"
    );
}

#[tokio::test]
async fn a_request_is_over_after_ten_minutes() {
    let world = World::new().await;
    let mut person = Person::new(&world);
    let page = person.consent_page("ana", &world.authorize_url(&[])).await;
    world.clock.advance(Duration::from_mins(10));
    let allow = [("decision", "allow"), ("scope", "profile")];
    let (status, _) = person.press(&page, "/consent", &allow).await.page();
    assert_eq!(status, StatusCode::GONE);
}

#[tokio::test]
async fn pages_allow_nothing_foreign_and_other_hosts_are_not_served() {
    let world = World::new().await;
    let response = world.http.get(world.at("/")).send().await.unwrap();
    assert_eq!(
        response.headers()["content-security-policy"],
        "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'"
    );
    assert_eq!(response.headers()["referrer-policy"], "no-referrer");
    let css = world.http.get(world.at("/style.css")).send().await.unwrap();
    assert_eq!(css.headers()["content-type"], "text/css; charset=utf-8");

    let foreign = world.http.get(world.at("/"));
    let foreign = foreign.header("host", format!("rebound.example:{}", world.sandbox.port()));
    let status = foreign.send().await.unwrap().status();
    assert_eq!(status, StatusCode::MISDIRECTED_REQUEST);
}
