//! The notes API.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::WWW_AUTHENTICATE;
use serde_json::json;

use super::person::{Person, Tokens, VERIFIER, World, answer};

#[tokio::test]
async fn notes_are_listed_newest_first_read_and_deleted() {
    let world = World::new().await;
    let token = world.connect("ana").await.access;
    let first = world.write(&token, "first").await;
    world.clock.advance(Duration::from_secs(5));
    let second = world.write(&token, "sécond <b>").await;

    let (status, list) = world.get("/api/notes", &token).await;
    assert_eq!(status, StatusCode::OK);
    let ids: Vec<_> = list["notes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|note| &note["id"])
        .collect();
    assert_eq!(ids, [&second, &first]);
    let (_, one) = world.get("/api/notes?limit=1", &token).await;
    assert_eq!(one["notes"].as_array().unwrap().len(), 1);
    let (_, note) = world.get(&format!("/api/notes/{second}"), &token).await;
    assert_eq!(
        note,
        json!({ "id": second, "text": "sécond <b>", "created_at": "2026-11-18T11:06:45Z" })
    );

    let delete = || {
        let path = world.at(&format!("/api/notes/{first}"));
        world.http.delete(path).bearer_auth(&token).send()
    };
    assert_eq!(
        answer(delete().await.unwrap()).await.0,
        StatusCode::NO_CONTENT
    );
    let (status, error) = answer(delete().await.unwrap()).await;
    assert_eq!(
        (status, &error["error"]),
        (StatusCode::NOT_FOUND, &json!("not_found"))
    );
}

#[tokio::test]
async fn nobody_sees_or_deletes_the_notes_of_another() {
    let world = World::new().await;
    let ana = world.connect("ana").await.access;
    let ben = world.connect("ben").await.access;
    let id = world.write(&ana, "Ana's").await;
    world.write(&ben, "Ben's").await;

    let (_, list) = world.get("/api/notes", &ben).await;
    let texts: Vec<_> = list["notes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|note| &note["text"])
        .collect();
    assert_eq!(texts, ["Ben's"]);
    let path = format!("/api/notes/{id}");
    assert_eq!(world.get(&path, &ben).await.0, StatusCode::NOT_FOUND);
    let delete = world.http.delete(world.at(&path)).bearer_auth(&ben);
    assert_eq!(delete.send().await.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(world.get(&path, &ana).await.0, StatusCode::OK);
}

#[tokio::test]
async fn calls_without_a_good_token_are_challenged() {
    let world = World::new().await;
    let bare = world.http.get(world.at("/api/me")).send().await.unwrap();
    assert_eq!(bare.headers()[WWW_AUTHENTICATE], "Bearer realm=\"Sandbox\"");
    assert_eq!(answer(bare).await.0, StatusCode::UNAUTHORIZED);

    let unknown = world.http.get(world.at("/api/me")).bearer_auth("unknown");
    let unknown = unknown.send().await.unwrap();
    let challenge = unknown.headers()[WWW_AUTHENTICATE]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    let (status, error) = answer(unknown).await;
    assert_eq!(
        (status, &error["error"]),
        (StatusCode::UNAUTHORIZED, &json!("invalid_token"))
    );
    assert!(error["message"].is_string());
}

#[tokio::test]
async fn every_operation_needs_its_own_scope() {
    let world = World::new().await;
    let code = Person::new(&world).allow("ana", "profile").await;
    let token = Tokens::of(&world.redeem(&code, VERIFIER).await.1).access;
    let writer = world.connect("ana").await.access;
    let note = format!("/api/notes/{}", world.write(&writer, "mine").await);
    let at = |path: &str| world.at(path);
    for (request, scope) in [
        (world.http.get(at("/api/notes")), "notes:read"),
        (world.http.get(at(&note)), "notes:read"),
        (
            world.http.post(at("/api/notes")).body(r#"{"text":"x"}"#),
            "notes:write",
        ),
        (world.http.delete(at(&note)), "notes:write"),
    ] {
        let response = request.bearer_auth(&token).send().await.unwrap();
        let challenge = response.headers()[WWW_AUTHENTICATE].to_str().unwrap();
        assert!(
            challenge.contains(&format!("scope=\"{scope}\"")),
            "{challenge}"
        );
        let (status, error) = answer(response).await;
        assert_eq!(
            (status, &error["error"]),
            (StatusCode::FORBIDDEN, &json!("insufficient_scope"))
        );
    }
}

#[tokio::test]
async fn bad_requests_are_refused_in_json_and_change_nothing() {
    let world = World::new().await;
    let token = world.connect("ana").await.access;
    let text = |length: usize| json!({ "text": "é".repeat(length) }).to_string();
    for (body, expected) in [
        ("no JSON".to_owned(), StatusCode::BAD_REQUEST),
        (r#"{"title":"x"}"#.to_owned(), StatusCode::BAD_REQUEST),
        (text(0), StatusCode::UNPROCESSABLE_ENTITY),
        (text(2001), StatusCode::UNPROCESSABLE_ENTITY),
        (text(50_000), StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let request = world.http.post(world.at("/api/notes")).bearer_auth(&token);
        let (status, error) = answer(request.body(body).send().await.unwrap()).await;
        assert_eq!(status, expected);
        assert!(
            error["error"].is_string() && error["message"].is_string(),
            "{error}"
        );
    }
    for limit in ["0", "101", "-1", "ten", "1&limit=2"] {
        let (status, _) = world
            .get(&format!("/api/notes?limit={limit}"), &token)
            .await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{limit}");
    }
    for path in ["/api/nothing", "/api/notes/%FF", "/api/notes/none"] {
        let (status, error) = world.get(path, &token).await;
        assert_eq!(
            (status, &error["error"]),
            (StatusCode::NOT_FOUND, &json!("not_found"))
        );
    }
    let put = world.http.put(world.at("/api/notes")).bearer_auth(&token);
    let (status, error) = answer(put.send().await.unwrap()).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(error["error"], "method_not_allowed");

    let longest = world.write(&token, &"é".repeat(2000)).await;
    let (_, list) = world.get("/api/notes?limit=100", &token).await;
    assert_eq!(list["notes"].as_array().unwrap().len(), 1);
    assert_eq!(list["notes"][0]["id"], longest);
}
