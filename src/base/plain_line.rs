//! Foreign text as one plain line.

/// `text` on one line, without control and direction-changing characters, trimmed, and of `at_most` characters.
#[must_use]
pub fn plain_line(text: &str, at_most: usize) -> String {
    let visible: String = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !c.is_control() && !is_invisible(*c))
        .skip_while(|c| *c == ' ')
        .take(at_most)
        .collect();
    visible.trim_end().to_owned()
}

/// Characters that change how their neighbours read without being seen: direction marks and isolates (Unicode TR 9),
/// zero-width characters, byte order mark, tags.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::plain_line;

    #[test]
    fn foreign_text_is_short_and_cannot_act_on_its_reader() {
        assert_eq!(
            plain_line("  bad\r\nX: 1\u{1b}[31m\u{202e} \u{0}", 99),
            "bad  X: 1[31m"
        );
        assert_eq!(plain_line(&"é".repeat(10_000), 3), "ééé");
        assert_eq!(plain_line("\u{200b}\n", 3), "");
    }
}
