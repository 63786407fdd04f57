//! Larger replies, passed through (P-13).

use super::compare::{Contender, Results, cpu, p99, rate};
use super::{Stage, mib, modern, two, whole};
use crate::call::{Call, Expected, Size};
use crate::gateway::Home;
use crate::load::{self, Target};
use crate::options::Options;
use crate::store::{self, Wanted};
use crate::table;

const PROXY: usize = 0;
const BARE: usize = 1;

pub(super) async fn run(options: &Options, stage: &Stage) -> anyhow::Result<()> {
    let home = Home::new(&options.program, &stage.upstream_url)?;
    let wanted: Vec<_> = (0..16)
        .map(|number| Wanted {
            name: format!("person-{number:04}"),
            connected: true,
        })
        .collect();
    let people = store::fill(&home, &wanted).await?;
    let gateway = home.start()?;
    let mut rows = Vec::new();
    for size in Size::ALL {
        let expected = Expected::ToolReply(size);
        let attache = people
            .iter()
            .map(|person| modern(size, Some(&person.token), expected.clone()))
            .collect();
        let contenders = [
            Contender {
                name: "minimal proxy",
                target: Target::new(&stage.proxy_url, vec![Call::get(size)])?,
                server: &stage.proxy,
            },
            Contender {
                name: "bare rmcp server",
                target: Target::new(&stage.bare_url, vec![modern(size, None, expected.clone())])?,
                server: &stage.bare,
            },
            Contender {
                name: "**Attache**",
                target: Target::new(&gateway.url, attache)?,
                server: &gateway.process,
            },
        ];
        let results = Results::of(&contenders, options.rounds, async |contender| {
            load::closed(&contender.target, contender.server, 16, options.time()).await
        })
        .await?;
        rows.extend(contenders.iter().enumerate().map(|(which, contender)| {
            vec![
                format!("{}, {}", size.name(), contender.name),
                whole(results.median(which, rate)),
                two(results.ratio(which, PROXY, rate)),
                two(results.ratio(which, BARE, rate)),
                two(results.median(which, p99)),
                format!("{:.1}", results.median(which, cpu)),
                mib(results.resident(which)),
            ]
        }));
    }
    table::print(
        "Replies of other sizes, c=16 (P-13)",
        &[
            "reply",
            "calls/s",
            "vs proxy",
            "vs bare",
            "p99 (ms)",
            "CPU per 1,000 (ms)",
            "memory (MiB)",
        ],
        &rows,
    );
    Ok(())
}
