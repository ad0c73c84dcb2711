//! The raw bytes of a server after the login, for exchanges that are not request and response.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use compartment_core::{Error, ErrorKind, Result};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::error::{Phase, convert};
use crate::secrets;
use crate::wire::connector::{Connector, host_and_port};
use crate::wire::dial::{Dialer, Socket};
use crate::wire::login::connection_info;
use crate::{RedisConfig, Server};

/// An open connection to a server, logged in, in database 0, with RESP2. Its bytes are not interpreted.
pub struct ServerStream(Socket);

impl fmt::Debug for ServerStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerStream")
    }
}

impl Server {
    /// Opens a connection of raw bytes: to the server, or to the master that Sentinel names.
    ///
    /// # Errors
    /// If the server cannot be reached or rejects the login; always for a cluster.
    pub async fn open_stream(&self) -> Result<ServerStream> {
        opened(self.config(), None, true).await
    }
}

/// Opens a connection within the time that the configuration gives.
async fn opened(config: &RedisConfig, node: Option<&str>, logs_in: bool) -> Result<ServerStream> {
    let limit = config.connect_timeout * 4;
    let opened = tokio::time::timeout(limit, open(config, node, logs_in)).await;
    let opened = opened.unwrap_or_else(|_| {
        let late = format!("no connection within {limit:?}; the server is busy or gone");
        Err(Error::new(ErrorKind::Unavailable, "connect", late))
    });
    opened.map_err(|error| {
        let place = node.map_or_else(|| config.url.to_string(), str::to_owned);
        Error::new(error.kind(), "connect", format!("{place}: {}", error.message()))
    })
}

async fn open(config: &RedisConfig, node: Option<&str>, logs_in: bool) -> Result<ServerStream> {
    let info = match node {
        Some(address) => connection_info(config, host_and_port(address), 0)?,
        None => Connector::new(config, 0, String::new())?.locate().await?,
    };
    let socket = Dialer::new(config.tls.clone()).open(info.addr()).await;
    let socket = socket.map_err(|error| convert("connect", Phase::Connect, &error))?;
    let mut stream = ServerStream(socket);
    let settings = info.redis_settings();
    if let Some(password) = settings.password().filter(|_| logs_in) {
        stream.log_in(settings.username(), password).await?;
    }
    Ok(stream)
}

impl ServerStream {
    /// Opens a connection without asking the server what it is: to the server, or to the master that Sentinel names.
    /// With `logs_in` the login is the URL's; without it nothing is said, and the caller logs in or does not.
    ///
    /// # Errors
    /// If the server cannot be reached or rejects the login; always for a cluster.
    pub async fn open(config: &RedisConfig, logs_in: bool) -> Result<Self> {
        opened(config, None, logs_in).await
    }

    /// As [`ServerStream::open`], to the node of a cluster at `address`, which is `host:port`.
    ///
    /// # Errors
    /// If the node cannot be reached or rejects the login.
    pub async fn open_node(config: &RedisConfig, address: &str, logs_in: bool) -> Result<Self> {
        opened(config, Some(address), logs_in).await
    }

    async fn log_in(&mut self, user: Option<&str>, password: &str) -> Result<()> {
        let words: Vec<&str> = ["AUTH"].into_iter().chain(user).chain([password]).collect();
        let mut command = format!("*{}\r\n", words.len());
        for word in words {
            command.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        let answer = self.ask_line(command.as_bytes()).await;
        let answer = answer.map_err(|error| {
            let what = format!("the connection broke at the login ({error})");
            Error::new(ErrorKind::Interrupted, "connect", what)
        })?;
        if answer.starts_with('+') {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Authentication,
            "connect",
            format!(
                "the server refuses the login: {}",
                secrets::unless_in(answer.trim_start_matches('-'))
            ),
        ))
    }

    /// Sends a command and reads an answer of exactly one line.
    ///
    /// # Errors
    /// If the connection breaks, or the line is not text of less than a kilobyte.
    pub async fn ask_line(&mut self, command: &[u8]) -> io::Result<String> {
        const LONGEST: usize = 1024;
        self.write_all(command).await?;
        self.flush().await?;
        let mut line = Vec::new();
        loop {
            match self.read_u8().await? {
                // A server that delays its answer sends empty lines as a sign of life.
                b'\n' if line.is_empty() => {}
                b'\n' => break,
                byte => line.push(byte),
            }
            if line.len() > LONGEST {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        line.pop();
        String::from_utf8(line).map_err(|_| io::ErrorKind::InvalidData.into())
    }
}

impl AsyncRead for ServerStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for ServerStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
