//! Words of a document, as values and comments of a draft.

use serde_json::Value;

use crate::catalogue::plain_text::plain_text;

/// What stands for a thing that only a person knows.
pub(super) const CHECK: &str = "CHECK";

/// One harmless line of at most `limit` characters.
pub(super) fn one_line(text: &str, limit: usize) -> String {
    plain_text(text, limit)
}

/// A sentence: it begins with a capital letter and ends with a full stop.
pub(super) fn sentence(text: &str, limit: usize) -> Option<String> {
    let line = plain_text(text, limit.saturating_sub(1));
    let line = line.trim_end_matches(['.', '!', ':', ' ']);
    let mut letters = line.chars();
    let first = letters.next()?;
    let sentence: String = first.to_uppercase().chain(letters).chain(['.']).collect();
    sentence.contains(' ').then_some(sentence)
}

/// A value as TOML writes it, on one line.
pub(super) fn toml_value(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole.to_string(),
            (None, Some(fraction)) => toml::Value::Float(fraction).to_string(),
            (None, None) => return None,
        }),
        Value::String(text) => Some(toml_text(text)),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().filter_map(toml_value).collect();
            Some(format!("[{}]", items.join(", ")))
        }
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .filter_map(|(key, value)| {
                    Some(format!("{} = {}", toml_key(key), toml_value(value)?))
                })
                .collect();
            Some(if fields.is_empty() {
                "{}".to_owned()
            } else {
                format!("{{ {} }}", fields.join(", "))
            })
        }
    }
}

/// A key, quoted where it has to be.
pub(super) fn toml_key(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(is_bare) {
        key.to_owned()
    } else {
        toml_text(key)
    }
}

/// A text, on one line whatever is in it: TOML's basic strings have the escapes of JSON.
pub(super) fn toml_text(text: &str) -> String {
    let quoted = Value::String(text.to_owned()).to_string();
    quoted.replace('\u{7f}', "\\u007F")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn words_become_sentences() {
        assert_eq!(
            sentence("list all pets\nnow", 80).as_deref(),
            Some("List all pets now.")
        );
        assert_eq!(sentence("Returns it.", 80).as_deref(), Some("Returns it."));
        assert_eq!(sentence("pets", 80), None);
        assert_eq!(sentence("  ", 80), None);
    }

    #[test]
    fn values_are_written_as_toml() {
        let value = json!({"a b": [1, -2.5, null, true, "x\n\"y"], "c": {}});
        assert_eq!(
            toml_value(&value).unwrap(),
            r#"{ "a b" = [1, -2.5, true, "x\n\"y"], c = {} }"#
        );
        assert_eq!(toml_value(&json!(null)), None);
    }

    proptest! {
        #[test]
        fn any_text_comes_back_as_it_was(text in "\\PC*|[\\x00-\\x7f]*", key in "\\PC*") {
            let line = format!("{} = {}", toml_key(&key), toml_text(&text));
            prop_assert_eq!(line.lines().count(), 1);
            let table: toml::Table = line.parse().unwrap();
            prop_assert_eq!(table[&key].as_str(), Some(text.as_str()));
        }
    }
}
