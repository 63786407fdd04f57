//! `multipart/related` (RFC 2387): what a file is, as JSON, then the file.

use http::HeaderValue;
use serde::Deserialize;
use serde_json::{Value, json};

use super::boundary::join;
use super::content::Content;
use crate::catalogue::RenderError;
use crate::catalogue::places::Places;
use crate::catalogue::value_template::{Quoted, ValueTemplate};

/// `multipart_related = { metadata, content, base64, media_type }`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "MultipartRelatedKeys")]
pub(in crate::catalogue) struct MultipartRelated {
    metadata: ValueTemplate,
    content: Content,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MultipartRelatedKeys {
    metadata: ValueTemplate,
    content: Option<Value>,
    base64: Option<Value>,
    media_type: Option<Value>,
}

impl TryFrom<MultipartRelatedKeys> for MultipartRelated {
    type Error = String;

    fn try_from(keys: MultipartRelatedKeys) -> Result<Self, String> {
        Ok(Self {
            metadata: keys.metadata,
            content: Content::new(keys.content, keys.base64, keys.media_type)?,
        })
    }
}

impl MultipartRelated {
    /// The places that are named.
    pub(super) fn places(&self) -> Vec<&str> {
        let mut places = self.metadata.places();
        places.extend(self.content.places());
        places
    }

    /// The places that go into text.
    pub(super) fn quoted(&self) -> Vec<Quoted<'_>> {
        let mut quoted = self.metadata.quoted();
        quoted.extend(self.content.quoted());
        quoted
    }

    /// The two parts. The `type` parameter of RFC 2387 section 3.1 is left out, as the documented requests of providers
    /// leave it out: the first part says it.
    pub(super) fn render(
        &self,
        places: &dyn Places,
        unique: &str,
    ) -> Result<(HeaderValue, Vec<u8>), RenderError> {
        let metadata = self.metadata.render(places)?.unwrap_or_else(|| json!({}));
        let file = self.content.render(places)?;
        let description =
            format!("Content-Type: application/json; charset=UTF-8\r\n\r\n{metadata}");
        let mut content = format!("Content-Type: {}\r\n\r\n", file.media_type).into_bytes();
        content.extend_from_slice(&file.bytes);
        join("related", unique, &[description.into_bytes(), content])
    }
}
