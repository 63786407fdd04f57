//! The program under test as a process of its own, as people's scripts run it.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::environment;
use super::process::Process;

/// A running `attache`, and the line of JSON with which it said that it is ready.
pub(crate) struct Program {
    process: Process,
    pub(crate) ready: Value,
}

impl Program {
    /// `attache demo` on a free port, with its data in `folder`.
    pub(crate) async fn demo(folder: &Path) -> Self {
        let folder = folder.to_str().expect("a plain path");
        Self::start(&[
            "demo",
            "--json",
            "--bind",
            "127.0.0.1:0",
            "--data-dir",
            folder,
        ])
        .await
    }

    /// `attache` with these arguments; waits until it is ready.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[]).await
    }

    /// The same, with these variables in its environment.
    pub(crate) async fn start_with(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = command(arguments);
        command.envs(environment.iter().copied());
        Self::run(command).await
    }

    /// The same, with everything said in `command`.
    pub(crate) async fn run(command: Command) -> Self {
        let mut process = Process::start(command);
        let line = process.next_line().await.expect("it says that it is ready");
        Self::of(process, &line)
    }

    /// A process that has said that it is ready.
    pub(crate) fn of(process: Process, line: &str) -> Self {
        let ready = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Self { process, ready }
    }

    /// The next line on stdout: it says once more that it is ready, when it had to wait.
    pub(crate) async fn ready_again(&mut self) {
        let line = self.process.next_line().await.expect("it says more");
        self.ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// A text in the ready line: `text("/people/1/agent_token")`.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        let found = self.ready.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("no {pointer} in {:#}", self.ready))
    }

    /// Ends it without warning, as a power cut or the kernel would.
    pub(crate) fn kill(self) {
        self.process.signal("KILL");
    }

    /// Tells it to end; returns what it still printed on stdout, and its exit status.
    pub(crate) async fn terminate(mut self) -> (Vec<String>, i32) {
        self.process.signal("TERM");
        let mut printed = Vec::new();
        while let Some(line) = self.process.next_line().await {
            printed.push(line);
        }
        (printed, self.process.status())
    }
}

/// What a run that ends by itself printed, and its exit status.
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `attache` to its end.
pub(crate) fn run(arguments: &[&str]) -> Ended {
    end(command(arguments).stdin(Stdio::null()))
}

/// Runs a command to its end.
pub(crate) fn end(command: &mut Command) -> Ended {
    let output = command.output().expect("the program starts");
    Ended {
        status: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The program, apart from the settings of whoever runs the tests.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(environment::binary());
    command.args(arguments).env_remove("ATTACHE_LOG");
    command
}
