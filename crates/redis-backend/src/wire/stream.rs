//! The raw bytes of a server after the login, for exchanges that are not request and response.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use compartment_core::{Error, ErrorKind, Result, TlsFiles};
use redis::ConnectionAddr;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::secrets;
use crate::wire::connector::Connector;
use crate::{RedisConfig, Server};

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// An open connection to a server, logged in, in database 0, with RESP2. Its bytes are not interpreted.
pub struct ServerStream(Box<dyn Duplex>);

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
        let config = self.config();
        let limit = config.connect_timeout * 4;
        let opened = tokio::time::timeout(limit, open(config)).await.unwrap_or_else(|_| {
            let late = format!("no connection within {limit:?}; the server is busy or gone");
            Err(Error::new(ErrorKind::Unavailable, "connect", late))
        });
        opened.map_err(|error| {
            Error::new(error.kind(), "connect", format!("{}: {}", config.url, error.message()))
        })
    }
}

async fn open(config: &RedisConfig) -> Result<ServerStream> {
    let info = Connector::new(config, 0, String::new())?.locate().await?;
    let mut stream = match info.addr() {
        ConnectionAddr::Tcp(host, port) => ServerStream(Box::new(tcp(host, *port).await?)),
        ConnectionAddr::TcpTls { host, port, .. } => {
            let tls = TlsConnector::from(Arc::new(client_config(&config.tls)?));
            let name = ServerName::try_from(host.clone())
                .map_err(|_| wrong(format!("{host:?} is not a valid host name for TLS")))?;
            let plain = tcp(host, *port).await?;
            let stream = tls.connect(name, plain).await.map_err(|error| {
                let what = format!("TLS is refused: {error}; check port and certificates");
                Error::new(ErrorKind::Protocol, "connect", what)
            })?;
            ServerStream(Box::new(stream))
        }
        #[cfg(unix)]
        ConnectionAddr::Unix(path) => {
            let stream = tokio::net::UnixStream::connect(path).await;
            ServerStream(Box::new(stream.map_err(unreachable)?))
        }
        _ => return Err(wrong("the address is of a kind that is not known".into())),
    };
    let settings = info.redis_settings();
    if let Some(password) = settings.password() {
        stream.log_in(settings.username(), password).await?;
    }
    Ok(stream)
}

async fn tcp(host: &str, port: u16) -> Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await.map_err(unreachable)?;
    // Messages are small, and the peer waits for them.
    stream.set_nodelay(true).map_err(unreachable)?;
    Ok(stream)
}

fn unreachable(error: io::Error) -> Error {
    let what = format!("the server cannot be reached ({error})");
    Error::new(ErrorKind::Unavailable, "connect", what)
}

fn wrong(what: String) -> Error {
    Error::new(ErrorKind::Configuration, "connect", what)
}

fn client_config(files: &TlsFiles) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = &files.ca {
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(|error| bad_file(path, &error))?;
        }
    } else {
        // One invalid certificate of the system must not prevent the use of the others.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(format!("TLS cannot be used: {error}")))?
        .with_root_certificates(roots);
    match (&files.certificate, &files.key) {
        (Some(certificate), Some(key)) => {
            let secret =
                PrivateKeyDer::from_pem_file(key).map_err(|error| bad_file(key, &error))?;
            builder
                .with_client_auth_cert(certificates(certificate)?, secret)
                .map_err(|error| bad_file(certificate, &error))
        }
        (None, None) => Ok(builder.with_no_client_auth()),
        _ => Err(wrong("tls_certificate and tls_key belong together".into())),
    }
}

fn certificates(path: &std::path::Path) -> Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| bad_file(path, &error))
}

fn bad_file(path: &std::path::Path, error: &dyn fmt::Display) -> Error {
    wrong(format!("the TLS file {} cannot be used: {error}", path.display()))
}

impl ServerStream {
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
