//! `[tool.poll]`: asking again until a provider has finished what the tool's own request began.
//!
//! Owns when it is enough. Refuses to know a clock: whoever drives a run waits as long as it is told to.

use std::time::Duration;

use serde_json::Value;

use super::capture::Captures;
use super::expected::FieldTest;
use super::request::RequestTemplate;

/// A call waits no longer than this.
pub(super) const LONGEST_POLL: Duration = Duration::from_mins(2);
/// A provider is asked no more often than this.
pub(super) const SHORTEST_INTERVAL: Duration = Duration::from_millis(200);

/// Asking again until it is done.
#[derive(Clone, Debug)]
pub(super) struct Poll {
    pub(super) request: RequestTemplate,
    /// Read from the reply of the tool's own request.
    pub(super) captures: Captures,
    pub(super) done: FieldTest,
    pub(super) failed: Option<FieldTest>,
    pub(super) interval: Duration,
    /// How long is waited in all, between the requests.
    pub(super) longest: Duration,
}

/// What a reply says of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It is finished.
    Done,
    /// It will never be.
    Failed,
    /// Ask again.
    Pending,
}

impl Poll {
    /// What a reply says of the work.
    pub(super) fn progress(&self, body: &Value) -> Progress {
        if self.failed.as_ref().is_some_and(|failed| failed.fits(body)) {
            Progress::Failed
        } else if self.done.fits(body) {
            Progress::Done
        } else {
            Progress::Pending
        }
    }

    /// How long to wait before the next request, after `waited` in all; nothing when it is enough. A provider may ask for
    /// a longer pause.
    pub(super) fn next_wait(&self, waited: Duration, asked: Option<Duration>) -> Option<Duration> {
        let wait = self.interval.max(asked.unwrap_or_default());
        (waited.saturating_add(wait) <= self.longest).then_some(wait)
    }
}
