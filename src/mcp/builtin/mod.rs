//! Attache's own tools: what is connected, and one link for everything that a task needs.
//!
//! There are few, since each takes room in every agent's context. They are offered where all services are, and not where a
//! client has selected some.

mod connect;
mod connections;

use std::sync::Arc;

use rmcp::RoleServer;
use rmcp::model::{CallToolRequestParams, Tool as McpTool, ToolAnnotations};
use rmcp::service::RequestContext;
use serde_json::{Map, Value};

use super::convert;
use super::executions::Outcome;
use super::server::Server;
use crate::identity::Caller;

/// One of Attache's own tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Builtin {
    /// One link for several services.
    Connect,
    /// What is connected.
    Connections,
}

const CONNECT: &str = "attache_connect";
const CONNECTIONS: &str = "attache_connections";

impl Builtin {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            CONNECT => Some(Self::Connect),
            CONNECTIONS => Some(Self::Connections),
            _ => None,
        }
    }

    pub(super) async fn run(
        self,
        server: &Server,
        context: &RequestContext<RoleServer>,
        caller: &Caller,
        request: CallToolRequestParams,
    ) -> Outcome {
        if let Err(over) = server.surface.gateway().check_time(caller) {
            return convert::call_error(over).map(Into::into);
        }
        match self {
            Self::Connect => connect::run(server, context, caller, request).await,
            Self::Connections => connections::run(server, caller, request).await,
        }
    }
}

/// How they are advertised; none where no service can be connected.
pub(super) fn tools(enabled: &[&str]) -> Vec<McpTool> {
    if enabled.is_empty() {
        return Vec::new();
    }
    vec![connect::definition(enabled), connections::definition()]
}

/// The hints of a tool that changes nothing and asks no one but this gateway.
fn only_looks() -> ToolAnnotations {
    ToolAnnotations::from_raw(None, Some(true), Some(false), Some(true), Some(false))
}

/// A schema as rmcp takes it.
fn schema(value: Value) -> Arc<Map<String, Value>> {
    match value {
        Value::Object(schema) => Arc::new(schema),
        _ => Arc::default(),
    }
}
