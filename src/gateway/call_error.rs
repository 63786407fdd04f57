//! Why a call gave no result.

use std::time::Duration;

use super::{ConnectLink, Fault, WhichAccount};
use crate::catalogue::{Refusal, RefusalKind, TenantChoice, WhichTenant};

/// Why a call gave no result, by what the caller can do next.
#[derive(Debug)]
pub enum CallError {
    /// No such tool. The sentence says what to do.
    UnknownTool(String),
    /// The arguments break the tool's schema; names every problem.
    InvalidArguments(String),
    /// The caller's person has narrowed what this agent may do, and this lies outside. The sentence says to what, and who can
    /// change it.
    Narrowed(String),
    /// The caller is nobody any more: revoked, expired or stopped while it waited.
    NotLetIn,
    /// The service has no client registration here. The sentence names who can change that.
    NotConfigured(String),
    /// The person has several accounts there, and it is not clear which one is meant.
    WhichAccount {
        /// The service's name.
        service: String,
        /// What is unclear, and the choices.
        which: WhichAccount,
        /// What is unclear, the choices, and what to do.
        sentence: String,
    },
    /// The connection reaches several tenants, and it is not clear which one is meant.
    WhichTenant {
        /// The service's name.
        service: String,
        /// The argument that says it.
        argument: String,
        /// What the call says, and the choices.
        which: WhichTenant,
    },
    /// The person must open a link first.
    ConnectFirst(Box<ConnectLink>),
    /// The provider answered, and refused.
    Refused {
        /// The service's name.
        service: String,
        /// What it said.
        refusal: Refusal,
    },
    /// The provider could not be asked, or its answer not be read.
    Unreachable {
        /// The service's name.
        service: String,
        /// What happened, without addresses or secrets.
        message: String,
        /// The request may have taken effect.
        may_have_happened: bool,
    },
    /// The credential has to be renewed, and the provider does not do it now. Nothing was sent; the connection stays.
    Delayed {
        /// The service's name.
        service: String,
        /// When it makes sense to call again.
        wait: Duration,
    },
    /// The provider refused the credential before it did anything; it is renewed by now. The call is not one to be
    /// repeated unasked.
    RunAgain {
        /// The service's name.
        service: String,
    },
    /// A part of the call has taken effect, and then something came in between. Running it again would do that part twice.
    HalfDone {
        /// What has happened, in a sentence or more.
        done: String,
        /// What came in between.
        error: Box<CallError>,
    },
    /// Something failed on our side.
    Fault(Fault),
}

/// To an agent that is nobody any more, where it has been somebody.
const NOT_LET_IN: &str = "This agent is not let in any more: its token was revoked or has expired, or its person has stopped \
    their agents. `attache agents` says which, and `attache agents resume` lets stopped agents in again.";

impl CallError {
    /// What happened and what to do, for whoever reads it. A fault is told without its cause.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::UnknownTool(sentence)
            | Self::InvalidArguments(sentence)
            | Self::NotConfigured(sentence)
            | Self::Narrowed(sentence)
            | Self::WhichAccount { sentence, .. } => sentence.clone(),
            Self::NotLetIn => NOT_LET_IN.to_owned(),
            Self::WhichTenant {
                service,
                argument,
                which,
            } => which_tenant(service, argument, which),
            Self::ConnectFirst(link) => link.sentence.clone(),
            Self::Refused { service, refusal } => {
                let said = format!("{service} refused: {}", refusal.message);
                match next_step(service, refusal) {
                    Some(next) => format!("{} {next}", ended(said)),
                    None => said,
                }
            }
            Self::Unreachable {
                service,
                message,
                may_have_happened,
            } => {
                let advice = if *may_have_happened {
                    "It is not known whether the request took effect: check before you run it again."
                } else {
                    "Nothing was changed; try again in a moment."
                };
                format!("{service} could not be reached: {message}. {advice}")
            }
            Self::Delayed { service, wait } => format!(
                "{service} does not renew the connection at the moment, so this did not run. The connection stays: try \
                 again in {} seconds.",
                wait.as_secs().max(1)
            ),
            Self::RunAgain { service } => format!(
                "{service} no longer accepted the connection's access token and has not run this. The token has been \
                 renewed: run the same call again."
            ),
            Self::HalfDone { done, error } => format!(
                "{done} What was to follow did not: {} Check what is there before you run the same call again: it would \
                 begin anew.",
                error.rest()
            ),
            Self::Fault(fault) => fault.sentence().to_owned(),
        }
    }

    /// What happened, for whoever knows already that the call is half done: no word of that nothing has happened.
    fn rest(&self) -> String {
        match self {
            Self::Unreachable {
                service,
                message,
                may_have_happened,
            } => {
                let known = if *may_have_happened {
                    " It is not known whether that part took effect."
                } else {
                    ""
                };
                format!("{service} could not be reached: {message}.{known}")
            }
            Self::RunAgain { service } => format!(
                "{service} no longer accepted the connection's access token. It has been renewed by now."
            ),
            Self::Delayed { service, wait } => format!(
                "{service} does not renew the connection at the moment; it may in {} seconds.",
                wait.as_secs().max(1)
            ),
            other => ended(other.sentence()),
        }
    }

    /// The same error, with what has taken effect before it.
    pub(super) fn after(self, done: Option<String>) -> Self {
        match done {
            Some(done) => Self::HalfDone {
                done,
                error: Box::new(self),
            },
            None => self,
        }
    }
}

fn which_tenant(service: &str, argument: &str, which: &WhichTenant) -> String {
    let choices = which.choices.iter().map(|one| {
        let TenantChoice { id, label } = one;
        if id == label {
            format!("{id:?}")
        } else {
            format!("{label:?} ({id})")
        }
    });
    let choices = choices.collect::<Vec<_>>().join(", ");
    match &which.said {
        None => format!(
            "The connected account reaches several of {service}: {choices}. Say which one is meant with the argument \
             `{argument}`: its name or its id."
        ),
        Some(said) => format!(
            "{said:?} names not exactly one that the connected account reaches at {service}. There are: {choices}. Say one \
             of them with the argument `{argument}`: its name or its id. One that is not listed may have been added since: \
             connect the account again."
        ),
    }
}

/// A sentence with its full stop: another one follows.
fn ended(mut sentence: String) -> String {
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

/// What can be done after a refusal, as one more sentence; none where the provider's own words must do.
fn next_step(service: &str, refusal: &Refusal) -> Option<String> {
    if let Some(wait) = refusal.retry_after {
        return Some(match wait.as_secs() {
            0 => "Try again now.".to_owned(),
            1 => "Try again in 1 second.".to_owned(),
            seconds => format!("Try again in {seconds} seconds."),
        });
    }
    match refusal.kind {
        RefusalKind::Forbidden => Some(format!(
            "The connected account may not do this at {service}, and connecting again does not change that: somebody who \
             may has to do it or to allow it."
        )),
        RefusalKind::RateLimited => Some(format!(
            "There were too many calls, and {service} does not say when it takes more: wait a minute, or longer if it \
             refuses again."
        )),
        RefusalKind::Retryable => Some("The same call may work in a moment.".to_owned()),
        _ => None,
    }
}

impl From<Fault> for CallError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(kind: RefusalKind, message: &str, wait: Option<u64>) -> String {
        let refusal = Refusal {
            kind,
            status: 429,
            message: message.to_owned(),
            retry_after: wait.map(Duration::from_secs),
        };
        let service = "Notes".to_owned();
        CallError::Refused { service, refusal }.sentence()
    }

    #[test]
    fn too_many_calls_are_a_sentence_with_and_without_a_time() {
        let limited = |message, wait| sentence(RefusalKind::RateLimited, message, wait);
        let no_time = "There were too many calls, and Notes does not say when it takes more: wait a minute, or longer if it \
                       refuses again.";
        for (message, wait, expected) in [
            (
                "Slow down",
                Some(30),
                "Notes refused: Slow down. Try again in 30 seconds.".to_owned(),
            ),
            (
                "Slow down.",
                Some(1),
                "Notes refused: Slow down. Try again in 1 second.".to_owned(),
            ),
            (
                "Slow down!",
                Some(0),
                "Notes refused: Slow down! Try again now.".to_owned(),
            ),
            (
                "Slow down",
                None,
                format!("Notes refused: Slow down. {no_time}"),
            ),
            (
                "the provider answered 429 Too Many Requests",
                None,
                format!("Notes refused: the provider answered 429 Too Many Requests. {no_time}"),
            ),
        ] {
            assert_eq!(limited(message, wait), expected);
        }
        assert_eq!(
            sentence(RefusalKind::NotFound, "gone", None),
            "Notes refused: gone",
            "the provider's words as they are"
        );
    }
}
