//! Contract fixtures: what a tool sends and how it reads what comes back, held against pairs of requests and replies.
//!
//! Owns the form of a fixture, its replay and what it proves. Refuses to know where fixtures are kept and the network: a
//! replay renders and reads with the very code of a call, and nothing is sent. What is proven depends on where the replies
//! come from, so every fixture says it, and only [`Evidence::Documented`] counts as evidence about a provider.

mod coverage;
mod differences;
mod exchange;
mod fixture;

use serde_json::{Map, Value, json};

pub use coverage::{missing_fixtures, unfilled_picks};
pub use fixture::{Evidence, FixtureFile};

use self::differences::{differences, member_differences};
use self::exchange::{shown, with_listed_headers};
use self::fixture::{Fixture, Subject};
use super::{Catalogue, Problem, Reply};

/// What a replay found.
#[derive(Debug)]
pub struct Replayed {
    /// Everything that is not as the fixture says.
    pub problems: Vec<Problem>,
    /// Where its replies come from; none when the fixture could not be read.
    pub evidence: Option<Evidence>,
    /// The fixture with what it had left out, if it had left something out.
    pub completed: Option<String>,
    /// What it had left out, by place.
    pub left_out: Vec<String>,
    /// The tool and its output, when a tool was called and succeeded.
    pub output: Option<(String, Value)>,
}

/// Replays one fixture.
#[must_use]
pub fn replay(catalogue: &Catalogue, file: &FixtureFile) -> Replayed {
    let mut replayed = Replayed {
        problems: Vec::new(),
        evidence: None,
        completed: None,
        left_out: Vec::new(),
        output: None,
    };
    let fixture = match Fixture::parse(file) {
        Ok(fixture) => fixture,
        Err(problem) => {
            replayed.problems.push(problem);
            return replayed;
        }
    };
    replayed.evidence = Some(fixture.evidence);
    match Replay::of(catalogue, file, &fixture) {
        Ok(replay) => replay.report(&mut replayed),
        Err(problem) => replayed.problems.push(problem),
    }
    replayed
}

/// A fixture that was played to its end.
struct Replay<'f> {
    /// The tool that was called; none for the account call.
    tool: Option<String>,
    file: &'f FixtureFile,
    fixture: &'f Fixture,
    /// What was sent, in the form of a fixture.
    sent: Vec<Value>,
    /// `output`, `output_text` or `refusal`, and what it is.
    outcome: (&'static str, Value),
}

impl<'f> Replay<'f> {
    fn of(
        catalogue: &Catalogue,
        file: &'f FixtureFile,
        fixture: &'f Fixture,
    ) -> Result<Self, Problem> {
        let subject = Subject::find(catalogue, file, fixture)?;
        let variables = subject.variables(file, fixture)?;
        let mut exchanges = fixture.exchanges.iter();
        let mut sent = Vec::new();
        let outcome = subject.play(&variables, fixture, &mut |request| {
            sent.push(shown(request));
            let exchange = exchanges.next().ok_or_else(|| {
                format!(
                    "a further request is sent, for which there is no exchange: {} {}",
                    request.method(),
                    request.uri()
                )
            })?;
            exchange.response()
        });
        let outcome = outcome.map_err(|message| {
            file.problem(
                "exchanges",
                message,
                "add or correct the exchange, the arguments or the provider file",
            )
        })?;
        Ok(Self {
            tool: subject.tool().map(str::to_owned),
            file,
            fixture,
            sent,
            outcome,
        })
    }

    /// Says what differs, and fills in what was left out.
    fn report(self, replayed: &mut Replayed) {
        let mut completed = self.fixture.whole.clone();
        let mut left_out = Vec::new();
        let mut found = self.requests(&mut completed, &mut left_out);
        found.extend(self.ending(&mut completed, &mut left_out));
        if let Some(line) = self.wrong_kind() {
            found.push(("refusal".to_owned(), line));
        }
        let problems = found
            .into_iter()
            .map(|(place, line)| self.file.problem(&place, line, &remedy(&place)));
        replayed.problems.extend(problems);
        if !left_out.is_empty() {
            replayed.completed = Some(pretty(&completed));
        }
        replayed.left_out = left_out;
        if let (Some(tool), ("output", output)) = (self.tool, self.outcome) {
            replayed.output = Some((tool, output));
        }
    }

    /// What was sent, held against the fixture: a line for each difference, with its place.
    fn requests(
        &self,
        completed: &mut Map<String, Value>,
        left_out: &mut Vec<String>,
    ) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let (sent, there) = (self.sent.len(), self.fixture.exchanges.len());
        if sent != there {
            found.push((
                "exchanges".to_owned(),
                format!("{sent} requests are sent, and the fixture has {there}"),
            ));
        }
        for (index, (exchange, sent)) in self.fixture.exchanges.iter().zip(&self.sent).enumerate() {
            let place = format!("exchanges.{index}.request");
            if let Some(expected) = &exchange.request {
                let sent = with_listed_headers(sent, expected);
                let lines = differences(expected, &sent);
                found.extend(lines.into_iter().map(|line| (place.clone(), line)));
            } else {
                left_out.push(place);
                put_request(completed, index, sent.clone());
            }
        }
        found
    }

    /// How the call ended, in the same way.
    fn ending(
        &self,
        completed: &mut Map<String, Value>,
        left_out: &mut Vec<String>,
    ) -> Vec<(String, String)> {
        let (key, outcome) = &self.outcome;
        match self.fixture.outcome() {
            Some((expected_key, expected)) if expected_key == *key => {
                let lines = if *key == "refusal" {
                    left_out.extend(complete_refusal(completed, outcome));
                    member_differences(expected, outcome)
                } else {
                    differences(expected, outcome)
                };
                lines
                    .into_iter()
                    .map(|line| ((*key).to_owned(), line))
                    .collect()
            }
            Some((expected_key, _)) => vec![(
                expected_key.to_owned(),
                format!("the call ends with `{key}`: {}", short(outcome)),
            )],
            None => {
                left_out.push((*key).to_owned());
                completed.insert((*key).to_owned(), outcome.clone());
                Vec::new()
            }
        }
    }

    /// A fixture that is named after a kind of refusal must end with that kind.
    fn wrong_kind(&self) -> Option<String> {
        let named = self.file.error_kind()?;
        let (key, outcome) = &self.outcome;
        let found = outcome.get("kind").and_then(Value::as_str);
        let fits = *key == "refusal" && found == Some(named);
        (!fits).then(|| {
            format!(
                "the name of the file promises `{named}`, and the call ends with `{key}`: {}",
                short(outcome)
            )
        })
    }
}

/// The outcome of a call in the form of a fixture.
fn outcome_of(reply: Reply) -> (&'static str, Value) {
    match reply {
        Reply::Success(output) => match output.structured {
            Some(value) => ("output", value),
            None => match serde_json::from_str(&output.text) {
                Ok(value @ (Value::Object(_) | Value::Array(_))) => ("output", value),
                _ => ("output_text", json!(output.text)),
            },
        },
        Reply::Refused(refusal) => {
            let mut shown = Map::new();
            shown.insert("kind".to_owned(), json!(refusal.kind));
            shown.insert("message".to_owned(), json!(refusal.message));
            if let Some(pause) = refusal.retry_after {
                shown.insert("retry_after_s".to_owned(), json!(pause.as_secs()));
            }
            ("refusal", shown.into())
        }
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

fn short(value: &Value) -> String {
    super::plain_text::plain_text(&value.to_string(), 300)
}

#[cfg(test)]
mod tests;
