//! From one page to the next: what a reply says about what follows it.

use http::HeaderMap;
use serde_json::Value;

use super::cursor::Cursor;
use super::{Kind, LinkPlace, OffsetEnd, PageEnd, link};
use crate::catalogue::field_path::FieldPath;
use crate::catalogue::places::Places;

impl Kind {
    /// The place of the page after this one; nothing when it is the last.
    pub(super) fn next(
        &self,
        sent: Option<&Cursor>,
        headers: &HeaderMap,
        body: &Value,
        places: &dyn Places,
    ) -> Option<Cursor> {
        match self {
            Self::Next { next, more } => {
                if more.as_ref().is_some_and(|more| !is_true(more, body)) {
                    return None;
                }
                Cursor::of_value(next.find(body)?)
            }
            Self::NextLink { link, params } => {
                let link = match link {
                    LinkPlace::Body(path) => path.find(body)?.as_str()?.to_owned(),
                    LinkPlace::Header(name) => link::next_of_header(headers, name)?,
                };
                Cursor::of_parameters(link::parameters(&link, params))
            }
            Self::Page { first, end } => {
                let page = sent.and_then(Cursor::number).unwrap_or(*first);
                end.next(page, headers, body, places).map(Cursor::Number)
            }
            Self::Offset { items, end } => {
                let offset = sent.and_then(Cursor::number).unwrap_or(0);
                let count = count(items, body).filter(|count| *count > 0)?;
                let next = offset.checked_add(count)?;
                end.is_before(next, count, body, places)
                    .then_some(Cursor::Number(next))
            }
            Self::LastId { items, id, more } => {
                if more.as_ref().is_some_and(|more| !is_true(more, body)) {
                    return None;
                }
                let last = items.find(body)?.as_array()?.last()?;
                Cursor::of_value(id.find(last)?)
            }
        }
    }
}

impl PageEnd {
    fn next(
        &self,
        page: u64,
        headers: &HeaderMap,
        body: &Value,
        places: &dyn Places,
    ) -> Option<u64> {
        let is_more = match self {
            Self::Items { items, size } => {
                let least = size
                    .as_ref()
                    .and_then(|size| places.find(size)?.as_u64())
                    .map_or(1, |size| size.max(1));
                count(items, body)? >= least
            }
            Self::More(more) => is_true(more, body),
            Self::Header(name) => {
                let text = headers.get(name)?.to_str().ok()?;
                return text.trim().parse().ok().filter(|next| *next > page);
            }
        };
        is_more.then(|| page.checked_add(1))?
    }
}

impl OffsetEnd {
    /// Whether there is something at `next`.
    fn is_before(&self, next: u64, count: u64, body: &Value, places: &dyn Places) -> bool {
        match self {
            Self::Total(total) => total
                .find(body)
                .and_then(whole_number)
                .is_some_and(|total| next < total),
            Self::Last(last) => last.find(body).and_then(Value::as_bool) == Some(false),
            Self::Size(size) => places
                .find(size)
                .and_then(Value::as_u64)
                .is_none_or(|size| count >= size),
        }
    }
}

fn is_true(path: &FieldPath, body: &Value) -> bool {
    match path.find(body) {
        Some(Value::Bool(more)) => *more,
        Some(Value::String(more)) => more == "true",
        _ => false,
    }
}

fn count(items: &FieldPath, body: &Value) -> Option<u64> {
    u64::try_from(items.find(body)?.as_array()?.len()).ok()
}

/// A number, also one that came as text.
fn whole_number(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    }
}
