//! A person's machine with nothing running on it: a data folder, the commands that are typed there, the bridges that
//! clients start there, and the gateway that is in the background afterwards.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use attache::base::Random;
use attache::config::{Config, Environment, Options};
use attache::store::{MasterKey, Store};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::Process;
use super::program::{self, Ended};

/// The machine. Its gateway ends with it.
pub(crate) struct Machine {
    folder: TempDir,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.data_dir().join("control.sock")
    }

    /// The program with the settings of this machine.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program::command(arguments);
        command
            .env("ATTACHE_DATA_DIR", self.data_dir())
            .env("ATTACHE_BIND", "127.0.0.1:0")
            .env("HOME", self.folder.path())
            .env_remove("XDG_CONFIG_HOME");
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        program::end(self.command(arguments).stdin(Stdio::null()))
    }

    /// What a command printed as JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let ended = self.run(arguments);
        assert_eq!(ended.status, Some(0), "{arguments:?}: {}", ended.stderr);
        serde_json::from_str(&ended.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", ended.stdout))
    }

    /// Its store, while nothing runs.
    pub(crate) async fn open_store(&self) -> Store {
        let options = Options {
            data_dir: Some(self.data_dir()),
            ..Options::default()
        };
        let config =
            Config::resolve(&options, &Environment::default()).expect("a right configuration");
        let key = MasterKey::load(&config.master_key, &config.store, &Random::System);
        let store = Store::open(&config.store, key.expect("its key"), Random::System).await;
        store.expect("its store")
    }

    /// A client's process: `attache stdio`.
    pub(crate) fn bridge(&self) -> Bridge {
        Bridge::start(self.command(&["stdio"]))
    }

    /// The process of the running gateway, by what it says itself. None when none answers.
    pub(crate) fn gateway(&self) -> Option<u64> {
        let stream = UnixStream::connect(self.socket()).ok()?;
        writeln!(&stream, r#"{{"attache":"0.0.1","wants":"mcp"}}"#).ok()?;
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).ok()?;
        serde_json::from_str::<Value>(&line).ok()?["pid"].as_u64()
    }

    /// How many gateways run in the background on this data folder, by what the system says.
    pub(crate) fn gateways(&self) -> usize {
        let list = Command::new("ps").args(["-A", "-o", "args="]).output();
        let list = String::from_utf8_lossy(&list.expect("there is ps").stdout).into_owned();
        let folder = self.data_dir();
        let folder = folder.to_str().expect("a plain path");
        list.lines()
            .filter(|line| line.contains("--background") && line.contains(folder))
            .count()
    }

    /// Has the gateway end in order, and waits until it says that it has.
    pub(crate) fn end_gateway(&self) {
        let mut stream = UnixStream::connect(self.socket()).expect("a gateway runs");
        writeln!(stream, r#"{{"attache":"0.0.1","wants":"end"}}"#).expect("it listens");
        let mut said = String::new();
        stream.read_to_string(&mut said).expect("it closes");
        assert_eq!(said.lines().count(), 1, "{said}");
    }

    /// Watches the gateway's process.
    pub(crate) fn watch_gateway(&self) -> Watched {
        let pid = self.gateway().expect("a gateway runs").to_string();
        let mut command = Command::new("tail");
        command.args(["--pid", &pid, "-s", "0.1", "-f", "/dev/null"]);
        Watched(Process::start(command))
    }

    /// What another user of this machine hears on the socket, even where the folder lets them in. None when we may not
    /// be another user.
    pub(crate) fn as_another_user(&self) -> Option<String> {
        const NOBODY: u32 = 65_534;
        if rustix::process::geteuid().as_raw() != 0 {
            return None;
        }
        let open = |path: &Path, mode| {
            fs::set_permissions(path, Permissions::from_mode(mode)).expect("our own");
        };
        open(self.folder.path(), 0o755);
        open(&self.data_dir(), 0o755);
        open(&self.socket(), 0o666);
        let script = "import socket, sys\n\
                      s = socket.socket(socket.AF_UNIX)\n\
                      s.connect(sys.argv[1])\n\
                      print(s.recv(4096).decode(), end='')";
        let output = Command::new("python3")
            .args(["-c", script])
            .arg(self.socket())
            .uid(NOBODY)
            .gid(NOBODY)
            .output()
            .expect("there is Python");
        assert!(output.status.success(), "{output:?}");
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Waits until a gateway is being started in the background: its log is made first.
    pub(crate) async fn wait_for_a_start(&self) {
        // A file that appears is no event that can be awaited everywhere.
        while !self.data_dir().join("gateway.log").exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until a gateway is being started in the background, and ends it without warning.
    pub(crate) async fn kill_a_start(&self) {
        let folder = self.data_dir();
        let pattern = format!("--background.*{}", folder.to_str().expect("a plain path"));
        // A process that appears is no event that can be awaited.
        while !Command::new("pkill")
            .args(["-KILL", "-f", "--", &pattern])
            .status()
            .is_ok_and(|found| found.success())
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends the gateway without warning.
    pub(crate) fn kill_gateway(&self) {
        let pid = self.gateway().expect("a gateway runs").to_string();
        let killed = Command::new("kill").args(["-s", "KILL", &pid]).status();
        assert!(killed.is_ok_and(|status| status.success()));
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if self.gateway().is_some() {
            self.kill_gateway();
        }
    }
}

/// A process that is watched.
pub(crate) struct Watched(Process);

impl Watched {
    /// Waits until it has ended.
    pub(crate) async fn ended(mut self) {
        assert_eq!(self.0.next_line().await, None);
    }
}

/// A bridge and the client behind it.
pub(crate) struct Bridge(Process);

impl Bridge {
    pub(crate) fn start(command: Command) -> Self {
        Self(Process::start(command))
    }

    pub(crate) fn send(&mut self, message: &Value) {
        self.0.write_line(&message.to_string());
    }

    /// The next message of the server. Whatever stands on stdout must be one.
    pub(crate) async fn next(&mut self) -> Value {
        let line = self.0.next_line().await.expect("the bridge says more");
        let message: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(message["jsonrpc"], "2.0", "{message:#}");
        message
    }

    /// Sends a request and returns the message that comes next, which must be its answer.
    pub(crate) async fn ask(&mut self, message: &Value) -> Value {
        self.send(message);
        let answer = self.next().await;
        assert_eq!(answer["id"], message["id"], "{answer:#}");
        answer
    }

    /// The handshake of the revisions up to 2025-11-25.
    pub(crate) async fn initialize(&mut self) {
        let answer = self
            .ask(
                &json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
                    "protocolVersion": "2025-11-25", "capabilities": {},
                    "clientInfo": {"name": "test", "version": "1"},
                }}),
            )
            .await;
        assert_eq!(answer["result"]["protocolVersion"], "2025-11-25");
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    }

    /// Closes the client's side; returns what else came and the exit status.
    pub(crate) async fn close(mut self) -> (Vec<String>, i32) {
        self.0.close_input();
        let mut rest = Vec::new();
        while let Some(line) = self.0.next_line().await {
            rest.push(line);
        }
        (rest, self.0.status())
    }
}

/// A request of the revisions with a handshake.
pub(crate) fn legacy(id: u64, method: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {}})
}

/// A request of 2026-07-28, which stands alone.
pub(crate) fn modern(id: u64, method: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {"_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    }}})
}
