//! A JSON value in a header, for endpoints whose body is a file.

use std::fmt::Write as _;

use http::{HeaderName, HeaderValue};
use serde::Deserialize;

use crate::catalogue::RenderError;
use crate::catalogue::constant_headers::header_name;
use crate::catalogue::places::Places;
use crate::catalogue::value_template::{Quoted, ValueTemplate};

/// Longer ones are refused by servers that give all headers 8 or 16 KiB.
const LONGEST: usize = 8 * 1024;

/// `header_json = { name, value }`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "HeaderJsonKeys")]
pub(in crate::catalogue) struct HeaderJson {
    name: HeaderName,
    value: ValueTemplate,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderJsonKeys {
    name: String,
    value: ValueTemplate,
}

impl TryFrom<HeaderJsonKeys> for HeaderJson {
    type Error = String;

    fn try_from(keys: HeaderJsonKeys) -> Result<Self, String> {
        Ok(Self {
            name: header_name(&keys.name)?,
            value: keys.value,
        })
    }
}

impl HeaderJson {
    /// The places that are named.
    pub(in crate::catalogue) fn places(&self) -> Vec<&str> {
        self.value.places()
    }

    /// The places that go into text.
    pub(in crate::catalogue) fn quoted(&self) -> Vec<Quoted<'_>> {
        self.value.quoted()
    }

    /// The header; nothing when all of its value is absent.
    pub(in crate::catalogue) fn render(
        &self,
        places: &dyn Places,
    ) -> Result<Option<(HeaderName, HeaderValue)>, RenderError> {
        let Some(value) = self.value.render(places)? else {
            return Ok(None);
        };
        let text = ascii(&value.to_string());
        if text.len() > LONGEST {
            return Err(self.value.refused("is too long for a header"));
        }
        let header = HeaderValue::try_from(text)
            .map_err(|_| self.value.refused("cannot be sent in a header"))?;
        Ok(Some((self.name.clone(), header)))
    }
}

/// JSON with every character that is no visible ASCII written as `\uXXXX` (RFC 8259 section 7). Such characters stand
/// only inside of texts, where the escape means the same.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if character == ' ' || character.is_ascii_graphic() {
            text.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\u{unit:04x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::catalogue::places::WithItem;
    use crate::catalogue::request_body::tests::NoPlaces;

    fn render(item: &Value) -> Result<Option<(HeaderName, HeaderValue)>, RenderError> {
        let header: HeaderJson = serde_json::from_value(
            json!({"name": "Dropbox-API-Arg", "value": {"path": "$item", "mode": "add"}}),
        )
        .unwrap();
        let outside = &NoPlaces;
        header.render(&WithItem { outside, item })
    }

    #[test]
    fn other_letters_are_escaped_and_long_values_refused() {
        let (name, value) = render(&json!("/é\u{7f}😀\r\nX: y")).unwrap().unwrap();
        assert_eq!(name, "dropbox-api-arg");
        assert_eq!(
            value,
            "{\"path\":\"/\\u00e9\\u007f\\ud83d\\ude00\\r\\nX: y\",\"mode\":\"add\"}"
        );
        assert!(render(&json!("x".repeat(LONGEST))).is_err());
    }

    #[test]
    fn headers_of_others_are_refused() {
        for name in ["Authorization", "content-length", "X A", ""] {
            let parsed: Result<HeaderJson, _> =
                serde_json::from_value(json!({"name": name, "value": {"a": 1}}));
            assert!(parsed.is_err(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_header_reads_back_as_the_value(text in "(?s).{0,200}") {
            let (_, header) = render(&json!(text)).unwrap().unwrap();
            let read: Value = serde_json::from_slice(header.as_bytes()).unwrap();
            prop_assert_eq!(&read["path"], &json!(text));
        }
    }
}
