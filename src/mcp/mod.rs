//! Floor 5: the MCP surface.
//!
//! Owns the protocol: streamable HTTP, its predecessor HTTP+SSE, streams of lines, and the wire form in which each client is shown a connect link. Refuses
//! to know storage, the way out and OAuth; it translates between rmcp and the verbs of `gateway`.

mod convert;
mod http;
mod manifest;
mod missing_connection;
mod names;
mod server;
mod sse;
mod stream;

use serde::Deserialize;

pub use http::router;
pub use manifest::{Manifest, ServerJson};
pub use server::Server;
pub use stream::{StreamError, serve_stream};

/// Settings of the MCP surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The form in which a missing connection is answered.
    pub missing_connection: MissingConnection,
    /// Whether the HTTP+SSE transport of 2024-11-05 is offered, at `/sse`.
    pub legacy_sse: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            missing_connection: MissingConnection::default(),
            legacy_sse: true,
        }
    }
}

/// The form in which a missing connection is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingConnection {
    /// What the client says it can show.
    #[default]
    Auto,
    /// The error -32042 in every revision that knows error codes of its own (not 2026-07-28, which forbids it).
    Error,
    /// A tool result that says so in words, always.
    Text,
}
