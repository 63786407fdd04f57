//! A session of the revision 2025-11-25.

use anyhow::{Context, ensure};
use http::StatusCode;
use serde_json::json;

use crate::call::{Call, Expected, Size};
use crate::connection::{Connection, place};
use crate::load::next_id;

/// Begins a session at an MCP endpoint; its name.
pub(super) async fn begin(url: &str, token: Option<&str>) -> anyhow::Result<String> {
    // What these expect is not looked at: they are sent by hand.
    let expected = Expected::Reply(Size::Small);
    let initialize = json!({ "jsonrpc": "2.0", "id": "ID", "method": "initialize", "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": { "name": "bench", "version": "1" },
    }});
    let (address, host) = place(url)?;
    let mut connection = Connection::open(address).await?;
    let call = Call::post(&initialize, token, &[], expected.clone());
    let answer = connection.send(call.request(next_id(), &host)).await?;
    let text = String::from_utf8_lossy(&answer.body);
    ensure!(answer.status == StatusCode::OK, "initialize: {text}");
    let session = answer.headers.get("mcp-session-id").context("a session")?;
    let session = session.to_str()?.to_owned();

    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let headers = [
        ("mcp-protocol-version", "2025-11-25".to_owned()),
        ("mcp-session-id", session.clone()),
    ];
    let headers = headers.map(|(name, value)| (http::HeaderName::from_static(name), value));
    let call = Call::post(&initialized, token, &headers, expected);
    let answer = connection.send(call.request(0, &host)).await?;
    ensure!(
        answer.status == StatusCode::ACCEPTED,
        "initialized: {}",
        answer.status
    );
    Ok(session)
}
