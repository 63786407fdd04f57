//! What a message may hold before anything is built from it.
//!
//! A few megabytes of JSON become a tree of a hundred: 4 MiB of `[0,0,0…` are two million values of some sixty bytes each,
//! several times over until the handler has them. So the text is walked once without keeping anything, and what is too
//! deep or holds too much goes no further. Refuses to know transports: they turn an [`Excess`] into their kind of answer.

use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Value, json};

/// The longest message, in bytes: over HTTP the whole body, on a stream one line.
pub const LONGEST: usize = 4 << 20;

/// How deep arrays and objects may lie in each other.
const DEEPEST: usize = 64;

/// How many values a message may hold, counting arrays and objects. A long text is one.
const MOST_VALUES: usize = 20_000;

/// The longest id that is repeated in a refusal.
const LONGEST_ID: usize = 256;

/// What is said to JSON that is no message.
pub(super) const NO_MESSAGE: &str = "This is JSON, but no JSON-RPC message of MCP. Send one request or notification, \
    with `jsonrpc`, `method` and, for a request, `id`.";

/// Why a message goes no further.
#[derive(Debug)]
pub(super) enum Excess {
    /// It is not JSON.
    NotJson(serde_json::Error),
    /// It is longer than [`LONGEST`].
    TooLong,
    /// Values lie deeper in each other than [`DEEPEST`].
    TooDeep(Id),
    /// There are more than [`MOST_VALUES`].
    TooMany(Id),
}

/// The id of a request, as far as it was seen; null otherwise (JSON-RPC 2.0, section 5).
pub(super) type Id = Value;

impl Excess {
    /// What is wrong, and what to do.
    pub(super) fn sentence(&self) -> String {
        match self {
            Self::NotJson(error) => {
                format!("This message is not JSON ({error}). Send one JSON-RPC message, in UTF-8.")
            }
            Self::TooLong => format!(
                "This message is longer than {} MiB, the most that Attache takes. Send less at once.",
                LONGEST >> 20
            ),
            Self::TooDeep(_) => format!(
                "This message holds values more than {DEEPEST} levels deep, the most that Attache takes. Send flatter \
                 arguments, or the inner part as text."
            ),
            Self::TooMany(_) => format!(
                "This message holds more than {MOST_VALUES} values, the most that Attache takes. Send less at once, or \
                 the data as one text."
            ),
        }
    }

    /// The id of what is refused.
    pub(super) fn id(&self) -> &Id {
        match self {
            Self::NotJson(_) | Self::TooLong => &Id::Null,
            Self::TooDeep(id) | Self::TooMany(id) => id,
        }
    }

    /// The refusal as a JSON-RPC error (JSON-RPC 2.0, section 5.1).
    pub(super) fn answer(&self) -> Value {
        let code = match self {
            Self::NotJson(_) => -32700,
            _ => -32600,
        };
        let message = self.sentence();
        json!({ "jsonrpc": "2.0", "id": self.id(), "error": { "code": code, "message": message } })
    }
}

/// Walks the text once. Nothing is kept of it but the id, which is returned.
///
/// # Errors
/// [`Excess`]: it is not JSON, or more than a message may be.
pub(super) fn check(text: &[u8]) -> Result<Id, Excess> {
    if text.len() > LONGEST {
        return Err(Excess::TooLong);
    }
    let mut walk = Walk {
        values: 0,
        too_deep: false,
        id: Id::Null,
    };
    let mut json = serde_json::Deserializer::from_slice(text);
    let walked = Level {
        walk: &mut walk,
        depth: 0,
    }
    .deserialize(&mut json)
    .and_then(|()| json.end());
    match walked {
        Ok(()) => Ok(walk.id),
        Err(_) if walk.too_deep => Err(Excess::TooDeep(walk.id)),
        Err(_) if walk.values > MOST_VALUES => Err(Excess::TooMany(walk.id)),
        Err(error) => Err(Excess::NotJson(error)),
    }
}

struct Walk {
    values: usize,
    too_deep: bool,
    id: Id,
}

/// One value, and how deep it lies.
struct Level<'a> {
    walk: &'a mut Walk,
    depth: usize,
}

impl Level<'_> {
    /// Counts the value; those below it are one level deeper.
    fn enter<E: Error>(&mut self) -> Result<(), E> {
        self.depth += 1;
        if self.depth > DEEPEST {
            self.walk.too_deep = true;
            return Err(E::custom("too deep"));
        }
        Ok(())
    }

    fn below(&mut self) -> Level<'_> {
        Level {
            walk: self.walk,
            depth: self.depth,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Level<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.walk.values += 1;
        if self.walk.values > MOST_VALUES {
            return Err(D::Error::custom("too many values"));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        self.enter()?;
        while items.next_element_seed(self.below())?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        self.enter()?;
        while let Some(is_id) = entries.next_key_seed(IsId)? {
            if is_id && self.depth == 1 {
                self.walk.values += 1;
                let id = entries.next_value_seed(ShortId(self.below()))?;
                self.walk.id = id;
            } else {
                entries.next_value_seed(self.below())?;
            }
        }
        Ok(())
    }
}

/// Whether a key is `id`.
struct IsId;

impl<'de> DeserializeSeed<'de> for IsId {
    type Value = bool;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for IsId {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(key == "id")
    }
}

/// An id that can be repeated: a whole number or a short text. Anything else counts as null, and is walked like the rest.
struct ShortId<'a>(Level<'a>);

impl<'de> DeserializeSeed<'de> for ShortId<'_> {
    type Value = Id;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Id, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ShortId<'_> {
    type Value = Id;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an id")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Id, E> {
        Ok(Id::Null)
    }

    fn visit_i64<E>(self, id: i64) -> Result<Id, E> {
        Ok(id.into())
    }

    fn visit_u64<E>(self, id: u64) -> Result<Id, E> {
        Ok(id.into())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Id, E> {
        Ok(Id::Null)
    }

    fn visit_str<E>(self, id: &str) -> Result<Id, E> {
        Ok(if id.len() <= LONGEST_ID {
            id.into()
        } else {
            Id::Null
        })
    }

    fn visit_unit<E>(self) -> Result<Id, E> {
        Ok(Id::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Id, A::Error> {
        self.0.visit_seq(items).map(|()| Id::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Id, A::Error> {
        self.0.visit_map(entries).map(|()| Id::Null)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nested(levels: usize) -> String {
        format!("{}{}", "[".repeat(levels), "]".repeat(levels))
    }

    #[test]
    fn a_message_within_bounds_passes_and_one_step_further_does_not() {
        assert!(check(nested(DEEPEST).as_bytes()).is_ok());
        assert!(matches!(
            check(nested(DEEPEST + 1).as_bytes()),
            Err(Excess::TooDeep(Id::Null))
        ));
        let list = |items: usize| format!("[{}0]", "0,".repeat(items - 1));
        assert!(check(list(MOST_VALUES - 1).as_bytes()).is_ok());
        assert!(matches!(
            check(list(MOST_VALUES).as_bytes()),
            Err(Excess::TooMany(_))
        ));
        let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
        assert!(check(text(LONGEST).as_bytes()).is_ok());
        assert!(matches!(
            check(text(LONGEST + 1).as_bytes()),
            Err(Excess::TooLong)
        ));
    }

    #[test]
    fn bombs_are_named_and_answered_under_their_id() {
        let deep = format!(r#"{{"jsonrpc":"2.0","id":7,"params":{}}}"#, nested(200_000));
        let answer = check(deep.as_bytes()).unwrap_err().answer();
        assert_eq!(
            (&answer["id"], &answer["error"]["code"]),
            (&json!(7), &json!(-32600))
        );
        let keys: Vec<_> = (0..100_000).map(|key| format!("\"{key}\":0")).collect();
        let many = format!(r#"{{"id":"a","params":{{{}}}}}"#, keys.join(","));
        let answer = check(many.as_bytes()).unwrap_err().answer();
        assert_eq!(answer["id"], "a");
        assert!(
            answer["error"]["message"]
                .as_str()
                .unwrap()
                .contains("20000 values")
        );
        // Once the bound is passed, nothing further is read: the id stays unknown.
        let late = format!(r#"{{"params":{},"id":7}}"#, nested(200));
        assert_eq!(
            check(late.as_bytes()).unwrap_err().answer()["id"],
            Value::Null
        );
    }

    #[test]
    fn only_an_id_that_can_be_one_is_repeated() {
        let long = "x".repeat(LONGEST_ID + 1);
        for id in [
            "null",
            "1.5",
            "true",
            "[1]",
            r#"{"a":1}"#,
            &format!("\"{long}\""),
        ] {
            let text = format!(r#"{{"id":{id},"deep":{}}}"#, nested(100));
            let answer = check(text.as_bytes()).unwrap_err().answer();
            assert_eq!(answer["id"], Value::Null, "{id}");
        }
    }

    #[test]
    fn an_id_is_no_way_around_the_bounds() {
        let many = format!(r#"{{"id":[{}0]}}"#, "0,".repeat(MOST_VALUES));
        assert!(matches!(check(many.as_bytes()), Err(Excess::TooMany(_))));
        let deep = format!(r#"{{"id":{}}}"#, nested(DEEPEST));
        assert!(matches!(check(deep.as_bytes()), Err(Excess::TooDeep(_))));
    }

    #[test]
    fn what_is_not_json_is_a_parse_error() {
        for text in [
            "",
            "{",
            "{}{}",
            "nul",
            "\"\u{1}\"",
            "{\"a\":1,}",
            "\u{feff}{}",
        ] {
            let answer = check(text.as_bytes()).unwrap_err().answer();
            assert_eq!(answer["error"]["code"], -32700, "{text:?}");
        }
        assert!(check(b"\"\xff\"").is_err(), "not UTF-8");
    }

    /// Any JSON with its depth and its number of values, counted apart from the walk.
    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::vec(("(id|[a-z]{1,3})", inner), 0..8)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_serde_json_reads_passes_and_nothing_else(value in json_value(), cut in 0_usize..64) {
            let text = value.to_string();
            prop_assert!(check(text.as_bytes()).is_ok(), "{text}");
            let at = text.len().saturating_sub(cut);
            if let Some(part) = text.get(..at) {
                let reads = serde_json::from_str::<Value>(part).is_ok();
                prop_assert_eq!(check(part.as_bytes()).is_ok(), reads, "{}", part);
            }
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            let _ = check(&bytes);
        }
    }
}
