//! Reads a tree of markup into blocks of text, as plain text or as Markdown.
//!
//! What a person would not see is not read: scripts, styles, and what is hidden by its own style, a place where orders for
//! models are put.

use super::markdown_text as md;
use super::markup_tree::{Element, Node};

/// What becomes of markup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// Text for reading: nothing is escaped, tables that only arrange are not drawn.
    Text,
    /// Markdown that means the same.
    Markdown,
}

/// What a language has beyond the elements of HTML.
pub(super) trait Dialect {
    /// The blocks of an element that stands on its own; nothing when the language says nothing of it.
    fn blocks(&self, reader: &Reader<'_>, element: &Element) -> Option<Vec<String>>;
    /// The text of an element within a line, already in the output's form.
    fn inline(&self, reader: &Reader<'_>, element: &Element) -> Option<String>;
}

/// Reads with one output and one dialect.
pub(super) struct Reader<'d> {
    pub(super) output: Output,
    pub(super) dialect: &'d dyn Dialect,
}

impl Reader<'_> {
    /// The blocks in `nodes`, in order.
    pub(super) fn blocks(&self, nodes: &[Node]) -> Vec<String> {
        let mut blocks = Vec::new();
        let mut line = String::new();
        for node in nodes {
            let found = match node {
                Node::Element(element) => self.own_blocks(element),
                Node::Text(_) => None,
            };
            match found {
                Some(found) => {
                    self.end_line(&mut line, &mut blocks);
                    blocks.extend(found);
                }
                None => self.inline(node, &mut line),
            }
        }
        self.end_line(&mut line, &mut blocks);
        blocks
    }

    fn end_line(&self, line: &mut String, blocks: &mut Vec<String>) {
        let text = tidy(&std::mem::take(line));
        if !text.is_empty() {
            blocks.push(match self.output {
                Output::Markdown => md::paragraph(&text),
                Output::Text => text,
            });
        }
    }

    /// The blocks of an element; nothing when it stands within a line.
    fn own_blocks(&self, element: &Element) -> Option<Vec<String>> {
        if is_hidden(element) {
            return Some(Vec::new());
        }
        if let Some(blocks) = self.dialect.blocks(self, element) {
            return Some(blocks);
        }
        Some(match element.name.as_str() {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => vec![self.heading(element)],
            "ul" => vec![self.list(element, None)],
            "ol" => {
                let start = element
                    .attribute("start")
                    .and_then(|start| start.parse().ok());
                vec![self.list(element, Some(start.unwrap_or(1)))]
            }
            "pre" => vec![self.code_block("", &element.text())],
            "blockquote" => vec![md::quote(&md::document(&self.blocks(&element.children)))],
            "hr" => vec!["---".to_owned()],
            "table" => self.table(element),
            "a" => return None,
            _ if element.holds_blocks => self.blocks(&element.children),
            _ => return None,
        })
    }

    fn heading(&self, element: &Element) -> String {
        let text = self.line(&element.children);
        match self.output {
            Output::Text => md::one_line(&text),
            Output::Markdown => {
                let level = element
                    .name
                    .bytes()
                    .last()
                    .map_or(1, |digit| digit.saturating_sub(b'0'));
                md::heading(usize::from(level), &text)
            }
        }
    }

    /// Lines of code.
    pub(super) fn code_block(&self, language: &str, text: &str) -> String {
        match self.output {
            Output::Text => text.trim_matches('\n').to_owned(),
            Output::Markdown => md::fence(language, text.trim_matches('\n')),
        }
    }

    fn list(&self, element: &Element, start: Option<u32>) -> String {
        let mut items = Vec::new();
        let mut number = start.unwrap_or(0);
        for inner in element.elements().filter(|inner| !is_hidden(inner)) {
            let blocks = if inner.name == "li" {
                self.blocks(&inner.children)
            } else {
                // A list right inside of a list belongs to no item.
                self.own_blocks(inner).unwrap_or_default()
            };
            if blocks.is_empty() {
                continue;
            }
            let marker = match start {
                Some(_) => format!("{number}."),
                None => "-".to_owned(),
            };
            number = number.saturating_add(1);
            items.push(md::item(&marker, &blocks));
        }
        items.join("\n")
    }

    fn table(&self, element: &Element) -> Vec<String> {
        let mut rows = Vec::new();
        collect_rows(element, &mut rows);
        match self.output {
            Output::Markdown => {
                let rows: Vec<Vec<String>> = rows
                    .iter()
                    .map(|row| {
                        cells(row)
                            .map(|cell| self.blocks(&cell.children).join("\n"))
                            .collect()
                    })
                    .collect();
                vec![md::table(&rows)]
            }
            Output::Text => self.text_table(&rows),
        }
    }

    /// A row of short cells is a line; the cells of any other row are blocks: in mail, tables arrange pages.
    fn text_table(&self, rows: &[&Element]) -> Vec<String> {
        let mut blocks: Vec<String> = Vec::new();
        let mut lines: Vec<String> = Vec::new();
        for row in rows {
            let cells: Vec<Vec<String>> = cells(row)
                .map(|cell| self.blocks(&cell.children))
                .filter(|blocks| !blocks.is_empty())
                .collect();
            let is_line = cells
                .iter()
                .all(|blocks| blocks.len() == 1 && !blocks[0].contains('\n'));
            if is_line && cells.len() > 1 {
                let cells: Vec<&str> = cells.iter().map(|blocks| blocks[0].as_str()).collect();
                lines.push(cells.join(" | "));
                continue;
            }
            if !lines.is_empty() {
                blocks.push(std::mem::take(&mut lines).join("\n"));
            }
            blocks.extend(cells.into_iter().flatten());
        }
        if !lines.is_empty() {
            blocks.push(lines.join("\n"));
        }
        blocks
    }

    /// Everything in `nodes` on one line.
    pub(super) fn line(&self, nodes: &[Node]) -> String {
        let mut line = String::new();
        for node in nodes {
            self.inline(node, &mut line);
        }
        tidy(&line)
    }

    fn inline(&self, node: &Node, line: &mut String) {
        let element = match node {
            Node::Text(text) => return self.push_text(text, line),
            Node::Element(element) => element,
        };
        if is_hidden(element) {
            return;
        }
        if let Some(text) = self.dialect.inline(self, element) {
            line.push_str(&text);
            return;
        }
        let inner = || {
            let mut inner = String::new();
            element
                .children
                .iter()
                .for_each(|node| self.inline(node, &mut inner));
            inner
        };
        let is_markdown = self.output == Output::Markdown;
        match element.name.as_str() {
            "br" => line.push('\n'),
            "strong" | "b" if is_markdown => line.push_str(&md::marked(&inner(), "**")),
            "em" | "i" if is_markdown => line.push_str(&md::marked(&inner(), "*")),
            "del" | "s" | "strike" if is_markdown => line.push_str(&md::marked(&inner(), "~~")),
            "code" | "kbd" | "samp" | "tt" if is_markdown => {
                line.push_str(&md::code(&element.text()));
            }
            "a" => {
                line.push_str(&self.link(&inner(), element.attribute("href").unwrap_or_default()));
            }
            "img" => line.push_str(&self.image(element)),
            _ if element.holds_blocks => {
                line.push(' ');
                line.push_str(&inner());
                line.push(' ');
            }
            _ => line.push_str(&inner()),
        }
    }

    /// Text with its white space as single spaces.
    fn push_text(&self, text: &str, line: &mut String) {
        let mut plain = String::with_capacity(text.len());
        let mut gap = line.is_empty() || line.ends_with(char::is_whitespace);
        for character in text.chars() {
            if character.is_whitespace() {
                if !gap {
                    plain.push(' ');
                }
                gap = true;
            } else {
                plain.push(character);
                gap = false;
            }
        }
        match self.output {
            Output::Markdown => line.push_str(&md::escaped(&plain)),
            Output::Text => line.push_str(&plain),
        }
    }

    /// A link with the text that stands in it.
    pub(super) fn link(&self, text: &str, url: &str) -> String {
        if self.output == Output::Markdown {
            return md::link(text, url);
        }
        let shown = md::one_line(text);
        let url = url.trim();
        let bare = url.strip_prefix("mailto:").unwrap_or(url);
        if !md::is_address(url)
            || shown == bare
            || shown.trim_end_matches('/') == url.trim_end_matches('/')
        {
            return text.to_owned();
        }
        if shown.is_empty() {
            return bare.to_owned();
        }
        format!("{shown} ({bare})")
    }

    /// Only what it shows: in mail, images without a text are for counting readers.
    fn image(&self, element: &Element) -> String {
        let name = md::one_line(element.attribute("alt").unwrap_or_default());
        match self.output {
            Output::Markdown => md::image(&name, element.attribute("src")),
            Output::Text => name,
        }
    }
}

/// The rows of a table, not those of tables inside of it.
fn collect_rows<'e>(element: &'e Element, rows: &mut Vec<&'e Element>) {
    for inner in element.elements().filter(|inner| !is_hidden(inner)) {
        match inner.name.as_str() {
            "tr" => rows.push(inner),
            "tbody" | "thead" | "tfoot" => collect_rows(inner, rows),
            _ => {}
        }
    }
}

fn cells(row: &Element) -> impl Iterator<Item = &Element> {
    let mut elements = row.elements();
    std::iter::from_fn(move || {
        elements.find(|cell| matches!(cell.name.as_str(), "td" | "th") && !is_hidden(cell))
    })
}

fn is_hidden(element: &Element) -> bool {
    if matches!(
        element.name.as_str(),
        "script"
            | "style"
            | "head"
            | "title"
            | "template"
            | "svg"
            | "noscript"
            | "iframe"
            | "object"
            | "select"
    ) {
        return true;
    }
    if element.attribute("hidden").is_some() {
        return true;
    }
    element.attribute("style").is_some_and(|style| {
        let style: String = style
            .chars()
            .filter(|c| !c.is_whitespace())
            .map(|c| c.to_ascii_lowercase())
            .collect();
        style.contains("display:none") || style.contains("visibility:hidden")
    })
}

/// Lines without white space at their ends, and no empty ones.
fn tidy(text: &str) -> String {
    let lines: Vec<&str> = text
        .split('\n')
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    lines.join("\n")
}
