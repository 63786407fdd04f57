//! Floor 7: the command line.
//!
//! Owns words: commands, options, what is printed where. Results go to stdout, all else to stderr. Exit codes: 0 done,
//! 1 failed, 2 wrong usage, 4 a service must be connected first, 5 the tool's result is an error; a command that is
//! interrupted ends by the signal, which shells show as 130.

mod accounts;
mod agents;
mod arguments;
mod ask;
mod backup;
mod check;
mod doctor;
mod drill;
mod failure;
mod import;
mod keys;
mod local;
mod manifest;
mod new_provider;
mod probe;
mod progress;
mod providers;
mod requests;
mod restore;
mod run;
mod signals;
mod steps;
mod store;
mod webhooks;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::app::start_logging;
use crate::config::{Environment, Options};
use crate::store::PROBE_COMMAND;
use failure::Failure;

/// A self-hosted MCP gateway: agents call tools with each person's own connections.
#[derive(Debug, Parser)]
#[command(name = "attache", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway.
    Serve(Serve),
    /// Run the gateway with a built-in service and two people, to try it out.
    Demo(Serve),
    /// Speak MCP over stdin and stdout, through the gateway of the data folder, which is started when none runs.
    Stdio(run::StdioOptions),
    /// Open the pages in your browser, signed in.
    Open(ask::OpenOptions),
    /// Show every service, and how you stand with it.
    Connections(ask::ConnectionsOptions),
    /// Show the accounts that calls may use, and choose which one is used by default.
    Accounts(accounts::AccountsOptions),
    /// Connect a service: print the link, and open it.
    Connect(ask::ConnectOptions),
    /// Disconnect a service, or everything.
    Disconnect(ask::DisconnectOptions),
    /// List the people of this gateway, and remove one with everything of theirs.
    People(ask::PeopleOptions),
    /// Show the tools that agents see.
    Tools(ask::ToolsOptions),
    /// Call one tool.
    Call(ask::CallOptions),
    /// List, add, narrow, revoke and stop the agents that act for you.
    Agents(agents::AgentsOptions),
    /// Show where events go and what was sent; send a test, or one event again.
    Webhooks(webhooks::WebhooksOptions),
    /// Make a backup of everything while the gateway runs, verify one, or list those there are.
    Backup(backup::BackupOptions),
    /// Make a store of a backup, in the place of the one that is there or where none is.
    Restore(restore::RestoreOptions),
    /// Show how the master key stands, and change it for a new one while people work.
    Keys(keys::KeysOptions),
    /// Run the built-in service of the demo alone.
    Sandbox(run::SandboxOptions),
    /// Check provider files: those built in, and those in a folder.
    Check(check::CheckOptions),
    /// Count the tools of each service, and how far they are proven.
    Providers(providers::ProvidersOptions),
    /// Write a provider file to begin with.
    NewProvider(new_provider::NewProviderOptions),
    /// Draft a provider file out of what a provider publishes about its API.
    Import(import::ImportOptions),
    /// Have the running gateway read its provider files again.
    Reload(ask::ReloadOptions),
    /// Practise a fault: on the Sandbox of `attache demo` for real, on another service without touching it.
    Drill(drill::DrillOptions),
    /// Look at everything that a start depends on, change nothing, and say what to do.
    Doctor(doctor::DoctorOptions),
    /// Look at everything that is kept, and put right what can be.
    Store(store::StoreOptions),
    /// Print what this version of Attache is and offers, as JSON.
    Manifest(manifest::ManifestOptions),
    /// Open a copy of a store that may be damaged; for the gateway itself.
    #[command(name = PROBE_COMMAND, hide = true)]
    ProbeStore(probe::ProbeOptions),
}

#[derive(Debug, Args)]
struct Serve {
    #[command(flatten)]
    places: Places,
    /// Print one line of JSON on stdout once ready.
    #[arg(long)]
    json: bool,
    /// Run detached from whoever starts it; for `attache stdio`.
    #[arg(long, hide = true)]
    background: bool,
}

/// Where things are.
#[derive(Debug, Args)]
struct Places {
    /// The configuration file.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address and port to listen on [default: 127.0.0.1:8080].
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    bind: Option<String>,
    /// The folder for the store and the master key.
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// A folder with more provider files.
    #[arg(long, global = true, value_name = "DIR")]
    providers: Option<PathBuf>,
    /// Where browsers and clients find this gateway, such as `https://attache.example.com`.
    #[arg(long, global = true, value_name = "URL")]
    public_url: Option<String>,
}

impl From<Places> for Options {
    fn from(places: Places) -> Self {
        let Places {
            config,
            bind,
            data_dir,
            providers,
            public_url,
        } = places;
        Self {
            config,
            bind,
            data_dir,
            providers,
            public_url,
        }
    }
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let environment = Environment::of_process();
    start_logging(&environment);
    let outcome = match cli.command {
        Command::Check(options) => check::run(&options),
        Command::Providers(options) => providers::run(&options),
        Command::NewProvider(options) => new_provider::run(&options),
        Command::Import(options) => import::run(&options),
        Command::Serve(serve) if serve.background => {
            run::in_the_background(&serve.places.into(), &environment)
        }
        Command::Doctor(options) => doctor::run(options, &environment),
        Command::Manifest(options) => manifest::run(&options),
        Command::ProbeStore(options) => probe::run(&options),
        Command::Serve(serve) => run::serve(&serve.places.into(), &environment, serve.json),
        Command::Demo(demo) => run::demo(&demo.places.into(), &environment, demo.json),
        Command::Stdio(options) => run::stdio(options, &environment),
        Command::Open(options) => ask::open(options, &environment),
        Command::Connections(options) => ask::connections(options, &environment),
        Command::Accounts(options) => accounts::run(options, &environment),
        Command::Connect(options) => ask::connect(options, &environment),
        Command::Disconnect(options) => ask::disconnect(options, &environment),
        Command::People(options) => ask::people(options, &environment),
        Command::Tools(options) => ask::tools(options, &environment),
        Command::Call(options) => ask::call(options, &environment),
        Command::Agents(options) => agents::run(options, &environment),
        Command::Webhooks(options) => webhooks::webhooks(options, &environment),
        Command::Store(options) => store::run(options, &environment),
        Command::Backup(options) => backup::run(options, &environment),
        Command::Restore(options) => restore::run(options, &environment),
        Command::Keys(options) => keys::keys(options, &environment),
        Command::Reload(options) => ask::reload(options, &environment),
        Command::Drill(options) => drill::run(options, &environment),
        Command::Sandbox(options) => run::sandbox(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("attache: {failure}");
            ExitCode::from(failure.status)
        }
    }
}
