//! What a reply is cut down to: a tree that names the wanted fields and gives them new places.
//!
//! Owns the tree (`node.rs`) and how it is read out of a reply (`reading.rs`). Refuses to know what a reply means and how
//! large an output may be. Fields that are absent or null are left out: a model pays for every word.

mod node;
mod reading;
mod unfilled;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::wanted::Wanted;
use node::Node;
pub(super) use reading::Reading;
pub(super) use unfilled::Unfilled;

/// The root of a pick: an object, because structured content is one (MCP 2025-11-25, server/tools).
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Pick {
    node: Node,
    wanted: Wanted,
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

impl Pick {
    /// Notes which parts are needed of the value that stands at `wanted`.
    pub(super) fn want(&self, wanted: &mut Wanted) {
        self.node.want(wanted);
    }

    /// Which parts of a whole reply are needed.
    pub(super) fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Every argument or capture that is named.
    pub(super) fn arguments(&self) -> Vec<&str> {
        let mut arguments = Vec::new();
        self.node.arguments(&mut arguments);
        arguments
    }

    /// The fields of the output, in order.
    pub(super) fn fields(&self) -> impl Iterator<Item = &str> {
        let fields = match &self.node {
            Node::Object(fields) => fields.as_slice(),
            _ => &[],
        };
        fields.iter().map(|(key, _)| key.as_str())
    }

    /// What is missing in all of these outputs.
    pub(super) fn unfilled(&self, outputs: &[&Value]) -> Vec<Unfilled> {
        let mut missing = Vec::new();
        self.node.unfilled("", outputs, &mut missing);
        missing
    }

    /// Whether something is picked that does not stand in the body: a reply without one has it too.
    pub(super) fn looks_outside_the_body(&self) -> bool {
        self.node.looks_outside_the_body()
    }

    /// Transforms that are made for requests and not for replies.
    pub(super) fn misplaced_transforms(&self) -> bool {
        self.node.misplaced_transforms()
    }

    /// Puts the wanted fields of a value where the model is to find them.
    pub(super) fn of(&self, value: &Value, reading: &Reading<'_>) -> Map<String, Value> {
        match reading.pick(&self.node, value) {
            Some(Value::Object(fields)) => fields,
            _ => Map::new(),
        }
    }
}

#[cfg(test)]
mod tests;
