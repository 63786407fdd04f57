//! `[tool.expand]`: one request for each item of a list, when the list itself says too little.
//!
//! Owns which items are asked for and where their replies go. Refuses to know in what order they come.

use http::Response;
use serde_json::Value;

use super::field_path::FieldPath;
use super::request::RequestTemplate;
use super::wanted::{MOST_VALUES, read_whole_within};

/// No file asks for more requests than this in one call.
pub(super) const MOST_ITEMS: usize = 50;
/// No provider is asked more than this at once by one call.
pub(super) const MOST_AT_ONCE: usize = 8;

/// A list that is longer is read as it stands, and so are items beyond: a whole tree is built of these bytes, and a tree of a
/// hostile reply takes many times their room.
pub(super) const MOST_BYTES: usize = 2 << 20;

/// One request for each item of a list; the reply takes the place of the item.
#[derive(Clone, Debug)]
pub(super) struct Expand {
    /// The list, in the reply of the tool's own request; below `data` where that is GraphQL.
    pub(super) over: FieldPath,
    pub(super) request: RequestTemplate,
    /// Items beyond stay as they are.
    pub(super) max: usize,
    /// How many requests are under way at once.
    pub(super) concurrency: usize,
}

/// The reply of the tool's own request while its items are asked for.
#[derive(Debug)]
pub(super) struct Expansion {
    /// Its status and headers, without its bytes: they are `body`.
    pub(super) reply: Response<Vec<u8>>,
    pub(super) body: Value,
    /// Where the list stands in the whole body.
    over: FieldPath,
    /// How many bytes of replies were put in.
    taken: usize,
    /// How many values may still be put in.
    room: usize,
}

impl Expansion {
    /// The reply with its list; nothing when there is no list in it, or the reply is too long.
    pub(super) fn new(response: &Response<Vec<u8>>, over: FieldPath) -> Option<Self> {
        if response.body().len() > MOST_BYTES {
            return None;
        }
        let mut room = MOST_VALUES;
        let body: Value = read_whole_within(response.body(), &mut room).ok()?;
        over.find(&body)?.as_array()?;
        let mut reply = Response::new(Vec::new());
        *reply.status_mut() = response.status();
        reply.headers_mut().clone_from(response.headers());
        Some(Self {
            reply,
            body,
            over,
            taken: 0,
            room,
        })
    }

    /// The items.
    pub(super) fn items(&self) -> &[Value] {
        let list = self.over.find(&self.body).and_then(Value::as_array);
        list.map_or(&[], Vec::as_slice)
    }

    /// Puts the reply for an item in its place. One that is no JSON, or more than all items together may have, leaves the item
    /// as it was.
    pub(super) fn put(&mut self, index: usize, reply: &[u8]) {
        if reply.len() > MOST_BYTES - self.taken {
            return;
        }
        let Ok(found) = read_whole_within(reply, &mut self.room) else {
            return;
        };
        self.taken += reply.len();
        let list = self.over.find_mut(&mut self.body);
        let item = list.and_then(|list| list.get_mut(index));
        if let Some(item) = item {
            *item = found;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reply_takes_the_place_of_its_item() {
        let over = FieldPath::try_from("data.notes".to_owned()).unwrap();
        let body = json!({"data": {"notes": [{"id": 1}, {"id": 2}]}, "next": "c"});
        let reply = Response::new(body.to_string().into_bytes());
        let mut expansion = Expansion::new(&reply, over.clone()).unwrap();
        assert_eq!(expansion.items().len(), 2);
        expansion.put(1, br#"{"id": 2, "text": "b"}"#);
        expansion.put(7, br#""nowhere""#);
        expansion.put(0, b"<html>");
        assert_eq!(
            expansion.body,
            json!({"data": {"notes": [{"id": 1}, {"id": 2, "text": "b"}]}, "next": "c"})
        );
        let none = Response::new(br#"{"data": {}}"#.to_vec());
        assert!(Expansion::new(&none, over).is_none());
    }

    #[test]
    fn replies_for_items_are_bounded_together() {
        let over = FieldPath::try_from("notes".to_owned()).unwrap();
        let reply = Response::new(br#"{"notes": [1, 2, 3]}"#.to_vec());
        let mut expansion = Expansion::new(&reply, over).unwrap();
        let half = json!("x".repeat(MOST_BYTES / 2 - 2))
            .to_string()
            .into_bytes();
        for index in 0..3 {
            expansion.put(index, &half);
        }
        let is_text: Vec<bool> = expansion.items().iter().map(Value::is_string).collect();
        assert_eq!(is_text, [true, true, false]);
        assert_eq!(expansion.items()[2], json!(3));
        let over = FieldPath::try_from("notes".to_owned()).unwrap();
        let long = json!({"notes": ["x".repeat(MOST_BYTES)]}).to_string();
        assert!(Expansion::new(&Response::new(long.into_bytes()), over).is_none());
    }
}
