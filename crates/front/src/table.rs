//! Reads the table of commands from the servers.

use compartment_core::{Error, ErrorKind, Result, Scheme};
use compartment_redis::RedisConfig;

use crate::commands::CommandTable;
use crate::resp::Tree;
use crate::upstream::asked_once;

/// The most bytes of an answer to COMMAND: that of Redis 8.2 has 250 KB.
const MOST: usize = 16 << 20;

/// The table of the first server that answers.
///
/// # Errors
/// That of the first server, if none answers.
pub(crate) async fn read_table<'a>(
    servers: impl Iterator<Item = &'a (String, RedisConfig)>,
) -> Result<CommandTable> {
    let mut first = None;
    for (name, config) in servers {
        let nodes: Vec<Option<String>> = match config.url.scheme() {
            Scheme::Cluster => {
                config.url.addresses().map(|(host, port)| Some(format!("{host}:{port}"))).collect()
            }
            _ => vec![None],
        };
        for node in nodes {
            // Boxed: opening a connection is a large future.
            match Box::pin(of_server(config, node.as_deref())).await {
                Ok(table) => return Ok(table),
                Err(error) => {
                    tracing::warn!(server = name, "{error}");
                    first.get_or_insert(error);
                }
            }
        }
    }
    Err(first.unwrap_or_else(|| {
        Error::new(ErrorKind::Configuration, "open the front", "the map has no server")
    }))
}

async fn of_server(config: &RedisConfig, node: Option<&str>) -> Result<CommandTable> {
    let failed =
        |what: String| Error::new(ErrorKind::Unavailable, "read the server's commands", what);
    let reply = asked_once(config, node, &[b"COMMAND"], MOST).await?;
    let tree = Tree::parse(&reply).map_err(|error| failed(error.to_string()))?;
    let (tree, _) = tree.ok_or_else(|| failed("the answer to COMMAND is cut off".to_owned()))?;
    CommandTable::read(&tree).map_err(|error| failed(format!("{}: {error}", config.url)))
}
