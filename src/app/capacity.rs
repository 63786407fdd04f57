//! How many connections there may be at once, and what those beyond are told.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most connections, however many files the process may open: each costs memory too.
const MOST: u64 = 16_384;

/// The fewest, however few files the process may open.
const FEWEST: u64 = 16;

/// Files that are kept for everything else: the store, and requests to providers.
const RESERVED: u64 = 64;

/// How many refused clients are told so at once; further ones are cut off without a word.
const TELLERS: usize = 32;

/// How long a refused client may take to hear it.
const TELLING: Duration = Duration::from_secs(2);

const SENTENCE: &str = "Attache has as many open connections as it can take. Try again in a few seconds; whoever runs \
    it can let it open more files (`ulimit -n`).\n";

/// Room for connections. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Capacity {
    connections: Arc<Semaphore>,
    tellers: Arc<Semaphore>,
}

impl Capacity {
    /// As much as the files that this process may open allow. The soft limit is raised to the hard one first: it is low
    /// for the sake of programs that use `select(2)`, which this is not.
    pub(super) fn of_this_process() -> Self {
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        let files = match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit.maximum,
            Err(error) => {
                tracing::debug!(%error, "the limit on open files stays as it is");
                limit.current
            }
        };
        let most = connections(files);
        tracing::debug!(files, connections = most, "room for connections");
        Self {
            connections: Arc::new(Semaphore::new(most)),
            tellers: Arc::new(Semaphore::new(TELLERS)),
        }
    }

    /// Room for one connection, until it is dropped; none when there is no more.
    pub(super) fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.connections).try_acquire_owned().ok()
    }

    /// Tells a client that there is no room, without waiting for it.
    pub(super) fn refuse(&self, stream: TcpStream) {
        let Ok(teller) = Arc::clone(&self.tellers).try_acquire_owned() else {
            return;
        };
        tokio::spawn(async move {
            if tokio::time::timeout(TELLING, tell(stream)).await.is_err() {
                tracing::debug!("a refused client did not listen");
            }
            drop(teller);
        });
    }
}

/// Connections for a process that may open this many files (none: any number).
fn connections(files: Option<u64>) -> usize {
    let most = files.map_or(MOST, |files| {
        files.saturating_sub(RESERVED.max(files / 4)).min(MOST)
    });
    usize::try_from(most.max(FEWEST)).unwrap_or(usize::MAX)
}

/// Answers 503 (RFC 9110 section 15.6.4), and reads what the client has sent: to close on unread bytes would reset the
/// connection and take the answer with it.
async fn tell(mut stream: TcpStream) -> std::io::Result<()> {
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\n\
         retry-after: 5\r\nconnection: close\r\n\r\n{SENTENCE}",
        SENTENCE.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    let mut unread = [0; 1024];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_files_is_kept_for_everything_else() {
        let rows = [
            (None, 16_384),
            (Some(1_000_000), 16_384),
            (Some(20_000), 15_000),
            (Some(1_024), 768),
            (Some(128), 64),
            (Some(20), 16),
        ];
        for (files, expected) in rows {
            assert_eq!(connections(files), expected, "{files:?}");
        }
    }
}
