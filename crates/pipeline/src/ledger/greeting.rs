//! Asks a PostgreSQL server without TLS how it wants to be logged in to, before it is told anything.

use std::io::{Error, ErrorKind, Result};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The request for TLS: its length and its code.
const TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
/// Version 3.0 of the protocol.
const VERSION: [u8; 4] = [0, 3, 0, 0];
/// The longest answer to a login that is read: an error.
const LONGEST: usize = 64 * 1024;

/// The codes of answers to a login.
const TRUSTED: u32 = 0;
const SASL: u32 = 10;

/// The server and the login.
pub(super) struct Sought<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) user: &'a str,
    pub(super) database: &'a str,
}

/// How a server wants to be logged in to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Greeting {
    /// Over TLS.
    Tls,
    /// Without TLS, by a proof that does not contain the password, or by nothing.
    Plain,
    /// Without TLS, by the password, or by a hash from which it can be guessed.
    WantsPassword,
}

/// Asks the server, and hangs up. The caller bounds the time.
///
/// # Errors
/// If the server cannot be reached, or does not speak PostgreSQL's protocol.
pub(super) async fn greet(sought: &Sought<'_>) -> Result<Greeting> {
    let host = sought.host.trim_start_matches('[').trim_end_matches(']');
    let mut stream = TcpStream::connect((host, sought.port)).await?;
    stream.write_all(&TLS_REQUEST).await?;
    match stream.read_u8().await? {
        b'S' => return Ok(Greeting::Tls),
        b'N' => {}
        _ => return Err(unlike()),
    }
    stream.write_all(&login(sought)).await?;
    let kind = stream.read_u8().await?;
    let length = usize::try_from(stream.read_u32().await?).unwrap_or(usize::MAX);
    match kind {
        // The client will be told the reason too.
        b'E' if (5..LONGEST).contains(&length) => Ok(Greeting::Plain),
        b'R' if (8..LONGEST).contains(&length) => match stream.read_u32().await? {
            TRUSTED | SASL => Ok(Greeting::Plain),
            _ => Ok(Greeting::WantsPassword),
        },
        _ => Err(unlike()),
    }
}

fn unlike() -> Error {
    Error::new(ErrorKind::InvalidData, "the server does not speak PostgreSQL's protocol")
}

/// The first message of a login.
fn login(sought: &Sought<'_>) -> Vec<u8> {
    let mut body = VERSION.to_vec();
    for text in ["user", sought.user, "database", sought.database] {
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    body.push(0);
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], &body].concat()
}
