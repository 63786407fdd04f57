//! The commands that run until they are told to end.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::signals::Signals;
use super::{Failure, Places, local, steps};
use crate::app::control::{
    GatewayLock, Started, Turn, WaitingForTheEnd, this_program, wait_for_turn,
};
use crate::app::{
    App, Demo, Ready, ReadySandbox, ReadyState, ShownOnce, Standby, Start, bridge, bridge_to,
};
use crate::base::{Clock, Random, Secret};
use crate::config::{Config, Environment, Options, Remote};
use crate::gateway::Gateway;
use crate::identity::{Caller, Principal};
use crate::sandbox;

/// What the agent is called that acts for whoever is at this machine.
const LOCAL_AGENT: &str = "Your agent";

/// `attache serve`.
pub(super) fn serve(
    options: &Options,
    environment: &Environment,
    json: bool,
) -> Result<(), Failure> {
    let config = resolve(options, environment)?;
    // Whoever has it has the store too, and opening that says so in a sentence.
    let lock = GatewayLock::try_take(&config.data_dir)?;
    let served = in_runtime(async {
        let mut signals = Signals::listen()?;
        let data_dir = config.data_dir.clone();
        let app = match Start::begin(config, Clock::System, Random::System).await? {
            Start::Open(app) => app,
            Start::Standby(mut standby) => {
                standby.open_control()?;
                announce(&standing_by(&standby), json, steps::serve)?;
                match until_the_store_opens(standby, &mut signals).await? {
                    ControlFlow::Continue(app) => app,
                    ControlFlow::Break(waiting) => return Ok(waiting),
                }
            }
        };
        let (app, owner, agent_token) = open_to_the_owner(app, environment).await?;
        let ready = ready(&app, &owner, agent_token, data_dir).await?;
        announce(&ready, json, steps::serve)?;
        until_told_to_end(&mut signals, &app, json).await;
        Ok(app.stop().await)
    });
    drop(lock);
    served.map(drop)
}

/// What is said when everything works, or everything but what needs room on the disk.
async fn ready(
    app: &App,
    owner: &Caller,
    agent_token: Option<Secret>,
    data_dir: PathBuf,
) -> Result<Ready, Failure> {
    let gateway = app.gateway();
    let link = match gateway.issuer_name() {
        Some(_) => Ok(None),
        None => gateway
            .create_sign_in_link(&owner.principal)
            .await
            .map(Some),
    };
    let (state, problem, sign_in_url) = match link {
        Ok(link) => (ReadyState::Ready, None, link),
        Err(fault) if fault.is_full_disk() => {
            (ReadyState::NearlyFull, Some(fault.to_string()), None)
        }
        Err(fault) => return Err(fault.into()),
    };
    let links = app.gateway().links();
    Ok(Ready {
        state,
        problem,
        mcp_url: links.mcp(),
        sse_url: app.sse_url(),
        dashboard_url: links.connections(),
        sign_in_url,
        agent_token: agent_token.map(ShownOnce),
        data_dir,
        sandbox_url: None,
        people: Vec::new(),
    })
}

/// What is said while the store cannot be opened.
fn standing_by(standby: &Standby) -> Ready {
    let links = standby.links();
    Ready {
        state: ReadyState::Standby,
        problem: Some(standby.problem()),
        mcp_url: links.mcp(),
        sse_url: None,
        dashboard_url: links.connections(),
        sign_in_url: None,
        agent_token: None,
        data_dir: standby.data_dir().to_owned(),
        sandbox_url: None,
        people: Vec::new(),
    }
}

/// The gateway, once there is one; whoever waits for the end when it was told to end before.
async fn until_the_store_opens(
    mut standby: Standby,
    signals: &mut Signals,
) -> Result<ControlFlow<WaitingForTheEnd, App>, Failure> {
    let asked_to_end = standby.asked_to_end();
    let opened = tokio::select! {
        () = signals.told_to_end() => None,
        () = asked_to_end => None,
        opened = standby.store() => Some(opened),
    };
    match opened {
        Some(Ok(store)) => Ok(ControlFlow::Continue(standby.go_on(store).await?)),
        Some(Err(error)) => {
            drop(standby.stop().await);
            Err(error.into())
        }
        None => Ok(ControlFlow::Break(standby.stop().await)),
    }
}

/// `attache serve --background`: says on stdout, once, whether it listens, and ends when nobody uses it any more.
pub(super) fn in_the_background(
    options: &Options,
    environment: &Environment,
) -> Result<(), Failure> {
    // It fails only for a process that leads a group already, and so is on its own already.
    let _ = rustix::process::setsid();
    let served = serve_until_idle(options, environment);
    if let Err(failure) = &served {
        tell(&Started::Failed(failure.to_string()))?;
    }
    served
}

fn serve_until_idle(options: &Options, environment: &Environment) -> Result<(), Failure> {
    let config = resolve(options, environment)?;
    let idle_exit = config.idle_exit;
    let socket = config
        .control_socket()
        .map_err(|problem| Failure::new(problem.to_string()))?;
    let Turn::Ours(lock) = wait_for_turn(&config.data_dir, &socket)? else {
        return tell(&Started::Ready);
    };
    let served = in_runtime(async {
        let mut signals = Signals::listen()?;
        let app = match Start::begin(config, Clock::System, Random::System).await? {
            Start::Open(app) => {
                let (app, ..) = open_to_the_owner(app, environment).await?;
                tell(&Started::Ready)?;
                app
            }
            Start::Standby(mut standby) => {
                standby.open_control()?;
                tell(&Started::Ready)?;
                let waiting = until_the_store_opens(standby, &mut signals);
                match until_idle(idle_exit, waiting).await {
                    Some(Ok(ControlFlow::Continue(app))) => {
                        open_to_the_owner(app, environment).await?.0
                    }
                    Some(Ok(ControlFlow::Break(waiting))) => return Ok(waiting),
                    Some(Err(failure)) => return Err(failure),
                    None => return Ok(WaitingForTheEnd::default()),
                }
            }
        };
        let idle = async {
            match idle_exit {
                Some(idle_exit) => app.idle_for(idle_exit).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = until_told_to_end(&mut signals, &app, true) => {}
            () = idle => tracing::info!("nobody has used this gateway for a while: it ends"),
        }
        Ok(app.stop().await)
    });
    drop(lock);
    served.map(drop)
}

/// Waits no longer than a gateway stays that nobody can use.
async fn until_idle<T>(idle_exit: Option<Duration>, work: impl Future<Output = T>) -> Option<T> {
    match idle_exit {
        Some(idle_exit) => tokio::time::timeout(idle_exit, work).await.ok(),
        None => Some(work.await),
    }
}

/// The gateway of the person of this machine: their pages, their agents, their control socket.
async fn open_to_the_owner(
    mut app: App,
    environment: &Environment,
) -> Result<(App, Caller, Option<Secret>), Failure> {
    let (owner, agent_token) = local_owner(app.gateway(), environment).await?;
    app.open_control(owner.clone())?;
    Ok((app, owner, agent_token))
}

/// The person of this machine, with the agent that acts for them and its token. Where people sign in with an issuer there is no
/// such agent and no token: whoever may run commands here looks after this gateway, and is nobody on its pages.
pub(super) async fn local_owner(
    gateway: &Gateway,
    environment: &Environment,
) -> Result<(Caller, Option<Secret>), Failure> {
    const SUBJECT: &str = "owner";
    let name = local_person(environment);
    if gateway.issuer_name().is_some() {
        let caller = gateway.caretaker(Principal::LOCAL_ISSUER, SUBJECT, &name, LOCAL_AGENT);
        return Ok((caller.await?, None));
    }
    let caller = gateway.startup_caller(Principal::LOCAL_ISSUER, SUBJECT, &name, LOCAL_AGENT);
    let (caller, token) = caller.await?;
    Ok((caller, Some(token)))
}

/// One line to whoever started us in the background. That they are gone is no failure.
fn tell(started: &Started) -> Result<(), Failure> {
    match writeln!(io::stdout(), "{}", serde_json::to_string(started)?) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// `attache demo`.
pub(super) fn demo(
    options: &Options,
    environment: &Environment,
    json: bool,
) -> Result<(), Failure> {
    let own_folder = options.data_dir.is_none() && environment.find("ATTACHE_DATA_DIR").is_none();
    let mut config = resolve(options, environment)?;
    if own_folder {
        config = config.in_folder("demo");
    }
    let lock = GatewayLock::try_take(&config.data_dir)?;
    let served = in_runtime(async move {
        let mut signals = Signals::listen()?;
        let demo = Demo::start(config, Clock::System, Random::System).await?;
        announce(&demo.ready().await?, json, steps::demo)?;
        until_told_to_end(&mut signals, demo.app(), json).await;
        Ok(demo.stop().await)
    });
    drop(lock);
    served.map(drop)
}

/// Where the gateway is, and what of it is wanted.
#[derive(Debug, Args)]
pub(super) struct StdioOptions {
    #[command(flatten)]
    places: Places,
    /// Offer only this service's tools; may be given several times.
    #[arg(long = "service", value_name = "SERVICE")]
    services: Vec<String>,
}

/// `attache stdio`: MCP on stdin and stdout, through the gateway of the data folder, or one elsewhere.
pub(super) fn stdio(options: StdioOptions, environment: &Environment) -> Result<(), Failure> {
    let StdioOptions { places, services } = options;
    let options = &Options::from(places);
    let remote = Remote::resolve(environment, &services)
        .map_err(|problem| Failure::new(problem.to_string()))?;
    if let Some(remote) = remote {
        let input = io::BufReader::new(io::stdin());
        return in_runtime(async { Ok(bridge_to(remote, input, io::stdout()).await?) });
    }
    let config = resolve(options, environment)?;
    let mut launch = local::launch(&config, options, environment)?;
    launch.services = services;
    let input = io::BufReader::new(io::stdin());
    Ok(bridge(&launch, input, io::stdout())?)
}

#[derive(Debug, Args)]
pub(super) struct SandboxOptions {
    /// Address and port to listen on, on this machine.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    bind: SocketAddr,
    /// The file that keeps accounts, notes and tokens.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// The redirect URL of the gateway that will connect to it.
    #[arg(long, value_name = "URL")]
    redirect_url: String,
}

/// `attache sandbox`: prints what a gateway has to be told, as one line of JSON.
pub(super) fn sandbox(options: &SandboxOptions) -> Result<(), Failure> {
    let settings = sandbox::Settings {
        bind: options.bind,
        state_file: options.state.clone(),
    };
    in_runtime(async {
        let mut signals = Signals::listen()?;
        let sandbox = sandbox::start(settings, Clock::System, Random::System).await?;
        let client = sandbox
            .register_client("Attache", &options.redirect_url)
            .await?;
        let ready = ReadySandbox {
            sandbox_url: sandbox.url().to_owned(),
            client_id: client.client_id,
            client_secret: client.client_secret,
            control_secret: sandbox.control_secret().clone(),
        };
        println!("{}", serde_json::to_string(&ready)?);
        signals.told_to_end().await;
        sandbox.stop().await;
        Ok(())
    })
}

pub(super) fn resolve(options: &Options, environment: &Environment) -> Result<Config, Failure> {
    let resolved = Config::resolve(options, environment).map(|mut config| {
        config.store.probe = this_program().ok();
        config
    });
    resolved.map_err(|problems| {
        let lines: Vec<_> = problems
            .iter()
            .map(|problem| format!("  {problem}"))
            .collect();
        Failure::new(format!(
            "the configuration has problems:\n{}",
            lines.join("\n")
        ))
    })
}

/// What the person of this machine is called on pages.
fn local_person(environment: &Environment) -> String {
    environment.find("USER").unwrap_or("you").to_owned()
}

pub(super) fn in_runtime<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(work)
}

/// One line of JSON on stdout, or the steps for a person on stderr.
fn announce(ready: &Ready, json: bool, steps: fn(&Ready) -> String) -> Result<(), Failure> {
    if json {
        println!("{}", serde_json::to_string(ready)?);
    } else {
        eprintln!("{}", steps(ready));
    }
    Ok(())
}

/// Waits for SIGTERM or SIGINT, or for a newer version that takes over. Meanwhile, at a terminal, every used sign-in link
/// is followed by a new one, so that a person is never locked out.
async fn until_told_to_end(signals: &mut Signals, app: &App, json: bool) {
    let gateway = app.gateway();
    let mut used = gateway.used_sign_in_links();
    loop {
        let principal = tokio::select! {
            () = signals.told_to_end() => return,
            () = app.asked_to_end() => return,
            Ok(principal) = used.recv(), if !json => Arc::clone(&principal),
        };
        match gateway.create_sign_in_link(&principal).await {
            Ok(link) => eprintln!(
                "The sign-in link of {} was used. The next one: {link}",
                principal.name
            ),
            Err(fault) => tracing::error!(%fault, "no new sign-in link could be made"),
        }
    }
}
