//! Processes that the benchmark starts, and what the system says of them. They end with it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

/// Clock ticks in a second, by which Linux counts the time of a process: the same on every machine that Rust knows.
const TICKS: u32 = 100;

/// A server in a process of its own. Ended, by its own id, when this is dropped.
pub(crate) struct Process {
    child: Child,
    /// Held, because our own servers end when it does.
    _stdin: Option<ChildStdin>,
}

impl Process {
    /// Starts `command` and waits for the line on stdout by which it says that it is ready.
    pub(crate) fn start(mut command: Command) -> anyhow::Result<(Self, String)> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{command:?} does not start"))?;
        let stdout = child.stdout.take().context("stdout is a pipe")?;
        let stdin = child.stdin.take();
        let process = Self {
            child,
            _stdin: stdin,
        };
        let mut line = String::new();
        let mut lines = BufReader::new(stdout);
        lines.read_line(&mut line)?;
        if line.is_empty() {
            bail!("{command:?} ended before it was ready");
        }
        // Whoever says more must not be held up, nor killed, by a pipe that nobody reads.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Ok((process, line.trim().to_owned()))
    }

    /// One of this program's own servers; the line is its address.
    pub(crate) fn start_own(arguments: &[&str]) -> anyhow::Result<(Self, String)> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments);
        Self::start(command)
    }

    fn proc(&self, file: &str) -> anyhow::Result<String> {
        let path = format!("/proc/{}/{file}", self.child.id());
        fs::read_to_string(&path).with_context(|| path)
    }

    /// The time that all its threads have spent on a core.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let stat = self.proc("stat")?;
        // The second field is the name in parentheses, which may hold anything (proc(5)).
        let (_, rest) = stat.rsplit_once(')').context("no name in stat")?;
        let fields: Vec<_> = rest.split_whitespace().collect();
        let ticks = |at: usize| -> anyhow::Result<u32> { Ok(fields[at].parse()?) };
        let spent = ticks(11)? + ticks(12)?;
        Ok(Duration::from_secs(1) * spent / TICKS)
    }

    /// Bytes of memory that it holds (resident set).
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        Ok(self.field("status", "VmRSS:")? * 1024)
    }

    /// Bytes that it has had written to disks.
    pub(crate) fn written(&self) -> anyhow::Result<u64> {
        self.field("io", "write_bytes:")
    }

    fn field(&self, file: &str, name: &str) -> anyhow::Result<u64> {
        let text = self.proc(file)?;
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number.with_context(|| format!("no {name}"))?.parse()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        end(self.child.id());
        // Ends by itself; whoever does not within a while is killed.
        for _ in 0..200 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks the process with this id to end.
pub(crate) fn end(id: u32) {
    if let Some(id) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        let _ = kill_process(id, Signal::TERM);
    }
}
