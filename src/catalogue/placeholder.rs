//! The two ways in which a template names what is put in: `{name}` inside text, `$name` as a whole value.

use super::places::is_place;

/// Whether `name` can name an argument or a variable: `a-z`, then `a-z`, `0-9` and `_`.
pub(super) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// What a text leaf of a query or a body stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Leaf {
    /// `$name` or `$item.field`: the argument, as the typed value that it is.
    Argument(String),
    /// Anything else: itself. `$$` at the start is a plain `$`.
    Constant(String),
}

impl Leaf {
    /// Reads a leaf; a `$` that starts neither a name nor `$$` is a mistake.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix('$') {
            None => Ok(Self::Constant(text.to_owned())),
            Some(rest) if rest.starts_with('$') => Ok(Self::Constant(rest.to_owned())),
            Some(name) if is_place(name) => Ok(Self::Argument(name.to_owned())),
            Some(_) => Err(format!(
                "`{text}` names no argument: write `$name` for an argument, `$$…` for text that starts with `$`"
            )),
        }
    }
}

/// One piece of a text with `{name}` in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text as written.
    Text(String),
    /// What stood between the braces.
    Braces(String),
}

/// What stands between the braces of a text, in order.
pub(super) fn braces(pieces: &[Piece]) -> impl Iterator<Item = &str> {
    pieces.iter().filter_map(|piece| match piece {
        Piece::Braces(name) => Some(name.as_str()),
        Piece::Text(_) => None,
    })
}

/// Splits a text at its braces.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        if rest[at..].starts_with('}') {
            return Err(format!("`{text}` closes a brace that was never opened"));
        }
        if at > 0 {
            pieces.push(Piece::Text(rest[..at].to_owned()));
        }
        let Some(end) = rest[at..].find('}') else {
            return Err(format!("`{text}` opens a brace that is never closed"));
        };
        pieces.push(Piece::Braces(rest[at + 1..at + end].to_owned()));
        rest = &rest[at + end + 1..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_are_arguments_or_themselves() {
        assert_eq!(Leaf::parse("$body"), Ok(Leaf::Argument("body".into())));
        assert_eq!(Leaf::parse("$$5"), Ok(Leaf::Constant("$5".into())));
        assert_eq!(Leaf::parse("open"), Ok(Leaf::Constant("open".into())));
        assert!(Leaf::parse("$Body").is_err() && Leaf::parse("$").is_err());
    }

    #[test]
    fn braces_are_split_or_refused() {
        let text = |t: &str| Piece::Text(t.into());
        assert_eq!(
            pieces("/a/{b}.json"),
            Ok(vec![text("/a/"), Piece::Braces("b".into()), text(".json")])
        );
        assert!(pieces("{a").is_err() && pieces("a}").is_err());
        assert_eq!(pieces(""), Ok(vec![]));
    }
}
