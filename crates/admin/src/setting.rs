//! One setting of a server, by `CONFIG GET`.

use compartment_core::Result;
use compartment_redis::Connection;

/// The setting of a node; `None` if the server does not know it.
///
/// # Errors
/// The server's, if it hides `CONFIG`, and the connection's.
pub(crate) async fn setting(node: &mut Connection, name: &str) -> Result<Option<String>> {
    let mut command = redis::cmd("CONFIG");
    command.arg("GET").arg(name);
    let answer: Vec<(String, String)> = node.ask("read a setting", &command).await?;
    Ok(answer.into_iter().find(|(known, _)| known == name).map(|(_, value)| value))
}
