//! MCP over stdin and stdout: one process, one caller.

use rmcp::ServiceExt;
use rmcp::service::{QuitReason, ServerInitializeError};

use super::Server;

/// Why serving stdin and stdout ended badly.
#[derive(Debug, thiserror::Error)]
pub enum StdioError {
    /// The other side spoke something else than MCP first.
    #[error("the client did not begin with an MCP request: {0}")]
    Handshake(String),
    /// The task that serves broke.
    #[error("serving stdin and stdout broke off: {0}")]
    Broken(String),
}

/// Serves one client until it closes its side. A client that leaves before it says anything is no error.
///
/// # Errors
/// [`StdioError`].
pub async fn serve_stdio(server: Server) -> Result<(), StdioError> {
    let running = match server.serve(rmcp::transport::stdio_pipes()).await {
        Ok(running) => running,
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => return Err(StdioError::Handshake(error.to_string())),
    };
    match running.waiting().await {
        Ok(QuitReason::JoinError(error)) | Err(error) => Err(StdioError::Broken(error.to_string())),
        Ok(_) => Ok(()),
    }
}
