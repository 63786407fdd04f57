//! Calls beside more and more connections, and the start with them (P-08, P-09).
//!
//! All stores are made first and all gateways run at once, so that rounds can go from one to the next. Each has caches of
//! 512 MiB in all, be its store small or large.

use std::time::Duration;

use super::compare::{Contender, Results, cpu, p99, rate};
use super::{Stage, mib, modern, two, whole};
use crate::call::{Expected, Size};
use crate::gateway::{Gateway, Home};
use crate::load::{self, Choice, Target};
use crate::options::Options;
use crate::store;
use crate::table;

/// Half for sled's pages, half for sealed records.
const CACHES: &str = "[store]\ncache_bytes = 268435456\nrecord_cache_bytes = 268435456\n";

/// The smallest store, which the others are compared with.
const LEAST: usize = 1_000;

/// How many connections call at once.
const AT_ONCE: usize = 16;

/// How long each is called before anything counts, so that what fits into its caches is there.
const WARM_UP: Duration = Duration::from_secs(8);

struct Grown {
    gateway: Gateway,
    target: Target,
    _home: Home,
}

pub(super) async fn run(options: &Options, stage: &Stage) -> anyhow::Result<()> {
    let each = usize::from(options.connections_each);
    let sizes = [
        LEAST,
        (options.most_connections / 10).max(LEAST),
        options.most_connections,
    ];
    let (mut grown, mut starts) = (Vec::new(), Vec::new());
    for connections in sizes {
        let place = &options.growth_folder;
        let home = Home::inside(place, &options.program, &stage.upstream_url, CACHES)?;
        let began = std::time::Instant::now();
        let tokens = store::grow(&home, connections.div_ceil(each), each).await?;
        println!(
            "made {connections} connections of {} people in {:.0} s",
            tokens.len(),
            began.elapsed().as_secs_f64()
        );
        let mut times = Vec::new();
        for _ in 0..options.rounds.max(3) {
            times.push(table::milliseconds(home.start()?.ready_after));
        }
        let gateway = home.start()?;
        starts.push(vec![
            format!("`attache serve`, {connections} connections, until it says ready"),
            whole(table::median(times.iter().copied())),
            whole(times.iter().copied().fold(0.0, f64::max)),
        ]);
        let call =
            |token: &String| modern(Size::Small, Some(token), Expected::ToolReply(Size::Small));
        let target = Target::new(&gateway.url, tokens.iter().map(call).collect())?;
        grown.push(Grown {
            gateway,
            target,
            _home: home,
        });
    }
    table::print(
        "Start beside many connections (P-08)",
        &["what", "median (ms)", "worst (ms)"],
        &starts,
    );
    calls(options, &grown, sizes).await
}

async fn calls(options: &Options, grown: &[Grown], sizes: [usize; 3]) -> anyhow::Result<()> {
    let contender = |name, which: usize, choice| Contender {
        name,
        target: grown[which].target.choosing(choice),
        server: &grown[which].gateway.process,
    };
    let contenders = [
        contender("the fewest", 0, Choice::Uniform),
        contender("a tenth of the most", 1, Choice::Uniform),
        contender(
            "the most, one in a hundred makes half the calls",
            2,
            Choice::HalfOfOneInAHundred,
        ),
        contender("the most, uniform", 2, Choice::Uniform),
    ];
    let connections = [sizes[0], sizes[1], sizes[2], sizes[2]];
    let measure = async |contender: &Contender<'_>, time| {
        load::closed(&contender.target, contender.server, AT_ONCE, time).await
    };
    for contender in &contenders {
        measure(contender, WARM_UP).await?;
    }
    let time = options.time();
    let results = Results::of(&contenders, options.rounds, async |one| {
        measure(one, time).await
    })
    .await?;
    let rows: Vec<_> = contenders
        .iter()
        .enumerate()
        .map(|(which, contender)| {
            vec![
                contender.name.to_owned(),
                connections[which].to_string(),
                whole(results.median(which, rate)),
                two(results.ratio(which, 0, rate)),
                two(results.median(which, p99)),
                format!("{:.1}", results.median(which, cpu)),
                mib(results.resident(which)),
            ]
        })
        .collect();
    table::print(
        "Calls beside more and more connections, 16 at once, 512 MiB of caches (P-09)",
        &[
            "who calls",
            "connections",
            "calls/s",
            "vs the fewest",
            "p99 (ms)",
            "CPU per 1,000 (ms)",
            "memory (MiB)",
        ],
        &rows,
    );
    Ok(())
}
