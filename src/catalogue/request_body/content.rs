//! One file: `content` (text) or `base64` (bytes), and a media type.

use serde::Deserialize;
use serde_json::Value;

use super::{LARGEST_BODY, media_type};
use crate::catalogue::RenderError;
use crate::catalogue::base64_bytes::base64_bytes;
use crate::catalogue::places::Places;
use crate::catalogue::value_template::{Quoted, ValueTemplate};

/// `{ content, base64, media_type }`. At least one of `content` and `base64`; exactly one of them is given in a call.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "ContentKeys")]
#[expect(
    clippy::struct_field_names,
    reason = "the names are the keys of the file"
)]
pub(in crate::catalogue) struct Content {
    content: Option<ValueTemplate>,
    base64: Option<ValueTemplate>,
    media_type: Option<ValueTemplate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContentKeys {
    content: Option<Value>,
    base64: Option<Value>,
    media_type: Option<Value>,
}

impl TryFrom<ContentKeys> for Content {
    type Error = String;

    fn try_from(keys: ContentKeys) -> Result<Self, String> {
        Self::new(keys.content, keys.base64, keys.media_type)
    }
}

/// A file, ready to be sent.
pub(super) struct File {
    pub(super) bytes: Vec<u8>,
    /// Checked.
    pub(super) media_type: String,
}

impl Content {
    /// Takes the keys of a file, which other tables have among theirs.
    pub(super) fn new(
        content: Option<Value>,
        base64: Option<Value>,
        media_type: Option<Value>,
    ) -> Result<Self, String> {
        let value = |value: Option<Value>| value.map(ValueTemplate::value).transpose();
        let parsed = Self {
            content: value(content)?,
            base64: value(base64)?,
            media_type: value(media_type)?,
        };
        if parsed.content.is_none() && parsed.base64.is_none() {
            return Err(
                "what is sent is missing: add `content = \"$text\"` or `base64 = \"$data\"`"
                    .to_owned(),
            );
        }
        if let Some(ValueTemplate::Constant(constant)) = &parsed.media_type {
            let text = constant.as_str().unwrap_or_default();
            media_type::check(text).map_err(|reason| format!("`{text}` {reason}"))?;
        }
        Ok(parsed)
    }

    fn templates(&self) -> impl Iterator<Item = &ValueTemplate> {
        [&self.content, &self.base64, &self.media_type]
            .into_iter()
            .flatten()
    }

    /// The places that are named.
    pub(super) fn places(&self) -> Vec<&str> {
        self.templates().flat_map(ValueTemplate::places).collect()
    }

    /// The places that go into text.
    pub(super) fn quoted(&self) -> Vec<Quoted<'_>> {
        self.templates().flat_map(ValueTemplate::quoted).collect()
    }

    /// The file.
    pub(super) fn render(&self, places: &dyn Places) -> Result<File, RenderError> {
        let text = |template: &Option<ValueTemplate>| {
            template
                .as_ref()
                .map_or(Ok(None), |template| template.render_text(places))
        };
        let (bytes, usual_type) = match (text(&self.content)?, text(&self.base64)?, &self.base64) {
            (Some(text), None, _) => (text.into_bytes(), "text/plain; charset=utf-8"),
            (None, Some(encoded), Some(template)) => {
                (decode(&encoded, template)?, "application/octet-stream")
            }
            _ => return Err(self.one_of()),
        };
        if bytes.len() > LARGEST_BODY {
            return Err(RenderError::BodyTooLarge);
        }
        let media_type = match (&self.media_type, text(&self.media_type)?) {
            (Some(template), Some(text)) => {
                media_type::check(&text).map_err(|reason| template.refused(reason))?;
                text
            }
            _ => usual_type.to_owned(),
        };
        Ok(File { bytes, media_type })
    }

    fn one_of(&self) -> RenderError {
        let names = [&self.content, &self.base64].into_iter().flatten();
        RenderError::OneOf {
            arguments: names
                .flat_map(ValueTemplate::places)
                .map(str::to_owned)
                .collect(),
        }
    }
}

/// The bytes of base64 text, line breaks and all. The size is judged before anything is decoded.
fn decode(encoded: &str, template: &ValueTemplate) -> Result<Vec<u8>, RenderError> {
    if encoded.len() / 2 > LARGEST_BODY {
        return Err(RenderError::BodyTooLarge);
    }
    base64_bytes(encoded).ok_or_else(|| template.refused("is not base64 (RFC 4648)"))
}
