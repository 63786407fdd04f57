//! Text with values in it, each through a quoter: `name contains {q|single_quoted}`.
//!
//! Owns the splicing of values into expressions that a provider parses, and that no value comes in without a quoter.

use super::RenderError;
use super::placeholder::{Piece, pieces};
use super::places::{Places, is_place};
use super::quoter::Quoter;

/// A text with quoted places in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TextTemplate(Vec<TextPiece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum TextPiece {
    Text(String),
    Quoted { name: String, quoter: Quoter },
}

impl TextTemplate {
    /// Reads a template; the error says what is wrong with it.
    pub(super) fn parse(source: &str) -> Result<Self, String> {
        pieces(source)?
            .into_iter()
            .map(|piece| match piece {
                Piece::Text(text) => Ok(TextPiece::Text(text)),
                Piece::Braces(inside) => quoted(&inside),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The places for values, with their quoters.
    pub(super) fn places(&self) -> impl Iterator<Item = (&str, Quoter)> {
        self.0.iter().filter_map(|piece| match piece {
            TextPiece::Quoted { name, quoter } => Some((name.as_str(), *quoter)),
            TextPiece::Text(_) => None,
        })
    }

    /// The text; nothing when one of its values is absent.
    pub(super) fn render(&self, places: &dyn Places) -> Result<Option<String>, RenderError> {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                TextPiece::Text(constant) => text.push_str(constant),
                TextPiece::Quoted { name, quoter } => {
                    let Some(value) = places.text(name)? else {
                        return Ok(None);
                    };
                    let quoted = quoter.quote(&value);
                    text.push_str(&quoted.map_err(|reason| RenderError::refused(name, reason))?);
                }
            }
        }
        Ok(Some(text))
    }
}

fn quoted(inside: &str) -> Result<TextPiece, String> {
    let Some((name, quoter)) = inside.split_once('|') else {
        return Err(format!(
            "`{{{inside}}}` has no quoter: write `{{{inside}|single_quoted}}`, or the quoter of the language of the text"
        ));
    };
    if !is_place(name) {
        return Err(format!("`{{{inside}}}` names no argument"));
    }
    Ok(TextPiece::Quoted {
        name: name.to_owned(),
        quoter: Quoter::parse(quoter)?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::catalogue::arguments::Arguments;
    use crate::catalogue::inputs::Inputs;

    fn render(source: &str, given: &Value) -> Result<Option<String>, RenderError> {
        let inputs = json!({"q": {"required": false}, "n": {"type": "integer", "default": 3}});
        let inputs = Inputs::try_from(inputs.as_object().unwrap().clone()).unwrap();
        TextTemplate::parse(source).unwrap().render(&Arguments {
            given: given.as_object().unwrap(),
            inputs: &inputs,
        })
    }

    #[test]
    fn values_are_quoted_and_absent_ones_take_the_text_with_them() {
        let source = "name contains {q|single_quoted} and size > {n|plain}";
        assert_eq!(
            render(source, &json!({"q": "' or '1'='1"}))
                .unwrap()
                .as_deref(),
            Some("name contains '\\' or \\'1\\'=\\'1' and size > 3")
        );
        assert_eq!(render(source, &json!({})).unwrap(), None);
        assert_eq!(
            render("constant", &json!({})).unwrap().as_deref(),
            Some("constant")
        );
    }

    #[test]
    fn what_cannot_be_quoted_is_refused_by_name() {
        let source = "{q|double_quoted}";
        for hostile in [json!("a\nb"), json!(["a"]), json!({"a": 1})] {
            let refused = render(source, &json!({"q": hostile})).unwrap_err();
            assert!(matches!(refused, RenderError::Refused { argument, .. } if argument == "q"));
        }
    }

    #[test]
    fn malformed_texts_are_refused() {
        for bad in [
            "{q}",
            "{q|}",
            "{q|shouted}",
            "{Q|plain}",
            "{|plain}",
            "{q",
            "q}",
            "{a.b|plain}",
        ] {
            assert!(TextTemplate::parse(bad).is_err(), "{bad}");
        }
        assert!(TextTemplate::parse("{item.id|double_quoted}").is_ok());
    }
}
