//! Settings of the MCP surface.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde::Deserialize;

/// Settings of the MCP surface: `[mcp]` of the configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The form in which a missing connection is answered.
    pub missing_connection: MissingConnection,
    /// For how many seconds a call waits for the person to connect, once the client says that the link was opened. 0: not
    /// at all. Clients give up on a request by themselves, mostly after 60 seconds.
    pub wait_seconds: u16,
    /// Whether Attache's own tools are offered beside those of the services.
    pub builtin_tools: bool,
    /// How many tools one page of the list holds. Some clients read the first page only.
    pub tools_per_page: NonZeroUsize,
    /// Whether the HTTP+SSE transport of 2024-11-05 is offered, at `/sse`.
    pub legacy_sse: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            missing_connection: MissingConnection::Auto,
            wait_seconds: 20,
            builtin_tools: true,
            tools_per_page: NonZeroUsize::new(1_000).unwrap_or(NonZeroUsize::MIN),
            legacy_sse: true,
        }
    }
}

impl Settings {
    /// For how long a call waits for the person to connect.
    pub(super) fn wait(&self) -> Duration {
        Duration::from_secs(self.wait_seconds.into())
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
