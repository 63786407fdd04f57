//! The state in memory and on disk, kept alike: a change is durable before anybody hears of it.

use std::io;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use super::persistence::{SaveError, StateFile};
use super::state::State;
use crate::base::Clock;

/// The state of a running Sandbox. One change at a time.
#[derive(Debug)]
pub(super) struct Store {
    kept: Arc<Mutex<Kept>>,
    clock: Clock,
}

#[derive(Debug)]
struct Kept {
    state: State,
    place: Place,
}

/// Where the state is kept.
#[derive(Debug)]
enum Place {
    /// In memory alone.
    Memory,
    /// In a file as well.
    File(StateFile),
    /// Nowhere any more: the Sandbox has ended, and the file may be another's by now.
    Closed,
}

impl Place {
    fn save(&self, state: &State) -> Result<(), SaveError> {
        match self {
            Self::Memory => Ok(()),
            Self::File(file) => file.save(state),
            Self::Closed => Err(io::Error::other("the Sandbox has ended").into()),
        }
    }
}

impl Store {
    /// A store that begins with `state` and saves into `file`, or nowhere.
    pub(super) fn new(state: State, file: Option<StateFile>, clock: Clock) -> Self {
        let place = file.map_or(Place::Memory, Place::File);
        Self {
            kept: Arc::new(Mutex::new(Kept { state, place })),
            clock,
        }
    }

    /// Looks at the state.
    pub(super) async fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.kept.lock().await.state)
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
        let mut kept = Arc::clone(&self.kept).lock_owned().await;
        let mut next = kept.state.clone();
        let answer = change(&mut next);
        if next == kept.state {
            return Ok(answer);
        }
        next.forget_expired(self.clock.now());
        let saved = spawn_blocking(move || {
            kept.place.save(&next)?;
            kept.state = next;
            Ok::<(), SaveError>(())
        });
        saved.await.map_err(io::Error::from)??;
        Ok(answer)
    }

    /// Lets go of the file, so that another Sandbox can have it the moment this returns. Nothing changes any more.
    pub(super) async fn close(&self) {
        self.kept.lock().await.place = Place::Closed;
    }
}
