//! The parser's events, made into a tree without recursion.

use pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};
use url::Url;

use super::{Block, DEEPEST, Item, Marks, Span};

/// What is open while the events come.
#[derive(Debug, Default)]
pub(super) struct Builder {
    finished: Frame,
    open: Vec<Frame>,
    /// How many quotes and lists are open. Counted, not looked for: a text can open a hundred thousand.
    depth: usize,
    marks: Open,
    code: Option<(Option<String>, String)>,
}

/// A container that is open, and what came into it so far.
#[derive(Debug, Default)]
struct Frame {
    holds: Holds,
    blocks: Vec<Block>,
    spans: Vec<Span>,
}

#[derive(Debug, Default)]
enum Holds {
    /// The page, or a container too deep to be one: its content goes to what is around it.
    #[default]
    Through,
    Quote,
    List(Option<u64>, Vec<Item>),
    Item(Option<bool>),
    Table(Vec<Vec<Vec<Span>>>),
    Row(Vec<Vec<Span>>),
}

/// How often each mark is open.
#[derive(Debug, Default)]
struct Open {
    strong: usize,
    emphasis: usize,
    strike: usize,
    links: Vec<Option<String>>,
}

impl Builder {
    /// Takes one event; starts and ends are balanced.
    pub(super) fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => match &mut self.code
            {
                Some((_, code)) => code.push_str(&cleaned(&text)),
                None => self.text(&text, false),
            },
            Event::Code(text) => self.text(&text, true),
            Event::SoftBreak => self.text(" ", false),
            Event::HardBreak => self.frame().spans.push(Span::Break),
            Event::Rule => self.push(Block::Rule),
            Event::TaskListMarker(is_checked) => {
                if let Holds::Item(checked) = &mut self.frame().holds {
                    *checked = Some(is_checked);
                }
            }
            // Of extensions that are not switched on.
            Event::InlineMath(text) | Event::DisplayMath(text) | Event::FootnoteReference(text) => {
                self.text(&text, false);
            }
        }
    }

    /// The tree.
    pub(super) fn finish(mut self) -> Vec<Block> {
        while !self.open.is_empty() {
            self.close();
        }
        self.finished.paragraph();
        self.finished.blocks
    }

    fn frame(&mut self) -> &mut Frame {
        self.open.last_mut().unwrap_or(&mut self.finished)
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::BlockQuote(_) => self.open_container(Holds::Quote),
            Tag::List(start) => self.open_container(Holds::List(start, Vec::new())),
            Tag::Item => {
                let is_list = matches!(self.frame().holds, Holds::List(..));
                self.open(if is_list {
                    Holds::Item(None)
                } else {
                    Holds::Through
                });
            }
            Tag::Table(_) => self.open(Holds::Table(Vec::new())),
            Tag::TableHead | Tag::TableRow => self.open(Holds::Row(Vec::new())),
            Tag::CodeBlock(kind) => {
                self.frame().paragraph();
                let language = match kind {
                    CodeBlockKind::Fenced(info) => {
                        info.split_whitespace().next().map(str::to_owned)
                    }
                    CodeBlockKind::Indented => None,
                };
                self.code = Some((language, String::new()));
            }
            Tag::Strong => self.marks.strong += 1,
            Tag::Emphasis => self.marks.emphasis += 1,
            Tag::Strikethrough => self.marks.strike += 1,
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.marks.links.push(address(&dest_url));
            }
            Tag::TableCell => {}
            _ => self.frame().paragraph(),
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::BlockQuote(_)
            | TagEnd::List(_)
            | TagEnd::Item
            | TagEnd::Table
            | TagEnd::TableHead
            | TagEnd::TableRow => self.close(),
            TagEnd::TableCell => {
                let frame = self.frame();
                let spans = std::mem::take(&mut frame.spans);
                if let Holds::Row(cells) = &mut frame.holds {
                    cells.push(spans);
                }
            }
            TagEnd::Heading(level) => {
                let spans = std::mem::take(&mut self.frame().spans);
                if !spans.is_empty() {
                    self.push(Block::Heading(level as u8, spans));
                }
            }
            TagEnd::CodeBlock => {
                if let Some((language, text)) = self.code.take() {
                    let text = text.strip_suffix('\n').unwrap_or(&text).to_owned();
                    self.push(Block::Code { language, text });
                }
            }
            TagEnd::Strong => self.marks.strong = self.marks.strong.saturating_sub(1),
            TagEnd::Emphasis => self.marks.emphasis = self.marks.emphasis.saturating_sub(1),
            TagEnd::Strikethrough => self.marks.strike = self.marks.strike.saturating_sub(1),
            TagEnd::Link | TagEnd::Image => {
                self.marks.links.pop();
            }
            _ => self.frame().paragraph(),
        }
    }

    fn open_container(&mut self, holds: Holds) {
        if self.depth < DEEPEST {
            self.depth += 1;
            self.open(holds);
        } else {
            self.open(Holds::Through);
        }
    }

    fn open(&mut self, holds: Holds) {
        self.frame().paragraph();
        self.open.push(Frame {
            holds,
            ..Frame::default()
        });
    }

    /// Closes the innermost container and gives it to the one around it.
    fn close(&mut self) {
        let Some(mut frame) = self.open.pop() else {
            return;
        };
        if matches!(frame.holds, Holds::Quote | Holds::List(..)) {
            self.depth = self.depth.saturating_sub(1);
        }
        frame.paragraph();
        let blocks = frame.blocks;
        match frame.holds {
            Holds::Through => self.frame().blocks.extend(blocks),
            Holds::Quote if blocks.is_empty() => {}
            Holds::Quote => self.push(Block::Quote(blocks)),
            Holds::List(_, items) if items.is_empty() => {}
            Holds::List(start, items) => self.push(Block::List { start, items }),
            Holds::Item(checked) => {
                if let Holds::List(_, items) = &mut self.frame().holds {
                    items.push(Item { checked, blocks });
                }
            }
            Holds::Row(cells) => {
                if let Holds::Table(rows) = &mut self.frame().holds {
                    rows.push(cells);
                }
            }
            Holds::Table(rows) => self.push(Block::Table(of_one_width(rows))),
        }
    }

    fn push(&mut self, block: Block) {
        let frame = self.frame();
        frame.paragraph();
        frame.blocks.push(block);
    }

    fn text(&mut self, text: &str, code: bool) {
        let text = cleaned(text);
        if text.is_empty() {
            return;
        }
        let marks = Marks {
            strong: self.marks.strong > 0,
            emphasis: self.marks.emphasis > 0,
            strike: self.marks.strike > 0,
            code,
            link: self.marks.links.iter().flatten().next_back().cloned(),
        };
        let spans = &mut self.frame().spans;
        match spans.last_mut() {
            Some(Span::Text(before, same)) if *same == marks => before.push_str(&text),
            _ => spans.push(Span::Text(text, marks)),
        }
    }
}

impl Frame {
    /// Ends the line that is being written: items of tight lists have text without a paragraph around it.
    fn paragraph(&mut self) {
        let mut spans = std::mem::take(&mut self.spans);
        while spans.last() == Some(&Span::Break) {
            spans.pop();
        }
        if !spans.is_empty() {
            self.blocks.push(Block::Paragraph(spans));
        }
    }
}

/// Rows as long as the head: a provider refuses a table that is not.
fn of_one_width(mut rows: Vec<Vec<Vec<Span>>>) -> Vec<Vec<Vec<Span>>> {
    let width = rows.first().map_or(0, Vec::len);
    for row in &mut rows {
        row.resize(width, Vec::new());
    }
    rows
}

/// Only a whole address of a kind that a person can follow from anywhere.
fn address(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    matches!(url.scheme(), "http" | "https" | "mailto").then(|| url.to_string())
}

/// Without characters that XML cannot carry at all (XML 1.0 section 2.2) and nobody can see.
fn cleaned(text: &str) -> String {
    let is_kept = |c: &char| {
        (!c.is_control() || matches!(c, '\n' | '\t')) && !matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    text.chars().filter(is_kept).collect()
}
