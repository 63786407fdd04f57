//! A document of Google Docs as Markdown: the `Document` of its API (v1), with or without tabs.

use std::collections::HashMap;

use serde_json::Value;

use super::TransformError;
use super::markdown_text as md;

/// Tables and tabs nest no deeper in any document that a person wrote.
const DEEPEST: usize = 16;
/// List levels that the editor offers.
const DEEPEST_LIST: usize = 9;

/// The Markdown of a document: its body, or each of its tabs under its title.
pub(super) fn gdoc_to_markdown(value: &Value) -> Result<Value, TransformError> {
    let mut blocks = Vec::new();
    if let Some(tabs) = value.get("tabs").and_then(Value::as_array) {
        let is_one = tabs.len() == 1 && items(&tabs[0], "childTabs").is_empty();
        for tab in tabs {
            read_tab(tab, is_one, 0, &mut blocks);
        }
    } else if value.get("body").is_some() {
        blocks = Document::of(value).blocks();
    } else {
        return Err(TransformError::Unfit("is no document of Google Docs"));
    }
    Ok(Value::String(md::document(&blocks)))
}

fn read_tab(tab: &Value, is_only: bool, depth: usize, blocks: &mut Vec<String>) {
    if depth > DEEPEST {
        return;
    }
    let title = text_at(tab, "/tabProperties/title");
    if !is_only && !title.is_empty() {
        blocks.push(md::heading(depth + 1, &md::escaped(title)));
    }
    if let Some(document) = tab.get("documentTab") {
        blocks.extend(Document::of(document).blocks());
    }
    for inner in items(tab, "childTabs") {
        read_tab(inner, false, depth + 1, blocks);
    }
}

fn items<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn text_at<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The body of a document or a tab, with what it refers to.
struct Document<'v> {
    content: &'v [Value],
    lists: Option<&'v Value>,
    objects: Option<&'v Value>,
    footnotes: Option<&'v Value>,
}

impl<'v> Document<'v> {
    fn of(value: &'v Value) -> Self {
        Self {
            content: value.get("body").map_or(&[], |body| items(body, "content")),
            lists: value.get("lists"),
            objects: value.get("inlineObjects"),
            footnotes: value.get("footnotes"),
        }
    }

    fn blocks(&self) -> Vec<String> {
        let mut blocks = self.content(self.content, 0);
        let footnotes = self.footnotes.and_then(Value::as_object);
        for (id, footnote) in footnotes.into_iter().flatten() {
            let inside = self.content(items(footnote, "content"), 1).join(" ");
            blocks.push(format!("[^{}]: {}", name(id), md::one_line(&inside)));
        }
        blocks
    }

    /// Paragraphs that are items of lists become one block as long as they follow each other.
    fn content(&self, content: &[Value], depth: usize) -> Vec<String> {
        let mut blocks = Vec::new();
        if depth > DEEPEST {
            return blocks;
        }
        let mut list = List::default();
        for element in content {
            if let Some(paragraph) = element.get("paragraph") {
                let text = self.line(paragraph);
                if let Some(bullet) = paragraph.get("bullet") {
                    list.push(self.ordered(bullet), bullet, &text);
                    continue;
                }
                list.end(&mut blocks);
                blocks.push(styled_paragraph(paragraph, &text));
            } else if let Some(table) = element.get("table") {
                list.end(&mut blocks);
                blocks.push(self.table(table, depth));
            }
        }
        list.end(&mut blocks);
        blocks
    }

    fn table(&self, table: &Value, depth: usize) -> String {
        let cell = |cell: &Value| self.content(items(cell, "content"), depth + 1).join("\n");
        let rows: Vec<Vec<String>> = items(table, "tableRows")
            .iter()
            .map(|row| items(row, "tableCells").iter().map(cell).collect())
            .collect();
        md::table(&rows)
    }

    /// Whether the items of a list have numbers: its glyphs are of a type, and not a symbol.
    fn ordered(&self, bullet: &Value) -> bool {
        let id = text_at(bullet, "/listId");
        let level = nesting(bullet);
        self.lists
            .and_then(|lists| {
                lists
                    .get(id)?
                    .get("listProperties")?
                    .get("nestingLevels")?
                    .get(level)
            })
            .map(|level| text_at(level, "/glyphType"))
            .is_some_and(|glyph| !matches!(glyph, "" | "NONE" | "GLYPH_TYPE_UNSPECIFIED"))
    }

    fn line(&self, paragraph: &Value) -> String {
        let line: String = items(paragraph, "elements")
            .iter()
            .map(|part| self.part(part))
            .collect();
        line.trim_matches(['\n', ' ']).to_owned()
    }

    fn part(&self, part: &Value) -> String {
        if let Some(run) = part.get("textRun") {
            return text_run(run);
        }
        if let Some(person) = part.get("person") {
            let mail = text_at(person, "/personProperties/email");
            let name = text_at(person, "/personProperties/name");
            let shown = if name.is_empty() { mail } else { name };
            return md::link(&md::escaped(shown), &format!("mailto:{mail}"));
        }
        if let Some(link) = part.get("richLink") {
            let title = text_at(link, "/richLinkProperties/title");
            return md::link(
                &md::escaped(title),
                text_at(link, "/richLinkProperties/uri"),
            );
        }
        if let Some(date) = part.get("dateElement") {
            return md::escaped(text_at(date, "/dateElementProperties/displayText"));
        }
        if part.get("inlineObjectElement").is_some() {
            return self.image(text_at(part, "/inlineObjectElement/inlineObjectId"));
        }
        if part.get("footnoteReference").is_some() {
            return format!(
                "[^{}]",
                name(text_at(part, "/footnoteReference/footnoteId"))
            );
        }
        if part.get("horizontalRule").is_some() {
            return "\n---\n".to_owned();
        }
        String::new()
    }

    fn image(&self, id: &str) -> String {
        let object = self.objects.and_then(|objects| {
            objects
                .get(id)?
                .pointer("/inlineObjectProperties/embeddedObject")
        });
        let named = object.map(|object| {
            let title = text_at(object, "/title");
            if title.is_empty() {
                text_at(object, "/description")
            } else {
                title
            }
        });
        // Its address holds for half an hour and for whoever has it: it is not passed on.
        md::image(
            named.filter(|name| !name.is_empty()).unwrap_or("image"),
            None,
        )
    }
}

/// Letters and digits of an id.
fn name(id: &str) -> String {
    id.chars()
        .filter(char::is_ascii_alphanumeric)
        .take(40)
        .collect()
}

fn nesting(bullet: &Value) -> usize {
    let level = bullet.get("nestingLevel").and_then(Value::as_u64);
    level
        .and_then(|level| usize::try_from(level).ok())
        .unwrap_or(0)
        .min(DEEPEST_LIST)
}

fn styled_paragraph(paragraph: &Value, text: &str) -> String {
    match text_at(paragraph, "/paragraphStyle/namedStyleType") {
        "TITLE" => md::heading(1, text),
        "SUBTITLE" => md::marked(&md::one_line(text), "*"),
        style => match style
            .strip_prefix("HEADING_")
            .and_then(|level| level.parse().ok())
        {
            Some(level) => md::heading(level, text),
            None if text.trim() == "---" => "---".to_owned(),
            None => md::paragraph(text),
        },
    }
}

fn text_run(run: &Value) -> String {
    let style = |name: &str| {
        run.pointer(&format!("/textStyle/{name}"))
            .and_then(Value::as_bool)
            == Some(true)
    };
    // A vertical tab is a line break inside of a paragraph.
    let words = text_at(run, "/content").replace('\u{b}', "\n");
    let mut written = md::escaped(&words);
    for (name, mark) in [("strikethrough", "~~"), ("italic", "*"), ("bold", "**")] {
        if style(name) {
            written = md::marked(&written, mark);
        }
    }
    let url = text_at(run, "/textStyle/link/url");
    if url.is_empty() || words.trim().is_empty() {
        return written;
    }
    md::link(&written, url)
}

/// Items of lists that follow each other.
#[derive(Default)]
struct List {
    lines: Vec<String>,
    /// How many items each list has had, by its id and level.
    counted: HashMap<(String, usize), u64>,
}

impl List {
    fn push(&mut self, ordered: bool, bullet: &Value, text: &str) {
        let level = nesting(bullet);
        let id = text_at(bullet, "/listId");
        // A new item of an outer level starts the inner ones again.
        self.counted
            .retain(|(list, inner), _| list != id || *inner <= level);
        let count = self.counted.entry((id.to_owned(), level)).or_insert(0);
        *count += 1;
        let marker = if ordered {
            format!("{count}.")
        } else {
            "-".to_owned()
        };
        let indent = "   ".repeat(level);
        let item = md::item(&marker, &[text.to_owned()]);
        self.lines
            .extend(item.lines().map(|line| format!("{indent}{line}")));
    }

    fn end(&mut self, blocks: &mut Vec<String>) {
        if !self.lines.is_empty() {
            blocks.push(std::mem::take(&mut self.lines).join("\n"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn markdown(document: &Value) -> String {
        let value = gdoc_to_markdown(document).unwrap();
        value.as_str().unwrap().to_owned()
    }

    fn paragraph(style: &str, text: &str) -> Value {
        json!({"paragraph": {"paragraphStyle": {"namedStyleType": style}, "elements": [{"textRun": {"content": text}}]}})
    }

    fn item(list: &str, level: u64, text: &str) -> Value {
        json!({"paragraph": {"bullet": {"listId": list, "nestingLevel": level}, "elements": [{"textRun": {"content": text}}]}})
    }

    #[test]
    fn a_document_becomes_markdown() {
        let document = json!({
            "title": "Plan",
            "lists": {"n": {"listProperties": {"nestingLevels": [{"glyphType": "DECIMAL"}, {"glyphSymbol": "●"}]}}},
            "inlineObjects": {"o": {"inlineObjectProperties": {"embeddedObject": {"title": "Chart"}}}},
            "footnotes": {"f.1": {"content": [paragraph("NORMAL_TEXT", "A note\n")]}},
            "body": {"content": [
                {"sectionBreak": {}},
                paragraph("TITLE", "Plan\n"), paragraph("HEADING_2", "Aims_\n"), paragraph("NORMAL_TEXT", "\n"),
                {"paragraph": {"elements": [
                    {"textRun": {"content": "We ship ", "textStyle": {}}}, {"textRun": {"content": "soon ", "textStyle": {"bold": true, "italic": true}}},
                    {"textRun": {"content": "here", "textStyle": {"link": {"url": "https://a.example"}}}},
                    {"footnoteReference": {"footnoteId": "f.1", "footnoteNumber": "1"}},
                    {"person": {"personProperties": {"name": "Ada", "email": "ada@a.example"}}},
                    {"richLink": {"richLinkProperties": {"title": "Sheet", "uri": "https://b.example"}}},
                    {"inlineObjectElement": {"inlineObjectId": "o"}}, {"textRun": {"content": "\n"}},
                ]}},
                item("n", 0, "one\n"), item("n", 1, "in\n"), item("n", 0, "two\n"),
                {"table": {"tableRows": [
                    {"tableCells": [{"content": [paragraph("NORMAL_TEXT", "A\n")]}, {"content": [paragraph("NORMAL_TEXT", "B\n")]}]},
                    {"tableCells": [{"content": [paragraph("NORMAL_TEXT", "1\n")]}, {"content": []}]},
                ]}},
            ]},
        });
        assert_eq!(
            markdown(&document),
            "# Plan\n\n## Aims\\_\n\nWe ship ***soon*** [here](https://a.example)[^f1][Ada](mailto:ada@a.example)[Sheet](https://b.example)![Chart]()\n\n\
             1. one\n   - in\n2. two\n\n| A | B |\n| --- | --- |\n| 1 |  |\n\n[^f1]: A note"
        );
    }

    #[test]
    fn tabs_stand_under_their_titles() {
        let tab = |title: &str, text: &str, inner: Value| json!({"tabProperties": {"title": title}, "documentTab": {"body": {"content": [paragraph("NORMAL_TEXT", text)]}}, "childTabs": inner});
        assert_eq!(
            markdown(&json!({"tabs": [tab("Tab 1", "a\n", json!([]))]})),
            "a"
        );
        assert_eq!(
            markdown(
                &json!({"tabs": [tab("One", "a\n", json!([tab("In", "b\n", json!([]))])), tab("Two", "c\n", json!([]))]})
            ),
            "# One\n\na\n\n## In\n\nb\n\n# Two\n\nc"
        );
    }

    #[test]
    fn what_is_no_document_is_left_out() {
        assert!(gdoc_to_markdown(&json!({"id": 1})).is_err());
        assert_eq!(
            markdown(
                &json!({"body": {"content": [7, {"paragraph": []}, {"table": {"tableRows": 7}}]}})
            ),
            ""
        );
        let mut table = json!([]);
        for _ in 0..40 {
            table = json!([{"table": {"tableRows": [{"tableCells": [{"content": table}]}]}}]);
        }
        markdown(&json!({"body": {"content": table}}));
    }
}
