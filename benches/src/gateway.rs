//! The gateway under test: the release program in a process of its own, on a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Deserialize;
use tempfile::TempDir;
use url::Url;

use crate::process::Process;

/// The service under which the API is known to the gateway.
pub(crate) const SERVICE: &str = "bench";

/// What every measurement needs: no limit on what one agent may ask for, and calls that wait as long as it takes.
const SETTINGS: &str = "[limits]\ncalls_at_once = 0\ncalls_per_second = 0\nrequests_at_once = 0\n\
                        [mcp]\nwait_seconds = 60\n";

/// A folder with a configuration, a provider file and a store.
pub(crate) struct Home {
    program: PathBuf,
    folder: TempDir,
}

/// A running gateway.
pub(crate) struct Gateway {
    pub(crate) process: Process,
    /// Where MCP clients connect.
    pub(crate) url: String,
    /// The token of the person of this machine.
    pub(crate) owner: String,
    /// From the start of the process until it said that it is ready.
    pub(crate) ready_after: Duration,
}

#[derive(Deserialize)]
struct Ready {
    mcp_url: String,
    agent_token: String,
}

impl Home {
    /// A home for `program`, with the API at `upstream` set up as a service.
    pub(crate) fn new(program: &Path, upstream: &str) -> anyhow::Result<Self> {
        Self::inside(&std::env::temp_dir(), program, upstream, "")
    }

    /// As [`Home::new`], in a folder inside `place`, with more in the configuration's own tables.
    pub(crate) fn inside(
        place: &Path,
        program: &Path,
        upstream: &str,
        more: &str,
    ) -> anyhow::Result<Self> {
        let program = program
            .canonicalize()
            .with_context(|| format!("{}: build it first", program.display()))?;
        let folder = TempDir::with_prefix_in("attache-bench-", place)?;
        let home = Self { program, folder };
        let port = Url::parse(upstream)?.port().context("a port")?;
        fs::create_dir(home.path("providers"))?;
        let file = include_str!("provider.toml").replace("@port@", &port.to_string());
        fs::write(home.path(&format!("providers/{SERVICE}.toml")), file)?;
        fs::write(home.config(), home.settings(port) + more)?;
        Ok(home)
    }

    fn settings(&self, port: u16) -> String {
        format!(
            "bind = \"127.0.0.1:0\"\n\
             data_dir = \"{data}\"\n\
             providers = \"{providers}\"\n\
             {SETTINGS}\
             [egress]\ndangerously_allow_loopback = [\"localhost:{port}\"]\n\
             [services.{SERVICE}]\nclient_id = \"bench\"\nclient_secret = \"a secret of the benchmark\"\n",
            data = self.path("data").display(),
            providers = self.path("providers").display(),
        )
    }

    /// A place in this home.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The configuration file.
    pub(crate) fn config(&self) -> PathBuf {
        self.path("attache.toml")
    }

    /// The program, with nothing of our own environment but what finds its parts.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .env("HOME", self.folder.path())
            .env("ATTACHE_LOG", "warn")
            .env("ATTACHE_CONFIG", self.config());
        command
    }

    /// Starts the gateway and waits until it is ready.
    pub(crate) fn start(&self) -> anyhow::Result<Gateway> {
        let mut command = self.command();
        command.args(["serve", "--json"]);
        let start = Instant::now();
        let (process, line) = Process::start(command)?;
        let ready_after = start.elapsed();
        let ready: Ready = serde_json::from_str(&line).context("the line of a ready gateway")?;
        Ok(Gateway {
            process,
            url: ready.mcp_url,
            owner: ready.agent_token,
            ready_after,
        })
    }
}
