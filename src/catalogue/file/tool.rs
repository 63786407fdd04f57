//! `[[tool]]`: what is advertised, what is sent, how the answer is read.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::request_keys::request_and_reply_keys;
use super::step::{ExpandFile, PollFile, StepFile};
use crate::catalogue::ScopeRequirement;
use crate::catalogue::error_rules::ErrorRule;
use crate::catalogue::expand::Expand;
use crate::catalogue::inputs::Inputs;
use crate::catalogue::pagination::{Pagination, PaginationKeys};
use crate::catalogue::poll::Poll;
use crate::catalogue::reply::ReplyShape;
use crate::catalogue::request::RequestTemplate;
use crate::catalogue::step::Step;

/// One `[[tool]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "ToolKeys")]
pub(crate) struct ToolFile {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) hints: Hints,
    pub(crate) effects: Vec<Effect>,
    pub(crate) scopes: ScopeRequirement,
    /// What comes before the request, in order.
    pub(crate) steps: Vec<Step>,
    pub(crate) request: RequestTemplate,
    pub(crate) expand: Option<Expand>,
    pub(crate) poll: Option<Poll>,
    pub(crate) pagination: Option<Pagination>,
    pub(crate) reply: ReplyShape,
    /// Tried before the provider's.
    pub(crate) errors: Vec<ErrorRule>,
    pub(crate) inputs: Inputs,
    pub(crate) example: Map<String, Value>,
}

impl ToolFile {
    /// Every request that a call may send.
    pub(crate) fn requests(&self) -> impl Iterator<Item = &RequestTemplate> {
        let steps = self.steps.iter().map(|step| &step.request);
        let items = self.expand.iter().map(|expand| &expand.request);
        let polls = self.poll.iter().map(|poll| &poll.request);
        let pages = self
            .pagination
            .iter()
            .filter_map(|pages| pages.going_on.as_ref());
        steps
            .chain([&self.request])
            .chain(pages)
            .chain(items)
            .chain(polls)
    }

    /// The same, to be completed.
    pub(crate) fn requests_mut(&mut self) -> impl Iterator<Item = &mut RequestTemplate> {
        let steps = self.steps.iter_mut().map(|step| &mut step.request);
        let items = self.expand.iter_mut().map(|expand| &mut expand.request);
        let polls = self.poll.iter_mut().map(|poll| &mut poll.request);
        let pages = self
            .pagination
            .iter_mut()
            .filter_map(|pages| pages.going_on.as_mut());
        steps
            .chain([&mut self.request])
            .chain(pages)
            .chain(items)
            .chain(polls)
    }
}

/// What a tool does to the world, as MCP's tool annotations say it. Declared by the file, never inferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "these are the four tool annotations of MCP (2025-11-25, server/tools)"
)]
pub struct Hints {
    /// It changes nothing.
    pub read_only: bool,
    /// It may destroy something, rather than only add.
    pub destructive: bool,
    /// Calling it again with the same arguments changes nothing more.
    pub idempotent: bool,
    /// It reaches things outside the provider's closed world: other people, the public.
    pub open_world: bool,
}

/// What a call does that policy may want to hold back, beyond the hints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Somebody is notified.
    SendsMessage,
    /// Somebody gains access to data.
    SharesData,
    /// Money moves.
    SpendsMoney,
    /// Something is gone afterwards.
    Deletes,
}

request_and_reply_keys! {
    struct ToolKeys {
        name: String,
        title: String,
        description: String,
        read_only: Option<bool>,
        destructive: Option<bool>,
        idempotent: Option<bool>,
        open_world: Option<bool>,
        #[serde(default)]
        effects: Vec<Effect>,
        scopes: ScopeRequirement,
        #[serde(default)]
        input: Inputs,
        #[serde(default)]
        step: Vec<StepFile>,
        expand: Option<ExpandFile>,
        poll: Option<PollFile>,
        pagination: Option<PaginationKeys>,
        #[serde(default)]
        error: Vec<ErrorRule>,
        example: Map<String, Value>,
    }
}

impl TryFrom<ToolKeys> for ToolFile {
    type Error = String;

    fn try_from(mut keys: ToolKeys) -> Result<Self, String> {
        let name = keys.name.clone();
        let of_tool = |problem: String| format!("tool `{name}`: {problem}");
        let hints = keys.hints().map_err(of_tool)?;
        let request = RequestTemplate::parse(keys.request()).map_err(of_tool)?;
        let pagination = keys.pagination.take().map(Pagination::try_from);
        let pagination = pagination.transpose().map_err(of_tool)?;
        let reply = ReplyShape::parse(keys.reply(), request.graphql.as_ref(), pagination.as_ref())
            .map_err(of_tool)?;
        let inputs = match &pagination {
            Some(_) => keys.input.with_cursor().map_err(of_tool)?,
            None => keys.input,
        };
        Ok(Self {
            reply,
            pagination,
            request,
            steps: keys.step.into_iter().map(|step| step.0).collect(),
            expand: keys.expand.map(|expand| expand.0),
            poll: keys.poll.map(|poll| poll.0),
            errors: keys.error,
            name: keys.name,
            title: keys.title,
            description: keys.description,
            hints,
            effects: keys.effects,
            scopes: keys.scopes,
            inputs,
            example: keys.example,
        })
    }
}

impl ToolKeys {
    fn hints(&self) -> Result<Hints, String> {
        let hint = |name: &str, hint: Option<bool>| {
            hint.ok_or_else(|| format!("`{name}` is not declared: the four hints have no default"))
        };
        Ok(Hints {
            read_only: hint("read_only", self.read_only)?,
            destructive: hint("destructive", self.destructive)?,
            idempotent: hint("idempotent", self.idempotent)?,
            open_world: hint("open_world", self.open_world)?,
        })
    }
}
