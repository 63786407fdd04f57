//! Writes Markdown (`CommonMark` 0.31 with the tables and strikethrough of GFM), for every transform that makes it.
//!
//! Owns how text is kept from becoming markup and how blocks stand beside and inside each other. Refuses to know where
//! the text comes from.

/// The longest text that a transform makes, in bytes.
pub(super) const LONGEST: usize = 1 << 20;

/// Blocks one after the other, at most [`LONGEST`] bytes of them.
pub(super) fn document(blocks: &[String]) -> String {
    let mut text = String::new();
    for block in blocks.iter().filter(|block| !block.trim().is_empty()) {
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        text.push_str(block);
        if text.len() > LONGEST {
            break;
        }
    }
    bounded(text)
}

/// At most [`LONGEST`] bytes, cut between characters.
pub(super) fn bounded(mut text: String) -> String {
    if text.len() > LONGEST {
        let mut end = LONGEST;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Plain text, so that no part of it is read as markup. Only what would be one is escaped: a model pays for every
/// backslash.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut before = ' ';
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let after = characters.peek().copied().unwrap_or(' ');
        let is_markup = match character {
            '\\' => after.is_ascii_punctuation(),
            '`' => true,
            '*' => !(before.is_whitespace() && after.is_whitespace()),
            // Inside of a word it marks nothing.
            '_' => {
                !(before.is_alphanumeric() && after.is_alphanumeric()
                    || before.is_whitespace() && after.is_whitespace())
            }
            '[' => characters.clone().take(200).any(|c| c == ']'),
            '<' => after.is_ascii_alphabetic() || matches!(after, '/' | '!' | '?'),
            '~' => after == '~' || before == '~',
            _ => false,
        };
        if is_markup {
            escaped.push('\\');
        }
        escaped.push(character);
        before = character;
    }
    escaped
}

/// A paragraph whose first characters do not make it a heading, a list, a quote or a rule.
pub(super) fn paragraph(text: &str) -> String {
    let text = text.trim();
    let lines: Vec<String> = text.lines().map(kept_from_starting_a_block).collect();
    lines.join("\n")
}

fn kept_from_starting_a_block(line: &str) -> String {
    let start = line.trim_start();
    let indent = line.len() - start.len();
    let digits = start.bytes().take_while(u8::is_ascii_digit).count();
    let at = if (1..=9).contains(&digits) && start[digits..].starts_with(['.', ')']) {
        let after = &start[digits + 1..];
        (after.is_empty() || after.starts_with(' ')).then_some(digits)
    } else {
        let mark = start.trim_start_matches('#');
        let hashes = start.len() - mark.len();
        let is_block = ((1..=6).contains(&hashes) && (mark.is_empty() || mark.starts_with(' ')))
            || start.starts_with('>')
            || start.starts_with("- ")
            || start.starts_with("+ ")
            || start.starts_with("---")
            || start == "-";
        is_block.then_some(0)
    };
    match at {
        Some(at) => format!("{}{}\\{}", &line[..indent], &start[..at], &start[at..]),
        None => line.to_owned(),
    }
}

/// A heading of level 1 to 6, on one line.
pub(super) fn heading(level: usize, text: &str) -> String {
    let text = one_line(text);
    if text.is_empty() {
        return text;
    }
    format!("{} {text}", "#".repeat(level.clamp(1, 6)))
}

/// Text between marks; white space at its ends stays outside, where it does not break them.
pub(super) fn marked(text: &str, mark: &str) -> String {
    let inner = text.trim();
    if inner.is_empty() {
        return text.to_owned();
    }
    let start = text.len() - text.trim_start().len();
    let end = start + inner.len();
    format!("{}{mark}{inner}{mark}{}", &text[..start], &text[end..])
}

/// Code within a line (`CommonMark` section 6.1).
pub(super) fn code(text: &str) -> String {
    if text.trim().is_empty() {
        return text.to_owned();
    }
    let ticks = "`".repeat(longest_run(text) + 1);
    let space = if text.starts_with('`') || text.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{ticks}{space}{}{space}{ticks}", text.replace('\n', " "))
}

/// Lines of code in a fence that is longer than any in them.
pub(super) fn fence(language: &str, text: &str) -> String {
    let ticks = "`".repeat((longest_run(text) + 1).max(3));
    let language: String = language
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, '+' | '-' | '#' | '.' | '_'))
        .take(30)
        .collect();
    format!(
        "{ticks}{language}\n{}\n{ticks}",
        text.trim_end_matches('\n')
    )
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// A link; the bare address when it has no other text. Only addresses that lead somewhere outside are kept.
pub(super) fn link(text: &str, url: &str) -> String {
    let url = url.trim();
    let shown = text.trim();
    if !is_address(url) {
        return text.to_owned();
    }
    let bare = url.strip_prefix("mailto:").unwrap_or(url);
    if shown.is_empty() || shown == url || shown == bare || shown == escaped(bare) {
        return format!("<{bare}>");
    }
    let url: String = url
        .chars()
        .map(|c| match c {
            '(' => "%28".to_owned(),
            ')' => "%29".to_owned(),
            ' ' => "%20".to_owned(),
            other => other.to_string(),
        })
        .collect();
    format!("[{}]({url})", one_line(text))
}

/// Whether a link leads somewhere that a person could open.
pub(super) fn is_address(url: &str) -> bool {
    let lower: String = url.chars().take(8).collect::<String>().to_ascii_lowercase();
    (lower.starts_with("http://") || lower.starts_with("https://") || lower.starts_with("mailto:"))
        && url.len() <= 4096
        && !url.chars().any(char::is_control)
}

/// An image or a file that is only named.
pub(super) fn image(name: &str, url: Option<&str>) -> String {
    let name = escaped(&one_line(name));
    match url.filter(|url| is_address(url)) {
        Some(url) => format!(
            "!{}",
            link(if name.is_empty() { "image" } else { &name }, url)
        ),
        None if name.is_empty() => String::new(),
        None => format!("![{name}]()"),
    }
}

/// Every line behind `> `.
pub(super) fn quote(text: &str) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(|line| format!("> {line}").trim_end().to_owned())
        .collect();
    lines.join("\n")
}

/// An item: a marker, and everything after the first line as far in as the marker is wide.
pub(super) fn item(marker: &str, blocks: &[String]) -> String {
    let mut text = String::new();
    for block in blocks.iter().filter(|block| !block.trim().is_empty()) {
        if !text.is_empty() {
            // A list inside of an item follows its text at once; other blocks need room.
            text.push_str(if is_list(block) { "\n" } else { "\n\n" });
        }
        text.push_str(block);
    }
    let indent = " ".repeat(marker.len() + 1);
    let mut lines = text.lines();
    let mut item = format!("{marker} {}", lines.next().unwrap_or_default());
    for line in lines {
        item.push('\n');
        if !line.is_empty() {
            item.push_str(&indent);
            item.push_str(line);
        }
    }
    item.trim_end().to_owned()
}

fn is_list(block: &str) -> bool {
    let digits = block.bytes().take_while(u8::is_ascii_digit).count();
    block.starts_with("- ") || (digits > 0 && block[digits..].starts_with(". "))
}

/// A table whose first row is its head. Rows of different lengths are filled up.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let width = rows
        .iter()
        .map(Vec::len)
        .max()
        .unwrap_or(0)
        .min(MOST_COLUMNS);
    if width == 0 {
        return String::new();
    }
    let mut lines = Vec::with_capacity(rows.len() + 1);
    for (at, row) in rows.iter().enumerate() {
        let mut line = String::from("|");
        for column in 0..width {
            let cell = row
                .get(column)
                .map(|cell| table_cell(cell))
                .unwrap_or_default();
            line.push(' ');
            line.push_str(&cell);
            line.push_str(" |");
        }
        lines.push(line);
        if at == 0 {
            lines.push(format!("|{}", " --- |".repeat(width)));
        }
    }
    lines.join("\n")
}

/// More columns than any table has that a person made.
const MOST_COLUMNS: usize = 100;

fn table_cell(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    lines.join("<br>").replace('|', "\\|")
}

/// The text with single spaces for all white space.
pub(super) fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_markup_is_escaped() {
        assert_eq!(
            escaped("snake_case and 2 * 3 in C:\\dir"),
            "snake_case and 2 * 3 in C:\\dir"
        );
        assert_eq!(
            escaped("*bold* _it_ `c` [a](b) <b> ~~x~~"),
            "\\*bold\\* \\_it\\_ \\`c\\` \\[a](b) \\<b> \\~\\~x\\~\\~"
        );
        assert_eq!(
            paragraph("# no heading\n1. no list\n- nor this\n> nor that"),
            "\\# no heading\n1\\. no list\n\\- nor this\n\\> nor that"
        );
        assert_eq!(paragraph("1.5 kg\n#tag"), "1.5 kg\n#tag");
    }

    #[test]
    fn marks_stand_at_words() {
        assert_eq!(marked(" a b ", "**"), " **a b** ");
        assert_eq!(marked("  ", "**"), "  ");
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(fence("rust", "```\n"), "````rust\n```\n````");
    }

    #[test]
    fn links_lead_outside_or_are_text() {
        assert_eq!(
            link("a", "https://x.example/(1)"),
            "[a](https://x.example/%281%29)"
        );
        assert_eq!(
            link("https://x.example", "https://x.example"),
            "<https://x.example>"
        );
        assert_eq!(link("a@b.example", "mailto:a@b.example"), "<a@b.example>");
        assert_eq!(link("a", "javascript:alert(1)"), "a");
        assert_eq!(link("a", "#there"), "a");
        assert_eq!(image("", None), "");
    }

    #[test]
    fn items_hold_blocks() {
        let inner = item("-", &["b".to_owned()]);
        assert_eq!(
            item("1.", &["a".to_owned(), inner, "c".to_owned()]),
            "1. a\n   - b\n\n   c"
        );
        assert_eq!(
            table(&[
                vec!["a|b".to_owned()],
                vec!["c\nd".to_owned(), "e".to_owned()]
            ]),
            "| a\\|b |  |\n| --- | --- |\n| c<br>d | e |"
        );
    }

    proptest! {
        #[test]
        fn any_text_can_be_written(text in "\\PC{0,60}|[-#>*_`\\[\\]<~.0-9 \\n]{0,60}") {
            paragraph(&escaped(&text));
            marked(&text, "**");
            code(&text);
            link(&text, &text);
            item("-", std::slice::from_ref(&text));
            quote(&text);
        }
    }
}
