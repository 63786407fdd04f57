//! Confluence's storage format as Markdown (XHTML with macros: "Confluence Storage Format" in Atlassian's documentation).

use serde_json::Value;

use super::markdown_text as md;
use super::markup_blocks::{Dialect, Output, Reader};
use super::markup_tree::{Element, Language, parse};
use super::{TransformError, text};

/// The Markdown of a page's body.
pub(super) fn storage_to_markdown(value: &Value) -> Result<Value, TransformError> {
    let reader = Reader {
        output: Output::Markdown,
        dialect: &Storage,
    };
    let blocks = reader.blocks(&parse(text(value)?, Language::Storage));
    Ok(Value::String(md::document(&blocks)))
}

struct Storage;

impl Dialect for Storage {
    fn blocks(&self, reader: &Reader<'_>, element: &Element) -> Option<Vec<String>> {
        Some(match element.name.as_str() {
            "ac:structured-macro" | "ac:macro" => return macro_blocks(reader, element),
            "ac:task-list" => vec![tasks(reader, element)],
            "ac:adf-extension" => {
                let shown = element
                    .child("ac:adf-fallback")
                    .or_else(|| element.child("ac:adf-node")?.child("ac:adf-content"));
                shown
                    .map(|shown| reader.blocks(&shown.children))
                    .unwrap_or_default()
            }
            "ac:placeholder" => Vec::new(),
            _ => return None,
        })
    }

    fn inline(&self, reader: &Reader<'_>, element: &Element) -> Option<String> {
        Some(match element.name.as_str() {
            "ac:structured-macro" | "ac:macro" => inline_macro(reader, element),
            "ac:link" => link(reader, element),
            "ac:image" => image(element),
            "ac:emoticon" => element
                .attribute("ac:emoji-fallback")
                .or(element.attribute("ac:emoji-shortname"))
                .or(element.attribute("ac:name"))
                .unwrap_or_default()
                .to_owned(),
            "time" => element.attribute("datetime").unwrap_or_default().to_owned(),
            "ac:placeholder" | "ac:parameter" => String::new(),
            _ => return None,
        })
    }
}

fn name_of(element: &Element) -> &str {
    element.attribute("ac:name").unwrap_or_default()
}

fn parameter(element: &Element, name: &str) -> Option<String> {
    let mut parameters = element.elements();
    parameters
        .find(|inner| inner.name == "ac:parameter" && name_of(inner) == name)
        .map(|inner| md::one_line(&inner.text()))
        .filter(|text| !text.is_empty())
}

/// The blocks of a macro; nothing for one that stands within a line.
fn macro_blocks(reader: &Reader<'_>, element: &Element) -> Option<Vec<String>> {
    let body = || {
        let rich = element.child("ac:rich-text-body");
        rich.map(|rich| reader.blocks(&rich.children))
            .unwrap_or_default()
    };
    Some(match name_of(element) {
        "code" | "noformat" => {
            let text = element
                .child("ac:plain-text-body")
                .map(Element::text)
                .unwrap_or_default();
            let language = parameter(element, "language").unwrap_or_default();
            vec![reader.code_block(&language, &text)]
        }
        kind @ ("info" | "note" | "warning" | "tip" | "panel") => {
            let title = parameter(element, "title").map(|title| md::escaped(&title));
            let title = title.unwrap_or_else(|| {
                if kind == "panel" {
                    String::new()
                } else {
                    capital(kind)
                }
            });
            let mut blocks = body();
            if !title.is_empty() {
                blocks.insert(0, format!("**{title}**"));
            }
            vec![md::quote(&md::document(&blocks))]
        }
        "expand" | "details" => {
            let mut blocks = body();
            if let Some(title) = parameter(element, "title") {
                blocks.insert(0, format!("**{}**", md::escaped(&title)));
            }
            blocks
        }
        // They show what stands elsewhere, and hold nothing.
        "toc" | "children" | "pagetree" | "recently-updated" | "contentbylabel" | "anchor" => {
            Vec::new()
        }
        _ if element.child("ac:rich-text-body").is_some() => body(),
        _ => return None,
    })
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

fn inline_macro(reader: &Reader<'_>, element: &Element) -> String {
    let named = |name: &str| parameter(element, name).map(|text| md::escaped(&text));
    match name_of(element) {
        "status" => named("title")
            .map(|title| format!("[{title}]"))
            .unwrap_or_default(),
        "view-file" | "viewpdf" | "viewxls" | "viewdoc" | "viewppt" | "multimedia" => {
            let file = file_of(element).or_else(|| element.elements().find_map(file_of));
            file.map(|file| format!("[{}]", md::escaped(&file)))
                .unwrap_or_default()
        }
        "" => String::new(),
        other => {
            if let Some(body) = element.child("ac:plain-text-body") {
                return md::code(&body.text());
            }
            // An issue, or a list of issues, of a tracker.
            let issue = named("key");
            let issue = issue.or_else(|| parameter(element, "jqlQuery").map(|jql| md::code(&jql)));
            if let Some(issue) = issue {
                return issue;
            }
            let url = parameter(element, "url").map(|url| reader.link("", &url));
            let other: String = other.chars().take(60).collect();
            url.unwrap_or_else(|| format!("[{}]", md::escaped(&other)))
        }
    }
}

/// The file that one of the elements right inside names.
fn file_of(element: &Element) -> Option<String> {
    let file = element.child("ri:attachment")?.attribute("ri:filename")?;
    Some(file.to_owned())
}

/// A link to a page, a file, a person or a space. Its address is not in the format: what it names is shown.
fn link(reader: &Reader<'_>, element: &Element) -> String {
    let body = element
        .child("ac:link-body")
        .map(|body| reader.line(&body.children))
        .or_else(|| {
            element
                .child("ac:plain-text-link-body")
                .map(|body| md::escaped(&body.text()))
        })
        .filter(|text| !text.is_empty());
    if let Some(user) = element.child("ri:user") {
        let id = user
            .attribute("ri:account-id")
            .or(user.attribute("ri:username"))
            .unwrap_or_default();
        return format!("@{}", md::escaped(id));
    }
    if let Some(url) = element
        .child("ri:url")
        .and_then(|url| url.attribute("ri:value"))
    {
        return reader.link(&body.unwrap_or_default(), url);
    }
    let page = element
        .child("ri:page")
        .and_then(|page| page.attribute("ri:content-title"));
    let named = page.map(str::to_owned).or_else(|| file_of(element));
    body.or_else(|| named.map(|named| md::escaped(&named)))
        .or_else(|| element.attribute("ac:anchor").map(md::escaped))
        .unwrap_or_default()
}

fn image(element: &Element) -> String {
    let url = element
        .child("ri:url")
        .and_then(|url| url.attribute("ri:value"));
    let name = element
        .attribute("ac:alt")
        .map(str::to_owned)
        .or_else(|| file_of(element))
        .unwrap_or_default();
    md::image(&name, url)
}

fn tasks(reader: &Reader<'_>, element: &Element) -> String {
    let task = |task: &Element| {
        let is_done = task
            .child("ac:task-status")
            .is_some_and(|status| status.text().trim() == "complete");
        let body = task.child("ac:task-body");
        let blocks = body
            .map(|body| reader.blocks(&body.children))
            .unwrap_or_default();
        md::item(if is_done { "- [x]" } else { "- [ ]" }, &blocks)
    };
    let items: Vec<String> = element
        .elements()
        .filter(|inner| inner.name == "ac:task")
        .map(task)
        .collect();
    items.join("\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn markdown(storage: &str) -> String {
        let value = storage_to_markdown(&json!(storage)).unwrap();
        value.as_str().unwrap().to_owned()
    }

    #[test]
    fn a_page_becomes_markdown() {
        let storage = r#"<h2>Plan &amp; aims</h2><p>We <strong>ship</strong> <em>soon</em>, see <a href="https://a.example/x">this</a>.</p>
            <ul><li><p>One</p><ul><li><p>Inner</p></li></ul></li><li><p>Two_x</p></li></ul>
            <table><tbody><tr><th><p>Name</p></th><th><p>N</p></th></tr><tr><td><p>a|b</p></td><td><p>1</p><p>2</p></td></tr></tbody></table>"#;
        assert_eq!(
            markdown(storage),
            "## Plan & aims\n\nWe **ship** *soon*, see [this](https://a.example/x).\n\n- One\n  - Inner\n- Two_x\n\n\
             | Name | N |\n| --- | --- |\n| a\\|b | 1<br>2 |"
        );
    }

    #[test]
    fn macros_become_what_they_show() {
        let storage = r#"<ac:structured-macro ac:name="code" ac:schema-version="1"><ac:parameter ac:name="language">rust</ac:parameter><ac:plain-text-body><![CDATA[if a < b && c > d {}]]></ac:plain-text-body></ac:structured-macro>
            <ac:structured-macro ac:name="info"><ac:rich-text-body><p>Mind this</p></ac:rich-text-body></ac:structured-macro>
            <ac:structured-macro ac:name="toc" />
            <p><ac:structured-macro ac:name="status"><ac:parameter ac:name="title">DONE</ac:parameter></ac:structured-macro> by <ac:link><ri:user ri:account-id="5b10" /></ac:link> in <ac:link><ri:page ri:content-title="Home" /><ac:plain-text-link-body><![CDATA[the <start>]]></ac:plain-text-link-body></ac:link> and <ac:structured-macro ac:name="jira"><ac:parameter ac:name="key">AB-1</ac:parameter></ac:structured-macro></p>
            <ac:image><ri:attachment ri:filename="a.png" /></ac:image>
            <ac:task-list><ac:task><ac:task-id>1</ac:task-id><ac:task-status>complete</ac:task-status><ac:task-body>Buy <time datetime="2026-01-02" /></ac:task-body></ac:task></ac:task-list>
            <ac:layout><ac:layout-section><ac:layout-cell><p>In a cell</p></ac:layout-cell></ac:layout-section></ac:layout>"#;
        assert_eq!(
            markdown(storage),
            "```rust\nif a < b && c > d {}\n```\n\n> **Info**\n>\n> Mind this\n\n[DONE] by @5b10 in the \\<start> and AB-1\n\n\
             ![a.png]()\n\n- [x] Buy 2026-01-02\n\nIn a cell"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read(storage in "(</?(ac|ri):[a-z-]{0,16}( ac:name=\"[a-z]{0,5}\")?/?>|</?[a-z]{1,4}>|\\PC|<!\\[CDATA\\[|\\]\\]>){0,40}") {
            markdown(&storage);
        }
    }
}
