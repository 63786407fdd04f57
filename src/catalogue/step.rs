//! `[[tool.step]]`: a request before the tool's own, for what that one needs.

use serde::Deserialize;

use super::capture::Captures;
use super::placeholder::{Piece, braces, pieces};
use super::places::{Places, is_place};
use super::plain_text::plain_text;
use super::reply::ReplyShape;
use super::request::RequestTemplate;
use super::when::When;

/// No tool has more steps before its own request.
pub(super) const MOST_STEPS: usize = 3;

/// How much is said of what has happened.
const LONGEST_SENTENCE: usize = 400;

/// A request before the tool's own.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Its name, for messages.
    pub(super) id: String,
    pub(super) when: When,
    pub(super) request: RequestTemplate,
    pub(super) captures: Captures,
    /// What is said when a required capture is not in the reply.
    pub(super) missing: Option<String>,
    /// When this step runs, its reply is the answer of the tool, and nothing follows.
    pub(super) answers: Option<ReplyShape>,
    /// It changes nothing, although it may not be a GET.
    pub(super) read_only: bool,
    /// What has happened when this step has run, for when a later one fails.
    pub(super) done: Option<Sentence>,
}

/// A sentence for people, with places for values: `The document {document_id} was created.`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Sentence {
    source: String,
    pieces: Vec<Piece>,
}

impl TryFrom<String> for Sentence {
    type Error = String;

    fn try_from(source: String) -> Result<Self, String> {
        let pieces = pieces(&source)?;
        let unknown = braces(&pieces)
            .find(|name| !is_place(name))
            .map(str::to_owned);
        match unknown {
            Some(name) => Err(format!("`{{{name}}}` names no argument and no capture")),
            None => Ok(Self { source, pieces }),
        }
    }
}

impl Sentence {
    /// The sentence as written.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// The places that are named.
    pub(super) fn places(&self) -> impl Iterator<Item = &str> {
        braces(&self.pieces)
    }

    /// The sentence with its values, in one harmless line.
    pub(super) fn render(&self, places: &dyn Places) -> String {
        let mut text = String::with_capacity(self.source.len() + 32);
        for piece in &self.pieces {
            match piece {
                Piece::Text(constant) => text.push_str(constant),
                Piece::Braces(name) => {
                    text.push_str(&places.text(name).ok().flatten().unwrap_or_default());
                }
            }
        }
        plain_text(&text, LONGEST_SENTENCE)
    }
}
