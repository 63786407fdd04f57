//! One tool call, everything on, beside the least that could be done (P-01, P-03).

use std::time::Duration;

use serde_json::json;

use super::compare::{Contender, Results, cpu, p50, p99, rate};
use super::{Stage, mib, modern, session, two, whole};
use crate::call::{Call, Expected, GET, Size};
use crate::gateway::Home;
use crate::load::{self, Target};
use crate::options::Options;
use crate::store::{self, Wanted};
use crate::table;

/// Where each contender stands in the table.
const PROXY: usize = 1;
const BARE: usize = 2;
const ATTACHE: usize = 3;
const BARE_SESSION: usize = 4;
const ATTACHE_SESSION: usize = 5;

/// How many connections call at once, in the two measurements.
const FEW: usize = 16;
const MANY: usize = 64;

/// How many people the store holds; every connection is another person's.
const PEOPLE: usize = 64;

pub(super) async fn run(options: &Options, stage: &Stage) -> anyhow::Result<()> {
    let home = Home::new(&options.program, &stage.upstream_url)?;
    let wanted: Vec<_> = (0..PEOPLE)
        .map(|number| Wanted {
            name: format!("person-{number:04}"),
            connected: true,
        })
        .collect();
    let people = store::fill(&home, &wanted).await?;
    let gateway = home.start()?;
    let size = Size::Small;
    let in_session = async |url: &str, token: Option<&str>| -> anyhow::Result<Call> {
        let session = session::begin(url, token).await?;
        let (arguments, expected) = (json!({ "size": size.name() }), Expected::ToolReply(size));
        Ok(Call::legacy(GET, &arguments, token, &session, expected))
    };
    let (mut bare_sessions, mut attache, mut sessions) = (Vec::new(), Vec::new(), Vec::new());
    for person in &people {
        let token = Some(person.token.as_str());
        attache.push(modern(size, token, Expected::ToolReply(size)));
        sessions.push(in_session(&gateway.url, token).await?);
        bare_sessions.push(in_session(&stage.bare_url, None).await?);
    }
    let direct = vec![Call::get(size)];
    let bare = vec![modern(size, None, Expected::ToolReply(size))];
    let contenders = [
        (
            "direct to the upstream",
            &stage.upstream_url,
            direct.clone(),
            &stage.upstream,
        ),
        (
            "minimal axum + reqwest proxy",
            &stage.proxy_url,
            direct,
            &stage.proxy,
        ),
        ("bare rmcp server", &stage.bare_url, bare, &stage.bare),
        ("**Attache**", &gateway.url, attache, &gateway.process),
        (
            "bare rmcp server, 2025-11-25 sessions",
            &stage.bare_url,
            bare_sessions,
            &stage.bare,
        ),
        (
            "**Attache**, 2025-11-25 sessions",
            &gateway.url,
            sessions,
            &gateway.process,
        ),
    ];
    let contenders = contenders
        .into_iter()
        .map(|(name, url, calls, server)| {
            let target = Target::new(url, calls)?;
            Ok(Contender {
                name,
                target,
                server,
            })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
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
    let (few, many) = (closed(FEW).await?, closed(MANY).await?);
    print_closed(&contenders, &few, &many);

    // Half of what the gateway can do, for everybody, so that nobody is overloaded.
    let half = few
        .median(ATTACHE, rate)
        .min(few.median(ATTACHE_SESSION, rate))
        / 2.0;
    let time = options.time().max(Duration::from_secs(2));
    let open = Results::of(&contenders, options.rounds, async |contender| {
        load::open(&contender.target, contender.server, half, time).await
    });
    print_open(&contenders, &open.await?, half);
    Ok(())
}

/// The bare server that speaks as this contender does.
fn bare_of(which: usize) -> usize {
    if which >= BARE_SESSION {
        BARE_SESSION
    } else {
        BARE
    }
}

fn print_closed(contenders: &[Contender<'_>], few: &Results, many: &Results) {
    let rows: Vec<_> = contenders
        .iter()
        .enumerate()
        .map(|(which, contender)| {
            vec![
                contender.name.to_owned(),
                whole(few.median(which, rate)),
                two(few.ratio(which, PROXY, rate)),
                two(few.ratio(which, bare_of(which), rate)),
                whole(many.median(which, rate)),
                two(many.ratio(which, PROXY, rate)),
                two(many.ratio(which, bare_of(which), rate)),
                two(few.median(which, p99)),
                two(few.ratio(which, PROXY, p99)),
                format!("{:.1}", few.median(which, cpu)),
                two(few.ratio(which, PROXY, cpu)),
                mib(few.resident(which).max(many.resident(which))),
            ]
        })
        .collect();
    table::print(
        "One tool call, as fast as answers come (P-01, P-03)",
        &[
            "what",
            "calls/s, c=16",
            "vs proxy",
            "vs bare",
            "calls/s, c=64",
            "vs proxy",
            "vs bare",
            "p99, c=16 (ms)",
            "vs proxy",
            "CPU per 1,000 (ms)",
            "vs proxy",
            "memory (MiB)",
        ],
        &rows,
    );
}

fn print_open(contenders: &[Contender<'_>], open: &Results, rate: f64) {
    let rows: Vec<_> = contenders
        .iter()
        .enumerate()
        .map(|(which, contender)| {
            let [half, most] = [open.median(which, p50), open.median(which, p99)];
            vec![
                contender.name.to_owned(),
                two(half),
                two(most),
                format!("{:+.2}", half - open.median(PROXY, p50)),
                format!("{:+.2}", most - open.median(PROXY, p99)),
            ]
        })
        .collect();
    table::print(
        &format!("One tool call at a fixed {rate:.0} calls/s, half of what Attache can do (P-03)"),
        &[
            "what",
            "p50 (ms)",
            "p99 (ms)",
            "p50 - proxy (ms)",
            "p99 - proxy (ms)",
        ],
        &rows,
    );
}
