//! One at a time, by key.
//!
//! Owns who has the turn at a key, and forgets keys that nobody wants. Refuses to know what is done in turn.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

type Turns = Arc<Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>>;

/// The keys that somebody has, or waits for.
#[derive(Default)]
pub(super) struct Alone(Turns);

/// The turn at one key, which ends when this is dropped.
pub(super) struct Turn {
    turn: Option<OwnedMutexGuard<()>>,
    waiting: Waiting,
}

impl Alone {
    /// Waits for the turn at `key`.
    pub(super) async fn wait(&self, key: &str) -> Turn {
        let waiting = self.join(key);
        let turn = Some(Arc::clone(&waiting.lock).lock_owned().await);
        Turn { turn, waiting }
    }

    /// The turn at `key`, if nobody has it.
    pub(super) fn at_once(&self, key: &str) -> Option<Turn> {
        let waiting = self.join(key);
        let turn = Arc::clone(&waiting.lock).try_lock_owned().ok()?;
        let turn = Some(turn);
        Some(Turn { turn, waiting })
    }

    fn join(&self, key: &str) -> Waiting {
        let lock = Arc::clone(locked(&self.0).entry(key.to_owned()).or_default());
        Waiting {
            key: key.to_owned(),
            lock,
            turns: Arc::clone(&self.0),
        }
    }
}

impl Turn {
    pub(super) fn key(&self) -> &str {
        &self.waiting.key
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Before it is looked whether anybody else wants it.
        self.turn.take();
    }
}

/// Somebody who has a turn or waits for it.
struct Waiting {
    key: String,
    lock: Arc<tokio::sync::Mutex<()>>,
    turns: Turns,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut turns = locked(&self.turns);
        // The map's own and this one: nobody else wants it, and none can come while the map is locked.
        if Arc::strong_count(&self.lock) == 2 {
            turns.remove(&self.key);
        }
    }
}

fn locked(turns: &Turns) -> MutexGuard<'_, HashMap<String, Arc<tokio::sync::Mutex<()>>>> {
    turns.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn turns_are_one_at_a_time_and_leave_nothing_behind() {
        let alone = Alone::default();
        let first = alone.wait("a").await;
        assert!(alone.at_once("a").is_none());
        assert!(alone.at_once("b").is_some());
        let mut second = Box::pin(alone.wait("a"));
        assert!(second.as_mut().now_or_never().is_none());
        let given_up = Box::pin(alone.wait("a"));
        drop(given_up);
        drop(first);
        assert_eq!(second.await.key(), "a");
        assert!(locked(&alone.0).is_empty());
    }
}
