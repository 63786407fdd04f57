//! The bridge to a gateway elsewhere: each message of the client is a POST (streamable HTTP, 2026-07-28 and 2025-11-25).
//!
//! Owns what HTTP wants beside the message: the headers that repeat it, the session of the 2025 era, and the two forms of
//! an answer. Streams that a server opens by itself are not listened to: ours opens none.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use data_encoding::BASE64;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::request::Builder;
use http::{Method, Request, Response, StatusCode};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::session::error;
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
        for line in input.lines() {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let mut under_way = JoinSet::new();
    let mut by_id = HashMap::new();
    while let Some(line) = lines.recv().await {
        let line = line?;
        if !line.trim().is_empty() {
            client.relay(&line, &mut under_way, &mut by_id).await;
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

/// As much of a message as HTTP repeats.
struct Message {
    line: String,
    id: Option<String>,
    method: Option<String>,
    name: Option<String>,
    /// The revision that it names itself: from 2026-07-28 on.
    version: Option<String>,
}

impl Message {
    fn read(line: &str) -> Self {
        let body: Value = serde_json::from_str(line).unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let parameters = &body["params"];
        Self {
            line: line.to_owned(),
            id: body
                .get("id")
                .filter(|id| !id.is_null())
                .map(Value::to_string),
            method: text(&body["method"]),
            name: text(&parameters["name"]).or_else(|| text(&parameters["uri"])),
            version: text(&parameters["_meta"]["io.modelcontextprotocol/protocolVersion"]),
        }
    }

    fn is(&self, method: &str) -> bool {
        self.method.as_deref() == Some(method)
    }

    /// The request whose answer nobody wants any more.
    fn cancels(&self) -> Option<String> {
        let body: Value = serde_json::from_str(&self.line).ok()?;
        let id = &body["params"]["requestId"];
        (self.is("notifications/cancelled") && !id.is_null()).then(|| id.to_string())
    }
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

/// The headers that repeat the body, so that what stands between need not read it (streamable HTTP, 2026-07-28).
fn repeat(mut request: Builder, message: &Message) -> Builder {
    if let Some(method) = &message.method {
        request = request.header("mcp-method", header_text(method).as_ref());
    }
    if let Some(name) = &message.name {
        request = request.header("mcp-name", header_text(name).as_ref());
    }
    request
}

/// As it is, or in the wrapping for what a header cannot hold.
fn header_text(text: &str) -> Cow<'_, str> {
    let is_plain = text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) && text.trim() == text;
    if is_plain && !text.starts_with("=?base64?") {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("=?base64?{}?=", BASE64.encode(text.as_bytes())))
}

/// The messages of a reply: one JSON document, or the data of server-sent events.
fn messages(reply: &Response<Vec<u8>>) -> Vec<String> {
    let text = String::from_utf8_lossy(reply.body());
    let kind = reply.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|value| value.to_str().ok()).unwrap_or("");
    let found = if kind.starts_with("text/event-stream") {
        events(&text)
    } else {
        vec![text.into_owned()]
    };
    let is_message = |text: &String| {
        serde_json::from_str::<Value>(text).is_ok_and(|value| value["jsonrpc"] == "2.0")
    };
    found.into_iter().filter(is_message).collect()
}

/// The data of each event (HTML, server-sent events).
fn events(stream: &str) -> Vec<String> {
    let mut events = vec![String::new()];
    for line in stream.lines() {
        if line.is_empty() {
            events.push(String::new());
        } else if let (Some(data), Some(event)) = (line.strip_prefix("data:"), events.last_mut()) {
            if !event.is_empty() {
                event.push('\n');
            }
            event.push_str(data.strip_prefix(' ').unwrap_or(data));
        }
    }
    events.retain(|event| !event.is_empty());
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_with_and_without_a_space_and_over_several_lines() {
        let stream = ": comment\nid: 1\ndata: {\"a\":\ndata:1}\n\nevent: x\ndata:{}\n\nretry: 3\n";
        assert_eq!(events(stream), ["{\"a\":\n1}", "{}"]);
    }

    #[test]
    fn only_messages_are_passed_on() {
        let reply = |kind: &str, body: &str| {
            let reply = Response::builder().header(CONTENT_TYPE, kind);
            messages(&reply.body(body.as_bytes().to_vec()).unwrap())
        };
        let message = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
        assert_eq!(reply("application/json", message), [message]);
        let stream = format!("data: {message}\n\ndata: keep\n\n");
        assert_eq!(reply("text/event-stream", &stream), [message]);
        assert!(reply("text/plain", "Bad token").is_empty());
    }

    #[test]
    fn what_a_header_cannot_hold_is_wrapped() {
        assert_eq!(header_text("acme_list"), "acme_list");
        for text in ["größe", " a", "=?base64?x?="] {
            assert!(header_text(text).starts_with("=?base64?"), "{text}");
        }
    }
}
