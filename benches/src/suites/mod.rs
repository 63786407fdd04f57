//! What is measured, one thing to a file.

mod calls;
mod catalogue;
mod compare;
mod durable;
mod growth;
mod hops;
mod memory;
mod missing;
mod parked;
mod session;
mod sizes;
mod start;
mod stdio;
mod tokens;

use std::fs;

use crate::call::{Call, Expected, GET, Size};
use crate::options::{Options, Suite};
use crate::process::Process;
use crate::table;

use serde_json::json;

/// Everything that a gateway is compared with, running.
struct Stage {
    upstream: Process,
    upstream_url: String,
    proxy: Process,
    proxy_url: String,
    bare: Process,
    /// Where the bare server's MCP endpoint is.
    bare_url: String,
}

impl Stage {
    fn start() -> anyhow::Result<Self> {
        let (upstream, upstream_url) = Process::start_own(&["upstream"])?;
        let (proxy, proxy_url) = Process::start_own(&["proxy", "--upstream", &upstream_url])?;
        let (bare, bare_url) = Process::start_own(&["bare", "--upstream", &upstream_url])?;
        Ok(Self {
            upstream,
            upstream_url,
            proxy,
            proxy_url,
            bare,
            bare_url: format!("{bare_url}/mcp"),
        })
    }
}

/// Measures what the options ask for, and prints it.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    println!("Load average before: {}", load_average());
    if options.wants(Suite::Catalogue) {
        catalogue::run(options)?;
    }
    if options.wants(Suite::Tokens) {
        tokens::run(options).await?;
    }
    let stage = Stage::start()?;
    if options.wants(Suite::Calls) {
        calls::run(options, &stage).await?;
    }
    if options.wants(Suite::Missing) {
        missing::run(options, &stage).await?;
    }
    if options.wants(Suite::Sizes) {
        sizes::run(options, &stage).await?;
    }
    if options.wants(Suite::Memory) {
        memory::run(options, &stage).await?;
    }
    if options.wants(Suite::Start) {
        start::run(options, &stage).await?;
    }
    if options.wants(Suite::Parked) {
        parked::run(options, &stage).await?;
    }
    if options.wants(Suite::Durable) {
        durable::run(options).await?;
    }
    if options.wants(Suite::Hops) {
        hops::run(options).await?;
    }
    if options.wants(Suite::Growth) {
        growth::run(options, &stage).await?;
    }
    println!("\nLoad average after: {}", load_average());
    Ok(())
}

/// How busy the machine is, over one, five and fifteen minutes.
fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let numbers: Vec<_> = text.split_whitespace().take(3).collect();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{} on {cores} cores", numbers.join(" "))
}

/// The call of the tool that asks the API once, as a client of 2026-07-28 makes it.
fn modern(size: Size, token: Option<&str>, expected: Expected) -> Call {
    let arguments = json!({ "size": size.name() });
    Call::modern(GET, &arguments, token, expected, (&json!({}), &json!({})))
}

/// A ratio or a number with two digits after the point.
fn two(number: f64) -> String {
    format!("{number:.2}")
}

/// A number of calls, without a fraction.
fn whole(number: f64) -> String {
    format!("{number:.0}")
}

/// Bytes as mebibytes, to a tenth.
fn mib(bytes: u64) -> String {
    format!("{:.1}", table::mebibytes(bytes))
}
