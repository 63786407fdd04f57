//! Does the public URL lead to where the gateway listens?

use std::net::{IpAddr, SocketAddr};

use url::{Host, Url};

use super::Gravity;
use crate::config::{Config, ConfigProblem, Environment, Options};
use crate::gateway::Links;

/// How the public URL stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressFinding {
    /// It has no usable form, or is missing where there must be one.
    Wrong(ConfigProblem),
    /// None is set: it is the address that the gateway listens on.
    ListeningAddress {
        /// It.
        url: String,
    },
    /// None is set, and the port is another one at each start.
    ChangesAtEachStart,
    /// It leads straight to the gateway on this machine.
    Direct {
        /// It.
        url: String,
    },
    /// It is `https`, so a proxy has to pass its requests on to the gateway, which listens on this machine alone.
    BehindProxy {
        /// It.
        url: String,
        /// Where the gateway listens.
        bind: SocketAddr,
    },
    /// It is `https`, but others can also reach the gateway directly, and without TLS.
    ExposedBesideProxy {
        /// It.
        url: String,
        /// Where the gateway listens.
        bind: SocketAddr,
    },
    /// It leads to this machine, but the gateway listens for others too.
    LocalForOthers {
        /// It.
        url: String,
        /// Where the gateway listens.
        bind: SocketAddr,
    },
    /// It leads to this machine, but to an address or port where the gateway does not listen.
    Elsewhere {
        /// It.
        url: String,
        /// Where the gateway listens.
        bind: SocketAddr,
    },
}

impl AddressFinding {
    pub(super) fn gravity(&self) -> Gravity {
        match self {
            Self::ListeningAddress { .. } | Self::Direct { .. } | Self::BehindProxy { .. } => {
                Gravity::Ok
            }
            Self::ChangesAtEachStart
            | Self::ExposedBesideProxy { .. }
            | Self::LocalForOthers { .. }
            | Self::Elsewhere { .. } => Gravity::Warning,
            Self::Wrong(_) => Gravity::Problem,
        }
    }
}

/// Settings of which nothing is wrong but the public URL, without it. None when something else is wrong, too.
pub(super) fn settings_without(options: &Options, environment: &Environment) -> Option<Config> {
    // An option beats what is wrong in the environment or in the file.
    let options = Options {
        public_url: Some("http://localhost".to_owned()),
        ..options.clone()
    };
    let config = Config::resolve(&options, environment).ok()?;
    Some(Config {
        public_url: None,
        ..config
    })
}

/// The addresses that will be handed out; none when they are known only once the gateway listens.
pub(super) fn links(config: &Config) -> Option<Links> {
    match &config.public_url {
        Some(url) => Links::new(url).ok(),
        None if config.bind.port() == 0 => None,
        None => Links::new(&format!("http://{}", config.bind)).ok(),
    }
}

/// Compares the public URL with the address to listen on.
pub(super) fn examine(config: &Config) -> AddressFinding {
    let bind = config.bind;
    match config.public_url.as_deref().map(Url::parse) {
        Some(Ok(url)) => compare(&url, bind),
        _ if bind.port() == 0 => AddressFinding::ChangesAtEachStart,
        _ => AddressFinding::ListeningAddress {
            url: format!("http://{bind}"),
        },
    }
}

fn compare(public: &Url, bind: SocketAddr) -> AddressFinding {
    let url = public.origin().ascii_serialization();
    let for_others = !bind.ip().is_loopback();
    if public.scheme() == "https" {
        return if for_others {
            AddressFinding::ExposedBesideProxy { url, bind }
        } else {
            AddressFinding::BehindProxy { url, bind }
        };
    }
    let port_fits = public.port_or_known_default() == Some(bind.port());
    if !port_fits || !host_fits(public, bind.ip()) {
        AddressFinding::Elsewhere { url, bind }
    } else if for_others {
        AddressFinding::LocalForOthers { url, bind }
    } else {
        AddressFinding::Direct { url }
    }
}

/// Whether the host of a URL on this machine is an address that `bind` answers on. A name may stand for any.
fn host_fits(public: &Url, bind: IpAddr) -> bool {
    let host = match public.host() {
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
        Some(Host::Domain(_)) | None => return true,
    };
    host == bind || (bind.is_unspecified() && host.is_ipv4() == bind.is_ipv4())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_past_the_gateway_is_told() {
        use Gravity::{Ok, Warning};
        for (url, bind, expected) in [
            ("http://127.0.0.1:8080", "127.0.0.1:8080", Ok),
            ("http://localhost:8080", "[::1]:8080", Ok),
            ("http://127.0.0.1:8080", "127.0.0.1:9090", Warning),
            ("http://127.0.0.2:8080", "127.0.0.1:8080", Warning),
            ("http://127.0.0.1:8080", "0.0.0.0:8080", Warning),
            ("http://[::1]:8080", "0.0.0.0:8080", Warning),
            ("https://attache.example.com", "127.0.0.1:8080", Ok),
            ("https://attache.example.com", "0.0.0.0:8080", Warning),
        ] {
            let found = compare(&url.parse().unwrap(), bind.parse().unwrap());
            assert_eq!(found.gravity(), expected, "{url} {bind}: {found:?}");
        }
    }
}
