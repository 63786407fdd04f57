//! What the program says, once, when it is ready.

use std::path::PathBuf;

use serde::Serialize;

use crate::base::Secret;
use crate::base::secret::for_sealing as shown_once;

/// The one line of JSON on stdout: a contract for people's scripts.
#[derive(Debug, Serialize)]
pub struct Ready {
    /// How it stands. When it is not [`ReadyState::Ready`], what only a working store can give is missing below. A gateway
    /// that stands by prints the line once more when it has its store.
    pub state: ReadyState,
    /// What is wrong and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Where MCP clients connect (streamable HTTP).
    pub mcp_url: String,
    /// Where clients of the HTTP+SSE transport connect; none when it is switched off.
    pub sse_url: Option<String>,
    /// The Connections page.
    pub dashboard_url: String,
    /// Signs the first person in, once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_in_url: Option<String>,
    /// The first person's agent token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_token: Option<ShownOnce>,
    /// The data folder.
    pub data_dir: PathBuf,
    /// The Sandbox, in the demo.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox_url: Option<String>,
    /// The people of the demo.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<ReadyPerson>,
}

/// How the gateway stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadyState {
    /// It works.
    Ready,
    /// The disk is nearly full: what is there can be used, and nothing new is written.
    NearlyFull,
    /// The store cannot be opened: every request is answered with that.
    Standby,
}

/// A secret that is printed, this once.
#[derive(Clone, Debug, Serialize)]
pub struct ShownOnce(#[serde(with = "shown_once")] pub Secret);

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
