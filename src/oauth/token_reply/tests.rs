//! Real and hostile token replies.

use proptest::prelude::*;

use super::*;
use crate::oauth::fake_provider::standard_rules;

fn reply(status: u16, content_type: &str, body: &str) -> Response<Vec<u8>> {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, content_type)
        .body(body.into())
        .unwrap()
}

fn read(body: &str) -> Result<Value, TokenError> {
    read_by(&standard_rules(), Grant::Exchange, body)
}

fn read_by(rules: &TokenReplyRules, grant: Grant, body: &str) -> Result<Value, TokenError> {
    standardise(&reply(200, "application/json", body), rules, grant, &[])
}

fn nested_rules() -> TokenReplyRules {
    TokenReplyRules {
        access_token: "user.access_token".to_owned(),
        refresh_token: "user.refresh_token".to_owned(),
        expires_in: "user.expires_in".to_owned(),
        scope: "user.scope".to_owned(),
        ok: Some("ok".to_owned()),
        ..standard_rules()
    }
}

#[test]
fn form_encoded_replies_are_read_whatever_they_are_called() {
    for content_type in [
        "application/x-www-form-urlencoded; charset=utf-8",
        "text/plain",
        "",
    ] {
        let body = "access_token=at%2D1&scope=read%2Cwrite&token_type=bearer&expires_in=60\n";
        let standard = standardise(
            &reply(200, content_type, body),
            &standard_rules(),
            Grant::Exchange,
            &[],
        );
        assert_eq!(
            standard,
            Ok(
                json!({"access_token": "at-1", "token_type": "bearer", "expires_in": 60, "scope": "read write"})
            )
        );
    }
    let body = "error=invalid_grant&error_description=The+code+is+old";
    let refused = standardise(
        &reply(200, "application/x-www-form-urlencoded", body),
        &standard_rules(),
        Grant::Exchange,
        &[],
    );
    assert_eq!(
        refused.unwrap_err().to_string(),
        "the provider refused with status 200: invalid_grant (The code is old)"
    );
}

#[test]
fn nested_fields_are_found_and_the_bot_token_beside_them_is_left_alone() {
    let both = r#"{"ok":true,"access_token":"bot","token_type":"bot","user":{"access_token":"at-1","token_type":"user","scope":"read,write"}}"#;
    assert_eq!(
        read_by(&nested_rules(), Grant::Exchange, both),
        Ok(json!({"access_token": "at-1", "token_type": "bearer", "scope": "read write"}))
    );
    let flat = r#"{"ok":true,"access_token":"at-2","refresh_token":"rt-2","token_type":"user","expires_in":43200}"#;
    assert_eq!(
        read_by(&nested_rules(), Grant::Exchange, flat),
        Err(TokenError::NoAccessToken)
    );
    assert_eq!(
        read_by(&nested_rules(), Grant::Refresh, flat),
        Ok(
            json!({"access_token": "at-2", "token_type": "bearer", "refresh_token": "rt-2", "expires_in": 43200})
        )
    );
}

#[test]
fn refusals_with_status_200_are_refusals() {
    let refused = |body: &str| match read_by(&nested_rules(), Grant::Refresh, body) {
        Err(TokenError::Refused {
            status: 200, error, ..
        }) => error,
        other => panic!("{body}: {other:?}"),
    };
    let token = r#""access_token":"at-1""#;
    assert_eq!(
        refused(r#"{"ok":false,"error":"invalid_refresh_token"}"#).unwrap(),
        "invalid_refresh_token"
    );
    assert_eq!(refused(&format!(r#"{{"ok":false,{token}}}"#)), None);
    assert_eq!(
        refused(&format!(r#"{{"ok":true,"error":"bad",{token}}}"#)).unwrap(),
        "bad"
    );
    assert_eq!(
        refused(&format!(r#"{{"error":{{"code":7}},{token}}}"#)).unwrap(),
        "unspecified"
    );
    for no_error in [r#""error":null"#, r#""error":"""#, r#""error":false"#] {
        assert!(read(&format!("{{{no_error},{token}}}")).is_ok());
    }
}

#[test]
fn a_providers_own_word_for_a_dead_refresh_token_is_understood() {
    let mut rules = nested_rules();
    rules.dead_grant = vec!["invalid_refresh_token".to_owned()];
    let refused = |grant, code: &str| {
        let body = format!(r#"{{"ok":false,"error":"{code}"}}"#);
        read_by(&rules, grant, &body).unwrap_err()
    };
    let dead = refused(Grant::Refresh, "invalid_refresh_token");
    assert!(dead.grant_is_dead());
    assert!(
        dead.to_string()
            .ends_with("invalid_grant (invalid_refresh_token)"),
        "{dead}"
    );
    assert!(!refused(Grant::Refresh, "bad_client_secret").grant_is_dead());
    assert!(!refused(Grant::Exchange, "invalid_refresh_token").grant_is_dead());
}

#[test]
fn lifetimes_are_believed_between_zero_and_ten_years() {
    const TEN_YEARS: u64 = 315_360_000;
    for (written, seconds) in [
        ("3600", Some(3600)),
        ("\"3600\"", Some(3600)),
        ("\" 3600 \"", Some(3600)),
        ("3599.9", Some(3599)),
        ("\"3.6e3\"", Some(3600)),
        ("0", Some(0)),
        ("-1", Some(0)),
        ("-1e308", Some(0)),
        ("1e308", Some(TEN_YEARS)),
        ("18446744073709551615", Some(TEN_YEARS)),
        ("99999999999999999999999", Some(TEN_YEARS)),
        ("null", None),
        ("true", None),
        ("\"\"", None),
        ("\"soon\"", None),
        ("\"NaN\"", None),
        ("\"inf\"", None),
        ("[3600]", None),
        ("{}", None),
    ] {
        let standard = read(&format!(
            r#"{{"access_token":"at-1","expires_in":{written}}}"#
        ))
        .unwrap();
        assert_eq!(
            standard.get("expires_in").and_then(Value::as_u64),
            seconds,
            "{written}"
        );
    }
}

#[test]
fn only_visible_ascii_is_a_token() {
    let long = "x".repeat(MAX_TOKEN_BYTES + 1);
    for token in [
        r#""a\r\nx: y""#,
        r#""a b""#,
        r#""a\u0000""#,
        r#""é""#,
        r#""a\u007f""#,
        "7",
        "{}",
        "true",
        &format!("\"{long}\""),
    ] {
        assert_eq!(
            read(&format!(r#"{{"access_token":{token}}}"#)),
            Err(TokenError::UnusableToken {
                token: "access token"
            }),
            "{token}"
        );
        assert_eq!(
            read(&format!(
                r#"{{"access_token":"at-1","refresh_token":{token}}}"#
            )),
            Err(TokenError::UnusableToken {
                token: "refresh token"
            }),
            "{token}"
        );
    }
    for absent in [
        r#"{"access_token":null}"#,
        r#"{"access_token":""}"#,
        r#"{"token":"x"}"#,
        "{}",
    ] {
        let outcome = read(absent);
        assert!(outcome.is_err(), "{absent}");
    }
    let without_refresh = json!({"access_token": "at-1", "token_type": "bearer"});
    for absent in ["null", "\"\""] {
        assert_eq!(
            read(&format!(
                r#"{{"access_token":"at-1","refresh_token":{absent}}}"#
            )),
            Ok(without_refresh.clone())
        );
    }
}

#[test]
fn tokens_that_are_not_bearer_tokens_are_refused() {
    for fine in ["\"Bearer\"", "\"BEARER\"", "\"\"", "null"] {
        assert!(
            read(&format!(r#"{{"access_token":"at-1","token_type":{fine}}}"#)).is_ok(),
            "{fine}"
        );
    }
    for other in ["\"mac\"", "\"DPoP\"", "\"N_A\"", "\"Bearer \"", "7"] {
        let outcome = read(&format!(
            r#"{{"access_token":"at-1","token_type":{other}}}"#
        ));
        assert!(
            matches!(outcome, Err(TokenError::UnsupportedTokenType { .. })),
            "{other}"
        );
    }
    let mac = r#"{"user":{"access_token":"at-1","token_type":"MAC"}}"#;
    let outcome = read_by(&nested_rules(), Grant::Exchange, mac);
    assert!(matches!(
        outcome,
        Err(TokenError::UnsupportedTokenType { .. })
    ));
}

#[test]
fn granted_scopes_are_read_in_every_shape() {
    for (written, scopes) in [
        (r#""read write""#, Some("read write")),
        (r#""write,read""#, Some("read write")),
        (r#"["read","write:all x"]"#, Some("read write:all x")),
        (r#""""#, Some("")),
        ("[]", Some("")),
        ("null", None),
        ("7", None),
        (r#""read wr\u202eite""#, Some("read")),
    ] {
        let standard = read(&format!(r#"{{"access_token":"at-1","scope":{written}}}"#)).unwrap();
        assert_eq!(
            standard.get("scope").and_then(Value::as_str),
            scopes,
            "{written}"
        );
    }
}

#[test]
fn what_is_no_token_reply_is_named() {
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(200_000), "]".repeat(200_000));
    for (content_type, body, reason) in [
        ("text/html", "<!doctype html><h1>Sign in</h1>", "a web page"),
        ("application/json", "  <html>", "a web page"),
        ("application/json", "", "empty"),
        ("application/json", "{}", "empty"),
        (
            "application/json",
            "{\"access_token\":\"at-1\"",
            "damaged JSON",
        ),
        ("application/json", deep.as_str(), "nested too deeply"),
        ("application/json", "[]", "neither"),
        ("application/json", "null", "neither"),
        ("text/plain", "it works = yes", "neither"),
        ("text/html", "access_token=at-1", "neither"),
    ] {
        let outcome = standardise(
            &reply(200, content_type, body),
            &standard_rules(),
            Grant::Exchange,
            &[],
        );
        let message = outcome.unwrap_err().to_string();
        assert!(
            message.contains("cannot be read") && message.contains(reason),
            "{message}"
        );
    }
    // A byte order mark is no damage.
    assert!(read("\u{feff}{\"access_token\":\"at-1\"}").is_ok());
}

#[test]
fn overload_is_overload_whatever_the_body_says() {
    for status in [408, 425, 429, 500, 502, 503, 504, 529] {
        let mut overloaded = reply(status, "application/json", r#"{"error":"invalid_grant"}"#);
        overloaded
            .headers_mut()
            .insert(RETRY_AFTER, "120".parse().unwrap());
        assert_eq!(
            standardise(&overloaded, &standard_rules(), Grant::Refresh, &[]),
            Err(TokenError::Unavailable {
                status,
                retry_after: Some(Duration::from_mins(2)),
            })
        );
    }
    for nonsense in [
        "soon",
        "-1",
        "99999999999999999999999",
        "Wed, 21 Oct 2026 07:28:00 GMT",
    ] {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, nonsense.parse().unwrap())]);
        assert!(matches!(
            unavailable(StatusCode::TOO_MANY_REQUESTS, &headers),
            Some(TokenError::Unavailable {
                retry_after: None,
                ..
            })
        ));
    }
}

proptest! {
    #[test]
    fn whatever_comes_only_sendable_tokens_get_through(
        status in 200_u16..600,
        content_type in prop_oneof![Just("application/json"), Just("text/plain"), Just("")],
        token in prop_oneof![any::<String>().prop_map(Value::from), "[!-~]{1,40}".prop_map(Value::from), any::<f64>().prop_map(Value::from)],
        lifetime in prop_oneof![any::<f64>().prop_map(Value::from), any::<String>().prop_map(Value::from)],
        noise in any::<String>(),
        is_json in any::<bool>(),
    ) {
        let body = if is_json {
            json!({"access_token": token, "refresh_token": noise, "expires_in": lifetime, "scope": noise}).to_string()
        } else {
            noise
        };
        if let Ok(standard) =
            standardise(&reply(status, content_type, &body), &standard_rules(), Grant::Refresh, &[])
        {
            prop_assert!((200..300).contains(&status));
            for name in ["access_token", "refresh_token"] {
                let token = standard.get(name).map_or("x", |token| token.as_str().unwrap());
                prop_assert!(!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()));
            }
            let lifetime = standard.get("expires_in").map_or(0, |seconds| seconds.as_u64().unwrap());
            prop_assert!(lifetime <= MAX_LIFETIME.as_secs());
        }
    }
}
