//! What a step reads out of its reply for the requests after it.
//!
//! Owns how a value is found and changed on the way. Refuses to know who uses it: a capture is a name in the scope of
//! places, like an argument.

use regex::Regex;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::RenderError;
use super::arguments::scalar_text;
use super::field_path::FieldPath;
use super::placeholder::is_name;
use super::places::Places;
use super::value_template::ValueTemplate;

/// What a step reads out of its reply, by name, in the order of the file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub(super) struct Captures(Vec<(String, Capture)>);

/// One value that is read.
#[derive(Clone, Debug)]
struct Capture {
    found: Found,
    then: Then,
    required: bool,
}

/// Where a value stands.
#[derive(Clone, Debug)]
enum Found {
    /// At a path.
    At(FieldPath),
    /// In the first item of a list that fits.
    First {
        each: FieldPath,
        fits: ItemTest,
        take: FieldPath,
    },
    /// A whole list, with the items that fit changed.
    Changed {
        path: FieldPath,
        fits: ItemTest,
        put: Vec<(String, ValueTemplate)>,
    },
}

/// What is made of a value that was found.
#[derive(Clone, Debug)]
enum Then {
    AsIs,
    /// A number, and this much more.
    Add(i64),
    /// What the table has for it.
    Lookup(Map<String, Value>),
    /// What the group of the pattern matches.
    Pattern(Regex),
}

/// `where = { path, equals }`: texts are compared without case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ItemTest {
    path: FieldPath,
    equals: ValueTemplate,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaptureKeys {
    path: Option<FieldPath>,
    each: Option<FieldPath>,
    #[serde(rename = "where")]
    fits: Option<ItemTest>,
    take: Option<FieldPath>,
    change: Option<ChangeKeys>,
    add: Option<i64>,
    lookup: Option<Map<String, Value>>,
    pattern: Option<String>,
    required: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeKeys {
    #[serde(rename = "where")]
    fits: ItemTest,
    put: Map<String, Value>,
}

impl TryFrom<Map<String, Value>> for Captures {
    type Error = String;

    fn try_from(captures: Map<String, Value>) -> Result<Self, String> {
        captures
            .into_iter()
            .map(|(name, value)| {
                if !is_name(&name) {
                    return Err(format!(
                        "`{name}` is no name for a capture: use a-z, 0-9 and `_`"
                    ));
                }
                let capture = Capture::parse(value)
                    .map_err(|problem| format!("capture `{name}`: {problem}"))?;
                Ok((name, capture))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl Capture {
    fn parse(value: Value) -> Result<Self, String> {
        let keys: CaptureKeys = match value {
            Value::String(path) => {
                return Ok(Self {
                    found: Found::At(FieldPath::try_from(path)?),
                    then: Then::AsIs,
                    required: true,
                });
            }
            table => serde_json::from_value(table).map_err(|error| error.to_string())?,
        };
        let found = match (keys.path, keys.change, keys.each, keys.fits, keys.take) {
            (Some(path), None, None, None, None) => Found::At(path),
            (Some(path), Some(change), None, None, None) => Found::Changed {
                path,
                fits: change.fits,
                put: change
                    .put
                    .into_iter()
                    .map(|(key, value)| Ok((key, ValueTemplate::try_from(value)?)))
                    .collect::<Result<_, String>>()?,
            },
            (None, None, Some(each), Some(fits), Some(take)) => Found::First { each, fits, take },
            _ => {
                return Err(
                    "write a path, `{ path = .. }`, `{ each = .., where = .., take = .. }` or `{ path = .., change = .. }`"
                        .to_owned(),
                );
            }
        };
        let then = match (keys.add, keys.lookup, keys.pattern) {
            (None, None, None) => Then::AsIs,
            (Some(add), None, None) => Then::Add(add),
            (None, Some(table), None) => Then::Lookup(table),
            (None, None, Some(pattern)) => Then::Pattern(one_group(&pattern)?),
            _ => return Err("`add`, `lookup` and `pattern` exclude each other".to_owned()),
        };
        Ok(Self {
            found,
            then,
            required: keys.required.unwrap_or(true),
        })
    }

    fn templates(&self) -> Vec<&ValueTemplate> {
        match &self.found {
            Found::At(_) => Vec::new(),
            Found::First { fits, .. } => vec![&fits.equals],
            Found::Changed { fits, put, .. } => std::iter::once(&fits.equals)
                .chain(put.iter().map(|(_, value)| value))
                .collect(),
        }
    }

    fn read(&self, reply: &Value, places: &dyn Places) -> Result<Option<Value>, RenderError> {
        let found = match &self.found {
            Found::At(path) => path.find(reply).cloned(),
            Found::First { each, fits, take } => {
                let wanted = fits.equals.render(places)?;
                let items = each.find(reply).and_then(Value::as_array);
                items
                    .and_then(|items| items.iter().find(|item| fits.fits(item, wanted.as_ref())))
                    .and_then(|item| take.find(item).cloned())
            }
            Found::Changed { path, fits, put } => {
                let wanted = fits.equals.render(places)?;
                let items = path.find(reply).and_then(Value::as_array).cloned();
                match items {
                    Some(items) => change(items, fits, wanted.as_ref(), put, places)?,
                    None => None,
                }
            }
        };
        Ok(found.and_then(|value| self.then.of(value)))
    }
}

/// The list with every item that fits changed; nothing when none fits: what was to be changed is not there.
fn change(
    mut items: Vec<Value>,
    fits: &ItemTest,
    wanted: Option<&Value>,
    put: &[(String, ValueTemplate)],
    places: &dyn Places,
) -> Result<Option<Value>, RenderError> {
    let mut changed = false;
    for item in &mut items {
        if !fits.fits(item, wanted) {
            continue;
        }
        let Value::Object(fields) = item else {
            continue;
        };
        for (key, template) in put {
            if let Some(value) = template.render(places)? {
                fields.insert(key.clone(), value);
            }
        }
        changed = true;
    }
    Ok(changed.then_some(Value::Array(items)))
}

impl ItemTest {
    fn fits(&self, item: &Value, wanted: Option<&Value>) -> bool {
        let (Some(found), Some(wanted)) = (self.path.find(item), wanted) else {
            return false;
        };
        match (scalar_text(found), scalar_text(wanted)) {
            (Some(found), Some(wanted)) => found.to_lowercase() == wanted.to_lowercase(),
            _ => found == wanted,
        }
    }
}

impl Then {
    fn of(&self, value: Value) -> Option<Value> {
        match self {
            Self::AsIs => Some(value),
            Self::Add(more) => {
                let number = value
                    .as_i64()
                    .or_else(|| value.as_str().and_then(|text| text.parse().ok()))?;
                number.checked_add(*more).map(Value::from)
            }
            Self::Lookup(table) => table.get(scalar_text(&value)?.as_ref()).cloned(),
            Self::Pattern(pattern) => {
                let text = scalar_text(&value)?;
                let group = pattern.captures(&text)?.get(1)?;
                Some(Value::from(group.as_str()))
            }
        }
    }
}

/// A regular expression with exactly one group.
fn one_group(pattern: &str) -> Result<Regex, String> {
    let regex = Regex::new(pattern)
        .map_err(|error| format!("`pattern` is no regular expression: {error}"))?;
    if regex.captures_len() == 2 {
        Ok(regex)
    } else {
        Err("`pattern` has exactly one group: what it matches is captured".to_owned())
    }
}

impl Captures {
    /// The names that come into scope.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The names that may be absent afterwards.
    pub(super) fn optional_names(&self) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(|(_, capture)| !capture.required)
            .map(|(name, _)| name.as_str())
    }

    /// The places that are looked at while reading.
    pub(super) fn places(&self) -> impl Iterator<Item = &str> {
        let templates = self.0.iter().flat_map(|(_, capture)| capture.templates());
        templates.flat_map(ValueTemplate::places)
    }

    /// Whether nothing is captured.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads every value. The name of a required one that is not there is the error.
    pub(super) fn read(
        &self,
        reply: &Value,
        places: &dyn Places,
    ) -> Result<Vec<(String, Value)>, CaptureError> {
        let mut found = Vec::with_capacity(self.0.len());
        for (name, capture) in &self.0 {
            match capture
                .read(reply, places)
                .map_err(CaptureError::Unreadable)?
            {
                Some(value) => found.push((name.clone(), value)),
                None if capture.required => return Err(CaptureError::Missing(name.clone())),
                None => {}
            }
        }
        Ok(found)
    }
}

/// Why a step has not found what the next one needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CaptureError {
    /// A required value is not in the reply.
    Missing(String),
    /// A value of the call cannot be used for it.
    Unreadable(RenderError),
}
