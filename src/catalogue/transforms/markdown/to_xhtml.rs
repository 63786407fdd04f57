//! Markdown as XHTML: for mail, and for the "storage format" of Confluence, which has its own element for code.
//!
//! Every text is escaped and every tag is closed here: what was given never becomes a tag.

use serde_json::Value;

use super::to_adf::tick;
use super::{Block, Item, Marks, Span, parse};
use crate::catalogue::transforms::TransformError;

/// A text as HTML that is well-formed XML.
pub(in crate::catalogue::transforms) fn markdown_to_html(
    value: &Value,
) -> Result<Value, TransformError> {
    write(value, Dialect::Html)
}

/// A text in the storage format.
pub(in crate::catalogue::transforms) fn markdown_to_storage(
    value: &Value,
) -> Result<Value, TransformError> {
    write(value, Dialect::Storage)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Html,
    Storage,
}

fn write(value: &Value, dialect: Dialect) -> Result<Value, TransformError> {
    let mut page = Page {
        dialect,
        text: String::new(),
    };
    page.blocks(&parse(value)?);
    Ok(Value::String(page.text))
}

struct Page {
    dialect: Dialect,
    text: String,
}

impl Page {
    fn blocks(&mut self, blocks: &[Block]) {
        for block in blocks {
            self.block(block);
        }
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Paragraph(spans) => self.element("p", |page| page.spans(spans)),
            Block::Heading(level, spans) => {
                self.element(&format!("h{level}"), |page| page.spans(spans));
            }
            Block::Quote(blocks) => self.element("blockquote", |page| page.blocks(blocks)),
            Block::Code { language, text } => self.code(language.as_deref(), text),
            Block::List { start, items } => self.list(*start, items),
            Block::Table(rows) => self.table(rows),
            Block::Rule => self.text.push_str("<hr />"),
        }
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        use std::fmt::Write as _;
        // Writing into a text cannot fail.
        let _ = self.text.write_fmt(text);
    }

    fn element(&mut self, name: &str, inside: impl FnOnce(&mut Self)) {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
        inside(self);
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    fn list(&mut self, start: Option<u64>, items: &[Item]) {
        let name = if start.is_some() { "ol" } else { "ul" };
        match start {
            Some(start) if start != 1 && self.dialect == Dialect::Html => {
                self.write(format_args!("<ol start=\"{start}\">"));
            }
            _ => self.write(format_args!("<{name}>")),
        }
        for item in items {
            self.element("li", |page| page.item(item));
        }
        self.write(format_args!("</{name}>"));
    }

    /// The first line of an item needs no paragraph around it.
    fn item(&mut self, item: &Item) {
        if let Some(checked) = item.checked {
            self.text.push_str(tick(checked));
        }
        match item.blocks.split_first() {
            Some((Block::Paragraph(spans), rest)) => {
                self.spans(spans);
                self.blocks(rest);
            }
            _ => self.blocks(&item.blocks),
        }
    }

    fn table(&mut self, rows: &[Vec<Vec<Span>>]) {
        self.text.push_str("<table><tbody>");
        for (index, row) in rows.iter().enumerate() {
            let name = if index == 0 { "th" } else { "td" };
            self.element("tr", |page| {
                for cell in row {
                    page.element(name, |page| page.spans(cell));
                }
            });
        }
        self.text.push_str("</tbody></table>");
    }

    fn code(&mut self, language: Option<&str>, text: &str) {
        let language = language.filter(|language| {
            language.len() <= 30
                && language
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"+#-_.".contains(&byte))
        });
        match self.dialect {
            Dialect::Html => {
                self.text.push_str("<pre><code");
                if let Some(language) = language {
                    self.write(format_args!(" class=\"language-{language}\""));
                }
                self.text.push('>');
                self.escaped(text);
                self.text.push_str("</code></pre>");
            }
            Dialect::Storage => {
                self.text.push_str("<ac:structured-macro ac:name=\"code\">");
                if let Some(language) = language {
                    self.write(format_args!(
                        "<ac:parameter ac:name=\"language\">{language}</ac:parameter>"
                    ));
                }
                self.text.push_str("<ac:plain-text-body><![CDATA[");
                // The end of such a section cannot be escaped in it, only divided (XML 1.0 section 2.7).
                self.text.push_str(&text.replace("]]>", "]]]]><![CDATA[>"));
                self.text
                    .push_str("]]></ac:plain-text-body></ac:structured-macro>");
            }
        }
    }

    fn spans(&mut self, spans: &[Span]) {
        for span in spans {
            match span {
                Span::Break => self.text.push_str("<br />"),
                Span::Text(text, marks) => self.marked(text, marks),
            }
        }
    }

    fn marked(&mut self, text: &str, marks: &Marks) {
        let strike = match self.dialect {
            Dialect::Html => "s",
            Dialect::Storage => "del",
        };
        let names = [
            (marks.strong, "strong"),
            (marks.emphasis, "em"),
            (marks.strike, strike),
            (marks.code, "code"),
        ];
        let names = names.into_iter().filter(|(is_set, _)| *is_set);
        if let Some(link) = &marks.link {
            self.text.push_str("<a href=\"");
            self.escaped(link);
            self.text.push_str("\">");
        }
        for (_, name) in names.clone() {
            self.write(format_args!("<{name}>"));
        }
        self.escaped(text);
        for (_, name) in names.rev() {
            self.write(format_args!("</{name}>"));
        }
        if marks.link.is_some() {
            self.text.push_str("</a>");
        }
    }

    fn escaped(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '"' => self.text.push_str("&quot;"),
                '\'' => self.text.push_str("&#39;"),
                other => self.text.push(other),
            }
        }
    }
}
