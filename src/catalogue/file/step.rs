//! The tables of a tool that send requests besides its own: `step`, `expand`, `poll`, `pagination.continue`.

use std::time::Duration;

use serde::Deserialize;

use super::request_keys::{request_and_reply_keys, request_keys};
use crate::catalogue::capture::Captures;
use crate::catalogue::expand::{Expand, MOST_AT_ONCE, MOST_ITEMS};
use crate::catalogue::expected::FieldTest;
use crate::catalogue::field_path::FieldPath;
use crate::catalogue::poll::{LONGEST_POLL, Poll, SHORTEST_INTERVAL};
use crate::catalogue::reply::ReplyShape;
use crate::catalogue::request::RequestTemplate;
use crate::catalogue::step::{Sentence, Step};
use crate::catalogue::when::When;

request_and_reply_keys! {
    struct StepKeys {
        id: String,
        #[serde(default)]
        when: When,
        #[serde(default)]
        capture: Captures,
        missing: Option<String>,
        #[serde(default)]
        answers: bool,
        read_only: Option<bool>,
        done: Option<Sentence>,
    }
}

/// One `[[tool.step]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "StepKeys")]
pub(crate) struct StepFile(pub(crate) Step);

impl TryFrom<StepKeys> for StepFile {
    type Error = String;

    fn try_from(mut keys: StepKeys) -> Result<Self, String> {
        let id = keys.id.clone();
        let of_step = |problem: String| format!("step `{id}`: {problem}");
        let request = RequestTemplate::parse(keys.request()).map_err(of_step)?;
        let reply = keys.reply();
        if !keys.answers && !reply.is_empty() {
            return Err(of_step(
                "its reply is not the answer: `pick`, `text` and the like belong to a step with `answers = true`"
                    .to_owned(),
            ));
        }
        let answers = keys
            .answers
            .then(|| ReplyShape::parse(reply, request.graphql.as_ref(), None))
            .transpose()
            .map_err(of_step)?;
        Ok(Self(Step {
            read_only: keys
                .read_only
                .unwrap_or(request.method == http::Method::GET),
            id: keys.id,
            when: keys.when,
            request,
            captures: keys.capture,
            missing: keys.missing,
            answers,
            done: keys.done,
        }))
    }
}

request_keys! {
    struct ExpandKeys {
        over: FieldPath,
        max: usize,
        concurrency: Option<usize>,
    }
}

/// `[tool.expand]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "ExpandKeys")]
pub(crate) struct ExpandFile(pub(crate) Expand);

impl TryFrom<ExpandKeys> for ExpandFile {
    type Error = String;

    fn try_from(mut keys: ExpandKeys) -> Result<Self, String> {
        let of_expand = |problem: String| format!("`expand`: {problem}");
        let concurrency = keys.concurrency.unwrap_or(1);
        if !(1..=MOST_ITEMS).contains(&keys.max) {
            return Err(of_expand(format!("`max` is between 1 and {MOST_ITEMS}")));
        }
        if !(1..=MOST_AT_ONCE).contains(&concurrency) {
            return Err(of_expand(format!(
                "`concurrency` is between 1 and {MOST_AT_ONCE}"
            )));
        }
        Ok(Self(Expand {
            request: RequestTemplate::parse(keys.request()).map_err(of_expand)?,
            over: keys.over,
            max: keys.max,
            concurrency,
        }))
    }
}

request_keys! {
    struct PollKeys {
        #[serde(default)]
        capture: Captures,
        done: FieldTest,
        failed: Option<FieldTest>,
        interval_ms: Option<u64>,
        max_s: Option<u64>,
    }
}

/// `[tool.poll]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "PollKeys")]
pub(crate) struct PollFile(pub(crate) Poll);

impl TryFrom<PollKeys> for PollFile {
    type Error = String;

    fn try_from(mut keys: PollKeys) -> Result<Self, String> {
        let of_poll = |problem: String| format!("`poll`: {problem}");
        let interval = Duration::from_millis(keys.interval_ms.unwrap_or(1_000));
        let longest = Duration::from_secs(keys.max_s.unwrap_or(30));
        if interval < SHORTEST_INTERVAL {
            return Err(of_poll(format!(
                "`interval_ms` is at least {}",
                SHORTEST_INTERVAL.as_millis()
            )));
        }
        if longest > LONGEST_POLL || longest < interval {
            return Err(of_poll(format!(
                "`max_s` is at least one interval and at most {}",
                LONGEST_POLL.as_secs()
            )));
        }
        Ok(Self(Poll {
            request: RequestTemplate::parse(keys.request()).map_err(of_poll)?,
            captures: keys.capture,
            done: keys.done,
            failed: keys.failed,
            interval,
            longest,
        }))
    }
}

request_keys! {
    struct ContinueKeys {}
}

/// `[tool.pagination.continue]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "ContinueKeys")]
pub(crate) struct ContinueFile(pub(crate) RequestTemplate);

impl TryFrom<ContinueKeys> for ContinueFile {
    type Error = String;

    fn try_from(mut keys: ContinueKeys) -> Result<Self, String> {
        RequestTemplate::parse(keys.request())
            .map(Self)
            .map_err(|problem| format!("`pagination.continue`: {problem}"))
    }
}
