//! One gateway, started from its configuration.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::listen::{self, ListenError};
use crate::base::{Clock, Random, Secret};
use crate::catalogue::{Catalogue, Problem};
use crate::config::Config;
use crate::egress::{Egress, EgressSetupError};
use crate::gateway::{Fault, Gateway, Links, Services, ServicesProblem};
use crate::identity::{Caller, Principal};
use crate::mcp;
use crate::store::{MasterKey, MasterKeyError, OpenError, Store};
use crate::web::{self, SignInMode};

/// How often expired records are removed.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// Why the gateway did not start. Each is a sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port cannot be had.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Provider files are wrong.
    #[error("provider files have problems:\n{}", lines(.0))]
    Catalogue(Vec<Problem>),
    /// Services are set up wrongly.
    #[error("the configuration has problems:\n{}", lines(.0))]
    Services(Vec<ServicesProblem>),
    /// There is no usable master key.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// There is no safe way out.
    #[error(transparent)]
    Egress(#[from] EgressSetupError),
    /// The public URL cannot be used.
    #[error("public_url: {0}")]
    PublicUrl(String),
    /// The store failed while the first records were written.
    #[error(transparent)]
    Fault(#[from] Fault),
}

fn lines<T: std::fmt::Display>(problems: &[T]) -> String {
    problems
        .iter()
        .map(|problem| format!("  {problem}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// A running gateway.
pub struct App {
    gateway: Gateway,
    mcp: mcp::Settings,
    store: Store,
    address: SocketAddr,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl App {
    /// Starts a gateway: takes the port, opens the store, serves.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub async fn start(config: Config, clock: Clock, random: Random) -> Result<Self, StartError> {
        let (listener, address) = listen::bind(config.bind).await?;
        Self::start_on(listener, address, config, SignInMode::Local, clock, random).await
    }

    /// Starts a gateway on a port that is already taken for it.
    pub(super) async fn start_on(
        listener: TcpListener,
        address: SocketAddr,
        config: Config,
        sign_in: SignInMode,
        clock: Clock,
        random: Random,
    ) -> Result<Self, StartError> {
        let links = links(&config, address)?;
        let catalogue =
            Catalogue::load(config.providers.as_deref()).map_err(StartError::Catalogue)?;
        let services = Services::new(catalogue, &config.services).map_err(StartError::Services)?;
        let egress = Egress::new(config.egress)?;
        let key = MasterKey::load(&config.master_key, &config.store, &random)?;
        let store = Store::open(&config.store, key, random.clone()).await?;
        let gateway = Gateway::new(store.clone(), egress, services, links, clock, random);
        let stop = CancellationToken::new();
        let router = router(&gateway, config.mcp, sign_in, address, &stop);
        let tasks = vec![
            listen::serve(listener, router, stop.clone()),
            sweep(gateway.clone(), stop.clone()),
        ];
        Ok(Self {
            gateway,
            mcp: config.mcp,
            store,
            address,
            stop,
            tasks,
        })
    }

    /// The use cases.
    #[must_use]
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// An MCP server for the process on the other end of stdin and stdout, acting for `caller`.
    #[must_use]
    pub fn server_for(&self, caller: Caller) -> mcp::Server {
        mcp::Server::for_process(self.gateway.clone(), self.mcp, caller)
    }

    /// A person with the agent that the gateway adds for them: who, as which caller, with which token.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn person(
        &self,
        issuer: &str,
        subject: &str,
        name: &str,
        agent: &str,
    ) -> Result<(Arc<Principal>, Caller, Secret), Fault> {
        let principal = self.gateway.person(issuer, subject, name).await?;
        let (caller, token) = self.gateway.startup_agent(&principal, agent).await?;
        Ok((principal, caller, token))
    }

    /// Ends in order: no new requests, those under way finish, the store is closed.
    pub async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task ended badly");
            }
        }
        self.store.close().await;
    }
}

fn links(config: &Config, address: SocketAddr) -> Result<Links, StartError> {
    let url = config
        .public_url
        .clone()
        .unwrap_or_else(|| format!("http://{address}"));
    Links::new(&url).map_err(|problem| StartError::PublicUrl(problem.to_string()))
}

fn router(
    gateway: &Gateway,
    mcp: mcp::Settings,
    sign_in: SignInMode,
    address: SocketAddr,
    stop: &CancellationToken,
) -> Router {
    let authorities = authorities(gateway.links(), address);
    let mcp = mcp::router(gateway.clone(), mcp, authorities.clone(), stop.clone());
    web::router(gateway.clone(), sign_in, authorities).merge(mcp)
}

/// The values of `Host` that are ours: the public name, and on a loopback address the names of this machine.
fn authorities(links: &Links, address: SocketAddr) -> Vec<String> {
    let mut authorities = vec![links.authority().to_owned()];
    if address.ip().is_loopback() {
        authorities.extend(
            ["127.0.0.1", "localhost", "[::1]"].map(|host| format!("{host}:{}", address.port())),
        );
    }
    authorities
}

fn sweep(gateway: Gateway, stop: CancellationToken) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(SWEEP_EVERY);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => return,
            }
            if let Err(fault) = gateway.sweep().await {
                tracing::error!(%fault, "expired records could not be removed");
            }
        }
    })
}
