//! How long a client waits for the first answer of `attache stdio`: cold, with no gateway running, and warm, with one.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::Stage;
use crate::gateway::Home;
use crate::options::Options;
use crate::process;
use crate::table;

/// How many bridges are started, of each kind.
const STARTS: usize = 10;

/// Milliseconds until the first answer: cold, and with a gateway running.
pub(super) fn first_answers(options: &Options, stage: &Stage) -> anyhow::Result<[Vec<f64>; 2]> {
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let home = Home::new(&options.program, &stage.upstream_url)?;
        let bridge = || {
            let mut command = home.command();
            command.arg("stdio");
            command
        };
        cold.push(first_answer(bridge())?);
        let ended = warm_answer(&mut warm, bridge());
        end_gateway(&home)?;
        ended?;
    }
    Ok([cold, warm])
}

fn warm_answer(warm: &mut Vec<f64>, bridge: Command) -> anyhow::Result<()> {
    warm.push(first_answer(bridge)?);
    Ok(())
}

/// Milliseconds from the start of a bridge to the end of its first answer.
fn first_answer(mut command: Command) -> anyhow::Result<f64> {
    let start = Instant::now();
    let mut bridge = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": { "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "bench", "version": "1" },
    }}});
    let mut stdin = bridge.stdin.take().context("stdin is a pipe")?;
    writeln!(stdin, "{request}")?;
    let mut line = String::new();
    let stdout = bridge.stdout.take().context("stdout is a pipe")?;
    BufReader::new(stdout).read_line(&mut line)?;
    let passed = start.elapsed();
    drop(stdin);
    bridge.wait()?;
    let answer: Value = serde_json::from_str(&line)?;
    ensure!(answer.get("result").is_some(), "no list of tools: {line}");
    Ok(table::milliseconds(passed))
}

/// Ends the gateway in the background, which says itself which process it is.
fn end_gateway(home: &Home) -> anyhow::Result<()> {
    let control = home.path("data").join("control.sock");
    let mut stream = UnixStream::connect(control)?;
    writeln!(stream, "{}", json!({ "attache": "0.0.1", "wants": "mcp" }))?;
    let mut line = String::new();
    let mut stream = BufReader::new(stream);
    stream.read_line(&mut line)?;
    let hello: Value = serde_json::from_str(&line)?;
    let id = hello["pid"].as_u64().context("a process")?;
    process::end(u32::try_from(id)?);
    // The connection closes when it has ended.
    drop(std::io::copy(&mut stream, &mut std::io::sink()));
    Ok(())
}
