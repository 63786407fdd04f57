//! What Attache costs, measured from outside.
//!
//! Owns the whole-process benchmark: the servers that a gateway is compared with, the load, and the tables. The
//! gateway under test is the release program in a process of its own, with real sign-in, a sealed store and a provider
//! file. Refuses to be part of the product: nothing in `src/` knows of it.

mod bare;
mod browser;
mod call;
mod connection;
mod gateway;
mod load;
mod options;
mod process;
mod proxy;
mod serving;
mod store;
mod suites;
mod table;
mod upstream;

use clap::{Parser, Subcommand};

use options::Options;

/// Measures Attache beside a minimal proxy and a bare MCP server.
#[derive(Debug, Parser)]
#[command(name = "attache-bench", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the benchmark and print its tables.
    Run(Options),
    /// Serve the API that everything else calls.
    Upstream,
    /// Serve the minimal proxy: the limit for anything that stands in between.
    Proxy(Behind),
    /// Serve the bare MCP server: what the protocol costs when nothing is checked.
    Bare(Behind),
}

#[derive(Debug, clap::Args)]
struct Behind {
    /// Where the upstream is.
    #[arg(long, value_name = "URL")]
    upstream: String,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    // The same for every server and for the load: the runtime of the product.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match cli.command {
            Command::Run(options) => suites::run(&options).await,
            Command::Upstream => upstream::serve().await,
            Command::Proxy(behind) => proxy::serve(&behind.upstream).await,
            Command::Bare(behind) => bare::serve(&behind.upstream).await,
        }
    })
}
