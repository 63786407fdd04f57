//! A reply that is text, and not JSON: a diff, a log, a file.
//!
//! Bytes that are no text are never passed on as if they were: a model cannot tell what the replacement characters hide.

use encoding_rs::Encoding;
use http::{HeaderMap, header};
use serde::Deserialize;
use serde_json::json;

use super::{TooLong, ToolOutput};

/// Which end of a long text is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::catalogue) enum Keep {
    /// The beginning.
    #[default]
    Head,
    /// The end: in a log it says how things went.
    Tail,
}

/// What becomes of bytes that are no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::catalogue) enum Binary {
    /// `{ media_type, base64 }`.
    Base64,
}

/// How a text is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawText {
    pub(super) keep: Keep,
    pub(super) max_chars: usize,
    pub(super) binary: Option<Binary>,
}

impl RawText {
    /// The output, at most `max_bytes` long; why there is none otherwise.
    pub(super) fn read(
        self,
        headers: &HeaderMap,
        body: &[u8],
        max_bytes: usize,
    ) -> Result<ToolOutput, String> {
        let media_type = media_type(headers);
        if let Some(text) = decode(body, media_type) {
            return Ok(ToolOutput::text(self.cut(text, max_bytes)));
        }
        let Some(Binary::Base64) = self.binary else {
            let named = media_type.map_or(String::new(), |name| {
                format!(" ({})", crate::catalogue::plain_text::plain_text(name, 80))
            });
            return Err(format!(
                "the content is no text{named}, {} bytes: it cannot be read with this tool",
                body.len()
            ));
        };
        // Four characters for three bytes, and the frame around them.
        let encoded = body.len().div_ceil(3) * 4;
        if encoded + 200 > max_bytes {
            return Err(TooLong { max_bytes }.of_content(body.len()));
        }
        let media_type = media_type.unwrap_or("application/octet-stream");
        let media_type = crate::catalogue::plain_text::plain_text(media_type, 100);
        Ok(ToolOutput::structured(json!({
            "media_type": media_type,
            "base64": data_encoding::BASE64.encode(body),
        })))
    }

    fn cut(self, text: String, max_bytes: usize) -> String {
        let characters = text.chars().count();
        if characters <= self.max_chars && text.len() <= max_bytes {
            return text;
        }
        let room = max_bytes.saturating_sub(NOTE_BYTES);
        let kept = match self.keep {
            Keep::Head => head(&text, self.max_chars, room),
            Keep::Tail => tail(&text, self.max_chars, room),
        };
        let left_out = characters - kept.chars().count();
        match self.keep {
            Keep::Head => format!("{kept}\n[the last {left_out} characters were left out]"),
            Keep::Tail => format!("[the first {left_out} characters were left out]\n{kept}"),
        }
    }
}

/// More than the sentence about what was left out ever needs.
const NOTE_BYTES: usize = 80;

fn head(text: &str, max_chars: usize, max_bytes: usize) -> &str {
    let mut end = text
        .char_indices()
        .nth(max_chars)
        .map_or(text.len(), |(at, _)| at)
        .min(max_bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn tail(text: &str, max_chars: usize, max_bytes: usize) -> &str {
    let by_chars = match max_chars.checked_sub(1) {
        None => text.len(),
        Some(last) => text.char_indices().nth_back(last).map_or(0, |(at, _)| at),
    };
    let mut start = by_chars.max(text.len().saturating_sub(max_bytes));
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

fn media_type(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(header::CONTENT_TYPE)?
        .to_str()
        .ok()
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

/// UTF-8, or what the media type says it is; no text has NUL in it.
fn decode(body: &[u8], media_type: Option<&str>) -> Option<String> {
    if let Ok(text) = std::str::from_utf8(body) {
        return (!text.contains('\0')).then(|| text.to_owned());
    }
    let (text, _, had_errors) = charset(media_type?)?.decode(body);
    (!had_errors && !text.contains('\0')).then(|| text.into_owned())
}

/// The encoding that a media type names (RFC 2045 section 5.1), by the labels of the WHATWG Encoding Standard.
pub(in crate::catalogue) fn charset(media_type: &str) -> Option<&'static Encoding> {
    media_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        name.trim()
            .eq_ignore_ascii_case("charset")
            .then(|| Encoding::for_label(value.as_bytes()))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        text: RawText,
        media_type: &str,
        body: &[u8],
        max_bytes: usize,
    ) -> Result<ToolOutput, String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, media_type.parse().unwrap());
        text.read(&headers, body, max_bytes)
    }

    const WHOLE: RawText = RawText {
        keep: Keep::Head,
        max_chars: usize::MAX,
        binary: None,
    };

    #[test]
    fn bytes_that_are_no_text_are_refused_or_wrapped() {
        let refusal = read(WHOLE, "image/png", b"\x89PNG\xff", 1000).unwrap_err();
        assert!(
            refusal.contains("no text (image/png), 5 bytes"),
            "{refusal}"
        );
        assert!(read(WHOLE, "text/plain", b"a\0b", 1000).is_err());
        let wrapped = RawText {
            binary: Some(Binary::Base64),
            ..WHOLE
        };
        let output = read(wrapped, "image/png", b"\x89PNG\xff", 1000).unwrap();
        assert_eq!(
            output.structured,
            Some(json!({"media_type": "image/png", "base64": "iVBOR/8="}))
        );
        assert!(read(wrapped, "image/png", &[0xff; 1000], 1000).is_err());
        assert_eq!(read(wrapped, "text/plain", b"hi", 1000).unwrap().text, "hi");
    }

    #[test]
    fn a_text_in_another_encoding_is_read_by_its_label() {
        let text = |media_type: &str, body: &[u8]| read(WHOLE, media_type, body, 1000);
        assert_eq!(
            text("text/csv; charset=ISO-8859-1", b"caf\xe9")
                .unwrap()
                .text,
            "café"
        );
        assert_eq!(
            text("text/csv;charset=\"utf-8\"", "café".as_bytes())
                .unwrap()
                .text,
            "café"
        );
        assert!(text("text/csv", b"caf\xe9").is_err());
        assert!(text("text/csv; charset=utf-8", b"caf\xe9").is_err());
    }

    #[test]
    fn a_long_text_keeps_one_end_and_says_so() {
        let keep = |keep, max_chars| RawText {
            keep,
            max_chars,
            binary: None,
        };
        let text = |shape, max_bytes| {
            read(shape, "text/plain", "äöü123".as_bytes(), max_bytes)
                .unwrap()
                .text
        };
        assert_eq!(text(keep(Keep::Head, 6), 1000), "äöü123");
        assert_eq!(
            text(keep(Keep::Head, 2), 1000),
            "äö\n[the last 4 characters were left out]"
        );
        assert_eq!(
            text(keep(Keep::Tail, 2), 1000),
            "[the first 4 characters were left out]\n23"
        );
        assert_eq!(
            text(keep(Keep::Tail, 0), 1000),
            "[the first 6 characters were left out]\n"
        );
        let long = "ä".repeat(500);
        for end in [Keep::Head, Keep::Tail] {
            let text = read(keep(end, 9999), "text/plain", long.as_bytes(), 301)
                .unwrap()
                .text;
            assert!(
                text.len() <= 301 && text.contains("390 characters"),
                "{text}"
            );
        }
    }
}
