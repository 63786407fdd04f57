//! From which address a request comes, when proxies may stand in between.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

/// The address of a client, as far as it can be believed. Nobody is recognised by it: it only tells apart who fails how
/// often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// The address behind `peer`, which is who connected to us. `forwarded` are the entries of `X-Forwarded-For` in the
    /// order of the header; each proxy adds whom it heard at the end, and only what a trusted one added is believed.
    #[must_use]
    pub fn of<'a>(
        peer: IpAddr,
        forwarded: impl DoubleEndedIterator<Item = &'a str>,
        trusted: &[IpNet],
    ) -> Self {
        let mut address = peer.to_canonical();
        for heard in forwarded.rev() {
            if !trusted.iter().any(|proxies| proxies.contains(&address)) {
                break;
            }
            match heard.trim().parse::<IpAddr>() {
                Ok(heard) => address = heard.to_canonical(),
                Err(_) => break,
            }
        }
        Self(address)
    }

    /// What is counted as one client: an IPv4 address, or the /64 that one IPv6 client has to itself (RFC 6177).
    #[must_use]
    pub fn network(self) -> Self {
        match self.0 {
            IpAddr::V4(_) => self,
            IpAddr::V6(address) => {
                let mut segments = address.segments();
                segments[4..].fill(0);
                Self(Ipv6Addr::from(segments).into())
            }
        }
    }
}

impl From<IpAddr> for ClientAddress {
    fn from(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        let peer = peer.parse().unwrap();
        let found = ClientAddress::of(peer, forwarded.iter().copied(), &trusted);
        found.0.to_string()
    }

    #[test]
    fn only_a_trusted_proxy_says_who_is_behind_it() {
        let proxy = &["10.0.0.0/8"];
        assert_eq!(of("203.0.113.7", &["198.51.100.1"], proxy), "203.0.113.7");
        assert_eq!(of("10.1.1.1", &["198.51.100.1"], proxy), "198.51.100.1");
        assert_eq!(of("10.1.1.1", &[], proxy), "10.1.1.1");
        assert_eq!(
            of("::ffff:10.1.1.1", &["198.51.100.1"], proxy),
            "198.51.100.1"
        );
        assert_eq!(of("10.1.1.1", &["198.51.100.1"], &[]), "10.1.1.1");
    }

    #[test]
    fn what_a_client_makes_up_is_not_reached() {
        let proxy = &["10.0.0.0/8"];
        let said = ["127.0.0.1", "192.0.2.1", "10.2.2.2"];
        assert_eq!(of("10.1.1.1", &said, proxy), "192.0.2.1");
        for nonsense in ["", "unknown", "1.2.3.4:5", "[::1]", "\u{202e}"] {
            assert_eq!(of("10.1.1.1", &["192.0.2.1", nonsense], proxy), "10.1.1.1");
        }
    }

    #[test]
    fn one_client_of_ipv6_has_a_whole_network() {
        let address = |text: &str| ClientAddress::from(text.parse::<IpAddr>().unwrap()).network();
        assert_eq!(address("2001:db8:1:2:3::4"), address("2001:db8:1:2::9"));
        assert_ne!(address("2001:db8:1:2::4"), address("2001:db8:1:3::4"));
        assert_ne!(address("192.0.2.1"), address("192.0.2.2"));
    }
}
