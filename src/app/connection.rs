//! One HTTP connection: how long its requests may take to arrive, and how it ends.
//!
//! Owns the time limits on what a client sends before a request is whole, and on the quiet between two. An answer has no
//! limit here: a parked call or an open stream stays for as long as its handler wants. Bodies have limits of their own,
//! where they are read.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderMap;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::base::Held;
use crate::identity::ClientAddress;

/// How long the head of a request may take, from its first byte on. Clients send it at once; whoever drips it does so to
/// hold the connection (slowloris).
const HEAD: Duration = Duration::from_secs(10);

/// How long a connection may be quiet between two requests. Longer than the 60 seconds that reverse proxies keep theirs:
/// otherwise a proxy now and then sends a request into a connection that is just being closed.
const QUIET: Duration = Duration::from_secs(75);

/// The longest head of a request, in bytes. A longer one is answered with 431.
const LONGEST_HEAD: usize = 64 << 10;

/// The proxies whose word about who is behind them counts.
pub(super) type TrustedProxies = Arc<[IpNet]>;

/// Who has connected.
pub(super) struct Peer {
    pub(super) address: IpAddr,
    pub(super) proxies: TrustedProxies,
}

impl Peer {
    /// From where a request with these headers comes.
    fn client(&self, headers: &HeaderMap) -> ClientAddress {
        let forwarded = headers.get_all("x-forwarded-for").iter();
        let entries: Vec<_> = forwarded
            // What is no text names nobody, and nothing before it is believed either.
            .flat_map(|line| line.to_str().unwrap_or_default().split(','))
            .collect();
        ClientAddress::of(self.address, entries.into_iter(), &self.proxies)
    }
}

/// Answers the requests of one connection until the client closes it, is too slow, or `stop`: then the request under way
/// is the last.
pub(super) async fn serve<S>(stream: S, peer: Peer, router: Router, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let asked = Arc::new(AtomicBool::new(false));
    let stream = TokioIo::new(Timely::new(stream, Arc::clone(&asked)));
    let service = service_fn(move |request: hyper::Request<_>| {
        let answering = Answering::begin(&asked);
        let mut request: Request = request.map(Body::new);
        let address = peer.client(request.headers());
        request.extensions_mut().insert(address);
        let router = router.clone();
        async move {
            let answer = router.oneshot(request).await;
            answer.map(|answer| answer.map(|body| Held::new(body, answering)))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(QUIET)
        .max_header_size(LONGEST_HEAD)
        .serve_connection(stream, service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // The client's doing: it went away, was too slow, or spoke something else than HTTP.
        tracing::debug!(%error, "a connection broke off");
    }
}

/// A request is being answered, until this is dropped with the end of its answer.
struct Answering(Arc<AtomicBool>);

impl Answering {
    fn begin(asked: &Arc<AtomicBool>) -> Self {
        asked.store(true, Ordering::Release);
        Self(Arc::clone(asked))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// A stream on which each request's head must come within [`HEAD`] of its first byte.
struct Timely<S> {
    stream: S,
    /// Whether a request is being answered: what arrives then is no head.
    asked: Arc<AtomicBool>,
    limit: Option<Pin<Box<Sleep>>>,
}

impl<S> Timely<S> {
    fn new(stream: S, asked: Arc<AtomicBool>) -> Self {
        Self {
            stream,
            asked,
            limit: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Timely<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.asked.load(Ordering::Acquire) {
            self.limit = None;
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let known = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Pending => {
                let limit = self.limit.as_mut();
                match limit.map(|limit| limit.as_mut().poll(context)) {
                    Some(Poll::Ready(())) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                    _ => Poll::Pending,
                }
            }
            ready @ Poll::Ready(_) => {
                if buffer.filled().len() > known {
                    self.limit
                        .get_or_insert_with(|| Box::pin(tokio::time::sleep(HEAD)));
                }
                ready
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timely<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The clock of these tests stands still until nothing else can happen, and then jumps to the next deadline.
#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio::time::Instant;

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    fn client(router: Router, stop: &CancellationToken) -> DuplexStream {
        let (client, server) = tokio::io::duplex(64 << 10);
        let peer = Peer {
            address: [127, 0, 0, 1].into(),
            proxies: Arc::default(),
        };
        tokio::spawn(serve(server, peer, router, stop.clone()));
        client
    }

    fn hello() -> Router {
        Router::new().route("/", get(|| async { "hello" }))
    }

    async fn answer(client: &mut DuplexStream) -> String {
        let mut text = String::new();
        while !text.ends_with("hello") {
            text.push(char::from(client.read_u8().await.unwrap()));
        }
        text
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_drips_is_cut_off_ten_seconds_after_its_first_byte() {
        let mut client = client(hello(), &CancellationToken::new());
        let begun = Instant::now();
        let (mut reader, mut writer) = tokio::io::split(&mut client);
        let drip = async {
            for byte in REQUEST {
                if writer.write_all(&[*byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        let mut rest = Vec::new();
        let ((), heard) = tokio::join!(drip, reader.read_to_end(&mut rest));
        assert_eq!((heard.unwrap(), rest.as_slice()), (0, &b""[..]));
        assert!(begun.elapsed() < Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_head_has_the_same_time_and_quiet_has_more() {
        let mut client = client(hello(), &CancellationToken::new());
        client.write_all(REQUEST).await.unwrap();
        answer(&mut client).await;
        tokio::time::sleep(QUIET * 4 / 5).await;
        client.write_all(REQUEST).await.unwrap();
        answer(&mut client).await;
        client.write_all(b"GET").await.unwrap();
        let begun = Instant::now();
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
        assert_eq!(begun.elapsed().as_secs(), HEAD.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_says_nothing_is_closed() {
        let mut client = client(hello(), &CancellationToken::new());
        let begun = Instant::now();
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
        assert_eq!(begun.elapsed().as_secs(), QUIET.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_may_take_as_long_as_it_wants() {
        let hour = Duration::from_hours(1);
        let late = move || async move {
            tokio::time::sleep(hour).await;
            let tail = futures::stream::once(async move {
                tokio::time::sleep(hour).await;
                Ok::<_, io::Error>("hello")
            });
            Body::from_stream(tail)
        };
        let router = Router::new().route("/", get(late));
        let mut client = client(router, &CancellationToken::new());
        client.write_all(REQUEST).await.unwrap();
        // Bytes that come meanwhile are the next request's, and do not count against this one.
        client.write_all(b"GET").await.unwrap();
        assert!(answer(&mut client).await.starts_with("HTTP/1.1 200 OK"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_is_too_long_is_answered() {
        let mut client = client(hello(), &CancellationToken::new());
        let head = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(LONGEST_HEAD));
        let (mut reader, mut writer) = tokio::io::split(&mut client);
        let mut text = String::new();
        let sent = writer.write_all(head.as_bytes());
        let (_, read) = tokio::join!(sent, reader.read_to_string(&mut text));
        read.unwrap();
        assert!(text.starts_with("HTTP/1.1 431"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_request_under_way_at_stop_is_the_last() {
        let stop = CancellationToken::new();
        let told = stop.clone();
        let router = Router::new().route(
            "/",
            get(move || async move {
                told.cancel();
                tokio::time::sleep(Duration::from_secs(20)).await;
                "hello"
            }),
        );
        let mut client = client(router, &stop);
        client.write_all(REQUEST).await.unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        assert!(text.ends_with("hello"), "{text}");
    }
}
