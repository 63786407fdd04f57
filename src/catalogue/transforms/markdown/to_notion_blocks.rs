//! Markdown as blocks of Notion.
//!
//! Its limits are kept here, because a request that breaks one is refused as a whole ("Request limits" of its
//! documentation): 100 blocks side by side, two levels below them, 2,000 characters in a text, 100 texts in a line.

use serde_json::{Value, json};

use super::{Block, Item, Marks, Span, parse, row_as_line};
use crate::catalogue::transforms::TransformError;

const MOST_BLOCKS: usize = 100;
const MOST_IN_ALL: usize = 1000;
const MOST_TEXTS: usize = 100;
/// In UTF-16 units, the way the service counts.
const LONGEST_TEXT: usize = 2000;
const LONGEST_LINK: usize = 2000;
/// The deepest level that a request may have.
const DEEPEST_LEVEL: usize = 2;

/// A text as a list of blocks.
pub(in crate::catalogue::transforms) fn markdown_to_notion_blocks(
    value: &Value,
) -> Result<Value, TransformError> {
    let mut written = 0;
    let blocks = blocks(&parse(value)?, 0, &mut written)?;
    Ok(Value::Array(blocks))
}

fn blocks(
    blocks: &[Block],
    level: usize,
    written: &mut usize,
) -> Result<Vec<Value>, TransformError> {
    let mut all = Vec::new();
    for block in blocks {
        block_into(block, level, &mut all, written)?;
    }
    *written += all.len();
    if all.len() > MOST_BLOCKS {
        return Err(TransformError::TooLarge(
            "makes more than 100 blocks side by side: send the first part, then append the rest",
        ));
    }
    if *written > MOST_IN_ALL {
        return Err(TransformError::TooLarge(
            "makes more than 1,000 blocks: send the first part, then append the rest",
        ));
    }
    Ok(all)
}

fn block_into(
    block: &Block,
    level: usize,
    all: &mut Vec<Value>,
    written: &mut usize,
) -> Result<(), TransformError> {
    match block {
        Block::Paragraph(spans) => lines("paragraph", spans, all),
        Block::Heading(level, spans) => {
            let kind = ["heading_1", "heading_2", "heading_3"];
            lines(kind[usize::from(*level).clamp(1, 3) - 1], spans, all);
        }
        Block::Quote(blocks) => with_children("quote", blocks, level, all, written)?,
        Block::Code { language, text } => {
            let mut texts = texts(text, &Marks::default());
            texts.truncate(MOST_TEXTS);
            all.push(of_kind(
                "code",
                json!({"rich_text": texts, "language": known_language(language.as_deref())}),
            ));
        }
        Block::List { start, items } => {
            for item in items {
                list_item(*start, item, level, all, written)?;
            }
        }
        Block::Table(rows) if level < DEEPEST_LEVEL && rows.len() <= MOST_BLOCKS => {
            *written += rows.len();
            all.push(table(rows));
        }
        Block::Table(rows) => rows
            .iter()
            .for_each(|row| lines("paragraph", &row_as_line(row), all)),
        Block::Rule => all.push(of_kind("divider", json!({}))),
    }
    Ok(())
}

fn list_item(
    start: Option<u64>,
    item: &Item,
    level: usize,
    all: &mut Vec<Value>,
    written: &mut usize,
) -> Result<(), TransformError> {
    let at = all.len();
    let kind = match (item.checked, start) {
        (Some(_), _) => "to_do",
        (None, Some(_)) => "numbered_list_item",
        (None, None) => "bulleted_list_item",
    };
    with_children(kind, &item.blocks, level, all, written)?;
    if let (Some(checked), Some(block)) = (item.checked, all.get_mut(at)) {
        block["to_do"]["checked"] = json!(checked);
    }
    Ok(())
}

/// The first line is that of the block, the rest stand below it; or after it, where nothing may stand below.
fn with_children(
    kind: &'static str,
    inside: &[Block],
    level: usize,
    all: &mut Vec<Value>,
    written: &mut usize,
) -> Result<(), TransformError> {
    let (line, rest): (&[Span], &[Block]) = match inside.split_first() {
        Some((Block::Paragraph(spans), rest)) => (spans, rest),
        _ => (&[], inside),
    };
    let at = all.len();
    lines(kind, line, all);
    if rest.is_empty() {
        return Ok(());
    }
    if level < DEEPEST_LEVEL {
        let children = blocks(rest, level + 1, written)?;
        if let Some(block) = all.get_mut(at) {
            block[kind]["children"] = Value::Array(children);
        }
        return Ok(());
    }
    for block in rest {
        block_into(block, level, all, written)?;
    }
    Ok(())
}

fn of_kind(kind: &str, content: Value) -> Value {
    let mut block = json!({"object": "block", "type": kind});
    block[kind] = content;
    block
}

/// One block; what is more than a line can hold goes into paragraphs behind it.
fn lines(kind: &'static str, spans: &[Span], all: &mut Vec<Value>) {
    let texts: Vec<Value> = rich_text(spans);
    let mut pieces = texts.chunks(MOST_TEXTS);
    let first = pieces.next().unwrap_or_default();
    all.push(of_kind(kind, json!({"rich_text": first})));
    all.extend(pieces.map(|piece| of_kind("paragraph", json!({"rich_text": piece}))));
}

fn table(rows: &[Vec<Vec<Span>>]) -> Value {
    let row = |row: &Vec<Vec<Span>>| {
        let cells: Vec<Value> = row
            .iter()
            .map(|cell| {
                let mut texts = rich_text(cell);
                texts.truncate(MOST_TEXTS);
                Value::Array(texts)
            })
            .collect();
        of_kind("table_row", json!({"cells": cells}))
    };
    let width = rows.first().map_or(0, Vec::len);
    let rows: Vec<Value> = rows.iter().map(row).collect();
    of_kind(
        "table",
        json!({"table_width": width, "has_column_header": true, "has_row_header": false, "children": rows}),
    )
}

fn rich_text(spans: &[Span]) -> Vec<Value> {
    spans
        .iter()
        .flat_map(|span| match span {
            Span::Break => texts("\n", &Marks::default()),
            Span::Text(text, marks) => texts(text, marks),
        })
        .collect()
}

fn texts(text: &str, marks: &Marks) -> Vec<Value> {
    pieces(text)
        .into_iter()
        .map(|content| {
            let mut text = json!({"type": "text", "text": {"content": content}});
            let link = marks
                .link
                .as_ref()
                .filter(|link| link.len() <= LONGEST_LINK);
            if let Some(link) = link {
                text["text"]["link"] = json!({"url": link});
            }
            for (is_set, name) in [
                (marks.strong, "bold"),
                (marks.emphasis, "italic"),
                (marks.strike, "strikethrough"),
                (marks.code, "code"),
            ] {
                if is_set {
                    text["annotations"][name] = json!(true);
                }
            }
            text
        })
        .collect()
}

/// The text in pieces that are short enough.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut length) = (0, 0);
    for (at, character) in text.char_indices() {
        if length + character.len_utf16() > LONGEST_TEXT {
            pieces.push(&text[start..at]);
            (start, length) = (at, 0);
        }
        length += character.len_utf16();
    }
    if start < text.len() {
        pieces.push(&text[start..]);
    }
    pieces
}

/// Another word for a language is refused.
const LANGUAGES: &[&str] = &[
    "abap",
    "arduino",
    "bash",
    "basic",
    "c",
    "clojure",
    "coffeescript",
    "c++",
    "c#",
    "css",
    "dart",
    "diff",
    "docker",
    "elixir",
    "elm",
    "erlang",
    "flow",
    "fortran",
    "f#",
    "gherkin",
    "glsl",
    "go",
    "graphql",
    "groovy",
    "haskell",
    "html",
    "java",
    "javascript",
    "json",
    "julia",
    "kotlin",
    "latex",
    "less",
    "lisp",
    "livescript",
    "lua",
    "makefile",
    "markdown",
    "markup",
    "matlab",
    "mermaid",
    "nix",
    "objective-c",
    "ocaml",
    "pascal",
    "perl",
    "php",
    "powershell",
    "prolog",
    "protobuf",
    "python",
    "r",
    "reason",
    "ruby",
    "rust",
    "sass",
    "scala",
    "scheme",
    "scss",
    "shell",
    "sql",
    "swift",
    "typescript",
    "vb.net",
    "verilog",
    "vhdl",
    "visual basic",
    "webassembly",
    "xml",
    "yaml",
];

fn known_language(language: Option<&str>) -> &'static str {
    let written = language.unwrap_or_default().to_ascii_lowercase();
    let meant = match written.as_str() {
        "js" | "jsx" => "javascript",
        "ts" | "tsx" => "typescript",
        "py" => "python",
        "sh" | "zsh" | "console" => "shell",
        "yml" => "yaml",
        "rb" => "ruby",
        "rs" => "rust",
        "cpp" => "c++",
        "cs" | "csharp" => "c#",
        "md" => "markdown",
        "dockerfile" => "docker",
        other => other,
    };
    LANGUAGES
        .iter()
        .find(|known| **known == meant)
        .copied()
        .unwrap_or("plain text")
}
