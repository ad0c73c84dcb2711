//! Who calls: the client of a process, or a login that the web server checked.

use compartment_operations::changes::Actor;
use rmcp::RoleServer;
use rmcp::service::RequestContext;

/// A caller over HTTP, as the web server in front authenticated it. It goes into the request's extensions; a request
/// without it may read and may change nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caller {
    /// The login, as the log of changes shows it.
    pub name: String,
    /// Whether this login may change what the operator allows.
    pub may_change: bool,
}

impl Caller {
    /// A caller with this login.
    #[must_use]
    pub fn new(name: impl Into<String>, may_change: bool) -> Self {
        Self { name: name.into(), may_change }
    }
}

/// A caller, with the session that its plans belong to.
#[derive(Clone, Debug)]
pub(crate) struct Called {
    pub(crate) actor: Actor,
    pub(crate) may_change: bool,
}

/// The header by which clients of older protocols name their session.
const SESSION: &str = "mcp-session-id";

/// The caller of a request. `own_session` is the session of a process that serves one client.
pub(crate) fn of(context: &RequestContext<RoleServer>, own_session: &str) -> Called {
    let client = context.client_info().map_or_else(String::new, |client| client.name);
    let Some(request) = context.extensions.get::<http::request::Parts>() else {
        let actor = Actor::new(format!("mcp {client}").trim(), own_session);
        return Called { actor, may_change: true };
    };
    let caller = request.extensions.get::<Caller>();
    let login = caller.map_or("nobody", |caller| caller.name.as_str());
    let session = request.headers.get(SESSION).and_then(|id| id.to_str().ok()).unwrap_or_default();
    Called {
        actor: Actor::new(
            format!("mcp http {login} {client}").trim(),
            format!("{own_session}/{login}/{session}"),
        ),
        may_change: caller.is_some_and(|caller| caller.may_change),
    }
}
