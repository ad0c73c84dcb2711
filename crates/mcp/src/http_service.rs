//! The server over HTTP, as a service that a web server mounts.

use std::sync::Arc;

use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

use crate::McpServer;

/// The largest request, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// The service: `tower_service::Service<http::Request<B>>`.
pub type HttpService = StreamableHttpService<McpServer, NeverSessionManager>;

/// Where requests may come from.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct HttpOptions {
    /// Names or `name:port` in the header `Host`, beside those of the loopback device.
    pub hosts: Vec<String>,
    /// Origins of pages, such as `https://ops.example:8090`. A request of any other page is refused; a request without
    /// an origin is not of a page.
    pub origins: Vec<String>,
}

/// The server as a service to mount at one path, such as `/mcp`. Authentication is in front of it, and puts a
/// [`crate::Caller`] into the request's extensions. No session is kept from request to request; plans belong to the
/// caller's login.
#[must_use]
pub fn http_service(server: McpServer, options: HttpOptions) -> HttpService {
    let mut config = StreamableHttpServerConfig::default();
    config.allowed_hosts.extend(options.hosts);
    config.allowed_origins = options.origins;
    let config = config
        .enforce_origin_validation()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(MAX_BODY);
    let sessions = Arc::new(NeverSessionManager::default());
    StreamableHttpService::new(move || Ok(server.clone()), sessions, config)
}
