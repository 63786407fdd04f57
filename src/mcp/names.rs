//! Under which names the endpoints answer, and to which web pages: the defence against DNS rebinding, the same for every
//! HTTP transport. rmcp's own, which it has for streamable HTTP alone, stands behind it.
//!
//! Refuses to know who calls. Nothing in a request ever becomes part of an answer.

use std::sync::Arc;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, header};

/// The values of `Host` and `Origin` that are answered.
#[derive(Clone, Debug)]
pub(super) struct Names {
    authorities: Arc<[String]>,
    origin: Arc<str>,
}

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ForeignName {
    /// `Host` is missing, unreadable or not ours.
    #[error(
        "This gateway does not answer under that name: use the address that it printed at its start."
    )]
    Host,
    /// A web page of another site asks.
    #[error("Pages of other sites may not speak with this gateway.")]
    Origin,
}

impl ForeignName {
    /// As streamable HTTP wants it (MCP 2025-11-25, transports, "Security Warning").
    pub(super) const STATUS: StatusCode = StatusCode::FORBIDDEN;
}

impl Names {
    /// Answers under `authorities`, and to pages of `origin`.
    pub(super) fn new(authorities: &[String], origin: &str) -> Self {
        Self {
            authorities: authorities.into(),
            origin: origin.into(),
        }
    }

    /// Checks `Host`, and `Origin` where there is one: programs that are no browsers send none.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), ForeignName> {
        let host = headers.get(header::HOST).ok_or(ForeignName::Host)?;
        let host: Authority = host
            .to_str()
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or(ForeignName::Host)?;
        if !self.authorities.iter().any(|known| is_same(known, &host)) {
            return Err(ForeignName::Host);
        }
        let foreign = |origin: &header::HeaderValue| {
            !origin
                .as_bytes()
                .eq_ignore_ascii_case(self.origin.as_bytes())
        };
        if headers.get_all(header::ORIGIN).iter().any(foreign) {
            return Err(ForeignName::Origin);
        }
        Ok(())
    }
}

/// A name of ours without a port is reached on its scheme's port, which some clients write out.
fn is_same(known: &str, host: &Authority) -> bool {
    let Ok(known) = known.parse::<Authority>() else {
        return false;
    };
    known.host().eq_ignore_ascii_case(host.host())
        && (known.port_u16().is_none() || known.port_u16() == host.port_u16())
        && !host.as_str().contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &'static str)]) -> Result<(), ForeignName> {
        let known = ["gw.example".to_owned(), "127.0.0.1:8080".to_owned()];
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        Names::new(&known, "https://gw.example").check(&map)
    }

    #[test]
    fn only_our_own_names_are_answered() {
        for host in ["gw.example", "GW.example:443", "127.0.0.1:8080"] {
            assert_eq!(check(&[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "evil.example",
            "gw.example.evil.example",
            "127.0.0.1",
            "127.0.0.1:80",
            "me@gw.example",
            "",
            "gw.example/x",
        ] {
            assert_eq!(check(&[("host", host)]), Err(ForeignName::Host), "{host}");
        }
        assert_eq!(check(&[]), Err(ForeignName::Host));
    }

    #[test]
    fn only_our_own_pages_are_answered() {
        let from = |origin| check(&[("host", "gw.example"), ("origin", origin)]);
        assert_eq!(from("https://gw.example"), Ok(()));
        for origin in [
            "null",
            "http://gw.example",
            "https://gw.example:444",
            "https://evil.example",
            "https://gw.example.evil.example",
        ] {
            assert_eq!(from(origin), Err(ForeignName::Origin), "{origin}");
        }
        let two = [
            ("host", "gw.example"),
            ("origin", "https://gw.example"),
            ("origin", "https://evil.example"),
        ];
        assert_eq!(check(&two), Err(ForeignName::Origin));
    }
}
