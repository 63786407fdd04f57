//! How a call ended, in the form of a fixture.

use serde_json::{Map, Value, json};

use crate::catalogue::{Account, Refusal, Reply};

/// How a call ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// `output`, `output_text` or `refusal`.
    pub(super) key: &'static str,
    pub(super) value: Value,
    /// What had happened before a refusal.
    pub(super) done: Option<String>,
}

impl Ending {
    /// A call that ended with `reply`; `done` is what it had changed by then. Of a success, its output says that.
    #[must_use]
    pub fn of_reply(reply: Reply, done: Option<String>) -> Self {
        let (key, value) = match reply {
            Reply::Refused(refusal) => return Self::of_refusal(&refusal, done),
            Reply::Success(output) => match output.structured {
                Some(value) => ("output", value),
                None => match serde_json::from_str(&output.text) {
                    Ok(value @ (Value::Object(_) | Value::Array(_))) => ("output", value),
                    _ => ("output_text", json!(output.text)),
                },
            },
        };
        Self {
            key,
            value,
            done: None,
        }
    }

    /// A call that was refused, after it had `done` something or nothing.
    #[must_use]
    pub fn of_refusal(refusal: &Refusal, done: Option<String>) -> Self {
        let mut shown = Map::new();
        shown.insert("kind".to_owned(), json!(refusal.kind));
        shown.insert("message".to_owned(), json!(refusal.message));
        if let Some(pause) = refusal.retry_after {
            shown.insert("retry_after_s".to_owned(), json!(pause.as_secs()));
        }
        Self {
            key: "refusal",
            value: shown.into(),
            done,
        }
    }

    /// The structured output, where the call ended with one.
    pub(super) fn into_output(self) -> Option<Value> {
        (self.key == "output").then_some(self.value)
    }

    /// An account call that named an account.
    #[must_use]
    pub fn of_account(account: &Account) -> Self {
        Self {
            key: "output",
            value: json!({
                "id": account.id,
                "label": account.label,
                "workspace": account.workspace,
            }),
            done: None,
        }
    }
}
