//! Opens a connection to a server: the login, the version of the protocol and the index, each acknowledged.

use std::collections::VecDeque;

use bytes::BytesMut;
use compartment_core::Error;
use compartment_redis::{RedisConfig, ServerStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::login::Login;
use crate::resp::scanner::ReplyScanner;
use crate::resp::{Resp, write};

/// Why a connection could not be opened.
#[derive(Debug)]
pub(crate) enum NotOpened {
    /// The server could not be reached.
    Away(Error),
    /// The server said no: its error, without the `-`.
    Refused(String),
}

/// Whether a connection can be used if the server refuses a step of its opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Matters {
    Yes,
    No,
}

/// A connection on which the next request can be sent: to a server, or to the node of a cluster at this address.
pub(crate) async fn opened(
    server: &RedisConfig,
    node: Option<&str>,
    login: &Login,
    resp: Resp,
    index: u32,
) -> Result<ServerStream, NotOpened> {
    let logs_in = *login == Login::OfUrl;
    let stream = match node {
        Some(address) => ServerStream::open_node(server, address, logs_in).await,
        None => ServerStream::open(server, logs_in).await,
    };
    let mut stream = stream.map_err(NotOpened::Away)?;
    let mut hello = BytesMut::new();
    // The replies to come, and whether a refusal matters.
    let mut replies = VecDeque::new();
    if let Login::User { name, password } = login {
        let words = [b"AUTH".as_slice()].into_iter().chain(name.as_deref()).chain([&password[..]]);
        write::request(words.collect::<Vec<_>>(), &mut hello);
        replies.push_back(Matters::Yes);
    }
    // So that operators know whose connection it is. A user that may not say it goes without.
    write::request([b"CLIENT".as_slice(), b"SETNAME", b"compartment:front"], &mut hello);
    replies.push_back(Matters::No);
    if resp == Resp::Three {
        write::request([b"HELLO".as_slice(), b"3"], &mut hello);
        replies.push_back(Matters::Yes);
    }
    if index != 0 {
        write::request([b"SELECT".as_slice(), index.to_string().as_bytes()], &mut hello);
        replies.push_back(Matters::Yes);
    }
    let broken = |error: std::io::Error| {
        NotOpened::Away(Error::new(
            compartment_core::ErrorKind::Interrupted,
            "connect",
            format!("the connection broke while it was opened ({error})"),
        ))
    };
    stream.write_all(&hello).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    let mut read = BytesMut::new();
    while let Some(matters) = replies.front() {
        // Asked from the first byte: these replies are short.
        let scanned = ReplyScanner::default().scan(&read);
        let scanned = scanned.map_err(|error| NotOpened::Refused(format!("ERR {error}")))?;
        if !scanned.is_whole {
            if read.len() > 64 << 10 || stream.read_buf(&mut read).await.map_err(broken)? == 0 {
                return Err(broken(std::io::ErrorKind::UnexpectedEof.into()));
            }
            continue;
        }
        let reply = read.split_to(scanned.length);
        // At another index, or in another protocol, than was asked for, no request may be sent.
        if let Some(error) = reply.strip_prefix(b"-").filter(|_| *matters == Matters::Yes) {
            return Err(NotOpened::Refused(String::from_utf8_lossy(error).trim_end().to_owned()));
        }
        replies.pop_front();
    }
    Ok(stream)
}
