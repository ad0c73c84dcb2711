//! The server over standard input and output, which then carry the protocol and nothing else.

use rmcp::service::{QuitReason, serve_server};
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::stdio_pipes;

use crate::McpServer;

/// The longest message that is read, in bytes. A longer one is dropped.
const MAX_LINE: usize = 1024 * 1024;

/// Why the protocol ended before its client did.
#[derive(Debug, thiserror::Error)]
#[error("the MCP client did not speak the protocol: {0}")]
pub struct StdioError(String);

/// Serves one client until it closes standard input, and then waits for a change that is under way.
///
/// # Errors
/// [`StdioError`] if the client does not begin as the protocol demands.
pub async fn serve_stdio(server: McpServer) -> Result<(), StdioError> {
    let changes = server.changes().clone();
    let (input, output) = stdio_pipes();
    let transport = AsyncRwTransport::new_server(input, output).with_max_line_length(MAX_LINE);
    let running =
        serve_server(server, transport).await.map_err(|error| StdioError(error.to_string()))?;
    let ended = running.waiting().await;
    changes.settled().await;
    match ended {
        Ok(QuitReason::JoinError(error)) | Err(error) => Err(StdioError(error.to_string())),
        Ok(_) => Ok(()),
    }
}
