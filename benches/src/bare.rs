//! The bare MCP server: the same SDK as the product's, one request to the API for each call, and not one check.

use std::sync::Arc;

use axum::Router;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::Map;

use crate::call::{ECHO, ECHOED, GET};

#[derive(Clone)]
struct Bare {
    http: reqwest::Client,
    upstream: Arc<str>,
    tools: Arc<[Tool; 2]>,
}

/// Serves until the benchmark ends.
pub(crate) async fn serve(upstream: &str) -> anyhow::Result<()> {
    let tool = |name| Tool::new(name, "One of two.", Arc::new(Map::new()));
    let bare = Bare {
        http: crate::proxy::client()?,
        upstream: upstream.into(),
        tools: Arc::new([tool(GET), tool(ECHO)]),
    };
    let service = StreamableHttpService::new(
        move || Ok(bare.clone()),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default().with_json_response(true),
    );
    crate::serving::until_stdin_ends(Router::new().route_service("/mcp", service)).await
}

impl Bare {
    async fn get(&self, size: &str) -> Result<String, reqwest::Error> {
        let url = format!("{}/items/{size}", self.upstream);
        self.http.get(url).send().await?.text().await
    }
}

impl ServerHandler for Bare {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools.to_vec()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let text = if request.name == ECHO {
            ECHOED.to_owned()
        } else {
            let arguments = request.arguments.unwrap_or_default();
            let size = arguments.get("size").and_then(|size| size.as_str());
            self.get(size.unwrap_or_default())
                .await
                .map_err(|error| ErrorData::internal_error(error.to_string(), None))?
        };
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools.iter().find(|tool| tool.name == name).cloned()
    }
}
