//! The body of a request, by its encoding.
//!
//! Owns what the bytes are and which media type names them. Architecture invariant: no argument changes the encoding, adds
//! a part or ends one early; a body is never larger than [`LARGEST_BODY`].

mod boundary;
mod content;
pub(super) mod file_name;
mod header_json;
pub(super) mod media_type;
mod multipart_form;
mod multipart_related;

#[cfg(test)]
mod tests;

use http::HeaderValue;
use serde_json::json;

pub(super) use content::Content;
pub(super) use header_json::HeaderJson;
pub(super) use multipart_form::MultipartForm;
pub(super) use multipart_related::MultipartRelated;

use super::RenderError;
use super::places::Places;
use super::query_template::QueryTemplate;
use super::value_template::{Quoted, ValueTemplate};

/// The largest body that is sent, in bytes: more than any message, and little enough to hold in memory while it is
/// encoded.
pub(super) const LARGEST_BODY: usize = 10 * 1024 * 1024;

/// The body of a request, by its encoding.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum RequestBody {
    /// `body`, and `graphql`: `application/json`.
    Json(ValueTemplate),
    /// `form`: `application/x-www-form-urlencoded`, written as a query is.
    Form(QueryTemplate),
    /// `raw`: text or bytes as they are.
    Raw(Content),
    /// `multipart_related`: a JSON description, then a file.
    MultipartRelated(MultipartRelated),
    /// `multipart_form`: files and fields.
    MultipartForm(MultipartForm),
    /// `null_body`: the JSON text `null`, for endpoints that want a body and no argument.
    Null,
}

impl RequestBody {
    /// The places that are named.
    pub(super) fn places(&self) -> Vec<&str> {
        match self {
            Self::Json(template) => template.places(),
            Self::Form(template) => template.places().collect(),
            Self::Raw(content) => content.places(),
            Self::MultipartRelated(parts) => parts.places(),
            Self::MultipartForm(parts) => parts.places(),
            Self::Null => Vec::new(),
        }
    }

    /// The places that go into text.
    pub(super) fn quoted(&self) -> Vec<Quoted<'_>> {
        match self {
            Self::Json(template) => template.quoted(),
            Self::Form(template) => template.quoted().collect(),
            Self::Raw(content) => content.quoted(),
            Self::MultipartRelated(parts) => parts.quoted(),
            Self::MultipartForm(parts) => parts.quoted(),
            Self::Null => Vec::new(),
        }
    }

    /// The media type and the bytes. `unique` is of this call alone; boundaries are made of it.
    pub(super) fn render(
        &self,
        places: &dyn Places,
        unique: &str,
    ) -> Result<(HeaderValue, Vec<u8>), RenderError> {
        let (media_type, body) = match self {
            Self::Json(template) => {
                let body = template.render(places)?.unwrap_or_else(|| json!({}));
                (json_type(), body.to_string().into_bytes())
            }
            Self::Form(template) => {
                let media_type = HeaderValue::from_static("application/x-www-form-urlencoded");
                (media_type, template.render(places)?.into_bytes())
            }
            Self::Raw(content) => {
                let file = content.render(places)?;
                (media_type::header(&file.media_type)?, file.bytes)
            }
            Self::MultipartRelated(parts) => parts.render(places, unique)?,
            Self::MultipartForm(parts) => parts.render(places, unique)?,
            Self::Null => (json_type(), b"null".to_vec()),
        };
        if body.len() > LARGEST_BODY {
            return Err(RenderError::BodyTooLarge);
        }
        Ok((media_type, body))
    }
}

fn json_type() -> HeaderValue {
    HeaderValue::from_static("application/json")
}
