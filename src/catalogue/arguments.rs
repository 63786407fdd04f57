//! The arguments of one call, as the templates see them: given values over defaults.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::inputs::Inputs;
use super::places::Places;

/// The arguments of one call.
#[derive(Clone, Copy)]
pub(super) struct Arguments<'a> {
    pub(super) given: &'a Map<String, Value>,
    pub(super) inputs: &'a Inputs,
}

impl Places for Arguments<'_> {
    fn value(&self, name: &str) -> Option<&Value> {
        self.inputs.value(self.given, name)
    }
}

/// A scalar as text; `7.0` is the integer 7 in JSON Schema, and so it is here.
pub(super) fn scalar_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Bool(true) => Some(Cow::Borrowed("true")),
        Value::Bool(false) => Some(Cow::Borrowed("false")),
        Value::Number(number) => {
            let text = number.to_string();
            let whole = text.strip_suffix(".0").map(str::to_owned);
            Some(Cow::Owned(whole.unwrap_or(text)))
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scalars_have_one_spelling() {
        let text = |value: Value| scalar_text(&value).map(Cow::into_owned);
        assert_eq!(text(json!(7)).as_deref(), Some("7"));
        assert_eq!(text(json!(7.0)).as_deref(), Some("7"));
        assert_eq!(text(json!(7.5)).as_deref(), Some("7.5"));
        assert_eq!(text(json!(true)).as_deref(), Some("true"));
        assert_eq!(text(json!(["a"])), None);
        assert_eq!(text(json!(null)), None);
    }
}
