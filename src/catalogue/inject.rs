//! Where the access token goes when it is not an `Authorization: Bearer`.

use http::HeaderName;
use http::header::AUTHORIZATION;
use serde::Deserialize;

use super::constant_headers::header_name;

/// Where the access token goes in a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "InjectKeys")]
pub enum Inject {
    /// `Authorization: Bearer` (RFC 6750 section 2.1).
    #[default]
    Bearer,
    /// In a header: the text before the token, and the text behind it.
    Header {
        /// The header.
        name: HeaderName,
        /// What stands before the token.
        before: String,
        /// What stands behind it.
        after: String,
    },
    /// As a parameter of the query.
    Query {
        /// The parameter.
        name: String,
    },
}

/// Why `Authorization` does not stand alone.
const WITHOUT_SCHEME: &str = "`inject` with the header `Authorization` and no `value` would send the token without a \
     scheme: leave `inject` out for `Bearer`, or write `value` as the provider documents it, such as `OAuth {token}`, \
     or `{token}` where it really wants the token alone";

/// A header that a credential may stand in: no file sets those of the connection.
fn credential_header(name: &str) -> Result<HeaderName, String> {
    if name.eq_ignore_ascii_case(AUTHORIZATION.as_str()) {
        return Ok(AUTHORIZATION);
    }
    header_name(name)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InjectKeys {
    header: Option<String>,
    value: Option<String>,
    query: Option<String>,
}

impl TryFrom<InjectKeys> for Inject {
    type Error = String;

    fn try_from(keys: InjectKeys) -> Result<Self, String> {
        match (keys.header, keys.value, keys.query) {
            (Some(name), value, None) => {
                let name = credential_header(&name)?;
                if name == AUTHORIZATION && value.is_none() {
                    return Err(WITHOUT_SCHEME.to_owned());
                }
                let value = value.unwrap_or_else(|| "{token}".to_owned());
                let (before, after) = value
                    .split_once("{token}")
                    .ok_or("`value` of `inject` does not say where the `{token}` goes")?;
                let is_plain = |text: &str| {
                    text.bytes()
                        .all(|byte| byte == b' ' || byte.is_ascii_graphic())
                };
                if !is_plain(before) || !is_plain(after) || after.contains("{token}") {
                    return Err(
                        "`value` of `inject` is visible ASCII with one `{token}` in it".to_owned(),
                    );
                }
                Ok(Self::Header {
                    name,
                    before: before.to_owned(),
                    after: after.to_owned(),
                })
            }
            (None, None, Some(name)) if !name.is_empty() => Ok(Self::Query { name }),
            _ => Err("`inject` has either a `header` (with a `value`) or a `query`".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_has_one_place() {
        let parse = |value| serde_json::from_value::<Inject>(value);
        assert_eq!(
            parse(json!({"header": "X-Key", "value": "Token {token}"})).unwrap(),
            Inject::Header {
                name: HeaderName::from_static("x-key"),
                before: "Token ".to_owned(),
                after: String::new(),
            }
        );
        assert_eq!(
            parse(json!({"query": "key"})).unwrap(),
            Inject::Query {
                name: "key".to_owned()
            }
        );
        assert_eq!(
            parse(json!({"header": "authorization", "value": "{token}"})).unwrap(),
            Inject::Header {
                name: AUTHORIZATION,
                before: String::new(),
                after: String::new(),
            }
        );
        for name in ["Authorization", "AUTHORIZATION"] {
            let error = parse(json!({ "header": name })).unwrap_err();
            assert!(error.to_string().contains("without a scheme"), "{error}");
        }
        for bad in [
            json!({}),
            json!({"header": "Host"}),
            json!({"header": "Cookie", "value": "session={token}"}),
            json!({"header": "Proxy-Authorization", "value": "Bearer {token}"}),
            json!({"header": "X-Key", "value": "no place"}),
            json!({"header": "X-Key", "value": "{token}{token}"}),
            json!({"header": "X Key"}),
            json!({"header": "X-Key", "value": "a\r\nb: {token}"}),
            json!({"header": "X-Key", "query": "key"}),
            json!({"query": ""}),
            json!({"query": "key", "value": "{token}"}),
        ] {
            assert!(parse(bad.clone()).is_err(), "{bad}");
        }
    }
}
