//! Will a connection end soon?

use std::path::Path;

use super::Gravity;
use crate::app::control::{Answer, Command, EndingLine, ask_running};

/// What can be foreseen about connections.
#[derive(Debug)]
pub enum EndingFinding {
    /// None ends within fourteen days, as far as can be foreseen.
    None,
    /// One ends within fourteen days.
    Soon(EndingLine),
    /// The record of one cannot be read, so nothing can be foreseen: its full key.
    Unreadable(String),
    /// Nobody could say: why.
    NotAsked(String),
}

impl EndingFinding {
    pub(super) fn gravity(&self) -> Gravity {
        match self {
            Self::None => Gravity::Ok,
            Self::Soon(_) | Self::Unreadable(_) | Self::NotAsked(_) => Gravity::Warning,
        }
    }
}

/// Asks the running gateway, which alone may read its store.
pub(super) fn examine(socket: &Path) -> Vec<EndingFinding> {
    let not_asked = |why: String| vec![EndingFinding::NotAsked(why)];
    match ask_running(socket, &Command::EndingSoon) {
        Ok(Some(Answer::EndingSoon(found))) => {
            let soon = found.endings.into_iter().map(EndingFinding::Soon);
            let unreadable = found.unreadable.into_iter().map(EndingFinding::Unreadable);
            let findings: Vec<_> = soon.chain(unreadable).collect();
            if findings.is_empty() {
                vec![EndingFinding::None]
            } else {
                findings
            }
        }
        Ok(Some(Answer::Refused(refusal))) => not_asked(refusal.sentence),
        Ok(Some(_)) => not_asked("the running gateway is of another version".to_owned()),
        Ok(None) => {
            not_asked("what has the store open does not listen on the control socket".to_owned())
        }
        Err(error) => not_asked(error.to_string()),
    }
}
