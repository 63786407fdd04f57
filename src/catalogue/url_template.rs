//! Addresses of a provider file: a scheme, a host with places for variables, a port, a path.
//!
//! A variable may choose among the hosts that the file allows, never leave them: after rendering, the address is parsed
//! again and must say exactly what the template promised.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use url::Url;

use super::RenderError;
use super::path_template::PathTemplate;
use super::placeholder::{Piece, braces, is_name, pieces};

/// The values of variables, by name.
pub(super) type Values = BTreeMap<String, String>;

/// `https://{subdomain}.example.com:8443/api`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct UrlTemplate {
    source: String,
    pub(super) scheme: Scheme,
    pub(super) host: HostTemplate,
    port: Option<HostTemplate>,
    pub(super) path: PathTemplate,
}

/// The schemes that a provider may be reached by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// `{subdomain}.example.com`: a host, or a port, with places for variables.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct HostTemplate {
    source: String,
    pieces: Vec<Piece>,
}

impl TryFrom<String> for HostTemplate {
    type Error = String;

    fn try_from(source: String) -> Result<Self, String> {
        let pieces = pieces(&source)?;
        for piece in &pieces {
            match piece {
                Piece::Text(text) if text.bytes().all(is_host_byte) => {}
                Piece::Text(text) => {
                    return Err(format!(
                        "`{text}` is no part of a host: use a-z, 0-9, `-` and `.`, without scheme, port or path"
                    ));
                }
                Piece::Braces(name) if is_name(name) => {}
                Piece::Braces(name) => return Err(format!("`{{{name}}}` names no variable")),
            }
        }
        if pieces.is_empty() {
            return Err("the host is empty".to_owned());
        }
        Ok(Self { source, pieces })
    }
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.'
}

impl HostTemplate {
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        braces(&self.pieces)
    }

    /// Whether it is nothing but a variable, so that only the variable's own pattern says which hosts are meant.
    pub(super) fn is_bare_variable(&self) -> bool {
        matches!(self.pieces.as_slice(), [Piece::Braces(_)])
    }

    /// Fills the variables in; no label may come out empty.
    pub(super) fn render(&self, values: &Values) -> Result<String, RenderError> {
        let mut host = String::with_capacity(self.source.len() + 16);
        for piece in &self.pieces {
            host.push_str(match piece {
                Piece::Text(text) => text,
                Piece::Braces(name) => {
                    values.get(name).ok_or_else(|| RenderError::missing(name))?
                }
            });
        }
        if host.split('.').any(str::is_empty) {
            return Err(RenderError::AddressChanged {
                expected: self.source.clone(),
            });
        }
        Ok(host)
    }
}

impl TryFrom<String> for UrlTemplate {
    type Error = String;

    fn try_from(source: String) -> Result<Self, String> {
        let (scheme, rest) = if let Some(rest) = source.strip_prefix("https://") {
            (Scheme::Https, rest)
        } else if let Some(rest) = source.strip_prefix("http://") {
            (Scheme::Http, rest)
        } else {
            return Err(format!(
                "the address `{source}` does not start with `https://`"
            ));
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        };
        let path = PathTemplate::parse(path)?;
        if let Some(place) = path
            .places()
            .find(|place| place.quoter.is_some() || !is_name(&place.name))
        {
            return Err(format!("`{{{}}}` names no variable", place.name));
        }
        Ok(Self {
            scheme,
            path,
            host: HostTemplate::try_from(host.to_owned())?,
            port: port
                .map(|port| HostTemplate::try_from(port.to_owned()))
                .transpose()?,
            source,
        })
    }
}

impl UrlTemplate {
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// The address in two: scheme, host and port, and the path behind them.
    pub(super) fn split(&self) -> Result<(Self, String), String> {
        let authority = self.source.find("://").map_or(0, |at| at + 3);
        let path = self.source[authority..].find('/');
        let end = path.map_or(self.source.len(), |at| authority + at);
        let (origin, path) = self.source.split_at(end);
        Ok((Self::try_from(origin.to_owned())?, path.to_owned()))
    }

    /// Every variable that is named, in the host, the port or the path.
    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        self.host
            .variables()
            .chain(self.port.iter().flat_map(HostTemplate::variables))
            .chain(self.path.places().map(|place| place.name.as_str()))
    }

    /// Fills the variables in; the address is one of the `allowed` hosts and otherwise the one that was promised.
    pub(super) fn render(&self, values: &Values, allowed: &[String]) -> Result<Url, RenderError> {
        self.prove(values, allowed).map(|(_, url)| url)
    }

    /// The same as the text that the file writes: an issuer is compared as an exact string, without a slash that a URL
    /// parser would add (RFC 9207 section 2.4).
    pub(super) fn render_text(
        &self,
        values: &Values,
        allowed: &[String],
    ) -> Result<String, RenderError> {
        self.prove(values, allowed).map(|(text, _)| text)
    }

    fn prove(&self, values: &Values, allowed: &[String]) -> Result<(String, Url), RenderError> {
        let host = self.host.render(values)?;
        let path = self.path.render(|name| {
            let value = values.get(name);
            Ok(value.map(|value| Cow::Borrowed(value.as_str())))
        })?;
        let port = self
            .port
            .as_ref()
            .map(|port| port.render(values))
            .transpose()?;
        let mut expected = format!("{}://{host}", self.scheme.as_str());
        if let Some(port) = &port {
            expected = format!("{expected}:{port}");
        }
        expected.push_str(&path);
        let number = match &port {
            None => Some(self.scheme.default_port()),
            Some(port) => port.parse::<u16>().ok().filter(|number| *number > 0),
        };
        let is_as_promised = |url: &Url| {
            url.scheme() == self.scheme.as_str()
                && url.host_str() == Some(host.as_str())
                && number.is_some()
                && url.port_or_known_default() == number
                && url.path() == if path.is_empty() { "/" } else { path.as_str() }
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
                && url.password().is_none()
        };
        let Some(url) = Url::parse(&expected).ok().filter(is_as_promised) else {
            return Err(RenderError::AddressChanged { expected });
        };
        if allowed.contains(&host) {
            Ok((expected, url))
        } else {
            Err(RenderError::HostNotAllowed { host })
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn template(source: &str) -> UrlTemplate {
        UrlTemplate::try_from(source.to_owned()).unwrap()
    }

    fn render(source: &str, value: &str, allowed: &str) -> Result<Url, RenderError> {
        let values = Values::from([("x".to_owned(), value.to_owned())]);
        let allowed = HostTemplate::try_from(allowed.to_owned()).unwrap();
        template(source).render(&values, &[allowed.render(&values)?])
    }

    #[test]
    fn an_address_is_filled_in() {
        let url = render("https://{x}.example.com/api", "acme", "{x}.example.com").unwrap();
        assert_eq!(url.as_str(), "https://acme.example.com/api");
        let url = render("http://localhost:{x}/api", "8080", "localhost").unwrap();
        assert_eq!(url.as_str(), "http://localhost:8080/api");
        let url = render("https://example.com/{x}/token", "a/b", "example.com").unwrap();
        assert_eq!(url.as_str(), "https://example.com/a%2Fb/token");
    }

    #[test]
    fn a_host_that_is_not_allowed_is_refused() {
        assert_eq!(
            render("https://evil.example/api", "a", "good.example"),
            Err(RenderError::HostNotAllowed {
                host: "evil.example".into()
            })
        );
    }

    #[test]
    fn hostile_values_never_move_the_host_or_the_port() {
        for value in [
            "evil.com/",
            "evil.com#",
            "evil.com?",
            "x@evil.com",
            "x:y@evil.com",
            "evil.com\\",
            "EVIL",
            "a b",
            "",
            "a\n",
            "%61",
            "①",
            "evil.com:80",
        ] {
            let rendered = render("https://{x}.example.com/api", value, "{x}.example.com");
            assert!(rendered.is_err(), "{value:?} {rendered:?}");
        }
        for value in ["0", "65536", "80/", "80@evil.com", "", " 80", "x"] {
            assert!(
                render("http://localhost:{x}/api", value, "localhost").is_err(),
                "{value:?}"
            );
        }
        for spelling in ["2130706433", "0x7f000001", "127.1", "0177.0.0.1"] {
            assert!(
                render("https://{x}/api", spelling, "{x}").is_err(),
                "{spelling}"
            );
        }
    }

    #[test]
    fn malformed_addresses_are_refused() {
        for source in [
            "ftp://a.example",
            "javascript:alert(1)",
            "javascript://a.example/%0aalert(1)",
            "file:///etc/passwd",
            "data:text/html,x",
            "HTTPS://a.example",
            " https://a.example",
            "ws://a.example",
            "//a.example",
            "https://",
            "https://u@a.example",
            "https://A.example",
            "https://[::1]/",
            "https://a.example/?q",
            "https://a.example/x/../y",
            "https://{X}.example",
            "https://a.example/{x|plain}",
            "https://a.example/{item.id}",
        ] {
            assert!(
                UrlTemplate::try_from(source.to_owned()).is_err(),
                "{source}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_variable_moves_the_address(value in "\\PC*") {
            if let Ok(url) = render("https://{x}.example.com:8443/api", &value, "{x}.example.com") {
                prop_assert_eq!(url.scheme(), "https");
                prop_assert_eq!(url.port(), Some(8443));
                prop_assert_eq!(url.path(), "/api");
                prop_assert_eq!(url.host_str().unwrap(), format!("{value}.example.com"));
            }
        }
    }
}
