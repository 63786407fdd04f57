//! What a value must be: the tests of `when`, `where`, `done` and `failed`.
//!
//! Owns how they are written and what fits. A value is compared as its text, so that `equals = 7` and `equals = "7"` mean
//! the same; whoever asks says where the value comes from.

use serde::Deserialize;
use serde_json::Value;

use super::arguments::scalar_text;
use super::field_path::FieldPath;

/// What a value must be.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expected {
    /// It is there, or it is not.
    Exists(bool),
    /// It is one of these.
    OneOf(Vec<String>),
}

impl Expected {
    /// Reads `equals`, `in` or `exists`: exactly one of them.
    pub(super) fn parse(
        equals: Option<&Value>,
        one_of: Option<&[Value]>,
        exists: Option<bool>,
    ) -> Result<Self, String> {
        let text = |value: &Value| {
            scalar_text(value)
                .map(std::borrow::Cow::into_owned)
                .ok_or("a test compares with a text, a number or a boolean")
        };
        match (equals, one_of, exists) {
            (Some(value), None, None) => Ok(Self::OneOf(vec![text(value)?])),
            (None, Some(values), None) => Ok(Self::OneOf(
                values.iter().map(text).collect::<Result<_, _>>()?,
            )),
            (None, None, Some(exists)) => Ok(Self::Exists(exists)),
            _ => Err("a test has exactly one of `equals`, `in` and `exists`".to_owned()),
        }
    }

    /// Whether a value is as it must be. A list or an object equals nothing.
    pub(super) fn fits(&self, found: Option<&Value>) -> bool {
        match self {
            Self::Exists(exists) => found.is_some() == *exists,
            Self::OneOf(texts) => found
                .and_then(scalar_text)
                .is_some_and(|found| texts.iter().any(|text| *text == found)),
        }
    }
}

/// A test of one field of a reply: `{ path, equals | in | exists }`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "FieldTestKeys")]
pub(super) struct FieldTest {
    pub(super) path: FieldPath,
    expected: Expected,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldTestKeys {
    path: FieldPath,
    equals: Option<Value>,
    #[serde(rename = "in")]
    one_of: Option<Vec<Value>>,
    exists: Option<bool>,
}

impl TryFrom<FieldTestKeys> for FieldTest {
    type Error = String;

    fn try_from(keys: FieldTestKeys) -> Result<Self, String> {
        let expected = Expected::parse(keys.equals.as_ref(), keys.one_of.as_deref(), keys.exists)?;
        Ok(Self {
            path: keys.path,
            expected,
        })
    }
}

impl FieldTest {
    /// Whether the field is as it must be.
    pub(super) fn fits(&self, value: &Value) -> bool {
        self.expected.fits(self.path.find(value))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fits(test: Value, value: &Value) -> bool {
        serde_json::from_value::<FieldTest>(test)
            .unwrap()
            .fits(value)
    }

    #[test]
    fn a_field_is_compared_as_text() {
        let value = json!({"state": "done", "percent": 100, "ok": true, "list": []});
        assert!(fits(json!({"path": "state", "equals": "done"}), &value));
        assert!(fits(json!({"path": "percent", "equals": "100"}), &value));
        assert!(fits(json!({"path": "percent", "equals": 100}), &value));
        assert!(fits(json!({"path": "ok", "in": [true, "yes"]}), &value));
        assert!(fits(json!({"path": "list", "exists": true}), &value));
        assert!(fits(json!({"path": "error", "exists": false}), &value));
        assert!(!fits(json!({"path": "list", "equals": "[]"}), &value));
        assert!(!fits(json!({"path": "state", "equals": "Done"}), &value));
    }

    #[test]
    fn a_test_says_one_thing() {
        for bad in [
            json!({"path": "a"}),
            json!({"path": "a", "equals": 1, "exists": true}),
            json!({"path": "a", "equals": []}),
            json!({"equals": 1}),
            json!({"path": "a", "matches": "x"}),
        ] {
            assert!(
                serde_json::from_value::<FieldTest>(bad.clone()).is_err(),
                "{bad}"
            );
        }
    }
}
