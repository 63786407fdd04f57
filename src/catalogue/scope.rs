//! The scope of a run: arguments over defaults, what steps captured, and the place in a list that the caller goes on from.

use serde_json::{Map, Value};

use super::arguments::Arguments;
use super::places::Places;

/// The name of the place for the page that is meant.
pub(super) const CURSOR: &str = "cursor";

/// Every name that a request of a run may use, besides `item`.
pub(super) struct RunScope<'t> {
    arguments: Arguments<'t>,
    /// Arguments that were addresses, as what they are about.
    out_of_addresses: Map<String, Value>,
    captured: Map<String, Value>,
    cursor: Option<Value>,
}

impl<'t> RunScope<'t> {
    /// The scope before anything was captured.
    pub(super) fn new(arguments: Arguments<'t>, cursor: Option<Value>) -> Self {
        Self {
            out_of_addresses: arguments.inputs.out_of_addresses(arguments.given),
            arguments,
            captured: Map::new(),
            cursor,
        }
    }

    /// Adds what a step found.
    pub(super) fn add(&mut self, captured: Vec<(String, Value)>) {
        self.captured.extend(captured);
    }
}

impl Places for RunScope<'_> {
    fn value(&self, name: &str) -> Option<&Value> {
        if name == CURSOR {
            return self.cursor.as_ref();
        }
        self.out_of_addresses
            .get(name)
            .or_else(|| self.arguments.value(name))
            .or_else(|| self.captured.get(name))
    }
}
