//! The headers of a request: constants, and values of a call.
//!
//! Architecture invariant: an argument never names a header, and its value is one line of visible ASCII, so that no call
//! adds a header that its file does not promise (RFC 9110 section 5.5).

use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::RenderError;
use super::arguments::scalar_text;
use super::constant_headers::{ConstantHeaders, header_name};
use super::places::Places;
use super::value_template::{Quoted, ValueTemplate};

/// Longer values are refused by servers that give all headers 8 KiB.
const LONGEST: usize = 2048;

/// Headers as the file writes them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub(super) struct HeaderTemplates {
    constant: ConstantHeaders,
    values: Vec<(HeaderName, ValueTemplate)>,
}

impl TryFrom<Map<String, Value>> for HeaderTemplates {
    type Error = String;

    fn try_from(headers: Map<String, Value>) -> Result<Self, String> {
        let mut constant = Vec::new();
        let mut values = Vec::new();
        for (name, value) in headers {
            let parsed = ValueTemplate::value(value)
                .map_err(|error| format!("the header `{}`: {error}", name.escape_default()))?;
            match parsed {
                ValueTemplate::Constant(value) => {
                    let text = scalar_text(&value).map(std::borrow::Cow::into_owned);
                    constant.push((name, text.unwrap_or_default()));
                }
                template => {
                    let parsed = header_name(&name)?;
                    if parsed == header::CONTENT_TYPE {
                        return Err(
                            "the header `Content-Type` is constant: write `media_type` in the body instead"
                                .to_owned(),
                        );
                    }
                    values.push((parsed, template));
                }
            }
        }
        Ok(Self {
            constant: constant
                .into_iter()
                .collect::<std::collections::BTreeMap<_, _>>()
                .try_into()?,
            values,
        })
    }
}

impl HeaderTemplates {
    /// The places that are named.
    pub(super) fn places(&self) -> impl Iterator<Item = &str> {
        self.values.iter().flat_map(|(_, value)| value.places())
    }

    /// The places that go into text.
    pub(super) fn quoted(&self) -> impl Iterator<Item = Quoted<'_>> {
        self.values.iter().flat_map(|(_, value)| value.quoted())
    }

    /// The headers. One whose argument is absent is left out.
    pub(super) fn render(&self, places: &dyn Places) -> Result<HeaderMap, RenderError> {
        let mut headers = self.constant.map().clone();
        for (name, template) in &self.values {
            if let Some(text) = template.render_text(places)? {
                headers.insert(name.clone(), value(&text, template)?);
            }
        }
        Ok(headers)
    }
}

fn value(text: &str, template: &ValueTemplate) -> Result<HeaderValue, RenderError> {
    if text.len() > LONGEST {
        return Err(template.refused("is too long for a header (2048 characters)"));
    }
    let is_visible = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    if !text.bytes().all(is_visible) || text.trim() != text {
        return Err(template.refused(
            "goes into a header: it may have visible ASCII characters only, without line breaks or spaces around them",
        ));
    }
    HeaderValue::try_from(text).map_err(|_| template.refused("cannot be sent in a header"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::catalogue::arguments::Arguments;
    use crate::catalogue::inputs::Inputs;

    fn parse(headers: &Value) -> Result<HeaderTemplates, String> {
        HeaderTemplates::try_from(headers.as_object().unwrap().clone())
    }

    fn render(headers: &Value, given: &Value) -> Result<HeaderMap, RenderError> {
        let inputs = json!({"id": {"required": false}, "fields": {"required": false}});
        let inputs = Inputs::try_from(inputs.as_object().unwrap().clone()).unwrap();
        parse(headers).unwrap().render(&Arguments {
            given: given.as_object().unwrap(),
            inputs: &inputs,
        })
    }

    #[test]
    fn headers_have_constants_values_and_operators() {
        let headers =
            json!({"X-Version": 3, "X-Id": "$id", "X-Fields": {"csv": "$fields"}, "Accept": "a/b"});
        let rendered = render(&headers, &json!({"id": 7, "fields": ["a", "b"]})).unwrap();
        let shown: Vec<_> = ["x-version", "x-id", "x-fields", "accept"]
            .map(|name| rendered[name].to_str().unwrap())
            .into();
        assert_eq!(shown, ["3", "7", "a,b", "a/b"]);
        assert_eq!(render(&headers, &json!({})).unwrap().len(), 2);
    }

    #[test]
    fn smuggled_lines_are_refused_by_the_name_of_the_argument() {
        for hostile in [
            "a\r\nX-B: c",
            "a\nb",
            "a\0",
            "é",
            "\t",
            " a",
            "a ",
            "\u{7f}",
        ] {
            let refused = render(&json!({"X-Id": "$id"}), &json!({"id": hostile})).unwrap_err();
            assert!(
                matches!(&refused, RenderError::Refused { argument, .. } if argument == "id"),
                "{hostile:?} {refused}"
            );
        }
        assert!(
            render(
                &json!({"X-Id": "$id"}),
                &json!({"id": "x".repeat(LONGEST + 1)})
            )
            .is_err()
        );
        assert!(render(&json!({"X-Id": "$id"}), &json!({"id": ["a"]})).is_err());
    }

    #[test]
    fn headers_of_others_are_refused_while_reading() {
        for bad in [
            json!({"Authorization": "$id"}),
            json!({"host": "$id"}),
            json!({"Content-Type": "$id"}),
            json!({"X A": "$id"}),
            json!({"X-A": ["$id"]}),
            json!({"X-A": {"repeat": "$id"}}),
            json!({"X-A": "a\nb"}),
        ] {
            assert!(parse(&bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_value_is_one_header_or_none(value in "(?s).{0,60}") {
            match render(&json!({"X-Id": "$id"}), &json!({"id": value})) {
                Ok(headers) => {
                    prop_assert_eq!(headers.len(), 1);
                    prop_assert_eq!(headers["x-id"].as_bytes(), value.as_bytes());
                }
                Err(error) => {
                    let is_refused = matches!(error, RenderError::Refused { .. });
                    prop_assert!(is_refused);
                }
            }
        }
    }
}
