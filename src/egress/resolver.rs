//! Names to addresses, with the addresses that must not be reached left out.

use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::Reach;
use super::error::AddressRefusal;
use super::public_address::{is_loopback, is_public};

/// The system's resolver behind a filter. The connection is made to the addresses that were judged: nobody asks a
/// second time, so a name that changes its answer (DNS rebinding) gains nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct FilteringResolver {
    pub(super) reach: Reach,
}

impl Resolve for FilteringResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.reach;
        Box::pin(async move {
            // Port 0 stands for "the one of the URL".
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed = reachable(reach, found)?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Those of `found` that may be reached; an error when none is left.
fn reachable(
    reach: Reach,
    found: impl Iterator<Item = SocketAddr>,
) -> Result<Vec<SocketAddr>, AddressRefusal> {
    let allowed: Vec<_> = found
        .filter(|address| match reach {
            Reach::Public => is_public(address.ip()),
            Reach::Loopback => is_loopback(address.ip()),
        })
        .collect();
    if allowed.is_empty() {
        return Err(match reach {
            Reach::Public => AddressRefusal::NameIsNotPublic,
            Reach::Loopback => AddressRefusal::NameIsNotLoopback,
        });
    }
    Ok(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter()
            .map(|ip| SocketAddr::new(ip.parse().unwrap(), 0))
            .collect()
    }

    #[test]
    fn a_public_name_keeps_its_public_addresses_only() {
        let found = addresses(&[
            "10.0.0.1",
            "8.8.8.8",
            "::1",
            "::ffff:127.0.0.1",
            "2606:4700::1",
        ]);
        assert_eq!(
            reachable(Reach::Public, found.into_iter()),
            Ok(addresses(&["8.8.8.8", "2606:4700::1"]))
        );
        let inward = addresses(&["169.254.169.254", "64:ff9b::7f00:1"]);
        assert_eq!(
            reachable(Reach::Public, inward.into_iter()),
            Err(AddressRefusal::NameIsNotPublic)
        );
    }

    #[test]
    fn an_allowed_loopback_name_reaches_loopback_only() {
        let found = addresses(&["8.8.8.8", "127.0.0.1", "10.0.0.1"]);
        assert_eq!(
            reachable(Reach::Loopback, found.into_iter()),
            Ok(addresses(&["127.0.0.1"]))
        );
        assert_eq!(
            reachable(Reach::Loopback, addresses(&["8.8.8.8"]).into_iter()),
            Err(AddressRefusal::NameIsNotLoopback)
        );
    }
}
