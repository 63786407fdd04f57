//! What can be set about the way out.

use std::time::Duration;

use http::Uri;

use super::address::AddressGuard;
use super::{EgressError, LoopbackAuthority};

/// Settings of the way out.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long finding, reaching and greeting a host may take: name look-up, TCP and TLS together.
    pub connect_timeout: Duration,
    /// The widest limits that any request gets.
    pub limits: Limits,
    /// The `User-Agent` of requests that bring none.
    pub user_agent: String,
    /// Dangerous: each entry opens one port of this machine to whatever can cause a request, in clear text too. Meant
    /// for a provider that runs beside the gateway in development and tests; empty in production.
    pub dangerously_allow_loopback: Vec<LoopbackAuthority>,
}

impl Settings {
    /// Whether an address may be reached as far as can be told from its text: before anything is sent, a name is judged once
    /// more by what it resolves to.
    ///
    /// # Errors
    /// [`EgressError::AddressRefused`].
    pub fn admit(&self, address: &Uri) -> Result<(), EgressError> {
        let guard = AddressGuard::new(self.dangerously_allow_loopback.clone());
        guard.admit(address).map(drop)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            limits: Limits::default(),
            user_agent: concat!("attache/", env!("CARGO_PKG_VERSION")).to_owned(),
            dangerously_allow_loopback: Vec::new(),
        }
    }
}

/// How long one request may take and how much may come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the start until the headers of the reply are there, connecting included. Keep it above
    /// [`Settings::connect_timeout`], or a slow connection cannot be told from a slow answer.
    pub headers: Duration,
    /// From the start until the last byte.
    pub total: Duration,
    /// Bytes of the body as they travel.
    pub wire_bytes: usize,
    /// Bytes of the body once decoded: 194 kB of gzip can become 200 MB.
    pub decoded_bytes: usize,
}

impl Limits {
    /// The narrower of both in every respect.
    #[must_use]
    pub fn within(self, widest: Self) -> Self {
        Self {
            headers: self.headers.min(widest.headers),
            total: self.total.min(widest.total),
            wire_bytes: self.wire_bytes.min(widest.wire_bytes),
            decoded_bytes: self.decoded_bytes.min(widest.decoded_bytes),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(30),
            total: Duration::from_mins(1),
            wire_bytes: 8 << 20,
            decoded_bytes: 8 << 20,
        }
    }
}
