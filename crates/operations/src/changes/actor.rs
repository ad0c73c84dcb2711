//! Who makes a change.

use compartment_admin::printable;

/// The longest name of an actor, in characters.
const MAX_NAME: usize = 120;

/// Who plans and makes a change: a person at a dashboard, an agent, a command.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Actor {
    /// The way it came and the login or program, as the log shows it: `page anna`, `mcp claude-desktop`.
    pub name: String,
    /// Its session. A plan is acted on only by the session that made it.
    pub session: String,
}

impl Actor {
    /// An actor. A name that others chose is cut and made printable.
    #[must_use]
    pub fn new(name: &str, session: impl Into<String>) -> Self {
        let name: String = printable(name).chars().take(MAX_NAME).collect();
        Self { name, session: session.into() }
    }
}
