//! The bridge to a gateway elsewhere: each message of the client is a POST (streamable HTTP, 2026-07-28 and 2025-11-25).
//!
//! Owns the order in which messages go out, the session of the 2025 era, and what the client is told when a request fails.
//! Answers are passed on when they are whole, so nothing that lasts can be asked for: a client that wants to listen for
//! changes is told that there is no such method, and reads the list again when its time is over.

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::request::Builder;
use http::{Method, Request, Response, StatusCode};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::http_form::{Message, messages, repeat};
use super::lines::{Line, Lines};
use super::session::{error, no_listening};
use super::{BridgeError, LAST_ANSWERS, StartFailure};
use crate::base::Secret;
use crate::config::Remote;
use crate::egress::{self, Egress, EgressError, Limits, LoopbackAuthority};

const SESSION_ID: &str = "mcp-session-id";

/// As long as a tool may take; the gateway has limits of its own.
const PATIENCE: Duration = Duration::from_mins(10);
const LARGEST_REPLY: usize = 64 << 20;

/// Relays between `input`, `output` and the gateway that `remote` names, until `input` is closed.
///
/// # Errors
/// [`BridgeError`]: there is no safe way out, or the client's side broke.
pub async fn bridge_to(
    remote: Remote,
    input: impl BufRead + Send + 'static,
    output: impl Write + Send + 'static,
) -> Result<(), BridgeError> {
    let client = Client {
        egress: way_out(&remote)?,
        remote: Arc::new(remote),
        handshake: Arc::default(),
        output: Arc::new(Mutex::new(output)),
    };
    let (sender, mut lines) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for line in Lines::new(input) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let mut under_way = JoinSet::new();
    let mut by_id = HashMap::new();
    while let Some(line) = lines.recv().await {
        match line? {
            Line::Whole(line) => client.relay(&line, &mut under_way, &mut by_id).await,
            Line::Refused(answer) => client.tell(&answer),
        }
        while under_way.try_join_next().is_some() {}
    }
    // Answers under way still reach a client that has said all it had to say.
    let rest = async { while under_way.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(LAST_ANSWERS, rest).await;
    Ok(())
}

fn way_out(remote: &Remote) -> Result<Egress, StartFailure> {
    let failed = |error: &dyn std::fmt::Display| StartFailure::Failed(error.to_string());
    let authority = remote.loopback_authority();
    let allowed = authority
        .map(|text| text.parse::<LoopbackAuthority>())
        .transpose()
        .map_err(|error| failed(&error))?;
    let settings = egress::Settings {
        dangerously_allow_loopback: allowed.into_iter().collect(),
        limits: limits(),
        ..egress::Settings::default()
    };
    Egress::new(settings).map_err(|error| failed(&error))
}

fn limits() -> Limits {
    Limits {
        headers: PATIENCE,
        total: PATIENCE,
        wire_bytes: LARGEST_REPLY,
        decoded_bytes: LARGEST_REPLY,
    }
}

struct Client<W> {
    egress: Egress,
    remote: Arc<Remote>,
    handshake: Arc<Mutex<Handshake>>,
    output: Arc<Mutex<W>>,
}

impl<W> Clone for Client<W> {
    fn clone(&self) -> Self {
        Self {
            egress: self.egress.clone(),
            remote: Arc::clone(&self.remote),
            handshake: Arc::clone(&self.handshake),
            output: Arc::clone(&self.output),
        }
    }
}

/// What the 2025 era keeps over requests.
#[derive(Clone, Default)]
struct Handshake {
    initialize: Option<String>,
    initialized: Option<String>,
    version: Option<String>,
    session: Option<String>,
}

impl<W: Write + Send + 'static> Client<W> {
    /// Requests run side by side; everything else keeps its order, and the handshake comes before what follows it.
    async fn relay(
        &self,
        line: &str,
        under_way: &mut JoinSet<()>,
        by_id: &mut HashMap<String, AbortHandle>,
    ) {
        let message = Message::read(line);
        if let Some(task) = message.cancels().and_then(|id| by_id.remove(&id)) {
            // Going away is how a request is cancelled in streamable HTTP of 2026-07-28; older sessions are told too.
            task.abort();
        }
        match &message.id {
            Some(id) if message.is("subscriptions/listen") => self.tell(&no_listening(id)),
            Some(id) if message.method.is_some() && !message.is("initialize") => {
                let (client, id) = (self.clone(), id.clone());
                let task = under_way.spawn(async move { client.ask(&message).await });
                by_id.retain(|_, task| !task.is_finished());
                by_id.insert(id, task);
            }
            _ => {
                self.note(&message);
                self.ask(&message).await;
            }
        }
    }

    /// Keeps what a new session would need.
    fn note(&self, message: &Message) {
        let mut handshake = self.handshake();
        if message.is("initialize") {
            *handshake = Handshake {
                initialize: Some(message.line.clone()),
                ..Handshake::default()
            };
        } else if message.is("notifications/initialized") {
            handshake.initialized = Some(message.line.clone());
        }
    }

    /// Sends a message and passes the answer on; begins a new session when the gateway has forgotten ours.
    async fn ask(&self, message: &Message) {
        let mut reply = self.send(message).await;
        let forgotten = matches!(&reply, Ok(reply) if reply.status() == StatusCode::NOT_FOUND);
        if forgotten && !message.is("initialize") && self.begin_anew().await {
            reply = self.send(message).await;
        }
        match reply {
            Ok(reply) => self.pass_on(message, &reply),
            Err(error) => self.tell_failure(message, &error),
        }
    }

    async fn send(&self, message: &Message) -> Result<Response<Vec<u8>>, EgressError> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(self.remote.url.as_str())
            .header(AUTHORIZATION, bearer(&self.remote.token))
            .header(ACCEPT, "application/json, text/event-stream")
            .header(CONTENT_TYPE, "application/json");
        request = match &message.version {
            Some(version) => repeat(request.header("mcp-protocol-version", version), message),
            None => self.in_session(request),
        };
        let request = request
            .body(message.line.clone().into_bytes())
            .map_err(|error| EgressError::ConnectFailed {
                origin: self.remote.url.origin().ascii_serialization(),
                cause: error.to_string(),
            })?;
        let reply = self.egress.send(request, limits()).await?;
        if message.is("initialize") && reply.status().is_success() {
            self.begun(&reply);
        }
        Ok(reply)
    }

    fn in_session(&self, mut request: Builder) -> Builder {
        let handshake = self.handshake();
        if let Some(version) = &handshake.version {
            request = request.header("mcp-protocol-version", version);
        }
        if let Some(session) = &handshake.session {
            request = request.header(SESSION_ID, session);
        }
        request
    }

    fn begun(&self, reply: &Response<Vec<u8>>) {
        let result = messages(reply)
            .iter()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find_map(|message| {
                message["result"]["protocolVersion"]
                    .as_str()
                    .map(str::to_owned)
            });
        let session = reply.headers().get(SESSION_ID);
        let session = session.and_then(|value| value.to_str().ok());
        let mut handshake = self.handshake();
        handshake.version = result;
        handshake.session = session.map(str::to_owned);
    }

    /// The handshake once more, whose answers the client has already. False when there was none.
    async fn begin_anew(&self) -> bool {
        let known = self.handshake().clone();
        let (Some(initialize), Some(_)) = (known.initialize, known.session) else {
            return false;
        };
        {
            let mut handshake = self.handshake();
            (handshake.version, handshake.session) = (None, None);
        }
        for line in [Some(initialize), known.initialized].into_iter().flatten() {
            if self.send(&Message::read(&line)).await.is_err() {
                return false;
            }
        }
        true
    }

    fn pass_on(&self, message: &Message, reply: &Response<Vec<u8>>) {
        let lines = messages(reply);
        if !lines.is_empty() {
            for line in &lines {
                self.tell(line);
            }
        } else if let Some(id) = message.id.as_ref().filter(|_| message.method.is_some()) {
            let said = String::from_utf8_lossy(reply.body());
            let sentence = format!(
                "The Attache gateway at {} answered with status {}: {}",
                self.remote.url.origin().ascii_serialization(),
                reply.status().as_u16(),
                said.chars().take(500).collect::<String>()
            );
            self.tell(&error(id, &sentence));
        }
    }

    fn tell_failure(&self, message: &Message, failure: &EgressError) {
        let advice = if message.is("tools/call") && failure.request_was_sent() {
            "It is not known whether the call took effect: check before you run it again."
        } else {
            "Nothing was changed; try again in a moment."
        };
        let sentence = format!("The Attache gateway could not be reached: {failure}. {advice}");
        tracing::warn!(%failure, "the remote gateway could not be reached");
        if let Some(id) = message.id.as_ref().filter(|_| message.method.is_some()) {
            self.tell(&error(id, &sentence));
        }
    }

    /// One message to the client, on one line: line breaks stand only between the tokens of JSON. A client that is gone
    /// has no use for it.
    fn tell(&self, message: &str) {
        let line = message.replace(['\r', '\n'], " ");
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = output
            .write_all(format!("{line}\n").as_bytes())
            .and_then(|()| output.flush());
    }

    fn handshake(&self) -> std::sync::MutexGuard<'_, Handshake> {
        self.handshake
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn bearer(token: &Secret) -> String {
    format!("Bearer {}", token.expose())
}
