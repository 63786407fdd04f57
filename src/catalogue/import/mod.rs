//! Drafts of provider files, made of what a provider publishes about its own API.
//!
//! Owns the way from an `OpenAPI` document to the text of a provider file. Refuses to know where the document came from and
//! to decide what only a person can: a draft is read, corrected and checked before anybody uses it, and says itself where.
//!
//! Architecture invariant: the document is hostile. It is walked with bounds on depth and number, its references stay
//! within it, its names become names of ours or nothing, and its texts are written as values, so that no document can
//! put a line of its own into the draft.

mod document;
mod draft;
mod example;
mod names;
mod schema;
mod selection;
mod text;
mod tool;

pub use draft::{Draft, import};
pub use selection::{Selection, SelectionError};

use thiserror::Error;

/// Why nothing could be drafted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ImportError {
    /// The text is neither JSON nor YAML.
    #[error("this is neither JSON nor YAML: {0}")]
    NotADocument(String),
    /// It is something else than `OpenAPI` 3.
    #[error(
        "this is no OpenAPI 3 document{found}: give one whose `openapi` begins with `3.`, or convert it first"
    )]
    NotOpenApi {
        /// What it says it is.
        found: String,
    },
    /// An entry of the selection fits no operation.
    #[error("nothing fits `{entry}`{hint}")]
    NothingSelected {
        /// The entry.
        entry: String,
        /// What may have been meant.
        hint: String,
    },
    /// Every selected operation was left out.
    #[error("none of the selected operations can be a tool:\n{0}")]
    NothingLeft(String),
}
