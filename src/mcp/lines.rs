//! A transport of lines that keeps within bounds: one message a line, none longer, deeper or fuller than a message may be.
//!
//! rmcp's own transport drops a line that is too long without a word, and its client waits for ever; here it is told.

use std::io;
use std::sync::Arc;

use futures::SinkExt;
use rmcp::model::{ErrorCode, RequestId};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use rmcp::transport::async_rw::{JsonRpcMessageCodec, JsonRpcMessageCodecError, TransportWriter};
use rmcp::{ErrorData, RoleServer};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::bytes::{Bytes, BytesMut};
use tokio_util::codec::Decoder;

use super::bounds::{self, Excess, Id, LONGEST};

/// May stand before JSON and is no part of it (RFC 8259, section 8.1).
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Messages of one client, a line each.
pub(super) struct Lines<R, W: AsyncWrite> {
    incoming: BoundedLines<R>,
    writer: Arc<Mutex<Option<TransportWriter<RoleServer, W>>>>,
    /// A refusal on its way. The next line is read when it has been written: a client that only sends waits.
    refusing: Option<JoinHandle<()>>,
}

impl<R: AsyncRead, W: AsyncWrite> Lines<R, W> {
    pub(super) fn new(reader: R, writer: W) -> Self {
        let writer = TransportWriter::<RoleServer, W>::new(writer, JsonRpcMessageCodec::default());
        Self {
            incoming: BoundedLines::new(reader),
            writer: Arc::new(Mutex::new(Some(writer))),
            refusing: None,
        }
    }
}

impl<R, W> Transport<RoleServer> for Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let writer = Arc::clone(&self.writer);
        async move {
            match writer.lock().await.as_mut() {
                Some(writer) => writer.send(message).await.map_err(Into::into),
                None => Err(io::ErrorKind::NotConnected.into()),
            }
        }
    }

    /// Whoever awaits this may stop at any point and begin again: nothing is lost.
    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            if let Some(refusing) = self.refusing.as_mut() {
                // A refusal that could not be written shows at the next message.
                let _ = refusing.await;
                self.refusing = None;
            }
            let refusal = match self.incoming.next().await {
                Ok(Some(Line::Whole(line))) => match read(line) {
                    Ok(Some(message)) => return Some(message),
                    Ok(None) => continue,
                    Err(refusal) => refusal,
                },
                Ok(Some(Line::TooLong)) => refusal(&Excess::TooLong),
                Ok(None) => return None,
                Err(error) => {
                    tracing::debug!(%error, "a client can no longer be heard");
                    return None;
                }
            };
            let telling = self.send(*refusal);
            self.refusing = Some(tokio::spawn(async move {
                if let Err(error) = telling.await {
                    tracing::debug!(%error, "a client could not be told why its message was refused");
                }
            }));
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        drop(self.writer.lock().await.take());
        Ok(())
    }
}

/// The message on a line; none when it is to be ignored.
fn read(
    line: Vec<u8>,
) -> Result<Option<RxJsonRpcMessage<RoleServer>>, Box<TxJsonRpcMessage<RoleServer>>> {
    let text = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&line);
    if text.trim_ascii().is_empty() {
        return Ok(None);
    }
    let id = match bounds::check(text) {
        Ok(id) => request_id(&id),
        // Answered, it could come back as more of the same: the other SDKs ignore it too.
        Err(Excess::NotJson(error)) => {
            tracing::debug!(%error, "ignored a line that is not JSON");
            return Ok(None);
        }
        Err(excess) => return Err(refusal(&excess)),
    };
    let mut codec = JsonRpcMessageCodec::<RxJsonRpcMessage<RoleServer>>::default();
    match codec.decode_eof(&mut BytesMut::from(Bytes::from(line))) {
        Ok(message) => Ok(message),
        Err(JsonRpcMessageCodecError::Serde(_)) => {
            let error = ErrorData::invalid_request(bounds::NO_MESSAGE, None);
            Err(Box::new(TxJsonRpcMessage::<RoleServer>::error(error, id)))
        }
        Err(error) => {
            tracing::debug!(%error, "ignored a line that could not be read");
            Ok(None)
        }
    }
}

fn request_id(id: &Id) -> Option<RequestId> {
    RequestId::deserialize(id).ok()
}

fn refusal(excess: &Excess) -> Box<TxJsonRpcMessage<RoleServer>> {
    let error = ErrorData::new(ErrorCode::INVALID_REQUEST, excess.sentence(), None);
    let id = request_id(excess.id());
    Box::new(TxJsonRpcMessage::<RoleServer>::error(error, id))
}

enum Line {
    /// Without what ends it.
    Whole(Vec<u8>),
    /// Longer than [`LONGEST`]. Nothing is kept of it.
    TooLong,
}

/// The lines of a stream, of which no more than [`LONGEST`] bytes are ever kept.
struct BoundedLines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    skips: bool,
}

impl<R: AsyncRead> BoundedLines<R> {
    fn new(reader: R) -> Self {
        Self {
            reader: BufReader::new(reader),
            line: Vec::new(),
            skips: false,
        }
    }
}

impl<R: AsyncRead + Unpin> BoundedLines<R> {
    /// The next line; none at the end of the stream, where a line without its end is no line. Between waiting for bytes
    /// and keeping them nothing else is awaited, so that nothing is lost when this is dropped.
    async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let bytes = self.reader.fill_buf().await?;
            if bytes.is_empty() {
                return Ok(None);
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let part = &bytes[..end.unwrap_or(bytes.len())];
            let (taken, fits) = (
                part.len() + usize::from(end.is_some()),
                part.len() <= LONGEST - self.line.len(),
            );
            let told = self.skips;
            if !told && fits {
                self.line.extend_from_slice(part);
            } else {
                self.line = Vec::new();
                self.skips = end.is_none();
            }
            self.reader.consume(taken);
            match (told, fits) {
                (false, true) if end.is_some() => {
                    return Ok(Some(Line::Whole(std::mem::take(&mut self.line))));
                }
                (false, false) => return Ok(Some(Line::TooLong)),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::io::AsyncWriteExt;

    use super::*;

    async fn lengths(stream: &[u8]) -> Vec<Option<usize>> {
        let mut lines = BoundedLines::new(stream);
        let mut found = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            found.push(match line {
                Line::Whole(line) => Some(line.len()),
                Line::TooLong => None,
            });
        }
        found
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_told_once_and_the_next_is_read() {
        let mut stream = b"ab\n\n".to_vec();
        stream.extend(vec![b'x'; LONGEST]);
        stream.extend(b"\nc\n");
        stream.extend(vec![b'x'; 3 * LONGEST]);
        stream.extend(b"\ndef\nno end");
        let expected = [Some(2), Some(0), Some(LONGEST), Some(1), None, Some(3)];
        assert_eq!(lengths(&stream).await, expected);
        let mut one_more = vec![b'x'; LONGEST + 1];
        one_more.extend(b"\ng\n");
        assert_eq!(lengths(&one_more).await, [None, Some(1)]);
    }

    #[tokio::test]
    async fn waiting_that_is_given_up_loses_nothing() {
        let (mut client, server) = tokio::io::duplex(64);
        let mut lines = BoundedLines::new(server);
        for part in [&b"on"[..], b"e", b"\n"] {
            assert!(lines.next().now_or_never().is_none());
            client.write_all(part).await.unwrap();
        }
        let Ok(Some(Line::Whole(line))) = lines.next().await else {
            panic!("a line was sent");
        };
        assert_eq!(line, b"one");
    }

    #[test]
    fn what_is_no_message_is_refused_under_its_id_and_what_is_no_json_ignored() {
        let refused = |line: &str| {
            let answer = read(line.into()).unwrap_err();
            serde_json::to_value(answer).unwrap()
        };
        let deep = format!("{{\"id\":7,\"x\":{}1{}}}", "[".repeat(99), "]".repeat(99));
        let answer = refused(&deep);
        assert_eq!(
            (&answer["id"], &answer["error"]["code"]),
            (&7.into(), &(-32600).into())
        );
        assert_eq!(refused("{\"id\":\"a\"}")["id"], "a");
        for ignored in ["", " \r", "{", "\u{feff}", "[[[["] {
            assert!(matches!(read(ignored.into()), Ok(None)), "{ignored:?}");
        }
        let ping = "\u{feff}{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\r";
        assert!(matches!(read(ping.into()), Ok(Some(_))));
    }
}
