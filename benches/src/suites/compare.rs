//! Comparing servers on a machine that does other things as well: in turn, in every round, and by ratios within a round.

use crate::load::{Measured, Target};
use crate::process::Process;
use crate::table;

/// One server in a comparison.
pub(super) struct Contender<'a> {
    pub(super) name: &'static str,
    pub(super) target: Target,
    pub(super) server: &'a Process,
}

/// What was measured: for each contender, for each round.
pub(super) struct Results(Vec<Vec<Measured>>);

impl Results {
    /// Measures every contender once in each round, each time beginning with another.
    pub(super) async fn of<'a>(
        contenders: &'a [Contender<'a>],
        rounds: u16,
        measure: impl AsyncFn(&'a Contender<'a>) -> anyhow::Result<Measured>,
    ) -> anyhow::Result<Self> {
        let mut results = vec![Vec::new(); contenders.len()];
        for round in 0..usize::from(rounds) {
            for turn in 0..contenders.len() {
                let which = (round + turn) % contenders.len();
                results[which].push(measure(&contenders[which]).await?);
            }
        }
        Ok(Self(results))
    }

    /// The median over all rounds.
    pub(super) fn median(&self, which: usize, field: impl Fn(&Measured) -> f64) -> f64 {
        table::median(self.0[which].iter().map(field))
    }

    /// The median of what the contender has for each one that `base` has in the same round.
    pub(super) fn ratio(&self, which: usize, base: usize, field: impl Fn(&Measured) -> f64) -> f64 {
        let pairs = self.0[which].iter().zip(&self.0[base]);
        table::median(pairs.map(|(own, base)| field(own) / field(base)))
    }

    /// The most memory after any round.
    pub(super) fn resident(&self, which: usize) -> u64 {
        let rounds = self.0[which].iter();
        rounds.map(|measured| measured.resident).max().unwrap_or(0)
    }
}

/// Answers in a second.
pub(super) fn rate(measured: &Measured) -> f64 {
    measured.rate
}

/// Milliseconds within which half of the answers came.
pub(super) fn p50(measured: &Measured) -> f64 {
    table::milliseconds(measured.p50)
}

/// Milliseconds within which 99 of 100 answers came.
pub(super) fn p99(measured: &Measured) -> f64 {
    table::milliseconds(measured.p99)
}

/// Milliseconds on a core for 1,000 calls.
pub(super) fn cpu(measured: &Measured) -> f64 {
    table::milliseconds(measured.cpu_of_1000)
}
