//! Where a field stands in a JSON reply: `user.login`; `errors.0.message` in the first item of a list; `.` is the whole
//! value. A key with an `@` in it takes the rest of the path (`@odata.nextLink`): the names of annotations have dots
//! (the JSON format of `OData` 4.01, section 20). An empty piece belongs to the key after it, which begins with a dot: `error..tag`
//! is the field `.tag` of `error`.

use std::fmt;

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
        let start = source.find('@').map_or(source.len(), |at| {
            source[..at].rfind('.').map_or(0, |dot| dot + 1)
        });
        let (dotted, annotation) = source.split_at(start);
        let dotted = match (dotted, annotation) {
            (_, "") => Some(dotted),
            ("", _) => None,
            _ => dotted.strip_suffix('.'),
        };
        let mut keys = Vec::new();
        // What stands before the next key when a dot belongs to it.
        let mut start = "";
        for piece in dotted.into_iter().flat_map(|dotted| dotted.split('.')) {
            match (start, piece) {
                ("", "") => start = ".",
                (_, "") => return Err(no_path(&source)),
                _ => keys.push(format!("{}{piece}", std::mem::take(&mut start))),
            }
        }
        if !start.is_empty() {
            return Err(no_path(&source));
        }
        keys.extend((!annotation.is_empty()).then(|| annotation.to_owned()));
        Ok(Self(keys))
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => formatter.write_str("."),
            keys => formatter.write_str(&keys.join(".")),
        }
    }
}

fn no_path(source: &str) -> String {
    format!("`{source}` is no path: write `user.login`, or `.` for the whole value")
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

    /// What stands there, to be changed.
    pub(super) fn find_mut<'v>(&self, value: &'v mut Value) -> Option<&'v mut Value> {
        self.0.iter().try_fold(value, |value, key| match value {
            Value::Array(items) => items.get_mut(key.parse::<usize>().ok()?),
            other => other.get_mut(key),
        })
    }

    /// The path of what stands at `path` below this one.
    pub(super) fn joined(&self, path: &Self) -> Self {
        Self(self.0.iter().chain(&path.0).cloned().collect())
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
        assert_eq!(path("@odata.nextLink").keys(), ["@odata.nextLink"]);
        assert_eq!(
            path("a.b.size@odata.type").keys(),
            ["a", "b", "size@odata.type"]
        );
        assert!(FieldPath::try_from("a...@b".to_owned()).is_err());
        assert_eq!(path(".tag").keys(), [".tag"]);
        assert_eq!(path("error..tag.x").keys(), ["error", ".tag", "x"]);
        for written in [".", "user.login", "error..tag.x", "a.size@odata.type"] {
            assert_eq!(path(written).to_string(), written);
        }
        for bad in ["a...b", "a.", "a..", ".."] {
            assert!(FieldPath::try_from(bad.to_owned()).is_err(), "{bad}");
        }
        assert!(FieldPath::try_from(String::new()).is_err());
    }
}
