//! The access token in a request, and out of the reply.

use http::header::{AUTHORIZATION, HeaderValue};
use http::{Request, Response, Uri};
use url::{Url, form_urlencoded};

use super::UpstreamError;
use crate::base::Secret;
use crate::catalogue::Inject;

/// What stands in a reply where the service echoed the access token. As long as any real token is, it is never a
/// part of something else.
const WITHHELD: &str = "[access token withheld]";
/// Below this length a token could be a part of ordinary text.
const MIN_TOKEN_BYTES_TO_WITHHOLD: usize = 8;

/// Puts the token where the service wants it. A request that has something there already is refused.
pub(super) fn put(
    request: &mut Request<Vec<u8>>,
    access_token: &Secret,
    inject: &Inject,
) -> Result<(), UpstreamError> {
    let token = access_token.expose();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(UpstreamError::UnsendableToken);
    }
    let (name, value) = match inject {
        Inject::Bearer => (&AUTHORIZATION, format!("Bearer {token}")),
        Inject::Header {
            name,
            before,
            after,
        } => (name, format!("{before}{token}{after}")),
        Inject::Query { name } => return put_in_query(request, name, token),
    };
    if request.headers().contains_key(name) {
        return Err(UpstreamError::ReservedHeader { name: name.clone() });
    }
    let mut value = HeaderValue::from_str(&value).map_err(|_| UpstreamError::UnsendableToken)?;
    value.set_sensitive(true);
    request.headers_mut().insert(name, value);
    Ok(())
}

fn put_in_query(
    request: &mut Request<Vec<u8>>,
    name: &str,
    token: &str,
) -> Result<(), UpstreamError> {
    let unsendable = || UpstreamError::UnsendableToken;
    let mut url = Url::parse(&request.uri().to_string()).map_err(|_| unsendable())?;
    if url.query_pairs().any(|(given, _)| given == name) {
        let name = name.to_owned();
        return Err(UpstreamError::ReservedParameter { name });
    }
    url.query_pairs_mut().append_pair(name, token);
    *request.uri_mut() = Uri::try_from(url.as_str()).map_err(|_| unsendable())?;
    Ok(())
}

/// Replaces the token in a reply, as it is and as it stands in a query.
pub(super) fn withhold(reply: &mut Response<Vec<u8>>, access_token: &Secret) {
    let token = access_token.expose();
    withhold_text(reply, token.as_bytes());
    let encoded: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
    if encoded != token {
        withhold_text(reply, encoded.as_bytes());
    }
}

/// Whether a text has the token in it, in either form.
pub(super) fn is_in(text: &[u8], access_token: &Secret) -> bool {
    let token = access_token.expose();
    let encoded: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
    token.is_empty()
        || find(text, token.as_bytes()).is_some()
        || find(text, encoded.as_bytes()).is_some()
}

fn withhold_text(reply: &mut Response<Vec<u8>>, token: &[u8]) {
    if token.len() < MIN_TOKEN_BYTES_TO_WITHHOLD {
        return;
    }
    for value in reply.headers_mut().values_mut() {
        if find(value.as_bytes(), token).is_some() {
            *value = HeaderValue::from_static(WITHHELD);
        }
    }
    if find(reply.body(), token).is_none() {
        return;
    }
    let body = std::mem::take(reply.body_mut());
    let mut rest = body.as_slice();
    let mut clean = Vec::with_capacity(body.len());
    while let Some(start) = find(rest, token) {
        clean.extend_from_slice(&rest[..start]);
        clean.extend_from_slice(WITHHELD.as_bytes());
        rest = &rest[start + token.len()..];
    }
    clean.extend_from_slice(rest);
    *reply.body_mut() = clean;
}

fn find(bytes: &[u8], token: &[u8]) -> Option<usize> {
    bytes
        .windows(token.len())
        .position(|window| window == token)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TOKEN: &str = "at/0123+456789";

    fn put_into(uri: &str, inject: serde_json::Value) -> Result<Request<Vec<u8>>, UpstreamError> {
        let mut request = Request::get(uri)
            .header("x-taken", "x")
            .body(Vec::new())
            .unwrap();
        let inject: Inject = serde_json::from_value(inject).unwrap();
        put(&mut request, &Secret::new(TOKEN), &inject)?;
        Ok(request)
    }

    #[test]
    fn a_token_goes_where_the_file_says() {
        let header = json!({"header": "X-Key", "value": "Token {token};"});
        let request = put_into("https://a.example/x?y=1", header).unwrap();
        assert_eq!(request.headers()["x-key"], "Token at/0123+456789;");
        assert!(request.headers()["x-key"].is_sensitive());
        assert!(!request.headers().contains_key(AUTHORIZATION));
        let request = put_into("https://a.example/x?y=a+b", json!({"query": "key"})).unwrap();
        assert_eq!(
            request.uri().to_string(),
            "https://a.example/x?y=a+b&key=at%2F0123%2B456789"
        );
        assert!(!request.headers().contains_key(AUTHORIZATION));
    }

    #[test]
    fn a_place_that_is_taken_is_refused() {
        let error = put_into("https://a.example/", json!({"header": "X-Taken"})).unwrap_err();
        assert!(matches!(error, UpstreamError::ReservedHeader { .. }));
        let error = put_into("https://a.example/?key=1", json!({"query": "key"})).unwrap_err();
        assert!(matches!(error, UpstreamError::ReservedParameter { .. }));
        assert!(!error.request_was_sent());
    }

    #[test]
    fn a_token_of_a_query_is_withheld_in_both_spellings() {
        let body = format!("see https://a.example/x?key=at%2F0123%2B456789 and {TOKEN}");
        let mut reply = Response::builder()
            .header("link", "<https://a.example/?key=at%2F0123%2B456789&page=2>")
            .body(body.into_bytes())
            .unwrap();
        withhold(&mut reply, &Secret::new(TOKEN));
        assert_eq!(reply.headers()["link"], WITHHELD);
        assert_eq!(
            String::from_utf8(reply.into_body()).unwrap(),
            "see https://a.example/x?key=[access token withheld] and [access token withheld]"
        );
    }
}
