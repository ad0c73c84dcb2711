//! Opens a connection to a server: the login, the version of the protocol and the index, each acknowledged.

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

/// A connection on which the next request can be sent.
pub(crate) async fn opened(
    server: &RedisConfig,
    login: &Login,
    resp: Resp,
    index: u32,
) -> Result<ServerStream, NotOpened> {
    let stream = ServerStream::open(server, *login == Login::OfUrl).await;
    let mut stream = stream.map_err(NotOpened::Away)?;
    let mut hello = BytesMut::new();
    let mut replies = 0;
    if let Login::User { name, password } = login {
        let words = [b"AUTH".as_slice()].into_iter().chain(name.as_deref()).chain([&password[..]]);
        write::request(words.collect::<Vec<_>>(), &mut hello);
        replies += 1;
    }
    // So that operators know whose connection it is. A user that may not say it goes without.
    write::request([b"CLIENT".as_slice(), b"SETNAME", b"compartment:front"], &mut hello);
    replies += 1;
    if resp == Resp::Three {
        write::request([b"HELLO".as_slice(), b"3"], &mut hello);
        replies += 1;
    }
    if index != 0 {
        write::request([b"SELECT".as_slice(), index.to_string().as_bytes()], &mut hello);
        replies += 1;
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
    while replies > 0 {
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
        if let Some(error) = reply.strip_prefix(b"-") {
            let error = String::from_utf8_lossy(error).trim_end().to_owned();
            // A program that has not logged in gets the server's own answer to its requests; a name is not needed.
            let is_for_the_program = *login == Login::Nobody
                && (error.starts_with("NOAUTH") || error.starts_with("NOPERM"));
            let is_of_the_name = error.starts_with("NOPERM") && error.contains("client");
            if !is_for_the_program && !is_of_the_name {
                return Err(NotOpened::Refused(error));
            }
        }
        replies -= 1;
    }
    Ok(stream)
}
