//! Listening for HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long calls under way may take to finish when the program is told to end.
pub(super) const DRAIN: Duration = Duration::from_secs(25);

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
        std::io::ErrorKind::AddrInUse => ListenError::PortTaken(address),
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
    stop: CancellationToken,
) -> JoinHandle<()> {
    // Without this every small reply waits for an acknowledgement: 44 ms each.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
    });
    let stopping = stop.clone();
    let serving = async move {
        axum::serve(listener, router)
            .with_graceful_shutdown(stopping.cancelled_owned())
            .await
    };
    tokio::spawn(async move {
        let mut serving = tokio::spawn(serving);
        tokio::select! {
            _ = &mut serving => return,
            () = stop.cancelled() => {}
        }
        if tokio::time::timeout(DRAIN, &mut serving).await.is_err() {
            tracing::warn!("some calls did not finish in time and were cut off");
            serving.abort();
        }
    })
}
