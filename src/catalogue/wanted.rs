//! Reads JSON and builds only what is wanted of it.
//!
//! Building every value of a reply costs ten times what skipping it costs; replies of large APIs are mostly addresses
//! that nobody picks.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Value};

use super::field_path::FieldPath;

/// Which parts of a JSON value are wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    whole: bool,
    fields: BTreeMap<String, Wanted>,
    items: Option<Box<Wanted>>,
}

impl Wanted {
    fn whole() -> Self {
        Self {
            whole: true,
            ..Self::default()
        }
    }

    /// What is wanted at the end of `path`.
    pub(super) fn at(&mut self, path: &FieldPath) -> &mut Self {
        path.keys().iter().fold(self, |wanted, key| {
            wanted.fields.entry(key.clone()).or_default()
        })
    }

    /// What is wanted of each item.
    pub(super) fn items(&mut self) -> &mut Self {
        self.items.get_or_insert_default()
    }

    /// All of it is wanted.
    pub(super) fn want_whole(&mut self) {
        self.whole = true;
    }

    /// Reads a document; what is not wanted is skipped, or null where something must stand.
    pub(super) fn read(&self, body: &[u8]) -> Result<Value, serde_json::Error> {
        let mut document = serde_json::Deserializer::from_slice(body);
        let value = self.deserialize(&mut document)?;
        document.end()?;
        Ok(value)
    }
}

impl<'de> DeserializeSeed<'de> for &Wanted {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.whole {
            Value::deserialize(deserializer)
        } else {
            deserializer.deserialize_any(self)
        }
    }
}

/// Scalars where an object or a list was wanted are of no use: they become null.
impl<'de> Visitor<'de> for &Wanted {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut kept = Map::new();
        while let Some(known) = fields.next_key_seed(KnownKey(&self.fields))? {
            if let Some((key, wanted)) = known {
                kept.insert(key.clone(), fields.next_value_seed(wanted)?);
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Value::Object(kept))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let whole = Wanted::whole();
        let wanted = match self.items.as_deref() {
            Some(wanted) if self.fields.is_empty() => wanted,
            None if self.fields.is_empty() => {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Value::Null);
            }
            // Single items are wanted by their position. That is rare and in short lists: they are kept as they are.
            _ => &whole,
        };
        let mut kept = Vec::new();
        while let Some(item) = items.next_element_seed(wanted)? {
            kept.push(item);
        }
        Ok(Value::Array(kept))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_str<E>(self, _: &str) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

/// Looks a key up without keeping it: most keys of a reply are skipped.
struct KnownKey<'w>(&'w BTreeMap<String, Wanted>);

impl<'de, 'w> DeserializeSeed<'de> for KnownKey<'w> {
    type Value = Option<(&'w String, &'w Wanted)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'w> Visitor<'_> for KnownKey<'w> {
    type Value = Option<(&'w String, &'w Wanted)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.get_key_value(key))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_wanted_is_built() {
        let mut wanted = Wanted::default();
        let path = |source: &str| FieldPath::try_from(source.to_owned()).unwrap();
        wanted.at(&path("total")).want_whole();
        wanted
            .at(&path("items"))
            .items()
            .at(&path("user.login"))
            .want_whole();
        let body = json!({
            "total": 2, "noise": {"deep": [1, {"a": "b"}]},
            "items": [{"user": {"login": "ada", "id": 1}}, {"user": null}, "text", 1.5, true],
        });
        assert_eq!(
            wanted.read(body.to_string().as_bytes()).unwrap(),
            json!({"total": 2, "items": [{"user": {"login": "ada"}}, {"user": null}, null, null, null]})
        );
    }

    #[test]
    fn what_is_skipped_must_still_be_json() {
        let wanted = Wanted::default();
        assert!(wanted.read(br#"{"a": tru}"#).is_err());
        assert!(wanted.read(br#"{"a": 1} trailing"#).is_err());
        assert!(wanted.read(b"").is_err());
        assert!(wanted.read("[".repeat(100_000).as_bytes()).is_err());
    }

    #[test]
    fn an_item_is_found_by_its_position() {
        let mut wanted = Wanted::default();
        let path = FieldPath::try_from("errors.0.code".to_owned()).unwrap();
        wanted.at(&path).want_whole();
        let read = wanted
            .read(br#"{"data": [1], "errors": [{"code": "A"}, {"code": "B"}]}"#)
            .unwrap();
        assert_eq!(path.find(&read), Some(&json!("A")));
        assert_eq!(read.get("data"), None);
    }

    #[test]
    fn keys_with_escapes_are_found() {
        let mut wanted = Wanted::default();
        wanted
            .at(&FieldPath::try_from("é".to_owned()).unwrap())
            .want_whole();
        assert_eq!(wanted.read(br#"{"\u00e9": 1}"#).unwrap(), json!({"é": 1}));
    }
}
