//! The Atlassian Document Format as Markdown (version 1 of its schema).

use serde_json::Value;

use super::TransformError;
use super::markdown_text as md;

/// Nodes nest no deeper in any document that a person wrote.
const DEEPEST: usize = 32;

/// The Markdown of a document. A text is as it is: older replies have one in the same place.
pub(super) fn adf_to_markdown(value: Value) -> Result<Value, TransformError> {
    match value {
        Value::String(text) => Ok(Value::String(md::bounded(text))),
        Value::Object(_) => Ok(Value::String(md::document(&blocks(&value, 0)))),
        _ => Err(TransformError::Unfit("is no document of Atlassian")),
    }
}

fn content(node: &Value) -> &[Value] {
    node.get("content")
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn kind(node: &Value) -> &str {
    node.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn attribute<'n>(node: &'n Value, name: &str) -> Option<&'n str> {
    node.get("attrs")?
        .get(name)?
        .as_str()
        .filter(|text| !text.is_empty())
}

fn number(node: &Value, name: &str) -> Option<u64> {
    node.get("attrs")?.get(name)?.as_u64()
}

/// The blocks inside of a node.
fn blocks(node: &Value, depth: usize) -> Vec<String> {
    if depth > DEEPEST {
        return Vec::new();
    }
    let mut blocks = Vec::new();
    let mut line = String::new();
    for inner in content(node) {
        match block(inner, depth) {
            Some(found) => {
                end_line(&mut line, &mut blocks);
                blocks.extend(found);
            }
            None => line.push_str(&inline(inner, depth)),
        }
    }
    end_line(&mut line, &mut blocks);
    blocks
}

fn end_line(line: &mut String, blocks: &mut Vec<String>) {
    let text = md::paragraph(&std::mem::take(line));
    if !text.is_empty() {
        blocks.push(text);
    }
}

/// The blocks of a node that stands on its own; nothing for one within a line.
fn block(node: &Value, depth: usize) -> Option<Vec<String>> {
    let inner = || blocks(node, depth + 1);
    let one = |text: String| Some(vec![text]);
    match kind(node) {
        "paragraph" => one(md::paragraph(&line(node, depth + 1))),
        "heading" => {
            let level = number(node, "level").and_then(|level| usize::try_from(level).ok());
            one(md::heading(level.unwrap_or(1), &line(node, depth + 1)))
        }
        "bulletList" | "decisionList" => one(list(node, depth, |_, _| "-".to_owned())),
        "orderedList" => {
            let first = number(node, "order").unwrap_or(1).min(1 << 30);
            one(list(node, depth, |at, _| format!("{}.", first + at)))
        }
        "taskList" => one(list(node, depth, |_, item| {
            let is_done = attribute(item, "state") == Some("DONE");
            if is_done { "- [x]" } else { "- [ ]" }.to_owned()
        })),
        "codeBlock" => one(md::fence(
            attribute(node, "language").unwrap_or_default(),
            &plain(node),
        )),
        "blockquote" => one(md::quote(&md::document(&inner()))),
        "panel" => {
            let mut inside = inner();
            if let Some(kind) = attribute(node, "panelType").filter(|kind| *kind != "custom") {
                inside.insert(0, format!("**{}**", md::escaped(kind)));
            }
            one(md::quote(&md::document(&inside)))
        }
        "expand" | "nestedExpand" => {
            let mut inside = inner();
            if let Some(title) = attribute(node, "title") {
                inside.insert(0, format!("**{}**", md::escaped(title)));
            }
            Some(inside)
        }
        "rule" => one("---".to_owned()),
        "table" => one(table(node, depth)),
        "blockCard" | "embedCard" => one(card(node)),
        "doc" | "listItem" | "taskItem" | "blockTaskItem" | "decisionItem" | "layoutSection"
        | "layoutColumn" | "tableRow" | "tableCell" | "tableHeader" | "mediaSingle"
        | "mediaGroup" | "bodiedExtension" => Some(inner()),
        "extension" => one(extension(node)),
        _ => None,
    }
}

fn list(node: &Value, depth: usize, marker: impl Fn(u64, &Value) -> String) -> String {
    let mut items = Vec::new();
    let mut at = 0;
    for item in content(node) {
        if kind(item).ends_with("List") {
            // A list right inside of a list belongs to the item before it.
            if depth < DEEPEST
                && let Some(inner) = block(item, depth + 1)
            {
                let marker = marker(at, item).len() + 1;
                let indent = " ".repeat(marker);
                items.extend(
                    inner
                        .iter()
                        .flat_map(|block| block.lines().map(|line| format!("{indent}{line}"))),
                );
            }
            continue;
        }
        items.push(md::item(&marker(at, item), &blocks(item, depth + 1)));
        at += 1;
    }
    items.join("\n")
}

fn table(node: &Value, depth: usize) -> String {
    let cell = |cell: &Value| blocks(cell, depth + 3).join("\n");
    let rows: Vec<Vec<String>> = content(node)
        .iter()
        .map(|row| content(row).iter().map(cell).collect())
        .collect();
    md::table(&rows)
}

/// Everything in a node on one line, hard breaks apart.
fn line(node: &Value, depth: usize) -> String {
    if depth > DEEPEST {
        return String::new();
    }
    content(node)
        .iter()
        .map(|inner| inline(inner, depth))
        .collect()
}

fn inline(node: &Value, depth: usize) -> String {
    match kind(node) {
        "text" => text(node),
        "hardBreak" => "\n".to_owned(),
        "mention" => {
            let name = attribute(node, "text")
                .or(attribute(node, "id"))
                .unwrap_or_default();
            format!("@{}", md::escaped(name.trim_start_matches('@')))
        }
        "emoji" => attribute(node, "text")
            .or(attribute(node, "shortName"))
            .unwrap_or_default()
            .to_owned(),
        "inlineCard" => card(node),
        "status" => attribute(node, "text")
            .map(|text| format!("[{}]", md::escaped(text)))
            .unwrap_or_default(),
        "date" => date(node),
        "media" | "mediaInline" => {
            let name = attribute(node, "alt").unwrap_or("attachment");
            md::image(name, attribute(node, "url"))
        }
        "inlineExtension" => extension(node),
        _ => line(node, depth + 1),
    }
}

fn text(node: &Value) -> String {
    let words = node.get("text").and_then(Value::as_str).unwrap_or_default();
    let marks = node
        .get("marks")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let has = |name: &str| marks.iter().any(|mark| kind(mark) == name);
    let mut written = if has("code") {
        md::code(words)
    } else {
        md::escaped(words)
    };
    for (name, mark) in [("strike", "~~"), ("em", "*"), ("strong", "**")] {
        if has(name) {
            written = md::marked(&written, mark);
        }
    }
    let link = marks.iter().find(|mark| kind(mark) == "link");
    match link.and_then(|mark| attribute(mark, "href")) {
        Some(url) => md::link(&written, url),
        None => written,
    }
}

/// All text in a block of code; it holds nothing else.
fn plain(node: &Value) -> String {
    let words = content(node)
        .iter()
        .filter_map(|inner| inner.get("text")?.as_str());
    words.collect()
}

fn card(node: &Value) -> String {
    attribute(node, "url")
        .map(|url| md::link("", url))
        .unwrap_or_default()
}

/// Milliseconds since 1970, as a text.
fn date(node: &Value) -> String {
    let milliseconds = attribute(node, "timestamp").and_then(|text| text.parse().ok());
    milliseconds
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map(|moment| moment.strftime("%Y-%m-%d").to_string())
        .unwrap_or_default()
}

fn extension(node: &Value) -> String {
    let name = attribute(node, "text").or(attribute(node, "extensionKey"));
    name.map(|name| format!("[{}]", md::escaped(name)))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn markdown(document: Value) -> String {
        let value = adf_to_markdown(document).unwrap();
        value.as_str().unwrap().to_owned()
    }

    fn doc(content: &Value) -> String {
        markdown(json!({"type": "doc", "version": 1, "content": content}))
    }

    fn paragraph(text: &str) -> Value {
        json!({"type": "paragraph", "content": [{"type": "text", "text": text}]})
    }

    #[test]
    fn a_description_becomes_markdown() {
        let document = json!([
            {"type": "heading", "attrs": {"level": 3}, "content": [{"type": "text", "text": "Steps"}]},
            {"type": "paragraph", "content": [
                {"type": "text", "text": "Press "}, {"type": "text", "text": "now ", "marks": [{"type": "strong"}, {"type": "em"}]},
                {"type": "text", "text": "here", "marks": [{"type": "link", "attrs": {"href": "https://a.example"}}]},
                {"type": "hardBreak"}, {"type": "mention", "attrs": {"id": "5b", "text": "@Ada"}}, {"type": "text", "text": " "},
                {"type": "status", "attrs": {"text": "OPEN"}}, {"type": "text", "text": " x*y* "},
                {"type": "text", "text": "a`b", "marks": [{"type": "code"}]}, {"type": "date", "attrs": {"timestamp": "1767312000000"}},
            ]},
            {"type": "orderedList", "attrs": {"order": 2}, "content": [
                {"type": "listItem", "content": [paragraph("one"), {"type": "bulletList", "content": [{"type": "listItem", "content": [paragraph("in")]}]}]},
                {"type": "listItem", "content": [paragraph("two")]},
            ]},
            {"type": "taskList", "content": [{"type": "taskItem", "attrs": {"state": "DONE"}, "content": [{"type": "text", "text": "done"}]}]},
            {"type": "codeBlock", "attrs": {"language": "sql"}, "content": [{"type": "text", "text": "SELECT *"}]},
            {"type": "panel", "attrs": {"panelType": "info"}, "content": [paragraph("mind")]},
            {"type": "table", "content": [
                {"type": "tableRow", "content": [{"type": "tableHeader", "content": [paragraph("A")]}]},
                {"type": "tableRow", "content": [{"type": "tableCell", "content": [paragraph("1"), paragraph("2")]}]},
            ]},
            {"type": "mediaSingle", "content": [{"type": "media", "attrs": {"id": "x", "alt": "a.png"}}]},
            {"type": "rule"}, {"type": "newThing", "content": [{"type": "text", "text": "new"}]},
        ]);
        assert_eq!(
            doc(&document),
            "### Steps\n\nPress ***now*** [here](https://a.example)\n@Ada [OPEN] x\\*y\\* ``a`b``2026-01-02\n\n\
             2. one\n   - in\n3. two\n\n- [x] done\n\n```sql\nSELECT *\n```\n\n> **info**\n>\n> mind\n\n\
             | A |\n| --- |\n| 1<br>2 |\n\n![a.png]()\n\n---\n\nnew"
        );
    }

    #[test]
    fn what_is_no_document_is_left_out() {
        assert_eq!(markdown(json!("old text")), "old text");
        assert_eq!(markdown(json!({})), "");
        assert_eq!(
            doc(&json!([7, null, {"type": 7}, {"type": "paragraph", "content": "x"}])),
            ""
        );
        assert!(adf_to_markdown(json!(7)).is_err());
    }

    #[test]
    fn deep_documents_are_cut_off() {
        let mut node = paragraph("deep");
        for _ in 0..60 {
            node = json!({"type": "blockquote", "content": [node]});
        }
        let text = doc(&json!([paragraph("top"), node]));
        assert!(text.starts_with("top") && !text.contains("deep"));
    }
}
