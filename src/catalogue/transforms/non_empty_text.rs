//! A text that says something.

use serde_json::Value;

use super::TransformError;

/// The text as it is, unless it is empty.
pub(super) fn non_empty_text(value: Value) -> Result<Value, TransformError> {
    match value {
        Value::String(text) if !text.is_empty() => Ok(Value::String(text)),
        _ => Err(TransformError::Unfit("is not a text with something in it")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_text_is_left_out() {
        let non_empty = |value: Value| non_empty_text(value).ok();
        assert_eq!(non_empty(json!("dXNlcjo=")), Some(json!("dXNlcjo=")));
        assert_eq!(non_empty(json!("")), None);
        assert_eq!(non_empty(json!(7)), None);
    }
}
