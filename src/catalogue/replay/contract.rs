//! A fixture bound to what it is about: what is called, what the provider answers, and how the call must end.

use std::collections::BTreeMap;

use http::{Request, Response};
use serde_json::{Map, Value};

use super::differences::{differences, member_differences};
use super::exchange::{shown, with_listed_headers};
use super::fixture::{Fixture, FixtureFile, Subject};
use super::{Ending, short};
use crate::catalogue::{Answer, Catalogue, Next, Problem, Provider, Tool, Variables};

/// Stands in for what is unique to a call, so that a replay is the same every time.
pub(super) const UNIQUE: &str = "00000000-0000-4000-8000-000000000000";

/// A fixture and what it is about. Whoever has a provider to play asks it for each reply, and whether what was sent and
/// how it ended is as the fixture says.
pub struct Contract<'f> {
    file: &'f FixtureFile,
    fixture: Fixture,
    subject: Subject,
    variables: Variables,
}

/// What was sent so far: for each request the exchange that was played for it, and the request in the form of a fixture.
#[derive(Debug, Default)]
pub struct Played {
    sent: Vec<(usize, Value)>,
}

impl Played {
    /// How many requests were sent.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.sent.len()
    }
}

impl<'f> Contract<'f> {
    /// Reads a fixture.
    ///
    /// # Errors
    /// When it cannot be read, or is about nothing in the catalogue.
    pub fn read(catalogue: &Catalogue, file: &'f FixtureFile) -> Result<Self, Problem> {
        Self::of(catalogue, file, Fixture::parse(file)?)
    }

    pub(super) fn of(
        catalogue: &Catalogue,
        file: &'f FixtureFile,
        fixture: Fixture,
    ) -> Result<Self, Problem> {
        let subject = Subject::find(catalogue, file, &fixture)?;
        let variables = subject.variables(file, &fixture)?;
        Ok(Self {
            file,
            fixture,
            subject,
            variables,
        })
    }

    /// The provider whose connection is used.
    #[must_use]
    pub fn provider(&self) -> &Provider {
        self.subject.provider()
    }

    /// What is called; none where it is the account call.
    #[must_use]
    pub fn tool(&self) -> Option<&Tool> {
        match &self.subject {
            Subject::Account(_) => None,
            Subject::Tool(_, tool) => Some(tool),
        }
    }

    /// The arguments of the call: those of the fixture, or else the example of the tool.
    #[must_use]
    pub fn arguments(&self) -> Map<String, Value> {
        let example = || self.tool().map(Tool::example).cloned();
        let given = self.fixture.keys.arguments.clone();
        given.or_else(example).unwrap_or_default()
    }

    /// The values that the fixture has for the variables of the provider.
    #[must_use]
    pub fn given_variables(&self) -> &BTreeMap<String, String> {
        &self.fixture.keys.variables
    }

    /// What a login is to have captured.
    #[must_use]
    pub fn captured(&self) -> &BTreeMap<String, String> {
        &self.fixture.keys.captured
    }

    fn exchanges(&self) -> usize {
        self.fixture.exchanges.len()
    }

    /// The requests that are to be sent, in the form of fixtures.
    pub fn requests(&self) -> impl Iterator<Item = &Value> {
        let exchanges = self.fixture.exchanges.iter();
        exchanges.filter_map(|exchange| exchange.request.as_ref())
    }

    /// How the call is to end, with the key of the fixture: `output`, `output_text` or `refusal`.
    #[must_use]
    pub fn outcome(&self) -> Option<(&'static str, &Value)> {
        self.fixture.outcome()
    }

    /// The reply to `request`: that of the exchange which is written for it, or of the next one.
    ///
    /// # Errors
    /// When there is no exchange left, or its reply cannot be one.
    pub fn answer(
        &self,
        played: &mut Played,
        request: &Request<Vec<u8>>,
    ) -> Result<Response<Vec<u8>>, String> {
        let sent = shown(request);
        let is_left = |index: &usize| played.sent.iter().all(|(used, _)| used != index);
        let left: Vec<usize> = (0..self.exchanges()).filter(is_left).collect();
        let fits = |index: &&usize| self.request_differences(**index, &sent).is_empty();
        let Some(index) = left.iter().find(fits).or(left.first()).copied() else {
            return Err(format!(
                "a further request is sent, for which there is no exchange: {} {}",
                request.method(),
                request.uri()
            ));
        };
        played.sent.push((index, sent));
        self.fixture.exchanges[index].response()
    }

    /// Where a request is not as the exchange says.
    fn request_differences(&self, index: usize, sent: &Value) -> Vec<String> {
        let expected = self.fixture.exchanges[index].request.as_ref();
        expected.map_or_else(Vec::new, |expected| {
            differences(expected, &with_listed_headers(sent, expected))
        })
    }

    /// Plays the whole call without a network.
    pub(super) fn play(&self, played: &mut Played) -> Result<Ending, Problem> {
        let ending = match &self.subject {
            Subject::Account(provider) => self.play_account(provider, played),
            Subject::Tool(_, tool) => self.play_tool(tool, played),
        };
        ending.map_err(|message| {
            self.file.problem(
                "exchanges",
                message,
                "add or correct the exchange, the arguments or the provider file",
            )
        })
    }

    fn play_account(&self, provider: &Provider, played: &mut Played) -> Result<Ending, String> {
        let request = provider.account_request(&self.variables);
        let request = request.map_err(|error| error.to_string())?;
        let account = provider.read_account(&self.answer(played, &request)?);
        Ok(match account {
            Ok(account) => Ending::of_account(&account),
            Err(refusal) => Ending::of_refusal(&refusal, None),
        })
    }

    fn play_tool(&self, tool: &Tool, played: &mut Played) -> Result<Ending, String> {
        let arguments = self.arguments();
        tool.check(&arguments).map_err(|error| error.to_string())?;
        let run = tool.begin(&self.variables, &arguments, UNIQUE.to_owned());
        let mut run = run.map_err(|error| error.to_string())?;
        loop {
            match run.next() {
                Next::Wait(_) => {}
                Next::Done(reply) => return Ok(Ending::of_reply(reply, run.done_so_far())),
                Next::Send(requests, _) => {
                    for outgoing in requests {
                        let response = self.answer(played, &outgoing.request)?;
                        let to = outgoing.id;
                        run.answer(vec![Answer { to, response }]);
                    }
                }
            }
        }
    }

    /// What was sent, and in which order, where it is not as the fixture says.
    #[must_use]
    pub fn problems_of_requests(&self, played: &Played) -> Vec<Problem> {
        let mut found = Vec::new();
        let (sent, there) = (played.sent.len(), self.exchanges());
        if sent != there {
            found.push((
                "exchanges".to_owned(),
                format!("{sent} requests are sent, and the fixture has {there}"),
            ));
        }
        // The items of a list are asked for at once.
        let has_order = self.tool().is_none_or(|tool| tool.expand.is_none());
        if has_order && !played.sent.is_sorted_by_key(|(index, _)| *index) {
            let order: Vec<_> = played.sent.iter().map(|(index, _)| index).collect();
            found.push((
                "exchanges".to_owned(),
                format!("the requests are sent in another order: {order:?}"),
            ));
        }
        for (index, sent) in &played.sent {
            let lines = self.request_differences(*index, sent);
            let place = format!("exchanges.{index}.request");
            found.extend(lines.into_iter().map(|line| (place.clone(), line)));
        }
        self.problems(found)
    }

    /// Where the call does not end as the fixture says.
    #[must_use]
    pub fn problems_of_ending(&self, ending: &Ending) -> Vec<Problem> {
        let mut found = Vec::new();
        match self.outcome() {
            Some((key, expected)) if key == ending.key => {
                let lines = if key == "refusal" {
                    member_differences(expected, &ending.value)
                } else {
                    differences(expected, &ending.value)
                };
                found.extend(lines.into_iter().map(|line| (key.to_owned(), line)));
            }
            Some((key, _)) => found.push((
                key.to_owned(),
                format!(
                    "the call ends with `{}`: {}",
                    ending.key,
                    short(&ending.value)
                ),
            )),
            None => {}
        }
        if let Some(expected) = &self.fixture.keys.done
            && ending.done.as_ref() != Some(expected)
        {
            let said = ending.done.as_deref().unwrap_or("nothing");
            found.push((
                "done".to_owned(),
                format!("what has happened already is said to be: {said}"),
            ));
        }
        if let Some(line) = self.wrong_kind(ending) {
            found.push(("refusal".to_owned(), line));
        }
        self.problems(found)
    }

    fn problems(&self, found: Vec<(String, String)>) -> Vec<Problem> {
        let found = found.into_iter();
        found
            .map(|(place, line)| self.file.problem(&place, line, &remedy(&place)))
            .collect()
    }

    /// A fixture that is named after a kind of refusal must end with that kind.
    fn wrong_kind(&self, ending: &Ending) -> Option<String> {
        let named = self.file.error_kind()?;
        let found = ending.value.get("kind").and_then(Value::as_str);
        let fits = ending.key == "refusal" && found == Some(named);
        (!fits).then(|| {
            format!(
                "the name of the file promises `{named}`, and the call ends with `{}`: {}",
                ending.key,
                short(&ending.value)
            )
        })
    }

    /// The fixture with what it leaves out, none when it leaves out nothing; and what that was, by place.
    pub(super) fn completed(
        &self,
        played: &Played,
        ending: &Ending,
    ) -> (Option<String>, Vec<String>) {
        let mut whole = self.fixture.whole.clone();
        let mut left_out = Vec::new();
        for (index, sent) in &played.sent {
            if self.fixture.exchanges[*index].request.is_none() {
                left_out.push(format!("exchanges.{index}.request"));
                put_request(&mut whole, *index, sent.clone());
            }
        }
        match self.outcome() {
            Some(("refusal", _)) if ending.key == "refusal" => {
                left_out.extend(complete_refusal(&mut whole, &ending.value));
            }
            Some(_) => {}
            None => {
                left_out.push(ending.key.to_owned());
                whole.insert(ending.key.to_owned(), ending.value.clone());
            }
        }
        if let (None, Some(done)) = (&self.fixture.keys.done, &ending.done) {
            left_out.push("done".to_owned());
            whole.insert("done".to_owned(), done.as_str().into());
        }
        ((!left_out.is_empty()).then(|| pretty(&whole)), left_out)
    }
}

/// What to do about a difference at `place`. What is there is never rewritten, so what is wrong must go first.
fn remedy(place: &str) -> String {
    let part = place.rsplit('.').next().unwrap_or(place);
    let again = match place {
        "exchanges" => String::new(),
        _ => format!(
            "; when what is found now is right, remove `{part}` and run this with --write to have it written again"
        ),
    };
    format!("correct the provider file, or the fixture if it is wrong{again}")
}

/// Fills in which kind of refusal it is and what is said, where a fixture has only a part of it. Gives what it filled in.
fn complete_refusal(completed: &mut Map<String, Value>, outcome: &Value) -> Vec<String> {
    let Some(refusal) = completed.get_mut("refusal").and_then(Value::as_object_mut) else {
        return Vec::new();
    };
    let mut filled = Vec::new();
    for member in ["kind", "message"] {
        if !refusal.contains_key(member)
            && let Some(found) = outcome.get(member)
        {
            refusal.insert(member.to_owned(), found.clone());
            filled.push(format!("refusal.{member}"));
        }
    }
    filled
}

/// Puts a request before the reply of its exchange.
fn put_request(fixture: &mut Map<String, Value>, index: usize, request: Value) {
    let exchange = fixture
        .get_mut("exchanges")
        .and_then(|exchanges| exchanges.get_mut(index));
    if let Some(exchange) = exchange.and_then(Value::as_object_mut) {
        let rest = std::mem::take(exchange);
        exchange.insert("request".to_owned(), request);
        exchange.extend(rest);
    }
}

fn pretty(fixture: &Map<String, Value>) -> String {
    let mut text = serde_json::to_string_pretty(fixture).unwrap_or_default();
    text.push('\n');
    text
}
