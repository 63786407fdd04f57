//! A peer for tests: it answers every connection with the same bytes and remembers what it was sent.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Egress, LoopbackAuthority, Settings};

/// What the peer does once it has read the head of a request.
#[derive(Clone)]
pub(crate) enum Answer {
    /// Sends these bytes and closes.
    Bytes(Vec<u8>),
    /// Sends the first bytes once, the second ones until the other side closes.
    Endless(Vec<u8>, Vec<u8>),
    /// The answer of the first text that stands in the head of the request; without one, closes.
    ByHead(Vec<(&'static str, Answer)>),
    /// Sends these bytes and then nothing, keeping the connection open.
    Stall(Vec<u8>),
}

/// A listener on 127.0.0.1.
pub(crate) struct CannedServer {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl CannedServer {
    /// Starts a peer that gives `answer` to everyone.
    pub(crate) async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            heads: Arc::default(),
        };
        let (connections, heads) = (server.connections.clone(), server.heads.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, answer.clone(), heads.clone()));
            }
        });
        server
    }

    /// How many connections were accepted.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Request line and headers of every request so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The authority under which this peer may be allowed.
    pub(crate) fn authority(&self) -> LoopbackAuthority {
        self.address.to_string().parse().unwrap()
    }

    /// A way out that may reach this peer and nothing else on this machine.
    pub(crate) fn egress(&self) -> Egress {
        Egress::new(Settings {
            dangerously_allow_loopback: vec![self.authority()],
            ..Settings::default()
        })
        .unwrap()
    }
}

async fn serve(
    mut stream: tokio::net::TcpStream,
    answer: Answer,
    heads: Arc<Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    let mut received = Vec::new();
    while !received.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut received).await? == 0 {
            return Ok(());
        }
    }
    heads
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(String::from_utf8_lossy(&received).into_owned());
    let answer = match answer {
        Answer::ByHead(answers) => {
            let head = String::from_utf8_lossy(&received).into_owned();
            let found = answers.into_iter().find(|(text, _)| head.contains(text));
            let Some((_, answer)) = found else {
                return Ok(());
            };
            answer
        }
        answer => answer,
    };
    match answer {
        Answer::ByHead(_) => Ok(()),
        Answer::Bytes(bytes) => {
            stream.write_all(&bytes).await?;
            stream.shutdown().await
        }
        Answer::Endless(first, again) => {
            stream.write_all(&first).await?;
            loop {
                stream.write_all(&again).await?;
            }
        }
        Answer::Stall(bytes) => {
            stream.write_all(&bytes).await?;
            // Until the other side gives up.
            while stream.read_buf(&mut received).await? > 0 {}
            Ok(())
        }
    }
}
