//! The commands that run until they are told to end.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::signals::Signals;
use super::{Failure, steps};
use crate::app::{App, Demo, DemoSettings, Ready, ReadySandbox};
use crate::base::{Clock, Random};
use crate::config::{Config, Environment, Options};
use crate::gateway::Gateway;
use crate::{mcp, sandbox};

/// Who vouches for the one person of a laptop.
const LOCAL_ISSUER: &str = "attache:local";

/// `attache serve`.
pub(super) fn serve(
    options: &Options,
    environment: &Environment,
    json: bool,
) -> Result<(), Failure> {
    let config = resolve(options, environment)?;
    let person = local_person(environment);
    in_runtime(async move {
        let mut signals = Signals::listen()?;
        let data_dir = config.data_dir.clone();
        let app = App::start(config, Clock::System, Random::System).await?;
        let (principal, _, agent_token) = app
            .person(LOCAL_ISSUER, "owner", &person, "Your agent")
            .await?;
        let links = app.gateway().links();
        let ready = Ready {
            mcp_url: links.mcp(),
            sse_url: None,
            dashboard_url: links.connections(),
            sign_in_url: app.gateway().create_sign_in_link(&principal).await?,
            agent_token,
            data_dir,
            sandbox_url: None,
            people: Vec::new(),
        };
        announce(&ready, json, steps::serve)?;
        until_told_to_end(&mut signals, app.gateway(), json).await;
        app.stop().await;
        Ok(())
    })
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
    in_runtime(async move {
        let mut signals = Signals::listen()?;
        let demo = Demo::start(DemoSettings { config }, Clock::System, Random::System).await?;
        announce(&demo.ready().await?, json, steps::demo)?;
        until_told_to_end(&mut signals, demo.app().gateway(), json).await;
        demo.stop().await;
        Ok(())
    })
}

/// `attache stdio`: MCP on stdin and stdout, the pages beside it.
pub(super) fn stdio(options: &Options, environment: &Environment) -> Result<(), Failure> {
    let config = resolve(options, environment)?;
    let person = local_person(environment);
    in_runtime(async move {
        let mut signals = Signals::listen()?;
        let app = App::start(config, Clock::System, Random::System).await?;
        let (principal, caller, _) = app
            .person(LOCAL_ISSUER, "owner", &person, "Your agent")
            .await?;
        let sign_in = app.gateway().create_sign_in_link(&principal).await?;
        eprintln!("attache: ready on stdin and stdout; sign in to the pages once with {sign_in}");
        let served = tokio::select! {
            served = mcp::serve_stdio(app.server_for(caller)) => served.map_err(Failure::from),
            () = until_told_to_end(&mut signals, app.gateway(), false) => Ok(()),
        };
        app.stop().await;
        served
    })
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
        };
        println!("{}", serde_json::to_string(&ready)?);
        signals.told_to_end().await;
        sandbox.stop().await;
        Ok(())
    })
}

fn resolve(options: &Options, environment: &Environment) -> Result<Config, Failure> {
    Config::resolve(options, environment).map_err(|problems| {
        let lines: Vec<_> = problems
            .iter()
            .map(|problem| format!("  {problem}"))
            .collect();
        Failure(format!(
            "the configuration has problems:\n{}",
            lines.join("\n")
        ))
    })
}

/// What the person of this machine is called on pages.
fn local_person(environment: &Environment) -> String {
    environment.find("USER").unwrap_or("you").to_owned()
}

fn in_runtime(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
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

/// Waits for SIGTERM or SIGINT. Meanwhile, at a terminal, every used sign-in link is followed by a new one, so that a
/// person is never locked out.
async fn until_told_to_end(signals: &mut Signals, gateway: &Gateway, json: bool) {
    let mut used = gateway.used_sign_in_links();
    loop {
        let principal = tokio::select! {
            () = signals.told_to_end() => return,
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
