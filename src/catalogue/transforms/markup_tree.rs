//! HTML and Confluence's storage format as a tree, whatever is sent: bounded in depth and in size, never refused.
//!
//! Owns the tree and how tags nest. The tokens are those of the WHATWG standard (section 13.2.5); tree construction is a
//! short version of section 13.2.6, enough to read text in order, and linear in time.

use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer};

/// Elements nest no deeper; what is deeper stands beside.
const DEEPEST: usize = 48;
/// No more tags and texts are read.
const MOST_NODES: usize = 100_000;
/// No more text is read, in bytes.
const LONGEST_INPUT: usize = 4 << 20;

/// A part of a document.
#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    Element(Element),
}

/// An element and what stands in it.
#[derive(Debug, Default)]
pub(super) struct Element {
    /// In lower case, as tokens have it.
    pub(super) name: String,
    attributes: Vec<(String, String)>,
    pub(super) children: Vec<Node>,
    /// Whether it, or something in it, stands on lines of its own.
    pub(super) holds_blocks: bool,
}

/// Which language a text is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    /// Only void elements close themselves.
    Html,
    /// Every tag may close itself, and there is CDATA.
    Storage,
}

impl Element {
    /// The value of an attribute; the name is in lower case.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        attributes
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The elements right inside.
    pub(super) fn elements(&self) -> impl Iterator<Item = &Element> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The first element of that name right inside.
    pub(super) fn child(&self, name: &str) -> Option<&Element> {
        self.elements().find(|element| element.name == name)
    }

    /// All text inside, as it is.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        self.collect_text(&mut text);
        text
    }

    fn collect_text(&self, text: &mut String) {
        for node in &self.children {
            match node {
                Node::Text(words) => text.push_str(words),
                Node::Element(element) if element.name == "br" => text.push('\n'),
                Node::Element(element) => element.collect_text(text),
            }
        }
    }
}

/// Reads a document.
pub(super) fn parse(text: &str, language: Language) -> Vec<Node> {
    let mut end = text.len().min(LONGEST_INPUT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let plain;
    let input = match language {
        Language::Html => &text[..end],
        Language::Storage => {
            plain = without_cdata(&text[..end]);
            plain.as_str()
        }
    };
    let mut emitter: DefaultEmitter = DefaultEmitter::default();
    emitter.naively_switch_states(language == Language::Html);
    let mut builder = Builder {
        language,
        open: vec![Element::default()],
    };
    for Ok(token) in Tokenizer::new_with_emitter(input, emitter).take(MOST_NODES) {
        match token {
            Token::StartTag(tag) => builder.start(&tag),
            Token::EndTag(tag) => builder.end(&String::from_utf8_lossy(&tag.name)),
            Token::String(words) => builder.text(&String::from_utf8_lossy(&words)),
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    builder.finish()
}

/// The same with the content of CDATA sections written as text (XML 1.0 section 2.7).
fn without_cdata(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<![CDATA[") {
        plain.push_str(before);
        let (inside, after) = after.split_once("]]>").unwrap_or((after, ""));
        plain.push_str(&inside.replace('&', "&amp;").replace('<', "&lt;"));
        rest = after;
    }
    plain.push_str(rest);
    plain
}

struct Builder {
    language: Language,
    /// The elements that are open; the first stands for the document.
    open: Vec<Element>,
}

impl Builder {
    fn text(&mut self, words: &str) {
        if let Some(open) = self.open.last_mut() {
            open.children.push(Node::Text(words.to_owned()));
        }
    }

    fn start(&mut self, tag: &StartTag<()>) {
        let name = String::from_utf8_lossy(&tag.name).into_owned();
        for (closed, limits) in closed_by(&name) {
            self.close(closed, limits);
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let attributes = tag.attributes.iter();
        let element = Element {
            holds_blocks: is_block(&name),
            attributes: attributes
                .map(|(name, value)| (text(name), text(value)))
                .collect(),
            name,
            children: Vec::new(),
        };
        let closes_itself =
            is_void(&element.name) || (tag.self_closing && self.language == Language::Storage);
        self.open.push(element);
        if closes_itself || self.open.len() > DEEPEST {
            self.close_last();
        }
    }

    fn end(&mut self, name: &str) {
        if !is_void(name) {
            self.close(name, &[]);
        }
    }

    /// Closes the innermost open element of that name and all in it, unless one of `limits` is met before.
    fn close(&mut self, name: &str, limits: &[&str]) {
        let mut inside_out = self.open.iter().enumerate().skip(1).rev();
        let found =
            inside_out.find(|(_, open)| open.name == name || limits.contains(&open.name.as_str()));
        let Some((at, open)) = found else {
            return;
        };
        if open.name == name {
            while self.open.len() > at {
                self.close_last();
            }
        }
    }

    fn close_last(&mut self) {
        if let Some(element) = self.open.pop()
            && let Some(parent) = self.open.last_mut()
        {
            parent.holds_blocks |= element.holds_blocks;
            parent.children.push(Node::Element(element));
        }
    }

    fn finish(mut self) -> Vec<Node> {
        while self.open.len() > 1 {
            self.close_last();
        }
        self.open
            .pop()
            .map(|document| document.children)
            .unwrap_or_default()
    }
}

/// Which open elements a start tag closes, and where the search for them ends.
fn closed_by(name: &str) -> &'static [(&'static str, &'static [&'static str])] {
    match name {
        "li" => &[("li", &["ul", "ol"])],
        "dt" | "dd" => &[("dt", &["dl"]), ("dd", &["dl"])],
        "tr" => &[("td", &["table"]), ("th", &["table"]), ("tr", &["table"])],
        "td" | "th" => &[("td", &["table", "tr"]), ("th", &["table", "tr"])],
        "tbody" | "thead" | "tfoot" => &[("tr", &["table"])],
        "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "ul" | "ol" | "div" | "table" | "pre"
        | "blockquote" | "hr" => &[("p", &["td", "th", "li", "div", "blockquote", "table"])],
        _ => &[],
    }
}

/// Elements without content (WHATWG section 13.1.2).
fn is_void(name: &str) -> bool {
    matches!(
        name,
        "area"
            | "base"
            | "br"
            | "col"
            | "embed"
            | "hr"
            | "img"
            | "input"
            | "link"
            | "meta"
            | "source"
            | "track"
            | "wbr"
    )
}

/// Elements that stand on lines of their own.
pub(super) fn is_block(name: &str) -> bool {
    matches!(
        name,
        "address"
            | "article"
            | "aside"
            | "blockquote"
            | "body"
            | "center"
            | "dd"
            | "details"
            | "div"
            | "dl"
            | "dt"
            | "fieldset"
            | "figcaption"
            | "figure"
            | "footer"
            | "form"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "header"
            | "hr"
            | "html"
            | "li"
            | "main"
            | "nav"
            | "ol"
            | "p"
            | "pre"
            | "section"
            | "summary"
            | "table"
            | "tbody"
            | "td"
            | "tfoot"
            | "th"
            | "thead"
            | "tr"
            | "ul"
            | "ac:layout"
            | "ac:layout-section"
            | "ac:layout-cell"
            | "ac:rich-text-body"
            | "ac:task-list"
            | "ac:task"
            | "ac:adf-extension"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree in a short form: `name(children)`.
    fn shown(nodes: &[Node]) -> String {
        let parts: Vec<String> = nodes
            .iter()
            .map(|node| match node {
                Node::Text(text) => text.clone(),
                Node::Element(element) => format!("{}({})", element.name, shown(&element.children)),
            })
            .collect();
        parts.join(" ")
    }

    fn html(text: &str) -> String {
        shown(&parse(text, Language::Html))
    }

    #[test]
    fn tags_that_nobody_closes_are_closed() {
        assert_eq!(
            html("<ul><li>a<li>b<ul><li>c</ul></ul>"),
            "ul(li(a) li(b ul(li(c))))"
        );
        assert_eq!(html("<p>a<p>b<br>c"), "p(a) p(b br() c)");
        assert_eq!(
            html("<table><tr><td>a<td>b<tr><td>c</table>"),
            "table(tr(td(a) td(b)) tr(td(c)))"
        );
        assert_eq!(html("a</b></p><i>b"), "a i(b)");
        assert_eq!(
            html("<script>if (a<b) {}</script>x&amp;y"),
            "script(if (a<b) {}) x&y"
        );
    }

    #[test]
    fn storage_closes_its_tags_and_has_cdata() {
        let text = "<ac:image ac:width=\"1\"><ri:attachment ri:filename=\"a.png\" /></ac:image><![CDATA[a <b> && ]]]>c";
        let nodes = parse(text, Language::Storage);
        assert_eq!(shown(&nodes), "ac:image(ri:attachment()) a <b> && ]c");
        let Node::Element(image) = &nodes[0] else {
            panic!("an element")
        };
        assert_eq!(
            image
                .child("ri:attachment")
                .unwrap()
                .attribute("ri:filename"),
            Some("a.png")
        );
    }

    #[test]
    fn nothing_nests_deeper_than_the_limit() {
        fn depth(nodes: &[Node]) -> usize {
            let inner = nodes.iter().map(|node| match node {
                Node::Text(_) => 1,
                Node::Element(element) => 1 + depth(&element.children),
            });
            inner.max().unwrap_or(0)
        }
        let nodes = parse(&format!("{}x", "<div>".repeat(200_000)), Language::Html);
        assert!(depth(&nodes) <= DEEPEST, "{}", depth(&nodes));
        let nodes = parse(&"<b><p>".repeat(50_000), Language::Storage);
        assert!(depth(&nodes) <= DEEPEST);
    }
}
