//! Breaks a store in every way that a disk, a kernel or a power cut can, and judges what is left of it.
//!
//! `write` and `check` are the two ends of it: one writes typed records and says which writes were acknowledged, the
//! other opens the store and judges each of those records. The rest damages what lies between them, each case in
//! processes of its own, so that panics, aborts and hangs are outcomes like others. `scripts/store-flips` and its
//! neighbours run them in full.

mod cases;

mod check;
mod child;
mod flips;
mod ground;
mod ledger;
mod power_cuts;
mod slot;
mod syscalls;
mod torn;
mod trace;
mod verdict;
mod write;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Breaks stores, and judges what is left of them.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes records and says which writes were acknowledged.
    Write(write::Orders),
    /// Judges each record that was acknowledged.
    Check(check::Orders),
    /// Flips one bit of a closed store, case by case.
    Flips(Loop),
    /// Tears, cuts off, removes, empties, doubles and swaps files of a closed store.
    Torn(Loop),
    /// Lets system calls of a writing process fail, or kills it at them.
    Syscalls(Loop),
    /// Cuts the power of a file system while a process writes to it.
    PowerCuts(Loop),
}

/// What every loop takes.
#[derive(Args, Clone)]
struct Loop {
    /// How many cases.
    #[arg(long)]
    cases: usize,
    /// Which cases: the same seed makes the same choices.
    #[arg(long, default_value_t = 0x5eed)]
    seed: u64,
    /// This case alone, and keep what it leaves.
    #[arg(long)]
    only: Option<usize>,
    /// How many cases at once.
    #[arg(long, default_value_t = 2)]
    at_once: usize,
    /// Where the stores are made; a folder of the system's unless set. It is left there after a failure.
    #[arg(long)]
    scratch: Option<PathBuf>,
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Write(orders) => write::run(&orders),
        Command::Check(orders) => check::run(&orders),
        Command::Flips(orders) => flips::run(&orders),
        Command::Torn(orders) => torn::run(&orders),
        Command::Syscalls(orders) => syscalls::run(&orders),
        Command::PowerCuts(orders) => power_cuts::run(&orders),
    }
}
