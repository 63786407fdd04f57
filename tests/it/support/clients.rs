//! Real MCP clients as child processes: the official Python SDK, the MCP Inspector, and others that [`command_lines`] asks.
//!
//! Owns their command lines, their output and their end: no client outlives the value that stands for it. Refuses to
//! know what the server should answer. `scripts/clients` installs them.

pub(crate) mod command_lines;
#[cfg(test)]
mod stub;

#[cfg(test)]
mod tests;

use std::process::Command;

use serde_json::Value;

use super::environment;
use super::process::Process;

/// Which lifecycle and revision a client speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Era {
    /// 2026-07-28: `server/discover`, no session.
    Modern,
    /// 2025-11-25: `initialize`.
    Legacy,
    /// 2025-06-18: `initialize`, and no link but in text.
    Legacy20250618,
}

/// What the person behind a client does when a link is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OnLink {
    /// Opens it; the client waits for [`Session::link_was_used`].
    Accept,
    /// Says no.
    Decline,
    /// Says nothing.
    Cancel,
    /// The client does not declare that it can show links.
    None,
}

/// The official Python SDK, about to connect.
pub(crate) struct PythonSdk {
    command: Command,
    server: Vec<String>,
}

impl PythonSdk {
    /// Over streamable HTTP. `None` when the clients are not installed: see [`environment::clients`].
    pub(crate) fn over_http(url: &str, bearer: &str) -> Option<Self> {
        let mut sdk = Self::installed()?;
        sdk.command.args(["--url", url, "--bearer", bearer]);
        Some(sdk)
    }

    /// Over HTTP+SSE of 2024-11-05.
    pub(crate) fn over_sse(url: &str, bearer: &str) -> Option<Self> {
        let mut sdk = Self::over_http(url, bearer)?;
        sdk.command.args(["--transport", "sse"]);
        Some(sdk)
    }

    /// Over the standard streams of a server that the client starts itself, with `environment` added to its own.
    pub(crate) fn over_stdio(server: &[&str], environment: &[(&str, &str)]) -> Option<Self> {
        let mut sdk = Self::installed()?;
        sdk.command.envs(environment.iter().copied());
        sdk.server = [&["--"], server]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect();
        Some(sdk)
    }

    fn installed() -> Option<Self> {
        let mut command = Command::new(environment::clients()?.join("venv/bin/python"));
        command.arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/clients/python_sdk.py"
        ));
        let server = Vec::new();
        Some(Self { command, server })
    }

    /// Chooses the era; [`Era::Modern`] otherwise.
    pub(crate) fn era(mut self, era: Era) -> Self {
        let name = match era {
            Era::Modern => "modern",
            Era::Legacy => "legacy",
            Era::Legacy20250618 => "legacy-2025-06-18",
        };
        self.command.args(["--era", name]);
        self
    }

    /// Chooses what happens to links; [`OnLink::None`] otherwise.
    pub(crate) fn on_link(mut self, on_link: OnLink) -> Self {
        let name = match on_link {
            OnLink::Accept => "accept",
            OnLink::Decline => "decline",
            OnLink::Cancel => "cancel",
            OnLink::None => "none",
        };
        self.command.args(["--on-link", name]);
        self
    }

    /// Lists the tools.
    pub(crate) fn list(self) -> Session {
        self.start(&["list"])
    }

    /// Calls a tool.
    pub(crate) fn call(self, tool: &str, arguments: &Value) -> Session {
        self.start(&["call", tool, &arguments.to_string()])
    }

    fn start(mut self, action: &[&str]) -> Session {
        self.command.args(action).args(&self.server);
        Session(Process::start(self.command))
    }
}

/// One run of the Python SDK.
pub(crate) struct Session(Process);

impl Session {
    /// The next thing that the client sees: an elicitation, a notification, or that it has finished.
    pub(crate) async fn next_event(&mut self) -> Value {
        let line = self.0.next_line().await.expect("the client says more");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// The link that the client is shown, once it is; what comes before is skipped.
    pub(crate) async fn shown_link(&mut self) -> String {
        loop {
            let event = self.next_event().await;
            assert_ne!(event["event"], "finished", "no link was shown: {event:#}");
            if event["event"] == "elicitation" {
                return event["url"].as_str().expect("a link is text").to_owned();
            }
        }
    }

    /// Tells the client that the person is back from the browser: it answers `accept` now.
    pub(crate) fn link_was_used(&mut self) {
        self.0.write_line("");
    }

    /// Everything that the client observed.
    pub(crate) async fn finished(mut self) -> Value {
        loop {
            let event = self.next_event().await;
            if event["event"] == "finished" {
                return event;
            }
        }
    }
}

/// What the MCP Inspector's command line printed.
pub(crate) struct Inspection {
    /// Its exit status: 0 is well, 5 is a result with `isError`, 6 is a schema that `--strict` refuses.
    pub(crate) status: i32,
    /// The result, when it is JSON.
    pub(crate) output: Option<Value>,
}

/// Asks the server with the MCP Inspector: `["--method", "tools/list"]` and the like.
///
/// `None` when the clients are not installed: see [`environment::clients`]. It hangs on links (error -32042): ask it for
/// what needs none.
pub(crate) async fn inspect(url: &str, bearer: &str, arguments: &[&str]) -> Option<Inspection> {
    let mut command = inspector()?;
    command
        .args([url, "--transport", "http"])
        .args(["--header", &format!("Authorization: Bearer {bearer}")])
        .args(arguments);
    Some(inspection(command).await)
}

/// The same over HTTP+SSE of 2024-11-05.
pub(crate) async fn inspect_over_sse(
    url: &str,
    bearer: &str,
    arguments: &[&str],
) -> Option<Inspection> {
    let mut command = inspector()?;
    command
        .args([url, "--transport", "sse"])
        .args(["--header", &format!("Authorization: Bearer {bearer}")])
        .args(arguments);
    Some(inspection(command).await)
}

/// The same, of a server that the Inspector starts itself, with `environment` (`NAME=VALUE`) added.
pub(crate) async fn inspect_over_stdio(
    server: &[&str],
    environment: &[&str],
    arguments: &[&str],
) -> Option<Inspection> {
    let mut command = inspector()?;
    command.args(server).args(["--transport", "stdio"]);
    for variable in environment {
        command.args(["-e", variable]);
    }
    command.args(arguments);
    Some(inspection(command).await)
}

fn inspector() -> Option<Command> {
    let clients = environment::clients()?;
    let mut command = Command::new(clients.join("node"));
    command
        .arg(clients.join("node_modules/.bin/mcp-inspector"))
        .arg("--cli");
    Some(command)
}

async fn inspection(command: Command) -> Inspection {
    let mut process = Process::start(command);
    let mut printed = String::new();
    while let Some(line) = process.next_line().await {
        printed.push_str(&line);
        printed.push('\n');
    }
    let status = process.status();
    let output = serde_json::from_str(&printed).ok();
    Inspection { status, output }
}
