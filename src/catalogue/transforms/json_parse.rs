//! JSON that came as a text inside of JSON.

use serde_json::Value;

use super::{TransformError, text};

/// The value that the text is. Text that is no JSON, or nests deeper than JSON is read, is left out.
pub(super) fn json_parse(value: &Value) -> Result<Value, TransformError> {
    serde_json::from_str(text(value)?).map_err(|_| TransformError::Unfit("is no JSON"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_becomes_what_it_says() {
        assert_eq!(json_parse(&json!("{\"a\": [1]}")), Ok(json!({"a": [1]})));
        assert!(json_parse(&json!("{a}")).is_err());
        assert!(json_parse(&json!(7)).is_err());
        assert!(json_parse(&json!("[".repeat(200_000))).is_err());
    }
}
