//! Markdown as a document of Atlassian (the "Atlassian Document Format", version 1).
//!
//! The format says which node may stand in which; a document that breaks this is refused as a whole. So headings, tables
//! and rules are written as paragraphs where they may not stand.

use serde_json::{Value, json};

use super::{Block, Item, Marks, Span, parse, row_as_line};
use crate::catalogue::transforms::TransformError;

/// A text as a document.
pub(in crate::catalogue::transforms) fn markdown_to_adf(
    value: &Value,
) -> Result<Value, TransformError> {
    let blocks = parse(value)?;
    Ok(json!({"type": "doc", "version": 1, "content": nodes(&blocks, Within::Document)}))
}

/// What a node stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Document,
    /// A quote or an item: paragraphs, lists and code.
    Small,
}

fn nodes(blocks: &[Block], within: Within) -> Vec<Value> {
    blocks
        .iter()
        .flat_map(|block| node(block, within))
        .collect()
}

fn node(block: &Block, within: Within) -> Vec<Value> {
    let is_small = within == Within::Small;
    match block {
        Block::Paragraph(spans) => vec![paragraph(spans)],
        Block::Heading(_, spans) if is_small => vec![paragraph(&strong(spans))],
        Block::Heading(level, spans) => {
            vec![json!({"type": "heading", "attrs": {"level": level}, "content": inline(spans)})]
        }
        Block::Quote(blocks) if is_small => nodes(blocks, within),
        Block::Quote(blocks) => match nodes(blocks, Within::Small) {
            content if content.is_empty() => Vec::new(),
            content => vec![json!({"type": "blockquote", "content": content})],
        },
        Block::Code { language, text } => vec![code(language.as_deref(), text)],
        Block::List { start, items } => {
            let items: Vec<Value> = items.iter().map(item).collect();
            vec![match start {
                Some(start) => {
                    json!({"type": "orderedList", "attrs": {"order": start}, "content": items})
                }
                None => json!({"type": "bulletList", "content": items}),
            }]
        }
        Block::Table(rows) if is_small => rows
            .iter()
            .map(|row| paragraph(&row_as_line(row)))
            .collect(),
        Block::Table(rows) => vec![table(rows)],
        Block::Rule if is_small => Vec::new(),
        Block::Rule => vec![json!({"type": "rule"})],
    }
}

fn paragraph(spans: &[Span]) -> Value {
    json!({"type": "paragraph", "content": inline(spans)})
}

fn code(language: Option<&str>, text: &str) -> Value {
    // A text node is never empty.
    let content = if text.is_empty() {
        json!([])
    } else {
        json!([{"type": "text", "text": text}])
    };
    match language {
        Some(language) => {
            json!({"type": "codeBlock", "attrs": {"language": language}, "content": content})
        }
        None => json!({"type": "codeBlock", "content": content}),
    }
}

/// An item starts with a paragraph or with code.
fn item(item: &Item) -> Value {
    let mut content = nodes(&item.blocks, Within::Small);
    let can_start = |node: &Value| matches!(node["type"].as_str(), Some("paragraph" | "codeBlock"));
    let is_task = item.checked.is_some();
    if is_task
        && content
            .first()
            .is_none_or(|node| node["type"] != "paragraph")
        || !content.first().is_some_and(can_start)
    {
        content.insert(0, paragraph(&[]));
    }
    if let Some(checked) = item.checked
        && let Some(line) = content[0]["content"].as_array_mut()
    {
        line.insert(0, json!({"type": "text", "text": tick(checked)}));
    }
    json!({"type": "listItem", "content": content})
}

/// What stands before an item of a task list where there are no such lists.
pub(super) fn tick(checked: bool) -> &'static str {
    if checked { "☑ " } else { "☐ " }
}

fn table(rows: &[Vec<Vec<Span>>]) -> Value {
    let row = |(index, row): (usize, &Vec<Vec<Span>>)| {
        let kind = if index == 0 {
            "tableHeader"
        } else {
            "tableCell"
        };
        let cell = |spans: &Vec<Span>| json!({"type": kind, "content": [paragraph(spans)]});
        json!({"type": "tableRow", "content": row.iter().map(cell).collect::<Vec<_>>()})
    };
    let rows: Vec<Value> = rows.iter().enumerate().map(row).collect();
    json!({"type": "table", "content": rows})
}

fn strong(spans: &[Span]) -> Vec<Span> {
    let with_mark = |span: &Span| match span {
        Span::Text(text, marks) => Span::Text(
            text.clone(),
            Marks {
                strong: true,
                ..marks.clone()
            },
        ),
        Span::Break => Span::Break,
    };
    spans.iter().map(with_mark).collect()
}

fn inline(spans: &[Span]) -> Vec<Value> {
    spans
        .iter()
        .map(|span| match span {
            Span::Break => json!({"type": "hardBreak"}),
            Span::Text(text, marks) => match adf_marks(marks) {
                marks if marks.is_empty() => json!({"type": "text", "text": text}),
                marks => json!({"type": "text", "text": text, "marks": marks}),
            },
        })
        .collect()
}

/// Code stands with a link and with nothing else.
fn adf_marks(marks: &Marks) -> Vec<Value> {
    let names = [
        (marks.strong && !marks.code, "strong"),
        (marks.emphasis && !marks.code, "em"),
        (marks.strike && !marks.code, "strike"),
        (marks.code, "code"),
    ];
    let mut written: Vec<Value> = names
        .into_iter()
        .filter(|(is_set, _)| *is_set)
        .map(|(_, name)| json!({"type": name}))
        .collect();
    if let Some(link) = &marks.link {
        written.push(json!({"type": "link", "attrs": {"href": link}}));
    }
    written
}
