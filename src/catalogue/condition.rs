//! What an error rule asks of a reply: a status, a header, a field of the body; all that it names must fit.

use http::{HeaderMap, HeaderName};
use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::field_path::FieldPath;

/// What a rule asks for: all of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "ConditionFile")]
pub(super) struct Condition {
    status: Option<StatusTest>,
    header: Option<(HeaderName, ValueTest)>,
    body: Option<(FieldPath, ValueTest)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConditionFile {
    status: Option<StatusTest>,
    header: Option<TestFile>,
    body: Option<TestFile>,
}

/// `{ path | name, equals | in | matches | exists }`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TestFile {
    name: Option<String>,
    path: Option<FieldPath>,
    equals: Option<String>,
    #[serde(rename = "in")]
    one_of: Option<Vec<String>>,
    matches: Option<String>,
    exists: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "a status (401), a list of them ([403, 429]), or a class (\"5xx\")"
)]
enum StatusTest {
    One(u16),
    Several(Vec<u16>),
    Class(StatusClass),
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum StatusClass {
    #[serde(rename = "5xx")]
    Server,
}

#[derive(Clone, Debug)]
enum ValueTest {
    OneOf(Vec<String>),
    Matches(Regex),
    Exists(bool),
}

impl TryFrom<ConditionFile> for Condition {
    type Error = String;

    fn try_from(file: ConditionFile) -> Result<Self, String> {
        if file.status.is_none() && file.header.is_none() && file.body.is_none() {
            return Err(
                "a rule without `status`, `header` or `body` would fit every reply".to_owned(),
            );
        }
        let header = file.header.map(|test| match (&test.name, &test.path) {
            (Some(name), None) => Ok((parse_header_name(name)?, test.test()?)),
            _ => Err("a `header` test has a `name` and no `path`".to_owned()),
        });
        let body = file.body.map(|test| match (&test.path, &test.name) {
            (Some(path), None) => Ok((path.clone(), test.test()?)),
            _ => Err("a `body` test has a `path` and no `name`".to_owned()),
        });
        Ok(Self {
            status: file.status,
            header: header.transpose()?,
            body: body.transpose()?,
        })
    }
}

impl TestFile {
    fn test(self) -> Result<ValueTest, String> {
        match (self.equals, self.one_of, self.matches, self.exists) {
            (Some(text), None, None, None) => Ok(ValueTest::OneOf(vec![text])),
            (None, Some(texts), None, None) => Ok(ValueTest::OneOf(texts)),
            (None, None, Some(pattern), None) => Regex::new(&pattern)
                .map(ValueTest::Matches)
                .map_err(|error| format!("`matches` is no regular expression: {error}")),
            (None, None, None, Some(exists)) => Ok(ValueTest::Exists(exists)),
            _ => Err("a test has exactly one of `equals`, `in`, `matches` and `exists`".to_owned()),
        }
    }
}

impl StatusTest {
    fn fits(&self, status: u16) -> bool {
        match self {
            Self::One(one) => *one == status,
            Self::Several(several) => several.contains(&status),
            Self::Class(StatusClass::Server) => (500..600).contains(&status),
        }
    }
}

impl ValueTest {
    fn fits(&self, found: Option<&str>) -> bool {
        match self {
            Self::OneOf(texts) => found.is_some_and(|found| texts.iter().any(|text| text == found)),
            Self::Matches(pattern) => found.is_some_and(|found| pattern.is_match(found)),
            Self::Exists(exists) => found.is_some() == *exists,
        }
    }
}

impl Condition {
    /// Whether a reply with this status can fit at all, before anything is read.
    pub(super) fn may_fit(&self, status: u16) -> bool {
        self.status.as_ref().is_none_or(|test| test.fits(status))
    }

    /// The field of the body that is looked at.
    pub(super) fn body_path(&self) -> Option<&FieldPath> {
        self.body.as_ref().map(|(path, _)| path)
    }

    /// Whether a success can fit, by what is below `key` in its body.
    pub(super) fn looks_into_successes(&self, key: &str) -> bool {
        self.may_fit(200)
            && self
                .body_path()
                .is_some_and(|path| path.keys().first().is_some_and(|first| first == key))
    }

    pub(super) fn fits(&self, status: u16, headers: &HeaderMap, body: &Value) -> bool {
        let header_fits = self.header.as_ref().is_none_or(|(name, test)| {
            test.fits(headers.get(name).and_then(|value| value.to_str().ok()))
        });
        let body_fits = self
            .body
            .as_ref()
            .is_none_or(|(path, test)| test.fits(path.find_text(body).as_deref()));
        self.may_fit(status) && header_fits && body_fits
    }
}

/// Reads the name of a header.
pub(super) fn parse_header_name(name: &str) -> Result<HeaderName, String> {
    HeaderName::try_from(name).map_err(|_| format!("`{}` is no header name", name.escape_default()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn malformed_conditions_are_refused() {
        for when in [
            json!({}),
            json!({"status": "6xx"}),
            json!({"header": {"path": "a", "equals": "b"}}),
            json!({"body": {"path": "a"}}),
            json!({"body": {"path": "a", "equals": "b", "exists": true}}),
            json!({"body": {"path": "a", "matches": "("}}),
            json!({"header": {"name": "a b", "exists": true}}),
        ] {
            assert!(
                serde_json::from_value::<Condition>(when.clone()).is_err(),
                "{when}"
            );
        }
    }
}
