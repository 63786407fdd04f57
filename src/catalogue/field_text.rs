//! Text that is made of fields of a reply: an id, or the name of an account.

use serde::Deserialize;
use serde_json::Value;

use super::field_path::FieldPath;
use super::placeholder::{Piece, pieces};

/// A path (`login`), or text with paths in it (`{user.name} ({user.email})`).
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct FieldText(Vec<TextPiece>);

#[derive(Clone, Debug)]
enum TextPiece {
    Text(String),
    Field(FieldPath),
}

impl TryFrom<String> for FieldText {
    type Error = String;

    fn try_from(source: String) -> Result<Self, String> {
        if !source.contains('{') {
            return Ok(Self(vec![TextPiece::Field(FieldPath::try_from(source)?)]));
        }
        pieces(&source)?
            .into_iter()
            .map(|piece| match piece {
                Piece::Text(text) => Ok(TextPiece::Text(text)),
                Piece::Braces(path) => FieldPath::try_from(path).map(TextPiece::Field),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl FieldText {
    /// The text; nothing when one of its fields is absent or empty.
    pub(super) fn read(&self, value: &Value) -> Option<String> {
        self.0
            .iter()
            .map(|piece| match piece {
                TextPiece::Text(text) => Some(text.clone()),
                TextPiece::Field(path) => path.find_text(value).filter(|text| !text.is_empty()),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(source: &str) -> Option<String> {
        let value = json!({"team": {"id": "T1"}, "user": "U1", "none": null, "empty": ""});
        FieldText::try_from(source.to_owned()).unwrap().read(&value)
    }

    #[test]
    fn every_field_of_a_text_must_be_there() {
        assert_eq!(read("user").as_deref(), Some("U1"));
        assert_eq!(read("{team.id}:{user}").as_deref(), Some("T1:U1"));
        assert_eq!(read("{team.id}:{none}"), None);
        assert_eq!(read("{team.id}:{empty}"), None);
        assert!(FieldText::try_from("{user".to_owned()).is_err());
    }
}
