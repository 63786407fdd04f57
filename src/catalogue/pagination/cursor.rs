//! The place of a page, and the opaque text in which an agent carries it.
//!
//! The text is base64url of four bytes that belong to the tool and to how it pages, and of the place. The four bytes are
//! there to tell an honest mistake (the cursor of another tool, or of an older file) and no secret: whoever makes a
//! cursor up gets a value into a template that could hold any value anyway, or into one of the named parameters.

use data_encoding::BASE64URL_NOPAD;
use http::{Request, Uri};
use serde_json::{Number, Value};
use sha2::{Digest, Sha256};
use url::form_urlencoded;

use super::{Kind, link};
use crate::catalogue::RenderError;

/// The longest place that is carried, in bytes. Those of large APIs have up to two thousand.
const LONGEST: usize = 4096;
const TAG_BYTES: usize = 4;
/// No list of any provider is longer, and every number below it is exact in JSON.
const LARGEST_NUMBER: u64 = 1 << 53;

/// The place of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::catalogue) enum Cursor {
    /// What the provider said, as a text.
    Text(String),
    /// A page, an offset, or a numeric id.
    Number(u64),
    /// Parameters of a query.
    Parameters(Vec<(String, String)>),
}

impl Cursor {
    /// What a provider says; nothing for an empty text and for what is neither text nor a whole number.
    pub(super) fn of_value(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) if !text.is_empty() => Some(Self::Text(text.clone())),
            Value::Number(number) => number.as_u64().map(Self::Number),
            _ => None,
        }
    }

    /// Parameters of a link; nothing when there is none.
    pub(super) fn of_parameters(parameters: Vec<(String, String)>) -> Option<Self> {
        (!parameters.is_empty()).then_some(Self::Parameters(parameters))
    }

    /// The number of a page or an offset.
    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// Puts the place of the next page into a rendered request, where no template does.
    ///
    /// # Errors
    /// When the address becomes too long.
    pub(in crate::catalogue) fn turn(
        &self,
        request: &mut Request<Vec<u8>>,
    ) -> Result<(), RenderError> {
        let Self::Parameters(pairs) = self else {
            return Ok(());
        };
        let query = link::replaced(request.uri().query().unwrap_or_default(), pairs);
        let mut parts = request.uri().clone().into_parts();
        let target = format!("{}?{query}", request.uri().path());
        parts.path_and_query = Some(target.parse().map_err(|_| RenderError::TooLong)?);
        *request.uri_mut() = Uri::from_parts(parts).map_err(|_| RenderError::TooLong)?;
        Ok(())
    }

    /// What `$cursor` stands for in the templates.
    pub(in crate::catalogue) fn place(&self) -> Option<Value> {
        match self {
            Self::Text(text) => Some(Value::from(text.as_str())),
            Self::Number(number) => Some(Value::Number(Number::from(*number))),
            Self::Parameters(_) => None,
        }
    }

    /// The text that an agent is given. Nothing when a provider's place is longer than is ever meant.
    pub(super) fn seal(&self, tool: &str, kind: &Kind) -> Option<String> {
        let mut bytes = tag(tool, kind).to_vec();
        match self {
            Self::Text(text) => {
                bytes.push(b't');
                bytes.extend(text.bytes());
            }
            Self::Number(number) => {
                bytes.push(b'n');
                bytes.extend(number.to_string().bytes());
            }
            Self::Parameters(parameters) => {
                bytes.push(b'p');
                let encoded = form_urlencoded::Serializer::new(String::new())
                    .extend_pairs(parameters)
                    .finish();
                bytes.extend(encoded.bytes());
            }
        }
        let fits = bytes.len() <= LONGEST && self.number().is_none_or(|n| n <= LARGEST_NUMBER);
        fits.then(|| BASE64URL_NOPAD.encode(&bytes))
    }

    /// The place that `text` carries; nothing when it is none of this tool.
    pub(super) fn open(tool: &str, kind: &Kind, text: &str) -> Option<Self> {
        if text.len() > LONGEST * 4 / 3 + 4 {
            return None;
        }
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let (given, rest) = bytes.split_at_checked(TAG_BYTES)?;
        if given != tag(tool, kind) {
            return None;
        }
        let (form, place) = rest.split_first()?;
        let place = std::str::from_utf8(place)
            .ok()
            .filter(|place| !place.is_empty())?;
        let cursor = match form {
            b't' => Self::Text(place.to_owned()),
            b'n' => Self::Number(place.parse().ok().filter(|n| *n <= LARGEST_NUMBER)?),
            b'p' => Self::Parameters(
                form_urlencoded::parse(place.as_bytes())
                    .into_owned()
                    .collect(),
            ),
            _ => return None,
        };
        cursor.is_of(kind).then_some(cursor)
    }

    /// Whether this way of paging has such places.
    fn is_of(&self, kind: &Kind) -> bool {
        match (kind, self) {
            (Kind::Next { .. } | Kind::LastId { .. }, Self::Text(_) | Self::Number(_))
            | (Kind::Offset { .. }, Self::Number(_)) => true,
            (Kind::Page { first, .. }, Self::Number(page)) => page >= first,
            (Kind::NextLink { params, .. }, Self::Parameters(pairs)) => {
                pairs.iter().all(|(name, _)| params.contains(name))
            }
            _ => false,
        }
    }
}

/// What tells the cursors of tools, and of ways to page, from each other.
fn tag(tool: &str, kind: &Kind) -> [u8; TAG_BYTES] {
    let shape = match kind {
        Kind::Next { .. } => "next",
        Kind::NextLink { .. } => "next_link",
        Kind::Page { .. } => "page",
        Kind::Offset { .. } => "offset",
        Kind::LastId { .. } => "last_id",
    };
    let digest = Sha256::digest(format!("{tool}\0{shape}"));
    let mut tag = [0; TAG_BYTES];
    tag.copy_from_slice(&digest[..TAG_BYTES]);
    tag
}
