//! A value as text, for providers that take JSON inside of JSON.

use serde_json::Value;

use super::TransformError;

/// The value as JSON text without white space. A text becomes a quoted text.
#[expect(
    clippy::unnecessary_wraps,
    reason = "every transform has the same shape, also the one that takes any value"
)]
pub(super) fn json_string(value: &Value) -> Result<Value, TransformError> {
    Ok(Value::String(value.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_text_is_json_of_the_value() {
        assert_eq!(
            json_string(&json!({"zip": "\"}, {\"", "n": [1, null]})),
            Ok(json!(r#"{"zip":"\"}, {\"","n":[1,null]}"#))
        );
        assert_eq!(json_string(&json!("a")), Ok(json!("\"a\"")));
    }
}
