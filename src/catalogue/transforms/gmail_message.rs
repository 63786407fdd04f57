//! A message of Gmail: its tree of parts as what a person reads.

use encoding_rs::WINDOWS_1252;
use serde_json::{Map, Value, json};

use super::TransformError;
use super::html_to_text::text_of;
use super::mail_header::mail_header;
use super::markdown_text::bounded;
use crate::catalogue::base64_bytes::base64_bytes;
use crate::catalogue::reply::charset;

/// Parts nest no deeper in any mail that a program for mail wrote.
const DEEPEST: usize = 16;
/// No more parts are looked at.
const MOST_PARTS: usize = 500;

/// `{ subject, from, to, cc, date, text, attachments }` of a message, or of its `payload`.
pub(super) fn gmail_message(value: &Value) -> Result<Value, TransformError> {
    let payload = value.get("payload").unwrap_or(value);
    if !payload.is_object() {
        return Err(TransformError::Unfit("is no message of Gmail"));
    }
    let mut message = Map::new();
    for (key, name) in [
        ("subject", "Subject"),
        ("from", "From"),
        ("to", "To"),
        ("cc", "Cc"),
        ("date", "Date"),
    ] {
        if let Some(header) = mail_header(&payload["headers"], name) {
            message.insert(key.to_owned(), header);
        }
    }
    let mut reading = Reading::default();
    let text = reading.part(payload, 0);
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        message.insert("text".to_owned(), Value::String(bounded(text)));
    }
    if !reading.attachments.is_empty() {
        message.insert("attachments".to_owned(), Value::Array(reading.attachments));
    }
    Ok(Value::Object(message))
}

#[derive(Default)]
struct Reading {
    seen: usize,
    attachments: Vec<Value>,
}

impl Reading {
    /// The text of a part and of those in it; nothing when there is none.
    fn part(&mut self, part: &Value, depth: usize) -> Option<String> {
        self.seen += 1;
        if depth > DEEPEST || self.seen > MOST_PARTS {
            return None;
        }
        let media_type = part["mimeType"]
            .as_str()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let is_file = part["filename"]
            .as_str()
            .is_some_and(|name| !name.is_empty());
        if is_file || part["body"]["attachmentId"].is_string() {
            self.attachment(part, &media_type);
            return None;
        }
        if let Some(parts) = part["parts"].as_array() {
            return self.parts(parts, &media_type, depth);
        }
        let words = || decoded(part);
        match media_type.as_str() {
            "text/html" => words().map(|html| text_of(&html)),
            "text/plain" | "" => words(),
            _ => None,
        }
    }

    /// Of alternatives the plain one, unless it is empty; of anything else all, one after the other.
    fn parts(&mut self, parts: &[Value], media_type: &str, depth: usize) -> Option<String> {
        let texts: Vec<(bool, String)> = parts
            .iter()
            .filter_map(|part| {
                let is_plain = part["mimeType"]
                    .as_str()
                    .is_some_and(|name| name.eq_ignore_ascii_case("text/plain"));
                Some((is_plain, self.part(part, depth + 1)?))
            })
            .filter(|(_, text)| !text.trim().is_empty())
            .collect();
        if media_type == "multipart/alternative" {
            let plain = texts
                .iter()
                .position(|(is_plain, _)| *is_plain)
                .unwrap_or(0);
            return texts.into_iter().nth(plain).map(|(_, text)| text);
        }
        let texts: Vec<String> = texts.into_iter().map(|(_, text)| text).collect();
        (!texts.is_empty()).then(|| texts.join("\n\n"))
    }

    fn attachment(&mut self, part: &Value, media_type: &str) {
        let mut attachment = Map::new();
        let fields = [
            ("attachment_id", part["body"]["attachmentId"].clone()),
            ("filename", part["filename"].clone()),
            ("media_type", json!(media_type)),
            ("size", part["body"]["size"].clone()),
        ];
        for (key, value) in fields {
            if !value.is_null() && value != json!("") {
                attachment.insert(key.to_owned(), value);
            }
        }
        self.attachments.push(Value::Object(attachment));
    }
}

/// The words of a text part. Its bytes are mostly UTF-8, whatever its header says; where they are not, its header is
/// believed. Encodings of seven bits look like UTF-8 and are told by the header alone.
fn decoded(part: &Value) -> Option<String> {
    let bytes = base64_bytes(part["body"]["data"].as_str()?)?;
    let named = mail_header(&part["headers"], "Content-Type");
    let named = named.as_ref().and_then(Value::as_str).and_then(charset);
    let has_escapes =
        bytes.contains(&0x1b) && named.is_some_and(|named| !named.is_ascii_compatible());
    let text = match String::from_utf8(bytes) {
        Ok(text) if !has_escapes => text,
        Ok(text) => named
            .unwrap_or(WINDOWS_1252)
            .decode(text.as_bytes())
            .0
            .into_owned(),
        Err(error) => named
            .unwrap_or(WINDOWS_1252)
            .decode(error.as_bytes())
            .0
            .into_owned(),
    };
    Some(
        text.replace("\r\n", "\n")
            .replace('\0', "")
            .trim()
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64URL;
    use proptest::prelude::*;

    use super::*;

    fn part(media_type: &str, charset: &str, bytes: &[u8]) -> Value {
        json!({
            "mimeType": media_type, "filename": "",
            "headers": [{"name": "content-type", "value": format!("{media_type}; charset={charset}")}],
            "body": {"size": bytes.len(), "data": BASE64URL.encode(bytes)},
        })
    }

    fn multipart(kind: &str, parts: &[Value]) -> Value {
        json!({"mimeType": format!("multipart/{kind}"), "filename": "", "body": {"size": 0}, "parts": parts})
    }

    #[test]
    fn a_mail_with_files_becomes_what_a_person_reads() {
        let file = json!({"mimeType": "application/pdf", "filename": "a.pdf", "body": {"attachmentId": "ANG", "size": 7}});
        let both = multipart(
            "alternative",
            &[
                part("text/plain", "utf-8", "Hé\r\nyou".as_bytes()),
                part("text/html", "utf-8", b"<p>H</p>"),
            ],
        );
        let mut payload = multipart(
            "mixed",
            &[
                multipart("related", &[both]),
                file,
                part("text/plain", "us-ascii", b"-- list footer"),
            ],
        );
        payload["headers"] = json!([{"name": "Subject", "value": "Hi"}, {"name": "From", "value": "Ada <a@x.example>"}, {"name": "X", "value": "y"}]);
        let expected = json!({
            "subject": "Hi", "from": "Ada <a@x.example>", "text": "Hé\nyou\n\n-- list footer",
            "attachments": [{"attachment_id": "ANG", "filename": "a.pdf", "media_type": "application/pdf", "size": 7}],
        });
        assert_eq!(gmail_message(&payload), Ok(expected.clone()));
        assert_eq!(
            gmail_message(&json!({"id": "1", "payload": payload})),
            Ok(expected)
        );
    }

    #[test]
    fn html_is_read_where_there_is_no_plain_text() {
        let text = |payload: Value| gmail_message(&payload).unwrap()["text"].clone();
        assert_eq!(
            text(part("text/html", "utf-8", b"<h1>A</h1><p>b")),
            json!("A\n\nb")
        );
        let empty = part("text/plain", "utf-8", b" \r\n ");
        assert_eq!(
            text(multipart(
                "alternative",
                &[empty, part("text/html", "utf-8", b"<p>b")]
            )),
            json!("b")
        );
    }

    #[test]
    fn bytes_are_read_in_their_encoding() {
        let text = |charset: &str, bytes: &[u8]| {
            gmail_message(&part("text/plain", charset, bytes)).unwrap()["text"].clone()
        };
        assert_eq!(text("iso-8859-1", b"caf\xe9"), json!("café"));
        assert_eq!(text("iso-8859-1", "café".as_bytes()), json!("café"));
        assert_eq!(text("\"iso-2022-jp\"", b"\x1b$B$3\x1b(B"), json!("こ"));
        assert_eq!(text("koi8-r", b"\xf0\xd2"), json!("Пр"));
        assert_eq!(text("unheard-of", b"\x93a\x94"), json!("“a”"));
    }

    #[test]
    fn odd_and_hostile_trees_are_read_in_bounds() {
        assert!(gmail_message(&json!("x")).is_err());
        assert_eq!(
            gmail_message(&json!({"body": {"data": "!"}, "parts": 7, "headers": 7})),
            Ok(json!({}))
        );
        let mut deep = part("text/plain", "utf-8", b"deep");
        for _ in 0..300 {
            deep = multipart("mixed", &[deep]);
        }
        assert_eq!(gmail_message(&deep), Ok(json!({})));
        let wide = multipart("mixed", &vec![json!({"filename": "x"}); 10_000]);
        assert_eq!(
            gmail_message(&wide).unwrap()["attachments"]
                .as_array()
                .unwrap()
                .len(),
            MOST_PARTS - 1
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200), html in any::<bool>(), charset in "[a-z0-9-]{0,12}") {
            let kind = if html { "text/html" } else { "text/plain" };
            prop_assert!(gmail_message(&part(kind, &charset, &bytes)).is_ok());
        }
    }
}
