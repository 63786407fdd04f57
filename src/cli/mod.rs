//! Floor 7: the command line.
//!
//! Owns words: commands, options, what is printed where. Results go to stdout, all else to stderr. Exit codes: 0 done,
//! 1 failed, 2 wrong usage.

mod check;
mod doctor;
mod manifest;
mod run;
mod signals;
mod steps;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::app::start_logging;
use crate::config::{Environment, Options};

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
    /// Speak MCP over stdin and stdout, for the person who runs it.
    Stdio(Places),
    /// Run the built-in service of the demo alone.
    Sandbox(run::SandboxOptions),
    /// Check provider files: those built in, and those in a folder.
    Check(check::CheckOptions),
    /// Look at everything that a start depends on, change nothing, and say what to do.
    Doctor(doctor::DoctorOptions),
    /// Print what this version of Attache is and offers, as JSON.
    Manifest(manifest::ManifestOptions),
}

#[derive(Debug, Args)]
struct Serve {
    #[command(flatten)]
    places: Places,
    /// Print one line of JSON on stdout once ready.
    #[arg(long)]
    json: bool,
}

/// Where things are.
#[derive(Debug, Args)]
struct Places {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address and port to listen on [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDRESS:PORT")]
    bind: Option<String>,
    /// The folder for the store and the master key.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// A folder with more provider files.
    #[arg(long, value_name = "DIR")]
    providers: Option<PathBuf>,
    /// Where browsers and clients find this gateway, such as `https://attache.example.com`.
    #[arg(long, value_name = "URL")]
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
        Command::Doctor(options) => doctor::run(options, &environment),
        Command::Manifest(options) => manifest::run(&options),
        Command::Serve(serve) => run::serve(&serve.places.into(), &environment, serve.json),
        Command::Demo(demo) => run::demo(&demo.places.into(), &environment, demo.json),
        Command::Stdio(places) => run::stdio(&places.into(), &environment),
        Command::Sandbox(options) => run::sandbox(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("attache: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Why a command failed: one or more sentences for the person at the terminal.
#[derive(Debug)]
struct Failure(String);

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}
