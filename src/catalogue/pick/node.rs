//! The nodes of a pick, as a file writes them.
//!
//! A text is a path; a table is an object, unless its keys are those of one of the nodes below. The keys `each` and `apply`
//! always start a node, so that a misspelt companion is reported and not taken for a field; the others are also good names
//! for fields, and start one only beside a companion or alone.

use http::HeaderName;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::catalogue::condition::parse_header_name;
use crate::catalogue::field_path::FieldPath;
use crate::catalogue::placeholder::{Piece, is_name, pieces};
use crate::catalogue::transforms::{Direction, Transform};
use crate::catalogue::wanted::Wanted;

/// One node of a pick.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// What stands at a path.
    Field(FieldPath),
    /// New places for other nodes.
    Object(Vec<(String, Node)>),
    /// A list, item by item.
    List(Box<List>),
    /// A named transform of what stands at a path.
    Apply(Apply),
    /// The first of several paths at which something stands.
    First(First),
    /// An object as a list of its fields.
    Entries(Box<Entries>),
    /// A header of the reply.
    Header(HeaderName),
    /// An argument of the call, or what an earlier step captured.
    Argument(String),
    /// Text with fields in it.
    Template(Vec<TemplatePiece>),
    /// The beginning of a text.
    Cut(Cut),
    /// What the file says.
    Constant(Value),
}

/// `{ each, keep_with, drop_with, max, pick }`.
#[derive(Clone, Debug)]
pub(super) struct List {
    pub(super) each: FieldPath,
    pub(super) keep_with: Option<FieldPath>,
    pub(super) drop_with: Option<FieldPath>,
    pub(super) max: Option<usize>,
    pub(super) pick: Node,
}

/// `{ apply, to, name }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Apply {
    #[serde(rename = "apply")]
    pub(super) transform: Transform,
    pub(super) to: FieldPath,
    /// What is looked for, for the transforms that look for something.
    pub(super) name: Option<String>,
}

/// `{ first, otherwise }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct First {
    pub(super) first: Vec<FieldPath>,
    /// What a provider means that leaves the field out.
    pub(super) otherwise: Option<Value>,
}

/// `{ entries, key, pick }`.
#[derive(Clone, Debug)]
pub(super) struct Entries {
    pub(super) fields: FieldPath,
    pub(super) key: String,
    pub(super) pick: Node,
}

/// `{ cut, chars }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cut {
    pub(super) cut: FieldPath,
    pub(super) chars: usize,
}

/// A piece of a template: text, `{path}`, or `{$argument}`.
#[derive(Clone, Debug)]
pub(super) enum TemplatePiece {
    Text(String),
    Field(FieldPath),
    Argument(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListFile {
    each: FieldPath,
    keep_with: Option<FieldPath>,
    drop_with: Option<FieldPath>,
    max: Option<usize>,
    pick: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntriesFile {
    entries: FieldPath,
    key: String,
    pick: Value,
}

/// Reads the table of a node whose key says what it is.
fn read<T: DeserializeOwned>(table: Map<String, Value>, what: &str) -> Result<T, String> {
    serde_json::from_value(Value::Object(table))
        .map_err(|error| format!("in {what} of `pick`: {error}"))
}

/// The text of a table that has only `key`, and a text there.
fn only<'t>(table: &'t Map<String, Value>, key: &str) -> Option<&'t str> {
    table
        .get(key)
        .filter(|_| table.len() == 1)
        .and_then(Value::as_str)
}

impl Node {
    /// Reads a node.
    pub(super) fn parse(value: Value) -> Result<Self, String> {
        match value {
            Value::String(path) => FieldPath::try_from(path).map(Self::Field),
            Value::Object(table) => Self::parse_table(table),
            other => Err(format!("`{other}` in `pick` is neither a path nor a table")),
        }
    }

    fn parse_table(mut table: Map<String, Value>) -> Result<Self, String> {
        if table.contains_key("each") {
            return List::parse(table);
        }
        if table.contains_key("apply") {
            return Apply::parse(table);
        }
        if table.contains_key("entries")
            && (table.contains_key("key") || table.contains_key("pick"))
        {
            return Entries::parse(table);
        }
        if table.contains_key("cut") && table.contains_key("chars") {
            return read(table, "a `cut`").map(Self::Cut);
        }
        if table.get("first").is_some_and(Value::is_array) {
            return First::parse(table);
        }
        if let Some(name) = only(&table, "header") {
            return parse_header_name(name).map(Self::Header);
        }
        if let Some(name) = only(&table, "argument") {
            return if is_name(name) {
                Ok(Self::Argument(name.to_owned()))
            } else {
                Err(format!("`{name}` in `pick` names no argument"))
            };
        }
        if let Some(text) = only(&table, "template") {
            return TemplatePiece::parse(text).map(Self::Template);
        }
        if table.len() == 1
            && let Some(constant) = table.remove("constant")
        {
            return Ok(Self::Constant(constant));
        }
        table
            .into_iter()
            .map(|(key, value)| Ok((key, Self::parse(value)?)))
            .collect::<Result<_, _>>()
            .map(Self::Object)
    }

    /// Notes which parts of the reply are needed, so that the rest is never built.
    pub(super) fn want(&self, wanted: &mut Wanted) {
        match self {
            Self::Field(path) | Self::Cut(Cut { cut: path, .. }) => wanted.at(path).want_whole(),
            Self::Apply(apply) => wanted.at(&apply.to).want_whole(),
            Self::Object(fields) => fields.iter().for_each(|(_, node)| node.want(wanted)),
            Self::List(list) => {
                let items = wanted.at(&list.each).items();
                list.pick.want(items);
                for key in list.drop_with.iter().chain(&list.keep_with) {
                    items.at(key).want_whole();
                }
            }
            Self::First(first) => first.first.iter().for_each(|p| wanted.at(p).want_whole()),
            Self::Entries(entries) => wanted.at(&entries.fields).want_whole(),
            Self::Template(pieces) => {
                for piece in pieces {
                    if let TemplatePiece::Field(path) = piece {
                        wanted.at(path).want_whole();
                    }
                }
            }
            Self::Header(_) | Self::Argument(_) | Self::Constant(_) => {}
        }
    }

    /// Every argument that is named.
    pub(super) fn arguments<'n>(&'n self, arguments: &mut Vec<&'n str>) {
        match self {
            Self::Argument(name) => arguments.push(name),
            Self::Template(pieces) => arguments.extend(pieces.iter().filter_map(|piece| {
                if let TemplatePiece::Argument(name) = piece {
                    Some(name.as_str())
                } else {
                    None
                }
            })),
            _ => self.inner().for_each(|node| node.arguments(arguments)),
        }
    }

    pub(super) fn looks_outside_the_body(&self) -> bool {
        match self {
            Self::Header(_) | Self::Argument(_) | Self::Constant(_) => true,
            Self::Object(_) => self.inner().any(Self::looks_outside_the_body),
            _ => false,
        }
    }

    pub(super) fn misplaced_transforms(&self) -> bool {
        match self {
            Self::Apply(apply) => apply.transform.direction() != Direction::Reply,
            _ => self.inner().any(Self::misplaced_transforms),
        }
    }

    fn inner(&self) -> Box<dyn Iterator<Item = &Self> + '_> {
        match self {
            Self::Object(fields) => Box::new(fields.iter().map(|(_, node)| node)),
            Self::List(list) => Box::new(std::iter::once(&list.pick)),
            Self::Entries(entries) => Box::new(std::iter::once(&entries.pick)),
            _ => Box::new(std::iter::empty()),
        }
    }
}

impl List {
    fn parse(table: Map<String, Value>) -> Result<Node, String> {
        let file: ListFile = read(table, "a list")?;
        if file.max == Some(0) {
            return Err(
                "`max = 0` in a list of `pick` picks nothing: leave the list out".to_owned(),
            );
        }
        Ok(Node::List(Box::new(Self {
            each: file.each,
            keep_with: file.keep_with,
            drop_with: file.drop_with,
            max: file.max,
            pick: Node::parse(file.pick)?,
        })))
    }
}

impl Apply {
    fn parse(table: Map<String, Value>) -> Result<Node, String> {
        let apply: Self = read(table, "a transform")?;
        if apply.transform.looks_for_a_name() != apply.name.is_some() {
            return Err(if apply.name.is_some() {
                "in a transform of `pick`: this one has no `name`".to_owned()
            } else {
                "in a transform of `pick`: `name` is missing; it says what is looked for".to_owned()
            });
        }
        Ok(Node::Apply(apply))
    }
}

impl First {
    fn parse(table: Map<String, Value>) -> Result<Node, String> {
        let first: Self = read(table, "a `first`")?;
        if first.first.is_empty() {
            return Err("`first` in `pick` names no path".to_owned());
        }
        Ok(Node::First(first))
    }
}

impl Entries {
    fn parse(table: Map<String, Value>) -> Result<Node, String> {
        let file: EntriesFile = read(table, "`entries`")?;
        let pick = Node::parse(file.pick)?;
        match &pick {
            Node::Object(fields) if fields.iter().any(|(key, _)| *key == file.key) => Err(format!(
                "in `entries` of `pick`: `{}` is both the key and a field",
                file.key
            )),
            _ => Ok(Node::Entries(Box::new(Self {
                fields: file.entries,
                key: file.key,
                pick,
            }))),
        }
    }
}

impl TemplatePiece {
    fn parse(text: &str) -> Result<Vec<Self>, String> {
        let read = |piece| match piece {
            Piece::Text(text) => Ok(Self::Text(text)),
            Piece::Braces(inside) => match inside.strip_prefix('$') {
                Some(name) if is_name(name) => Ok(Self::Argument(name.to_owned())),
                Some(_) => Err(format!("`{{{inside}}}` in `pick` names no argument")),
                None => FieldPath::try_from(inside).map(Self::Field),
            },
        };
        pieces(text)?.into_iter().map(read).collect()
    }
}
