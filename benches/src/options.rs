//! What the benchmark is asked to do.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

/// What is measured, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The gateway under test: a release build.
    #[arg(long, value_name = "FILE", default_value = "target/release/attache")]
    pub(crate) program: PathBuf,
    /// How often everything is measured; medians are shown.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) rounds: u16,
    /// How long each measurement takes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    seconds: u16,
    /// How many connections the store holds whose start is timed.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) connections: usize,
    /// How many connections there are in the largest of the stores whose growth is measured.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) most_connections: usize,
    /// How many connections each person has there.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) connections_each: u16,
    /// Where those stores are made: a file system in memory makes them in minutes.
    #[arg(long, value_name = "FOLDER", default_value = "/tmp")]
    pub(crate) growth_folder: PathBuf,
    /// How many people have calls that wait.
    #[arg(long, default_value_t = 100)]
    pub(crate) people: usize,
    /// How many calls of each of them wait.
    #[arg(long, default_value_t = 10)]
    pub(crate) calls: usize,
    /// Measure only this; may be given more than once.
    #[arg(long, value_enum)]
    only: Vec<Suite>,
}

/// One thing that can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Suite {
    /// One tool call (P-01, P-03).
    Calls,
    /// A missing connection (P-04).
    Missing,
    /// Larger replies (P-13).
    Sizes,
    /// Memory when idle, and of sessions (P-07).
    Memory,
    /// Start, and size of the program (P-08, P-12).
    Start,
    /// Calls that wait for a connection (P-07).
    Parked,
    /// Calls beside more and more connections, and the start with them (P-08, P-09). Minutes, and gigabytes: it runs only
    /// when it is asked for.
    Growth,
    /// Durable writes, beside the same engine synced by hand (P-10).
    Durable,
    /// Loading provider files, in this process.
    Catalogue,
    /// Ways to read on another thread than the one that asks.
    Hops,
    /// Checking an agent token, in this process.
    Tokens,
}

impl Options {
    /// How long each measurement takes.
    pub(crate) fn time(&self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }

    /// Whether this is to be measured.
    pub(crate) fn wants(&self, suite: Suite) -> bool {
        let usual = self.only.is_empty() && suite != Suite::Growth;
        usual || self.only.contains(&suite)
    }
}
