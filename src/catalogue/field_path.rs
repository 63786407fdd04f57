//! Where a field stands in a JSON reply: `user.login`; `errors.0.message` in the first item of a list; `.` is the whole
//! value.

use serde::Deserialize;
use serde_json::Value;

/// A dotted path into a JSON value; in a list a key is a position, counted from 0.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct FieldPath(Vec<String>);

impl TryFrom<String> for FieldPath {
    type Error = String;

    fn try_from(source: String) -> Result<Self, String> {
        if source == "." {
            return Ok(Self(Vec::new()));
        }
        let keys: Vec<String> = source.split('.').map(str::to_owned).collect();
        if keys.iter().any(String::is_empty) {
            return Err(format!(
                "`{source}` is no path: write `user.login`, or `.` for the whole value"
            ));
        }
        Ok(Self(keys))
    }
}

impl FieldPath {
    /// The path of the whole value.
    pub(super) fn whole() -> Self {
        Self(Vec::new())
    }

    /// The same path, in the field `key` of an outer object.
    pub(super) fn below(self, key: &str) -> Self {
        Self(std::iter::once(key.to_owned()).chain(self.0).collect())
    }

    /// The keys from the outside in.
    pub(super) fn keys(&self) -> &[String] {
        &self.0
    }

    /// What stands there; null counts as nothing.
    pub(super) fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.0
            .iter()
            .try_fold(value, |value, key| match value {
                Value::Array(items) => items.get(key.parse::<usize>().ok()?),
                other => other.get(key),
            })
            .filter(|value| !value.is_null())
    }

    /// What stands there, as text: a text as it is, anything else as JSON.
    pub(super) fn find_text(&self, value: &Value) -> Option<String> {
        self.find(value).map(|found| match found {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(source: &str) -> FieldPath {
        FieldPath::try_from(source.to_owned()).unwrap()
    }

    #[test]
    fn paths_lead_to_values() {
        let value = json!({"user": {"login": "ada", "id": 7, "name": null}});
        assert_eq!(path("user.login").find(&value), Some(&json!("ada")));
        assert_eq!(path("user.id").find_text(&value).as_deref(), Some("7"));
        assert_eq!(path("user.name").find(&value), None);
        assert_eq!(path("user.login.x").find(&value), None);
        assert_eq!(path(".").find(&value), Some(&value));
        let list = json!({"errors": [{"code": "A"}, {"code": "B"}]});
        assert_eq!(path("errors.1.code").find(&list), Some(&json!("B")));
        assert_eq!(path("errors.2.code").find(&list), None);
        assert_eq!(path("errors.code").find(&list), None);
        assert_eq!(path("code").below("user").keys(), ["user", "code"]);
        assert!(FieldPath::try_from("a..b".to_owned()).is_err());
        assert!(FieldPath::try_from(String::new()).is_err());
    }
}
