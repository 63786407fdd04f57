//! The Sandbox: an OAuth 2.1 authorization server and a small notes API that stand for any third-party service.
//!
//! It exists so that everything can be tried without an account elsewhere: it has its own clients, its own two people
//! (Ana and Ben), its own pages and its own state file. It imports only [`crate::base`], and the gateway reaches it
//! over HTTP alone. It is a demonstration service: nobody has a password, client secrets are kept in clear in its state
//! file, and it therefore listens on this machine only.
//!
//! It can be told to misbehave ([`Order`]), so that what a gateway makes of it can be seen and tested, and it counts what
//! it sees ([`Counters`]).
//!
//! Followed: OAuth 2.1 (draft-ietf-oauth-v2-1), RFC 6749, 6750, 7009, 7636, 7662, 8414 and 9207.

mod accounts;
mod api;
mod authorize;
mod bearer;
mod browser;
mod clients;
mod consent;
mod control;
mod digest;
mod home;
mod journal;
mod metadata;
mod orders;
mod pages;
mod parameters;
mod persistence;
mod protocol;
mod scope;
mod server;
mod sign_in;
mod state;
mod store;
mod token;
mod token_status;

#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::clients::{RegisterError, RegisteredClient};
pub use self::control::{CONTROL_HEADER, Control};
use self::journal::Journal;
pub use self::journal::{Counters, Seen};
use self::orders::Orders;
pub use self::orders::{Endpoint, Fault, Order, Whose};
use self::persistence::StateFile;
pub use self::persistence::{SaveError, StateFileError};
use self::server::Service;
use self::state::State;
use self::store::Store;
use crate::base::{Clock, Random, Secret};

/// How long [`Sandbox::stop`] waits for requests that are under way.
const LAST_REQUESTS: Duration = Duration::from_secs(5);

/// Where a Sandbox listens and what it remembers.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address to listen on; it must be of this machine. Port 0 means the port of the last time if it is free, and
    /// any free port otherwise.
    pub bind: SocketAddr,
    /// The file that keeps the state; without one, everything is forgotten at the end.
    pub state_file: Option<PathBuf>,
}

/// Why a Sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Others could reach it.
    #[error(
        "the Sandbox has no passwords, so it listens on this machine only; use 127.0.0.1 instead of {0}"
    )]
    NotLoopback(SocketAddr),
    /// Somebody else listens there.
    #[error(
        "the Sandbox cannot listen on {0}: the port is taken; name another port, or 0 for any that is free"
    )]
    PortTaken(SocketAddr),
    /// The operating system refuses.
    #[error("the Sandbox cannot listen on {address} ({source}); name another address")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The state file cannot be used.
    #[error(transparent)]
    StateFile(#[from] StateFileError),
    /// The state file cannot be written.
    #[error(transparent)]
    Save(#[from] SaveError),
}

/// A running Sandbox. Dropping it ends it as [`Sandbox::stop`] does, but without waiting.
#[derive(Debug)]
pub struct Sandbox {
    service: Arc<Service>,
    port: u16,
    server: JoinHandle<()>,
    end: DropGuard,
}

/// Starts a Sandbox; it answers from the moment this returns.
///
/// # Errors
/// [`StartError`], in words for whoever started it.
pub async fn start(
    settings: Settings,
    clock: Clock,
    random: Random,
) -> Result<Sandbox, StartError> {
    if !settings.bind.ip().is_loopback() {
        return Err(StartError::NotLoopback(settings.bind));
    }
    let (file, state) = open(settings.state_file).await?;
    let (listener, port) = listen(settings.bind, state.port).await?;
    let store = Store::new(state, file, clock.clone());
    store.change(|state| state.port = Some(port)).await?;
    let service = Arc::new(Service {
        store,
        clock,
        control_secret: random.token(),
        random,
        url: format!("http://localhost:{port}"),
        port,
        orders: Orders::default(),
        journal: Journal::new(),
    });
    let end = CancellationToken::new();
    let server = axum::serve(listener, server::routes(Arc::clone(&service)))
        .with_graceful_shutdown(end.clone().cancelled_owned());
    let server = tokio::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the Sandbox stopped serving");
        }
    });
    Ok(Sandbox {
        service,
        port,
        server,
        end: end.drop_guard(),
    })
}

impl Sandbox {
    /// Where it is, as `http://localhost:PORT`: its issuer too (RFC 8414 section 2). The name `localhost` keeps its
    /// cookies apart from those of a gateway on `127.0.0.1`: cookies do not know ports.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.service.url
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Gives it orders, and reads what it has seen.
    #[must_use]
    pub fn control(&self) -> Control {
        Control::of(Arc::clone(&self.service))
    }

    /// What `GET` and `POST /control` want in the header [`CONTROL_HEADER`]. A new one with every start.
    #[must_use]
    pub fn control_secret(&self) -> &Secret {
        &self.service.control_secret
    }

    /// Registers a client. There is one for each name: who comes again with a name gets the same id and secret, and the
    /// redirect URI is replaced.
    ///
    /// # Errors
    /// [`RegisterError`] when the name or the redirect URI cannot be taken, or the state cannot be saved.
    pub async fn register_client(
        &self,
        name: &str,
        redirect_uri: &str,
    ) -> Result<RegisteredClient, RegisterError> {
        clients::register(&self.service, name, redirect_uri).await
    }

    /// Ends it: takes no new requests and waits, a few seconds at most, for those under way.
    pub async fn stop(mut self) {
        drop(self.end);
        if tokio::time::timeout(LAST_REQUESTS, &mut self.server)
            .await
            .is_err()
        {
            tracing::warn!("the Sandbox ends with requests under way");
            self.server.abort();
            // The outcome of an aborted task says nothing more.
            let _ = self.server.await;
        }
        self.service.store.close().await;
    }
}

async fn open(path: Option<PathBuf>) -> Result<(Option<StateFile>, State), StartError> {
    let Some(path) = path else {
        return Ok((None, State::new()));
    };
    let named = path.clone();
    let (file, state) = spawn_blocking(move || StateFile::open(path))
        .await
        .map_err(|error| StateFileError::Unreachable {
            path: named,
            source: error.into(),
        })??;
    Ok((Some(file), state))
}

async fn listen(bind: SocketAddr, former: Option<u16>) -> Result<(TcpListener, u16), StartError> {
    if let (0, Some(former)) = (bind.port(), former) {
        match TcpListener::bind(SocketAddr::new(bind.ip(), former)).await {
            Ok(listener) => return Ok((listener, former)),
            Err(error) => {
                tracing::warn!(former, %error, "the Sandbox's former port is not free; it takes another");
            }
        }
    }
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => StartError::PortTaken(bind),
        _ => StartError::Listen {
            address: bind,
            source,
        },
    };
    let listener = TcpListener::bind(bind).await.map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    Ok((listener, port))
}

impl Default for Settings {
    /// Any free port, and nothing kept.
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            state_file: None,
        }
    }
}
