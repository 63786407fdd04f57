//! Clients that are asked by a command line and end: fastmcp, mcporter, and the bridge mcp-remote.
//!
//! Each runs with a home folder of its own, so that nothing of whoever runs the tests is read or written.

use std::fs::File;
use std::process::Command;

use super::super::environment;
use super::super::process::Process;

/// Where a client finds the server.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target<'a> {
    /// Streamable HTTP.
    Http {
        /// The endpoint.
        url: &'a str,
        /// The agent's token.
        bearer: &'a str,
    },
    /// HTTP+SSE of 2024-11-05.
    Sse {
        /// The address of the stream.
        url: &'a str,
        /// The agent's token.
        bearer: &'a str,
    },
    /// A process that the client starts itself.
    Stdio(&'a [&'a str]),
}

/// What a client is asked to do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Request<'a> {
    /// List the tools.
    List,
    /// Call this tool, without arguments.
    Call(&'a str),
}

/// What a client said to the person in front of it, and how it ended.
#[derive(Debug)]
pub(crate) struct Printed {
    /// Its exit status.
    pub(crate) status: i32,
    /// Standard output, then standard error, without line breaks: some clients wrap links.
    pub(crate) text: String,
}

/// Asks with the command line of fastmcp, and says `decline` to whatever it asks back. `None`: not installed.
pub(crate) async fn fastmcp(target: Target<'_>, request: Request<'_>) -> Option<Printed> {
    let clients = environment::clients()?;
    let mut command = Command::new(clients.join("venv/bin/fastmcp"));
    command.env("FASTMCP_CHECK_FOR_UPDATES", "off");
    command.arg(match request {
        Request::List => "list",
        Request::Call(_) => "call",
    });
    match target {
        Target::Http { url, bearer } => command.args([url, "-t", "http", "--auth", bearer]),
        Target::Sse { url, bearer } => command.args([url, "-t", "sse", "--auth", bearer]),
        Target::Stdio(server) => command.args(["--command", &server.join(" ")]),
    };
    if let Request::Call(tool) = request {
        command.args(["--target", tool]);
    }
    Some(printed(command.arg("--json"), "decline").await)
}

/// Asks with mcporter, which speaks streamable HTTP and stdio. `None`: not installed.
pub(crate) async fn mcporter(target: Target<'_>, request: Request<'_>) -> Option<Printed> {
    let mut command = node_client("mcporter")?;
    command.arg(match request {
        Request::List => "list",
        Request::Call(_) => "call",
    });
    match target {
        Target::Http { url, bearer } | Target::Sse { url, bearer } => {
            let header = format!("Authorization=Bearer {bearer}");
            command.args(["--http-url", url, "--allow-http", "--header", &header]);
        }
        Target::Stdio(server) => {
            command.args(["--stdio", server[0]]);
            for argument in &server[1..] {
                command.args(["--stdio-arg", argument]);
            }
        }
    }
    command.args(["--name", "attache", "--no-oauth"]);
    match request {
        Request::List => command.arg("--json"),
        Request::Call(tool) => command.args(["--tool", tool, "--output", "json"]),
    };
    Some(printed(&mut command, "").await)
}

/// The command of mcp-remote as a server for a client that speaks stdio alone. `None`: not installed.
pub(crate) fn mcp_remote(target: Target<'_>) -> Option<Vec<String>> {
    let clients = environment::clients()?;
    let (url, bearer, strategy) = match target {
        Target::Http { url, bearer } => (url, bearer, "http-only"),
        Target::Sse { url, bearer } => (url, bearer, "sse-only"),
        Target::Stdio(_) => panic!("mcp-remote bridges to a URL"),
    };
    let header = format!("Authorization: Bearer {bearer}");
    let program = clients.join("node_modules/.bin/mcp-remote");
    let node = clients.join("node").display().to_string();
    let program = program.display().to_string();
    let command = [&node, &program, url, "--header", &header];
    let options = ["--transport", strategy, "--allow-http"];
    Some(
        command
            .into_iter()
            .chain(options)
            .map(str::to_owned)
            .collect(),
    )
}

fn node_client(name: &str) -> Option<Command> {
    let clients = environment::clients()?;
    let mut command = Command::new(clients.join("node"));
    command.arg(clients.join("node_modules/.bin").join(name));
    Some(command)
}

/// Runs a client to its end; it is killed when it does not come to one.
async fn printed(command: &mut Command, typed: &str) -> Printed {
    let home = tempfile::tempdir().expect("a temporary folder");
    let errors = home.path().join("stderr");
    let mut command = std::mem::replace(command, Command::new(""));
    command
        .envs([("HOME", home.path())])
        .envs(["CONFIG", "CACHE", "DATA", "STATE"].map(|kind| {
            let folder = home.path().join(kind);
            (format!("XDG_{kind}_HOME"), folder)
        }))
        .current_dir(home.path())
        .stderr(File::create(&errors).expect("a file"));
    let mut process = Process::start(command);
    process.write_line(typed);
    process.close_input();
    let mut text = String::new();
    while let Some(line) = process.next_line().await {
        text.push_str(&line);
    }
    let status = process.status();
    let errors = std::fs::read_to_string(&errors).expect("a file");
    text.extend(errors.lines());
    Printed { status, text }
}
