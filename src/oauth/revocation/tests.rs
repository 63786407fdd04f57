//! Revocations against a real server.

use http::Method;
use serde_json::json;

use super::*;
use crate::catalogue::{BodyEncoding, RevocationReach};
use crate::oauth::fake_provider::{FakeProvider, registration};

/// RFC 7009 as it stands.
fn standard(provider: &FakeProvider) -> RevocationRequest {
    RevocationRequest {
        method: Method::POST,
        url: provider.url("/revoke"),
        auth: RevocationAuth::Client,
        encoding: BodyEncoding::Form,
        token_param: Some("token".to_owned()),
        client_id_param: "client_id".to_owned(),
        client_secret_param: "client_secret".to_owned(),
        send_hint: true,
        tokens: RevocationTokens::RefreshThenAccess,
        success_statuses: Vec::new(),
        confirmed_by: None,
        already_dead: Vec::new(),
        reach: RevocationReach::Token,
    }
}

async fn revoke_at(
    provider: &FakeProvider,
    profile: &OAuthProfile,
) -> Result<RevocationOutcome, RevokeError> {
    revoke(
        &provider.egress(),
        profile,
        &registration(),
        Some(&Secret::new("at-1")),
        Some(&Secret::new("rt-1")),
    )
    .await
}

fn with(provider: &FakeProvider, request: RevocationRequest) -> OAuthProfile {
    OAuthProfile {
        revocation: Revocation::Request(request),
        ..provider.profile()
    }
}

#[tokio::test]
async fn the_refresh_token_goes_first_then_the_access_token() {
    let provider = FakeProvider::start().await;
    provider.answers(200, "", "").answers(204, "", "");
    let profile = with(&provider, standard(&provider));
    assert_eq!(
        revoke_at(&provider, &profile).await,
        Ok(RevocationOutcome::Confirmed)
    );
    let asked: Vec<_> = provider
        .seen()
        .iter()
        .map(|seen| {
            let form = seen.form();
            assert_eq!(form["client_secret"], "client:secret%");
            (form["token"].clone(), form["token_type_hint"].clone())
        })
        .collect();
    let pair = |token: &str, hint: &str| (token.to_owned(), hint.to_owned());
    assert_eq!(
        asked,
        [pair("rt-1", "refresh_token"), pair("at-1", "access_token")]
    );
}

#[tokio::test]
async fn a_failed_first_revocation_does_not_spare_the_second_token() {
    let provider = FakeProvider::start().await;
    provider.answers(503, "", "").answers(200, "", "");
    let profile = with(&provider, standard(&provider));
    let error = revoke_at(&provider, &profile).await.unwrap_err();
    assert!(error.is_temporary(), "{error:?}");
    assert_eq!(provider.seen().len(), 2);
}

#[tokio::test]
async fn providers_that_delete_with_basic_and_json_are_served() {
    let provider = FakeProvider::start().await;
    provider.answers(204, "", "");
    let mut profile = with(
        &provider,
        RevocationRequest {
            method: Method::DELETE,
            url: provider.url("/applications/{client_id}/grant"),
            auth: RevocationAuth::ClientBasic,
            encoding: BodyEncoding::Json,
            token_param: Some("access_token".to_owned()),
            send_hint: false,
            tokens: RevocationTokens::Access,
            ..standard(&provider)
        },
    );
    profile.token.headers = vec![("X-Version".to_owned(), "7".to_owned())];
    assert_eq!(
        revoke_at(&provider, &profile).await,
        Ok(RevocationOutcome::Confirmed)
    );
    let [seen] = &provider.seen()[..] else {
        panic!("one request");
    };
    assert_eq!(seen.method, Method::DELETE);
    assert_eq!(seen.target, "/applications/client%20id/grant");
    assert_eq!(seen.header("x-version"), Some("7"));
    assert!(seen.header("authorization").unwrap().starts_with("Basic "));
    let body: serde_json::Value = serde_json::from_str(&seen.body).unwrap();
    assert_eq!(body, json!({"access_token": "at-1"}));
}

#[tokio::test]
async fn a_token_can_be_its_own_authorization() {
    let provider = FakeProvider::start().await;
    provider
        .answers(200, "application/json", r#"{"ok":true}"#)
        .answers(401, "application/json", r#"{"error":"invalid_token"}"#);
    let mut profile = with(
        &provider,
        RevocationRequest {
            auth: RevocationAuth::Bearer,
            token_param: None,
            send_hint: false,
            ..standard(&provider)
        },
    );
    profile.token_reply.ok = Some("ok".to_owned());
    assert_eq!(
        revoke_at(&provider, &profile).await,
        Ok(RevocationOutcome::Confirmed)
    );
    let seen = provider.seen();
    assert_eq!(seen[0].header("authorization"), Some("Bearer rt-1"));
    assert_eq!(seen[1].header("authorization"), Some("Bearer at-1"));
    assert_eq!(
        (seen[0].body.as_str(), seen[0].header("content-type")),
        ("", None)
    );
    assert_eq!(seen[0].header("content-length"), Some("0"));
}

#[tokio::test]
async fn revoked_is_never_claimed_without_a_confirmation() {
    // status, body, whether that confirms, whether a later try can help
    for (status, body, confirmed, temporary) in [
        (200, "", true, false),
        (200, "OK", true, false),
        (204, "", true, false),
        (404, "", true, false),
        (400, r#"{"error":"invalid_token"}"#, true, false),
        (200, r#"{"ok":false,"error":"not_allowed"}"#, false, false),
        (200, r#"{"ok":false}"#, false, false),
        (200, "\n<!doctype html><h1>Sign in</h1>", false, false),
        (202, "", false, false),
        (302, "", false, false),
        (400, r#"{"error":"unsupported_token_type"}"#, false, false),
        (401, r#"{"error":"invalid_client"}"#, false, false),
        (403, "<html>", false, false),
        (429, "", false, true),
        (500, "", false, true),
    ] {
        let provider = FakeProvider::start().await;
        provider.answers(status, "", body);
        let mut profile = with(
            &provider,
            RevocationRequest {
                tokens: RevocationTokens::Access,
                success_statuses: vec![404],
                ..standard(&provider)
            },
        );
        profile.token_reply.ok = Some("ok".to_owned());
        let outcome = revoke_at(&provider, &profile).await;
        assert_eq!(outcome.is_ok(), confirmed, "{status} {body}: {outcome:?}");
        if let Err(error) = outcome {
            assert_eq!(
                error.is_temporary(),
                temporary,
                "{status} {body}: {error:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_success_with_a_flag_is_believed_by_its_flag() {
    for (status, body, confirmed) in [
        (200, r#"{"ok":true,"revoked":true}"#, true),
        (200, r#"{"ok":true,"revoked":false}"#, false),
        (200, r#"{"ok":true,"revoked":"yes"}"#, false),
        (200, r#"{"ok":true}"#, false),
        (200, "", false),
        (204, "", false),
        (200, r#"{"ok":false,"revoked":true}"#, false),
        (200, r#"{"ok":false,"error":"token_revoked"}"#, true),
        (200, r#"{"ok":false,"error":"invalid_auth"}"#, false),
        (500, r#"{"ok":false,"error":"token_revoked"}"#, false),
    ] {
        let provider = FakeProvider::start().await;
        provider.answers(status, "application/json", body);
        let mut profile = with(
            &provider,
            RevocationRequest {
                auth: RevocationAuth::Bearer,
                token_param: None,
                send_hint: false,
                tokens: RevocationTokens::Access,
                confirmed_by: Some("revoked".to_owned()),
                already_dead: vec!["token_revoked".to_owned()],
                ..standard(&provider)
            },
        );
        profile.token_reply.ok = Some("ok".to_owned());
        profile.token_reply.dead_grant = vec!["invalid_auth".to_owned()];
        let outcome = revoke_at(&provider, &profile).await;
        assert_eq!(outcome.is_ok(), confirmed, "{status} {body}: {outcome:?}");
    }
}

#[tokio::test]
async fn an_echoed_token_is_withheld() {
    let provider = FakeProvider::start().await;
    let body = r#"{"error":"access_denied","error_description":"at-1 client:secret%"}"#;
    provider.answers(400, "application/json", body);
    let mut request = standard(&provider);
    request.tokens = RevocationTokens::Access;
    let profile = with(&provider, request);
    let error = revoke_at(&provider, &profile).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("[secret] [secret]"), "{shown}");
    assert!(
        !shown.contains("at-1") && !shown.contains("client:secret"),
        "{shown}"
    );
}

#[tokio::test]
async fn what_cannot_be_asked_is_said() {
    let provider = FakeProvider::start().await;
    let manual_url: Option<Url> = Some("https://provider.example/apps".parse().unwrap());
    let mut profile = provider.profile();
    profile.revocation = Revocation::Unsupported {
        manual_url: manual_url.clone(),
    };
    assert_eq!(
        revoke_at(&provider, &profile).await,
        Ok(RevocationOutcome::Unsupported { manual_url })
    );

    let mut request = standard(&provider);
    request.tokens = RevocationTokens::Access;
    let only_access = with(&provider, request.clone());
    let refresh = Secret::new("rt-1");
    let egress = provider.egress();
    let nothing = revoke(&egress, &only_access, &registration(), None, Some(&refresh)).await;
    assert_eq!(nothing, Err(RevokeError::NoTokenToRevoke));

    request.url = "/revoke".to_owned();
    let nowhere = with(&provider, request);
    assert_eq!(
        revoke_at(&provider, &nowhere).await,
        Err(ProfileError::RevocationAddress.into())
    );
    assert!(provider.seen().is_empty());
}

#[tokio::test]
async fn whoever_holds_the_token_may_end_it() {
    let provider = FakeProvider::start().await;
    provider.answers(200, "", "");
    let profile = with(
        &provider,
        RevocationRequest {
            auth: RevocationAuth::None,
            token_param: Some("access_token".to_owned()),
            send_hint: false,
            tokens: RevocationTokens::Access,
            ..standard(&provider)
        },
    );
    revoke_at(&provider, &profile).await.unwrap();
    let [seen] = &provider.seen()[..] else {
        panic!("one request");
    };
    assert_eq!(
        (seen.header("authorization"), seen.body.as_str()),
        (None, "access_token=at-1")
    );
}

#[tokio::test]
async fn id_and_secret_can_have_other_names() {
    let provider = FakeProvider::start().await;
    provider.answers(204, "", "");
    let profile = with(
        &provider,
        RevocationRequest {
            encoding: BodyEncoding::Json,
            token_param: Some("accessToken".to_owned()),
            client_id_param: "clientId".to_owned(),
            client_secret_param: "clientSecret".to_owned(),
            send_hint: false,
            tokens: RevocationTokens::Access,
            ..standard(&provider)
        },
    );
    revoke_at(&provider, &profile).await.unwrap();
    let body: serde_json::Value = serde_json::from_str(&provider.seen()[0].body).unwrap();
    assert_eq!(
        body,
        json!({"accessToken": "at-1", "clientId": "client id", "clientSecret": "client:secret%"})
    );
}

#[tokio::test]
async fn a_secret_key_revokes_as_the_user_of_http_basic() {
    let provider = FakeProvider::start().await;
    provider.answers(200, "", "");
    let mut profile = with(
        &provider,
        RevocationRequest {
            tokens: RevocationTokens::Refresh,
            ..standard(&provider)
        },
    );
    profile.client_auth = crate::catalogue::ClientAuth::SecretKey;
    revoke_at(&provider, &profile).await.unwrap();
    let [seen] = &provider.seen()[..] else {
        panic!("one request: the refresh token alone");
    };
    let key = data_encoding::BASE64.encode(b"client%3Asecret%25:");
    assert_eq!(
        seen.header("authorization"),
        Some(format!("Basic {key}").as_str())
    );
    let expected = [("token", "rt-1"), ("token_type_hint", "refresh_token")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(seen.form(), expected.into());
}

#[tokio::test]
async fn a_token_in_the_address_stays_one_segment() {
    let provider = FakeProvider::start().await;
    let profile = with(
        &provider,
        RevocationRequest {
            method: Method::DELETE,
            url: provider.url("/tokens/{token}/all"),
            auth: RevocationAuth::None,
            token_param: None,
            send_hint: false,
            tokens: RevocationTokens::Access,
            ..standard(&provider)
        },
    );
    let revoke = async |token: &str| {
        let (egress, registration) = (provider.egress(), registration());
        let token = Secret::new(token);
        revoke(&egress, &profile, &registration, Some(&token), None).await
    };
    provider.answers(204, "", "");
    revoke("../a/b?c#d%2e").await.unwrap();
    assert_eq!(
        provider.seen()[0].target,
        "/tokens/%2E%2E%2Fa%2Fb%3Fc%23d%252e/all"
    );
    for climbing in ["..", "."] {
        assert_eq!(
            revoke(climbing).await,
            Err(ProfileError::RevocationAddress.into()),
            "{climbing}"
        );
    }
    assert_eq!(provider.seen().len(), 1, "nothing more was sent");
}
