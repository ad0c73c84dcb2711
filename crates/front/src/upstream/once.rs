//! One question to a server, on a connection for it alone.

use bytes::BytesMut;
use compartment_core::{Error, ErrorKind, Result};
use compartment_redis::{RedisConfig, ServerStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::resp::scanner::ReplyScanner;
use crate::resp::write;

/// The reply to a request, of at most `most` bytes: from a server, or from the node of a cluster at this address.
///
/// # Errors
/// If the server cannot be reached, or does not answer in time.
pub(crate) async fn asked_once(
    config: &RedisConfig,
    node: Option<&str>,
    words: &[&[u8]],
    most: usize,
) -> Result<BytesMut> {
    let place = node.map_or_else(|| config.url.to_string(), str::to_owned);
    let failed = |what: String| {
        Error::new(ErrorKind::Unavailable, "ask a server", format!("{place}: {what}"))
    };
    let read = async {
        let mut stream = match node {
            Some(address) => ServerStream::open_node(config, address, true).await?,
            None => ServerStream::open(config, true).await?,
        };
        let broken = |error: std::io::Error| failed(error.to_string());
        stream.write_all(&write::frame(words)).await.map_err(broken)?;
        stream.flush().await.map_err(broken)?;
        let (mut reply, mut scanner, mut at) = (BytesMut::new(), ReplyScanner::default(), 0);
        loop {
            if stream.read_buf(&mut reply).await.map_err(broken)? == 0 || reply.len() > most {
                return Err(failed("the answer ended, or is too long".to_owned()));
            }
            let scanned = scanner.scan(&reply[at..]).map_err(|error| failed(error.to_string()))?;
            at += scanned.length;
            if scanned.is_whole {
                return Ok(reply);
            }
        }
    };
    let limit = config.connect_timeout * 4 + config.response_timeout;
    let read = tokio::time::timeout(limit, read).await;
    read.unwrap_or_else(|_| Err(failed(format!("no answer within {limit:?}"))))
}
