//! The arguments of a tool, as they are written on the command line.

use std::io::{self, Read};
use std::path::Path;

use serde_json::{Map, Value};

use super::Failure;
use crate::app::control::Word;

/// Arguments that were typed one by one, as NAME=VALUE.
pub(super) fn words(typed: &[String]) -> Result<Vec<Word>, Failure> {
    let word = |text: &String| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok(Word {
            name: name.to_owned(),
            value: value.to_owned(),
        }),
        _ => Err(Failure::usage(format!(
            "`{text}` is no argument; write it as NAME=VALUE, or pass --args with JSON"
        ))),
    };
    typed.iter().map(word).collect()
}

/// Arguments that were given as one JSON object: the JSON itself, `@FILE`, or `-` for stdin.
pub(super) fn arguments(given: Option<&str>) -> Result<Map<String, Value>, Failure> {
    let text = match given {
        None => return Ok(Map::new()),
        Some("-") => {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text)?;
            text
        }
        Some(given) => match given.strip_prefix('@') {
            Some(file) => std::fs::read_to_string(Path::new(file))
                .map_err(|error| Failure::usage(format!("--args: {file}: {error}")))?,
            None => given.to_owned(),
        },
    };
    serde_json::from_str(&text)
        .map_err(|error| Failure::usage(format!("--args wants one JSON object: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_a_name_and_a_value() {
        let typed = ["text=a=b".to_owned(), "empty=".to_owned()];
        let read = words(&typed).unwrap();
        assert_eq!(
            (read[0].name.as_str(), read[0].value.as_str()),
            ("text", "a=b")
        );
        assert_eq!(
            (read[1].name.as_str(), read[1].value.as_str()),
            ("empty", "")
        );
        for wrong in ["text", "=x"] {
            assert_eq!(words(&[wrong.to_owned()]).unwrap_err().status, 2);
        }
    }

    #[test]
    fn arguments_are_an_object_from_anywhere() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), r#"{"a":1}"#).unwrap();
        let from_file = format!("@{}", file.path().display());
        for given in [r#"{"a":1}"#, &from_file] {
            assert_eq!(arguments(Some(given)).unwrap()["a"], 1);
        }
        for wrong in ["[1]", "x", "@/no/such"] {
            assert_eq!(arguments(Some(wrong)).unwrap_err().status, 2, "{wrong}");
        }
    }
}
