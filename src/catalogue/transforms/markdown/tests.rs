//! One page in every form, and pages that mean harm.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const PAGE: &str = "# Plan *now*

Buy **bread** & `milk` <b>now</b>,  
see [the list](https://x.example/a?b=1&c=\"2\") ~~not~~ [bad](javascript:alert(1)).

> quoted
> - inner

3. three
   ## deep
4. four
   - [x] done

```rust
let a = \"]]>\" < 1;
```

| a | b |
|---|---|
| 1 | **2** |

---
";

fn html(markdown: &str) -> String {
    markdown_to_html(&json!(markdown))
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned()
}

fn storage(markdown: &str) -> String {
    markdown_to_storage(&json!(markdown))
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned()
}

fn adf(markdown: &str) -> Value {
    markdown_to_adf(&json!(markdown)).unwrap()
}

fn notion(markdown: &str) -> Value {
    markdown_to_notion_blocks(&json!(markdown)).unwrap()
}

#[test]
fn a_page_is_html() {
    assert_eq!(
        html(PAGE),
        "<h1>Plan <em>now</em></h1>\
         <p>Buy <strong>bread</strong> &amp; <code>milk</code> &lt;b&gt;now&lt;/b&gt;,<br />see \
         <a href=\"https://x.example/a?b=1&amp;c=%222%22\">the list</a> <s>not</s> bad.</p>\
         <blockquote><p>quoted</p><ul><li>inner</li></ul></blockquote>\
         <ol start=\"3\"><li>three<h2>deep</h2></li><li>four<ul><li>☑ done</li></ul></li></ol>\
         <pre><code class=\"language-rust\">let a = &quot;]]&gt;&quot; &lt; 1;</code></pre>\
         <table><tbody><tr><th>a</th><th>b</th></tr><tr><td>1</td><td><strong>2</strong></td></tr></tbody></table>\
         <hr />"
    );
}

#[test]
fn a_page_in_storage_format_has_its_own_code() {
    let storage = storage(PAGE);
    assert!(storage.contains(
        "<ac:structured-macro ac:name=\"code\"><ac:parameter ac:name=\"language\">rust</ac:parameter>\
         <ac:plain-text-body><![CDATA[let a = \"]]]]><![CDATA[>\" < 1;]]></ac:plain-text-body></ac:structured-macro>"
    ), "{storage}");
    assert!(storage.contains("<ol><li>three") && storage.contains("<del>not</del>"));
}

#[test]
fn a_page_is_a_document() {
    let text = |text: &str| json!({"type": "text", "text": text});
    let marked =
        |text: &str, mark: &str| json!({"type": "text", "text": text, "marks": [{"type": mark}]});
    let paragraph = |content: Value| json!({"type": "paragraph", "content": content});
    assert_eq!(
        adf(PAGE),
        json!({"type": "doc", "version": 1, "content": [
            {"type": "heading", "attrs": {"level": 1}, "content": [text("Plan "), marked("now", "em")]},
            paragraph(json!([
                text("Buy "), marked("bread", "strong"), text(" & "), marked("milk", "code"),
                text(" <b>now</b>,"), {"type": "hardBreak"}, text("see "),
                {"type": "text", "text": "the list", "marks": [{"type": "link", "attrs": {"href": "https://x.example/a?b=1&c=%222%22"}}]},
                text(" "), marked("not", "strike"), text(" bad."),
            ])),
            {"type": "blockquote", "content": [
                paragraph(json!([text("quoted")])),
                {"type": "bulletList", "content": [{"type": "listItem", "content": [paragraph(json!([text("inner")]))]}]},
            ]},
            {"type": "orderedList", "attrs": {"order": 3}, "content": [
                {"type": "listItem", "content": [paragraph(json!([text("three")])), paragraph(json!([marked("deep", "strong")]))]},
                {"type": "listItem", "content": [paragraph(json!([text("four")])), {"type": "bulletList", "content": [
                    {"type": "listItem", "content": [paragraph(json!([text("☑ "), text("done")]))]},
                ]}]},
            ]},
            {"type": "codeBlock", "attrs": {"language": "rust"}, "content": [text("let a = \"]]>\" < 1;")]},
            {"type": "table", "content": [
                {"type": "tableRow", "content": [
                    {"type": "tableHeader", "content": [paragraph(json!([text("a")]))]},
                    {"type": "tableHeader", "content": [paragraph(json!([text("b")]))]},
                ]},
                {"type": "tableRow", "content": [
                    {"type": "tableCell", "content": [paragraph(json!([text("1")]))]},
                    {"type": "tableCell", "content": [paragraph(json!([marked("2", "strong")]))]},
                ]},
            ]},
            {"type": "rule"},
        ]})
    );
    assert_eq!(adf(""), json!({"type": "doc", "version": 1, "content": []}));
}

#[test]
fn nodes_that_may_not_stand_in_an_item_or_a_quote_become_paragraphs() {
    fn check(node: &Value, within: &str) {
        let kind = node["type"].as_str().unwrap();
        let may_stand = match within {
            "listItem" | "blockquote" => {
                ["paragraph", "bulletList", "orderedList", "codeBlock"].contains(&kind)
            }
            _ => true,
        };
        assert!(may_stand, "{kind} in {within}");
        let below = node["content"].as_array();
        if ["listItem", "blockquote", "bulletList"].contains(&kind) {
            assert!(!below.unwrap().is_empty());
        }
        if kind == "text" {
            assert_ne!(node["text"], "");
        }
        below
            .into_iter()
            .flatten()
            .for_each(|below| check(below, kind));
    }
    for page in [
        "- # head\n- ---\n- > quote\n  > > more\n- | a |\n  |---|\n  | b |",
        "> # head\n>\n> ---\n>\n> | a |\n> |---|\n> | b |\n>\n> > more\n>\n> ```\n> ```",
        "- \n-\n- - - a\n-\n      code\n1.\n- [ ] ",
        ">\n> ---",
    ] {
        check(&adf(page), "");
    }
}

#[test]
fn a_page_is_blocks() {
    let blocks = notion(PAGE);
    let kinds: Vec<&str> = blocks
        .as_array()
        .unwrap()
        .iter()
        .map(|b| b["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "heading_1",
            "paragraph",
            "quote",
            "numbered_list_item",
            "numbered_list_item",
            "code",
            "table",
            "divider"
        ]
    );
    assert_eq!(
        blocks[1]["paragraph"]["rich_text"][1],
        json!({"type": "text", "text": {"content": "bread"}, "annotations": {"bold": true}})
    );
    assert_eq!(
        blocks[1]["paragraph"]["rich_text"][7]["text"],
        json!({"content": "the list", "link": {"url": "https://x.example/a?b=1&c=%222%22"}})
    );
    assert_eq!(
        blocks[2]["quote"]["children"][0]["type"],
        "bulleted_list_item"
    );
    assert_eq!(
        blocks[4]["numbered_list_item"]["children"][0]["to_do"]["checked"],
        true
    );
    assert_eq!(blocks[5]["code"]["language"], "rust");
    assert_eq!(blocks[6]["table"]["table_width"], 2);
    assert_eq!(
        notion("```klingon\na\n```")[0]["code"]["language"],
        "plain text"
    );
}

#[test]
fn the_limits_of_blocks_are_kept() {
    let long = "x😀".repeat(3000);
    let texts = notion(&long)[0]["paragraph"]["rich_text"].clone();
    let texts: Vec<&str> = texts
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["text"]["content"].as_str().unwrap())
        .collect();
    assert!(
        texts.len() == 5
            && texts
                .iter()
                .all(|text| text.encode_utf16().count() <= LONGEST_TEXT_OF_NOTION)
    );
    assert_eq!(texts.concat(), long);
    let many = "a\n\n".repeat(100);
    assert_eq!(notion(&many).as_array().unwrap().len(), 100);
    let refused = markdown_to_notion_blocks(&json!(format!("{many}a"))).unwrap_err();
    assert!(matches!(refused, TransformError::TooLarge(_)));
    let spans = "**a** b ".repeat(150);
    let split = notion(&spans);
    assert_eq!(split.as_array().unwrap().len(), 3);
    assert!(
        split
            .as_array()
            .unwrap()
            .iter()
            .all(|b| b["paragraph"]["rich_text"].as_array().unwrap().len() <= 100)
    );
}

const LONGEST_TEXT_OF_NOTION: usize = 2000;

fn depth(value: &Value) -> usize {
    match value {
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn levels_of_blocks(blocks: &Value) -> usize {
    let below = |block: &Value| {
        let kind = block["type"].as_str().unwrap();
        block[kind]
            .get("children")
            .map_or(0, |children| 1 + levels_of_blocks(children))
    };
    blocks
        .as_array()
        .unwrap()
        .iter()
        .map(below)
        .max()
        .unwrap_or(0)
}

#[test]
fn no_text_is_nested_deeper_than_is_safe() {
    for page in [
        format!("{}x", "> ".repeat(20_000)),
        format!("{}x", "- ".repeat(20_000)),
        format!("{}x", "> - ".repeat(10_000)),
        "*".repeat(50_000),
        "[".repeat(50_000),
        format!("{}{}", "[a](".repeat(5_000), ")".repeat(5_000)),
    ] {
        assert!(depth(&adf(&page)) < 100);
        assert!(html(&page).len() < 10 * page.len() + 1000);
        let _ = storage(&page);
        if let Ok(blocks) = markdown_to_notion_blocks(&json!(page)) {
            assert!(levels_of_blocks(&blocks) <= 2);
        }
    }
}

#[test]
fn only_text_of_a_bearable_length_is_read() {
    let long = json!("x".repeat(LONGEST + 1));
    for transform in [
        markdown_to_adf,
        markdown_to_html,
        markdown_to_storage,
        markdown_to_notion_blocks,
    ] {
        assert!(matches!(transform(&long), Err(TransformError::TooLarge(_))));
        assert!(transform(&json!(7)).is_err());
    }
}

/// Whether every tag is closed in the right order, and none is there but ours.
fn is_well_formed(xhtml: &str) -> bool {
    const OURS: [&str; 22] = [
        "p",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "blockquote",
        "ul",
        "ol",
        "li",
        "table",
        "tbody",
        "tr",
        "th",
        "td",
        "strong",
        "em",
        "s",
        "code",
        "pre",
        "a",
    ];
    let mut open = Vec::new();
    let mut rest = xhtml;
    while let Some(at) = rest.find('<') {
        let Some(end) = rest[at..].find('>') else {
            return false;
        };
        let tag = &rest[at + 1..at + end];
        rest = &rest[at + end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return false;
            }
        } else if tag != "br /" && tag != "hr /" {
            let name = tag.split(' ').next().unwrap();
            if !OURS.contains(&name) {
                return false;
            }
            open.push(name);
        }
    }
    open.is_empty()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_text_is_written_within_bounds(
        page in "(?s).{0,120}|([#>*_~`|\\[\\]()!<&\\-+ \n\t]|1\\.|---|```|\\[x\\]|https://a\\.b|<script>|a|\u{0}|\u{7}|]]>){0,120}",
    ) {
        let html = html(&page);
        prop_assert!(is_well_formed(&html), "{}", html);
        let is_visible = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
        prop_assert!(html.chars().all(is_visible));
        let storage = storage(&page);
        prop_assert!(storage.len() < 200 * page.len() + 200);
        let adf = adf(&page);
        prop_assert!(depth(&adf) < 100 && adf.to_string().len() < 300 * page.len() + 300);
        let blocks = markdown_to_notion_blocks(&json!(page));
        if let Ok(blocks) = blocks {
            prop_assert!(levels_of_blocks(&blocks) <= 2);
            prop_assert!(blocks.to_string().len() < 300 * page.len() + 300);
        }
    }
}
