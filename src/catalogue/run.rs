//! One call of a tool from its first request to its answer: steps, the tool's own request, its items, its polls.
//!
//! Owns what is sent next and what an answer means. Refuses to know the network, the credential and the clock: whoever
//! drives a run sends what it is given, waits as long as it is told to, and brings back what came.
//!
//! Architecture invariants. A run ends: it has at most [`MOST_STEPS`](super::step::MOST_STEPS) steps, one request of its
//! own, [`MOST_ITEMS`](super::expand::MOST_ITEMS) items and as many polls as fit into the time of its file; what was
//! refused over its token is sent again at most once. Every request of it is a template of the file under one of the
//! provider's own addresses: nothing that a provider answers is ever an address.

use std::collections::VecDeque;
use std::time::Duration;

use http::{Request, Response};
use serde_json::Value;

use super::capture::CaptureError;
use super::expand::{Expand, Expansion};
use super::pagination::{Cursor, Page};
use super::places::WithItem;
use super::plain_text::plain_text;
use super::poll::{Poll, Progress};
use super::reply::ReplyScope;
use super::request::RequestTemplate;
use super::scope::RunScope;
use super::step::Step;
use super::wanted::read_whole;
use super::{RedirectRule, Refusal, RefusalKind, RenderError, Reply, Tool, Variables};

/// One call of a tool, from its first request to its answer.
pub struct Run<'t> {
    tool: &'t Tool,
    variables: Variables,
    scope: RunScope<'t>,
    /// Where in a list the caller goes on from; none on the first page.
    cursor: Option<Cursor>,
    /// The same for every request of the call.
    unique: String,
    stage: Stage,
    /// What is to be sent now.
    queue: VecDeque<(Part, Request<Vec<u8>>)>,
    /// What was sent and not answered yet.
    under_way: Vec<Part>,
    /// What was refused over its token, and can be sent again.
    refused: Vec<Part>,
    has_repeated: bool,
    /// What steps have changed at the provider, each a sentence.
    done: Vec<String>,
    /// That the tool's own request was accepted, while it is asked whether it is finished.
    begun: Option<String>,
    expansion: Option<Expansion>,
    /// How long was waited in all.
    waited: Duration,
    /// The status of the last reply.
    status: u16,
}

/// How far a run is.
#[derive(Debug)]
enum Stage {
    /// Requests are sent or under way.
    Asking,
    /// Nothing is to be done before this time has passed.
    Waiting(Duration),
    /// It is over.
    Over(Option<Reply>),
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Step(usize),
    Own,
    Item(usize),
    Poll,
}

/// What to do next.
#[derive(Debug)]
pub enum Next<'t> {
    /// Send these, no more than so many at once, and bring the answers in any order.
    Send(Vec<Outgoing<'t>>, usize),
    /// Wait, then ask again.
    Wait(Duration),
    /// Nothing: this is the answer.
    Done(Reply),
}

/// A request on its way out, without any credential.
#[derive(Debug)]
pub struct Outgoing<'t> {
    /// Which one it is, for its answer.
    pub id: OutgoingId,
    /// The request.
    pub request: Request<Vec<u8>>,
    /// Where it may be sent on to.
    pub redirect: Option<&'t RedirectRule>,
    /// It changes nothing at the provider, whatever becomes of it.
    pub read_only: bool,
    /// Sending it twice does no more than sending it once.
    pub repeatable: bool,
}

/// Which request an answer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutgoingId(Part);

/// What came back for a request.
#[derive(Debug)]
pub struct Answer {
    /// Which request it belongs to.
    pub to: OutgoingId,
    /// The whole reply.
    pub response: Response<Vec<u8>>,
}

impl<'t> Run<'t> {
    /// Begins a call. The arguments are checked already.
    ///
    /// # Errors
    /// When the first request cannot be written.
    pub(super) fn begin(
        tool: &'t Tool,
        variables: Variables,
        scope: RunScope<'t>,
        cursor: Option<Cursor>,
        unique: String,
    ) -> Result<Self, RenderError> {
        let mut run = Self {
            tool,
            variables,
            scope,
            cursor,
            unique,
            stage: Stage::Asking,
            queue: VecDeque::new(),
            under_way: Vec::new(),
            refused: Vec::new(),
            has_repeated: false,
            done: Vec::new(),
            begun: None,
            expansion: None,
            waited: Duration::ZERO,
            status: 0,
        };
        run.go_on(0)?;
        Ok(run)
    }

    /// What to do next. To be asked again once that is done.
    #[expect(
        clippy::should_implement_trait,
        reason = "a run is answered between two steps, so it is no iterator"
    )]
    pub fn next(&mut self) -> Next<'t> {
        match &mut self.stage {
            Stage::Waiting(wait) => {
                let wait = *wait;
                self.stage = Stage::Asking;
                Next::Wait(wait)
            }
            Stage::Asking if self.queue.is_empty() => {
                self.refuse(RefusalKind::Other, "a request was left without an answer");
                self.next()
            }
            Stage::Asking => {
                let requests: Vec<_> = self.queue.drain(..).collect();
                let outgoing = requests
                    .into_iter()
                    .map(|(part, request)| self.outgoing(part, request))
                    .collect();
                Next::Send(outgoing, self.at_once())
            }
            Stage::Over(reply) => Next::Done(reply.take().unwrap_or_else(|| {
                Reply::Refused(Refusal {
                    kind: RefusalKind::Other,
                    status: self.status,
                    message: "the call is over".to_owned(),
                    retry_after: None,
                })
            })),
        }
    }

    /// Takes in what came back: every answer, or as many as there are. An answer to nothing that was asked is ignored.
    pub fn answer(&mut self, answers: Vec<Answer>) {
        for Answer { to, response } in answers {
            if !matches!(self.stage, Stage::Asking) {
                break;
            }
            let Some(at) = self.under_way.iter().position(|part| *part == to.0) else {
                continue;
            };
            self.under_way.swap_remove(at);
            self.status = response.status().as_u16();
            let taken = match to.0 {
                Part::Step(index) => self.step_answered(index, &response),
                Part::Own => self.own_answered(&response),
                Part::Item(index) => {
                    self.item_answered(index, &response);
                    Ok(())
                }
                Part::Poll => self.poll_answered(&response),
            };
            if let Err(error) = taken {
                self.refuse(RefusalKind::Invalid, error.to_string());
            }
        }
    }

    /// Whether nothing more is to be sent, so that answers that are still awaited are of no use.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over(_))
    }

    /// Goes back to before the requests that were refused over their token, so that they are sent once more. False, and
    /// nothing changes, when one of them is not to be repeated, or when that has been done once already.
    pub fn repeat(&mut self) -> bool {
        let is_possible = !self.has_repeated
            && !self.refused.is_empty()
            && self.refused.iter().all(|part| self.is_repeatable(*part));
        if !is_possible {
            return false;
        }
        self.has_repeated = true;
        self.stage = Stage::Asking;
        for part in std::mem::take(&mut self.refused) {
            if let Err(error) = self.ask(part) {
                self.refuse(RefusalKind::Invalid, error.to_string());
            }
        }
        true
    }

    /// What this call has changed at the provider so far, in a sentence or more; nothing when it has changed nothing for
    /// certain. To be said in front of whatever ends the call early.
    #[must_use]
    pub fn done_so_far(&self) -> Option<String> {
        let sentences: Vec<&str> = self
            .done
            .iter()
            .chain(&self.begun)
            .map(String::as_str)
            .collect();
        (!sentences.is_empty()).then(|| sentences.join(" "))
    }

    /// On to the first step from here that is needed, or to the tool's own request.
    fn go_on(&mut self, from: usize) -> Result<(), RenderError> {
        let needed = self.tool.steps[from..]
            .iter()
            .position(|step| step.when.fits(&self.scope));
        match needed {
            Some(index) => self.ask(Part::Step(from + index)),
            None => self.ask(Part::Own),
        }
    }

    /// Writes a request and puts it in the queue.
    fn ask(&mut self, part: Part) -> Result<(), RenderError> {
        let request = self.render(part)?;
        self.queue.push_back((part, request));
        Ok(())
    }

    /// What the tool's own reply is read with.
    fn reply_scope(&self) -> ReplyScope<'_> {
        ReplyScope {
            places: &self.scope,
            page: self.tool.pagination.as_ref().map(|pagination| Page {
                tool: self.tool.name(),
                pagination,
                sent: self.cursor.as_ref(),
            }),
        }
    }

    fn render(&self, part: Part) -> Result<Request<Vec<u8>>, RenderError> {
        let template = self.template(part);
        if let (Part::Item(index), Some(expansion)) = (part, &self.expansion) {
            let places = WithItem {
                outside: &self.scope,
                item: expansion.items().get(index).unwrap_or(&Value::Null),
            };
            template.render(&self.variables, &places, &self.unique)
        } else {
            let mut request = template.render(&self.variables, &self.scope, &self.unique)?;
            if let (Part::Own, Some(cursor)) = (part, &self.cursor) {
                cursor.turn(&mut request)?;
            }
            Ok(request)
        }
    }

    fn template(&self, part: Part) -> &'t RequestTemplate {
        let tool = self.tool;
        match part {
            Part::Step(index) => &tool.steps[index].request,
            Part::Own => self.going_on().unwrap_or(&tool.request),
            Part::Item(_) => tool.expand.as_ref().map_or(&tool.request, |to| &to.request),
            Part::Poll => tool.poll.as_ref().map_or(&tool.request, |to| &to.request),
        }
    }

    /// The request of a later page, where that is another one.
    fn going_on(&self) -> Option<&'t RequestTemplate> {
        let pages = self.tool.pagination.as_ref()?;
        pages.going_on.as_ref().filter(|_| self.cursor.is_some())
    }

    fn outgoing(&mut self, part: Part, request: Request<Vec<u8>>) -> Outgoing<'t> {
        self.under_way.push(part);
        Outgoing {
            id: OutgoingId(part),
            request,
            redirect: self.template(part).redirect.as_ref(),
            read_only: self.is_read_only(part),
            repeatable: self.is_repeatable(part),
        }
    }

    fn at_once(&self) -> usize {
        let expand = self.expansion.as_ref().and(self.tool.expand.as_ref());
        expand.map_or(1, |expand| expand.concurrency)
    }

    fn is_read_only(&self, part: Part) -> bool {
        match part {
            Part::Step(index) => self.tool.steps[index].read_only,
            Part::Own => self.tool.hints.read_only || self.template(part).method.is_safe(),
            Part::Item(_) | Part::Poll => true,
        }
    }

    fn is_repeatable(&self, part: Part) -> bool {
        self.is_read_only(part)
            || self.tool.hints.idempotent
            || self.template(part).idempotency_header.is_some()
    }

    fn step_answered(
        &mut self,
        index: usize,
        response: &Response<Vec<u8>>,
    ) -> Result<(), RenderError> {
        let step = &self.tool.steps[index];
        if let Some(shape) = &step.answers {
            let scope = ReplyScope {
                places: &self.scope,
                page: None,
            };
            let reply = shape.read(response, &self.tool.errors, scope);
            self.finish(Part::Step(index), reply);
            return Ok(());
        }
        if let Some(refusal) = self.tool.errors.refusal(response) {
            self.finish(Part::Step(index), Reply::Refused(refusal));
            return Ok(());
        }
        let body = body_of(response);
        let Ok(data) = step.request.data_of(&body) else {
            self.refuse(RefusalKind::Other, NOT_DONE);
            return Ok(());
        };
        let found = step.captures.read(data, &self.scope);
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                self.note_done(step);
                return self.not_captured(error, step.missing.as_deref(), &step.id);
            }
        };
        self.scope.add(found);
        self.note_done(step);
        self.go_on(index + 1)
    }

    fn own_answered(&mut self, response: &Response<Vec<u8>>) -> Result<(), RenderError> {
        let tool = self.tool;
        let goes_on = tool.expand.is_some() || tool.poll.is_some();
        if !goes_on || tool.errors.refusal(response).is_some() {
            let reply = tool.reply.read(response, &tool.errors, self.reply_scope());
            self.finish(Part::Own, reply);
            return Ok(());
        }
        match (&tool.expand, &tool.poll) {
            (Some(expand), _) => {
                self.expand(expand, response);
                Ok(())
            }
            (None, Some(poll)) => self.begin_to_poll(poll, response),
            (None, None) => Ok(()),
        }
    }

    /// Asks for the items of a list, if it has any that can be asked for.
    fn expand(&mut self, expand: &Expand, response: &Response<Vec<u8>>) {
        let over = self.template(Part::Own).path_in_data(&expand.over);
        let Some(expansion) = Expansion::new(response, over) else {
            let tool = self.tool;
            let reply = tool.reply.read(response, &tool.errors, self.reply_scope());
            self.finish(Part::Own, reply);
            return;
        };
        let asked = expansion.items().len().min(expand.max);
        self.expansion = Some(expansion);
        for index in 0..asked {
            // An item that does not say what its request needs stays as it is.
            if let Ok(request) = self.render(Part::Item(index)) {
                self.queue.push_back((Part::Item(index), request));
            }
        }
        self.finish_expansion();
    }

    fn item_answered(&mut self, index: usize, response: &Response<Vec<u8>>) {
        match self.tool.errors.refusal(response) {
            None => {
                if let Some(expansion) = &mut self.expansion {
                    expansion.put(index, response.body());
                }
            }
            // It went away since the list was made.
            Some(refusal) if refusal.kind == RefusalKind::NotFound => {}
            Some(refusal) => {
                self.finish(Part::Item(index), Reply::Refused(refusal));
                return;
            }
        }
        self.finish_expansion();
    }

    /// Reads the changed list once every item is there.
    fn finish_expansion(&mut self) {
        if !self.queue.is_empty() || !self.under_way.is_empty() {
            return;
        }
        let Some(expansion) = self.expansion.take() else {
            return;
        };
        let shape = &self.tool.reply;
        let reply = shape.read_changed(&expansion.reply, &expansion.body, self.reply_scope());
        self.finish(Part::Own, reply);
    }

    fn begin_to_poll(
        &mut self,
        poll: &'t Poll,
        response: &Response<Vec<u8>>,
    ) -> Result<(), RenderError> {
        self.begun = Some("The provider has accepted it.".to_owned());
        let body = body_of(response);
        let Ok(data) = self.template(Part::Own).data_of(&body) else {
            self.begun = None;
            self.refuse(RefusalKind::Other, NOT_DONE);
            return Ok(());
        };
        match poll.captures.read(data, &self.scope) {
            Ok(found) => {
                let said: Vec<String> = found
                    .iter()
                    .map(|(name, value)| said(name, value))
                    .collect();
                if !said.is_empty() {
                    self.begun = Some(format!(
                        "The provider has accepted it ({}).",
                        said.join(", ")
                    ));
                }
                self.scope.add(found);
            }
            Err(error) => return self.not_captured(error, None, "poll"),
        }
        self.wait_for(poll, None)
    }

    fn poll_answered(&mut self, response: &Response<Vec<u8>>) -> Result<(), RenderError> {
        let tool = self.tool;
        let Some(poll) = &tool.poll else {
            return Ok(());
        };
        if let Some(refusal) = tool.errors.refusal(response) {
            return match refusal.kind {
                // Asking was too early or went wrong; what was begun goes on.
                RefusalKind::RateLimited | RefusalKind::Retryable => {
                    self.wait_for(poll, refusal.retry_after)
                }
                _ => {
                    self.finish(Part::Poll, Reply::Refused(refusal));
                    Ok(())
                }
            };
        }
        let body = body_of(response);
        let data = poll.request.data_of(&body).unwrap_or(&Value::Null);
        match poll.progress(data) {
            Progress::Pending => self.wait_for(poll, None),
            Progress::Failed => {
                let words = tool.errors.plain_words(&body);
                let because = words.map_or_else(String::new, |words| format!(": {words}"));
                self.refuse(
                    RefusalKind::Other,
                    format!("the provider says that it has failed{because}"),
                );
                Ok(())
            }
            Progress::Done => {
                let reply = tool.reply.read(response, &tool.errors, self.reply_scope());
                self.finish(Part::Poll, reply);
                Ok(())
            }
        }
    }

    /// Asks again later, unless it has taken too long already.
    fn wait_for(&mut self, poll: &Poll, asked: Option<Duration>) -> Result<(), RenderError> {
        let Some(wait) = poll.next_wait(self.waited, asked) else {
            self.refuse(
                RefusalKind::Other,
                format!(
                    "it was not finished after {} seconds and goes on at the provider: look there before you run it again",
                    self.waited.as_secs().max(1)
                ),
            );
            return Ok(());
        };
        self.waited += wait;
        self.ask(Part::Poll)?;
        self.stage = Stage::Waiting(wait);
        Ok(())
    }

    fn not_captured(
        &mut self,
        error: CaptureError,
        missing: Option<&str>,
        id: &str,
    ) -> Result<(), RenderError> {
        match error {
            CaptureError::Unreadable(error) => Err(error),
            CaptureError::Missing(name) => {
                let message = missing.map_or_else(
                    || format!("the reply to `{id}` has no `{name}`, which the next request needs"),
                    str::to_owned,
                );
                self.refuse(RefusalKind::NotFound, message);
                Ok(())
            }
        }
    }

    fn note_done(&mut self, step: &Step) {
        let done = step.done.as_ref().map(|done| done.render(&self.scope));
        self.done.extend(done);
    }

    /// Ends the run with what a part of it was answered. What was refused over its token is kept for a repetition.
    fn finish(&mut self, part: Part, reply: Reply) {
        let left = self.queue.drain(..).map(|(part, _)| part);
        let unanswered = self.under_way.drain(..).chain(left);
        self.refused = match &reply {
            Reply::Refused(refusal) if refusal.kind == RefusalKind::TokenInvalid => {
                std::iter::once(part).chain(unanswered).collect()
            }
            _ => Vec::new(),
        };
        self.stage = Stage::Over(Some(reply));
    }

    /// Ends the run with a refusal of our own.
    fn refuse(&mut self, kind: RefusalKind, message: impl Into<String>) {
        self.queue.clear();
        self.under_way.clear();
        self.refused.clear();
        self.stage = Stage::Over(Some(Reply::Refused(Refusal {
            kind,
            status: self.status,
            message: message.into(),
            retry_after: None,
        })));
    }
}

const NOT_DONE: &str = "the provider says that it was not done, and not why";

/// The body as a value; what is no JSON has no fields.
fn body_of(response: &Response<Vec<u8>>) -> Value {
    read_whole(response.body()).unwrap_or(Value::Null)
}

/// A captured value in one harmless line.
fn said(name: &str, value: &Value) -> String {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    format!("{name}: {}", plain_text(&text, 120))
}

#[cfg(test)]
mod tests;
