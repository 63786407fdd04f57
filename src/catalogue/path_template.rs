//! The path of a request: constant text with places for values (a small part of RFC 6570).
//!
//! A value can fill its segment and nothing more: it can neither add a segment, nor climb out of one, nor reach the
//! query. `{x}` is one segment or a part of one; `{+x}` is several, each encoded by itself; `{/+x}` is the same with its
//! slash, and nothing at all when the argument is absent. `{x|quoter}` is a literal of the language that a quoter writes.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::RenderError;
use super::placeholder::{Piece, pieces};
use super::places::is_place;
use super::quoter::Quoter;

/// Everything but the unreserved characters of RFC 3986 section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A path with places for values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PathTemplate {
    source: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Place(Place),
}

/// Where a value goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The name of the argument or variable.
    pub(super) name: String,
    /// How much of the path it may fill.
    pub(super) span: Span,
    /// What the value goes through before it is encoded. Only for a part of one segment.
    pub(super) quoter: Option<Quoter>,
}

/// How much of the path a value may fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    /// `{x}`: at most one segment.
    Segment,
    /// `{+x}`: one or more whole segments.
    Segments,
    /// `{/+x}`: the same with the slash before it, or nothing.
    OptionalSegments,
}

impl PathTemplate {
    /// Reads a template; the error says what is wrong with it.
    pub(super) fn parse(source: &str) -> Result<Self, String> {
        let parts = pieces(source)?
            .into_iter()
            .map(|piece| match piece {
                Piece::Text(text) => check_text(&text).map(|()| Part::Text(text)),
                Piece::Braces(inside) => Place::parse(&inside).map(Part::Place),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let template = Self {
            source: source.to_owned(),
            parts,
        };
        template.check_shape()?;
        Ok(template)
    }

    /// The template as written.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// The places for values, in order.
    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        self.parts.iter().filter_map(|part| match part {
            Part::Place(place) => Some(place),
            Part::Text(_) => None,
        })
    }

    /// Fills the places. The result consists of `/`, the constant text and percent-encoded values.
    pub(super) fn render<'v>(
        &self,
        value: impl Fn(&str) -> Result<Option<Cow<'v, str>>, RenderError>,
    ) -> Result<String, RenderError> {
        let mut path = String::with_capacity(self.source.len() + 32);
        for part in &self.parts {
            match part {
                Part::Text(text) => path.push_str(text),
                Part::Place(place) => place.render(value(&place.name)?, &mut path)?,
            }
        }
        Ok(path)
    }

    /// Constant text must already be what a URL parser makes of it, and several segments must stand between slashes.
    fn check_shape(&self) -> Result<(), String> {
        let source = &self.source;
        if !source.is_empty() && !source.starts_with('/') && !source.starts_with("{/+") {
            return Err(format!("the path `{source}` does not start with `/`"));
        }
        if source.contains("//") {
            return Err(format!("the path `{source}` has an empty segment"));
        }
        if source
            .split('/')
            .any(|segment| matches!(segment, "." | ".."))
        {
            return Err(format!("the path `{source}` has a `.` or `..` segment"));
        }
        for (index, part) in self.parts.iter().enumerate() {
            let Part::Place(place) = part else { continue };
            let before = index
                .checked_sub(1)
                .and_then(|before| self.parts.get(before));
            let ends_before = matches!(before, Some(Part::Text(text)) if text.ends_with('/'));
            let starts_after = match self.parts.get(index + 1) {
                None => true,
                Some(Part::Text(text)) => text.starts_with('/'),
                Some(Part::Place(next)) => next.span == Span::OptionalSegments,
            };
            let whole = match place.span {
                Span::Segment => true,
                // A colon ends the path of a file inside an address (`/root:/{+path}:/content`).
                Span::Segments => {
                    let colon_after = matches!(self.parts.get(index + 1), Some(Part::Text(text)) if text.starts_with(':'));
                    ends_before && (starts_after || colon_after)
                }
                Span::OptionalSegments => !ends_before && starts_after,
            };
            if !whole {
                return Err(format!(
                    "in the path `{source}` the segments of `{}` do not stand between slashes",
                    place.name
                ));
            }
        }
        Ok(())
    }
}

impl Place {
    fn parse(inside: &str) -> Result<Self, String> {
        let (span, name) = if let Some(name) = inside.strip_prefix("/+") {
            (Span::OptionalSegments, name)
        } else if let Some(name) = inside.strip_prefix('+') {
            (Span::Segments, name)
        } else {
            (Span::Segment, inside)
        };
        let (name, quoter) = match name.split_once('|') {
            Some((name, quoter)) if span == Span::Segment => (name, Some(Quoter::parse(quoter)?)),
            _ => (name, None),
        };
        if is_place(name) {
            Ok(Self {
                name: name.to_owned(),
                span,
                quoter,
            })
        } else {
            Err(format!(
                "`{{{inside}}}` is no placeholder: write `{{name}}`, `{{name|quoter}}`, `{{+name}}` or `{{/+name}}`"
            ))
        }
    }

    fn render(&self, value: Option<Cow<'_, str>>, path: &mut String) -> Result<(), RenderError> {
        let Some(value) = value else {
            return match self.span {
                Span::OptionalSegments => Ok(()),
                Span::Segment | Span::Segments => Err(RenderError::missing(&self.name)),
            };
        };
        match self.span {
            Span::Segment => match self.quoter {
                Some(quoter) => {
                    let literal = quoter.quote(&value);
                    let literal =
                        literal.map_err(|reason| RenderError::refused(&self.name, reason))?;
                    self.push_segment(&literal, path)
                }
                None => self.push_segment(&value, path),
            },
            Span::Segments => self.push_segments(&value, path),
            Span::OptionalSegments => {
                path.push('/');
                self.push_segments(&value, path)
            }
        }
    }

    fn push_segments(&self, value: &str, path: &mut String) -> Result<(), RenderError> {
        for (index, segment) in value.split('/').enumerate() {
            if index > 0 {
                path.push('/');
            }
            self.push_segment(segment, path)?;
        }
        Ok(())
    }

    fn push_segment(&self, segment: &str, path: &mut String) -> Result<(), RenderError> {
        match segment {
            "" => Err(RenderError::refused(
                &self.name,
                "has an empty path segment",
            )),
            "." | ".." => Err(RenderError::refused(
                &self.name,
                "has a `.` or `..` path segment",
            )),
            _ => {
                path.extend(utf8_percent_encode(segment, RESERVED));
                Ok(())
            }
        }
    }
}

fn check_text(text: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-._~:@!$&'()*+,;=".contains(c);
    match text.chars().find(|c| !is_plain(*c)) {
        Some(c) => Err(format!(
            "the character `{}` cannot stand in a path: a query belongs into `query`",
            c.escape_default()
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn render(template: &str, value: &str) -> Result<String, RenderError> {
        PathTemplate::parse(template)
            .unwrap()
            .render(|_| Ok(Some(Cow::Owned(value.to_owned()))))
    }

    #[test]
    fn a_segment_encodes_everything_but_unreserved() {
        assert_eq!(
            render("/repos/{x}/issues", "a/b?c#d%2f\\é ~").unwrap(),
            "/repos/a%2Fb%3Fc%23d%252f%5C%C3%A9%20~/issues"
        );
        assert_eq!(render("/t/{x}.json", "7").unwrap(), "/t/7.json");
    }

    #[test]
    fn segments_keep_their_slashes_and_nothing_else() {
        assert_eq!(render("/c/{+x}", "src/a b.rs").unwrap(), "/c/src/a%20b.rs");
        assert_eq!(render("/c{/+x}", "src/lib.rs").unwrap(), "/c/src/lib.rs");
        let absent = PathTemplate::parse("/c{/+x}").unwrap().render(|_| Ok(None));
        assert_eq!(absent.unwrap(), "/c");
    }

    #[test]
    fn a_quoted_value_is_one_literal_of_its_segment() {
        assert_eq!(
            render("/me/drive/search(q={x|odata_quoted})", "it's/../'). or").unwrap(),
            "/me/drive/search(q=%27it%27%27s%2F..%2F%27%27%29.%20or%27)"
        );
        assert!(render("/f(x={x|odata_quoted})", "a\nb").is_err());
    }

    #[test]
    fn a_path_inside_an_address_ends_at_a_colon() {
        assert_eq!(
            render("/root:/{+x}:/content", "a b/c:d.txt").unwrap(),
            "/root:/a%20b/c%3Ad.txt:/content"
        );
        assert!(render("/root:/{+x}:/content", "../../me").is_err());
    }

    #[test]
    fn a_value_that_climbs_or_vanishes_is_refused() {
        for template in ["/a/{x}", "/a/{+x}", "/a{/+x}"] {
            for value in ["", ".", ".."] {
                assert!(
                    matches!(render(template, value), Err(RenderError::Refused { .. })),
                    "{template} {value:?}"
                );
            }
        }
        for value in ["/a", "a/", "a//b", "a/../b", "./a"] {
            assert!(render("/a/{+x}", value).is_err(), "{value:?}");
        }
    }

    #[test]
    fn a_template_that_a_url_parser_would_change_is_refused() {
        for source in [
            "a",
            "/a//b",
            "/a/../b",
            "/a?b",
            "/a#b",
            "/a%2e",
            "/a b",
            "/{X}",
            "/{}",
            "/{a",
            "/x{+a}",
            "/{+a}x",
            "/{/+a}",
            "/{+a}{b}",
            "/é",
            "/{a|shouted}",
            "/{+a|plain}",
            "/{a.b}",
            "/x{/+a}:",
        ] {
            assert!(PathTemplate::parse(source).is_err(), "{source}");
        }
    }

    proptest! {
        #[test]
        fn a_segment_stays_one_segment(value in "\\PC*") {
            if let Ok(path) = render("/a/{x}/b", &value) {
                prop_assert_eq!(path.split('/').count(), 4);
                prop_assert!(path.bytes().all(|b| b.is_ascii_graphic() && !b"?#\\".contains(&b)));
            } else {
                prop_assert!(matches!(value.as_str(), "" | "." | ".."));
            }
        }
    }
}
