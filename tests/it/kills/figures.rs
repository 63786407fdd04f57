//! What a loop has counted, and what must be zero in the end.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use attache::sandbox::Counters;

/// The figures of one loop.
#[derive(Debug, Default)]
pub(super) struct Figures {
    counts: BTreeMap<&'static str, usize>,
    stops: Vec<Duration>,
}

impl Figures {
    pub(super) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    pub(super) fn of(&self, what: &str) -> usize {
        self.counts.get(what).copied().unwrap_or_default()
    }

    pub(super) fn note_stop(&mut self, took: Duration) {
        self.stops.push(took);
    }

    pub(super) fn print(&self, title: &str, counters: &Counters) {
        println!("{title}\n{self}  at the Sandbox: {counters:?}");
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, count) in &self.counts {
            writeln!(formatter, "  {count:>5} {what}")?;
        }
        if let Some(longest) = self.stops.iter().max() {
            writeln!(formatter, "  {longest:?} took the longest stop")?;
        }
        Ok(())
    }
}
