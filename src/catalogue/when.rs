//! `when`: whether a step is needed in this call, by its arguments and by what earlier steps found.

use serde::Deserialize;
use serde_json::Value;

use super::expected::Expected;
use super::placeholder::is_name;
use super::places::Places;

/// Tests of which all must fit; without one, a step always runs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "WhenFile")]
pub(super) struct When(Vec<PlaceTest>);

#[derive(Clone, Debug)]
struct PlaceTest {
    place: String,
    expected: Expected,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a test (`{ argument = \"title\", exists = false }`) or a list of tests"
)]
enum WhenFile {
    One(TestKeys),
    Several(Vec<TestKeys>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TestKeys {
    argument: String,
    equals: Option<Value>,
    #[serde(rename = "in")]
    one_of: Option<Vec<Value>>,
    exists: Option<bool>,
}

impl TryFrom<WhenFile> for When {
    type Error = String;

    fn try_from(file: WhenFile) -> Result<Self, String> {
        let tests = match file {
            WhenFile::One(test) => vec![test],
            WhenFile::Several(tests) => tests,
        };
        tests
            .into_iter()
            .map(|keys| {
                if !is_name(&keys.argument) {
                    return Err(format!("`{}` in `when` names no argument", keys.argument));
                }
                let expected =
                    Expected::parse(keys.equals.as_ref(), keys.one_of.as_deref(), keys.exists)?;
                Ok(PlaceTest {
                    place: keys.argument,
                    expected,
                })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl When {
    /// The places that are looked at.
    pub(super) fn places(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|test| test.place.as_str())
    }

    /// Whether the step may be left out in some call.
    pub(super) fn is_conditional(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether every test fits.
    pub(super) fn fits(&self, places: &dyn Places) -> bool {
        self.0
            .iter()
            .all(|test| test.expected.fits(places.find(&test.place)))
    }
}
