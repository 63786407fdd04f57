//! Introspection requests against a real server.

use http::Uri;

use super::*;
use crate::catalogue::ClientAuth as At;
use crate::oauth::fake_provider::{FakeProvider, Seen, registration};

const JSON: &str = "application/json";
const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);
const TOKEN: &str = "at-secret";

fn profile_of(provider: &FakeProvider, auth: IntrospectionAuth) -> OAuthProfile {
    let mut profile = provider.profile();
    profile.introspection = Some(Introspection {
        url: provider.url("/introspect").parse().unwrap(),
        auth,
    });
    profile
}

async fn ask(
    provider: &FakeProvider,
    profile: &OAuthProfile,
) -> Result<Option<Duration>, IntrospectionError> {
    let egress = provider.egress();
    introspect(&egress, profile, &registration(), &Secret::new(TOKEN), NOW).await
}

fn only(provider: &FakeProvider) -> Seen {
    let mut seen = provider.seen();
    assert_eq!(seen.len(), 1);
    seen.remove(0)
}

#[tokio::test]
async fn the_end_of_a_token_is_asked_for() {
    let provider = FakeProvider::start().await;
    let profile = profile_of(&provider, IntrospectionAuth::Client);
    provider.answers(200, JSON, r#"{"active":true,"exp":1800007200}"#);
    let lifetime = ask(&provider, &profile).await.unwrap();
    assert_eq!(lifetime, Some(Duration::from_hours(2)));
    let seen = only(&provider);
    let target: Uri = seen.target.parse().unwrap();
    assert_eq!(
        (seen.method.as_str(), target.path()),
        ("POST", "/introspect")
    );
    assert!(target.query().is_none() && seen.header("authorization").is_none());
    let expected = [
        ("token", TOKEN),
        ("client_id", "client id"),
        ("client_secret", "client:secret%"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(seen.form(), expected.into());
}

#[tokio::test]
async fn the_question_is_authorized_in_exactly_one_way() {
    let pair = data_encoding::BASE64.encode(b"client+id:client%3Asecret%25");
    let key = data_encoding::BASE64.encode(b"client%3Asecret%25:");
    let (basic, key) = (format!("Basic {pair}"), format!("Basic {key}"));
    let bearer = format!("Bearer {TOKEN}");
    for (client_auth, auth, header, id_in_body, secret_in_body) in [
        (At::Post, IntrospectionAuth::Client, None, true, true),
        (
            At::Basic,
            IntrospectionAuth::Client,
            Some(&basic),
            false,
            false,
        ),
        (
            At::SecretKey,
            IntrospectionAuth::Client,
            Some(&key),
            false,
            false,
        ),
        (At::None, IntrospectionAuth::Client, None, true, false),
        (
            At::Post,
            IntrospectionAuth::ClientBasic,
            Some(&basic),
            false,
            false,
        ),
        (
            At::Post,
            IntrospectionAuth::Bearer,
            Some(&bearer),
            false,
            false,
        ),
    ] {
        let provider = FakeProvider::start().await;
        let mut profile = profile_of(&provider, auth);
        profile.client_auth = client_auth;
        profile.token.headers = vec![("X-Version".to_owned(), "7".to_owned())];
        provider.answers(200, JSON, r#"{"active":true,"exp":"1800000060"}"#);
        let lifetime = ask(&provider, &profile).await.unwrap();
        assert_eq!(lifetime, Some(Duration::from_mins(1)));
        let seen = only(&provider);
        assert_eq!(seen.header("authorization"), header.map(String::as_str));
        assert_eq!(seen.header("x-version"), Some("7"));
        assert_eq!(seen.form()["token"], TOKEN);
        assert_eq!(seen.form().contains_key("client_id"), id_in_body);
        assert_eq!(seen.form().contains_key("client_secret"), secret_in_body);
    }
}

#[tokio::test]
async fn nobody_is_asked_unless_the_profile_says_where() {
    let provider = FakeProvider::start().await;
    assert_eq!(ask(&provider, &provider.profile()).await, Ok(None));
    assert!(provider.seen().is_empty());
}

#[tokio::test]
async fn answers_that_say_no_end_are_errors_without_secrets() {
    let echo =
        format!(r#"{{"error":"invalid_client","error_description":"{TOKEN} client:secret%"}}"#);
    for (status, body, words) in [
        (200, r#"{"active":false}"#, "not active"),
        (200, r#"{"exp":1800007200}"#, "not active"),
        (200, r#"{"active":true}"#, "no end"),
        (200, r#"{"active":true,"exp":null}"#, "no end"),
        (200, r#"{"active":true,"exp":"soon"}"#, "no end"),
        (200, r#"{"active":true,"exp":1800000000}"#, "no end"),
        (200, r#"{"active":true,"exp":-1}"#, "no end"),
        (200, "active=true&exp=1800007200", "not a JSON object"),
        (200, "<html>", "web page"),
        (200, "", "not active"),
        (200, "[1]", "not a JSON object"),
        (302, "", "no answer"),
        (401, echo.as_str(), "invalid_client"),
        (403, "{}", "no answer"),
        (429, "{}", "not available"),
        (500, echo.as_str(), "not available"),
    ] {
        let provider = FakeProvider::start().await;
        let profile = profile_of(&provider, IntrospectionAuth::Client);
        provider.answers(status, "", body);
        let error = ask(&provider, &profile).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(error.to_string().contains(words), "{body}: {shown}");
        assert!(
            !shown.contains(TOKEN) && !shown.contains("client:secret%"),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn an_end_that_is_far_away_is_not_believed_in_full() {
    let provider = FakeProvider::start().await;
    let profile = profile_of(&provider, IntrospectionAuth::Client);
    provider.answers(200, JSON, r#"{"active":true,"exp":9223372036854775807}"#);
    let lifetime = ask(&provider, &profile).await.unwrap();
    assert_eq!(lifetime, Some(token_reply::MAX_LIFETIME));
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_reached_is_an_error() {
    let provider = FakeProvider::start().await;
    let mut profile = profile_of(&provider, IntrospectionAuth::Client);
    profile.introspection = profile.introspection.map(|mut endpoint| {
        endpoint.url = "https://10.0.0.1/introspect".parse().unwrap();
        endpoint
    });
    let error = ask(&provider, &profile).await.unwrap_err();
    assert!(matches!(
        error,
        IntrospectionError::NotAnswered(TokenError::Egress(_))
    ));
}
