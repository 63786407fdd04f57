//! Provider files as text, and what can be wrong with them.

use std::fmt;

use super::file::ProviderFile;
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

/// A file that could be read.
#[derive(Debug)]
pub(super) struct ParsedFile {
    pub(super) file: String,
    pub(super) id: String,
    pub(super) provider: ProviderFile,
}

impl Source {
    /// The provider's id.
    #[must_use]
    pub fn id(&self) -> &str {
        let name = self.file.rsplit(['/', '\\']).next().unwrap_or_default();
        name.strip_suffix(".toml").unwrap_or(name)
    }

    /// Text to types; the problem names line and column.
    pub(super) fn parse(&self) -> Result<ParsedFile, Problem> {
        match toml::from_str(&self.text) {
            Ok(provider) => Ok(ParsedFile {
                file: self.file.clone(),
                id: self.id().to_owned(),
                provider,
            }),
            Err(error) => Err(self.unreadable(&error)),
        }
    }

    fn unreadable(&self, error: &toml::de::Error) -> Problem {
        let message = error.message().replace('\n', ", ");
        let meant = meant_key(&message).map(|key| format!("did you mean `{key}`?"));
        Problem {
            file: self.file.clone(),
            place: error.span().map_or_else(
                || "the whole file".to_owned(),
                |span| place(&self.text, span.start),
            ),
            check: "file_is_readable",
            remedy: meant.unwrap_or_else(|| {
                "correct the file; providers/README.md describes every key".to_owned()
            }),
            message,
        }
    }
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
