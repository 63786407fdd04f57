//! Can the gateway listen where it should?

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Gravity;
use crate::app::listen::{self, ListenError};
use crate::gateway::Links;

/// How long whoever holds the port may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// More than an answer of `/healthz` has, in bytes.
const LONGEST_ANSWER: u64 = 4096;

/// How the address to listen on stands.
#[derive(Debug)]
pub enum PortFinding {
    /// Nobody listens there.
    Free(SocketAddr),
    /// The system chooses a port at each start.
    Chosen(SocketAddr),
    /// The gateway that has this store open answers there.
    HeldByThisGateway(SocketAddr),
    /// An Attache answers there, but not one that has this store open.
    HeldByAnotherAttache(SocketAddr),
    /// Another program listens there.
    Taken(SocketAddr),
    /// It cannot be listened on at all.
    Refused {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
}

impl PortFinding {
    pub(super) fn gravity(&self) -> Gravity {
        match self {
            Self::Free(_) | Self::Chosen(_) | Self::HeldByThisGateway(_) => Gravity::Ok,
            Self::HeldByAnotherAttache(_) | Self::Taken(_) | Self::Refused { .. } => {
                Gravity::Problem
            }
        }
    }
}

/// Takes the port and gives it back; if somebody has it, asks who.
pub(super) async fn examine(
    address: SocketAddr,
    links: Option<&Links>,
    store_in_use: bool,
) -> PortFinding {
    match listen::bind(address).await {
        Ok(_) if address.port() == 0 => PortFinding::Chosen(address),
        Ok(_) => PortFinding::Free(address),
        Err(ListenError::Refused(address, source)) => PortFinding::Refused { address, source },
        Err(ListenError::PortTaken(address)) => {
            let name = match links {
                Some(links) if !address.ip().is_loopback() => links.authority().to_owned(),
                _ => address.to_string(),
            };
            match (is_attache(reachable(address), &name).await, store_in_use) {
                (true, true) => PortFinding::HeldByThisGateway(address),
                (true, false) => PortFinding::HeldByAnotherAttache(address),
                (false, _) => PortFinding::Taken(address),
            }
        }
    }
}

/// Where to ask a program that listens on `address`: one that listens on all addresses answers on this machine's own.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Whether an Attache that lives under `name` answers at `address`.
async fn is_attache(address: SocketAddr, name: &str) -> bool {
    let answer = tokio::time::timeout(PATIENCE, ask_health(address, name)).await;
    answer.is_ok_and(|answer| answer.is_ok_and(|answer| is_gateway(&answer)))
}

/// Spoken by hand, since the way out refuses this machine's own addresses, and rightly so.
async fn ask_health(address: SocketAddr, name: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(LONGEST_ANSWER).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// A gateway that works says `ok`; one whose store cannot be opened says why.
fn is_gateway(answer: &str) -> bool {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let waits = head.starts_with("HTTP/1.1 503 ") && body.contains("Attache");
    waits || (head.starts_with("HTTP/1.1 200 ") && body == "ok")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_answer_of_a_gateway_counts() {
        assert!(is_gateway("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
        assert!(!is_gateway("HTTP/1.1 200 OK\r\n\r\n<html>ok"));
        assert!(is_gateway(
            "HTTP/1.1 503 x\r\n\r\nThe disk on which Attache keeps its records is full."
        ));
        assert!(!is_gateway("HTTP/1.1 503 x\r\n\r\nno upstream"));
        assert!(!is_gateway("HTTP/1.1 404 Not Found\r\n\r\nok"));
        assert!(!is_gateway(""));
    }

    #[tokio::test]
    async fn a_program_that_says_nothing_useful_has_taken_the_port() {
        let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = other.local_addr().unwrap();
        let answering = async {
            let (mut stream, _) = other.accept().await.unwrap();
            stream.write_all(b"220 mail.example.com\r\n").await.unwrap();
        };
        let (found, ()) = tokio::join!(examine(address, None, true), answering);
        assert!(matches!(found, PortFinding::Taken(_)), "{found:?}");
    }

    #[test]
    fn all_addresses_are_asked_on_this_machine() {
        let reached = |text: &str| reachable(text.parse().unwrap()).to_string();
        assert_eq!(reached("0.0.0.0:80"), "127.0.0.1:80");
        assert_eq!(reached("[::]:80"), "[::1]:80");
        assert_eq!(reached("192.0.2.1:80"), "192.0.2.1:80");
    }
}
