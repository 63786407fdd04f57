//! One fixture as it is written down.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{Request, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::exchange::Exchange;
use super::outcome_of;
use crate::catalogue::{Answer, Catalogue, Next, Problem, Provider, Tool, Variables};

/// Stands in for what is unique to a call, so that a replay is the same every time.
const UNIQUE: &str = "00000000-0000-4000-8000-000000000000";

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
    keys: FixtureKeys,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FixtureKeys {
    source: Evidence,
    url: Option<url::Url>,
    #[serde(rename = "note")]
    _note: Option<String>,
    tool: Option<String>,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    #[serde(default)]
    captured: BTreeMap<String, String>,
    arguments: Option<Map<String, Value>>,
    exchanges: Vec<Exchange>,
    output: Option<Value>,
    output_text: Option<Value>,
    refusal: Option<Value>,
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

/// Gets each request and gives its reply.
pub(super) type Exchanging<'a> =
    dyn FnMut(&Request<Vec<u8>>) -> Result<Response<Vec<u8>>, String> + 'a;

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

    /// The name of the tool that is called; none for the account call.
    pub(super) fn tool(&self) -> Option<&str> {
        match self {
            Self::Account(_) => None,
            Self::Tool(_, tool) => Some(tool.name()),
        }
    }

    fn provider(&self) -> &Provider {
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

    /// Plays the whole call; `exchange` gets each request and gives its reply.
    pub(super) fn play(
        &self,
        variables: &Variables,
        fixture: &Fixture,
        exchange: &mut Exchanging<'_>,
    ) -> Result<(&'static str, Value), String> {
        match self {
            Self::Account(provider) => {
                let request = provider
                    .account_request(variables)
                    .map_err(|error| error.to_string())?;
                let reply = provider.read_account(&exchange(&request)?);
                Ok(match reply {
                    Ok(account) => (
                        "output",
                        json!({"id": account.id, "label": account.label, "workspace": account.workspace}),
                    ),
                    Err(refusal) => outcome_of(crate::catalogue::Reply::Refused(refusal)),
                })
            }
            Self::Tool(_, tool) => {
                let arguments = fixture
                    .keys
                    .arguments
                    .as_ref()
                    .unwrap_or_else(|| tool.example());
                tool.check(arguments).map_err(|error| error.to_string())?;
                let run = tool.begin(variables, arguments, UNIQUE.to_owned());
                let mut run = run.map_err(|error| error.to_string())?;
                loop {
                    match run.next() {
                        Next::Wait(_) => {}
                        Next::Done(reply) => return Ok(outcome_of(reply)),
                        Next::Send(requests, _) => {
                            for outgoing in requests {
                                let response = exchange(&outgoing.request)?;
                                let to = outgoing.id;
                                run.answer(vec![Answer { to, response }]);
                            }
                        }
                    }
                }
            }
        }
    }
}
