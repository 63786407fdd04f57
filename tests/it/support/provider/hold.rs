//! Slowness without a clock: a request waits until the test lets it go.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// How long a test waits for a request before it says that none came.
const PATIENCE: Duration = Duration::from_secs(30);

/// Requests to one path wait here. Dropping it releases them.
pub(crate) struct Hold(Arc<Gate>);

/// The side that the server sees.
pub(super) struct Gate {
    pub(super) path: String,
    open: watch::Sender<bool>,
    waiting: watch::Sender<usize>,
    left: watch::Sender<usize>,
}

/// A request that waits. Dropped before it was let go, its caller has gone away.
struct Visitor<'a> {
    gate: &'a Gate,
    passed: bool,
}

impl Hold {
    pub(super) fn on(path: &str) -> Self {
        Self(Arc::new(Gate {
            path: path.to_owned(),
            open: watch::Sender::new(false),
            waiting: watch::Sender::new(0),
            left: watch::Sender::new(0),
        }))
    }

    pub(super) fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.0)
    }

    /// Resolves once `count` requests have arrived and wait.
    pub(crate) async fn reached_by(&self, count: usize) {
        self.await_count(&self.0.waiting, count, "come").await;
    }

    /// Resolves once `count` callers have gone away while their requests waited.
    pub(crate) async fn left_by(&self, count: usize) {
        self.await_count(&self.0.left, count, "go away").await;
    }

    async fn await_count(&self, counter: &watch::Sender<usize>, count: usize, what: &str) {
        let mut counter = counter.subscribe();
        let reached = counter.wait_for(|so_far| *so_far >= count);
        assert!(
            tokio::time::timeout(PATIENCE, reached).await.is_ok(),
            "{count} requests to {} were expected to {what}, and did not",
            self.0.path
        );
    }

    /// How many requests have come so far.
    pub(crate) fn arrived(&self) -> usize {
        *self.0.waiting.borrow()
    }

    /// Lets every request go, now and later.
    pub(crate) fn release(&self) {
        self.0.open.send_replace(true);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.release();
    }
}

impl Gate {
    /// Waits until the test releases the path.
    pub(super) async fn pass(&self) {
        let mut open = self.open.subscribe();
        let mut visitor = Visitor {
            gate: self,
            passed: false,
        };
        self.waiting.send_modify(|waiting| *waiting += 1);
        // The sender lives in `self`: the wait cannot fail.
        let _ = open.wait_for(|open| *open).await;
        visitor.passed = true;
    }
}

impl Drop for Visitor<'_> {
    fn drop(&mut self) {
        if !self.passed {
            self.gate.left.send_modify(|left| *left += 1);
        }
    }
}
