//! Processes of our own program with a time limit, so that a panic, an abort and a hang are outcomes.

use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// How long a process may take, in seconds.
const LIMIT: &str = "60";

/// How a process ended, and what it said.
pub(crate) struct Ended {
    pub(crate) how: How,
    pub(crate) said: String,
    pub(crate) complained: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Exit(u8),
    Killed(i32),
    Hung,
}

/// This program.
pub(crate) fn program() -> PathBuf {
    std::env::current_exe().expect("the path of this program")
}

/// Waits for `program` with `words`; `before` may be a program that runs it.
pub(crate) fn run(words: &[&OsStr]) -> Ended {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=1", LIMIT]).args(words);
    ended(&command.output().expect("timeout runs"))
}

pub(crate) fn ended(output: &Output) -> Ended {
    // timeout answers 124 for a process that it ended, and 128 and the signal for one that was ended otherwise.
    let how = match (output.status.code(), output.status.signal()) {
        (Some(124), _) => How::Hung,
        (Some(code), _) if code > 128 => How::Killed(code - 128),
        (Some(code), _) => How::Exit(u8::try_from(code).unwrap_or(u8::MAX)),
        (None, signal) => How::Killed(signal.unwrap_or_default()),
    };
    Ended {
        how,
        said: String::from_utf8_lossy(&output.stdout).into_owned(),
        complained: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The words that run the judging process.
pub(crate) fn check(folder: &Path, ledger: &Path) -> Ended {
    run(&[
        program().as_ref(),
        "check".as_ref(),
        "--folder".as_ref(),
        folder.as_ref(),
        "--ledger".as_ref(),
        ledger.as_ref(),
    ])
}
