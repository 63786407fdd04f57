//! Floor 5: the MCP surface.
//!
//! Owns the protocol: streamable HTTP, its predecessor HTTP+SSE, streams of lines, and the wire form in which each client
//! is shown a connect link. Refuses to know storage, the way out and OAuth; it translates between rmcp and the verbs of
//! `gateway`.

mod account_argument;
mod bounds;
mod builtin;
mod call;
mod convert;
mod executions;
mod http;
mod intake;
mod lines;
mod manifest;
mod missing_connection;
mod names;
mod notices;
mod parking;
mod protected_resource;
mod round;
mod selection;
mod server;
mod settings;
mod sse;
mod stream;
mod tool_list;

use std::sync::Arc;

pub use bounds::LONGEST as LONGEST_MESSAGE;
pub use http::router;
pub use manifest::{Manifest, ServerJson};
pub use selection::{Selection, UnknownService};
pub use server::Server;
pub use settings::{MissingConnection, Settings};
pub use stream::{StreamError, serve_stream};
pub use tool_list::AdvertisedTool;

use tokio_util::sync::CancellationToken;

use crate::gateway::Gateway;

/// What all MCP servers of one gateway share. Cheap to clone.
#[derive(Clone)]
pub struct Surface {
    parts: Arc<Parts>,
}

struct Parts {
    gateway: Gateway,
    settings: Settings,
    tools: tool_list::ToolList,
    executions: executions::Executions,
    /// Cancelled when the gateway ends: open streams end then.
    stop: CancellationToken,
}

impl Surface {
    /// The surface of `gateway`. Open streams end with `stop`.
    #[must_use]
    pub fn new(gateway: Gateway, settings: Settings, stop: CancellationToken) -> Self {
        let tools = tool_list::ToolList::new(&gateway, settings.builtin_tools);
        let parts = Parts {
            gateway,
            settings,
            tools,
            executions: executions::Executions::default(),
            stop,
        };
        Self {
            parts: Arc::new(parts),
        }
    }

    /// Whether the HTTP+SSE transport is offered.
    #[must_use]
    pub fn offers_sse(&self) -> bool {
        self.parts.settings.legacy_sse
    }

    /// Every tool as it is advertised now, whatever is selected.
    #[must_use]
    pub fn advertised(&self) -> Vec<AdvertisedTool> {
        self.tools().all()
    }

    fn gateway(&self) -> &Gateway {
        &self.parts.gateway
    }

    fn settings(&self) -> Settings {
        self.parts.settings
    }

    /// The tools as they are advertised now.
    fn tools(&self) -> Arc<tool_list::Advertised> {
        self.parts.tools.current(&self.parts.gateway)
    }
}
