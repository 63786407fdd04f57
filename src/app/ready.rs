//! What the program says, once, when it is ready.

use std::path::PathBuf;

use serde::Serialize;

use crate::base::Secret;
use crate::base::secret::for_sealing as shown_once;

/// The one line of JSON on stdout: a contract for people's scripts.
#[derive(Debug, Serialize)]
pub struct Ready {
    /// Where MCP clients connect (streamable HTTP).
    pub mcp_url: String,
    /// Where clients of the HTTP+SSE transport connect; none when it is switched off.
    pub sse_url: Option<String>,
    /// The Connections page.
    pub dashboard_url: String,
    /// Signs the first person in, once.
    pub sign_in_url: String,
    /// The first person's agent token.
    #[serde(with = "shown_once")]
    pub agent_token: Secret,
    /// The data folder.
    pub data_dir: PathBuf,
    /// The Sandbox, in the demo.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox_url: Option<String>,
    /// The people of the demo.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<ReadyPerson>,
}

/// What a gateway has to be told about a Sandbox that runs alone.
#[derive(Debug, Serialize)]
pub struct ReadySandbox {
    /// Where it is.
    pub sandbox_url: String,
    /// The gateway's client id there.
    pub client_id: String,
    /// The gateway's client secret there.
    #[serde(with = "shown_once")]
    pub client_secret: Secret,
    /// Lets scripts give it orders: the value of the header `sandbox-control`.
    #[serde(with = "shown_once")]
    pub control_secret: Secret,
}

/// One of the people of the demo.
#[derive(Debug, Serialize)]
pub struct ReadyPerson {
    /// What they are called.
    pub name: String,
    /// Signs them in, once.
    pub sign_in_url: String,
    /// Their agent token.
    #[serde(with = "shown_once")]
    pub agent_token: Secret,
}
