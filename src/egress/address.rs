//! Whether a URL may be reached, judged on what the URL standard makes of it.
//!
//! `127.1`, `0x7f000001`, `①②⑦.0.0.1` and `%31%32%37.0.0.1` are all 127.0.0.1 once parsed; only the parsed host is
//! looked at. A host that is a name is judged a second time by the resolver, on its addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::Uri;
use thiserror::Error;
use url::{Host, Url};

use super::error::{AddressRefusal, EgressError};
use super::public_address::{is_loopback, is_public};

/// The side of the guard on which an address lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The public internet, over TLS.
    Public,
    /// This machine, because the settings name this very authority.
    Loopback,
}

/// An address that may be reached, provided that its name resolves on the right side.
#[derive(Debug)]
pub(super) struct Destination {
    pub(super) url: Url,
    pub(super) reach: Reach,
    /// Scheme, host and port: all of a URL that may stand in a message.
    pub(super) origin: String,
}

/// Judges URLs before anything is looked up or connected.
#[derive(Debug)]
pub(super) struct AddressGuard {
    allowed_loopback: Vec<LoopbackAuthority>,
}

impl AddressGuard {
    pub(super) fn new(allowed_loopback: Vec<LoopbackAuthority>) -> Self {
        Self { allowed_loopback }
    }

    /// Lets `uri` through, or says why not.
    pub(super) fn admit(&self, uri: &Uri) -> Result<Destination, EgressError> {
        let refuse = |address: &str, reason| EgressError::AddressRefused {
            address: address.to_owned(),
            reason,
        };
        let Ok(url) = Url::parse(&uri.to_string()) else {
            return Err(refuse("a malformed address", AddressRefusal::NotAbsolute));
        };
        let origin = url.origin().ascii_serialization();
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("a non-HTTP address", AddressRefusal::Scheme));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse(&origin, AddressRefusal::UserInfo));
        }
        if url.path() != uri.path() {
            return Err(refuse(&origin, AddressRefusal::PathIsRewritten));
        }
        match self.reach_of(&url) {
            Ok(reach) => Ok(Destination { url, reach, origin }),
            Err(reason) => Err(refuse(&origin, reason)),
        }
    }

    fn reach_of(&self, url: &Url) -> Result<Reach, AddressRefusal> {
        let host = url.host().ok_or(AddressRefusal::NotAbsolute)?;
        let port = url.port_or_known_default();
        if self
            .allowed_loopback
            .iter()
            .any(|allowed| allowed.host == host && Some(allowed.port) == port)
        {
            return Ok(Reach::Loopback);
        }
        if literal(&host).is_some_and(|address| !is_public(address)) {
            return Err(AddressRefusal::LiteralIsNotPublic);
        }
        if matches!(host, Host::Domain(name) if is_localhost(name)) {
            return Err(AddressRefusal::NameIsNotPublic);
        }
        if url.scheme() != "https" {
            return Err(AddressRefusal::Scheme);
        }
        Ok(Reach::Public)
    }
}

/// Names that mean this machine by definition (RFC 6761 section 6.3), whatever a resolver makes of them.
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

fn literal<S>(host: &Host<S>) -> Option<IpAddr> {
    match host {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some((*address).into()),
        Host::Ipv6(address) => Some((*address).into()),
    }
}

/// One `host:port` of this machine, such as `localhost:9123`. Matches a URL whose host and port are exactly these; the
/// host must be a loopback address, or a name that resolves to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopbackAuthority {
    host: Host,
    port: u16,
}

/// Why a text is no [`LoopbackAuthority`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LoopbackAuthorityError {
    /// No host, no port, or something else beside them.
    #[error("write it as host:port, such as localhost:9123 or [::1]:9123")]
    Shape,
    /// An address of another machine.
    #[error(
        "only loopback addresses can be allowed: 127.0.0.0/8, [::1], or a name for one of them"
    )]
    NotLoopback,
}

impl FromStr for LoopbackAuthority {
    type Err = LoopbackAuthorityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = text.rsplit_once(':').ok_or(LoopbackAuthorityError::Shape)?;
        let host = Host::parse(host).map_err(|_| LoopbackAuthorityError::Shape)?;
        let port = match port.parse() {
            Ok(0) | Err(_) => return Err(LoopbackAuthorityError::Shape),
            Ok(port) => port,
        };
        if literal(&host).is_some_and(|address| !is_loopback(address)) {
            return Err(LoopbackAuthorityError::NotLoopback);
        }
        Ok(Self { host, port })
    }
}

impl fmt::Display for LoopbackAuthority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(guard: &AddressGuard, uri: &str) -> Option<AddressRefusal> {
        match guard.admit(&uri.parse().unwrap()) {
            Ok(_) => None,
            Err(EgressError::AddressRefused { reason, .. }) => Some(reason),
            Err(other) => panic!("{uri}: {other}"),
        }
    }

    #[test]
    fn only_tls_to_public_hosts_and_the_exact_loopback_authority_pass() {
        let guard = AddressGuard::new(vec!["localhost:9123".parse().unwrap()]);
        for uri in [
            "https://api.example.com/v1?x=1",
            "https://api.example.com:8443/",
            "https://8.8.8.8/",
            "http://localhost:9123/token",
            "https://localhost:9123/token",
        ] {
            assert_eq!(refusal(&guard, uri), None, "{uri}");
        }
        for (uri, reason) in [
            ("http://api.example.com/", AddressRefusal::Scheme),
            ("ftp://api.example.com/", AddressRefusal::Scheme),
            ("ws://api.example.com/", AddressRefusal::Scheme),
            ("/v1/relative", AddressRefusal::NotAbsolute),
            ("http://localhost:9124/", AddressRefusal::NameIsNotPublic),
            ("https://a.localhost./", AddressRefusal::NameIsNotPublic),
            ("http://127.0.0.1:9123/", AddressRefusal::LiteralIsNotPublic),
            ("https://10.1.2.3/", AddressRefusal::LiteralIsNotPublic),
            ("https://[fd00::1]/", AddressRefusal::LiteralIsNotPublic),
            ("https://user@api.example.com/", AddressRefusal::UserInfo),
            ("https://u:p@api.example.com/", AddressRefusal::UserInfo),
            ("http://x@localhost:9123/", AddressRefusal::UserInfo),
            (
                "https://api.example.com/a/../b",
                AddressRefusal::PathIsRewritten,
            ),
            (
                "https://api.example.com/a/%2e%2E/b",
                AddressRefusal::PathIsRewritten,
            ),
        ] {
            assert_eq!(refusal(&guard, uri), Some(reason), "{uri}");
        }
    }

    #[test]
    fn messages_name_the_origin_and_nothing_else_of_the_url() {
        let error = AddressGuard::new(vec![])
            .admit(
                &"https://alice:hunter2@10.0.0.1/p?token=hunter3"
                    .parse()
                    .unwrap(),
            )
            .unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("https://10.0.0.1"), "{shown}");
        assert!(
            !shown.contains("hunter") && !shown.contains("alice"),
            "{shown}"
        );
    }

    #[test]
    fn a_loopback_authority_is_a_loopback_host_with_a_port() {
        for text in [
            "localhost:9123",
            "127.0.0.1:1",
            "[::1]:65535",
            "sandbox.test:80",
        ] {
            assert_eq!(text.parse::<LoopbackAuthority>().unwrap().to_string(), text);
        }
        for text in [
            "localhost",
            "localhost:",
            "localhost:0",
            "localhost:65536",
            ":80",
            "a b:80",
            "localhost:80/x",
        ] {
            assert_eq!(
                text.parse::<LoopbackAuthority>(),
                Err(LoopbackAuthorityError::Shape),
                "{text}"
            );
        }
        for text in ["10.0.0.1:80", "8.8.8.8:80", "0.0.0.0:80", "[fd00::1]:80"] {
            assert_eq!(
                text.parse::<LoopbackAuthority>(),
                Err(LoopbackAuthorityError::NotLoopback),
                "{text}"
            );
        }
    }
}
