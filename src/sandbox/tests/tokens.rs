//! The token, revocation and introspection endpoints.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::WWW_AUTHENTICATE;

use super::person::{ALL, Person, REDIRECT, TODAY, Tokens, VERIFIER, World, answer, with_form};

#[tokio::test]
async fn a_wrong_verifier_or_redirect_uri_burns_the_code() {
    let world = World::new().await;
    let wrong = "x".repeat(43);
    let other = [
        ("redirect_uri", "http://127.0.0.1:9/other"),
        ("code_verifier", VERIFIER),
    ];
    let guess = [
        ("redirect_uri", REDIRECT),
        ("code_verifier", wrong.as_str()),
    ];
    for mistake in [other, guess] {
        let code = Person::new(&world).allow("ana", ALL).await;
        let mut form = vec![("grant_type", "authorization_code"), ("code", &code)];
        form.extend(mistake);
        let (status, error) = world.post("/token", &form).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(error["error"], "invalid_grant");
        let (_, error) = world.redeem(&code, VERIFIER).await;
        assert_eq!(error["error"], "invalid_grant");
    }
}

#[tokio::test]
async fn a_code_that_is_used_twice_ends_what_it_brought() {
    let world = World::new().await;
    let code = Person::new(&world).allow("ana", ALL).await;
    let tokens = Tokens::of(&world.redeem(&code, VERIFIER).await.1);
    let renewed = Tokens::of(&world.refresh(&tokens.refresh).await.1);
    assert!(world.works(&tokens.access).await && world.works(&renewed.access).await);

    let (status, error) = world.redeem(&code, VERIFIER).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(error["error"], "invalid_grant");
    assert!(!world.works(&tokens.access).await && !world.works(&renewed.access).await);
    assert_eq!(
        world.refresh(&renewed.refresh).await.0,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn a_code_works_for_a_minute_and_an_access_token_for_an_hour() {
    let world = World::new().await;
    let late = Person::new(&world).allow("ana", ALL).await;
    world.clock.advance(Duration::from_mins(1));
    assert_eq!(
        world.redeem(&late, VERIFIER).await.1["error"],
        "invalid_grant"
    );

    let code = Person::new(&world).allow("ana", ALL).await;
    world.clock.advance(Duration::from_secs(59));
    let (_, body) = world.redeem(&code, VERIFIER).await;
    assert_eq!(body["expires_in"], 3600);
    assert_eq!(body["token_type"], "Bearer");
    let tokens = Tokens::of(&body);
    world.clock.advance(Duration::from_secs(3599));
    assert!(world.works(&tokens.access).await);
    world.clock.advance(Duration::from_secs(1));
    assert!(!world.works(&tokens.access).await);
    let renewed = Tokens::of(&world.refresh(&tokens.refresh).await.1);
    assert!(world.works(&renewed.access).await);
}

#[tokio::test]
async fn a_refresh_token_rotates_and_its_reuse_ends_the_family() {
    let world = World::new().await;
    let bystander = world.connect("ana").await;
    let first = world.connect("ana").await;
    let second = Tokens::of(&world.refresh(&first.refresh).await.1);
    assert_ne!(first.refresh, second.refresh);
    assert_eq!(second.scope, ALL);
    let third = Tokens::of(&world.refresh(&second.refresh).await.1);

    let (status, error) = world.refresh(&first.refresh).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(error["error"], "invalid_grant");
    assert_eq!(
        world.refresh(&third.refresh).await.1["error"],
        "invalid_grant"
    );
    for dead in [&first, &second, &third] {
        assert!(!world.works(&dead.access).await);
    }
    assert!(world.works(&bystander.access).await);
}

#[tokio::test]
async fn a_refresh_can_narrow_the_scope_and_never_widen_it() {
    let world = World::new().await;
    let code = Person::new(&world).allow("ana", "profile notes:read").await;
    let tokens = Tokens::of(&world.redeem(&code, VERIFIER).await.1);
    let mut form = vec![
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens.refresh.as_str()),
        ("scope", "notes:write"),
    ];
    let (_, error) = world.post("/token", &form).await;
    assert_eq!(error["error"], "invalid_scope");
    form[2].1 = "profile";
    let narrow = Tokens::of(&world.post("/token", &form).await.1);
    assert_eq!(narrow.scope, "profile");
    let (status, _) = world.get("/api/notes", &narrow.access).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let wide = Tokens::of(&world.refresh(&narrow.refresh).await.1);
    assert_eq!(wide.scope, "profile notes:read");
}

#[tokio::test]
async fn clients_prove_who_they_are_in_one_way() {
    let world = World::new().await;
    let tokens = world.connect("ana").await;
    let secret = world.client.client_secret.expose();
    let id = world.client.client_id.as_str();
    let refresh = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens.refresh.as_str()),
    ];
    let post = || world.http.post(world.at("/token"));

    let wrong = post().basic_auth(id, Some("wrong"));
    let response = with_form(wrong, &refresh).send().await.unwrap();
    assert!(
        response.headers()[WWW_AUTHENTICATE]
            .to_str()
            .unwrap()
            .starts_with("Basic ")
    );
    let (status, error) = answer(response).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(error["error"], "invalid_client");

    let (status, _) = answer(with_form(post(), &refresh).send().await.unwrap()).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);

    let mut in_form = refresh.to_vec();
    in_form.extend([("client_id", id), ("client_secret", secret)]);
    let both = post().basic_auth(id, Some(secret));
    let (status, error) = answer(with_form(both, &in_form).send().await.unwrap()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(error["error"], "invalid_request");
    let (status, body) = answer(with_form(post(), &in_form).send().await.unwrap()).await;
    assert_eq!(status, StatusCode::OK, "{body}");
}

#[tokio::test]
async fn a_code_and_a_token_of_another_client_are_of_no_use() {
    let world = World::new().await;
    let code = Person::new(&world).allow("ana", ALL).await;
    let tokens = world.connect("ana").await;
    let other = world
        .sandbox
        .register_client("Other", REDIRECT)
        .await
        .unwrap();
    let as_other = |path: &str, form: &[(&str, &str)]| {
        let request = world.http.post(world.at(path));
        let request = request.basic_auth(&other.client_id, Some(other.client_secret.expose()));
        with_form(request, form)
    };
    let redeem = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    let refresh = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &tokens.refresh),
    ];
    let revoke = [("token", tokens.access.as_str())];
    for (path, form) in [
        ("/token", &redeem[..]),
        ("/token", &refresh),
        ("/revoke", &revoke),
    ] {
        let (status, error) = answer(as_other(path, form).send().await.unwrap()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(error["error"], "invalid_grant");
    }
    let (_, about) = answer(as_other("/introspect", &revoke).send().await.unwrap()).await;
    assert_eq!(about, serde_json::json!({ "active": false }));

    assert_eq!(world.redeem(&code, VERIFIER).await.0, StatusCode::OK);
    assert_eq!(world.refresh(&tokens.refresh).await.0, StatusCode::OK);
}

#[tokio::test]
async fn malformed_token_requests_are_told_what_is_wrong() {
    let world = World::new().await;
    for (form, error) in [
        (&[("grant_type", "password")][..], "unsupported_grant_type"),
        (&[("code", "x")], "invalid_request"),
        (&[("grant_type", "authorization_code")], "invalid_request"),
        (
            &[("grant_type", "refresh_token"), ("refresh_token", "no")],
            "invalid_grant",
        ),
        (
            &[
                ("grant_type", "refresh_token"),
                ("grant_type", "refresh_token"),
            ],
            "invalid_request",
        ),
    ] {
        let (status, body) = world.post("/token", form).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(body["error"], error, "{form:?}");
    }
    let json = world.http.post(world.at("/token")).body("{}");
    let (status, body) = answer(json.send().await.unwrap()).await;
    assert_eq!(
        (status, &body["error"]),
        (StatusCode::BAD_REQUEST, &"invalid_request".into())
    );
}

#[tokio::test]
async fn a_revoked_access_token_ends_alone_and_a_refresh_token_takes_all_along() {
    let world = World::new().await;
    let first = world.connect("ana").await;
    let (status, _) = world.post("/revoke", &[("token", &first.access)]).await;
    assert_eq!(status, StatusCode::OK);
    assert!(!world.works(&first.access).await);
    let second = Tokens::of(&world.refresh(&first.refresh).await.1);
    assert!(world.works(&second.access).await);

    let form = [
        ("token", second.refresh.as_str()),
        ("token_type_hint", "access_token"),
    ];
    let (status, _) = world.post("/revoke", &form).await;
    assert_eq!(status, StatusCode::OK);
    assert!(!world.works(&second.access).await);
    assert_eq!(
        world.refresh(&second.refresh).await.1["error"],
        "invalid_grant"
    );
    let (status, _) = world.post("/revoke", &[("token", "unknown")]).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn introspection_tells_what_a_token_is_good_for_as_long_as_it_is() {
    let world = World::new().await;
    let tokens = world.connect("ben").await;
    let (_, about) = world
        .post("/introspect", &[("token", &tokens.access)])
        .await;
    assert_eq!(about["active"], true);
    assert_eq!(about["sub"], "ben");
    assert_eq!(about["scope"], ALL);
    assert_eq!(about["client_id"], world.client.client_id);
    assert_eq!(about["exp"], TODAY.as_unix() + 3600);
    let refresh = [("token", tokens.refresh.as_str())];
    assert_eq!(world.post("/introspect", &refresh).await.1["active"], true);

    world.refresh(&tokens.refresh).await;
    assert_eq!(world.post("/introspect", &refresh).await.1["active"], false);
    world.clock.advance(Duration::from_hours(1));
    let (_, about) = world
        .post("/introspect", &[("token", &tokens.access)])
        .await;
    assert_eq!(about, serde_json::json!({ "active": false }));
}
