//! Provider files as text, and what can be wrong with them.

use std::fmt;

use serde::de::DeserializeOwned;

use super::file::{ProductFile, ProviderFile, authorization};
use super::missing_key::line_to_write;
use super::nearest::nearest;

/// One provider file as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name as shown in problems; the part between the last `/` and `.toml` is the provider's id.
    pub file: String,
    /// What stands in it.
    pub text: String,
}

/// Something that is wrong with a provider file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// Where in it: `line 3, column 5`, or the keys that lead there.
    pub place: String,
    /// The check that found it.
    pub check: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            place,
            check,
            message,
            remedy,
        } = self;
        writeln!(formatter, "{file}, {place} [{check}]")?;
        writeln!(formatter, "  what:   {message}")?;
        write!(formatter, "  remedy: {remedy}")
    }
}

impl std::error::Error for Problem {}

/// A file that could be read. That of a product is whole: what it shares with its provider is in it.
#[derive(Debug)]
pub(super) struct ParsedFile {
    pub(super) file: String,
    pub(super) id: String,
    pub(super) provider: ProviderFile,
    /// The provider that it is a product of; none for a provider.
    pub(super) product_of: Option<String>,
}

impl ParsedFile {
    /// Whether people connect it itself.
    pub(super) fn is_provider(&self) -> bool {
        self.product_of.is_none()
    }

    /// Whether it is `provider`, or one of its products.
    pub(super) fn is_of(&self, provider: &Self) -> bool {
        match &self.product_of {
            Some(owner) => *owner == provider.id,
            None => std::ptr::eq(self, provider),
        }
    }
}

/// A file on its own, before products find their providers.
#[derive(Debug)]
pub(super) enum Parsed {
    Provider(Box<ParsedFile>),
    Product {
        file: String,
        id: String,
        product: Box<ProductFile>,
    },
}

impl Source {
    /// The provider's id.
    #[must_use]
    pub fn id(&self) -> &str {
        let name = self.file.rsplit(['/', '\\']).next().unwrap_or_default();
        name.strip_suffix(".toml").unwrap_or(name)
    }

    /// Text to types; the problem names line and column.
    pub(super) fn parse(&self) -> Result<Parsed, Problem> {
        let (file, id) = (self.file.clone(), self.id().to_owned());
        if authorization(&self.text).is_some() {
            let product = Box::new(self.read()?);
            return Ok(Parsed::Product { file, id, product });
        }
        Ok(Parsed::Provider(Box::new(ParsedFile {
            file,
            id,
            provider: self.read()?,
            product_of: None,
        })))
    }

    fn read<F: DeserializeOwned>(&self) -> Result<F, Problem> {
        toml::from_str(&self.text).map_err(|error| self.unreadable(&error))
    }

    fn unreadable(&self, error: &toml::de::Error) -> Problem {
        let message = error.message().replace('\n', ", ");
        let meant = of_the_provider(&message)
            .or_else(|| meant_key(&message).map(|key| format!("did you mean `{key}`?")))
            .or_else(|| line_to_write(&message, &self.text, error.span()));
        Problem {
            file: self.file.clone(),
            place: error.span().map_or_else(
                || "the whole file".to_owned(),
                |span| place(&self.text, span.start),
            ),
            check: "file_is_readable",
            remedy: meant.unwrap_or_else(|| {
                "correct the file; docs/provider-file.md describes every key".to_owned()
            }),
            message,
        }
    }
}

/// What belongs to a connection, and so to the file of the provider.
fn of_the_provider(message: &str) -> Option<String> {
    if !message.contains("expected one of `authorization`") {
        return None;
    }
    let given = message.split('`').nth(1)?;
    let shared = [
        "account",
        "account_rule",
        "inject",
        "oauth",
        "setup",
        "variables",
    ];
    shared.contains(&given).then(|| {
        format!("a product shares the connection of its provider: move `{given}` to the file of the provider")
    })
}

/// The known key or value that an unknown one was meant to be, out of serde's sentence about it.
fn meant_key(message: &str) -> Option<&str> {
    if !message.contains("unknown field") && !message.contains("unknown variant") {
        return None;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let given = quoted.next()?;
    nearest(given, quoted)
}

/// Line and column of a byte, counted from 1.
fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!("line {line}, column {column}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> Problem {
        let source = Source {
            file: "providers/notes.toml".into(),
            text: text.into(),
        };
        source.parse().unwrap_err()
    }

    #[test]
    fn the_id_is_the_stem_of_the_file() {
        let id = |file: &str| {
            let source = Source {
                file: file.into(),
                text: String::new(),
            };
            source.id().to_owned()
        };
        assert_eq!(id("/etc/attache/providers/notes.toml"), "notes");
        assert_eq!(id("notes.toml"), "notes");
        assert_eq!(id("C:\\notes.toml"), "notes");
    }

    #[test]
    fn a_misspelt_key_is_named_with_its_line_and_the_key_that_was_meant() {
        let problem = problem("name = \"Notes\"\nbase_ulr = \"https://a.example\"\n");
        assert_eq!(
            (problem.place.as_str(), problem.remedy.as_str()),
            ("line 2, column 1", "did you mean `base_url`?")
        );
        assert!(
            problem.message.starts_with("unknown field `base_ulr`"),
            "{}",
            problem.message
        );
        assert_eq!(
            problem.to_string().lines().next(),
            Some("providers/notes.toml, line 2, column 1 [file_is_readable]")
        );
    }

    #[test]
    fn broken_toml_and_missing_keys_are_reported() {
        assert_eq!(problem("name = ").place, "line 1, column 8");
        assert!(
            problem("name = \"Notes\"")
                .message
                .contains("missing field")
        );
        assert!(problem("confidence = \"lives\"").remedy.contains("`live`"));
    }
}
