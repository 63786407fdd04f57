//! Headers that a provider wants with every request, and which headers no file may set. Constant: no argument comes here.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

/// Headers that belong to others: the connection, the credential, the cookie jar.
const NOT_OURS: [&str; 14] = [
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A name that a file may set.
pub(super) fn header_name(name: &str) -> Result<HeaderName, String> {
    let parsed = HeaderName::try_from(name)
        .map_err(|_| format!("`{}` is no header name", name.escape_default()))?;
    if NOT_OURS.contains(&parsed.as_str()) {
        return Err(format!(
            "the header `{name}` cannot be set by a provider file: it belongs to the connection or the credential"
        ));
    }
    Ok(parsed)
}

/// Headers as the file writes them, checked once.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
pub(super) struct ConstantHeaders(HeaderMap);

/// Whether a header belongs to the connection or the credential.
pub(super) fn is_not_ours(name: &HeaderName) -> bool {
    NOT_OURS.contains(&name.as_str())
}

impl ConstantHeaders {
    /// The headers.
    pub(super) fn map(&self) -> &HeaderMap {
        &self.0
    }

    /// Names and values, for the `oauth` floor.
    pub(super) fn pairs(&self) -> Vec<(String, String)> {
        self.0
            .iter()
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect()
    }
}

impl TryFrom<BTreeMap<String, String>> for ConstantHeaders {
    type Error = String;

    fn try_from(headers: BTreeMap<String, String>) -> Result<Self, String> {
        let mut map = HeaderMap::with_capacity(headers.len());
        for (name, value) in headers {
            let parsed = header_name(&name)?;
            if !value
                .bytes()
                .all(|byte| byte == b' ' || byte.is_ascii_graphic())
            {
                return Err(format!(
                    "the value of the header `{name}` has a character that is not visible ASCII"
                ));
            }
            let value = HeaderValue::try_from(value)
                .map_err(|_| format!("the value of the header `{name}` cannot be sent"))?;
            map.insert(parsed, value);
        }
        Ok(Self(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str, value: &str) -> Result<ConstantHeaders, String> {
        BTreeMap::from([(name.to_owned(), value.to_owned())]).try_into()
    }

    #[test]
    fn ordinary_headers_pass() {
        let headers = parse("accept", "text/plain").unwrap();
        assert_eq!(headers.map()["accept"], "text/plain");
        assert_eq!(
            headers.pairs(),
            [("accept".to_owned(), "text/plain".to_owned())]
        );
    }

    #[test]
    fn headers_of_others_and_smuggled_lines_are_refused() {
        for name in NOT_OURS {
            assert!(parse(name, "x").is_err() && parse(&name.to_uppercase(), "x").is_err());
        }
        for value in ["a\r\nB: c", "a\nb", "a\0", "é", "\t"] {
            assert!(parse("X-A", value).is_err(), "{value:?}");
        }
        assert!(parse("X A", "x").is_err() && parse("", "x").is_err());
    }
}
