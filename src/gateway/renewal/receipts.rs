//! When access tokens end by the monotonic clock, for those that this process received: a wall clock that jumps changes
//! nothing about them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The ends of the access tokens that this process received. Costs one entry for each renewed connection.
#[derive(Default)]
pub(super) struct Receipts {
    by_key: Mutex<HashMap<String, Receipt>>,
}

struct Receipt {
    generation: u64,
    ends: Duration,
}

impl Receipts {
    /// The token of this generation ends at `ends` on the monotonic clock.
    pub(super) fn note(&self, key: &str, generation: u64, ends: Duration) {
        let receipt = Receipt { generation, ends };
        self.lock().insert(key.to_owned(), receipt);
    }

    /// How long the token of this generation still lives at `now`; none when this process has not received it.
    pub(super) fn remaining(&self, key: &str, generation: u64, now: Duration) -> Option<Duration> {
        let by_key = self.lock();
        let known = by_key
            .get(key)
            .filter(|known| known.generation == generation)?;
        Some(known.ends.saturating_sub(now))
    }

    /// The connection is gone.
    pub(super) fn forget(&self, key: &str) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Receipt>> {
        self.by_key.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
