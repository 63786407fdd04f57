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
                let next = next_step(service, refusal);
                format!("{service} refused: {}{next}", refusal.message)
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
            other => {
                let sentence = other.sentence();
                let end = if sentence.ends_with(['.', '!', '?']) {
                    ""
                } else {
                    "."
                };
                format!("{sentence}{end}")
            }
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

/// What can be done after a refusal, as one more sentence; nothing where the provider's own words must do.
fn next_step(service: &str, refusal: &Refusal) -> String {
    if let Some(wait) = refusal.retry_after {
        return format!(" Try again in {} seconds.", wait.as_secs());
    }
    match refusal.kind {
        RefusalKind::Forbidden => format!(
            " The connected account may not do this at {service}, and connecting again does not change that: somebody who \
             may has to do it or to allow it."
        ),
        RefusalKind::RateLimited => " There were too many calls: try again later.".to_owned(),
        RefusalKind::Retryable => " The same call may work in a moment.".to_owned(),
        _ => String::new(),
    }
}

impl From<Fault> for CallError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
