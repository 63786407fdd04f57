//! What a bridge keeps of a conversation, so that the client need not notice a new gateway.
//!
//! Revisions up to 2025-11-25 begin with `initialize`, and a server that has not seen it answers nothing else
//! (lifecycle, 2025-11-25): it is replayed. From 2026-07-28 on every request stands alone.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Internal error (JSON-RPC 2.0 section 5.1).
const INTERNAL_ERROR: i64 = -32603;
const METHOD_NOT_FOUND: i64 = -32601;

/// The conversation so far.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// The client's `initialize`, its id, and whether the client has the answer.
    initialize: Option<Initialize>,
    /// Its `notifications/initialized`.
    initialized: Option<String>,
    in_flight: BTreeMap<String, Pending>,
    /// The id whose next answer is to a replay.
    swallow: Option<String>,
}

#[derive(Debug)]
struct Initialize {
    line: String,
    id: String,
    answered: bool,
}

/// A request without an answer.
#[derive(Debug)]
struct Pending {
    line: String,
    /// It may change something.
    acts: bool,
    /// It is answered only when it is given up.
    listens: bool,
    asked_again: bool,
}

/// What becomes of requests whose gateway went away.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Interrupted {
    /// Answers to calls: nobody knows whether they took effect.
    pub(super) answers: Vec<String>,
    /// Requests that change nothing, to be asked once more.
    pub(super) again: Vec<String>,
}

/// As much of a message as matters here.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
}

impl Session {
    /// Notes a message of the client; says whether it is a request. Anything else concerns only the gateway that is
    /// there: a new one has nothing to cancel, and is not started for it.
    pub(super) fn sent(&mut self, line: &str) -> bool {
        let Some((id, method)) = read(line) else {
            return false;
        };
        let is_request = id.is_some() && method.is_some();
        match (id, method.as_deref()) {
            (None, Some("notifications/initialized")) => self.initialized = Some(line.to_owned()),
            (None, Some("notifications/cancelled")) => {
                // Nobody waits for that answer any more.
                if let Some(id) = cancelled(line) {
                    self.in_flight.remove(&id);
                }
            }
            (Some(id), Some(method)) => {
                if method == "initialize" {
                    self.initialize = Some(Initialize {
                        line: line.to_owned(),
                        id: id.clone(),
                        answered: false,
                    });
                }
                let pending = Pending {
                    line: line.to_owned(),
                    acts: method == "tools/call",
                    listens: method == "subscriptions/listen",
                    asked_again: false,
                };
                self.in_flight.insert(id, pending);
            }
            _ => {}
        }
        is_request
    }

    /// Notes a message of the gateway; says whether the client is to have it.
    pub(super) fn received(&mut self, line: &str) -> bool {
        let Some((Some(id), None)) = read(line) else {
            return true;
        };
        if self.swallow.as_ref() == Some(&id) {
            self.swallow = None;
            return false;
        }
        if let Some(initialize) = self.initialize.as_mut().filter(|known| known.id == id) {
            initialize.answered = true;
        }
        self.in_flight.remove(&id);
        true
    }

    /// Whether the client is owed an answer. A stream that it listens to is none: it ends with the client.
    pub(super) fn waits_for_answers(&self) -> bool {
        self.in_flight.values().any(|pending| !pending.listens)
    }

    /// What a new gateway must hear before it understands the rest.
    pub(super) fn replay(&mut self) -> Vec<String> {
        self.swallow = None;
        let Some(initialize) = self.initialize.as_ref().filter(|known| known.answered) else {
            return Vec::new();
        };
        self.swallow = Some(initialize.id.clone());
        let lines = [Some(initialize.line.clone()), self.initialized.clone()];
        lines.into_iter().flatten().collect()
    }

    /// The gateway went away: what is answered now, and what is asked again.
    pub(super) fn interrupted(&mut self) -> Interrupted {
        let mut lost = Interrupted::default();
        self.in_flight.retain(|id, pending| {
            if pending.acts || pending.asked_again {
                let sentence = if pending.acts {
                    "The Attache gateway went away while this call was under way. It is not known whether the call took \
                     effect: check before you run it again. The gateway is started again with the next message."
                } else {
                    "The Attache gateway went away twice while it answered this request; see its log, gateway.log in \
                     the data folder."
                };
                lost.answers.push(error(id, sentence));
                return false;
            }
            pending.asked_again = true;
            lost.again.push(pending.line.clone());
            true
        });
        lost
    }

    /// No gateway can be had: every request that waits is answered with `sentence`.
    pub(super) fn nobody_there(&mut self, sentence: &str) -> Vec<String> {
        let sentence = format!("The Attache gateway could not be reached: {sentence}");
        let waiting = std::mem::take(&mut self.in_flight);
        waiting.keys().map(|id| error(id, &sentence)).collect()
    }
}

/// The id, as JSON, and the method. None for what is no JSON-RPC message: the gateway will say so.
fn read(line: &str) -> Option<(Option<String>, Option<Cow<'_, str>>)> {
    let message: Message<'_> = serde_json::from_str(line).ok()?;
    Some((message.id.and_then(canonical), message.method))
}

/// The same text for the same id, however it is escaped.
fn canonical(id: &RawValue) -> Option<String> {
    let value: Value = serde_json::from_str(id.get()).ok()?;
    (!value.is_null()).then(|| value.to_string())
}

fn cancelled(line: &str) -> Option<String> {
    let message: Value = serde_json::from_str(line).ok()?;
    let id = &message["params"]["requestId"];
    (!id.is_null()).then(|| id.to_string())
}

/// An error for the request `id` (as JSON), in words.
pub(super) fn error(id: &str, sentence: &str) -> String {
    error_of(id, INTERNAL_ERROR, sentence)
}

/// The answer to a client that wants to listen where nothing that lasts is passed on.
pub(super) fn no_listening(id: &str) -> String {
    let sentence = "The bridge to a gateway elsewhere does not listen for changes.";
    error_of(id, METHOD_NOT_FOUND, sentence)
}

fn error_of(id: &str, code: i64, sentence: &str) -> String {
    let id: Value = serde_json::from_str(id).unwrap_or_default();
    json!({
        "jsonrpc": "2.0",
        "id": id,
        "error": { "code": code, "message": sentence },
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#;
    const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    const LIST: &str = r#"{"jsonrpc":"2.0","id":"a","method":"tools/list"}"#;
    const CALL: &str = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{}}"#;

    fn begun() -> Session {
        let mut session = Session::default();
        assert!(session.sent(INITIALIZE));
        assert!(session.received(r#"{"jsonrpc":"2.0","id":0,"result":{}}"#));
        assert!(!session.sent(INITIALIZED));
        session
    }

    #[test]
    fn a_handshake_is_replayed_and_its_answer_is_not_heard_twice() {
        let mut session = begun();
        assert!(!session.waits_for_answers());
        assert_eq!(session.interrupted(), Interrupted::default());
        assert_eq!(session.replay(), [INITIALIZE, INITIALIZED]);
        assert!(!session.received(r#"{"jsonrpc":"2.0","id":0,"result":{}}"#));
        assert!(session.received(r#"{"jsonrpc":"2.0","id":"a","result":{}}"#));
    }

    #[test]
    fn a_handshake_without_an_answer_is_asked_again_and_not_replayed() {
        let mut session = Session::default();
        session.sent(INITIALIZE);
        assert_eq!(session.interrupted().again, [INITIALIZE]);
        assert!(session.replay().is_empty());
        assert!(session.received(r#"{"jsonrpc":"2.0","id":0,"result":{}}"#));
    }

    #[test]
    fn nothing_is_replayed_where_requests_stand_alone() {
        let mut session = Session::default();
        session.sent(LIST);
        session.received(r#"{"jsonrpc":"2.0","id":"\u0061","result":{}}"#);
        assert!(!session.waits_for_answers() && session.replay().is_empty());
    }

    #[test]
    fn a_call_under_way_is_answered_and_a_question_asked_once_more() {
        let mut session = begun();
        session.sent(CALL);
        session.sent(LIST);
        let lost = session.interrupted();
        assert_eq!(lost.again, [LIST]);
        let answer: Value = serde_json::from_str(&lost.answers[0]).unwrap();
        assert_eq!((lost.answers.len(), &answer["id"]), (1, &json!(2)));
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains("not known whether the call took effect"));
        let lost = session.interrupted();
        assert!(lost.again.is_empty() && lost.answers[0].contains("twice"));
        assert!(!session.waits_for_answers());
    }

    #[test]
    fn nobody_waits_for_the_end_of_a_stream() {
        let mut session = Session::default();
        session.sent(r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen"}"#);
        assert!(!session.waits_for_answers());
        assert_eq!(session.interrupted().again.len(), 1, "it goes on listening");
        session.sent(LIST);
        assert!(session.waits_for_answers());
    }

    #[test]
    fn a_cancelled_call_is_not_answered() {
        let mut session = begun();
        session.sent(CALL);
        session.sent(
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}"#,
        );
        assert_eq!(session.interrupted(), Interrupted::default());
    }

    #[test]
    fn without_a_gateway_every_request_is_told_why() {
        let mut session = begun();
        session.sent(CALL);
        let answers = session.nobody_there("the disk is full");
        assert!(answers.len() == 1 && answers[0].contains("the disk is full"));
        assert!(session.nobody_there("x").is_empty());
    }

    #[test]
    fn what_is_no_message_is_passed_on_unread() {
        let mut session = Session::default();
        assert!(!session.sent("not json") && !session.sent("[]"));
        assert!(session.received("not json") && !session.waits_for_answers());
        assert!(session.received(r#"{"jsonrpc":"2.0","id":9,"method":"ping"}"#));
    }
}
