//! `multipart/form-data` (RFC 7578): files and fields.

use http::HeaderValue;
use serde::Deserialize;
use serde_json::Value;

use super::boundary::join;
use super::content::Content;
use super::file_name;
use crate::catalogue::RenderError;
use crate::catalogue::arguments::scalar_text;
use crate::catalogue::places::Places;
use crate::catalogue::value_template::{Quoted, ValueTemplate};

/// `multipart_form = [ .. ]`, in the order of the file: some providers want the fields before the file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Vec<PartKeys>")]
pub(in crate::catalogue) struct MultipartForm(Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
struct Part {
    /// Checked: visible ASCII without quotes.
    name: String,
    what: PartContent,
}

#[derive(Clone, Debug, PartialEq)]
enum PartContent {
    /// `{ name, filename, content, base64, media_type }`.
    File {
        filename: Option<ValueTemplate>,
        content: Box<Content>,
    },
    /// `{ name, value }`: a scalar as text, anything else as JSON; left out when it is absent.
    Field(ValueTemplate),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PartKeys {
    name: String,
    filename: Option<Value>,
    content: Option<Value>,
    base64: Option<Value>,
    media_type: Option<Value>,
    value: Option<ValueTemplate>,
}

impl TryFrom<Vec<PartKeys>> for MultipartForm {
    type Error = String;

    fn try_from(parts: Vec<PartKeys>) -> Result<Self, String> {
        if parts.is_empty() {
            return Err("`multipart_form` has no part".to_owned());
        }
        parts
            .into_iter()
            .map(Part::try_from)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl TryFrom<PartKeys> for Part {
    type Error = String;

    fn try_from(keys: PartKeys) -> Result<Self, String> {
        let name = keys.name;
        let is_name = |c: char| c.is_ascii_graphic() && !"\"\\%".contains(c);
        if name.is_empty() || !name.chars().all(is_name) {
            return Err(format!(
                "`{}` is no name of a part: use visible ASCII without quotes",
                name.escape_default()
            ));
        }
        let in_part = |error: String| format!("in the part `{name}`: {error}");
        let what = match keys.value {
            Some(value) => {
                let others = [
                    &keys.filename,
                    &keys.content,
                    &keys.base64,
                    &keys.media_type,
                ];
                if others.into_iter().flatten().next().is_some() {
                    return Err(in_part("nothing can stand beside `value`".to_owned()));
                }
                PartContent::Field(value)
            }
            None => PartContent::File {
                filename: keys
                    .filename
                    .map(ValueTemplate::value)
                    .transpose()
                    .map_err(in_part)?,
                content: Content::new(keys.content, keys.base64, keys.media_type)
                    .map(Box::new)
                    .map_err(in_part)?,
            },
        };
        Ok(Self { name, what })
    }
}

impl Part {
    fn places(&self) -> Vec<&str> {
        match &self.what {
            PartContent::Field(value) => value.places(),
            PartContent::File { filename, content } => {
                let mut places = content.places();
                places.extend(filename.iter().flat_map(ValueTemplate::places));
                places
            }
        }
    }

    fn quoted(&self) -> Vec<Quoted<'_>> {
        match &self.what {
            PartContent::Field(value) => value.quoted(),
            PartContent::File { filename, content } => {
                let mut quoted = content.quoted();
                quoted.extend(filename.iter().flat_map(ValueTemplate::quoted));
                quoted
            }
        }
    }

    /// Headers and content; nothing when the value is absent.
    fn render(&self, places: &dyn Places) -> Result<Option<Vec<u8>>, RenderError> {
        let mut head = format!("Content-Disposition: form-data; name=\"{}\"", self.name);
        let content = match &self.what {
            PartContent::Field(value) => match value.render(places)? {
                None => return Ok(None),
                Some(value) => {
                    if let Some(text) = scalar_text(&value) {
                        text.into_owned().into_bytes()
                    } else {
                        head.push_str("\r\nContent-Type: application/json");
                        value.to_string().into_bytes()
                    }
                }
            },
            PartContent::File { filename, content } => {
                let file = content.render(places)?;
                if let Some(template) = filename
                    && let Some(name) = template.render_text(places)?
                {
                    let name =
                        file_name::quoted(&name).map_err(|reason| template.refused(reason))?;
                    head.push_str("; filename=\"");
                    head.push_str(&name);
                    head.push('"');
                }
                head.push_str("\r\nContent-Type: ");
                head.push_str(&file.media_type);
                file.bytes
            }
        };
        head.push_str("\r\n\r\n");
        let mut part = head.into_bytes();
        part.extend_from_slice(&content);
        Ok(Some(part))
    }
}

impl MultipartForm {
    /// The places that are named.
    pub(super) fn places(&self) -> Vec<&str> {
        self.0.iter().flat_map(Part::places).collect()
    }

    /// The places that go into text.
    pub(super) fn quoted(&self) -> Vec<Quoted<'_>> {
        self.0.iter().flat_map(Part::quoted).collect()
    }

    /// The parts whose values are there.
    pub(super) fn render(
        &self,
        places: &dyn Places,
        unique: &str,
    ) -> Result<(HeaderValue, Vec<u8>), RenderError> {
        let mut parts = Vec::with_capacity(self.0.len());
        for part in &self.0 {
            parts.extend(part.render(places)?);
        }
        join("form-data", unique, &parts)
    }
}
