//! Addresses of other sites, as a page may link to them.

use std::fmt;

use thiserror::Error;
use url::Url;

/// Why a text is not an address that a page may link to.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum InvalidAddress {
    /// It is not an absolute URL with a host.
    #[error("not a web address: write it out from https:// on ({0})")]
    Malformed(String),
    /// A link with this scheme could run code or open a file on the reader's machine.
    #[error("a link on a page must begin with https:// or http://, not {0}:")]
    Scheme(String),
}

/// An absolute `https` or `http` URL (plain `http` is for loopback; whoever made the address has judged that).
///
/// Printed as the WHATWG URL standard serializes it: quotes, spaces and angle brackets are percent-encoded, hosts are
/// in ASCII, so that look-alike letters show.
#[derive(Clone, PartialEq, Eq)]
pub struct WebAddress(Url);

impl WebAddress {
    /// Reads an address.
    ///
    /// # Errors
    /// [`InvalidAddress`] when it is not absolute, has no host, or has another scheme.
    pub fn parse(text: &str) -> Result<Self, InvalidAddress> {
        let url = Url::parse(text).map_err(|error| InvalidAddress::Malformed(error.to_string()))?;
        match url.scheme() {
            "https" | "http" => Ok(Self(url)),
            other => Err(InvalidAddress::Scheme(other.to_owned())),
        }
    }

    /// The host as a reader should check it, with the port when it is not the usual one.
    #[must_use]
    pub fn host(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        match self.0.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }
}

impl fmt::Display for WebAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.as_str())
    }
}

/// Shows the host alone: the rest may hold a `state` value.
impl fmt::Debug for WebAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "WebAddress({}…)", self.host())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_are_links() {
        for text in [
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "\u{1}javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
        ] {
            assert!(matches!(
                WebAddress::parse(text),
                Err(InvalidAddress::Scheme(_))
            ));
        }
        for text in ["/connections", "//evil.example", "https://", ""] {
            assert!(matches!(
                WebAddress::parse(text),
                Err(InvalidAddress::Malformed(_))
            ));
        }
    }

    #[test]
    fn it_prints_without_quotes_and_its_host_in_ascii() {
        let address = WebAddress::parse("https://c\u{043E}urier.example/a?b='\"><x>").unwrap();
        assert!(!address.to_string().contains(['\'', '"', '<', '>']));
        assert_eq!(address.host(), "xn--curier-wqf.example");
        let local = WebAddress::parse("http://localhost:9000/authorize?state=s3cret").unwrap();
        assert_eq!(local.host(), "localhost:9000");
        assert_eq!(format!("{local:?}"), "WebAddress(localhost:9000…)");
    }
}
