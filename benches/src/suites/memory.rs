//! Memory when idle, and of sessions of the 2025 era (P-07).

use super::{Stage, mib, session};
use crate::call::{Call, Expected, Size};
use crate::connection::{Connection, place};
use crate::gateway::Home;
use crate::load::next_id;
use crate::options::Options;
use crate::table;

use serde_json::json;

/// How many sessions are opened.
const SESSIONS: u64 = 1_000;

pub(super) async fn run(options: &Options, stage: &Stage) -> anyhow::Result<()> {
    let home = Home::new(&options.program, &stage.upstream_url)?;
    let gateway = home.start()?;
    let idle = gateway.process.resident()?;
    let tools = list_tools(&gateway.url, &gateway.owner).await?;
    let mut rows = vec![vec![
        format!("idle after the start, {tools} tools"),
        mib(idle),
        String::new(),
    ]];
    // The first session brings what the first of a kind brings; it counts for none.
    let contenders = [
        ("bare rmcp server", &stage.bare_url, None, &stage.bare),
        (
            "**Attache**",
            &gateway.url,
            Some(gateway.owner.as_str()),
            &gateway.process,
        ),
    ];
    for (name, url, token, server) in contenders {
        session::begin(url, token).await?;
        let before = server.resident()?;
        for _ in 0..SESSIONS {
            session::begin(url, token).await?;
        }
        let after = server.resident()?;
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 bytes")]
        let each = (after.saturating_sub(before)) as f64 / SESSIONS as f64 / 1_000.0;
        rows.push(vec![
            format!("{name} with {SESSIONS} sessions of 2025-11-25"),
            mib(after),
            format!("{each:.1}"),
        ]);
    }
    table::print(
        "Memory (P-07)",
        &["what", "memory (MiB)", "KB for each"],
        &rows,
    );
    Ok(())
}

/// How many tools are listed.
async fn list_tools(url: &str, token: &str) -> anyhow::Result<usize> {
    let (address, host) = place(url)?;
    let message = json!({ "jsonrpc": "2.0", "id": "ID", "method": "tools/list", "params": { "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "bench", "version": "1" },
    }}});
    let headers = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/list"),
    ];
    let headers =
        headers.map(|(name, value)| (http::HeaderName::from_static(name), value.to_owned()));
    let call = Call::post(
        &message,
        Some(token),
        &headers,
        Expected::Reply(Size::Small),
    );
    let answer = Connection::open(address)
        .await?
        .send(call.request(next_id(), &host))
        .await?;
    let answer: serde_json::Value = serde_json::from_slice(&answer.body)?;
    Ok(answer["result"]["tools"].as_array().map_or(0, Vec::len))
}
