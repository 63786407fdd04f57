//! Markdown as a small tree of our own, which is then written in what a provider takes.
//!
//! Owns what of Markdown is understood (`CommonMark` 0.31 with tables, strikethrough and task lists) and how deep it goes:
//! containers below [`DEEPEST`] give their content to the one around them, so that no text makes a tree that is dangerous
//! to walk. Raw HTML is text. A link is kept when it is a whole `http`, `https` or `mailto` address.

mod builder;
mod to_adf;
mod to_notion_blocks;
mod to_xhtml;

#[cfg(test)]
mod tests;

use pulldown_cmark::{Options, Parser};
use serde_json::Value;

pub(super) use to_adf::markdown_to_adf;
pub(super) use to_notion_blocks::markdown_to_notion_blocks;
pub(super) use to_xhtml::{markdown_to_html, markdown_to_storage};

use super::{TransformError, text};
use builder::Builder;

/// How many quotes and lists may stand in each other.
const DEEPEST: usize = 10;
/// In bytes. A page that is longer is sent in pieces.
const LONGEST: usize = 512 * 1024;

/// A part of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Block {
    Paragraph(Vec<Span>),
    /// Level 1 to 6.
    Heading(u8, Vec<Span>),
    Quote(Vec<Block>),
    Code {
        language: Option<String>,
        text: String,
    },
    List {
        /// The number of the first item, when they are numbered.
        start: Option<u64>,
        items: Vec<Item>,
    },
    /// Rows of cells; the first row is the head, and no row is longer than it.
    Table(Vec<Vec<Vec<Span>>>),
    Rule,
}

/// An item of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    /// Whether it is ticked, for an item of a task list.
    checked: Option<bool>,
    blocks: Vec<Block>,
}

/// A part of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Span {
    /// Never empty.
    Text(String, Marks),
    Break,
}

/// How a text looks, and where it leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each mark is there or not, by itself"
)]
struct Marks {
    strong: bool,
    emphasis: bool,
    strike: bool,
    code: bool,
    link: Option<String>,
}

/// Reads a Markdown text.
fn parse(value: &Value) -> Result<Vec<Block>, TransformError> {
    let markdown = text(value)?;
    if markdown.len() > LONGEST {
        return Err(TransformError::TooLarge(
            "is longer than 512 KiB of Markdown: send it in pieces",
        ));
    }
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut builder = Builder::default();
    Parser::new_ext(markdown, options).for_each(|event| builder.take(event));
    Ok(builder.finish())
}

/// The cells of a row as one line, for places that take no table.
fn row_as_line(row: &[Vec<Span>]) -> Vec<Span> {
    let mut line = Vec::new();
    for (index, cell) in row.iter().enumerate() {
        if index > 0 {
            line.push(Span::Text(" | ".to_owned(), Marks::default()));
        }
        line.extend(cell.iter().cloned());
    }
    line
}
