//! Cookies: `__Host-`, secure, out of reach of scripts, and sent along when a provider sends the browser back.
//!
//! `SameSite=Lax` and not `Strict`: the callback is a navigation from another site and needs them.

use axum::http::{HeaderMap, HeaderValue, header};
use cookie::time::Duration;
use cookie::{Cookie, SameSite};

use crate::base::Secret;

/// The signed-in browser.
pub(super) const SESSION: &str = "__Host-attache_session";

/// Where a browser wanted to go before it had to sign in.
pub(super) const RETURN: &str = "__Host-attache_return";

/// The value of a cookie, if the request carries it once.
pub(super) fn read(headers: &HeaderMap, name: &str) -> Option<Secret> {
    let lines = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok());
    let mut values = lines
        .flat_map(Cookie::split_parse)
        .flatten()
        .filter(|cookie| cookie.name() == name);
    let first = values.next()?;
    values.next().is_none().then(|| Secret::new(first.value()))
}

/// A cookie to set for so long.
pub(super) fn set(
    name: &str,
    value: &Secret,
    lifetime: std::time::Duration,
) -> Option<HeaderValue> {
    let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
    build(name, value.expose(), Duration::seconds(seconds))
}

/// A cookie to forget.
pub(super) fn clear(name: &str) -> Option<HeaderValue> {
    build(name, "", Duration::ZERO)
}

fn build(name: &str, value: &str, max_age: Duration) -> Option<HeaderValue> {
    let cookie = Cookie::build((name.to_owned(), value.to_owned()))
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Lax)
        .max_age(max_age)
        .build();
    HeaderValue::from_str(&cookie.to_string()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_bound_to_this_host_and_hidden_from_scripts() {
        let line = set(
            SESSION,
            &Secret::new("abc"),
            std::time::Duration::from_mins(1),
        )
        .unwrap();
        let line = line.to_str().unwrap();
        for part in [
            "__Host-attache_session=abc",
            "HttpOnly",
            "Secure",
            "SameSite=Lax",
            "Path=/",
            "Max-Age=60",
        ] {
            assert!(line.contains(part), "{line}");
        }
        assert!(!line.contains("Domain"));
    }

    #[test]
    fn a_cookie_that_comes_twice_counts_as_none() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; b=2"));
        assert!(read(&headers, "b") == Some(Secret::new("2")));
        headers.append(header::COOKIE, HeaderValue::from_static("b=3"));
        assert!(read(&headers, "b").is_none());
    }
}
