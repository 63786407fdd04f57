//! A list that came as one text with commas in it.

use serde_json::Value;

use super::{TransformError, text};

/// The parts between commas, without white space around them and without empty ones.
pub(super) fn csv_list(value: &Value) -> Result<Value, TransformError> {
    let parts = text(value)?
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    Ok(parts.map(Value::from).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_are_trimmed_and_empty_ones_left_out() {
        assert_eq!(csv_list(&json!("a, b,,c ")), Ok(json!(["a", "b", "c"])));
        assert_eq!(csv_list(&json!("")), Ok(json!([])));
        assert!(csv_list(&json!(["a"])).is_err());
    }
}
