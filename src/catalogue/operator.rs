//! What a value of a request can be made of besides constants and arguments: the operators of the provider format.
//!
//! Owns their names, how they are written, and what they make. A new one is a variant here and a row in
//! `docs/provider-file.md`; an operator never sees more than the values it names.

use serde_json::{Map, Value};

use super::RenderError;
use super::arguments::scalar_text;
use super::nearest::nearest;
use super::places::{ITEM, Places, WithItem, root};
use super::text_template::TextTemplate;
use super::transforms::{Direction, Transform};
use super::value_template::{Quoted, Scope, ValueTemplate};

/// How operators are written where they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// In a query, a form, a header: a table is an operator.
    Value,
    /// In a body: the key of an operator is marked with `$`, other tables are objects.
    Tree,
}

impl Dialect {
    fn parse(self, value: Value) -> Result<ValueTemplate, String> {
        match self {
            Self::Value => ValueTemplate::value(value),
            Self::Tree => ValueTemplate::tree(value),
        }
    }

    fn mark(self) -> &'static str {
        match self {
            Self::Value => "",
            Self::Tree => "$",
        }
    }
}

/// A value that is made of others.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operator {
    /// `csv = "$list"`: comma separated text.
    Csv(ValueTemplate),
    /// `text = "name contains {q|single_quoted}"`.
    Text(TextTemplate),
    /// `join = " and ", of = [..]`: those that are there; nothing when none is.
    Join {
        separator: String,
        of: Vec<ValueTemplate>,
    },
    /// `join = ",", of = "$list"`.
    JoinList { separator: String, of: String },
    /// `apply = "transform", to = ..`.
    Apply {
        transform: Transform,
        to: ValueTemplate,
    },
    /// `lookup = "$x", in = { .. }`: a scalar, as text, to a constant; nothing when it is not in the table.
    Lookup {
        of: String,
        table: Map<String, Value>,
    },
    /// `json = tree`: the tree as JSON text.
    Json(ValueTemplate),
    /// `each = "$list", put = tree`: an array.
    Each { list: String, put: ValueTemplate },
    /// `first = [..]`: the first that is there.
    First(Vec<ValueTemplate>),
    /// `if = "$x", put = ..`: the value when the argument is there, and is not false.
    If { given: String, put: ValueTemplate },
    /// `unique = "$x"`: the id of the call when the argument is there, and is not false.
    Unique(String),
}

/// The names, with the key that stands beside each, if one does.
const NAMES: [(&str, Option<&str>); 10] = [
    ("csv", None),
    ("text", None),
    ("join", Some("of")),
    ("apply", Some("to")),
    ("lookup", Some("in")),
    ("json", None),
    ("each", Some("put")),
    ("first", None),
    ("if", Some("put")),
    ("unique", None),
];

impl Operator {
    /// The operator of a table in a tree; nothing when the table is an object.
    pub(super) fn marked(table: &Map<String, Value>) -> Option<&'static str> {
        let names = NAMES.iter().map(|(name, _)| *name);
        let is_there = |name: &&str| table.keys().any(|key| key.strip_prefix('$') == Some(*name));
        names.into_iter().find(is_there)
    }

    /// The operator of a table that must be one.
    pub(super) fn named(table: &Map<String, Value>) -> Result<&'static str, String> {
        NAMES
            .iter()
            .map(|(name, _)| *name)
            .find(|name| table.contains_key(*name))
            .ok_or_else(|| {
                let key = table.keys().next().map_or("", String::as_str);
                Self::unknown(key, Dialect::Value)
            })
    }

    /// What to say about a key that is no operator.
    pub(super) fn unknown(key: &str, dialect: Dialect) -> String {
        let names: Vec<String> = NAMES
            .iter()
            .map(|(name, _)| format!("{}{name}", dialect.mark()))
            .collect();
        let meant = nearest(key, names.iter().map(String::as_str))
            .map(|meant| format!(" (did you mean `{meant}`?)"))
            .unwrap_or_default();
        format!(
            "`{}` is no operator{meant}: there are {}",
            key.escape_default(),
            names.join(", ")
        )
    }

    /// Reads the operator `name` of a table.
    pub(super) fn parse(
        name: &'static str,
        mut table: Map<String, Value>,
        dialect: Dialect,
    ) -> Result<Self, String> {
        let marked = format!("{}{name}", dialect.mark());
        let main = table.shift_remove(&marked).unwrap_or_default();
        let beside = NAMES.iter().find(|(known, _)| *known == name);
        let beside = beside.and_then(|(_, beside)| *beside);
        let second = match beside {
            None => Value::Null,
            Some(key) => table
                .shift_remove(key)
                .ok_or_else(|| format!("`{marked}` stands without `{key}`"))?,
        };
        if let Some(key) = table.keys().next() {
            return Err(format!("`{key}` cannot stand beside `{marked}`"));
        }
        let in_operator = |error: String| format!("in `{marked}`: {error}");
        let text = |value: Value| match value {
            Value::String(text) => Ok(text),
            other => Err(in_operator(format!("`{other}` is not a text"))),
        };
        match name {
            "csv" => list_of(main).map(Self::Csv).map_err(in_operator),
            "text" => TextTemplate::parse(&text(main)?)
                .map(Self::Text)
                .map_err(in_operator),
            "join" => join(text(main)?, second, dialect).map_err(in_operator),
            "apply" => apply(&text(main)?, second).map_err(in_operator),
            "lookup" => lookup(&main, second).map_err(in_operator),
            "json" => ValueTemplate::tree(main)
                .map(Self::Json)
                .map_err(in_operator),
            "first" => values(main, dialect).map(Self::First).map_err(in_operator),
            "if" => Ok(Self::If {
                given: argument(&main).map_err(in_operator)?,
                put: dialect.parse(second).map_err(in_operator)?,
            }),
            "unique" => argument(&main).map(Self::Unique).map_err(in_operator),
            _ if dialect == Dialect::Value => {
                Err("`each` makes an array: it stands in a body, as `$each`".to_owned())
            }
            _ => Ok(Self::Each {
                list: argument(&main).map_err(in_operator)?,
                put: ValueTemplate::tree(second).map_err(in_operator)?,
            }),
        }
    }

    /// The places that are named, without the `item` of an `each`.
    pub(super) fn places(&self) -> Vec<&str> {
        match self {
            Self::Csv(of) | Self::Json(of) | Self::Apply { to: of, .. } => of.places(),
            Self::Text(text) => text.places().map(|(name, _)| name).collect(),
            Self::Join { of, .. } | Self::First(of) => {
                of.iter().flat_map(ValueTemplate::places).collect()
            }
            Self::JoinList { of, .. } | Self::Lookup { of, .. } | Self::Unique(of) => vec![of],
            Self::If { given, put } => {
                let mut places = put.places();
                places.insert(0, given);
                places
            }
            Self::Each { list, put } => {
                let outside = put.places().into_iter().filter(|name| root(name) != ITEM);
                std::iter::once(list.as_str()).chain(outside).collect()
            }
        }
    }

    /// The places that go into text.
    pub(super) fn quoted(&self) -> Vec<Quoted<'_>> {
        match self {
            Self::Csv(of) | Self::Json(of) | Self::Apply { to: of, .. } => of.quoted(),
            Self::Text(text) => text
                .places()
                .map(|(name, quoter)| Quoted {
                    name,
                    quoter,
                    list: None,
                })
                .collect(),
            Self::Join { of, .. } | Self::First(of) => {
                of.iter().flat_map(ValueTemplate::quoted).collect()
            }
            Self::If { put, .. } => put.quoted(),
            Self::JoinList { .. } | Self::Lookup { .. } | Self::Unique(_) => Vec::new(),
            Self::Each { list, put } => {
                let of_list =
                    |quoted: Quoted<'_>| quoted.list.is_none() && root(quoted.name) == ITEM;
                let mut places = put.quoted();
                for quoted in &mut places {
                    if of_list(*quoted) {
                        quoted.list = Some(list);
                    }
                }
                places
            }
        }
    }

    /// Whether something is rendered whatever the arguments of a call are.
    pub(super) fn is_always_there(&self, scope: &dyn Scope) -> bool {
        match self {
            Self::Text(text) => text.places().all(|(name, _)| scope.is_always_there(name)),
            Self::Join { of, .. } | Self::First(of) => {
                of.iter().any(|value| value.is_always_there(scope))
            }
            Self::Apply { to, .. } | Self::Json(to) => to.is_always_there(scope),
            Self::Each { list, .. } => scope.is_always_there(list),
            // An empty list makes no text, a table may lack the value, and a flag may be false.
            Self::Csv(_)
            | Self::JoinList { .. }
            | Self::Lookup { .. }
            | Self::If { .. }
            | Self::Unique(_) => false,
        }
    }

    /// The value; nothing when what it is made of is absent.
    pub(super) fn render(&self, places: &dyn Places) -> Result<Option<Value>, RenderError> {
        match self {
            Self::Csv(list) => csv(list, places),
            Self::Text(text) => Ok(text.render(places)?.map(Value::String)),
            Self::Join { separator, of } => {
                let mut parts = Vec::new();
                for value in of {
                    parts.extend(value.render_text(places)?);
                }
                Ok((!parts.is_empty()).then(|| Value::String(parts.join(separator))))
            }
            Self::JoinList { separator, of } => join_list(separator, of, places),
            Self::Apply { transform, to } => to
                .render(places)?
                .map(|value| {
                    let refused = |error| to.refused_by(&error);
                    transform.apply(value).map_err(refused)
                })
                .transpose(),
            Self::Lookup { of, table } => Ok(places
                .text(of)?
                .and_then(|text| table.get(text.as_ref()).cloned())),
            Self::Json(tree) => Ok(tree
                .render(places)?
                .map(|value| Value::String(value.to_string()))),
            Self::Each { list, put } => each(list, put, places),
            Self::First(of) => {
                for value in of {
                    if let Some(found) = value.render(places)? {
                        return Ok(Some(found));
                    }
                }
                Ok(None)
            }
            Self::If { given, put } if is_given(given, places) => put.render(places),
            Self::Unique(given) if is_given(given, places) => Ok(places.unique().map(Value::from)),
            Self::If { .. } | Self::Unique(_) => Ok(None),
        }
    }
}

/// Whether an argument is there and says yes.
fn is_given(name: &str, places: &dyn Places) -> bool {
    places
        .find(name)
        .is_some_and(|value| !matches!(value, Value::Null | Value::Bool(false)))
}

/// `"$x"`.
fn argument(value: &Value) -> Result<String, String> {
    match value.as_str().map(ValueTemplate::leaf) {
        Some(Ok(ValueTemplate::Argument(name))) => Ok(name),
        _ => Err(format!(
            "`{value}` names no argument: write `\"$argument\"`"
        )),
    }
}

/// `"$list"`, or a list of values.
fn list_of(value: Value) -> Result<ValueTemplate, String> {
    match value {
        Value::Array(_) => ValueTemplate::tree(value),
        _ => argument(&value).map(ValueTemplate::Argument),
    }
}

fn join(separator: String, of: Value, dialect: Dialect) -> Result<Operator, String> {
    match of {
        Value::String(_) => Ok(Operator::JoinList {
            separator,
            of: argument(&of)?,
        }),
        of => Ok(Operator::Join {
            separator,
            of: values(of, dialect)?,
        }),
    }
}

fn values(list: Value, dialect: Dialect) -> Result<Vec<ValueTemplate>, String> {
    match list {
        Value::Array(values) if !values.is_empty() => values
            .into_iter()
            .map(|value| dialect.parse(value))
            .collect(),
        other => Err(format!("`{other}` is not a list with values in it")),
    }
}

fn apply(name: &str, to: Value) -> Result<Operator, String> {
    let transform: Transform = serde_json::from_value(Value::String(name.to_owned()))
        .map_err(|error| error.to_string())?;
    if transform.direction() == Direction::Reply {
        return Err(format!(
            "the transform `{name}` reads replies: it belongs into `pick`"
        ));
    }
    Ok(Operator::Apply {
        transform,
        to: ValueTemplate::tree(to)?,
    })
}

fn lookup(of: &Value, table: Value) -> Result<Operator, String> {
    let of = argument(of)?;
    match table {
        Value::Object(table) if !table.is_empty() => Ok(Operator::Lookup { of, table }),
        other => Err(format!(
            "`in` is not a table with something in it: `{other}`"
        )),
    }
}

/// The items of a list as texts.
pub(super) fn item_texts(
    list: &ValueTemplate,
    places: &dyn Places,
) -> Result<Vec<String>, RenderError> {
    let Some(value) = list.render(places)? else {
        return Ok(Vec::new());
    };
    let items = value
        .as_array()
        .ok_or_else(|| list.refused("is not a list"))?;
    let text = |item: &Value| {
        scalar_text(item)
            .map(std::borrow::Cow::into_owned)
            .ok_or_else(|| {
                list.refused("has an item that is neither a text nor a number nor a boolean")
            })
    };
    items.iter().map(text).collect()
}

/// A list as one text. An item with a comma in it would become two, so it is refused.
fn csv(list: &ValueTemplate, places: &dyn Places) -> Result<Option<Value>, RenderError> {
    let items = item_texts(list, places)?;
    if items.iter().any(|item| item.contains(',')) {
        return Err(list.refused("has an item with a comma in it"));
    }
    Ok((!items.is_empty()).then(|| Value::String(items.join(","))))
}

/// A list as one text. An item with the separator in it would become two, so it is refused.
fn join_list(separator: &str, of: &str, places: &dyn Places) -> Result<Option<Value>, RenderError> {
    let list = ValueTemplate::Argument(of.to_owned());
    let items = item_texts(&list, places)?;
    if !separator.is_empty() && items.iter().any(|item| item.contains(separator)) {
        return Err(list.refused("has an item with the separator in it"));
    }
    Ok((!items.is_empty()).then(|| Value::String(items.join(separator))))
}

fn each(
    list: &str,
    put: &ValueTemplate,
    places: &dyn Places,
) -> Result<Option<Value>, RenderError> {
    let Some(value) = places.find(list) else {
        return Ok(None);
    };
    let items = value
        .as_array()
        .ok_or_else(|| RenderError::refused(root(list), "is not a list"))?;
    let mut made = Vec::with_capacity(items.len());
    for item in items {
        made.extend(put.render(&WithItem {
            outside: places,
            item,
        })?);
    }
    Ok(Some(Value::Array(made)))
}

#[cfg(test)]
mod tests;
