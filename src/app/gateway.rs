//! One gateway, started from its configuration.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::activity::{self, Activity};
use super::backup::Backups;
use super::catalogue_files::{CatalogueFiles, Reading};
use super::control::{ControlError, ControlSocket, Offered, WaitingForTheEnd};
use super::drill::SandboxAtHand;
use super::listen::{self, ListenError};
use super::watched_folder;
use crate::base::{Clock, Random};
use crate::catalogue::Problem;
use crate::config::{Config, ConfigProblem};
use crate::egress::{Egress, EgressSetupError};
use crate::gateway::{Fault, Gateway, Links, ServicesProblem, Settings, Webhook};
use crate::identity::Caller;
use crate::identity::Mode;
use crate::mcp;
use crate::store::{MasterKeyError, MasterKeys, OpenError, Store};
use crate::web;

/// How often expired records are removed.
const SWEEP_EVERY: Duration = Duration::from_mins(1);
/// How often it is looked what is due.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

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
    /// There is no place for the control socket.
    #[error("{0}")]
    ControlPath(ConfigProblem),
    /// Bridges and commands could not reach it.
    #[error(transparent)]
    Control(#[from] ControlError),
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
    mcp: mcp::Surface,
    files: Arc<CatalogueFiles>,
    store: Store,
    activity: Activity,
    stop: CancellationToken,
    asked_to_end: CancellationToken,
    waiting: WaitingForTheEnd,
    control_socket: Result<PathBuf, ConfigProblem>,
    sandbox: Option<SandboxAtHand>,
    backups: Backups,
    tasks: Vec<JoinHandle<()>>,
}

impl App {
    /// Starts a gateway: takes the port, opens the store, serves.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub async fn start(config: Config, clock: Clock, random: Random) -> Result<Self, StartError> {
        let (listener, address) = listen::bind(config.bind).await?;
        Self::start_on(listener, address, config, clock, random).await
    }

    /// Starts a gateway on a port that is already taken for it.
    pub(super) async fn start_on(
        listener: TcpListener,
        address: SocketAddr,
        config: Config,
        clock: Clock,
        random: Random,
    ) -> Result<Self, StartError> {
        let store = open_store(&config, &random).await?;
        Self::start_with(store, listener, address, config, clock, random).await
    }

    /// Starts a gateway on a store that is open already.
    pub(super) async fn start_with(
        store: Store,
        listener: TcpListener,
        address: SocketAddr,
        config: Config,
        clock: Clock,
        random: Random,
    ) -> Result<Self, StartError> {
        if config.listens_without_sign_in {
            tracing::warn!(
                %address,
                "dangerously_listen_without_sign_in is set: others can reach this gateway, and nobody signs in with an issuer"
            );
        }
        let links = links(&config, address)?;
        let (mode, mcp) = (config.mode, config.mcp);
        let proxies = config.trusted_proxies.clone().into();
        let control_socket = config.control_socket();
        let files = Arc::new(CatalogueFiles::of(&config));
        let Parts {
            gateway,
            store,
            backups,
        } = Parts::on(store, config, links, clock, random).await?;
        let stop = CancellationToken::new();
        let mcp = mcp::Surface::new(gateway.clone(), mcp, stop.clone());
        let activity = Activity::default();
        let router = router(&gateway, &mcp, mode, address)
            .layer(from_fn_with_state(activity.clone(), activity::count));
        match gateway.forget_old_webhooks().await {
            Err(fault) if fault.is_full_disk() => {
                tracing::warn!(%fault, "webhooks that are gone are forgotten later");
            }
            other => other?,
        }
        let mut tasks = vec![
            listen::serve(listener, router, proxies, stop.clone()),
            sweep(gateway.clone(), stop.clone()),
            upkeep(gateway.clone(), stop.clone()),
            backups.clone().keep_making(stop.clone()),
            rotate_keys(gateway.clone(), stop.clone()),
        ];
        let webhooks = gateway.webhooks().iter().cloned();
        tasks.extend(webhooks.map(|webhook| deliver(gateway.clone(), webhook, stop.clone())));
        let catalogue = Arc::clone(&files);
        tasks.extend(watched_folder::keep_reading(
            catalogue,
            gateway.clone(),
            stop.clone(),
        ));
        Ok(Self {
            gateway,
            mcp,
            files,
            store,
            activity,
            stop,
            asked_to_end: CancellationToken::new(),
            waiting: WaitingForTheEnd::default(),
            control_socket,
            sandbox: None,
            backups,
            tasks,
        })
    }

    /// The use cases.
    #[must_use]
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// The backups of its store.
    #[must_use]
    pub fn backups(&self) -> &Backups {
        &self.backups
    }

    /// Where clients of the HTTP+SSE transport connect; none when it is switched off.
    #[must_use]
    pub fn sse_url(&self) -> Option<String> {
        let links = self.gateway.links();
        self.mcp.offers_sse().then(|| links.sse())
    }

    /// Reads the provider files again. When they have problems, nothing is changed.
    ///
    /// # Errors
    /// [`StartError::Catalogue`] and [`StartError::Services`].
    pub fn reload(&self) -> Result<(), StartError> {
        self.files.read_again(&self.gateway).map(drop)
    }

    /// How the provider files were read the last time, and when they are read again: by [`reload`](Self::reload), or
    /// because their folder has changed.
    #[must_use]
    pub fn readings(&self) -> watch::Receiver<Reading> {
        self.files.readings()
    }

    /// Fire drills on this Sandbox are for real from now on. Before the control socket is opened.
    pub(super) fn practise_on(&mut self, sandbox: SandboxAtHand) {
        self.sandbox = Some(sandbox);
    }

    /// Listens on the control socket of the data folder for bridges and commands of `owner`, the person of this machine.
    ///
    /// # Errors
    /// [`StartError`] when the socket cannot be made.
    pub fn open_control(&mut self, owner: Caller) -> Result<(), StartError> {
        let path = self
            .control_socket
            .clone()
            .map_err(StartError::ControlPath)?;
        let socket = ControlSocket::bind(path)?;
        let offered = Offered {
            gateway: self.gateway.clone(),
            mcp: self.mcp.clone(),
            files: Arc::clone(&self.files),
            owner,
            activity: self.activity.clone(),
            stop: self.stop.clone(),
            asked_to_end: self.asked_to_end.clone(),
            waiting: self.waiting.clone(),
            sandbox: self.sandbox.clone(),
            backups: self.backups.clone(),
        };
        self.tasks.push(tokio::spawn(socket.serve(offered)));
        Ok(())
    }

    /// Waits until somebody on the control socket asks this gateway to end.
    pub async fn asked_to_end(&self) {
        self.asked_to_end.cancelled().await;
    }

    /// Waits until nobody has used the gateway for `idle`: no request, no bridge, no open stream.
    pub async fn idle_for(&self, idle: Duration) {
        self.activity.quiet_for(idle).await;
    }

    /// Ends in order: no new requests, those under way finish, the store is closed. Whoever holds the lock of the data
    /// folder lets go of it before those who wait.
    pub async fn stop(self) -> WaitingForTheEnd {
        self.stop.cancel();
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task ended badly");
            }
        }
        self.gateway.drain().await;
        if let Err(fault) = self.gateway.write_all_uses().await {
            tracing::error!(%fault, "what connections were last used for could not be written");
        }
        self.store.close().await;
        self.waiting
    }
}

/// The use cases and the store that they stand on.
pub(super) struct Parts {
    pub(super) gateway: Gateway,
    pub(super) store: Store,
    pub(super) backups: Backups,
}

impl Parts {
    pub(super) async fn open(
        config: Config,
        links: Links,
        clock: Clock,
        random: Random,
    ) -> Result<Self, StartError> {
        let store = open_store(&config, &random).await?;
        Self::on(store, config, links, clock, random).await
    }

    /// The use cases on a store that is open already; it is closed when they cannot be had.
    async fn on(
        store: Store,
        config: Config,
        links: Links,
        clock: Clock,
        random: Random,
    ) -> Result<Self, StartError> {
        let parts = Self::build(store.clone(), config, links, clock, random);
        if parts.is_err() {
            store.close().await;
        }
        parts
    }

    fn build(
        store: Store,
        config: Config,
        links: Links,
        clock: Clock,
        random: Random,
    ) -> Result<Self, StartError> {
        let services = CatalogueFiles::of(&config).read()?;
        let egress = Egress::new(config.egress)?;
        let backups = Backups::new(store.clone(), config.backups, clock.clone());
        let gateway = Gateway::new(
            store.clone(),
            egress,
            services,
            links,
            clock,
            random,
            Settings {
                limits: config.limits,
                webhooks: config.webhooks,
                access_tokens: config.access_tokens,
                sign_in: config.sign_in,
            },
        );
        Ok(Self {
            gateway,
            store,
            backups,
        })
    }
}

/// Opens the store of this configuration.
pub(super) async fn open_store(config: &Config, random: &Random) -> Result<Store, StartError> {
    let previous = config.previous_key.as_ref();
    let keys = MasterKeys::load(&config.master_key, previous, &config.store, random)?;
    Ok(Store::open(&config.store, keys, random.clone()).await?)
}

/// The gateway's own addresses: under the public URL, or where it listens when there is none.
pub(super) fn links(config: &Config, address: SocketAddr) -> Result<Links, StartError> {
    let url = config
        .public_url
        .clone()
        .unwrap_or_else(|| format!("http://{address}"));
    Links::new(&url).map_err(|problem| StartError::PublicUrl(problem.to_string()))
}

fn router(gateway: &Gateway, mcp: &mcp::Surface, mode: Mode, address: SocketAddr) -> Router {
    let authorities = authorities(gateway.links(), address);
    let mcp = mcp::router(mcp, authorities.clone());
    web::router(gateway.clone(), mode, authorities).merge(mcp)
}

/// The values of `Host` that are ours: the public name, and on a loopback address the names of this machine.
pub(super) fn authorities(links: &Links, address: SocketAddr) -> Vec<String> {
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

fn upkeep(gateway: Gateway, stop: CancellationToken) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(UPKEEP_EVERY);
        let work = async {
            loop {
                ticks.tick().await;
                if let Err(fault) = gateway.do_due_work().await {
                    tracing::error!(%fault, "it could not be seen what is due");
                }
                if let Err(fault) = gateway.write_uses().await {
                    tracing::error!(%fault, "what connections are used for could not be written");
                }
            }
        };
        // What is cut off here stays due; a renewal under way is a task of its own.
        stop.run_until_cancelled(work).await;
    })
}

fn rotate_keys(gateway: Gateway, stop: CancellationToken) -> JoinHandle<()> {
    tokio::spawn(async move {
        // What is cut off here is gone on with by the next start.
        let rotations = gateway.rotate_keys_when_wanted();
        stop.run_until_cancelled(rotations).await;
    })
}

/// A slow receiver holds up its own events alone, and an end of the gateway least of all: what is cut off here is sent again.
fn deliver(gateway: Gateway, webhook: Webhook, stop: CancellationToken) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(UPKEEP_EVERY);
        let deliveries = async {
            loop {
                tokio::select! {
                    _ = ticks.tick() => {}
                    () = webhook.nudged() => {}
                }
                if let Err(fault) = gateway.deliver(&webhook).await {
                    tracing::error!(%fault, webhook = webhook.name(), "it could not be seen what is to be delivered");
                }
            }
        };
        tokio::select! {
            () = deliveries => {}
            () = stop.cancelled() => {}
        }
    })
}
