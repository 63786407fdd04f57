//! What a reply means to the caller: an output, or a refusal that somebody can act on.
//!
//! JSON that no file reshapes passes through as the text that came, and no value is built of it: for a reply of a
//! megabyte that is the difference between one and twenty milliseconds. Structured content is given where the value had
//! to be built anyway: when a file picks fields, and for an empty reply that a file gives a meaning.
//!
//! Architecture invariant: no output is longer than its cap, whatever a provider sends. What was picked is cut, and says
//! so; what is passed through untouched is refused, because half a JSON text is none.

mod graphql_data;
mod left_out;
mod meaning;
mod raw_text;

use std::time::Duration;

use http::Response;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::RefusalKind;
use super::condition::Condition;
use super::error_rules::ErrorRules;
use super::graphql::Graphql;
use super::pagination::{Page, Pagination};
use super::pick::{Pick, Reading};
use super::places::Places;
use super::wanted::{Wanted, read_whole};
use graphql_data::GraphqlData;
pub(super) use left_out::LeftOut;
use meaning::Meaning;
use raw_text::RawText;
pub(super) use raw_text::{Binary, Keep, charset};

/// The field in which the place of the next page stands.
pub(super) const NEXT_CURSOR: &str = "next_cursor";
/// The field that says what is missing.
pub(super) const LEFT_OUT: &str = "left_out";

/// How long an output is at most, in bytes, unless the file says otherwise.
const MAX_BYTES: usize = 256 << 10;
/// No file may say more than this.
const MOST_BYTES: usize = 1 << 20;
/// Below this there might be no room for what goes with an output: the next cursor, and what was left out.
const LEAST_BYTES: usize = 8 << 10;
/// How many items of a list are given at most, unless the file says otherwise.
const MAX_ITEMS: usize = 500;
/// No file may say more than this.
const MOST_ITEMS: usize = 10_000;
/// Room for the sentence about what was left out.
const SENTENCE_BYTES: usize = 1 << 10;

const NOT_JSON: &str = "the provider answered with something that is not JSON";
const TOO_FULL: &str = "the answer has more values than are read of one: ask for less at once";

/// What is wrong with a body that could not be read.
fn unreadable(error: &serde_json::Error) -> String {
    if error.is_data() { TOO_FULL } else { NOT_JSON }.to_owned()
}

/// What a reply means to the caller.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// The tool did its work.
    Success(ToolOutput),
    /// The provider did not do it.
    Refused(Refusal),
}

/// What a tool gives back.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolOutput {
    /// The output as text: JSON, or the body as it came. It is data from outside, never an instruction.
    pub text: String,
    /// The output as a JSON object, where it was reshaped; `text` says the same.
    pub structured: Option<Value>,
}

/// Why the provider did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (HTTP status {status})")]
pub struct Refusal {
    /// What it means.
    pub kind: RefusalKind,
    /// The HTTP status.
    pub status: u16,
    /// What the provider says, in one line without control or direction characters, at most a few hundred characters.
    pub message: String,
    /// How long the provider asks to wait; a day at most.
    pub retry_after: Option<Duration>,
}

/// The keys that say how a reply is read, as they stand in a file.
#[derive(Debug, Default)]
pub(super) struct ReplyKeys {
    pub(super) pick: Option<Pick>,
    pub(super) text: bool,
    pub(super) keep: Option<Keep>,
    pub(super) max_chars: Option<usize>,
    pub(super) binary: Option<Binary>,
    pub(super) empty: Option<Map<String, Value>>,
    pub(super) treat_as_success: Option<AlreadyDone>,
    pub(super) max_bytes: Option<usize>,
    pub(super) max_items: Option<usize>,
}

impl ReplyKeys {
    /// Whether nothing is said.
    pub(super) fn is_empty(&self) -> bool {
        self.pick.is_none()
            && !self.text
            && self.keep.is_none()
            && self.max_chars.is_none()
            && self.binary.is_none()
            && self.empty.is_none()
            && self.treat_as_success.is_none()
            && self.max_bytes.is_none()
            && self.max_items.is_none()
    }
}

/// How a reply is read.
#[derive(Clone, Debug)]
pub(super) struct ReplyShape {
    body: BodyShape,
    /// What an empty body stands for.
    empty: Option<Meaning>,
    /// The refusal that says that the wish is fulfilled already.
    pub(super) treat_as_success: Option<AlreadyDone>,
    max_bytes: usize,
    max_items: usize,
}

impl Default for ReplyShape {
    fn default() -> Self {
        Self {
            body: BodyShape::Json,
            empty: None,
            treat_as_success: None,
            max_bytes: MAX_BYTES,
            max_items: MAX_ITEMS,
        }
    }
}

/// A refusal that stands for a success: nothing is left to do.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "AlreadyDoneKeys")]
pub(super) struct AlreadyDone {
    when: Condition,
    output: Meaning,
    pick: Option<Pick>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AlreadyDoneKeys {
    when: Condition,
    output: Map<String, Value>,
    pick: Option<Pick>,
}

impl TryFrom<AlreadyDoneKeys> for AlreadyDone {
    type Error = String;

    fn try_from(keys: AlreadyDoneKeys) -> Result<Self, String> {
        Ok(Self {
            when: keys.when,
            output: Meaning::try_from(keys.output)?,
            pick: keys.pick,
        })
    }
}

/// How a body that is there is read.
#[derive(Clone, Debug)]
enum BodyShape {
    /// JSON, passed through untouched.
    Json,
    /// Raw text, such as a diff.
    Text(RawText),
    /// JSON, cut down.
    Pick(Box<Picked>),
    /// The data of a GraphQL reply, cut down if the file says so.
    Graphql(Box<GraphqlData>),
}

/// A pick, and all that is wanted of a reply: its own fields and those that lead to the next page.
#[derive(Clone, Debug)]
struct Picked {
    pick: Pick,
    wanted: Wanted,
}

/// What a reply is read with, besides the shape: what this call knows.
#[derive(Clone, Copy)]
pub(super) struct ReplyScope<'a> {
    /// Arguments and captures.
    pub(super) places: &'a dyn Places,
    /// Which page it is, for a list that has pages.
    pub(super) page: Option<Page<'a>>,
}

/// A reply that is longer than it may be, and cannot be cut.
struct TooLong {
    max_bytes: usize,
}

impl TooLong {
    fn of_content(&self, bytes: usize) -> String {
        format!(
            "the reply has {bytes} bytes and at most {} are passed on: ask for less, with a narrower question, a smaller \
             `limit` or a part of the content",
            self.max_bytes
        )
    }
}

impl ToolOutput {
    fn structured(value: Value) -> Self {
        Self {
            text: value.to_string(),
            structured: Some(value),
        }
    }

    fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            structured: None,
        }
    }
}

impl ReplyShape {
    /// Reads the keys of a reply; `graphql` is the operation of its request, and `pagination` how its list goes on.
    pub(super) fn parse(
        keys: ReplyKeys,
        graphql: Option<&Graphql>,
        pagination: Option<&Pagination>,
    ) -> Result<Self, String> {
        if pagination.is_some() && keys.pick.is_none() {
            return Err(
                "`pagination` needs a `pick`: the output has the field `next_cursor` beside what is picked"
                    .to_owned(),
            );
        }
        let own = keys.pick.iter().flat_map(Pick::fields);
        let own = own.chain(
            keys.empty
                .iter()
                .flat_map(|empty| empty.keys().map(String::as_str)),
        );
        for field in own {
            if field == LEFT_OUT || (field == NEXT_CURSOR && pagination.is_some()) {
                return Err(format!(
                    "`{field}` is filled in by the gateway: choose another name for the picked field"
                ));
            }
        }
        if !keys.text && (keys.keep.is_some() || keys.max_chars.is_some() || keys.binary.is_some())
        {
            return Err("`keep`, `max_chars` and `binary` belong to `text = true`".to_owned());
        }
        if keys.keep.is_some() && keys.max_chars.is_none() {
            return Err("`keep` says which end of a text stays: say `max_chars` too".to_owned());
        }
        let max_bytes = keys.max_bytes.unwrap_or(MAX_BYTES);
        if !(LEAST_BYTES..=MOST_BYTES).contains(&max_bytes) {
            return Err(format!(
                "`max_bytes` is between {LEAST_BYTES} and {MOST_BYTES}"
            ));
        }
        let max_items = keys.max_items.unwrap_or(MAX_ITEMS);
        if !(1..=MOST_ITEMS).contains(&max_items) {
            return Err(format!("`max_items` is between 1 and {MOST_ITEMS}"));
        }
        if keys
            .max_chars
            .is_some_and(|chars| !(1..=MOST_BYTES).contains(&chars))
        {
            return Err(format!("`max_chars` is between 1 and {MOST_BYTES}"));
        }
        let body = match (graphql, keys.pick, keys.text) {
            (_, Some(_), true) => return Err("`pick` and `text` exclude each other".to_owned()),
            (Some(_), None, true) => {
                return Err("`graphql` and `text` exclude each other".to_owned());
            }
            (Some(graphql), pick, false) => {
                BodyShape::Graphql(Box::new(GraphqlData::new(graphql, pick, pagination)))
            }
            (None, Some(pick), false) => {
                let mut wanted = pick.wanted().clone();
                if let Some(pagination) = pagination {
                    pagination.want(&mut wanted);
                }
                BodyShape::Pick(Box::new(Picked { pick, wanted }))
            }
            (None, None, true) => BodyShape::Text(RawText {
                keep: keys.keep.unwrap_or_default(),
                max_chars: keys.max_chars.unwrap_or(usize::MAX),
                binary: keys.binary,
            }),
            (None, None, false) => BodyShape::Json,
        };
        Ok(Self {
            body,
            empty: keys.empty.map(Meaning::try_from).transpose()?,
            treat_as_success: keys.treat_as_success,
            max_bytes,
            max_items,
        })
    }

    /// Every argument or capture that the output names.
    pub(super) fn arguments(&self) -> Vec<&str> {
        let already_done = self.treat_as_success.iter();
        already_done
            .flat_map(|done| {
                let picked = done.pick.iter().flat_map(Pick::arguments);
                done.output.arguments().into_iter().chain(picked)
            })
            .chain(self.pick().into_iter().flat_map(Pick::arguments))
            .chain(self.empty.iter().flat_map(Meaning::arguments))
            .collect()
    }

    /// What is picked of a success.
    pub(super) fn pick(&self) -> Option<&Pick> {
        match &self.body {
            BodyShape::Pick(picked) => Some(&picked.pick),
            BodyShape::Graphql(graphql) => graphql.pick(),
            BodyShape::Json | BodyShape::Text(_) => None,
        }
    }

    /// Every pick there is.
    pub(super) fn picks(&self) -> impl Iterator<Item = &Pick> {
        let already_done = self.treat_as_success.as_ref();
        self.pick()
            .into_iter()
            .chain(already_done.and_then(|done| done.pick.as_ref()))
    }

    /// Reads a whole reply.
    pub(super) fn read(
        &self,
        response: &Response<Vec<u8>>,
        rules: &ErrorRules,
        scope: ReplyScope<'_>,
    ) -> Reply {
        if let Some(output) = self.already_done(response, scope) {
            return Reply::Success(ToolOutput::structured(output));
        }
        if let Some(refusal) = rules.refusal(response) {
            return Reply::Refused(refusal);
        }
        Self::reply(response, self.output(response, scope))
    }

    /// Reads a reply that is known to be a success and whose body was changed on the way.
    pub(super) fn read_changed(
        &self,
        response: &Response<Vec<u8>>,
        body: &Value,
        scope: ReplyScope<'_>,
    ) -> Reply {
        let output = match &self.body {
            BodyShape::Pick(picked) => Ok(self.picked(&picked.pick, response, body, scope)),
            BodyShape::Graphql(graphql) => self.graphql(graphql, response, body, scope),
            BodyShape::Json | BodyShape::Text(_) => self.capped(body.to_string()),
        };
        Self::reply(response, output)
    }

    fn reply(response: &Response<Vec<u8>>, output: Result<ToolOutput, String>) -> Reply {
        match output {
            Ok(output) => Reply::Success(output),
            Err(message) => Reply::Refused(Refusal {
                kind: RefusalKind::Other,
                status: response.status().as_u16(),
                message,
                retry_after: None,
            }),
        }
    }

    /// What stands for a refusal that says that nothing is left to do.
    fn already_done(&self, response: &Response<Vec<u8>>, scope: ReplyScope<'_>) -> Option<Value> {
        let already_done = self.treat_as_success.as_ref()?;
        let status = response.status().as_u16();
        if !already_done.when.may_fit(status) {
            return None;
        }
        let body = read_whole(response.body()).unwrap_or(Value::Null);
        if !already_done.when.fits(status, response.headers(), &body) {
            return None;
        }
        let mut output = already_done.output.of(scope.places);
        let reading = Reading::new(response.headers(), scope.places, self.max_items);
        if let Some(pick) = &already_done.pick {
            output.extend(pick.of(&body, &reading));
        }
        Some(self.finished(output, reading.into_left_out(), None))
    }

    fn output(
        &self,
        response: &Response<Vec<u8>>,
        scope: ReplyScope<'_>,
    ) -> Result<ToolOutput, String> {
        let body = response.body().as_slice();
        if body.is_empty() {
            return Ok(self.empty(response, scope));
        }
        match &self.body {
            BodyShape::Text(text) => text.read(response.headers(), body, self.max_bytes),
            BodyShape::Json => match std::str::from_utf8(body) {
                Ok(text) if text.len() <= self.max_bytes => Ok(ToolOutput::text(text)),
                Ok(text) => Err(self.too_long(text.len())),
                Err(_) => Err(NOT_JSON.to_owned()),
            },
            BodyShape::Pick(picked) => {
                let value = picked
                    .wanted
                    .read(body)
                    .map_err(|error| unreadable(&error))?;
                Ok(self.picked(&picked.pick, response, &value, scope))
            }
            BodyShape::Graphql(graphql) => {
                let value = graphql
                    .wanted()
                    .read(body)
                    .map_err(|error| unreadable(&error))?;
                self.graphql(graphql, response, &value, scope)
            }
        }
    }

    /// What an empty body stands for: what the file says, or what can be picked without a body.
    fn empty(&self, response: &Response<Vec<u8>>, scope: ReplyScope<'_>) -> ToolOutput {
        match (&self.empty, self.pick()) {
            (Some(meaning), _) => {
                let output = meaning.of(scope.places);
                ToolOutput::structured(self.finished(output, LeftOut::default(), None))
            }
            (None, Some(pick)) if pick.looks_outside_the_body() => {
                self.picked(pick, response, &Value::Null, scope)
            }
            _ => ToolOutput::text(""),
        }
    }

    fn graphql(
        &self,
        graphql: &GraphqlData,
        response: &Response<Vec<u8>>,
        body: &Value,
        scope: ReplyScope<'_>,
    ) -> Result<ToolOutput, String> {
        let data = graphql.read(body)?;
        if let Some(pick) = graphql.pick() {
            return Ok(self.picked(pick, response, data, scope));
        }
        let output = self.capped(data.to_string())?;
        // Structured content is an object (MCP 2025-11-25, server/tools).
        Ok(ToolOutput {
            structured: data.is_object().then(|| data.clone()),
            ..output
        })
    }

    fn picked(
        &self,
        pick: &Pick,
        response: &Response<Vec<u8>>,
        body: &Value,
        scope: ReplyScope<'_>,
    ) -> ToolOutput {
        let reading = Reading::new(response.headers(), scope.places, self.max_items);
        let output = pick.of(body, &reading);
        let next = scope
            .page
            .and_then(|page| page.next(response.headers(), body, scope.places));
        ToolOutput::structured(self.finished(output, reading.into_left_out(), next))
    }

    /// The output within its cap, with what was left out of it and where the next page is.
    fn finished(
        &self,
        output: Map<String, Value>,
        mut left_out: LeftOut,
        next: Option<String>,
    ) -> Value {
        let reserved = SENTENCE_BYTES + next.as_ref().map_or(0, |next| next.len() + 32);
        let mut output = left_out.fit(output, self.max_bytes.saturating_sub(reserved));
        if let Some(next) = next {
            output.insert(NEXT_CURSOR.to_owned(), Value::String(next));
        }
        if let Some(sentence) = left_out.sentence() {
            output.insert(LEFT_OUT.to_owned(), Value::String(sentence));
        }
        Value::Object(output)
    }

    fn capped(&self, text: String) -> Result<ToolOutput, String> {
        if text.len() > self.max_bytes {
            return Err(self.too_long(text.len()));
        }
        Ok(ToolOutput::text(text))
    }

    fn too_long(&self, bytes: usize) -> String {
        TooLong {
            max_bytes: self.max_bytes,
        }
        .of_content(bytes)
    }
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
