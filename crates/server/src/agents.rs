//! The MCP server for agents at `/mcp`. The guard has checked the token, the host and the origin before.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn};
use compartment_mcp::{Caller, HttpOptions, McpServer, http_service};
use compartment_operations::Operations;
use compartment_operations::changes::Changes;

use crate::ServerOptions;
use crate::state::Shared;

/// The route.
pub(crate) fn agents(operations: &Operations, options: &ServerOptions) -> Router<Arc<Shared>> {
    let changes = Changes::new(operations.clone(), options.agents.clone());
    let service = http_service(McpServer::new(changes), HttpOptions::default());
    let may_change = options.allows_changes;
    let known = from_fn(move |mut request: Request, next: Next| async move {
        request.extensions_mut().insert(Caller::new("token", may_change));
        as_local(&mut request);
        next.run(request).await
    });
    Router::new().route_service("/mcp", service).layer(known)
}

/// The service has a list of hosts and origins of its own, which the guard's take the place of.
fn as_local(request: &mut Request) {
    let headers = request.headers_mut();
    headers.insert(header::HOST, HeaderValue::from_static("localhost"));
    headers.remove(header::ORIGIN);
}
