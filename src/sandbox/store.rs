//! The state in memory and on disk, kept alike: a change is durable before anybody hears of it.

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use super::persistence::{SaveError, StateFile};
use super::state::State;
use crate::base::Clock;

/// The state of a running Sandbox. One change at a time.
#[derive(Debug)]
pub(super) struct Store {
    state: Arc<Mutex<State>>,
    file: Option<Arc<StateFile>>,
    clock: Clock,
}

impl Store {
    /// A store that begins with `state` and saves into `file`, or nowhere.
    pub(super) fn new(state: State, file: Option<StateFile>, clock: Clock) -> Self {
        Self {
            state: Arc::new(Mutex::new(state)),
            file: file.map(Arc::new),
            clock,
        }
    }

    /// Looks at the state.
    pub(super) async fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&*self.state.lock().await)
    }

    /// Changes the state and returns what `change` says, once the result is durable. A change that turns out to alter
    /// nothing costs no write.
    ///
    /// The lock goes along to the thread that writes: a caller that is dropped meanwhile leaves no half-made change,
    /// and no second write can begin before the first has ended.
    pub(super) async fn change<T>(
        &self,
        change: impl FnOnce(&mut State) -> T,
    ) -> Result<T, SaveError> {
        let mut held = Arc::clone(&self.state).lock_owned().await;
        let mut next = held.clone();
        let answer = change(&mut next);
        if next == *held {
            return Ok(answer);
        }
        next.forget_expired(self.clock.now());
        match self.file.clone() {
            None => *held = next,
            Some(file) => spawn_blocking(move || {
                file.save(&next)?;
                *held = next;
                Ok::<(), SaveError>(())
            })
            .await
            .map_err(std::io::Error::from)??,
        }
        Ok(answer)
    }
}
