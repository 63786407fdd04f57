//! Named transforms: small pure functions that a provider file refers to by name. A file itself never carries code.

use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::Value;

/// A named transform of one value of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Transform {
    /// Text that was sent in base64, line breaks and all (RFC 4648 section 4; RFC 2045 allows the breaks).
    Base64DecodeText,
    /// A text as it is, unless it is empty: some providers say "no next page" with an empty cursor.
    NonEmptyText,
}

impl Transform {
    /// The new value; nothing when the old one is not what the transform is for, so that the field is left out.
    pub(super) fn apply(self, value: &Value) -> Option<Value> {
        match self {
            Self::Base64DecodeText => base64_decode_text(value.as_str()?).map(Value::String),
            Self::NonEmptyText => value
                .as_str()
                .filter(|text| !text.is_empty())
                .map(Value::from),
        }
    }
}

/// Nothing for an empty text (some providers send one in place of a content that is too large), for bytes that are not
/// UTF-8, and for text with NUL in it: such a file is not meant to be read.
fn base64_decode_text(encoded: &str) -> Option<String> {
    let compact: Vec<u8> = encoded
        .bytes()
        .filter(|b| !b.is_ascii_whitespace())
        .collect();
    let text = String::from_utf8(BASE64.decode(&compact).ok()?).ok()?;
    (!text.is_empty() && !text.contains('\0')).then_some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_text_is_left_out() {
        let non_empty = |value: Value| Transform::NonEmptyText.apply(&value);
        assert_eq!(non_empty(json!("dXNlcjo=")), Some(json!("dXNlcjo=")));
        assert_eq!(non_empty(json!("")), None);
        assert_eq!(non_empty(json!(7)), None);
    }

    #[test]
    fn base64_text_is_decoded_and_anything_else_left_out() {
        let decode = |value: Value| Transform::Base64DecodeText.apply(&value);
        assert_eq!(decode(json!("aGVs\nbG8=\n")), Some(json!("hello")));
        assert_eq!(decode(json!("")), None);
        assert_eq!(decode(json!("//8=")), None);
        assert_eq!(decode(json!("AGE=")), None);
        assert_eq!(decode(json!("not base64!")), None);
        assert_eq!(decode(json!(7)), None);
    }
}
