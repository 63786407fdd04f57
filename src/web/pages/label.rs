//! Text from outside, made safe to look at.

use std::fmt;

/// The longest text that is shown, in characters; the rest becomes an ellipsis.
const LONGEST: usize = 400;

/// A piece of text for a page: one line, without characters that hide, reorder or imitate other text.
///
/// Names of agents, tools, accounts and services come from elsewhere. HTML escaping, which askama does, keeps them from
/// being markup; it does not keep `U+202E` from turning the rest of a sentence around (Unicode TR 36, section 2.5).
/// So: white space of any kind becomes a space, other control characters and characters that override the direction
/// become `U+FFFD` (visible, because someone put them there), invisible marks are dropped, and at most 400 characters
/// remain. Joiners stay: emoji and several scripts need them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(String);

impl Label {
    /// Takes `text` in and cleans it.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut cleaned: String = text.chars().filter_map(visible).take(LONGEST + 1).collect();
        if cleaned.chars().count() > LONGEST {
            cleaned.pop();
            cleaned.push('…');
        }
        Self(cleaned.trim().to_owned())
    }

    /// The cleaned text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing is left to show.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The letter for a tile: the first letter or digit, in upper case, or `?`.
    #[must_use]
    pub fn initial(&self) -> String {
        self.0
            .chars()
            .find(|c| c.is_alphanumeric())
            .map_or_else(|| "?".to_owned(), |c| c.to_uppercase().collect())
    }

    /// Which of the six tile colours this name gets: always the same for the same name.
    #[must_use]
    pub fn hue(&self) -> u32 {
        self.0.chars().fold(0_u32, |sum, c| {
            sum.wrapping_mul(31).wrapping_add(u32::from(c))
        }) % 6
    }
}

/// What to show for one character, if anything.
fn visible(c: char) -> Option<char> {
    match c {
        '\u{2028}' | '\u{2029}' => Some(' '),
        c if c.is_whitespace() => Some(' '),
        // Embeddings, overrides and isolates.
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => Some(char::REPLACEMENT_CHARACTER),
        // Marks, zero-width space, word joiner and invisible operators, byte-order mark, tags.
        '\u{061C}'
        | '\u{00AD}'
        | '\u{180E}'
        | '\u{200B}'
        | '\u{200E}'
        | '\u{200F}'
        | '\u{2060}'..='\u{2064}'
        | '\u{206A}'..='\u{206F}'
        | '\u{FEFF}'
        | '\u{FFF9}'..='\u{FFFB}'
        | '\u{E0000}'..='\u{E007F}' => None,
        c if c.is_control() => Some(char::REPLACEMENT_CHARACTER),
        c => Some(c),
    }
}

impl fmt::Display for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<&str> for Label {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Label {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn direction_changes_become_visible_and_hidden_marks_vanish() {
        assert_eq!(
            Label::new("pay\u{202E}cod.exe\u{2069}").as_str(),
            "pay\u{FFFD}cod.exe\u{FFFD}"
        );
        assert_eq!(
            Label::new("a\u{200B}d\u{FEFF}m\u{E0041}in\u{200F}").as_str(),
            "admin"
        );
        assert_eq!(
            Label::new(" two\r\nlines\u{2028}\tof\u{1b}[31m ").as_str(),
            "two  lines  of\u{FFFD}[31m"
        );
    }

    #[test]
    fn ordinary_writing_of_the_world_is_kept() {
        for text in [
            "Zoë Ångström",
            "שלום",
            "می\u{200C}خواهم",
            "👩\u{200D}🚀",
            "日本語",
            "a < b & \"c\"",
        ] {
            assert_eq!(Label::new(text).as_str(), text);
        }
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(Label::new(&"é".repeat(400)).as_str(), "é".repeat(400));
        assert_eq!(
            Label::new(&"é".repeat(401)).as_str(),
            format!("{}…", "é".repeat(400))
        );
    }

    #[test]
    fn every_name_has_a_tile() {
        assert_eq!(Label::new("«courier»").initial(), "C");
        assert_eq!(Label::new("…").initial(), "?");
        assert_eq!(Label::new("ßet").initial(), "SS");
        assert!(Label::new("Courier").hue() < 6);
    }
}
