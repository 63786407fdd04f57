//! How a value becomes a part of a text that somebody else parses: a search expression, a function in an address.
//!
//! Architecture invariant: no value is spliced into text without one of these, and what one of these makes is exactly one
//! literal of the language it is for. A value with control characters in it is refused rather than escaped: no such
//! language agrees with another on how.

use std::borrow::Cow;

use super::nearest::nearest;

/// A way to write a value into a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quoter {
    /// `'it\'s'`: a backslash before `'` and `\`.
    SingleQuoted,
    /// `'it''s'`: the quote is doubled (`OData` 4.01, URL conventions, section 5.1.1.6.1).
    OdataQuoted,
    /// `"say \"hi\""`: a backslash before `"` and `\`.
    DoubleQuoted,
    /// A date and time as it is, without quotes (RFC 3339 section 5.6): `OData` writes them so.
    Timestamp,
    /// As it is. Only for values that the schema keeps harmless: integers, numbers, booleans, enums.
    Plain,
}

const NAMES: [(&str, Quoter); 5] = [
    ("single_quoted", Quoter::SingleQuoted),
    ("odata_quoted", Quoter::OdataQuoted),
    ("double_quoted", Quoter::DoubleQuoted),
    ("timestamp", Quoter::Timestamp),
    ("plain", Quoter::Plain),
];

impl Quoter {
    /// Reads a name; the error says which one may have been meant.
    pub(super) fn parse(name: &str) -> Result<Self, String> {
        if let Some((_, quoter)) = NAMES.iter().find(|(known, _)| *known == name) {
            return Ok(*quoter);
        }
        let known = NAMES.iter().map(|(known, _)| *known);
        let meant = nearest(name, known.clone())
            .map(|meant| format!(" (did you mean `{meant}`?)"))
            .unwrap_or_default();
        let known: Vec<&str> = known.collect();
        Err(format!(
            "there is no quoter `{name}`{meant}: there are {}",
            known.join(", ")
        ))
    }

    /// The value as one literal. The error is the rest of a sentence about the argument.
    pub(super) fn quote(self, value: &str) -> Result<Cow<'_, str>, &'static str> {
        if value.chars().any(char::is_control) {
            return Err("has a line break or another control character, which cannot be quoted");
        }
        Ok(match self {
            Self::SingleQuoted => Cow::Owned(with_backslashes(value, '\'')),
            Self::DoubleQuoted => Cow::Owned(with_backslashes(value, '"')),
            Self::OdataQuoted => Cow::Owned(format!("'{}'", value.replace('\'', "''"))),
            Self::Timestamp if is_timestamp(value) => Cow::Borrowed(value),
            Self::Timestamp => {
                return Err("is no date and time: write one such as `2026-01-31T12:00:00Z`");
            }
            Self::Plain => Cow::Borrowed(value),
        })
    }
}

/// A date, then a time with its offset, as RFC 3339 writes them and nothing else.
fn is_timestamp(value: &str) -> bool {
    let has_known_characters = value
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b"-:.TZ+".contains(&byte));
    has_known_characters && value.parse::<jiff::Timestamp>().is_ok()
}

fn with_backslashes(value: &str, quote: char) -> String {
    let mut quoted = String::with_capacity(value.len() + 8);
    quoted.push(quote);
    for character in value.chars() {
        if character == quote || character == '\\' {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push(quote);
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads one literal back, as the language would; nothing when text is left behind its end.
    fn read(quoted: &str, quote: char, doubled: bool) -> Option<String> {
        let mut characters = quoted.strip_prefix(quote)?.chars().peekable();
        let mut value = String::new();
        while let Some(character) = characters.next() {
            let escapes = if doubled {
                character == quote && characters.peek() == Some(&quote)
            } else {
                character == '\\'
            };
            if escapes {
                value.push(characters.next()?);
            } else if character == quote {
                return characters.next().is_none().then_some(value);
            } else {
                value.push(character);
            }
        }
        None
    }

    #[test]
    fn each_quoter_writes_its_own_literal() {
        let value = r#"it's a "\" day"#;
        let quote = |quoter: Quoter| quoter.quote(value).unwrap().into_owned();
        assert_eq!(quote(Quoter::SingleQuoted), r#"'it\'s a "\\" day'"#);
        assert_eq!(quote(Quoter::DoubleQuoted), r#""it's a \"\\\" day""#);
        assert_eq!(quote(Quoter::OdataQuoted), r#"'it''s a "\" day'"#);
        assert_eq!(quote(Quoter::Plain), value);
    }

    #[test]
    fn a_timestamp_is_one_or_refused() {
        let quote = |value| Quoter::Timestamp.quote(value);
        for good in ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.123+02:00"] {
            assert_eq!(quote(good).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "2026-01-31",
            "2026-13-31T12:00:00Z",
            "2026-01-31T12:00:00Z or 1 eq 1",
            "2026-01-31T12:00:00Z[Europe/Berlin]",
            "2026-01-31 12:00:00Z",
            "now()",
        ] {
            assert!(quote(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn control_characters_are_refused_by_all() {
        for (_, quoter) in NAMES {
            for value in ["a\0b", "a\nb", "\r", "\u{1b}[0m", "\u{85}"] {
                assert!(quoter.quote(value).is_err(), "{quoter:?} {value:?}");
            }
        }
    }

    #[test]
    fn names_are_known_or_nearly_so() {
        assert_eq!(Quoter::parse("odata_quoted"), Ok(Quoter::OdataQuoted));
        assert!(
            Quoter::parse("double_qouted")
                .unwrap_err()
                .contains("did you mean `double_quoted`?")
        );
        assert!(Quoter::parse("").is_err());
    }

    proptest! {
        #[test]
        fn a_quoted_value_is_one_literal_and_the_same_value(value in "[^\\p{Cc}]*|['\"\\\\a]{0,12}") {
            for (quoter, quote, doubled) in [
                (Quoter::SingleQuoted, '\'', false),
                (Quoter::DoubleQuoted, '"', false),
                (Quoter::OdataQuoted, '\'', true),
            ] {
                let quoted = quoter.quote(&value).unwrap();
                prop_assert_eq!(read(&quoted, quote, doubled), Some(value.clone()), "{}", quoted);
            }
        }
    }
}
