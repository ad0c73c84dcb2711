//! The addresses on which programs connect.

use std::io;
use std::path::PathBuf;

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio_rustls::TlsAcceptor;

use crate::socket::Incoming;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// A socket that listens already, as a service manager hands it over.
#[derive(Debug)]
#[non_exhaustive]
pub enum Socket {
    /// On an address and a port.
    Tcp(std::net::TcpListener),
    /// On a path.
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener),
}

/// One address.
pub(crate) enum Listener {
    Tcp(TcpListener, Option<TlsAcceptor>),
    #[cfg(unix)]
    Unix(UnixListener, PathBuf, Owner),
}

/// Whose the file of a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The front's: it is removed at the end.
    Front,
    /// The service manager's.
    Manager,
}

impl Listener {
    /// `host:port` or `unix:/path`. A socket file that nobody listens on is replaced.
    pub(crate) async fn bind(address: &str, tls: Option<&TlsAcceptor>) -> io::Result<Self> {
        #[cfg(unix)]
        if let Some(path) = address.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            if path.exists() && tokio::net::UnixStream::connect(&path).await.is_err() {
                std::fs::remove_file(&path)?;
            }
            return Ok(Self::Unix(UnixListener::bind(&path)?, path, Owner::Front));
        }
        let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in tokio::net::lookup_host(address).await? {
            let socket = match address {
                std::net::SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4()?,
                std::net::SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6()?,
            };
            socket.set_reuseaddr(true)?;
            match socket.bind(address).and_then(|()| socket.listen(BACKLOG)) {
                Ok(listener) => return Ok(Self::Tcp(listener, tls.cloned())),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// A socket that listens already.
    pub(crate) fn inherited(socket: Socket, tls: Option<&TlsAcceptor>) -> io::Result<Self> {
        match socket {
            Socket::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                Ok(Self::Tcp(TcpListener::from_std(listener)?, tls.cloned()))
            }
            #[cfg(unix)]
            Socket::Unix(listener) => {
                listener.set_nonblocking(true)?;
                let address = listener.local_addr()?;
                let path = address.as_pathname().map(PathBuf::from).unwrap_or_default();
                Ok(Self::Unix(UnixListener::from_std(listener)?, path, Owner::Manager))
            }
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        match self {
            Self::Tcp(listener, _) => {
                listener.local_addr().map_or_else(|_| String::new(), |address| address.to_string())
            }
            #[cfg(unix)]
            Self::Unix(_, path, _) => format!("unix:{}", path.display()),
        }
    }

    /// The next program.
    pub(crate) async fn accept(&self) -> io::Result<Incoming> {
        match self {
            Self::Tcp(listener, tls) => {
                let (stream, _) = listener.accept().await?;
                Ok(Incoming::Tcp(stream.into_std()?, tls.clone()))
            }
            #[cfg(unix)]
            Self::Unix(listener, ..) => Ok(Incoming::Unix(listener.accept().await?.0.into_std()?)),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Self::Unix(_, path, Owner::Front) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}
