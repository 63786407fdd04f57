//! What a server says on a stream of events, message by message.

use std::collections::VecDeque;

use serde_json::Value;

/// A stream of events, or a reply that is one message. Dropping it closes the connection.
pub(crate) struct Events {
    response: reqwest::Response,
    unread: Vec<u8>,
    messages: VecDeque<Value>,
}

impl Events {
    pub(crate) fn of(response: reqwest::Response) -> Self {
        assert!(response.status().is_success(), "{}", response.status());
        Self {
            response,
            unread: Vec::new(),
            messages: VecDeque::new(),
        }
    }

    /// The next message; none when the server has ended the stream.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(message) = self.messages.pop_front() {
                return Some(message);
            }
            match self.response.chunk().await {
                Ok(Some(chunk)) => self.unread.extend(chunk),
                Ok(None) | Err(_) if self.unread.is_empty() => return None,
                Ok(None) | Err(_) => self.unread.push(b'\n'),
            }
            while let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<_> = self.unread.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line);
                let text = line.strip_prefix("data:").unwrap_or(&line).trim();
                self.messages.extend(serde_json::from_str::<Value>(text));
            }
        }
    }

    /// The next message of this method; what comes before is skipped.
    pub(crate) async fn next_of(&mut self, method: &str) -> Value {
        loop {
            let message = self.next().await.unwrap_or_else(|| panic!("no {method}"));
            if message["method"] == method {
                return message;
            }
        }
    }

    /// The answer to the request that opened the stream.
    pub(crate) async fn answer(&mut self) -> Value {
        loop {
            let message = self.next().await.expect("an answer");
            if message.get("id").is_some() && message.get("method").is_none() {
                return message;
            }
        }
    }
}
