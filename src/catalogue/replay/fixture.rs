//! One fixture as it is written down.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::exchange::Exchange;
use crate::catalogue::{Catalogue, Problem, Provider, Tool, Variables};

/// A fixture as text, and what its place says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixtureFile {
    /// Its name as shown in problems.
    pub file: String,
    /// The id of the provider or product: the name of its folder.
    pub owner: String,
    /// Its name without `.json`: `{tool}`, `{tool}.{case}`, `account` or `error.{kind}`.
    pub stem: String,
    /// What stands in it.
    pub text: String,
}

impl FixtureFile {
    /// The kind of refusal that its name promises.
    pub(super) fn error_kind(&self) -> Option<&str> {
        self.stem
            .strip_prefix("error.")
            .map(|kind| kind.split('.').next().unwrap_or(kind))
    }

    /// Whether it is the fixture of the account call, or a further case of it.
    pub(super) fn is_account(&self) -> bool {
        self.stem.split('.').next() == Some("account")
    }

    pub(super) fn problem(&self, place: &str, message: impl Into<String>, remedy: &str) -> Problem {
        Problem {
            file: self.file.clone(),
            place: place.to_owned(),
            check: "fixtures_replay",
            message: message.into(),
            remedy: remedy.to_owned(),
        }
    }
}

/// Where the replies of a fixture come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// From the provider's own documentation, at most shortened.
    Documented,
    /// From facts that were gathered about the provider.
    Facts,
    /// Made up, in the form that the provider documents.
    Constructed,
}

/// A fixture that could be read.
pub(super) struct Fixture {
    pub(super) evidence: Evidence,
    pub(super) exchanges: Vec<Exchange>,
    /// All of it, as it was written.
    pub(super) whole: Map<String, Value>,
    pub(super) keys: FixtureKeys,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FixtureKeys {
    source: Evidence,
    url: Option<url::Url>,
    #[serde(rename = "note")]
    _note: Option<String>,
    tool: Option<String>,
    #[serde(default)]
    pub(super) variables: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) captured: BTreeMap<String, String>,
    pub(super) arguments: Option<Map<String, Value>>,
    exchanges: Vec<Exchange>,
    output: Option<Value>,
    output_text: Option<Value>,
    refusal: Option<Value>,
    /// What has happened already when the call ends with `refusal`.
    pub(super) done: Option<String>,
}

impl Fixture {
    pub(super) fn parse(file: &FixtureFile) -> Result<Self, Problem> {
        let unreadable = |error: serde_json::Error| {
            file.problem(
                "the whole file",
                error.to_string(),
                "correct it; docs/provider-file.md describes fixtures",
            )
        };
        let mut keys: FixtureKeys = serde_json::from_str(&file.text).map_err(unreadable)?;
        let whole = serde_json::from_str(&file.text).map_err(unreadable)?;
        if keys.source == Evidence::Documented && keys.url.is_none() {
            return Err(file.problem(
                "source",
                "it is said to be documented, and not where",
                "give the address of the documentation as `url`, or say `constructed`",
            ));
        }
        let outcomes = [&keys.output, &keys.output_text, &keys.refusal];
        if outcomes.into_iter().flatten().count() > 1 {
            return Err(file.problem(
                "output",
                "it has several of `output`, `output_text` and `refusal`",
                "leave the one with which the call ends",
            ));
        }
        if keys.done.is_some() && keys.refusal.is_none() {
            return Err(file.problem(
                "done",
                "it says what had happened before a refusal, and there is no `refusal`",
                "remove `done`, or say with which refusal the call ends",
            ));
        }
        Ok(Self {
            evidence: keys.source,
            exchanges: std::mem::take(&mut keys.exchanges),
            whole,
            keys,
        })
    }

    /// How the call is to end, if the fixture says it.
    pub(super) fn outcome(&self) -> Option<(&'static str, &Value)> {
        let keys = &self.keys;
        let outcomes = [
            ("output", &keys.output),
            ("output_text", &keys.output_text),
            ("refusal", &keys.refusal),
        ];
        outcomes
            .into_iter()
            .find_map(|(key, value)| Some((key, value.as_ref()?)))
    }
}

/// What a fixture is about.
pub(super) enum Subject {
    Account(Arc<Provider>),
    Tool(Arc<Provider>, Arc<Tool>),
}

impl Subject {
    pub(super) fn find(
        catalogue: &Catalogue,
        file: &FixtureFile,
        fixture: &Fixture,
    ) -> Result<Self, Problem> {
        if file.is_account() {
            let provider = catalogue.provider(&file.owner).map(Arc::clone);
            return provider.map(Self::Account).ok_or_else(|| {
                file.problem(
                    "the name of its folder",
                    "there is no such provider",
                    "name the folder after a provider file",
                )
            });
        }
        if let (Some(kind), None) = (file.error_kind(), &fixture.keys.tool) {
            let tools = catalogue.providers().iter().flat_map(|one| one.tools());
            let mut own = tools.filter(|tool| tool.product() == file.owner);
            let example = own.next().map_or("a_tool_of_the_file", |tool| tool.name());
            return Err(file.problem(
                "tool",
                format!("it does not say which tool is refused with `{kind}`"),
                &format!(
                    "add `\"tool\": \"{example}\"`; --write then fills in what is sent and what the refusal says"
                ),
            ));
        }
        let of_name = || file.stem.split('.').next().unwrap_or_default();
        let name = fixture.keys.tool.as_deref().unwrap_or_else(of_name);
        match catalogue.tool(name) {
            Some((provider, tool)) if tool.product() == file.owner => {
                Ok(Self::Tool(Arc::clone(provider), Arc::clone(tool)))
            }
            _ => Err(file.problem(
                "tool",
                format!("`{name}` is no tool of `{}`", file.owner),
                "name the file after a tool, or say in `tool` which one is called",
            )),
        }
    }

    pub(super) fn provider(&self) -> &Arc<Provider> {
        match self {
            Self::Account(provider) | Self::Tool(provider, _) => provider,
        }
    }

    pub(super) fn variables(
        &self,
        file: &FixtureFile,
        fixture: &Fixture,
    ) -> Result<Variables, Problem> {
        let refused = |place: &str, message: String| {
            file.problem(place, message, "correct the values of the fixture")
        };
        let variables = self
            .provider()
            .resolve(&fixture.keys.variables)
            .map_err(|problems| {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                refused("variables", problems.join("; "))
            })?;
        if fixture.keys.captured.is_empty() {
            return Ok(variables);
        }
        variables
            .with_captured(&fixture.keys.captured)
            .map_err(|error| refused("captured", error.to_string()))
    }
}
