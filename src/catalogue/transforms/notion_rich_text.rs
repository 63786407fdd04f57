//! Rich text of Notion as Markdown within a line.

use serde_json::Value;

use super::TransformError;
use super::markdown_text as md;

/// The text of a list of rich text objects, with its marks and links. An empty list is an empty text.
pub(super) fn notion_rich_text(value: &Value) -> Result<Value, TransformError> {
    let runs = value
        .as_array()
        .ok_or(TransformError::Unfit("is no rich text of Notion"))?;
    Ok(Value::String(md::bounded(written(runs))))
}

/// The runs one after the other.
pub(super) fn written(runs: &[Value]) -> String {
    runs.iter().map(run_text).collect()
}

/// The words alone, for code.
pub(super) fn plain(runs: &[Value]) -> String {
    runs.iter().map(words).collect()
}

fn words(run: &Value) -> &str {
    let plain = run
        .get("plain_text")
        .or_else(|| run.pointer("/text/content"));
    plain.and_then(Value::as_str).unwrap_or_default()
}

fn run_text(run: &Value) -> String {
    let words = words(run);
    let has = |name: &str| {
        run.pointer(&format!("/annotations/{name}"))
            .and_then(Value::as_bool)
            == Some(true)
    };
    if run.get("type").and_then(Value::as_str) == Some("equation") {
        return format!("${words}$");
    }
    let mut written = if has("code") {
        md::code(words)
    } else {
        md::escaped(words)
    };
    for (name, mark) in [("strikethrough", "~~"), ("italic", "*"), ("bold", "**")] {
        if has(name) {
            written = md::marked(&written, mark);
        }
    }
    match run.get("href").and_then(Value::as_str) {
        Some(url) if !words.trim().is_empty() => md::link(&written, url),
        _ => written,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn runs_keep_their_marks_and_links() {
        let runs = json!([
            {"type": "text", "plain_text": "See ", "annotations": {"bold": false}},
            {"type": "text", "plain_text": "this ", "annotations": {"bold": true, "italic": true}, "href": null},
            {"type": "text", "plain_text": "page", "href": "https://a.example"},
            {"type": "mention", "plain_text": "@Ada", "href": "/123"},
            {"type": "text", "plain_text": " a_b *c*"}, {"type": "text", "plain_text": "x", "annotations": {"code": true}},
            {"type": "equation", "plain_text": "e=mc^2"},
        ]);
        assert_eq!(
            notion_rich_text(&runs),
            Ok(json!(
                "See ***this*** [page](https://a.example)@Ada a_b \\*c\\*`x`$e=mc^2$"
            ))
        );
        assert_eq!(notion_rich_text(&json!([])), Ok(json!("")));
        assert_eq!(
            notion_rich_text(&json!([7, {"plain_text": 7}])),
            Ok(json!(""))
        );
        assert!(notion_rich_text(&json!("text")).is_err());
    }
}
