//! What the client writes, line by line, and no line longer than a message may be.
//!
//! Of a longer one no more is kept than it takes to tell the client which request it was.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufRead, Read};

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Value, json};

use crate::mcp::LONGEST_MESSAGE;

/// The longest id that is repeated in a refusal, as text.
const LONGEST_ID: usize = 256;

/// Invalid request (JSON-RPC 2.0 section 5.1).
const INVALID_REQUEST: i64 = -32600;

/// What stood on a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A message, or what the gateway will say is none.
    Whole(String),
    /// More than a message may be. This is the answer.
    Refused(String),
}

/// The lines of `input`, without those that hold nothing or no text.
pub(super) struct Lines<R> {
    input: R,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input }
    }

    /// The next line; none at the end. A line without its end is one too.
    fn read(&mut self) -> io::Result<Option<Line>> {
        loop {
            let mut line = Vec::new();
            // One more for the end of the line.
            let most = LONGEST_MESSAGE as u64 + 1;
            self.input
                .by_ref()
                .take(most)
                .read_until(b'\n', &mut line)?;
            if line.is_empty() {
                return Ok(None);
            }
            if line.len() > LONGEST_MESSAGE && !line.ends_with(b"\n") {
                self.input.skip_until(b'\n')?;
                return Ok(Some(Line::Refused(refusal(&line))));
            }
            match String::from_utf8(line) {
                Ok(line) if line.trim().is_empty() => {}
                Ok(line) => return Ok(Some(Line::Whole(line.trim_end().to_owned()))),
                // The gateway ignores what is not JSON, too.
                Err(error) => tracing::debug!(%error, "ignored a line that is not text"),
            }
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// The answer to a line that is too long, of which this is the beginning.
fn refusal(beginning: &[u8]) -> String {
    let message = format!(
        "This message is longer than {} MiB, the most that Attache takes. Send less at once.",
        LONGEST_MESSAGE >> 20
    );
    json!({
        "jsonrpc": "2.0",
        "id": request_id(beginning),
        "error": { "code": INVALID_REQUEST, "message": message },
    })
    .to_string()
}

/// The id of a request of which only the beginning is there. Null when the id is not in it, or it may be an answer (JSON-RPC
/// 2.0 section 5).
fn request_id(beginning: &[u8]) -> Value {
    let mut head = Head::default();
    // It is cut off somewhere: what was read until then counts.
    let _ = serde_json::Deserializer::from_slice(beginning).deserialize_map(&mut head);
    if head.is_request {
        head.id
    } else {
        Value::Null
    }
}

/// As much of a message as was read.
#[derive(Default)]
struct Head {
    id: Value,
    is_request: bool,
}

impl<'de> Visitor<'de> for &mut Head {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match key.as_ref() {
                "id" => self.id = short(map.next_value()?),
                "method" => {
                    map.next_value::<IgnoredAny>()?;
                    self.is_request = true;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

fn short(id: Value) -> Value {
    match &id {
        Value::String(text) if text.len() <= LONGEST_ID => id,
        Value::Number(_) => id,
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8]) -> Vec<Line> {
        Lines::new(input).map(Result::unwrap).collect()
    }

    fn whole(text: &str) -> Line {
        Line::Whole(text.to_owned())
    }

    /// A message longer than it may be, that begins like this.
    fn too_long(beginning: &str) -> Vec<u8> {
        let mut line = beginning.as_bytes().to_vec();
        line.extend(vec![b'x'; 2 * LONGEST_MESSAGE]);
        line
    }

    fn refused_id(beginning: &str) -> Value {
        let [Line::Refused(answer)] = &lines(&too_long(beginning))[..] else {
            panic!("{beginning} was not refused");
        };
        let answer: Value = serde_json::from_str(answer).unwrap();
        assert_eq!(answer["error"]["code"], INVALID_REQUEST);
        assert!(
            answer["error"]["message"]
                .as_str()
                .unwrap()
                .contains("4 MiB")
        );
        answer["id"].clone()
    }

    #[test]
    fn lines_are_read_whatever_ends_them() {
        let input = b"{1}\n\n  \r\n{2}\r\n\xff\xfe\n{3}";
        assert_eq!(lines(input), [whole("{1}"), whole("{2}"), whole("{3}")]);
    }

    #[test]
    fn the_longest_line_passes_and_one_byte_more_does_not() {
        let mut input = vec![b'x'; LONGEST_MESSAGE];
        input.extend(b"\nx");
        input.extend(vec![b'x'; LONGEST_MESSAGE]);
        input.extend(b"\nnext\n");
        let found = lines(&input);
        assert!(matches!(&found[0], Line::Whole(line) if line.len() == LONGEST_MESSAGE));
        assert!(matches!(&found[1], Line::Refused(_)));
        assert_eq!(found[2..], [whole("next")]);
    }

    #[test]
    fn a_refusal_names_the_request_as_far_as_it_is_known() {
        let rows = [
            (
                r#"{"jsonrpc":"2.0","id":7,"method":"a","params":""#,
                json!(7),
            ),
            (r#"{"id":"a","method":"b","params":{"deep":[""#, json!("a")),
            (r#"{"\u0069d":"a","method":"b","params":""#, json!("a")),
            (r#"{"method":"b","params":""#, Value::Null),
            (r#"{"id":7,"result":{"text":""#, Value::Null),
            (r#"{"params":{"id":7,"method":"b","x":""#, Value::Null),
            (r#"{"id":[7],"method":"b","params":""#, Value::Null),
            (r#"{"method":"b","id":"#, Value::Null),
            ("no JSON", Value::Null),
            (r#"[{"id":7,"method":"b"},""#, Value::Null),
        ];
        for (beginning, id) in rows {
            assert_eq!(refused_id(beginning), id, "{beginning}");
        }
        let long = format!(
            r#"{{"id":"{}","method":"b","params":""#,
            "i".repeat(LONGEST_ID + 1)
        );
        assert_eq!(refused_id(&long), Value::Null);
    }
}
