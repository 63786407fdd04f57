//! What a reply is cut down to: a tree that names the wanted fields and gives them new places.
//!
//! A text is a path; a table is an object; `{ each, drop_with, pick }` is a list; `{ apply, to }` is a named transform.
//! Fields that are absent or null are left out: a model pays for every word.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::field_path::FieldPath;
use super::transform::Transform;
use super::wanted::Wanted;

/// The root of a pick: an object, because structured content is one (MCP 2025-11-25, server/tools).
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Pick {
    node: Node,
    wanted: Wanted,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Field(FieldPath),
    Object(Vec<(String, Node)>),
    List(Box<List>),
    Apply(Apply),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct List {
    each: FieldPath,
    drop_with: Option<FieldPath>,
    pick: Node,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Apply {
    apply: Transform,
    to: FieldPath,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListFile {
    each: FieldPath,
    drop_with: Option<FieldPath>,
    pick: Value,
}

impl TryFrom<Value> for Pick {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let node = Node::parse(value)?;
        if !matches!(node, Node::Object(_)) {
            return Err("`pick` is not a table: give the picked value a name".to_owned());
        }
        let mut wanted = Wanted::default();
        node.want(&mut wanted);
        Ok(Self { node, wanted })
    }
}

impl Node {
    fn parse(value: Value) -> Result<Self, String> {
        match value {
            Value::String(path) => FieldPath::try_from(path).map(Self::Field),
            Value::Object(table) if table.contains_key("each") => {
                let file: ListFile = serde_json::from_value(Value::Object(table))
                    .map_err(|error| format!("in a list of `pick`: {error}"))?;
                Ok(Self::List(Box::new(List {
                    each: file.each,
                    drop_with: file.drop_with,
                    pick: Self::parse(file.pick)?,
                })))
            }
            Value::Object(table) if table.contains_key("apply") => {
                serde_json::from_value(Value::Object(table))
                    .map(Self::Apply)
                    .map_err(|error| format!("in a transform of `pick`: {error}"))
            }
            Value::Object(table) => table
                .into_iter()
                .map(|(key, value)| Ok((key, Self::parse(value)?)))
                .collect::<Result<_, _>>()
                .map(Self::Object),
            other => Err(format!("`{other}` in `pick` is neither a path nor a table")),
        }
    }

    /// Notes which parts of the reply are needed, so that the rest is never built.
    fn want(&self, wanted: &mut Wanted) {
        match self {
            Self::Field(path) => wanted.at(path).want_whole(),
            Self::Apply(apply) => wanted.at(&apply.to).want_whole(),
            Self::Object(fields) => fields.iter().for_each(|(_, node)| node.want(wanted)),
            Self::List(list) => {
                let items = wanted.at(&list.each).items();
                list.pick.want(items);
                if let Some(key) = &list.drop_with {
                    items.at(key).want_whole();
                }
            }
        }
    }

    fn pick(&self, value: &Value) -> Option<Value> {
        match self {
            Self::Field(path) => path.find(value).cloned(),
            Self::Apply(apply) => apply.apply.apply(apply.to.find(value)?),
            Self::Object(fields) => {
                let picked: Map<String, Value> = fields
                    .iter()
                    .filter_map(|(key, node)| Some((key.clone(), node.pick(value)?)))
                    .collect();
                (!picked.is_empty()).then_some(Value::Object(picked))
            }
            Self::List(list) => {
                let items = list.each.find(value)?.as_array()?;
                let is_kept = |item: &&Value| {
                    list.drop_with
                        .as_ref()
                        .is_none_or(|key| key.find(item).is_none())
                };
                let picked = items
                    .iter()
                    .filter(is_kept)
                    .filter_map(|item| list.pick.pick(item));
                Some(Value::Array(picked.collect()))
            }
        }
    }
}

impl Pick {
    /// Notes which parts are needed of the value that stands at `wanted`.
    pub(super) fn want(&self, wanted: &mut Wanted) {
        self.node.want(wanted);
    }

    /// Puts the wanted fields of a value where the model is to find them.
    pub(super) fn of(&self, value: &Value) -> Value {
        self.node
            .pick(value)
            .unwrap_or_else(|| Value::Object(Map::new()))
    }

    /// Reads the wanted fields of a JSON reply and puts them where the model is to find them.
    pub(super) fn read(&self, body: &[u8]) -> Result<Value, serde_json::Error> {
        let pruned = self.wanted.read(body)?;
        Ok(self.of(&pruned))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pick(tree: Value, body: &Value) -> Value {
        Pick::try_from(tree)
            .unwrap()
            .read(body.to_string().as_bytes())
            .unwrap()
    }

    #[test]
    fn fields_are_picked_renamed_and_nested() {
        assert_eq!(
            pick(
                json!({"id": "ticket.id", "who": {"name": "ticket.user.name", "mail": "ticket.user.mail"}}),
                &json!({"ticket": {"id": 7, "url": "x", "user": {"name": "Ada", "mail": null}}}),
            ),
            json!({"id": 7, "who": {"name": "Ada"}})
        );
    }

    #[test]
    fn lists_are_picked_item_by_item() {
        let body = json!([
            {"number": 1, "labels": [{"name": "bug", "url": "x"}], "pull_request": null},
            {"number": 2, "labels": [], "pull_request": {"url": "x"}},
        ]);
        let issue = json!({"number": "number", "labels": {"each": "labels", "pick": "name"}});
        assert_eq!(
            pick(
                json!({"issues": {"each": ".", "drop_with": "pull_request", "pick": issue}}),
                &body
            ),
            json!({"issues": [{"number": 1, "labels": ["bug"]}]})
        );
    }

    #[test]
    fn transforms_are_applied_and_leave_out_what_they_cannot_read() {
        let tree =
            json!({"path": "path", "text": {"apply": "base64_decode_text", "to": "content"}});
        assert_eq!(
            pick(tree.clone(), &json!({"path": "a", "content": "aGk="})),
            json!({"path": "a", "text": "hi"})
        );
        assert_eq!(
            pick(tree, &json!({"path": "a", "content": "//8="})),
            json!({"path": "a"})
        );
    }

    #[test]
    fn a_reply_of_another_shape_gives_an_empty_object() {
        assert_eq!(pick(json!({"id": "a.b"}), &json!([1, 2])), json!({}));
        assert!(
            Pick::try_from(json!({"id": "a"}))
                .unwrap()
                .read(b"<html>")
                .is_err()
        );
    }

    #[test]
    fn malformed_trees_are_refused() {
        for bad in [
            json!("id"),
            json!({"a": 1}),
            json!({"a": {"each": "x"}}),
            json!({"each": ".", "pick": "a"}),
            json!({"a": {"apply": "rot13", "to": "x"}}),
            json!({"a": {"each": "x", "pick": "y", "drop": "z"}}),
            json!({"a": "b..c"}),
        ] {
            assert!(Pick::try_from(bad.clone()).is_err(), "{bad}");
        }
    }
}
