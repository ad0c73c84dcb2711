//! A small Redis client that inspects a test's server without the client under test.

use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A server's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// No value.
    Nil,
    /// A number.
    Integer(i64),
    /// Bytes, or a status such as `OK`.
    Bytes(Vec<u8>),
    /// Several answers.
    Array(Vec<Reply>),
    /// An error, beginning with its code.
    Error(String),
}

impl Reply {
    /// Bytes as text; an array as one line per element; nil as the empty text.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Nil => String::new(),
            Self::Integer(number) => number.to_string(),
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Array(replies) => replies.iter().map(Self::text).collect::<Vec<_>>().join("\n"),
            Self::Error(error) => error.clone(),
        }
    }

    /// The number, if it is one.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The elements of an array; empty for other answers.
    #[must_use]
    pub fn array(&self) -> &[Reply] {
        match self {
            Self::Array(replies) => replies,
            _ => &[],
        }
    }

    /// Whether it is an error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }
}

/// A connection to a server.
#[derive(Debug)]
pub struct RespConnection {
    stream: BufReader<TcpStream>,
}

/// Time-out; the server is on this machine and its commands are small.
const PATIENCE: Duration = Duration::from_secs(30);

impl RespConnection {
    /// Connects to a port of this machine.
    ///
    /// # Errors
    /// If no server listens there.
    pub async fn open(port: u16) -> std::io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends a command and reads its answer.
    ///
    /// # Errors
    /// If the connection breaks, or the answer takes more than half a minute.
    pub async fn send<A: AsRef<[u8]>>(&mut self, command: &[A]) -> std::io::Result<Reply> {
        self.stream.get_mut().write_all(&encode(command)).await?;
        tokio::time::timeout(PATIENCE, read_reply(&mut self.stream)).await?
    }
}

/// A command in wire format.
pub(crate) fn encode<A: AsRef<[u8]>>(command: &[A]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", command.len()).into_bytes();
    for argument in command {
        let argument = argument.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        bytes.extend_from_slice(argument);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

fn read_reply(stream: &mut BufReader<TcpStream>) -> BoxFuture<'_, std::io::Result<Reply>> {
    async move {
        let mut line = Vec::new();
        stream.read_until(b'\n', &mut line).await?;
        let Some((kind, rest)) = line.strip_suffix(b"\r\n").and_then(<[u8]>::split_first) else {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        };
        let text = String::from_utf8_lossy(rest).into_owned();
        let number = || text.parse::<i64>().map_err(std::io::Error::other);
        Ok(match kind {
            b'+' => Reply::Bytes(rest.to_vec()),
            b'-' => Reply::Error(text),
            b':' => Reply::Integer(number()?),
            b'$' => match usize::try_from(number()?) {
                Err(_) => Reply::Nil,
                Ok(length) => {
                    let mut bytes = vec![0; length + 2];
                    stream.read_exact(&mut bytes).await?;
                    bytes.truncate(length);
                    Reply::Bytes(bytes)
                }
            },
            b'*' => match usize::try_from(number()?) {
                Err(_) => Reply::Nil,
                Ok(length) => {
                    let mut replies = Vec::with_capacity(length);
                    for _ in 0..length {
                        replies.push(read_reply(stream).await?);
                    }
                    Reply::Array(replies)
                }
            },
            other => {
                return Err(std::io::Error::other(format!("an answer of kind {other} is unknown")));
            }
        })
    }
    .boxed()
}
