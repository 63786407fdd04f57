//! Contract fixtures: what a tool sends and how it reads what comes back, held against pairs of requests and replies.
//!
//! Owns the form of a fixture, its replay and what it proves. Refuses to know where fixtures are kept and the network: a
//! replay renders and reads with the very code of a call, and nothing is sent. What is proven depends on where the replies
//! come from, so every fixture says it, and only [`Evidence::Documented`] counts as evidence about a provider.

mod contract;
mod coverage;
mod differences;
mod ending;
mod exchange;
mod fixture;

use serde_json::Value;

pub use contract::{Contract, Played};
pub use coverage::{missing_fixtures, unfilled_picks};
pub use ending::Ending;
pub use fixture::{Evidence, FixtureFile};

use self::fixture::Fixture;
use super::{Catalogue, Problem};

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
    let played = Contract::of(catalogue, file, fixture).and_then(|contract| {
        let mut played = Played::default();
        let ending = contract.play(&mut played)?;
        Ok((contract, played, ending))
    });
    match played {
        Ok((contract, played, ending)) => {
            let requests = contract.problems_of_requests(&played);
            replayed.problems.extend(requests);
            let problems = contract.problems_of_ending(&ending);
            replayed.problems.extend(problems);
            (replayed.completed, replayed.left_out) = contract.completed(&played, &ending);
            let tool = contract.tool().map(|tool| tool.name().to_owned());
            replayed.output = tool.zip(ending.into_output());
        }
        Err(problem) => replayed.problems.push(problem),
    }
    replayed
}

fn short(value: &Value) -> String {
    super::plain_text::plain_text(&value.to_string(), 300)
}

#[cfg(test)]
mod tests;
