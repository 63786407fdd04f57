//! How long a start takes, and how large the program is (P-08, P-12).

use super::{Stage, mib, stdio};
use crate::gateway::Home;
use crate::options::Options;
use crate::store::{self, Wanted};
use crate::table;

pub(super) async fn run(options: &Options, stage: &Stage) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for connections in [0, options.connections] {
        let home = Home::new(&options.program, &stage.upstream_url)?;
        let wanted: Vec<_> = (0..connections)
            .map(|number| Wanted {
                name: format!("person-{number:06}"),
                connected: true,
            })
            .collect();
        store::fill(&home, &wanted).await?;
        let mut times = Vec::new();
        let mut memory = 0;
        for _ in 0..options.rounds.max(5) {
            let gateway = home.start()?;
            times.push(table::milliseconds(gateway.ready_after));
            memory = memory.max(gateway.process.resident()?);
        }
        let what = format!("`attache serve`, {connections} connections, until it says ready");
        rows.push(vec![what, shown(&times), worst(&times), mib(memory)]);
    }
    let [cold, warm] = stdio::first_answers(options, stage)?;
    for (what, times) in [("cold", cold), ("with a gateway running", warm)] {
        let what = format!("`attache stdio`, {what}, until its first answer");
        rows.push(vec![what, shown(&times), worst(&times), String::new()]);
    }
    table::print(
        "Start (P-08)",
        &["what", "median (ms)", "worst (ms)", "memory (MiB)"],
        &rows,
    );
    let size = std::fs::metadata(&options.program)?.len();
    println!("\nThe program has {} MiB (P-12).", mib(size));
    Ok(())
}

fn shown(times: &[f64]) -> String {
    format!("{:.0}", table::median(times.iter().copied()))
}

fn worst(times: &[f64]) -> String {
    format!("{:.0}", times.iter().copied().fold(0.0, f64::max))
}
