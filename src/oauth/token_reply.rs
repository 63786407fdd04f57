//! What providers really answer at the token endpoint, read into one form.
//!
//! Real replies are JSON or form-encoded, nest their fields, refuse with status 200, leave out `token_type`, and write
//! numbers as text. Hostile ones are web pages, bombs, and tokens that would split a header. The rules of a provider
//! file say where things stand; what is acceptable is decided here, once.

use std::time::Duration;

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::TokenError;
use super::provider_text::clean;
use crate::base::Secret;
use crate::catalogue::{LifetimeSource, ReplyFormat, ScopeSet, ScopeSource, TokenReplyRules};

/// The longest lifetime that is believed: ten years.
pub(super) const MAX_LIFETIME: Duration = Duration::from_hours(10 * 365 * 24);
/// The longest pause that a provider can ask for: a day.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);
/// The longest value that is kept of a reply besides its tokens.
const MAX_CAPTURED_BYTES: usize = 512;
const MAX_TOKEN_BYTES: usize = 16 << 10;

/// Which request a reply answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    /// A code for tokens.
    Exchange,
    /// A refresh token for a new access token.
    Refresh,
}

/// Reads the reply to a token request and writes it in the form of RFC 6749 section 5.1. `secrets` are those of the
/// request.
pub(super) fn standardise(
    reply: &Response<Vec<u8>>,
    rules: &TokenReplyRules,
    grant: Grant,
    secrets: &[&Secret],
) -> Result<Value, TokenError> {
    let status = reply.status();
    if let Some(unavailable) = unavailable(status, reply.headers()) {
        return Err(unavailable);
    }
    // Error pages and refusals are written by other parts of a provider than tokens are.
    let format = if status.is_client_error() {
        ReplyFormat::Auto
    } else {
        rules.format
    };
    let fields = match fields(reply, format) {
        Err(reason) => return Err(unreadable(status, reason)),
        Ok(fields) => fields,
    };
    if let Some(refusal) = refusal(status, &fields, rules, secrets) {
        return Err(match grant {
            Grant::Exchange => refusal,
            Grant::Refresh => in_words_of_the_rfc(refusal, rules),
        });
    }
    if status.is_client_error() {
        return Err(TokenError::Refused {
            status: status.as_u16(),
            error: None,
            description: description(&fields, rules, secrets),
        });
    }
    if !status.is_success() {
        return Err(unreadable(status, "it is a redirect"));
    }
    if fields.is_empty() {
        return Err(unreadable(status, "it is empty"));
    }
    token_fields(&fields, rules, grant)
}

/// An overloaded or broken provider, whatever the body says.
pub(super) fn unavailable(status: StatusCode, headers: &HeaderMap) -> Option<TokenError> {
    if !status.is_server_error() && !matches!(status.as_u16(), 408 | 425 | 429) {
        return None;
    }
    let seconds = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok());
    Some(TokenError::Unavailable {
        status: status.as_u16(),
        retry_after: seconds.map(|seconds: u64| Duration::from_secs(seconds).min(MAX_RETRY_AFTER)),
    })
}

/// The refusal in a reply of any status: an error code, or the flag that says that it did not work.
pub(super) fn refusal(
    status: StatusCode,
    fields: &Map<String, Value>,
    rules: &TokenReplyRules,
    secrets: &[&Secret],
) -> Option<TokenError> {
    let error = match find(fields, &rules.error).or_else(|| fields.get("error")) {
        None | Some(Value::Null | Value::Bool(false)) => None,
        Some(Value::String(code)) if code.is_empty() => None,
        Some(Value::String(code)) => Some(clean(code, secrets)),
        Some(_) => Some("unspecified".to_owned()),
    };
    let says_no = rules
        .ok
        .as_deref()
        .and_then(|path| find(fields, path))
        .is_some_and(|ok| *ok == Value::Bool(false) || *ok == "false");
    if error.is_none() && !says_no {
        return None;
    }
    Some(TokenError::Refused {
        status: status.as_u16(),
        error,
        description: description(fields, rules, secrets),
    })
}

/// A provider's own word for a dead refresh token becomes `invalid_grant` (RFC 6749 section 5.2); the word stays in the
/// description.
fn in_words_of_the_rfc(refusal: TokenError, rules: &TokenReplyRules) -> TokenError {
    match refusal {
        TokenError::Refused {
            status,
            error: Some(code),
            description,
        } if rules.dead_grant.contains(&code) => TokenError::Refused {
            status,
            error: Some("invalid_grant".to_owned()),
            description: description.or(Some(code)),
        },
        other => other,
    }
}

/// Whether the field at `path` is there and true.
pub(super) fn is_true(fields: &Map<String, Value>, path: &str) -> bool {
    find(fields, path).is_some_and(|value| *value == Value::Bool(true) || *value == "true")
}

/// The fields of a reply: a JSON object, or form-encoded pairs as an object of texts. An empty body has none.
pub(super) fn fields(
    reply: &Response<Vec<u8>>,
    format: ReplyFormat,
) -> Result<Map<String, Value>, &'static str> {
    let body = reply.body();
    let body = body
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(body)
        .trim_ascii();
    let takes_form = match format {
        ReplyFormat::Auto => is_form(reply.headers(), body),
        ReplyFormat::Json => false,
        ReplyFormat::Form => body.contains(&b'='),
    };
    match body.first() {
        None => Ok(Map::new()),
        Some(b'{') if format == ReplyFormat::Form => Err("it is JSON and not form-encoded"),
        Some(b'{') => serde_json::from_slice(body)
            .map_err(|_| "it is damaged JSON, or JSON that is nested too deeply"),
        Some(b'<') => Err("it is a web page"),
        Some(_) if takes_form => Ok(form_urlencoded::parse(body)
            .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
            .collect()),
        Some(_) => Err(match format {
            ReplyFormat::Auto => "it is neither a JSON object nor form-encoded",
            ReplyFormat::Json => "it is not a JSON object",
            ReplyFormat::Form => "it is not form-encoded",
        }),
    }
}

/// Some providers call form-encoded pairs plain text, or nothing at all.
fn is_form(headers: &HeaderMap, body: &[u8]) -> bool {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_ascii_lowercase();
    let could_be = content_type.is_empty()
        || content_type.starts_with("text/plain")
        || content_type.starts_with("application/x-www-form-urlencoded");
    could_be && body.contains(&b'=') && body.iter().all(u8::is_ascii_graphic)
}

fn token_fields(
    fields: &Map<String, Value>,
    rules: &TokenReplyRules,
    grant: Grant,
) -> Result<Value, TokenError> {
    let mut places = Places::of(rules);
    if grant == Grant::Refresh && present(fields, places.access_token).is_none() {
        // Providers that nest the fields of an exchange mostly do not nest those of a refresh. In an exchange the
        // standard place is not looked at: the token there can be another party's, a bot's for instance.
        places = Places::STANDARD;
    }
    let access_token = present(fields, places.access_token).ok_or(TokenError::NoAccessToken)?;
    check_token_type(fields, places.access_token, rules)?;
    let mut standard = json!({
        "access_token": usable_token(access_token, "access token")?,
        "token_type": "bearer",
    });
    if let Some(token) = present(fields, places.refresh_token) {
        standard["refresh_token"] = usable_token(token, "refresh token")?.into();
    }
    let announced = match rules.lifetime_from {
        LifetimeSource::Reply => find(fields, places.expires_in).and_then(lifetime),
        LifetimeSource::Introspection => None,
    };
    if let Some(lifetime) = announced.or(rules.lifetime) {
        standard["expires_in"] = lifetime.as_secs().into();
    }
    let announced = rules.refresh_expires_in.as_deref();
    if let Some(lifetime) = announced.and_then(|path| lifetime(find(fields, path)?)) {
        standard["refresh_expires_in"] = lifetime.as_secs().into();
    }
    let granted = match rules.scope_from {
        ScopeSource::Body => find(fields, places.scope).and_then(|scope| scopes(scope, rules)),
        ScopeSource::Callback | ScopeSource::None => None,
    };
    if let Some(scopes) = granted {
        standard["scope"] = scopes.to_string().into();
    }
    let captured = rules.captures.iter().filter_map(|(name, path)| {
        let value = present(fields, path)?.as_str()?;
        (value.len() <= MAX_CAPTURED_BYTES).then(|| (name.clone(), value.into()))
    });
    let captured: serde_json::Map<String, Value> = captured.collect();
    if !captured.is_empty() {
        standard["captured"] = captured.into();
    }
    Ok(standard)
}

/// Where the fields of a reply stand.
struct Places<'a> {
    access_token: &'a str,
    refresh_token: &'a str,
    expires_in: &'a str,
    scope: &'a str,
}

impl<'a> Places<'a> {
    /// RFC 6749 section 5.1.
    const STANDARD: Self = Self {
        access_token: "access_token",
        refresh_token: "refresh_token",
        expires_in: "expires_in",
        scope: "scope",
    };

    fn of(rules: &'a TokenReplyRules) -> Self {
        Self {
            access_token: &rules.access_token,
            refresh_token: &rules.refresh_token,
            expires_in: &rules.expires_in,
            scope: &rules.scope,
        }
    }
}

/// The value at a dotted path. A name that holds dots itself (form-encoded replies) is found as a whole.
fn find<'a>(fields: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    fields.get(path).or_else(|| {
        let (first, rest) = path.split_once('.')?;
        find(fields.get(first)?.as_object()?, rest)
    })
}

/// As [`find`], taking null and the empty text for absent.
fn present<'a>(fields: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    find(fields, path).filter(|value| !value.is_null() && **value != "")
}

/// The path of a field beside the one at `path`.
fn beside(path: &str, name: &str) -> String {
    match path.rsplit_once('.') {
        None => name.to_owned(),
        Some((parent, _)) => format!("{parent}.{name}"),
    }
}

/// Visible ASCII only: anything else could end the header that a token is sent in.
fn usable_token(value: &Value, token: &'static str) -> Result<String, TokenError> {
    match value {
        Value::String(text)
            if text.len() <= MAX_TOKEN_BYTES
                && text.bytes().all(|byte| byte.is_ascii_graphic()) =>
        {
            Ok(text.clone())
        }
        _ => Err(TokenError::UnusableToken { token }),
    }
}

/// RFC 6749 section 7.1: a type that is not understood must not be used. A missing one is bearer in practice. A provider
/// that keeps its token in a place of its own has words of its own for the type as well; there only the schemes
/// that need a proof of possession are refused.
fn check_token_type(
    fields: &Map<String, Value>,
    place: &str,
    rules: &TokenReplyRules,
) -> Result<(), TokenError> {
    let Some(found) = present(fields, &beside(place, "token_type")) else {
        return Ok(());
    };
    let token_type = found.as_str().unwrap_or("unspecified");
    let is_any_of = |names: &[&str]| {
        names
            .iter()
            .any(|name| token_type.eq_ignore_ascii_case(name))
    };
    let is_usable = if rules.access_token == Places::STANDARD.access_token {
        is_any_of(&["bearer"])
    } else {
        !is_any_of(&["mac", "pop", "dpop", "hok", "unspecified"])
    };
    if is_usable {
        return Ok(());
    }
    Err(TokenError::UnsupportedTokenType {
        token_type: clean(token_type, &[]),
    })
}

/// A number of seconds, however it is written, within zero and ten years; nothing when it is no number.
fn lifetime(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    if !seconds.is_finite() {
        return None;
    }
    Duration::try_from_secs_f64(seconds.clamp(0.0, MAX_LIFETIME.as_secs_f64())).ok()
}

/// The granted scopes as the callback says them, where it is the callback that says them. `parameter` finds the value of a
/// parameter that stands there once. `None`: it names nothing, which means as requested (RFC 6749 section 5.1).
#[must_use]
pub fn granted_in_callback<'p>(
    rules: &TokenReplyRules,
    parameter: impl FnOnce(&str) -> Option<&'p str>,
) -> Option<ScopeSet> {
    match rules.scope_from {
        ScopeSource::Body | ScopeSource::None => None,
        ScopeSource::Callback => {
            let text = parameter(&rules.scope)?;
            Some(in_alphabet(&ScopeSet::parse(text, &rules.scope_separators)))
        }
    }
}

/// The granted scopes: one text or a list of texts. Scopes outside the alphabet of RFC 6749 section 3.3 are not counted as granted.
fn scopes(value: &Value, rules: &TokenReplyRules) -> Option<ScopeSet> {
    let parse = |text: &str| ScopeSet::parse(text, &rules.scope_separators);
    let named = match value {
        Value::String(text) => parse(text),
        Value::Array(list) => list
            .iter()
            .filter_map(Value::as_str)
            .fold(ScopeSet::default(), |all, scope| all.union(&parse(scope))),
        _ => return None,
    };
    Some(in_alphabet(&named))
}

fn in_alphabet(scopes: &ScopeSet) -> ScopeSet {
    scopes
        .iter()
        .filter(|scope| scope.bytes().all(|byte| byte.is_ascii_graphic()))
        .collect()
}

fn description(
    fields: &Map<String, Value>,
    rules: &TokenReplyRules,
    secrets: &[&Secret],
) -> Option<String> {
    find(fields, &beside(&rules.error, "error_description"))
        .or_else(|| fields.get("error_description"))
        .and_then(Value::as_str)
        .map(|text| clean(text, secrets))
        .filter(|text| !text.is_empty())
}

fn unreadable(status: StatusCode, reason: &'static str) -> TokenError {
    TokenError::Unreadable {
        status: status.as_u16(),
        reason,
    }
}

#[cfg(test)]
mod tests;
