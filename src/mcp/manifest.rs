//! What the gateway is and what it offers, as one document that needs no running gateway to be read.
//!
//! Owns the two forms of it: the `server.json` of the MCP Registry (schema 2025-12-11,
//! <https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json>), and a superset of it that also names
//! the transports, the protocol revisions and every tool. Refuses to know who may see which tool: this is the catalogue
//! with every service set up.
//!
//! Nothing is claimed that is not so: there is no `repository` and no `packages` until there is a public one of each.

use std::collections::BTreeMap;

use rmcp::model::{ProtocolVersion, Tool as McpTool};
use serde::Serialize;

use super::{builtin, convert};
use crate::catalogue::Catalogue;

const SCHEMA: &str = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json";

/// The schema wants a name under a domain. `.internal` is reserved for private use, so this one claims nobody's domain
/// until there is one to publish under.
const NAME: &str = "internal.attache/attache";

/// At most 100 characters, says the schema.
const DESCRIPTION: &str =
    "A self-hosted gateway: agents call third-party tools with each person's own connections.";

/// A server, as the MCP Registry describes one.
#[derive(Debug, Serialize)]
pub struct ServerJson {
    #[serde(rename = "$schema")]
    schema: &'static str,
    name: &'static str,
    title: &'static str,
    description: &'static str,
    version: &'static str,
    remotes: Vec<Remote>,
}

/// [`ServerJson`], and what the gateway offers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    #[serde(flatten)]
    server: ServerJson,
    transports: Vec<Transport>,
    protocol_versions: Vec<ProtocolVersion>,
    tools: Vec<McpTool>,
}

/// A way to speak MCP with the gateway.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Transport {
    Stdio {
        command: &'static str,
        args: Vec<&'static str>,
    },
    StreamableHttp {
        path: &'static str,
    },
    Sse {
        path: &'static str,
    },
}

/// Where a gateway is found that somebody runs for others.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Remote {
    #[serde(rename = "type")]
    kind: &'static str,
    url: &'static str,
    headers: Vec<Header>,
    variables: BTreeMap<&'static str, Input>,
}

/// A header that a client has to send.
#[derive(Debug, Serialize)]
struct Header {
    name: &'static str,
    value: &'static str,
    #[serde(flatten)]
    input: Input,
    variables: BTreeMap<&'static str, Input>,
}

/// What a client has to ask its person for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    description: &'static str,
    is_required: bool,
    is_secret: bool,
}

impl ServerJson {
    /// This version of Attache.
    #[must_use]
    pub fn of_this_version() -> Self {
        Self {
            schema: SCHEMA,
            name: NAME,
            title: "Attache",
            description: DESCRIPTION,
            version: env!("CARGO_PKG_VERSION"),
            remotes: vec![remote()],
        }
    }
}

impl Manifest {
    /// This version of Attache with every service of `catalogue` set up: its tools are those that `tools/list` then
    /// advertises, word for word and in the same order.
    #[must_use]
    pub fn new(catalogue: &Catalogue) -> Self {
        let providers = catalogue.providers();
        let ids: Vec<_> = providers.iter().map(|provider| provider.id()).collect();
        let of_services = providers.iter().flat_map(|provider| provider.tools());
        Self {
            server: ServerJson::of_this_version(),
            transports: vec![
                Transport::Stdio {
                    command: "attache",
                    args: vec!["stdio"],
                },
                Transport::StreamableHttp { path: "/mcp" },
                Transport::Sse { path: "/sse" },
            ],
            protocol_versions: ProtocolVersion::KNOWN_VERSIONS.to_vec(),
            tools: of_services
                .map(|tool| convert::tool(tool))
                .chain(builtin::tools(&ids))
                .collect(),
        }
    }
}

fn remote() -> Remote {
    let host = Input {
        description: "Host, and port if there is one, of the gateway that you or your organization runs: its \
                      public_url without https://",
        is_required: true,
        is_secret: false,
    };
    let token = Input {
        description: "Your agent token, as the gateway printed it",
        is_required: true,
        is_secret: true,
    };
    Remote {
        kind: "streamable-http",
        url: "https://{host}/mcp",
        headers: vec![Header {
            name: "Authorization",
            value: "Bearer {agent_token}",
            input: Input {
                description: "Says which person the agent acts for",
                is_required: true,
                is_secret: true,
            },
            variables: BTreeMap::from([("agent_token", token)]),
        }],
        variables: BTreeMap::from([("host", host)]),
    }
}
