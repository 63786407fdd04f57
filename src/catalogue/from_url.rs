//! Ids out of addresses: a person copies the address of a document, a tool wants its id.
//!
//! Only the part that the file's pattern takes is ever used, and it is judged by the schema of the argument like any other
//! value: the address itself goes nowhere.

use regex::Regex;
use serde_json::Value;

/// `from_url = "/d/([^/?#]+)"`: a pattern with exactly one group.
#[derive(Clone, Debug)]
pub(super) struct FromUrl(Regex);

impl FromUrl {
    /// Reads a pattern; the error says what is wrong with it.
    pub(super) fn parse(pattern: Value) -> Result<Self, String> {
        let Value::String(pattern) = pattern else {
            return Err("it is not a text".to_owned());
        };
        let regex = Regex::new(&pattern)
            .map_err(|error| format!("it is no regular expression: {error}"))?;
        // The whole match counts as a group too.
        if regex.captures_len() == 2 {
            Ok(Self(regex))
        } else {
            Err("it has exactly one group: what it matches is the value".to_owned())
        }
    }

    /// What an address is about; nothing for a text that is no address.
    ///
    /// # Errors
    /// When the address is about something else.
    pub(super) fn read(&self, text: &str) -> Result<Option<String>, String> {
        let starts_with = |scheme: &str| {
            text.get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        if !starts_with("http://") && !starts_with("https://") {
            return Ok(None);
        }
        self.0
            .captures(text)
            .and_then(|captures| captures.get(1))
            .filter(|group| !group.as_str().is_empty())
            .map(|group| Some(group.as_str().to_owned()))
            .ok_or_else(|| {
                "the address is not of the kind that is wanted here: send the id, or the address of the thing itself"
                    .to_owned()
            })
    }
}
