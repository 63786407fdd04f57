//! Which operations of a document become tools.

use std::str::FromStr;

use thiserror::Error;

use super::ImportError;
use super::document::{Document, Operation};
use crate::catalogue::nearest;

/// Which operations are wanted: `GET /pets`, an operation id, `tag:pets`, separated by commas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Line { method: String, path: String },
    Id(String),
    Tag(String),
}

/// A selection that says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the selection is empty: write `GET /pets`, an operation id, or `tag:pets`, separated by commas"
)]
pub struct SelectionError;

impl FromStr for Selection {
    type Err = SelectionError;

    fn from_str(text: &str) -> Result<Self, SelectionError> {
        let entries: Vec<Entry> = text
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(Entry::parse)
            .collect();
        if entries.is_empty() {
            return Err(SelectionError);
        }
        Ok(Self(entries))
    }
}

impl Entry {
    fn parse(entry: &str) -> Self {
        if let Some(tag) = entry.strip_prefix("tag:") {
            return Self::Tag(tag.trim().to_owned());
        }
        match entry.split_once(' ') {
            Some((method, path)) => Self::Line {
                method: method.to_lowercase(),
                path: path.trim().to_owned(),
            },
            None => Self::Id(entry.to_owned()),
        }
    }

    fn fits(&self, operation: &Operation<'_>) -> bool {
        match self {
            Self::Line { method, path } => operation.method == method && operation.path == path,
            Self::Id(id) => operation.text("operationId") == Some(id),
            Self::Tag(tag) => operation
                .tags()
                .any(|found| found.eq_ignore_ascii_case(tag)),
        }
    }

    fn source(&self) -> String {
        match self {
            Self::Line { method, path } => format!("{} {path}", method.to_uppercase()),
            Self::Id(id) => id.clone(),
            Self::Tag(tag) => format!("tag:{tag}"),
        }
    }

    /// What may have been meant.
    fn hint(&self, document: &Document) -> String {
        let source = self.source();
        let known: Vec<String> = document
            .operations()
            .flat_map(|operation| match self {
                Self::Line { .. } => vec![operation.name()],
                Self::Id(_) => operation
                    .text("operationId")
                    .map(str::to_owned)
                    .into_iter()
                    .collect(),
                Self::Tag(_) => operation.tags().map(|tag| format!("tag:{tag}")).collect(),
            })
            .collect();
        nearest(&source, known.iter().map(String::as_str)).map_or_else(
            || ": write `GET /pets`, an operation id, or `tag:pets`".to_owned(),
            |near| format!(": did you mean `{near}`?"),
        )
    }
}

impl Selection {
    #[cfg(test)]
    pub(super) fn from_line(method: &str, path: &str) -> Self {
        Self(vec![Entry::Line {
            method: method.to_owned(),
            path: path.to_owned(),
        }])
    }

    /// The operations that are wanted, each once, in the order of the document.
    pub(super) fn of<'d>(&self, document: &'d Document) -> Result<Vec<Operation<'d>>, ImportError> {
        for entry in &self.0 {
            if !document
                .operations()
                .any(|operation| entry.fits(&operation))
            {
                return Err(ImportError::NothingSelected {
                    entry: entry.source(),
                    hint: entry.hint(document),
                });
            }
        }
        let is_wanted =
            |operation: &Operation<'_>| self.0.iter().any(|entry| entry.fits(operation));
        Ok(document.operations().filter(is_wanted).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Document {
        let text = r#"{"openapi": "3.0.0", "paths": {
            "/pets": {"get": {"operationId": "listPets", "tags": ["Pets"]}, "post": {"operationId": "createPet", "tags": ["Pets"]}},
            "/shops": {"get": {"operationId": "listShops"}}}}"#;
        Document::parse(text).unwrap()
    }

    fn select(text: &str) -> Result<Vec<String>, String> {
        let document = document();
        let selection: Selection = text
            .parse()
            .map_err(|error: SelectionError| error.to_string())?;
        selection
            .of(&document)
            .map(|found| found.iter().map(Operation::name).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn operations_are_selected_by_line_id_and_tag() {
        assert_eq!(select("GET /pets").unwrap(), ["GET /pets"]);
        assert_eq!(
            select("listShops, get /pets").unwrap(),
            ["GET /pets", "GET /shops"]
        );
        assert_eq!(select("tag:pets").unwrap(), ["GET /pets", "POST /pets"]);
    }

    #[test]
    fn what_fits_nothing_is_said_with_what_may_have_been_meant() {
        assert_eq!(
            select("listPet").unwrap_err(),
            "nothing fits `listPet`: did you mean `listPets`?"
        );
        assert_eq!(
            select("GET /pet").unwrap_err(),
            "nothing fits `GET /pet`: did you mean `GET /pets`?"
        );
        assert!(select(" , ").is_err());
    }
}
