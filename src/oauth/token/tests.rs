//! Token requests against a real server.

use super::*;
use crate::catalogue::TokenEncoding;
use crate::egress::{EgressError, ReplyLimit};
use crate::oauth::fake_provider::{FakeProvider, Seen, registration};

const JSON: &str = "application/json";
const GRANTED: &str = r#"{"access_token":"at-1","refresh_token":"rt-1","token_type":"Bearer","expires_in":3600,"scope":"read,write"}"#;

async fn exchange_at(
    provider: &FakeProvider,
    profile: &OAuthProfile,
) -> Result<TokenReply, TokenError> {
    exchange(
        &provider.egress(),
        profile,
        &registration(),
        &Secret::new("the-code"),
        Some(&Secret::new("the-verifier")),
        &"https://attache.example/oauth/callback/acme"
            .parse()
            .unwrap(),
    )
    .await
}

async fn refresh_at(
    provider: &FakeProvider,
    profile: &OAuthProfile,
) -> Result<TokenReply, TokenError> {
    refresh(
        &provider.egress(),
        profile,
        &registration(),
        &RefreshRequest {
            refresh_token: &Secret::new("rt-0"),
            granted: &ScopeSet::parse("read write", ""),
            redirect_uri: &"https://attache.example/oauth/callback/acme"
                .parse()
                .unwrap(),
        },
    )
    .await
}

fn only(provider: &FakeProvider) -> Seen {
    let mut seen = provider.seen();
    assert_eq!(seen.len(), 1);
    seen.remove(0)
}

/// HTTP Basic for [`registration`]: both halves form-encoded (RFC 6749 section 2.3.1).
fn expected_basic() -> String {
    let pair = data_encoding::BASE64.encode(b"client+id:client%3Asecret%25");
    format!("Basic {pair}")
}

#[tokio::test]
async fn a_code_becomes_tokens_with_the_client_in_the_body() {
    let provider = FakeProvider::start().await;
    provider.answers(200, JSON, GRANTED);
    let reply = exchange_at(&provider, &provider.profile()).await.unwrap();
    assert_eq!(
        reply,
        TokenReply {
            captured: std::collections::BTreeMap::new(),
            access_token: Secret::new("at-1"),
            refresh_token: Some(Secret::new("rt-1")),
            expires_in: Some(Duration::from_hours(1)),
            refresh_expires_in: None,
            scopes: Some(ScopeSet::parse("read write", "")),
        }
    );
    let seen = only(&provider);
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("POST", "/token")
    );
    assert_eq!(seen.header("accept"), Some(JSON));
    assert_eq!(seen.header("authorization"), None);
    let expected = [
        ("grant_type", "authorization_code"),
        ("code", "the-code"),
        ("code_verifier", "the-verifier"),
        (
            "redirect_uri",
            "https://attache.example/oauth/callback/acme",
        ),
        ("client_id", "client id"),
        ("client_secret", "client:secret%"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(seen.form(), expected.into());
}

#[tokio::test]
async fn the_client_proves_itself_in_exactly_one_way() {
    for (client_auth, basic, id_in_body, secret_in_body) in [
        (ClientAuth::Post, false, true, true),
        (ClientAuth::Basic, true, false, false),
        (ClientAuth::None, false, true, false),
    ] {
        let provider = FakeProvider::start().await;
        let mut profile = provider.profile();
        profile.client_auth = client_auth;
        provider
            .answers(200, JSON, GRANTED)
            .answers(200, JSON, GRANTED);
        exchange_at(&provider, &profile).await.unwrap();
        refresh_at(&provider, &profile).await.unwrap();
        for seen in provider.seen() {
            let expected = basic.then(expected_basic);
            assert_eq!(seen.header("authorization"), expected.as_deref());
            assert_eq!(seen.form().contains_key("client_id"), id_in_body);
            assert_eq!(seen.form().contains_key("client_secret"), secret_in_body);
        }
    }
}

#[tokio::test]
async fn a_file_cannot_add_a_second_proof_of_the_client() {
    let provider = FakeProvider::start().await;
    let pair = |name: &str| vec![(name.to_owned(), "x".to_owned())];
    for name in [
        "client_secret",
        "client_assertion",
        "client_id",
        "grant_type",
        "code_verifier",
    ] {
        let mut profile = provider.profile();
        profile.token.params = pair(name);
        let refusal = ProfileError::ReservedParameter {
            name: name.to_owned(),
        };
        assert_eq!(exchange_at(&provider, &profile).await, Err(refusal.into()));
    }
    for name in ["Authorization", "cookie", "Host", "Content-Length"] {
        let mut profile = provider.profile();
        profile.refresh_endpoint.endpoint.headers = pair(name);
        let refusal = ProfileError::ReservedHeader {
            name: name.to_owned(),
        };
        assert_eq!(refresh_at(&provider, &profile).await, Err(refusal.into()));
    }
    let mut profile = provider.profile();
    profile.refresh_endpoint.endpoint.headers =
        vec![("x-version".to_owned(), "1\r\nauthorization: x".to_owned())];
    let outcome = refresh_at(&provider, &profile).await;
    assert!(matches!(
        outcome,
        Err(TokenError::Profile(ProfileError::UnsendableHeader { .. }))
    ));
    assert!(provider.seen().is_empty());
}

#[tokio::test]
async fn json_bodies_fixed_parameters_and_fixed_headers_go_along() {
    let provider = FakeProvider::start().await;
    provider.answers(200, JSON, GRANTED);
    let mut profile = provider.profile();
    profile.client_auth = ClientAuth::Basic;
    let endpoint = &mut profile.refresh_endpoint.endpoint;
    endpoint.encoding = TokenEncoding::Json;
    endpoint.params = vec![("expires_in".to_owned(), "3600".to_owned())];
    endpoint.headers = vec![("X-Version".to_owned(), "2025-09-03".to_owned())];
    refresh_at(&provider, &profile).await.unwrap();
    let seen = only(&provider);
    assert_eq!(seen.header("content-type"), Some(JSON));
    assert_eq!(seen.header("x-version"), Some("2025-09-03"));
    let body: serde_json::Value = serde_json::from_str(&seen.body).unwrap();
    assert_eq!(
        body,
        serde_json::json!({"grant_type": "refresh_token", "refresh_token": "rt-0", "expires_in": "3600"})
    );
}

#[tokio::test]
async fn proof_keys_follow_the_profile() {
    let provider = FakeProvider::start().await;
    provider.answers(200, JSON, GRANTED);
    let mut profile = provider.profile();
    profile.pkce = Pkce::Off;
    exchange_at(&provider, &profile).await.unwrap();
    assert!(!only(&provider).form().contains_key("code_verifier"));

    profile.pkce = Pkce::Required;
    let without = exchange(
        &provider.egress(),
        &profile,
        &registration(),
        &Secret::new("the-code"),
        None,
        &"https://attache.example/cb".parse().unwrap(),
    )
    .await;
    assert_eq!(without, Err(ProfileError::ProofKeyMissing.into()));
    assert_eq!(provider.seen().len(), 1);
}

#[tokio::test]
async fn a_refresh_that_brings_no_new_refresh_token_says_so() {
    let provider = FakeProvider::start().await;
    provider.answers(
        201,
        JSON,
        r#"{"access_token":"at-2","token_type":"bearer"}"#,
    );
    let reply = refresh_at(&provider, &provider.profile()).await.unwrap();
    assert_eq!(
        reply,
        TokenReply {
            captured: std::collections::BTreeMap::new(),
            access_token: Secret::new("at-2"),
            refresh_token: None,
            expires_in: None,
            refresh_expires_in: None,
            scopes: None,
        }
    );
}

#[tokio::test]
async fn errors_say_what_becomes_of_the_grant() {
    // status, body, whether the grant is dead, whether it may be spent
    for (status, body, dead, spent) in [
        (400, r#"{"error":"invalid_grant"}"#, true, false),
        (200, r#"{"error":"invalid_grant"}"#, true, false),
        (400, "{}", true, false),
        (400, "", true, false),
        (400, r#"{"error":"invalid_request"}"#, false, false),
        (401, r#"{"error":"invalid_client"}"#, false, false),
        (401, "", false, false),
        (403, "<html>", false, false),
        (400, "<html>", false, false),
        (429, r#"{"error":"invalid_grant"}"#, false, false),
        (503, "", false, false),
        (500, r#"{"error":"invalid_grant"}"#, false, true),
        (502, "<html>", false, true),
        (302, "", false, false),
        (200, "", false, true),
        (200, "<html>", false, true),
        (200, r#"{"refresh_token":"rt-1"}"#, false, true),
    ] {
        let provider = FakeProvider::start().await;
        provider.answers(status, "", body);
        let error = refresh_at(&provider, &provider.profile())
            .await
            .unwrap_err();
        assert_eq!(error.grant_is_dead(), dead, "{status} {body}: {error:?}");
        assert_eq!(
            error.grant_may_be_spent(),
            spent,
            "{status} {body}: {error:?}"
        );
    }
}

#[tokio::test]
async fn no_error_repeats_a_secret_that_the_provider_echoes() {
    let echo = r#"{"error":"rejected rt-0","error_description":"the-code the-verifier client:secret% client%3Asecret%25 rt-0"}"#;
    let broken = r#"{"access_token":"at-1\r\nx: y","refresh_token":"rt-1"}"#;
    let mac = r#"{"access_token":"at-1","refresh_token":"rt-1","token_type":"mac"}"#;
    let web_page = "<p>the-code rt-0</p>";
    let cut_off = r#"{"access_token":"at-1","refresh_token":"rt-1""#;
    for (status, body) in [
        (400, echo),
        (200, broken),
        (200, mac),
        (200, web_page),
        (200, cut_off),
        (500, echo),
    ] {
        let provider = FakeProvider::start().await;
        provider
            .answers(status, JSON, body)
            .answers(status, JSON, body);
        let profile = provider.profile();
        for (secrets, error) in [
            (
                ["the-code", "the-verifier", "client:secret%", "at-1", "rt-1"],
                exchange_at(&provider, &profile).await.unwrap_err(),
            ),
            (
                [
                    "rt-0",
                    "client:secret%",
                    "client%3Asecret%25",
                    "at-1",
                    "rt-1",
                ],
                refresh_at(&provider, &profile).await.unwrap_err(),
            ),
        ] {
            let shown = format!("{error} {error:?}");
            for secret in secrets {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
    }
}

#[tokio::test]
async fn ten_megabytes_are_not_a_token_reply() {
    let provider = FakeProvider::start().await;
    provider.answers(200, JSON, vec![b' '; 10 << 20]);
    let error = refresh_at(&provider, &provider.profile())
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            TokenError::Egress(EgressError::ReplyTooLarge {
                limit: ReplyLimit::Wire(_),
                ..
            })
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_unreachable_provider_leaves_the_grant_alone() {
    let provider = FakeProvider::start().await;
    let mut profile = provider.profile();
    profile.refresh_endpoint.endpoint.url = "https://10.0.0.1/token".parse().unwrap();
    let error = refresh_at(&provider, &profile).await.unwrap_err();
    assert!(matches!(error, TokenError::Egress(_)));
    assert!(!error.grant_is_dead() && !error.grant_may_be_spent());
}

#[test]
fn token_requests_can_move_between_threads() {
    fn assert_send(_: impl Send) {}
    fn check(
        egress: &Egress,
        profile: &OAuthProfile,
        client: &ClientRegistration,
        secret: &Secret,
        url: &Url,
    ) {
        let request = RefreshRequest {
            refresh_token: secret,
            granted: &profile.scopes,
            redirect_uri: url,
        };
        assert_send(refresh(egress, profile, client, &request));
        assert_send(exchange(egress, profile, client, secret, None, url));
    }
    let _ = check;
}

#[tokio::test]
async fn a_refresh_goes_where_and_holds_what_the_file_says() {
    let provider = FakeProvider::start().await;
    let mut profile = provider.profile();
    profile.scope_separator = ",".to_owned();
    profile.refresh_endpoint.endpoint.url = provider.url("/token/refresh").parse().unwrap();
    profile.refresh_endpoint.endpoint.params = vec![("expires_in".to_owned(), "3600".to_owned())];
    profile.refresh_endpoint.sends_scope = true;
    profile.refresh_endpoint.sends_redirect_uri = true;
    provider
        .answers(200, JSON, GRANTED)
        .answers(200, JSON, GRANTED);
    refresh_at(&provider, &profile).await.unwrap();
    exchange_at(&provider, &profile).await.unwrap();
    let [refreshed, exchanged] = &provider.seen()[..] else {
        panic!("two requests");
    };
    assert_eq!(refreshed.target, "/token/refresh");
    let expected = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "rt-0"),
        ("scope", "read,write"),
        (
            "redirect_uri",
            "https://attache.example/oauth/callback/acme",
        ),
        ("expires_in", "3600"),
        ("client_id", "client id"),
        ("client_secret", "client:secret%"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(refreshed.form(), expected.into());
    assert_eq!(
        exchanged.target, "/token",
        "a code goes where it always did"
    );
    assert!(!exchanged.form().contains_key("expires_in"));
}

#[tokio::test]
async fn a_refresh_says_nothing_that_the_file_does_not_ask_for() {
    let provider = FakeProvider::start().await;
    provider.answers(200, JSON, GRANTED);
    refresh_at(&provider, &provider.profile()).await.unwrap();
    let form = only(&provider).form();
    let names: Vec<_> = form.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["client_id", "client_secret", "grant_type", "refresh_token"]
    );
}

#[tokio::test]
async fn a_provider_without_refresh_is_not_asked() {
    let provider = FakeProvider::start().await;
    let mut profile = provider.profile();
    profile.refresh.supported = false;
    let error = refresh_at(&provider, &profile).await.unwrap_err();
    assert_eq!(error, ProfileError::RefreshUnsupported.into());
    assert!(!error.grant_is_dead() && !error.grant_may_be_spent());
    assert!(provider.seen().is_empty());
}

#[tokio::test]
async fn a_secret_key_is_the_user_of_http_basic() {
    let provider = FakeProvider::start().await;
    let mut profile = provider.profile();
    profile.client_auth = ClientAuth::SecretKey;
    provider.answers(200, JSON, GRANTED);
    refresh_at(&provider, &profile).await.unwrap();
    let seen = only(&provider);
    let key = data_encoding::BASE64.encode(b"client%3Asecret%25:");
    assert_eq!(
        seen.header("authorization"),
        Some(format!("Basic {key}").as_str())
    );
    let form = seen.form();
    assert!(!form.contains_key("client_id") && !form.contains_key("client_secret"));
}

#[tokio::test]
async fn lifetimes_come_from_the_reply_and_otherwise_from_the_file() {
    // reply, lifetime of the access token, lifetime of the refresh token
    for (body, access, refresh) in [
        (r#"{"access_token":"at-2"}"#, Some(7200), None),
        (r#"{"access_token":"at-2","expires_in":60}"#, Some(60), None),
        (
            r#"{"access_token":"at-2","rt_life":"5184000"}"#,
            Some(7200),
            Some(5_184_000),
        ),
        (
            r#"{"access_token":"at-2","rt_life":-5,"refresh_expires_in":9}"#,
            Some(7200),
            Some(0),
        ),
        (
            r#"{"access_token":"at-2","rt_life":"soon","refresh_expires_in":9}"#,
            Some(7200),
            None,
        ),
    ] {
        let provider = FakeProvider::start().await;
        let mut profile = provider.profile();
        profile.token_reply.lifetime = Some(Duration::from_hours(2));
        profile.token_reply.refresh_expires_in = Some("rt_life".to_owned());
        provider.answers(200, JSON, body);
        let reply = refresh_at(&provider, &profile).await.unwrap();
        assert_eq!(reply.expires_in, access.map(Duration::from_secs), "{body}");
        assert_eq!(
            reply.refresh_expires_in,
            refresh.map(Duration::from_secs),
            "{body}"
        );
    }
}

/// The parameters of a query; none may stand twice.
fn query(seen: &Seen) -> BTreeMap<String, String> {
    let (_, query) = seen.target.split_once('?').expect("a query");
    let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let query: BTreeMap<_, _> = pairs.iter().cloned().collect();
    assert_eq!(pairs.len(), query.len(), "{}", seen.target);
    query
}

#[tokio::test]
async fn parameters_stand_in_the_query_where_a_provider_reads_nothing_else() {
    let provider = FakeProvider::start().await;
    let mut profile = provider.profile();
    for endpoint in [&mut profile.token, &mut profile.refresh_endpoint.endpoint] {
        endpoint.encoding = TokenEncoding::Query;
        endpoint.params = vec![("audience".to_owned(), "a&b=c".to_owned())];
    }
    provider
        .answers(200, JSON, GRANTED)
        .answers(200, JSON, GRANTED);
    exchange_at(&provider, &profile).await.unwrap();
    refresh_at(&provider, &profile).await.unwrap();
    let [exchanged, refreshed] = &provider.seen()[..] else {
        panic!("two requests");
    };
    for seen in [exchanged, refreshed] {
        assert!(seen.target.starts_with("/token?") && seen.body.is_empty());
        assert_eq!(seen.method, http::Method::POST);
        assert_eq!(seen.header("content-type"), None);
        assert_eq!(seen.header("content-length"), Some("0"));
        assert_eq!(query(seen)["audience"], "a&b=c");
        assert_eq!(query(seen)["client_id"], "client id");
        assert_eq!(query(seen)["client_secret"], "client:secret%");
    }
    assert_eq!(query(exchanged)["code"], "the-code");
    assert_eq!(query(exchanged)["code_verifier"], "the-verifier");
    assert_eq!(query(refreshed)["refresh_token"], "rt-0");
}

#[tokio::test]
async fn a_query_does_not_take_the_proof_of_the_client_along() {
    let provider = FakeProvider::start().await;
    let mut profile = provider.profile();
    profile.client_auth = ClientAuth::Basic;
    profile.token.encoding = TokenEncoding::Query;
    provider.answers(200, JSON, GRANTED);
    exchange_at(&provider, &profile).await.unwrap();
    let seen = only(&provider);
    assert_eq!(
        seen.header("authorization"),
        Some(expected_basic().as_str())
    );
    assert!(!query(&seen).contains_key("client_secret"));
}

/// Whatever goes wrong, the address with the secrets is in no error.
#[tokio::test]
async fn no_error_repeats_an_address_with_secrets() {
    let provider = FakeProvider::start().await;
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = closed.local_addr().unwrap();
    drop(closed);
    let egress = Egress::new(crate::egress::Settings {
        dangerously_allow_loopback: vec![
            nobody.to_string().parse().unwrap(),
            provider.url("")["http://".len()..].parse().unwrap(),
        ],
        ..crate::egress::Settings::default()
    })
    .unwrap();
    provider
        .answers(302, "", "")
        .answers(500, "", "")
        .answers(200, "", vec![b' '; 10 << 20])
        .answers(200, "text/html", "<html>");
    let here = provider.url("/token");
    let addresses = [
        "https://10.0.0.1/token",
        "ftp://provider.example/token",
        "https://user:word@provider.example/token",
        &format!("http://{nobody}/token"),
        &here,
        &here,
        &here,
        &here,
    ];
    for address in addresses {
        let mut profile = provider.profile();
        let endpoint = &mut profile.refresh_endpoint.endpoint;
        endpoint.encoding = TokenEncoding::Query;
        endpoint.url = address.parse().unwrap();
        let request = RefreshRequest {
            refresh_token: &Secret::new("rt-0"),
            granted: &profile.scopes,
            redirect_uri: &"https://attache.example/cb".parse().unwrap(),
        };
        let refreshed = refresh(&egress, &profile, &registration(), &request).await;
        let error = refreshed.unwrap_err();
        let shown = format!("{error} {error:?}");
        for secret in ["rt-0", "client:secret", "client%3Asecret", "grant_type"] {
            assert!(!shown.contains(secret), "{address}: {shown}");
        }
    }
    assert_eq!(provider.seen().len(), 4);
}

#[tokio::test]
async fn a_reply_is_read_in_the_format_that_the_file_names() {
    use crate::catalogue::ReplyFormat::{Auto, Form, Json};
    const FORM: &str = "application/x-www-form-urlencoded";
    let form = "access_token=at-1&expires_in=60&scope=read%2Cwrite";
    for (format, content_type, body, is_read) in [
        (Auto, JSON, GRANTED, true),
        (Auto, FORM, form, true),
        (Auto, "text/html", form, false),
        (Json, JSON, GRANTED, true),
        (Json, FORM, form, false),
        (Json, "", form, false),
        (Form, FORM, form, true),
        (Form, "text/html", form, true),
        (Form, JSON, form, true),
        (Form, FORM, GRANTED, false),
        (Form, FORM, "<p>a=b</p>", false),
        (Form, FORM, "at-1", false),
    ] {
        let provider = FakeProvider::start().await;
        let mut profile = provider.profile();
        profile.token_reply.format = format;
        provider.answers(200, content_type, body);
        let reply = exchange_at(&provider, &profile).await;
        let accept = if format == Form { FORM } else { JSON };
        assert_eq!(only(&provider).header("accept"), Some(accept));
        match reply {
            Ok(reply) => {
                assert!(is_read, "{format:?} {content_type} {body}");
                assert_eq!(reply.access_token, Secret::new("at-1"));
                assert_eq!(reply.scopes, Some(ScopeSet::parse("read write", "")));
            }
            Err(TokenError::Unreadable { .. }) => {
                assert!(!is_read, "{format:?} {content_type} {body}");
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// A provider that writes tokens as a form may write refusals as JSON, and the other way round.
#[tokio::test]
async fn a_refusal_is_read_in_either_format() {
    use crate::catalogue::ReplyFormat::{Auto, Form, Json};
    for format in [Auto, Json, Form] {
        for body in [r#"{"error":"invalid_grant"}"#, "error=invalid_grant"] {
            let provider = FakeProvider::start().await;
            let mut profile = provider.profile();
            profile.token_reply.format = format;
            provider.answers(400, "", body);
            let error = refresh_at(&provider, &profile).await.unwrap_err();
            assert!(error.grant_is_dead(), "{format:?} {body}: {error:?}");
        }
    }
    let provider = FakeProvider::start().await;
    let mut profile = provider.profile();
    profile.token_reply.format = Form;
    provider.answers(200, "text/plain", "error=invalid_grant&error_description=x");
    let error = refresh_at(&provider, &profile).await.unwrap_err();
    assert!(error.grant_is_dead(), "{error:?}");
}

#[tokio::test]
async fn scopes_and_lifetime_are_taken_only_from_where_they_are_said() {
    use crate::catalogue::{LifetimeSource, ScopeSource};
    for (from, in_body) in [
        (ScopeSource::Body, true),
        (ScopeSource::Callback, false),
        (ScopeSource::None, false),
    ] {
        let provider = FakeProvider::start().await;
        let mut profile = provider.profile();
        profile.token_reply.scope_from = from;
        provider
            .answers(200, JSON, GRANTED)
            .answers(200, JSON, GRANTED);
        for reply in [
            exchange_at(&provider, &profile).await,
            refresh_at(&provider, &profile).await,
        ] {
            assert_eq!(reply.unwrap().scopes.is_some(), in_body, "{from:?}");
        }
    }
    let provider = FakeProvider::start().await;
    let mut profile = provider.profile();
    profile.token_reply.lifetime_from = LifetimeSource::Introspection;
    provider.answers(200, JSON, GRANTED);
    let reply = exchange_at(&provider, &profile).await.unwrap();
    assert_eq!(reply.expires_in, None);
}

#[test]
fn a_callback_names_scopes_where_the_file_says_so() {
    use crate::catalogue::ScopeSource;
    use crate::oauth::fake_provider::standard_rules;
    use crate::oauth::granted_in_callback;
    let mut rules = standard_rules();
    let said = |name: &str| (name == "granted").then_some("read,act:all,\u{e9}t\u{e9}");
    assert_eq!(granted_in_callback(&rules, said), None);
    rules.scope = "granted".to_owned();
    rules.scope_from = ScopeSource::None;
    assert_eq!(granted_in_callback(&rules, said), None);
    rules.scope_from = ScopeSource::Callback;
    let granted = ScopeSet::parse("read act:all", "");
    assert_eq!(granted_in_callback(&rules, said), Some(granted));
    assert_eq!(granted_in_callback(&rules, |_| None), None, "as requested");
    let nothing = granted_in_callback(&rules, |_| Some(""));
    assert_eq!(nothing, Some(ScopeSet::default()));
}
