//! MCP over a pair of byte streams, one message a line: the stdio transport, wherever the streams come from.

use std::pin::Pin;
use std::task::{Context, Poll};

use rmcp::ServiceExt;
use rmcp::service::{QuitReason, ServerInitializeError};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::Server;

/// Why serving a stream ended badly.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The other side spoke something else than MCP first.
    #[error("the client did not begin with an MCP request: {0}")]
    Handshake(String),
    /// The task that serves broke.
    #[error("serving a client broke off: {0}")]
    Broken(String),
}

/// Serves one client until it closes its side, or until `stop`: then nothing more is read, and calls under way get a
/// few seconds to answer. A client that leaves before it says anything is no error.
///
/// # Errors
/// [`StreamError`].
pub async fn serve_stream<R, W>(
    server: Server,
    reader: R,
    writer: W,
    stop: CancellationToken,
) -> Result<(), StreamError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let reader = EndsWith {
        reader,
        stop: Box::pin(stop.cancelled_owned()),
    };
    let running = match server.serve((reader, writer)).await {
        Ok(running) => running,
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => return Err(StreamError::Handshake(error.to_string())),
    };
    match running.waiting().await {
        Ok(QuitReason::JoinError(error)) | Err(error) => {
            Err(StreamError::Broken(error.to_string()))
        }
        Ok(_) => Ok(()),
    }
}

/// A reader that is at its end as soon as somebody says stop. To the server that looks like a client that has said all
/// it had to say, so that answers under way are still written.
struct EndsWith<R> {
    reader: R,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<R: AsyncRead + Unpin> AsyncRead for EndsWith<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.stop.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.reader).poll_read(context, buffer)
    }
}
