//! What it costs to say who bears an agent token: found in memory, found in the pages of sled, unknown.
//!
//! In this very process, with the library: what HTTP around it costs is measured by `calls`.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use attache::app::App;
use attache::base::{Clock, Random};
use attache::config::{Config, Environment, Options as ConfigOptions};
use attache::gateway::Gateway;
use attache::identity::{AgentTerms, AgentToken};

use crate::options::Options;
use crate::table;

/// How many people have an agent each.
const PEOPLE: usize = 1_000;
/// How often each token is presented in one round.
const TIMES: usize = 20;

pub(super) async fn run(options: &Options) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for (name, cache) in [("records in memory", 64 << 20), ("no record in memory", 0)] {
        let folder = tempfile::tempdir()?;
        let app = start(folder.path(), cache).await?;
        let (known, unknown) = tokens(app.gateway()).await?;
        for (what, tokens) in [("a token that is known", &known), ("an unknown one", &unknown)] {
            let mut rounds = Vec::new();
            for _ in 0..options.rounds.max(3) {
                rounds.push(round(app.gateway(), tokens).await?);
            }
            let spread = rounds.iter().copied().fold(0.0, f64::max);
            rows.push(vec![
                format!("{what}, {name}"),
                format!("{:.1}", table::median(rounds)),
                format!("{spread:.1}"),
            ]);
        }
        drop(app.stop().await);
    }
    table::print(
        "Checking an agent token (microseconds each, one after another)",
        &["what", "median round", "worst round"],
        &rows,
    );
    Ok(())
}

async fn start(folder: &Path, cache: u64) -> anyhow::Result<App> {
    let options = ConfigOptions {
        bind: Some("127.0.0.1:0".into()),
        data_dir: Some(folder.join("data")),
        ..ConfigOptions::default()
    };
    let mut config = Config::resolve(&options, &Environment::default())
        .map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
    config.store.record_cache_bytes = cache;
    App::start(config, Clock::System, Random::System)
        .await
        .context("a gateway")
}

/// One token for each of many people, and as many that are nobody's.
async fn tokens(gateway: &Gateway) -> anyhow::Result<(Vec<AgentToken>, Vec<AgentToken>)> {
    let mut known = Vec::new();
    for number in 0..PEOPLE {
        let name = format!("person {number}");
        let person = gateway.person("attache:bench", &name, &name).await?;
        let added = gateway.add_agent(&person, "agent", AgentTerms::default());
        let (_, token) = added.await?;
        known.push(AgentToken::parse(token.expose())?);
    }
    let unknown = (0..PEOPLE).map(|_| AgentToken::new(&Random::System));
    Ok((known, unknown.collect()))
}

/// Microseconds for one token.
async fn round(gateway: &Gateway, tokens: &[AgentToken]) -> anyhow::Result<f64> {
    let mut spent = Duration::ZERO;
    for _ in 0..TIMES {
        let began = Instant::now();
        for token in tokens {
            std::hint::black_box(gateway.authenticate(token).await?);
        }
        spent += began.elapsed();
    }
    let count = u32::try_from(TIMES * tokens.len())?;
    Ok(spent.as_secs_f64() * 1_000_000.0 / f64::from(count))
}
