//! Text from outside, made safe to show in a sentence of ours: one line, no direction tricks, no invisible letters.

/// What a provider says is data. Control characters and white space become single spaces; characters that reorder or
/// hide text (bidirectional controls, zero-width characters, the tag block) are dropped; at most `limit` characters stay.
pub(super) fn plain_text(text: &str, limit: usize) -> String {
    let mut plain = String::with_capacity(text.len().min(limit));
    let mut length = 0;
    let mut gap = false;
    for character in text.chars().filter(|c| !is_invisible(*c)) {
        if character.is_whitespace() || character.is_control() {
            gap = length > 0;
            continue;
        }
        if length + usize::from(gap) >= limit {
            plain.push('…');
            break;
        }
        if gap {
            plain.push(' ');
            length += 1;
            gap = false;
        }
        plain.push(character);
        length += 1;
    }
    plain
}

/// Unicode's format characters that change how neighbours are read or cannot be seen at all.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{00AD}' | '\u{061C}' | '\u{180E}'
        | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
        | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_becomes_one_harmless_line() {
        assert_eq!(plain_text("  a\r\n\tb\u{0}c  ", 99), "a b c");
        assert_eq!(plain_text("pay \u{202E}gnp.exe\u{2066}", 99), "pay gnp.exe");
        assert_eq!(plain_text("a\u{200B}b\u{E0041}c\u{FEFF}", 99), "abc");
        assert_eq!(plain_text("\u{1b}[31mred", 99), "[31mred");
    }

    #[test]
    fn a_message_is_cut_by_characters_not_bytes() {
        assert_eq!(plain_text("äöü", 3), "äöü");
        assert_eq!(plain_text("äöüß", 3), "äöü…");
        assert_eq!(plain_text("ab cd", 3), "ab…");
    }
}
