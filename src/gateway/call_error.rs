//! Why a call gave no result.

use std::time::Duration;

use super::{ConnectLink, Fault, WhichAccount};
use crate::catalogue::Refusal;

/// Why a call gave no result, by what the caller can do next.
#[derive(Debug)]
pub enum CallError {
    /// No such tool. The sentence says what to do.
    UnknownTool(String),
    /// The arguments break the tool's schema; names every problem.
    InvalidArguments(String),
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
    /// Something failed on our side.
    Fault(Fault),
}

impl CallError {
    /// What happened and what to do, for whoever reads it. A fault is told without its cause.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::UnknownTool(sentence)
            | Self::InvalidArguments(sentence)
            | Self::NotConfigured(sentence)
            | Self::WhichAccount { sentence, .. } => sentence.clone(),
            Self::ConnectFirst(link) => link.sentence.clone(),
            Self::Refused { service, refusal } => {
                let wait = refusal
                    .retry_after
                    .map(|wait| format!(" Try again in {} seconds.", wait.as_secs()))
                    .unwrap_or_default();
                format!("{service} refused: {}{wait}", refusal.message)
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
            Self::Fault(fault) => fault.sentence().to_owned(),
        }
    }
}

impl From<Fault> for CallError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
