//! How fast a missing connection is answered, and that asking again writes nothing (P-04).

use std::time::Duration;

use serde_json::json;

use super::compare::{Contender, Results, cpu, p99, rate};
use super::{Stage, modern, two, whole};
use crate::call::{Call, ECHO, ECHOED, Expected, Size};
use crate::gateway::Home;
use crate::load::{self, Target};
use crate::options::Options;
use crate::store::{self, Wanted};
use crate::table;

const ECHOING: usize = 0;

/// How long the store may take to write what it was told: it flushes twice a second.
const SETTLE: Duration = Duration::from_millis(1_500);

pub(super) async fn run(options: &Options, stage: &Stage) -> anyhow::Result<()> {
    let home = Home::new(&options.program, &stage.upstream_url)?;
    let wanted: Vec<_> = (0..64)
        .map(|number| Wanted {
            name: format!("person-{number:04}"),
            connected: false,
        })
        .collect();
    let people = store::fill(&home, &wanted).await?;
    let gateway = home.start()?;
    let calls = people
        .iter()
        .map(|person| modern(Size::Small, Some(&person.token), Expected::Link))
        .collect();
    let nothing = json!({});
    let echo = Call::modern(
        ECHO,
        &nothing,
        None,
        Expected::Text(ECHOED),
        (&nothing, &nothing),
    );
    let contenders = [
        Contender {
            name: "bare rmcp server, echo",
            target: Target::new(&stage.bare_url, vec![echo])?,
            server: &stage.bare,
        },
        Contender {
            name: "**Attache**, missing connection",
            target: Target::new(&gateway.url, calls)?,
            server: &gateway.process,
        },
    ];
    let closed = |connections| {
        Results::of(&contenders, options.rounds, async move |contender| {
            load::closed(
                &contender.target,
                contender.server,
                connections,
                options.time(),
            )
            .await
        })
    };
    let (few, many) = (closed(16).await?, closed(64).await?);
    let rows: Vec<_> = contenders
        .iter()
        .enumerate()
        .map(|(which, contender)| {
            vec![
                contender.name.to_owned(),
                whole(few.median(which, rate)),
                two(few.ratio(which, ECHOING, rate)),
                whole(many.median(which, rate)),
                two(many.ratio(which, ECHOING, rate)),
                two(few.median(which, p99)),
                format!("{:.1}", few.median(which, cpu)),
            ]
        })
        .collect();
    table::print(
        "A missing connection (P-04)",
        &[
            "what",
            "calls/s, c=16",
            "vs echo",
            "calls/s, c=64",
            "vs echo",
            "p99, c=16 (ms)",
            "CPU per 1,000 (ms)",
        ],
        &rows,
    );
    print_written(options, &contenders[1]).await
}

/// What is written while people ask who have all asked before.
async fn print_written(options: &Options, attache: &Contender<'_>) -> anyhow::Result<()> {
    tokio::time::sleep(SETTLE).await;
    let before = attache.server.written()?;
    let asked = load::closed(&attache.target, attache.server, 64, options.time()).await?;
    tokio::time::sleep(SETTLE).await;
    let written = attache.server.written()? - before;
    println!(
        "\nBytes written to disk while 64 people asked again, {} times a second: {written}",
        whole(asked.rate)
    );
    Ok(())
}
