//! What an error rule asks of a reply: a status, headers, fields of the body; all that it names must fit.

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
    headers: Vec<(HeaderName, ValueTest)>,
    fields: Vec<(FieldPath, ValueTest)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConditionFile {
    status: Option<StatusTest>,
    header: Option<TestFile>,
    body: Option<TestFile>,
    /// More tests, of which several may be of one kind.
    #[serde(default)]
    all: Vec<TestOf>,
}

/// `{ header = {..} }` or `{ body = {..} }`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum TestOf {
    Header(TestFile),
    Body(TestFile),
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
    expecting = "a status (401), a list of them ([403, 429]), or a class (\"4xx\", \"5xx\")"
)]
enum StatusTest {
    One(u16),
    Several(Vec<u16>),
    Class(StatusClass),
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum StatusClass {
    #[serde(rename = "4xx")]
    Client,
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
        let tests: Vec<TestOf> = file
            .header
            .map(TestOf::Header)
            .into_iter()
            .chain(file.body.map(TestOf::Body))
            .chain(file.all)
            .collect();
        if file.status.is_none() && tests.is_empty() {
            return Err(
                "a rule without `status`, `header` or `body` would fit every reply".to_owned(),
            );
        }
        let (mut headers, mut fields) = (Vec::new(), Vec::new());
        for test in tests {
            match test {
                TestOf::Header(test) => headers.push(test.of_header()?),
                TestOf::Body(test) => fields.push(test.of_field()?),
            }
        }
        Ok(Self {
            status: file.status,
            headers,
            fields,
        })
    }
}

impl TestFile {
    fn of_header(self) -> Result<(HeaderName, ValueTest), String> {
        match (&self.name, &self.path) {
            (Some(name), None) => Ok((parse_header_name(name)?, self.test()?)),
            _ => Err("a `header` test has a `name` and no `path`".to_owned()),
        }
    }

    fn of_field(self) -> Result<(FieldPath, ValueTest), String> {
        match (&self.path, &self.name) {
            (Some(path), None) => Ok((path.clone(), self.test()?)),
            _ => Err("a `body` test has a `path` and no `name`".to_owned()),
        }
    }

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
            Self::Class(StatusClass::Client) => (400..500).contains(&status),
            Self::Class(StatusClass::Server) => (500..600).contains(&status),
        }
    }
}

impl StatusTest {
    /// Every status that fits.
    fn statuses(&self) -> impl Iterator<Item = u16> {
        (100..600).filter(|status| self.fits(*status))
    }
}

impl ValueTest {
    /// Whether every value that fits `other` fits here.
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exists(true), Self::OneOf(_) | Self::Matches(_)) => true,
            (Self::Exists(mine), Self::Exists(other)) => mine == other,
            (Self::OneOf(mine), Self::OneOf(other)) => other.iter().all(|text| mine.contains(text)),
            (Self::Matches(mine), Self::OneOf(other)) => {
                other.iter().all(|text| mine.is_match(text))
            }
            (Self::Matches(mine), Self::Matches(other)) => mine.as_str() == other.as_str(),
            _ => false,
        }
    }

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

    /// Whether every reply fits to which `other` does as well: the same or fewer tests. A false answer may be wrong.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let status = match (&self.status, &other.status) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(mine), Some(other)) => other.statuses().all(|status| mine.fits(status)),
        };
        status
            && self.headers.iter().all(|test| {
                let mut others = other.headers.iter();
                others.any(|(name, value)| test.0 == *name && test.1.covers(value))
            })
            && self.fields.iter().all(|test| {
                let mut others = other.fields.iter();
                others.any(|(path, value)| test.0 == *path && test.1.covers(value))
            })
    }

    /// The fields of the body that are looked at.
    pub(super) fn body_paths(&self) -> impl Iterator<Item = &FieldPath> {
        self.fields.iter().map(|(path, _)| path)
    }

    /// Whether a success can fit, by what is below `key` in its body.
    pub(super) fn looks_into_successes(&self, key: &str) -> bool {
        self.may_fit(200)
            && self
                .body_paths()
                .any(|path| path.keys().first().is_some_and(|first| first == key))
    }

    /// Whether a reply fits in all that is asked.
    pub(super) fn fits(&self, status: u16, headers: &HeaderMap, body: &Value) -> bool {
        let headers_fit = self
            .headers
            .iter()
            .all(|(name, test)| test.fits(headers.get(name).and_then(|value| value.to_str().ok())));
        let fields_fit = || {
            self.fields
                .iter()
                .all(|(path, test)| test.fits(path.find_text(body).as_deref()))
        };
        self.may_fit(status) && headers_fit && fields_fit()
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
            json!({"all": []}),
            json!({"all": [{"status": 401}]}),
            json!({"all": [{"body": {"path": "a", "equals": "b"}, "header": {"name": "a", "exists": true}}]}),
        ] {
            assert!(
                serde_json::from_value::<Condition>(when.clone()).is_err(),
                "{when}"
            );
        }
    }

    fn condition(when: Value) -> Condition {
        serde_json::from_value(when).unwrap()
    }

    #[test]
    fn all_tests_must_fit() {
        let when = condition(json!({"status": "4xx", "all": [
            {"body": {"path": "a", "equals": "1"}}, {"body": {"path": "b", "matches": "^x"}}, {"header": {"name": "H", "exists": false}},
        ]}));
        let fits = |status, body: Value| when.fits(status, &HeaderMap::new(), &body);
        assert!(fits(404, json!({"a": 1, "b": "xy"})));
        assert!(!fits(404, json!({"a": 1, "b": "y"})));
        assert!(!fits(404, json!({"b": "x"})));
        assert!(!fits(500, json!({"a": 1, "b": "x"})));
        let mut headers = HeaderMap::new();
        headers.insert("h", "v".parse().unwrap());
        assert!(!when.fits(404, &headers, &json!({"a": 1, "b": "x"})));
        assert_eq!(when.body_paths().count(), 2);
    }

    #[test]
    fn a_rule_covers_those_that_ask_for_more() {
        let covers = |mine: Value, other: Value| condition(mine).covers(&condition(other));
        let body = |test: Value| json!({"body": test});
        assert!(covers(
            json!({"status": "4xx"}),
            json!({"status": [401, 403]})
        ));
        assert!(covers(
            json!({"status": 401}),
            json!({"status": 401, "body": {"path": "a", "exists": true}})
        ));
        assert!(covers(
            body(json!({"path": "a", "exists": true})),
            body(json!({"path": "a", "equals": "x"}))
        ));
        assert!(covers(
            body(json!({"path": "a", "matches": "^x"})),
            body(json!({"path": "a", "in": ["x", "xy"]}))
        ));
        assert!(covers(
            body(json!({"path": "a", "in": ["x", "y"]})),
            body(json!({"path": "a", "equals": "x"}))
        ));
        assert!(!covers(json!({"status": 401}), json!({"status": "4xx"})));
        assert!(!covers(
            json!({"status": 401}),
            body(json!({"path": "a", "exists": true}))
        ));
        assert!(!covers(
            json!({"status": 401, "body": {"path": "a", "exists": true}}),
            json!({"status": 401})
        ));
        assert!(!covers(
            body(json!({"path": "a", "equals": "x"})),
            body(json!({"path": "b", "equals": "x"}))
        ));
    }
}
