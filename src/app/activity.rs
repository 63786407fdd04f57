//! Whether anybody uses the gateway, so that one in the background can end when nobody does.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::watch;

use crate::base::Held;

/// What is under way: requests, bridges, open streams. Clones count together.
#[derive(Clone, Debug, Default)]
pub(super) struct Activity(watch::Sender<Count>);

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    under_way: usize,
    begun: u64,
}

/// One thing under way. It is over when this is dropped.
#[derive(Debug)]
pub(super) struct Busy(Activity);

impl Activity {
    /// Counts one more.
    pub(super) fn begin(&self) -> Busy {
        self.0.send_modify(|count| {
            count.under_way += 1;
            count.begun += 1;
        });
        Busy(self.clone())
    }

    /// Waits until nothing has been under way for `idle`.
    pub(super) async fn quiet_for(&self, idle: Duration) {
        let mut count = self.0.subscribe();
        loop {
            let Ok(quiet) = count.wait_for(|count| count.under_way == 0).await else {
                return;
            };
            let begun = quiet.begun;
            drop(quiet);
            let woken = count.wait_for(|count| count.begun != begun);
            if tokio::time::timeout(idle, woken).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| count.under_way -= 1);
    }
}

/// Counts a request from its first byte to the last of its answer: an open stream is an open page or client.
pub(super) async fn count(
    State(activity): State<Activity>,
    request: Request,
    next: Next,
) -> Response {
    let busy = activity.begin();
    let counted = |body| Body::new(Held::new(body, busy));
    next.run(request).await.map(counted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_quiet_only_when_nothing_is_under_way() {
        let activity = Activity::default();
        let (busy, other) = (activity.begin(), activity.begin());
        let quiet = activity.quiet_for(Duration::ZERO);
        tokio::pin!(quiet);
        assert!(futures::poll!(&mut quiet).is_pending());
        drop(busy);
        assert!(futures::poll!(&mut quiet).is_pending());
        drop(other);
        quiet.await;
    }

    #[tokio::test]
    async fn a_use_that_is_over_at_once_begins_the_time_anew() {
        let activity = Activity::default();
        let quiet = activity.quiet_for(Duration::from_hours(1));
        tokio::pin!(quiet);
        assert!(futures::poll!(&mut quiet).is_pending());
        drop(activity.begin());
        assert!(futures::poll!(&mut quiet).is_pending());
        assert_eq!(activity.0.borrow().begun, 1);
    }
}
