//! Blocks of Notion as Markdown.
//!
//! Blocks inside of a block are there only where a file asked for them. What was not asked for is named with the id of
//! the block that holds it, so that it can be read next.

use serde_json::Value;

use super::TransformError;
use super::markdown_text as md;
use super::notion_rich_text::{plain, written};

/// Blocks nest no deeper in a page that a person wrote.
const DEEPEST: usize = 16;

/// The Markdown of a list of blocks, or of a reply that has one in `results`.
pub(super) fn notion_blocks_to_markdown(value: &Value) -> Result<Value, TransformError> {
    let blocks = value
        .as_array()
        .or_else(|| value.get("results")?.as_array())
        .ok_or(TransformError::Unfit("is no list of Notion's blocks"))?;
    Ok(Value::String(md::document(&read(blocks, 0))))
}

fn read(blocks: &[Value], depth: usize) -> Vec<String> {
    let mut read = Vec::new();
    let mut list: Vec<String> = Vec::new();
    let mut number = 0_u64;
    for block in blocks.iter().filter(|_| depth <= DEEPEST) {
        let kind = kind(block);
        number = if kind == "numbered_list_item" {
            number + 1
        } else {
            0
        };
        let marker = match kind {
            "bulleted_list_item" => Some("-".to_owned()),
            "numbered_list_item" => Some(format!("{number}.")),
            "to_do" if of(block, "checked").and_then(Value::as_bool) == Some(true) => {
                Some("- [x]".to_owned())
            }
            "to_do" => Some("- [ ]".to_owned()),
            _ => None,
        };
        if let Some(marker) = marker {
            let mut inside = vec![text(block)];
            inside.extend(children(block, depth));
            list.push(md::item(&marker, &inside));
            continue;
        }
        if !list.is_empty() {
            read.push(std::mem::take(&mut list).join("\n"));
        }
        read.extend(standing(block, kind, depth));
    }
    if !list.is_empty() {
        read.push(list.join("\n"));
    }
    read
}

fn kind(block: &Value) -> &str {
    block
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// A field of what is particular to the block's type.
fn of<'b>(block: &'b Value, field: &str) -> Option<&'b Value> {
    block.get(kind(block))?.get(field)
}

fn runs<'b>(block: &'b Value, field: &str) -> &'b [Value] {
    of(block, field)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn text(block: &Value) -> String {
    written(runs(block, "rich_text"))
}

fn of_text<'b>(block: &'b Value, field: &str) -> &'b str {
    of(block, field).and_then(Value::as_str).unwrap_or_default()
}

/// The blocks inside of a block.
fn children(block: &Value, depth: usize) -> Vec<String> {
    let inside = block.get("children").or_else(|| of(block, "children"));
    if let Some(inside) = inside.and_then(Value::as_array) {
        return read(inside, depth + 1);
    }
    let is_there = block.get("has_children").and_then(Value::as_bool) == Some(true);
    let id = block.get("id").and_then(Value::as_str).filter(|_| is_there);
    id.map(|id| format!("(more blocks inside of block {})", md::escaped(id)))
        .into_iter()
        .collect()
}

/// The blocks of one that is no item of a list.
fn standing(block: &Value, kind: &str, depth: usize) -> Vec<String> {
    let mut blocks = match kind {
        "heading_1" | "heading_2" | "heading_3" | "heading_4" => {
            let level = kind
                .bytes()
                .last()
                .map_or(1, |digit| digit.saturating_sub(b'0'));
            vec![md::heading(usize::from(level), &text(block))]
        }
        "quote" | "callout" => return vec![quoted(block, depth)],
        "code" => {
            let language = of_text(block, "language");
            let language = if language == "plain text" {
                ""
            } else {
                language
            };
            vec![md::fence(language, &plain(runs(block, "rich_text")))]
        }
        "equation" => vec![format!("$$\n{}\n$$", of_text(block, "expression"))],
        "divider" => vec!["---".to_owned()],
        "image" | "file" | "pdf" | "video" | "audio" => vec![file(block)],
        "bookmark" | "embed" | "link_preview" => {
            vec![md::link(
                &written(runs(block, "caption")),
                of_text(block, "url"),
            )]
        }
        "table" => return vec![table(block)],
        "child_page" | "child_database" => {
            let id = block.get("id").and_then(Value::as_str).unwrap_or_default();
            let what = if kind == "child_page" {
                "page"
            } else {
                "database"
            };
            return vec![format!(
                "[{what} \"{}\", id {}]",
                md::escaped(of_text(block, "title")),
                md::escaped(id)
            )];
        }
        "link_to_page" => {
            let id = ["page_id", "database_id"]
                .iter()
                .map(|field| of_text(block, field));
            let id = id.into_iter().find(|id| !id.is_empty()).unwrap_or_default();
            vec![format!("[link to {}]", md::escaped(id))]
        }
        "breadcrumb" | "table_of_contents" => return Vec::new(),
        // Paragraphs, toggles, and whatever else has a text.
        _ => vec![md::paragraph(&text(block))],
    };
    blocks.extend(children(block, depth));
    blocks
}

fn quoted(block: &Value, depth: usize) -> String {
    let icon = of(block, "icon")
        .and_then(|icon| icon.get("emoji")?.as_str())
        .unwrap_or_default();
    let mut inside = vec![md::paragraph(&format!("{icon} {}", text(block)))];
    inside.extend(children(block, depth));
    md::quote(&md::document(&inside))
}

/// Files that Notion keeps have addresses that hold for an hour, for whoever has them: only their names are passed on.
fn file(block: &Value) -> String {
    let url = of(block, "external").and_then(|external| external.get("url")?.as_str());
    let caption = written(runs(block, "caption"));
    let name = [caption.as_str(), of_text(block, "name"), kind(block)];
    let name = name
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or_default();
    if kind(block) == "image" {
        return md::image(name, url);
    }
    match url {
        Some(url) => md::link(name, url),
        None => format!("[{}]", md::escaped(name)),
    }
}

fn table(block: &Value) -> String {
    let inside = block.get("children").or_else(|| of(block, "children"));
    let Some(rows) = inside.and_then(Value::as_array) else {
        return children(block, 0).join("\n");
    };
    let cell = |cell: &Value| {
        cell.as_array()
            .map(|runs| written(runs))
            .unwrap_or_default()
    };
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| runs(row, "cells").iter().map(cell).collect())
        .collect();
    md::table(&rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn markdown(blocks: &Value) -> String {
        let value = notion_blocks_to_markdown(blocks).unwrap();
        value.as_str().unwrap().to_owned()
    }

    fn block(kind: &str, text: &str) -> Value {
        json!({"id": "b1", "type": kind, kind: {"rich_text": [{"plain_text": text}]}})
    }

    #[test]
    fn a_page_becomes_markdown() {
        let mut todo = block("to_do", "done");
        todo["to_do"]["checked"] = json!(true);
        let mut item = block("bulleted_list_item", "one");
        item["children"] = json!([
            block("numbered_list_item", "in"),
            block("numbered_list_item", "in too")
        ]);
        let mut toggle = block("toggle", "More");
        toggle["has_children"] = json!(true);
        let mut callout = block("callout", "mind");
        callout["callout"]["icon"] = json!({"type": "emoji", "emoji": "💡"});
        let mut code = block("code", "let a_b = 1;");
        code["code"]["language"] = json!("rust");
        let cell = |text: &str| json!([{"plain_text": text}]);
        let blocks = json!({"results": [
            block("heading_2", "Plan"), block("paragraph", "Text"), item, block("bulleted_list_item", "two"), todo, toggle, callout, code,
            {"type": "divider", "divider": {}},
            {"type": "image", "image": {"type": "external", "external": {"url": "https://a.example/x.png"}, "caption": []}},
            {"type": "file", "file": {"type": "file", "file": {"url": "https://signed.example"}, "name": "a.pdf"}},
            {"type": "bookmark", "bookmark": {"url": "https://b.example", "caption": []}},
            {"type": "table", "table": {}, "children": [{"type": "table_row", "table_row": {"cells": [cell("A"), cell("B")]}}]},
            {"id": "p-1", "type": "child_page", "child_page": {"title": "Sub"}}, {"type": "unsupported", "unsupported": {}},
        ]});
        assert_eq!(
            markdown(&blocks),
            "## Plan\n\nText\n\n- one\n  1. in\n  2. in too\n- two\n- [x] done\n\nMore\n\n(more blocks inside of block b1)\n\n> 💡 mind\n\n\
             ```rust\nlet a_b = 1;\n```\n\n---\n\n![image](https://a.example/x.png)\n\n[a.pdf]\n\n<https://b.example>\n\n| A | B |\n| --- | --- |\n\n[page \"Sub\", id p-1]"
        );
    }

    #[test]
    fn what_is_no_block_is_left_out() {
        assert_eq!(
            markdown(&json!([7, {"type": "paragraph"}, {"type": 7}])),
            ""
        );
        assert!(notion_blocks_to_markdown(&json!({"a": 1})).is_err());
        let mut deep = block("quote", "x");
        for _ in 0..60 {
            let mut outer = block("quote", "x");
            outer["children"] = json!([deep]);
            deep = outer;
        }
        markdown(&json!([deep]));
    }
}
