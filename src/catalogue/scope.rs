//! The scope of a run: arguments over defaults, what steps captured, what the login captured, and the place in a list that
//! the caller goes on from.

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
    /// What is kept of the login, and of the tenant that is meant. Only outputs name it: the checks let no request do so.
    of_login: Map<String, Value>,
    cursor: Option<Value>,
}

impl<'t> RunScope<'t> {
    /// The scope before any step captured anything.
    pub(super) fn new(
        arguments: Arguments<'t>,
        of_login: Map<String, Value>,
        cursor: Option<Value>,
    ) -> Self {
        Self {
            out_of_addresses: arguments.inputs.out_of_addresses(arguments.given),
            arguments,
            captured: Map::new(),
            of_login,
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
            .or_else(|| self.of_login.get(name))
    }
}
