//! Makes an output fit: what is too long is cut, and a sentence says so.
//!
//! Small fields stay and large ones pay, so that the id beside a long text survives it; a list keeps its beginning.

use std::io;

use serde_json::{Map, Value};

use crate::catalogue::plain_text::plain_text;

/// How many lists, and how many texts, are named in the sentence.
const NAMED: usize = 3;
/// How much of a name is shown: inside of what is passed on whole, names are the provider's.
const LONGEST_NAME: usize = 30;

/// What was left out of an output.
#[derive(Clone, Debug, Default)]
pub(in crate::catalogue) struct LeftOut {
    /// How many items are missing, by the field that the list stands in.
    items: Vec<(String, usize)>,
    /// The fields whose text was cut.
    texts: Vec<String>,
    /// Whether whole fields are missing.
    fields: bool,
}

impl LeftOut {
    /// Notes that items of the list in the field `name` are missing.
    pub(in crate::catalogue) fn items(&mut self, name: &str, count: usize) {
        if count > 0 {
            match self.items.iter_mut().find(|(known, _)| known == name) {
                Some((_, missing)) => *missing = missing.saturating_add(count),
                None => self.items.push((name.to_owned(), count)),
            }
        }
    }

    fn text(&mut self, name: &str) {
        if !self.texts.iter().any(|known| known == name) {
            self.texts.push(name.to_owned());
        }
    }

    /// What is missing, and what to do; nothing when all is there.
    pub(in crate::catalogue) fn sentence(&self) -> Option<String> {
        let field = |name: &str| match name {
            "" => String::new(),
            name => format!(" of `{}`", plain_text(name, LONGEST_NAME)),
        };
        let mut parts: Vec<String> = Vec::new();
        for (name, count) in self.items.iter().take(NAMED) {
            let items = if *count == 1 { "item" } else { "items" };
            parts.push(format!("{count} {items}{}", field(name)));
        }
        for name in self.texts.iter().take(NAMED) {
            parts.push(format!("the end{}", field(name)));
        }
        let is_more = self.items.len() > NAMED || self.texts.len() > NAMED || self.fields;
        if is_more {
            parts.push("some fields".to_owned());
        }
        let last = parts.pop()?;
        let listed = if parts.is_empty() {
            last
        } else {
            format!("{} and {last}", parts.join(", "))
        };
        Some(format!(
            "The reply was too long: {listed} left out. Ask for less at a time, or for something narrower."
        ))
    }

    /// Cuts an object until its JSON has at most `budget` bytes.
    pub(super) fn fit(&mut self, value: Map<String, Value>, budget: usize) -> Map<String, Value> {
        let value = Value::Object(value);
        if json_size(&value) <= budget {
            return match value {
                Value::Object(fields) => fields,
                _ => Map::new(),
            };
        }
        match self.shrink("", value, budget) {
            Some(Value::Object(fields)) => fields,
            _ => Map::new(),
        }
    }

    /// As much of a value as `budget` bytes of JSON can hold. Nothing when not even its frame fits.
    fn shrink(&mut self, name: &str, value: Value, budget: usize) -> Option<Value> {
        if json_size(&value) <= budget {
            return Some(value);
        }
        match value {
            Value::String(text) => {
                self.text(name);
                Some(Value::String(beginning(&text, budget.checked_sub(2)?)))
            }
            Value::Array(items) => self.shrink_list(name, items, budget),
            Value::Object(fields) => self.shrink_fields(fields, budget),
            scalar => {
                drop(scalar);
                self.fields = true;
                None
            }
        }
    }

    /// The first items that fit; the one at the edge is shrunk only when it is the first.
    fn shrink_list(&mut self, name: &str, items: Vec<Value>, budget: usize) -> Option<Value> {
        let mut left = budget.checked_sub(2)?;
        let count = items.len();
        let mut kept = Vec::new();
        for item in items {
            let size = json_size(&item) + 1;
            if size <= left {
                left -= size;
                kept.push(item);
                continue;
            }
            if kept.is_empty() {
                let room = left.saturating_sub(1);
                kept.extend(self.shrink(name, item, room));
            }
            break;
        }
        self.items(name, count - kept.len());
        Some(Value::Array(kept))
    }

    /// Every field in its old order; the smallest get their room first.
    fn shrink_fields(&mut self, fields: Map<String, Value>, budget: usize) -> Option<Value> {
        let mut left = budget.checked_sub(2)?;
        let mut by_size: Vec<(usize, usize)> = fields
            .values()
            .enumerate()
            .map(|(at, value)| (json_size(value), at))
            .collect();
        by_size.sort_unstable();
        let mut slots: Vec<Option<(String, Value)>> = fields.into_iter().map(Some).collect();
        for (_, at) in by_size {
            let Some((key, value)) = slots[at].take() else {
                continue;
            };
            // The key, its quotes, the colon and the comma.
            let frame = key_size(&key) + 2;
            let Some(room) = left.checked_sub(frame) else {
                self.fields = true;
                continue;
            };
            let Some(value) = self.shrink(&key, value, room) else {
                self.fields = true;
                continue;
            };
            left = room.saturating_sub(json_size(&value));
            slots[at] = Some((key, value));
        }
        Some(Value::Object(slots.into_iter().flatten().collect()))
    }
}

/// How many bytes the JSON of a value has.
fn json_size(value: &Value) -> usize {
    let mut counter = Counter(0);
    match serde_json::to_writer(&mut counter, value) {
        Ok(()) => counter.0,
        Err(_) => usize::MAX,
    }
}

fn key_size(key: &str) -> usize {
    let mut counter = Counter(0);
    match serde_json::to_writer(&mut counter, key) {
        Ok(()) => counter.0,
        Err(_) => usize::MAX,
    }
}

/// The longest beginning whose JSON, without quotes, has at most `budget` bytes; the last of them are an ellipsis.
fn beginning(text: &str, budget: usize) -> String {
    const ELLIPSIS: &str = "…";
    let Some(mut left) = budget.checked_sub(ELLIPSIS.len()) else {
        return String::new();
    };
    let mut end = 0;
    for (at, character) in text.char_indices() {
        let size = match character {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            control if control < ' ' => 6,
            other => other.len_utf8(),
        };
        let Some(room) = left.checked_sub(size) else {
            break;
        };
        left = room;
        end = at + character.len_utf8();
    }
    format!("{}{ELLIPSIS}", &text[..end])
}

/// Counts what is written.
struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn fit(value: &Value, budget: usize) -> (Value, Option<String>) {
        let mut left_out = LeftOut::default();
        let fields = left_out.fit(value.as_object().unwrap().clone(), budget);
        (Value::Object(fields), left_out.sentence())
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        let value = json!({"id": 7, "text": "short"});
        assert_eq!(fit(&value, 100), (value, None));
    }

    #[test]
    fn the_long_text_pays_and_the_id_behind_it_stays() {
        let value = json!({"text": "x".repeat(500), "url": "https://a.example/1", "id": 7});
        let (cut, sentence) = fit(&value, 120);
        assert_eq!(cut["id"], 7);
        assert_eq!(cut["url"], "https://a.example/1");
        let text = cut["text"].as_str().unwrap();
        assert!(text.starts_with("xxxxx") && text.ends_with('…'), "{text}");
        assert_eq!(
            sentence.as_deref(),
            Some(
                "The reply was too long: the end of `text` left out. Ask for less at a time, or for something narrower."
            )
        );
        assert_eq!(
            cut.as_object().unwrap().keys().collect::<Vec<_>>(),
            ["text", "url", "id"]
        );
    }

    #[test]
    fn a_list_keeps_its_beginning() {
        let items: Vec<Value> = (0..100).map(|id| json!({"id": id})).collect();
        let (cut, sentence) = fit(&json!({"messages": items, "total": 100}), 120);
        let kept = cut["messages"].as_array().unwrap();
        assert_eq!(kept[0], json!({"id": 0}));
        assert!(kept.len() > 5 && kept.len() < 20, "{}", kept.len());
        let missing = 100 - kept.len();
        assert!(
            sentence
                .unwrap()
                .contains(&format!("{missing} items of `messages` left out"))
        );
    }

    #[test]
    fn lists_that_a_pick_cut_are_named() {
        let mut left_out = LeftOut::default();
        assert_eq!(left_out.sentence(), None);
        left_out.items("labels", 1);
        left_out.items("labels", 0);
        left_out.items("", 2);
        assert!(
            left_out
                .sentence()
                .unwrap()
                .contains("1 item of `labels` and 2 items left out")
        );
    }

    fn tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(Value::from),
            "\\PC{0,40}".prop_map(Value::from),
            "[\\x00-\\x7f]{0,40}".prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 200, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::vec(("[a-z\"]{1,6}", inner), 0..8)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_comes_fits(value in tree(), budget in 2_usize..2000) {
            let (cut, sentence) = fit(&json!({"value": value}), budget);
            prop_assert!(cut.to_string().len() <= budget);
            prop_assert_eq!(sentence.is_none(), cut == json!({"value": value}));
        }
    }
}
