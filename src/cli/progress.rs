//! How far a long command is, on stderr, for whoever sits at a terminal.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::app::control::Step;
use crate::store::Stage;

/// How often the bar moves by itself.
const TICK: Duration = Duration::from_millis(100);

/// A bar, or nothing where nobody would see it.
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// A bar for a command; none with `--json`, or when stderr is no terminal.
    pub(super) fn new(json: bool) -> Self {
        if json || !std::io::stderr().is_terminal() {
            return Self(ProgressBar::with_draw_target(
                None,
                ProgressDrawTarget::hidden(),
            ));
        }
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(TICK);
        Self(bar)
    }

    /// Shows how far it is.
    pub(super) fn show(&self, step: Step) {
        let Self(bar) = self;
        let words = match step.stage {
            Stage::Writing => "writing",
            Stage::Reading => "reading",
            Stage::Checking => "opening every record",
        };
        let template = match step.total {
            Some(_) => "{msg} {wide_bar} {bytes}/{total_bytes}",
            None => "{spinner} {msg}: {human_pos} records",
        };
        if bar.message() != words {
            // Both are right, and a wrong one would only look plain.
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_message(words);
        }
        match step.total {
            Some(total) => bar.set_length(total),
            None => bar.unset_length(),
        }
        bar.set_position(step.done);
    }

    /// Takes the bar away: what came of it is said in words.
    pub(super) fn end(self) {
        self.0.finish_and_clear();
    }
}
