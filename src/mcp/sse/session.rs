//! The sessions of the HTTP+SSE transport: each is one stream to a client, and a way for its messages to come in.
//!
//! Owns whose a session is, when it ends, and that no client can make it grow. Refuses to know HTTP.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use data_encoding::HEXLOWER;
use futures::Stream;
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, JsonRpcMessage, RequestId, ServerJsonRpcMessage,
};
use rmcp::transport::Transport;
use rmcp::{RoleServer, ServiceExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::super::Server;
use super::super::stream::after_the_last_call;
use crate::base::{AgentId, Random};

/// How many requests of one client may be without an answer that it has taken.
const MAX_UNANSWERED: usize = 64;

/// How many messages wait between a client and its session, each way.
const CHANNEL: usize = 8;

/// How long things may take. Only tests choose their own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Until the first message.
    handshake: Duration,
    /// Without a message either way. Long: few clients of this transport come back by themselves.
    silence: Duration,
    /// Until a client takes the next message off its stream.
    reading: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            handshake: Duration::from_mins(1),
            silence: Duration::from_hours(8),
            reading: Duration::from_mins(1),
        }
    }
}

/// Every open session. Clones share them.
#[derive(Clone)]
pub(in crate::mcp) struct Sessions {
    open: Arc<Mutex<HashMap<String, Session>>>,
    taken: Arc<AtomicUsize>,
    random: Random,
    patience: Patience,
    stop: CancellationToken,
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotTaken {
    /// There is no such session, or not for this agent.
    #[error("There is no such session; open /sse again to begin a new one.")]
    UnknownSession,
    /// Too much is under way.
    #[error(
        "{MAX_UNANSWERED} requests of this session are under way; read their answers off its stream first."
    )]
    TooManyRequests,
    /// JSON-RPC 2.0, section 4: answers could not be told apart.
    #[error(
        "A request with this id is under way in this session; each request needs an id of its own."
    )]
    IdInUse,
}

#[derive(Clone)]
struct Session {
    agent: AgentId,
    heard: mpsc::Sender<ClientJsonRpcMessage>,
    said: mpsc::Sender<ServerJsonRpcMessage>,
    unanswered: Unanswered,
    over: CancellationToken,
}

impl Sessions {
    /// None yet; `stop` ends those that come.
    pub(in crate::mcp) fn new(random: Random, stop: CancellationToken) -> Self {
        Self {
            open: Arc::default(),
            taken: Arc::default(),
            random,
            patience: Patience::default(),
            stop,
        }
    }

    /// How many there are.
    pub(in crate::mcp) fn count(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Begins one: its name, and what the server says in it. It lasts until that is dropped.
    pub(super) fn begin(&self, agent: AgentId, server: Server) -> (String, Said) {
        let id = HEXLOWER.encode(&self.random.bytes::<16>());
        let (heard, inbound) = mpsc::channel(CHANNEL);
        let (said, outbound) = mpsc::channel(CHANNEL);
        let session = Session {
            agent,
            heard,
            said: said.clone(),
            unanswered: Unanswered::default(),
            over: self.stop.child_token(),
        };
        let end = after_the_last_call(session.over.clone(), server.calls_under_way());
        let wire = Wire {
            inbound,
            said,
            end: Box::pin(end),
            over: session.over.clone(),
            patience: self.patience,
            begun: false,
        };
        let seat = Arc::new(Seat::take(&self.taken));
        let stream = Said {
            _seat: Arc::clone(&seat),
            outbound,
            unanswered: session.unanswered.clone(),
            over: session.over.clone(),
        };
        self.lock().insert(id.clone(), session);
        let (sessions, name) = (self.clone(), id.clone());
        tokio::spawn(async move {
            Box::pin(serve(server, wire)).await;
            // With the last sender the stream ends.
            sessions.lock().remove(&name);
            drop(seat);
        });
        (id, stream)
    }

    /// Hands a message of `agent` to a session of its own.
    pub(super) async fn hear(
        &self,
        agent: &AgentId,
        id: &str,
        message: ClientJsonRpcMessage,
    ) -> Result<(), NotTaken> {
        let session = self.session(agent, id)?;
        session.unanswered.expect(&message)?;
        let gone = |_| NotTaken::UnknownSession;
        session.heard.send(message).await.map_err(gone)
    }

    /// Puts a message of ours on the stream of a session. A client that takes nothing for long has left.
    pub(super) async fn say(
        &self,
        agent: &AgentId,
        id: &str,
        message: ServerJsonRpcMessage,
    ) -> Result<(), NotTaken> {
        let session = self.session(agent, id)?;
        let gone = |_| NotTaken::UnknownSession;
        let said = session.said.send(message);
        let Ok(said) = tokio::time::timeout(self.patience.reading, said).await else {
            session.over.cancel();
            return Err(NotTaken::UnknownSession);
        };
        said.map_err(gone)
    }

    fn session(&self, agent: &AgentId, id: &str) -> Result<Session, NotTaken> {
        let open = self.lock();
        let session = open.get(id).filter(|session| session.agent == *agent);
        let alive = session.filter(|session| !session.over.is_cancelled());
        alive.cloned().ok_or(NotTaken::UnknownSession)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What counts as a session: its task and its stream hold it together, since a stream that nobody reads outlives its task.
struct Seat(Arc<AtomicUsize>);

impl Seat {
    fn take(taken: &Arc<AtomicUsize>) -> Self {
        taken.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(taken))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The requests whose answers the client has not taken. Without this bound, answers that nobody reads would pile up.
#[derive(Clone, Default)]
struct Unanswered(Arc<Mutex<HashSet<RequestId>>>);

impl Unanswered {
    /// Counts a request in; a cancelled one is never answered (MCP 2024-11-05, cancellation).
    fn expect(&self, message: &ClientJsonRpcMessage) -> Result<(), NotTaken> {
        let mut ids = self.lock();
        match message {
            JsonRpcMessage::Request(request) => {
                if ids.contains(&request.id) {
                    return Err(NotTaken::IdInUse);
                }
                if ids.len() >= MAX_UNANSWERED {
                    return Err(NotTaken::TooManyRequests);
                }
                ids.insert(request.id.clone());
            }
            JsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(it) = &notification.notification
                    && let Some(id) = &it.params.request_id
                {
                    ids.remove(id);
                }
            }
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => {}
        }
        Ok(())
    }

    fn is_taken(&self, message: &ServerJsonRpcMessage) {
        let id = match message {
            JsonRpcMessage::Response(response) => Some(&response.id),
            JsonRpcMessage::Error(error) => error.id.as_ref(),
            JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => None,
        };
        if let Some(id) = id {
            self.lock().remove(id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<RequestId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the server says in a session. To drop it is to leave: nothing more is heard, and calls under way finish, since
/// a connection that breaks is no cancellation in the revisions that are spoken here.
pub(super) struct Said {
    outbound: mpsc::Receiver<ServerJsonRpcMessage>,
    unanswered: Unanswered,
    over: CancellationToken,
    _seat: Arc<Seat>,
}

impl Stream for Said {
    type Item = ServerJsonRpcMessage;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.outbound.poll_recv(context);
        if let Poll::Ready(Some(message)) = &next {
            self.unanswered.is_taken(message);
        }
        next
    }
}

impl Drop for Said {
    fn drop(&mut self) {
        self.over.cancel();
    }
}

async fn serve(server: Server, wire: Wire) {
    match Box::pin(server.serve(wire)).await {
        Ok(running) => {
            if let Err(error) = running.waiting().await {
                tracing::error!(%error, "serving a client over HTTP+SSE broke off");
            }
        }
        Err(error) => tracing::debug!(%error, "an HTTP+SSE session did not begin"),
    }
}

/// A session as rmcp's service loop sees it.
struct Wire {
    inbound: mpsc::Receiver<ClientJsonRpcMessage>,
    said: mpsc::Sender<ServerJsonRpcMessage>,
    end: Pin<Box<dyn Future<Output = ()> + Send>>,
    over: CancellationToken,
    patience: Patience,
    begun: bool,
}

impl Transport<RoleServer> for Wire {
    type Error = Infallible;

    /// Says it, unless the client has left, which is no fault. A client that takes nothing for long has left too.
    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), Infallible>> + Send + 'static {
        let (said, over, patience) = (self.said.clone(), self.over.clone(), self.patience.reading);
        async move {
            if tokio::time::timeout(patience, said.send(message))
                .await
                .is_err()
            {
                tracing::debug!("an HTTP+SSE client does not read its stream");
                over.cancel();
            }
            Ok(())
        }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        let patience = if self.begun {
            self.patience.silence
        } else {
            self.patience.handshake
        };
        let hear = async {
            match self.over.run_until_cancelled(self.inbound.recv()).await {
                Some(Some(message)) => message,
                // Nothing more is heard; what ends the session is its last call.
                Some(None) | None => std::future::pending().await,
            }
        };
        let message = tokio::select! {
            biased;
            () = &mut self.end => return None,
            message = tokio::time::timeout(patience, hear) => message.ok(),
        };
        self.begun |= message.is_some();
        message
    }

    async fn close(&mut self) -> Result<(), Infallible> {
        self.over.cancel();
        Ok(())
    }
}
