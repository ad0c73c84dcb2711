//! Finds out why a connection fails if its error does not say so.

use std::time::Duration;

use compartment_core::{Error, ErrorKind, Scheme, TlsFiles};
use redis::{Client, ConnectionAddr, RedisError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::RedisConfig;
use crate::wire::dial::Dialer;

/// How long a server may take to say why it closes connections, or which protocol it uses. This only improves the
/// message.
const PATIENCE: Duration = Duration::from_millis(500);
/// The maximum number of bytes to read. Protected mode sends more than a thousand bytes of explanation.
const MAX_BYTES: usize = 8 * 1024;

/// The server's own message, if it closed the connection. A server with too many clients or in protected mode sends a
/// message and closes; a client that writes meanwhile sees only a broken connection.
pub(crate) async fn words_of(client: &Client) -> Option<RedisError> {
    let words = match client.get_connection_info().addr() {
        ConnectionAddr::Tcp(host, port) => {
            first_words(TcpStream::connect((host.as_str(), *port)), b"").await?
        }
        #[cfg(unix)]
        ConnectionAddr::Unix(path) => {
            first_words(tokio::net::UnixStream::connect(path), b"").await?
        }
        _ => return None,
    };
    redis::parse_redis_value(&words).ok()?.extract_error().err()
}

/// Returns the error of a first connection, or a better one if the server uses TLS and the URL does not, or the other
/// way round.
pub(crate) async fn about_tls(config: &RedisConfig, error: Error) -> Error {
    let may_be = matches!(
        error.kind(),
        ErrorKind::Unavailable | ErrorKind::Interrupted | ErrorKind::Protocol | ErrorKind::Timeout
    );
    let Some(address) = config.url.addresses().next().filter(|_| may_be) else { return error };
    let is_other_way = match config.url.is_tls() {
        true => speaks_without_tls(address).await,
        false => speaks_tls(config, address).await,
    };
    if !is_other_way {
        return error;
    }
    let what = match (config.url.is_tls(), config.url.scheme()) {
        (true, _) => {
            "the server does not speak TLS at this port: write redis instead of rediss in the URL, \
                      or name the port that does (tls-port)"
        }
        (false, Scheme::Standalone | Scheme::Sentinel | Scheme::Cluster) => {
            "the server speaks TLS at this port: write rediss instead of redis in the URL"
        }
        _ => return error,
    };
    Error::new(ErrorKind::Protocol, "connect", what).caused_by(error)
}

async fn speaks_without_tls((host, port): (&str, u16)) -> bool {
    let words = first_words(TcpStream::connect((host, port)), b"PING\r\n").await;
    words.is_some_and(|words| words.starts_with(b"+") || words.starts_with(b"-"))
}

async fn speaks_tls(config: &RedisConfig, (host, port): (&str, u16)) -> bool {
    let address =
        ConnectionAddr::TcpTls { host: host.to_owned(), port, insecure: false, tls_params: None };
    let limit = PATIENCE.min(config.connect_timeout);
    let dialer = Dialer::new(TlsFiles::default());
    match tokio::time::timeout(limit, dialer.open(&address)).await {
        Ok(Ok(_)) => true,
        // It showed a certificate, so it uses TLS.
        Ok(Err(error)) => error.to_string().to_ascii_lowercase().contains("certificate"),
        Err(_) => false,
    }
}

/// The first line that the server sends after `asked` was written.
async fn first_words<S: AsyncRead + AsyncWrite + Unpin>(
    connect: impl Future<Output = std::io::Result<S>>,
    asked: &[u8],
) -> Option<Vec<u8>> {
    let work = async {
        let mut stream = connect.await.ok()?;
        stream.write_all(asked).await.ok()?;
        let mut words = Vec::new();
        let mut chunk = [0; 1024];
        while !words.ends_with(b"\r\n") && words.len() < MAX_BYTES {
            match stream.read(&mut chunk).await {
                Ok(length) if length > 0 => words.extend_from_slice(&chunk[..length]),
                _ => break,
            }
        }
        Some(words).filter(|words| !words.is_empty())
    };
    tokio::time::timeout(PATIENCE, work).await.ok()?
}
