//! Reads a pick out of a reply.
//!
//! A list that is longer than it may be is cut here, where it is known by name, and what was left out is noted.

use std::cell::RefCell;

use http::HeaderMap;
use serde_json::{Map, Value};

use super::node::{Apply, Cut, Entries, First, List, Node, TemplatePiece};
use crate::catalogue::arguments::scalar_text;
use crate::catalogue::field_path::FieldPath;
use crate::catalogue::places::Places;
use crate::catalogue::reply::LeftOut;

/// What a pick sees besides the body, and what it had to leave out.
pub(in crate::catalogue) struct Reading<'a> {
    headers: &'a HeaderMap,
    places: &'a dyn Places,
    max_items: usize,
    left_out: RefCell<LeftOut>,
}

impl<'a> Reading<'a> {
    /// A reading that takes at most `max_items` of each list for which the file says nothing else.
    pub(in crate::catalogue) fn new(
        headers: &'a HeaderMap,
        places: &'a dyn Places,
        max_items: usize,
    ) -> Self {
        Self {
            headers,
            places,
            max_items,
            left_out: RefCell::default(),
        }
    }

    /// What was left out.
    pub(in crate::catalogue) fn into_left_out(self) -> LeftOut {
        self.left_out.into_inner()
    }

    /// What a node finds; nothing where nothing stands.
    pub(super) fn pick(&self, node: &Node, value: &Value) -> Option<Value> {
        self.named("", node, value)
    }

    /// The same, for the field `name` of the output.
    fn named(&self, name: &str, node: &Node, value: &Value) -> Option<Value> {
        match node {
            Node::Field(path) => path.find(value).cloned(),
            Node::Object(fields) => self.object(fields, value),
            Node::List(list) => self.list(name, list, value),
            Node::Apply(apply) => apply.read(value),
            Node::First(first) => first.read(value),
            Node::Entries(entries) => self.entries(name, entries, value),
            Node::Header(header) => {
                let text = self.headers.get(header)?.to_str().ok()?;
                (!text.is_empty()).then(|| Value::from(text))
            }
            Node::Argument(argument) => self.places.find(argument).cloned(),
            Node::Template(pieces) => self.template(pieces, value).map(Value::String),
            Node::Cut(cut) => cut.read(value),
            Node::Constant(constant) => Some(constant.clone()),
        }
    }

    fn object(&self, fields: &[(String, Node)], value: &Value) -> Option<Value> {
        let picked: Map<String, Value> = fields
            .iter()
            .filter_map(|(key, node)| Some((key.clone(), self.named(key, node, value)?)))
            .collect();
        (!picked.is_empty()).then_some(Value::Object(picked))
    }

    fn list(&self, name: &str, list: &List, value: &Value) -> Option<Value> {
        let items = list.each.find(value)?.as_array()?;
        let is_there = |path: &FieldPath, item: &Value| path.find(item).is_some();
        let is_kept = |item: &&Value| {
            !list
                .drop_with
                .as_ref()
                .is_some_and(|key| is_there(key, item))
                && list
                    .keep_with
                    .as_ref()
                    .is_none_or(|key| is_there(key, item))
        };
        let max = list.max.unwrap_or(self.max_items);
        let mut kept = items.iter().filter(is_kept);
        let picked: Vec<Value> = kept
            .by_ref()
            .take(max)
            .filter_map(|item| self.pick(&list.pick, item))
            .collect();
        self.left_out.borrow_mut().items(name, kept.count());
        Some(Value::Array(picked))
    }

    fn entries(&self, name: &str, entries: &Entries, value: &Value) -> Option<Value> {
        let fields = entries.fields.find(value)?.as_object()?;
        let mut fields = fields.iter();
        let picked: Vec<Value> = fields
            .by_ref()
            .take(self.max_items)
            .filter_map(|(key, value)| {
                let mut entry = Map::new();
                entry.insert(entries.key.clone(), Value::from(key.as_str()));
                match self.pick(&entries.pick, value)? {
                    Value::Object(picked) => entry.extend(picked),
                    other => drop(entry.insert("value".to_owned(), other)),
                }
                Some(Value::Object(entry))
            })
            .collect();
        self.left_out.borrow_mut().items(name, fields.count());
        Some(Value::Array(picked))
    }

    /// Nothing when one of the fields is absent or empty: half an address leads nowhere.
    fn template(&self, pieces: &[TemplatePiece], value: &Value) -> Option<String> {
        let mut text = String::new();
        for piece in pieces {
            match piece {
                TemplatePiece::Text(words) => text.push_str(words),
                TemplatePiece::Field(path) => {
                    text.push_str(&path.find_text(value).filter(|text| !text.is_empty())?);
                }
                TemplatePiece::Argument(name) => {
                    text.push_str(&scalar_text(self.places.find(name)?)?);
                }
            }
        }
        Some(text)
    }
}

impl Apply {
    /// What the transform cannot read is left out.
    fn read(&self, value: &Value) -> Option<Value> {
        let value = self.to.find(value)?;
        match &self.name {
            Some(name) => self.transform.look_for(value, name),
            None => self.transform.apply(value.clone()).ok(),
        }
        .filter(|made| !made.is_null())
    }
}

impl First {
    fn read(&self, value: &Value) -> Option<Value> {
        self.first
            .iter()
            .find_map(|path| path.find(value))
            .or(self.otherwise.as_ref())
            .cloned()
    }
}

impl Cut {
    /// The first characters of a text, with an ellipsis where something follows; anything else is as it is.
    fn read(&self, value: &Value) -> Option<Value> {
        let found = self.cut.find(value)?;
        let Some(text) = found.as_str() else {
            return Some(found.clone());
        };
        Some(match text.char_indices().nth(self.chars) {
            Some((end, _)) => Value::String(format!("{}…", &text[..end])),
            None => found.clone(),
        })
    }
}
