//! Whoever asked a gateway to end, and waits until it has.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

/// The connections of those who wait for the end of a gateway. They close when the last clone is dropped: that is how
/// they learn of it. Dropped after the [`GatewayLock`](super::GatewayLock), it tells them that the data folder is free.
#[derive(Clone, Debug, Default)]
#[must_use = "dropped before the lock of the data folder, it tells of an end that is still to come"]
pub struct WaitingForTheEnd(Arc<Mutex<Vec<UnixStream>>>);

impl WaitingForTheEnd {
    /// This one waits as well.
    pub(super) fn join(&self, stream: tokio::net::UnixStream) -> io::Result<()> {
        let stream = stream.into_std()?;
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(stream);
        Ok(())
    }
}
