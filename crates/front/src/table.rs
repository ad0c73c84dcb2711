//! Reads the table of commands from the servers.

use bytes::BytesMut;
use compartment_core::{Error, ErrorKind, Result};
use compartment_redis::{RedisConfig, ServerStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::commands::CommandTable;
use crate::resp::scanner::ReplyScanner;
use crate::resp::{Tree, write};

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
        // Boxed: opening a connection is a large future.
        match Box::pin(of_server(config)).await {
            Ok(table) => return Ok(table),
            Err(error) => {
                tracing::warn!(server = name, "{error}");
                first.get_or_insert(error);
            }
        }
    }
    Err(first.unwrap_or_else(|| {
        Error::new(ErrorKind::Configuration, "open the front", "the map has no server")
    }))
}

async fn of_server(config: &RedisConfig) -> Result<CommandTable> {
    let failed =
        |what: String| Error::new(ErrorKind::Unavailable, "read the server's commands", what);
    let read = async {
        let mut stream = ServerStream::open(config, true).await?;
        let request = write::frame(&[b"COMMAND"]);
        let broken = |error: std::io::Error| failed(format!("{}: {error}", config.url));
        stream.write_all(&request).await.map_err(broken)?;
        stream.flush().await.map_err(broken)?;
        let (mut reply, mut scanner, mut at) = (BytesMut::new(), ReplyScanner::default(), 0);
        loop {
            if stream.read_buf(&mut reply).await.map_err(broken)? == 0 || reply.len() > MOST {
                return Err(failed(format!("{}: the answer to COMMAND ended", config.url)));
            }
            let scanned = scanner.scan(&reply[at..]).map_err(|error| failed(error.to_string()))?;
            at += scanned.length;
            if scanned.is_whole {
                break;
            }
        }
        let tree = Tree::parse(&reply).map_err(|error| failed(error.to_string()))?;
        let (tree, _) =
            tree.ok_or_else(|| failed("the answer to COMMAND is cut off".to_owned()))?;
        CommandTable::read(&tree).map_err(|error| failed(format!("{}: {error}", config.url)))
    };
    let limit = config.connect_timeout * 4 + config.response_timeout;
    tokio::time::timeout(limit, read).await.unwrap_or_else(|_| {
        Err(failed(format!("{}: no answer to COMMAND within {limit:?}", config.url)))
    })
}
