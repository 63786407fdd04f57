//! Reads JSON and builds only what is wanted of it.
//!
//! Building every value of a reply costs ten times what skipping it costs; replies of large APIs are mostly addresses
//! that nobody picks.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::field_path::FieldPath;

/// How many values are built of one document at most: a spreadsheet that fills an output has fewer cells. An object counts
/// as several, and so does a field, because of the room that they take.
pub(super) const MOST_VALUES: usize = 40_000;
/// What an object with fields counts for besides, and each of its fields.
const OBJECT: usize = 4;
const FIELD: usize = 1;

/// Which parts of a JSON value are wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    whole: bool,
    fields: BTreeMap<String, Wanted>,
    items: Option<Box<Wanted>>,
}

/// Reads a whole document, within the same bounds.
pub(super) fn read_whole(body: &[u8]) -> Result<Value, serde_json::Error> {
    Wanted::whole().read(body)
}

/// The same where several documents share the `room` of one: what this one takes is taken off.
pub(super) fn read_whole_within(body: &[u8], room: &mut usize) -> Result<Value, serde_json::Error> {
    let left = Room(Cell::new(*room));
    let value = Wanted::whole().read_within(body, &left)?;
    *room = left.0.get();
    Ok(value)
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
        self.read_within(body, &Room(Cell::new(MOST_VALUES)))
    }

    fn read_within(&self, body: &[u8], room: &Room) -> Result<Value, serde_json::Error> {
        let mut document = serde_json::Deserializer::from_slice(body);
        let reading = Reading { wanted: self, room };
        let value = reading.deserialize(&mut document)?;
        document.end()?;
        Ok(value)
    }
}

/// How many more values may be built. A value takes ten times the room of its text and more, so that what a reply may be in
/// bytes says nothing about what it becomes.
struct Room(Cell<usize>);

impl Room {
    fn take<E: serde::de::Error>(&self, values: usize) -> Result<(), E> {
        let left = self.0.get().checked_sub(values);
        self.0
            .set(left.ok_or_else(|| E::custom("it has too many values"))?);
        Ok(())
    }
}

/// What is wanted at one place, and the room there is for it.
#[derive(Clone, Copy)]
struct Reading<'w> {
    wanted: &'w Wanted,
    room: &'w Room,
}

impl<'w> Reading<'w> {
    fn of(self, wanted: &'w Wanted) -> Self {
        Self { wanted, ..self }
    }

    /// Takes the room of one more field of an object.
    fn take_field<E: serde::de::Error>(self, kept: &Map<String, Value>) -> Result<(), E> {
        self.room.take(if kept.is_empty() {
            OBJECT + FIELD
        } else {
            FIELD
        })
    }

    /// A scalar where an object or a list was wanted is of no use: it becomes null.
    fn scalar(self, value: impl Into<Value>) -> Value {
        if self.wanted.whole {
            value.into()
        } else {
            Value::Null
        }
    }
}

impl<'de> DeserializeSeed<'de> for Reading<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.room.take(1)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reading<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut kept = Map::new();
        if self.wanted.whole {
            while let Some(key) = fields.next_key::<String>()? {
                self.take_field(&kept)?;
                kept.insert(key, fields.next_value_seed(self)?);
            }
            return Ok(Value::Object(kept));
        }
        while let Some(known) = fields.next_key_seed(KnownKey(&self.wanted.fields))? {
            if let Some((key, wanted)) = known {
                self.take_field(&kept)?;
                kept.insert(key.clone(), fields.next_value_seed(self.of(wanted))?);
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Value::Object(kept))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let whole = Wanted::whole();
        let wanted = match self.wanted.items.as_deref() {
            _ if self.wanted.whole => &whole,
            Some(wanted) if self.wanted.fields.is_empty() => wanted,
            None if self.wanted.fields.is_empty() => {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Value::Null);
            }
            // Single items are wanted by their position. That is rare and in short lists: they are kept as they are.
            _ => &whole,
        };
        let mut kept = Vec::new();
        let room = self.room;
        while let Some(item) = items.next_element_seed(Reading { wanted, room })? {
            kept.push(item);
        }
        Ok(Value::Array(kept))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(self.scalar(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(self.scalar(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(self.scalar(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(self.scalar(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(self.scalar(value))
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

    /// A reply of 8 MiB can have millions of values of 72 bytes and more each.
    #[test]
    fn no_document_becomes_more_values_than_there_is_room_for() {
        let lists = |count: usize| format!("[{}[]]", "[],".repeat(count - 1));
        assert!(read_whole(lists(MOST_VALUES - 1).as_bytes()).is_ok());
        assert!(read_whole(lists(MOST_VALUES).as_bytes()).is_err());
        let mut wanted = Wanted::default();
        wanted
            .items()
            .at(&FieldPath::try_from("id".to_owned()).unwrap());
        assert!(wanted.read(lists(MOST_VALUES).as_bytes()).is_err());
        let skipped = format!("{{\"noise\": {}}}", lists(MOST_VALUES));
        assert!(wanted.read(skipped.as_bytes()).is_ok());
    }

    #[test]
    fn a_whole_document_is_what_it_says() {
        let body =
            r#"{"b": [1, -1, 1.5, true, null, "é\n", {"x": {}}], "a": 18446744073709551615}"#;
        let expected: Value = serde_json::from_str(body).unwrap();
        assert_eq!(read_whole(body.as_bytes()).unwrap(), expected);
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
