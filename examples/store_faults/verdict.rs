//! How one case ended, and how many did.

use std::collections::BTreeMap;

use super::check::{SAID, SILENT};
use super::child::{Ended, How};
use super::write::REFUSED;

/// How one case ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// Everything that was acknowledged is there.
    Right,
    /// Records say that they are damaged, missing or old; all others are right, and new ones can be written.
    OwnErrors,
    /// Records say so, and new ones cannot be written.
    OwnErrorsAndNoWrites,
    /// The store did not open, and said what to do.
    Refused(String),
    /// The store did not open, and did not say what to do.
    Unclear(String),
    /// Something is not as it was acknowledged, and nobody says so.
    Silent(&'static str),
    /// The process panicked.
    Panicked,
    /// The process was ended by a signal.
    Aborted,
    /// The process did not end.
    Hung,
    /// A write was acknowledged although its sync had failed.
    FalselyAcknowledged,
    /// The fault hit no file of the store.
    NotReached,
    /// Something else.
    Odd(String),
}

/// What a refusal must name, one of these: what to do.
const REMEDIES: [&str; 6] = [
    "backup",
    "restore",
    "doctor",
    "start with the key",
    "put the key back",
    "free some",
];

impl Verdict {
    pub(crate) fn of(check: &Ended) -> Self {
        match check.how {
            How::Hung => Self::Hung,
            How::Killed(_) => Self::Aborted,
            How::Exit(0) => Self::Right,
            How::Exit(REFUSED) => Self::of_refusal(&check.said),
            How::Exit(SAID) if check.said.contains("write-error=") => Self::OwnErrorsAndNoWrites,
            How::Exit(SAID) => Self::OwnErrors,
            How::Exit(SILENT) => {
                let kinds = ["WRONG", "LOST", "OLDER", "REVIVED", "UNLISTED"];
                let lines = check.said.lines();
                let worst = kinds
                    .into_iter()
                    .find(|kind| lines.clone().any(|line| line.starts_with(kind)));
                Self::Silent(worst.unwrap_or("?"))
            }
            How::Exit(101) => Self::Panicked,
            How::Exit(code) => Self::Odd(format!("exit {code}")),
        }
    }

    fn of_refusal(said: &str) -> Self {
        let refusal = said.lines().find_map(|line| line.strip_prefix("refused "));
        let refusal = refusal.unwrap_or_default();
        let kind = refusal.split(' ').next().unwrap_or_default().to_owned();
        if REMEDIES.iter().any(|remedy| refusal.contains(remedy)) {
            Self::Refused(kind)
        } else {
            Self::Unclear(kind)
        }
    }

    /// Whether it may be so after the files were damaged.
    pub(crate) fn is_allowed_after_damage(&self) -> bool {
        matches!(
            self,
            Self::Right | Self::OwnErrors | Self::OwnErrorsAndNoWrites | Self::Refused(_)
        )
    }

    fn text(&self) -> String {
        match self {
            Self::Right => "right".to_owned(),
            Self::OwnErrors => "own errors".to_owned(),
            Self::OwnErrorsAndNoWrites => "own errors, no writes".to_owned(),
            Self::Refused(kind) => format!("refused ({kind})"),
            Self::Unclear(kind) => format!("REFUSED UNCLEARLY ({kind})"),
            Self::Silent(kind) => (*kind).to_owned(),
            Self::Panicked => "PANIC".to_owned(),
            Self::Aborted => "ABORT".to_owned(),
            Self::Hung => "HANG".to_owned(),
            Self::FalselyAcknowledged => "FALSE ACKNOWLEDGEMENT".to_owned(),
            Self::NotReached => "not the store".to_owned(),
            Self::Odd(what) => format!("ODD ({what})"),
        }
    }
}

/// How many cases of which kind ended how.
#[derive(Default)]
pub(crate) struct Tally {
    rows: BTreeMap<String, BTreeMap<Verdict, usize>>,
    all: BTreeMap<Verdict, usize>,
}

impl Tally {
    pub(crate) fn count(&mut self, row: &str, verdict: &Verdict) {
        let row = self.rows.entry(row.to_owned()).or_default();
        *row.entry(verdict.clone()).or_default() += 1;
        *self.all.entry(verdict.clone()).or_default() += 1;
    }

    pub(crate) fn cases(&self) -> usize {
        self.all.values().sum()
    }

    pub(crate) fn print(&self) {
        for (row, verdicts) in &self.rows {
            println!("  {row:<28} {}", told(verdicts));
        }
        println!("  {:<28} {}", "all", told(&self.all));
    }
}

fn told(verdicts: &BTreeMap<Verdict, usize>) -> String {
    let told = verdicts
        .iter()
        .map(|(verdict, number)| format!("{} {number}", verdict.text()));
    told.collect::<Vec<_>>().join(", ")
}
