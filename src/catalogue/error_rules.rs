//! What a refusal of a provider means: rules over status, headers and body; the first that fits wins.
//!
//! A rule without a status is tried on every reply, also on a 200: some providers refuse with one.

use http::{Response, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::condition::Condition;
use super::field_path::FieldPath;
use super::plain_text::plain_text;
use super::reply::Refusal;
use super::retry_after::RetryAfter;
use super::wanted::Wanted;

/// How much of a provider's own words is passed on.
const LONGEST_MESSAGE: usize = 500;

/// What a refusal means for the connection and for the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// The access token is expired or withdrawn: refresh once, then reconnect.
    TokenInvalid,
    /// The connection lacks a permission: connect again with more.
    ScopeMissing,
    /// The account may not do this, and no permission of the connection changes that.
    Forbidden,
    /// Too many calls: wait.
    RateLimited,
    /// What was asked for is not there, or may not be seen.
    NotFound,
    /// It collides with something that is there.
    Conflict,
    /// The arguments make no sense to the provider.
    Invalid,
    /// The provider failed; the same call may work later.
    Retryable,
    /// No rule of the provider file knows this refusal.
    #[serde(skip_deserializing)]
    Other,
}

/// The rules of a provider, in order, and where its own words stand.
#[derive(Clone, Debug, Default)]
pub(super) struct ErrorRules {
    rules: Vec<ErrorRule>,
    /// Where the provider says what is wrong.
    text: Vec<FieldPath>,
    /// All of a body that is ever looked at: a success with a megabyte of data costs little.
    wanted: Wanted,
}

/// One rule.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ErrorRule {
    pub(super) when: Condition,
    pub(super) is: RefusalKind,
    /// What to say besides the provider's own words.
    message: Option<String>,
    retry_after: Option<RetryAfter>,
}

impl ErrorRules {
    pub(super) fn new(rules: Vec<ErrorRule>, text: Vec<FieldPath>) -> Self {
        let mut wanted = Wanted::default();
        let tested = rules.iter().flat_map(|rule| rule.when.body_paths());
        let pauses = rules
            .iter()
            .filter_map(|rule| rule.retry_after.as_ref()?.body_path());
        for path in tested.chain(pauses).chain(&text) {
            wanted.at(path).want_whole();
        }
        Self {
            rules,
            text,
            wanted,
        }
    }

    /// The same rules, with those of a tool tried before them.
    pub(super) fn preceded_by(&self, rules: Vec<ErrorRule>) -> Self {
        let rules = rules.into_iter().chain(self.rules.iter().cloned());
        Self::new(rules.collect(), self.text.clone())
    }

    /// What a reply means, if it is a refusal. The body of a success is not even parsed unless a rule may fit it.
    pub(super) fn refusal(&self, response: &Response<Vec<u8>>) -> Option<Refusal> {
        let status = response.status();
        let may_fit = |rule: &&ErrorRule| rule.when.may_fit(status.as_u16());
        if status.is_success() && !self.rules.iter().any(|rule| may_fit(&rule)) {
            return None;
        }
        let body = self.body(response);
        let rule = self
            .rules
            .iter()
            .find(|rule| rule.when.fits(status.as_u16(), response.headers(), &body));
        if rule.is_none() && status.is_success() {
            return None;
        }
        let words = self.words(&body);
        Some(Refusal {
            kind: rule.map_or(RefusalKind::Other, |rule| rule.is),
            status: status.as_u16(),
            message: message(rule, &words, status),
            retry_after: rule
                .and_then(|rule| rule.retry_after.as_ref())
                .and_then(|retry_after| retry_after.read(response.headers(), &body, &words)),
        })
    }

    /// What the provider says in its own words, in one harmless line.
    pub(super) fn plain_words(&self, body: &Value) -> Option<String> {
        Some(plain_text(&self.words(body), LONGEST_MESSAGE)).filter(|words| !words.is_empty())
    }

    /// What the rules look at: JSON, or a plain text as a JSON text. Anything else, such as a page of HTML, says nothing.
    fn body(&self, response: &Response<Vec<u8>>) -> Value {
        if let Ok(body) = self.wanted.read(response.body()) {
            return body;
        }
        let is_plain_text = response
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.trim_start().starts_with("text/plain"));
        match std::str::from_utf8(response.body()) {
            Ok(text) if is_plain_text => Value::from(text),
            _ => Value::Null,
        }
    }

    /// What the provider says, as it says it.
    fn words(&self, body: &Value) -> String {
        if let Value::String(text) = body {
            return text.clone();
        }
        let words: Vec<String> = self
            .text
            .iter()
            .filter_map(|path| path.find_text(body))
            .collect();
        words.join(": ")
    }
}

/// Our sentence, the provider's words, or at least the status.
fn message(rule: Option<&ErrorRule>, words: &str, status: http::StatusCode) -> String {
    let words = plain_text(words, LONGEST_MESSAGE);
    let sentence = rule.and_then(|rule| rule.message.as_deref());
    match (sentence, words.is_empty()) {
        (Some(sentence), true) => sentence.to_owned(),
        (Some(sentence), false) => format!("{sentence} The provider says: {words}"),
        (None, false) => words,
        (None, true) => format!("the provider answered {status}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn rules() -> ErrorRules {
        let rules = json!([
            {"when": {"status": 401}, "is": "token_invalid"},
            {"when": {"status": [403, 429], "header": {"name": "X-Remaining", "equals": "0"}}, "is": "rate_limited",
             "retry_after": {"header": "X-Reset", "unit": "epoch_s"}},
            {"when": {"status": 429}, "is": "rate_limited", "retry_after": {"header": "Retry-After", "unit": "s"}},
            {"when": {"status": 403, "body": {"path": "message", "matches": "(?i)not accessible"}},
             "is": "scope_missing", "message": "Not allowed."},
            {"when": {"status": "5xx"}, "is": "retryable"},
        ]);
        ErrorRules::new(
            serde_json::from_value(rules).unwrap(),
            vec![
                FieldPath::try_from("message".to_owned()).unwrap(),
                FieldPath::try_from("errors".to_owned()).unwrap(),
            ],
        )
    }

    fn refusal(
        rules: &ErrorRules,
        status: u16,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Option<Refusal> {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        rules.refusal(&response.body(body.as_bytes().to_vec()).unwrap())
    }

    #[test]
    fn the_first_rule_that_fits_wins() {
        let rules = rules();
        let kind = |status, headers: &[(&str, &str)], body: &str| {
            refusal(&rules, status, headers, body).map(|refusal| refusal.kind)
        };
        assert_eq!(kind(200, &[], "{}"), None);
        assert_eq!(kind(401, &[], ""), Some(RefusalKind::TokenInvalid));
        assert_eq!(
            kind(403, &[("x-remaining", "0")], ""),
            Some(RefusalKind::RateLimited)
        );
        assert_eq!(
            kind(403, &[("x-remaining", "9")], ""),
            Some(RefusalKind::Other)
        );
        let forbidden = r#"{"message": "Resource not accessible"}"#;
        assert_eq!(kind(403, &[], forbidden), Some(RefusalKind::ScopeMissing));
        assert_eq!(kind(502, &[], "<html>"), Some(RefusalKind::Retryable));
        assert_eq!(kind(418, &[], ""), Some(RefusalKind::Other));
        assert_eq!(kind(302, &[], ""), Some(RefusalKind::Other));
    }

    #[test]
    fn a_pause_is_read_in_seconds_and_as_a_point_in_time() {
        let rules = rules();
        let pause =
            |headers: &[(&str, &str)]| refusal(&rules, 429, headers, "").unwrap().retry_after;
        assert_eq!(
            pause(&[("retry-after", "30")]),
            Some(Duration::from_secs(30))
        );
        assert_eq!(pause(&[("retry-after", "-1")]), Some(Duration::ZERO));
        assert_eq!(pause(&[("retry-after", "soon")]), None);
        assert_eq!(
            pause(&[("retry-after", "99999999999")]),
            Some(Duration::from_hours(24))
        );
        let date = ("date", "Thu, 01 Jan 1970 00:01:40 GMT");
        let remaining = ("x-remaining", "0");
        assert_eq!(
            pause(&[remaining, date, ("x-reset", "160")]),
            Some(Duration::from_mins(1))
        );
        assert_eq!(
            pause(&[remaining, date, ("x-reset", "10")]),
            Some(Duration::ZERO)
        );
        assert_eq!(pause(&[remaining, ("x-reset", "160")]), None);
    }

    #[test]
    fn a_point_in_time_in_milliseconds_is_never_too_early() {
        let rule = json!([{"when": {"status": 400}, "is": "rate_limited", "retry_after": {"header": "X-Reset", "unit": "epoch_ms"}}]);
        let rules = ErrorRules::new(serde_json::from_value(rule).unwrap(), Vec::new());
        let date = ("date", "Thu, 01 Jan 1970 00:01:40 GMT");
        for (reset, seconds) in [("160000", 60), ("160001", 61), ("99000", 0), ("-1", 0)] {
            let refusal = refusal(&rules, 400, &[date, ("x-reset", reset)], "{}").unwrap();
            assert_eq!(
                refusal.retry_after,
                Some(Duration::from_secs(seconds)),
                "{reset}"
            );
        }
    }

    #[test]
    fn messages_are_the_providers_words_made_harmless() {
        let rules = rules();
        let message = |status, body: &str| refusal(&rules, status, &[], body).unwrap().message;
        assert_eq!(
            message(
                422,
                r#"{"message": "Bad\n\u202Eone", "errors": [{"field": "title"}]}"#
            ),
            r#"Bad one: [{"field":"title"}]"#
        );
        assert_eq!(
            message(403, r#"{"message": "Not accessible"}"#),
            "Not allowed. The provider says: Not accessible"
        );
        assert_eq!(
            message(500, "<html>"),
            "the provider answered 500 Internal Server Error"
        );
        let long = json!({"message": "x".repeat(9999)}).to_string();
        assert_eq!(message(500, &long).chars().count(), LONGEST_MESSAGE + 1);
    }

    #[test]
    fn a_refusal_inside_a_200_is_found_by_a_rule_without_status() {
        let rules = ErrorRules::new(
            serde_json::from_value(json!([
                {"when": {"body": {"path": "error", "in": ["invalid_auth", "token_revoked"]}}, "is": "token_invalid"},
                {"when": {"body": {"path": "ok", "equals": "false"}}, "is": "invalid"},
            ]))
            .unwrap(),
            Vec::new(),
        );
        let kind = |body: &str| refusal(&rules, 200, &[], body).map(|refusal| refusal.kind);
        assert_eq!(kind(r#"{"ok": true}"#), None);
        assert_eq!(
            kind(r#"{"ok": false, "error": "token_revoked"}"#),
            Some(RefusalKind::TokenInvalid)
        );
        assert_eq!(
            kind(r#"{"ok": false, "error": "x"}"#),
            Some(RefusalKind::Invalid)
        );
    }

    #[test]
    fn what_no_rule_knows_cannot_be_declared() {
        let rule = json!({"when": {"status": 418}, "is": "other"});
        assert!(serde_json::from_value::<ErrorRule>(rule).is_err());
    }

    #[test]
    fn a_refusal_in_plain_text_is_read_and_one_in_html_is_not() {
        let rules = json!([{"when": {"status": 400, "body": {"path": ".", "matches": "scope"}}, "is": "scope_missing"}]);
        let rules = ErrorRules::new(serde_json::from_value(rules).unwrap(), Vec::new());
        let body = "Error in call: your app needs the scope 'files.read'\u{202E}\n";
        let plain = refusal(
            &rules,
            400,
            &[("content-type", "text/plain; charset=utf-8")],
            body,
        )
        .unwrap();
        assert_eq!(plain.kind, RefusalKind::ScopeMissing);
        assert_eq!(
            plain.message,
            "Error in call: your app needs the scope 'files.read'"
        );
        let html = refusal(&rules, 400, &[("content-type", "text/html")], body).unwrap();
        assert_eq!(html.kind, RefusalKind::Other);
        assert_eq!(html.message, "the provider answered 400 Bad Request");
    }
}
