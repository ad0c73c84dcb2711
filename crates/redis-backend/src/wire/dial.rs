//! Opens a socket to a server: TCP, TLS or a Unix socket, before anything is said.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use compartment_core::{Error, ErrorKind, Result, TlsFiles};
use redis::{ConnectionAddr, RedisError, RedisResult};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// An open connection of raw bytes.
pub(crate) type Socket = Box<dyn Duplex>;
/// Its side that receives.
pub(crate) type Receiver = Box<dyn AsyncRead + Send + Unpin>;
/// Its side that sends.
pub(crate) type Sender = Box<dyn AsyncWrite + Send + Unpin>;

pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {
    /// Both sides, for use by different tasks.
    fn sides(self: Box<Self>) -> (Receiver, Sender);
}

/// The sides of a stream that have nothing in common: neither waits for the other.
macro_rules! independent_sides {
    ($stream:ty) => {
        impl Duplex for $stream {
            fn sides(self: Box<Self>) -> (Receiver, Sender) {
                let (receiver, sender) = self.into_split();
                (Box::new(receiver), Box::new(sender))
            }
        }
    };
}

/// The sides of a stream that is one state machine, behind a lock.
macro_rules! locked_sides {
    ($stream:ty) => {
        impl Duplex for $stream {
            fn sides(self: Box<Self>) -> (Receiver, Sender) {
                let (receiver, sender) = tokio::io::split(*self);
                (Box::new(receiver), Box::new(sender))
            }
        }
    };
}

independent_sides!(TcpStream);
#[cfg(unix)]
independent_sides!(tokio::net::UnixStream);
locked_sides!(tokio_rustls::client::TlsStream<TcpStream>);
#[cfg(test)]
locked_sides!(tokio::io::DuplexStream);

/// Opens sockets with the certificates of one instance.
pub(crate) struct Dialer {
    files: TlsFiles,
    /// Read from the files, and from the system, when the first socket is opened.
    tls: std::sync::OnceLock<Arc<ClientConfig>>,
}

impl Dialer {
    pub(crate) fn new(files: TlsFiles) -> Self {
        Self { files, tls: std::sync::OnceLock::new() }
    }

    /// Connects. The caller bounds the time.
    pub(crate) async fn open(&self, address: &ConnectionAddr) -> RedisResult<Socket> {
        Ok(match address {
            ConnectionAddr::Tcp(host, port) => Box::new(tcp(host, *port).await?),
            ConnectionAddr::TcpTls { host, port, .. } => {
                let connector = TlsConnector::from(self.tls()?);
                let name = ServerName::try_from(host.clone())
                    .map_err(|_| wrong("the host name is not valid for TLS", host.clone()))?;
                let plain = tcp(host, *port).await?;
                Box::new(connector.connect(name, plain).await?)
            }
            #[cfg(unix)]
            ConnectionAddr::Unix(path) => Box::new(tokio::net::UnixStream::connect(path).await?),
            other => return Err(wrong("an address of an unknown kind", other.to_string())),
        })
    }

    fn tls(&self) -> RedisResult<Arc<ClientConfig>> {
        if let Some(tls) = self.tls.get() {
            return Ok(Arc::clone(tls));
        }
        let tls = client_config(&self.files).map_err(|error| {
            wrong("the certificates cannot be used", error.message().to_owned())
        })?;
        Ok(Arc::clone(self.tls.get_or_init(|| Arc::new(tls))))
    }
}

/// Connects to the first of the host's addresses that answers.
async fn tcp(host: &str, port: u16) -> RedisResult<TcpStream> {
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
    if addresses.is_empty() {
        return Err(wrong("No address found for host", host.to_owned()));
    }
    let attempts = addresses.into_iter().map(|address| Box::pin(TcpStream::connect(address)));
    let (stream, _) = futures_util::future::select_ok(attempts).await?;
    // Messages are small, and the peer waits for them.
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn wrong(what: &'static str, detail: String) -> RedisError {
    (redis::ErrorKind::InvalidClientConfig, what, detail).into()
}

fn unusable(what: String) -> Error {
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
        .map_err(|error| unusable(format!("TLS cannot be used: {error}")))?
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
        _ => Err(unusable("tls_certificate and tls_key belong together".into())),
    }
}

fn certificates(path: &std::path::Path) -> Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| bad_file(path, &error))
}

fn bad_file(path: &std::path::Path, error: &dyn fmt::Display) -> Error {
    unusable(format!("the TLS file {} cannot be used: {error}", path.display()))
}
