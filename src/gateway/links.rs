//! The gateway's own addresses, all in one place and all built from the one configured public URL.
//!
//! Invariant: nothing here reads a request. `Host` and forwarded headers never become part of an address.

use url::Url;

use crate::base::{ConnectionId, Secret};

/// Builds addresses under the public URL.
#[derive(Clone, Debug)]
pub struct Links {
    /// Scheme, host and port, without a trailing slash.
    origin: String,
}

/// Why a public URL cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublicUrlProblem {
    /// It does not parse, or is no http(s) URL with a host.
    #[error("`{0}` is not a web address; write it like https://attache.example.com")]
    Unreadable(String),
    /// It has more than an origin.
    #[error("`{0}` has more than scheme, host and port; Attache must live at the root of its host")]
    NotAnOrigin(String),
    /// Plain HTTP on a host that is not this machine.
    #[error(
        "`{0}` is plain http on a host that is not this machine; sign-in cookies need https there"
    )]
    Insecure(String),
}

impl Links {
    /// Addresses under `public_url`.
    ///
    /// # Errors
    /// [`PublicUrlProblem`] when it is not an origin that browsers will send secure cookies to.
    pub fn new(public_url: &str) -> Result<Self, PublicUrlProblem> {
        let unreadable = || PublicUrlProblem::Unreadable(public_url.to_owned());
        let url = Url::parse(public_url).map_err(|_| unreadable())?;
        let host = url.host().ok_or_else(unreadable)?;
        let loopback = match host {
            url::Host::Domain(name) => name == "localhost",
            url::Host::Ipv4(address) => address.is_loopback(),
            url::Host::Ipv6(address) => address.is_loopback(),
        };
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => return Err(PublicUrlProblem::Insecure(public_url.to_owned())),
            _ => return Err(unreadable()),
        }
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !bare || !url.username().is_empty() || url.password().is_some() {
            return Err(PublicUrlProblem::NotAnOrigin(public_url.to_owned()));
        }
        Ok(Self {
            origin: url.origin().ascii_serialization(),
        })
    }

    /// The origin itself, as browsers send it in `Origin`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Host and port, as clients send them in `Host`.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.origin
            .split_once("://")
            .map_or("", |(_, authority)| authority)
    }

    /// Where MCP clients connect.
    #[must_use]
    pub fn mcp(&self) -> String {
        format!("{}/mcp", self.origin)
    }

    /// Where clients of the HTTP+SSE transport of 2024-11-05 connect.
    #[must_use]
    pub fn sse(&self) -> String {
        format!("{}/sse", self.origin)
    }

    /// The Connections page.
    #[must_use]
    pub fn connections(&self) -> String {
        format!("{}/connections", self.origin)
    }

    /// A connect link.
    #[must_use]
    pub fn connect(&self, ticket: &Secret) -> String {
        format!("{}/connect/{}", self.origin, ticket.expose())
    }

    /// The path of a connect link, for pages of this very gateway.
    #[must_use]
    pub fn connect_path(&self, ticket: &Secret) -> String {
        self.connect(ticket)[self.origin.len()..].to_owned()
    }

    /// A one-time sign-in link.
    #[must_use]
    pub fn sign_in(&self, token: &Secret) -> String {
        format!("{}/sign-in/{}", self.origin, token.expose())
    }

    /// Where the issuer that people sign in with sends them back: a redirect URI of its own (mix-up defence).
    #[must_use]
    pub fn sign_in_callback(&self) -> String {
        format!("{}/sign-in/callback", self.origin)
    }

    /// The page on which people sign in.
    #[must_use]
    pub fn sign_in_page(&self) -> String {
        format!("{}/sign-in", self.origin)
    }

    /// The redirect URI of one provider, its own for each (mix-up defence).
    #[must_use]
    pub fn callback(&self, service: &str) -> String {
        format!("{}/oauth/callback/{service}", self.origin)
    }

    /// The page that asks before a connection is disconnected.
    #[must_use]
    pub fn disconnect(&self, connection: &ConnectionId) -> String {
        format!("{}/connections/{connection}/disconnect", self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_an_origin_that_cookies_are_safe_on() {
        for good in [
            "https://attache.example.com",
            "http://127.0.0.1:8080/",
            "http://localhost:1",
            "http://[::1]:80",
        ] {
            assert!(Links::new(good).is_ok(), "{good}");
        }
        assert_eq!(
            Links::new("https://A.example.com:443/").unwrap().mcp(),
            "https://a.example.com/mcp"
        );
        for (bad, expected) in [
            ("attache", PublicUrlProblem::Unreadable("attache".into())),
            ("ftp://x", PublicUrlProblem::Unreadable("ftp://x".into())),
            (
                "https://x/base",
                PublicUrlProblem::NotAnOrigin("https://x/base".into()),
            ),
            (
                "https://u:p@x",
                PublicUrlProblem::NotAnOrigin("https://u:p@x".into()),
            ),
            (
                "http://attache.example.com",
                PublicUrlProblem::Insecure("http://attache.example.com".into()),
            ),
        ] {
            assert_eq!(Links::new(bad).unwrap_err(), expected);
        }
    }
}
