//! MCP over a pair of byte streams, one message a line: the stdio transport, wherever the streams come from.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rmcp::ServiceExt;
use rmcp::service::{QuitReason, ServerInitializeError};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Server;
use super::lines::Lines;

/// How long calls under way may take to finish once somebody said stop. What is then left has five seconds more.
const LAST_CALLS: Duration = Duration::from_secs(20);

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

/// Serves one client until it closes its side, or until `stop`: then nothing more is read, and calls under way finish.
/// A client that leaves before it says anything is no error.
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
    let (calls, heard_all) = (server.calls_under_way(), server.session.clone());
    let reader = EndsWith::new(reader, stop, calls, heard_all);
    let running = match server.serve(Lines::new(reader, writer)).await {
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

/// Waits until `over`, and then for the last of the calls under way, for a while.
pub(super) async fn after_the_last_call(
    over: CancellationToken,
    mut calls: watch::Receiver<usize>,
) {
    over.cancelled_owned().await;
    // Either way it is over.
    let _ = tokio::time::timeout(LAST_CALLS, calls.wait_for(|calls| *calls == 0)).await;
}

/// A reader that hears nothing more once somebody says stop, and is at its end when no call is under way any more. To
/// the server that looks like a client that has said all it had to say.
struct EndsWith<R> {
    reader: R,
    stop: CancellationToken,
    end: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Cancelled once the client has closed its side: it is told what it asked, and nothing more.
    heard_all: CancellationToken,
}

impl<R> EndsWith<R> {
    fn new(
        reader: R,
        stop: CancellationToken,
        calls: watch::Receiver<usize>,
        heard_all: CancellationToken,
    ) -> Self {
        let end = Box::pin(after_the_last_call(stop.clone(), calls));
        Self {
            reader,
            stop,
            end,
            heard_all,
        }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for EndsWith<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.end.as_mut().poll(context).is_ready() {
            self.end = Box::pin(std::future::ready(()));
            return Poll::Ready(Ok(()));
        }
        if self.stop.is_cancelled() {
            return Poll::Pending;
        }
        let known = buffer.filled().len();
        let polled = Pin::new(&mut self.reader).poll_read(context, buffer);
        if polled.is_ready() && buffer.filled().len() == known {
            self.heard_all.cancel();
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn after_stop_nothing_is_heard_and_the_end_waits_for_the_last_call() {
        let (mut client, reader) = tokio::io::duplex(64);
        let (calls, stop) = (watch::Sender::new(1), CancellationToken::new());
        let heard_all = CancellationToken::new();
        let mut reader = EndsWith::new(reader, stop.clone(), calls.subscribe(), heard_all);
        let mut heard = [0; 8];
        client.write_all(b"one").await.unwrap();
        assert_eq!(reader.read(&mut heard).await.unwrap(), 3);

        stop.cancel();
        client.write_all(b"two").await.unwrap();
        let read = reader.read(&mut heard);
        tokio::pin!(read);
        assert!(futures::poll!(&mut read).is_pending());
        calls.send_modify(|calls| *calls = 0);
        assert_eq!(read.await.unwrap(), 0);
    }

    #[tokio::test]
    async fn whoever_closes_their_side_listens_no_more() {
        let (mut client, reader) = tokio::io::duplex(64);
        let (calls, stop) = (watch::Sender::new(0), CancellationToken::new());
        let heard_all = CancellationToken::new();
        let mut reader = EndsWith::new(reader, stop, calls.subscribe(), heard_all.clone());
        let mut heard = [0; 8];
        client.write_all(b"one").await.unwrap();
        assert_eq!(reader.read(&mut heard).await.unwrap(), 3);
        assert!(!heard_all.is_cancelled());
        drop(client);
        assert_eq!(reader.read(&mut heard).await.unwrap(), 0);
        assert!(heard_all.is_cancelled());
    }
}
