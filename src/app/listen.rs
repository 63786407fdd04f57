//! Listening for HTTP.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::capacity::Capacity;
use super::connection::{self, Peer, TrustedProxies};

/// How long calls under way may take to finish when the program is told to end.
pub(super) const DRAIN: Duration = Duration::from_secs(25);

/// How long accepting rests when the process is out of files (`EMFILE`, `ENFILE`): trying at once again would spin.
const BREATH: Duration = Duration::from_millis(100);

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another program has the port.
    #[error(
        "{0} is already in use: another program, perhaps another Attache, listens there. End it, or choose another \
         port with --bind"
    )]
    PortTaken(SocketAddr),
    /// Anything else.
    #[error("cannot listen on {0}: {1}")]
    Refused(SocketAddr, std::io::Error),
}

/// Takes the port.
pub(super) async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ListenError> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::AddrInUse => ListenError::PortTaken(address),
        _ => ListenError::Refused(address, error),
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Serves until `stop`, then lets calls under way finish for a while.
pub(super) fn serve(
    listener: TcpListener,
    router: Router,
    proxies: TrustedProxies,
    stop: CancellationToken,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let capacity = Capacity::of_this_process();
        let (connections, cut) = (TaskTracker::new(), CancellationToken::new());
        while let Some((stream, peer, room)) = next(&listener, &capacity, &stop).await {
            let peer = Peer {
                address: peer.ip(),
                proxies: proxies.clone(),
            };
            let serving = connection::serve(stream, peer, router.clone(), stop.clone());
            let cut = cut.clone();
            connections.spawn(async move {
                cut.run_until_cancelled_owned(serving).await;
                drop(room);
            });
        }
        drop(listener);
        connections.close();
        if tokio::time::timeout(DRAIN, connections.wait())
            .await
            .is_err()
        {
            tracing::warn!("some calls did not finish in time and were cut off");
            cut.cancel();
            connections.wait().await;
        }
    })
}

/// The next connection that there is room for; none once `stop` is cancelled.
async fn next(
    listener: &TcpListener,
    capacity: &Capacity,
    stop: &CancellationToken,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let mut out_of_files = false;
    loop {
        let accepted = stop.run_until_cancelled(listener.accept()).await?;
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_the_clients(&error) => continue,
            Err(error) => {
                // The client waits in the kernel's queue meanwhile.
                if !out_of_files {
                    tracing::error!(%error, "no connection can be accepted; trying again until it works");
                }
                out_of_files = true;
                stop.run_until_cancelled(tokio::time::sleep(BREATH)).await?;
                continue;
            }
        };
        // Without this every small reply waits for an acknowledgement: 44 ms each.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        match capacity.take() {
            Some(room) => return Some((stream, peer, room)),
            None => capacity.refuse(stream),
        }
    }
}

/// Whether it was one connection that failed, before it was accepted, and not accepting as such.
fn is_the_clients(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}
