//! One renewal at a time for each credential: whoever comes while one is under way waits for its outcome.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use tokio_util::task::TaskTracker;

/// The renewals under way, by the key of their credential. Each is a task of its own: nobody who stops waiting stops it.
pub(super) struct Flights<T> {
    under_way: Arc<Mutex<HashMap<String, Flight<T>>>>,
    tasks: TaskTracker,
}

/// What came of it; none when its task ended without an outcome.
type Flight<T> = Shared<BoxFuture<'static, Option<T>>>;

impl<T: Clone + Send + Sync + 'static> Flights<T> {
    pub(super) fn new() -> Self {
        Self {
            under_way: Arc::default(),
            tasks: TaskTracker::new(),
        }
    }

    /// The outcome of the renewal of `key`: of the one under way, or of `renew`, which is then begun. None when no new
    /// ones are begun any more, or when its task ended without an outcome.
    pub(super) fn join<F>(&self, key: &str, renew: impl FnOnce() -> F) -> Flight<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut under_way = lock(&self.under_way);
        if let Some(flight) = under_way.get(key) {
            return flight.clone();
        }
        if self.tasks.is_closed() {
            return futures::future::ready(None).boxed().shared();
        }
        let landing = Landing {
            under_way: Arc::clone(&self.under_way),
            key: key.to_owned(),
        };
        let renewal = renew();
        let task = self.tasks.spawn(async move {
            let _landing = landing;
            renewal.await
        });
        let flight = task.map(Result::ok).boxed().shared();
        under_way.insert(key.to_owned(), flight.clone());
        flight
    }

    /// Runs `work` as a task that is waited for at the end.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if !self.tasks.is_closed() {
            self.tasks.spawn(work);
        }
    }

    /// Begins no more, and waits for those under way.
    pub(super) async fn drain(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Takes the flight off the list when its task ends, however it ends.
struct Landing<T> {
    under_way: Arc<Mutex<HashMap<String, Flight<T>>>>,
    key: String,
}

impl<T> Drop for Landing<T> {
    fn drop(&mut self) {
        let mut under_way = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        under_way.remove(&self.key);
    }
}

fn lock<T>(
    under_way: &Mutex<HashMap<String, Flight<T>>>,
) -> std::sync::MutexGuard<'_, HashMap<String, Flight<T>>> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn all_who_come_meanwhile_share_one_renewal_and_none_can_stop_it() {
        let flights = Flights::new();
        let (begun, go) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
        let renew = || {
            let (begun, go) = (Arc::clone(&begun), Arc::clone(&go));
            async move {
                go.notified().await;
                begun.fetch_add(1, Ordering::SeqCst)
            }
        };
        let impatient = flights.join("a", renew);
        let patient: Vec<_> = (0..100).map(|_| flights.join("a", renew)).collect();
        drop(impatient);
        go.notify_one();
        for outcome in futures::future::join_all(patient).await {
            assert_eq!(outcome, Some(0));
        }
        // The next one is another.
        go.notify_one();
        assert_eq!(flights.join("a", renew).await, Some(1));
    }

    #[tokio::test]
    async fn a_renewal_that_panics_leaves_nothing_behind() {
        let flights = Flights::<u32>::new();
        let broken = flights.join("a", || async { panic!("as the test wants") });
        assert_eq!(broken.await, None);
        assert_eq!(flights.join("a", || async { 7 }).await, Some(7));
    }

    #[tokio::test]
    async fn draining_waits_for_those_under_way_and_begins_no_more() {
        let flights = Flights::new();
        let go = Arc::new(Notify::new());
        let told = Arc::clone(&go);
        let flight = flights.join("a", || async move {
            told.notified().await;
            1
        });
        let mut drained = Box::pin(flights.drain());
        assert!(futures::poll!(&mut drained).is_pending());
        assert_eq!(flights.join("b", || async { 2 }).await, None);
        go.notify_one();
        drained.await;
        assert_eq!(flight.await, Some(1));
    }
}
