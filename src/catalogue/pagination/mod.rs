//! Pages of a list: one opaque `cursor` for every way in which providers page.
//!
//! Owns how a list goes on, what a cursor is to an agent (`cursor.rs`), and what is taken of a next link (`link.rs`).
//! Refuses to know the network. A cursor only ever becomes a value in a template or a named parameter of the query:
//! neither a forged cursor nor a hostile reply can change where a request goes.
//!
//! Architecture invariant: a list ends. A page that names itself as the next one is the last, and numbers only grow.

mod cursor;
mod link;
mod step;

use http::{HeaderMap, HeaderName};
use serde::Deserialize;
use serde_json::Value;

use super::ArgumentProblem;
use super::condition::parse_header_name;
use super::field_path::FieldPath;
use super::placeholder::is_name;
use super::places::Places;
use super::request::RequestTemplate;
use super::scope::CURSOR;
use super::wanted::Wanted;
pub(super) use cursor::Cursor;

/// How a list goes on.
#[derive(Clone, Debug)]
pub(super) struct Pagination {
    kind: Kind,
    /// The request of every page but the first, where that is another one.
    pub(super) going_on: Option<RequestTemplate>,
}

/// Where the next page is found.
#[derive(Clone, Debug)]
enum Kind {
    /// A text of the reply.
    Next {
        next: FieldPath,
        more: Option<FieldPath>,
    },
    /// Parameters of a link to the next page.
    NextLink {
        link: LinkPlace,
        params: Vec<String>,
    },
    /// The number of a page.
    Page { first: u64, end: PageEnd },
    /// How many items came before.
    Offset { items: FieldPath, end: OffsetEnd },
    /// The id of the last item.
    LastId {
        items: FieldPath,
        id: FieldPath,
        more: Option<FieldPath>,
    },
}

#[derive(Clone, Debug)]
enum LinkPlace {
    Body(FieldPath),
    Header(HeaderName),
}

#[derive(Clone, Debug)]
enum PageEnd {
    /// A page with fewer items than were asked for, or without any, is the last.
    Items {
        items: FieldPath,
        size: Option<String>,
    },
    /// The reply says whether there is more.
    More(FieldPath),
    /// A header has the number of the next page.
    Header(HeaderName),
}

#[derive(Clone, Debug)]
enum OffsetEnd {
    /// The reply says how many there are in all.
    Total(FieldPath),
    /// The reply says whether this page is the last.
    Last(FieldPath),
    /// A page with fewer items than were asked for is the last.
    Size(String),
}

/// The keys of `[tool.pagination]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PaginationKeys {
    next: Option<FieldPath>,
    more: Option<FieldPath>,
    next_link: Option<LinkKeys>,
    page: Option<PageKeys>,
    offset: Option<OffsetKeys>,
    last_id: Option<LastIdKeys>,
    #[serde(rename = "continue")]
    going_on: Option<super::file::ContinueFile>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkKeys {
    path: Option<FieldPath>,
    header: Option<String>,
    params: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PageKeys {
    #[serde(default = "one")]
    first: u64,
    items: Option<FieldPath>,
    size: Option<String>,
    more: Option<FieldPath>,
    header: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OffsetKeys {
    items: FieldPath,
    total: Option<FieldPath>,
    last: Option<FieldPath>,
    size: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LastIdKeys {
    items: FieldPath,
    id: FieldPath,
    more: Option<FieldPath>,
}

fn one() -> u64 {
    1
}

impl TryFrom<PaginationKeys> for Pagination {
    type Error = String;

    fn try_from(keys: PaginationKeys) -> Result<Self, String> {
        if keys.more.is_some() && keys.next.is_none() {
            return Err(
                "`pagination`: `more` belongs to `next`, or into the table of another kind"
                    .to_owned(),
            );
        }
        let mut kinds = [
            keys.next.map(|next| {
                Ok(Kind::Next {
                    next,
                    more: keys.more,
                })
            }),
            keys.next_link.map(LinkKeys::kind),
            keys.page.map(PageKeys::kind),
            keys.offset.map(OffsetKeys::kind),
            keys.last_id.map(|last_id| {
                Ok(Kind::LastId {
                    items: last_id.items,
                    id: last_id.id,
                    more: last_id.more,
                })
            }),
        ]
        .into_iter()
        .flatten();
        let (Some(kind), None) = (kinds.next(), kinds.next()) else {
            return Err(
                "`pagination` has exactly one of `next`, `next_link`, `page`, `offset` and `last_id`"
                    .to_owned(),
            );
        };
        let kind = kind.map_err(|problem| format!("`pagination`: {problem}"))?;
        if keys.going_on.is_some() && !matches!(kind, Kind::Next { .. }) {
            return Err("`pagination`: `continue` belongs to `next`".to_owned());
        }
        Ok(Self {
            kind,
            going_on: keys.going_on.map(|request| request.0),
        })
    }
}

impl LinkKeys {
    fn kind(self) -> Result<Kind, String> {
        let link = match (self.path, self.header) {
            (Some(path), None) => LinkPlace::Body(path),
            (None, Some(header)) => LinkPlace::Header(parse_header_name(&header)?),
            _ => return Err("`next_link` has a `path` or a `header`".to_owned()),
        };
        if self.params.is_empty() || self.params.iter().any(String::is_empty) {
            return Err(
                "`next_link` names no parameter in `params`: nothing would change".to_owned(),
            );
        }
        Ok(Kind::NextLink {
            link,
            params: self.params,
        })
    }
}

impl PageKeys {
    fn kind(self) -> Result<Kind, String> {
        let size = self.size.as_deref().map(argument).transpose()?;
        let end = match (self.items, self.more, self.header) {
            (Some(items), None, None) => PageEnd::Items { items, size },
            (None, Some(more), None) if size.is_none() => PageEnd::More(more),
            (None, None, Some(header)) if size.is_none() => {
                PageEnd::Header(parse_header_name(&header)?)
            }
            _ => {
                return Err(
                    "`page` has exactly one of `items` (with or without `size`), `more` and `header`"
                        .to_owned(),
                );
            }
        };
        Ok(Kind::Page {
            first: self.first,
            end,
        })
    }
}

impl OffsetKeys {
    fn kind(self) -> Result<Kind, String> {
        let end = match (self.total, self.last, self.size) {
            (Some(total), None, None) => OffsetEnd::Total(total),
            (None, Some(last), None) => OffsetEnd::Last(last),
            (None, None, Some(size)) => OffsetEnd::Size(argument(&size)?),
            _ => return Err("`offset` has exactly one of `total`, `last` and `size`".to_owned()),
        };
        Ok(Kind::Offset {
            items: self.items,
            end,
        })
    }
}

/// The name of `$name`.
fn argument(text: &str) -> Result<String, String> {
    text.strip_prefix('$')
        .filter(|name| is_name(name))
        .map(str::to_owned)
        .ok_or_else(|| format!("`size` is an argument, such as `$limit`, and not `{text}`"))
}

/// Which page of which list a reply is.
#[derive(Clone, Copy)]
pub(super) struct Page<'a> {
    /// The tool's name: a cursor is of one tool.
    pub(super) tool: &'a str,
    pub(super) pagination: &'a Pagination,
    /// The cursor that was sent; none on the first page.
    pub(super) sent: Option<&'a Cursor>,
}

impl Page<'_> {
    /// The cursor of the next page, for the agent; nothing when this is the last one. `body` is what the paths start at.
    pub(super) fn next(
        &self,
        headers: &HeaderMap,
        body: &Value,
        places: &dyn Places,
    ) -> Option<String> {
        let next = self
            .pagination
            .kind
            .next(self.sent, headers, body, places)?;
        if self.sent == Some(&next) {
            return None;
        }
        next.seal(self.tool, &self.pagination.kind)
    }
}

impl Pagination {
    /// Notes which parts of a reply lead to the next page.
    pub(super) fn want(&self, wanted: &mut Wanted) {
        match &self.kind {
            Kind::Next { next, more } => {
                wanted.at(next).want_whole();
                want_all(wanted, more.as_ref());
            }
            Kind::NextLink { link, .. } => {
                if let LinkPlace::Body(path) = link {
                    wanted.at(path).want_whole();
                }
            }
            Kind::Page { end, .. } => match end {
                PageEnd::Items { items, .. } => {
                    wanted.at(items).items();
                }
                PageEnd::More(more) => wanted.at(more).want_whole(),
                PageEnd::Header(_) => {}
            },
            Kind::Offset { items, end } => {
                wanted.at(items).items();
                if let OffsetEnd::Total(path) | OffsetEnd::Last(path) = end {
                    wanted.at(path).want_whole();
                }
            }
            Kind::LastId { items, id, more } => {
                wanted.at(items).items().at(id).want_whole();
                want_all(wanted, more.as_ref());
            }
        }
    }

    /// Whether templates have a place for the cursor: all kinds but the one that changes the query by itself.
    pub(super) fn has_a_place(&self) -> bool {
        !matches!(self.kind, Kind::NextLink { .. })
    }

    /// The argument that says how many items a page has, where the end of the list is told by it.
    pub(super) fn size(&self) -> Option<&str> {
        match &self.kind {
            Kind::Page {
                end: PageEnd::Items { size, .. },
                ..
            } => size.as_deref(),
            Kind::Offset {
                end: OffsetEnd::Size(size),
                ..
            } => Some(size),
            _ => None,
        }
    }

    /// Reads the cursor that an agent sends.
    ///
    /// # Errors
    /// When it is not one that this tool has given out.
    pub(super) fn open(&self, tool: &str, cursor: &str) -> Result<Cursor, ArgumentProblem> {
        Cursor::open(tool, &self.kind, cursor).ok_or_else(|| ArgumentProblem {
            argument: CURSOR.to_owned(),
            message: format!(
                "is not one that `{tool}` has given: send the `next_cursor` of its last reply as it is, or leave it out to \
                 start at the beginning"
            ),
        })
    }
}

fn want_all(wanted: &mut Wanted, path: Option<&FieldPath>) {
    if let Some(path) = path {
        wanted.at(path).want_whole();
    }
}

#[cfg(test)]
mod tests;
