//! Sockets of programs: TCP, TLS and Unix.

use std::fmt;
use std::time::Duration;

use tokio_rustls::TlsAcceptor;

use crate::session::Duplex;

/// So long a program has to greet over TLS.
const GREETING: Duration = Duration::from_secs(10);

/// A connection that was accepted, on its way to a thread.
pub(crate) enum Incoming {
    Tcp(std::net::TcpStream, Option<TlsAcceptor>),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Incoming")
    }
}

impl Incoming {
    /// The socket for the runtime of this thread; `None` if the connection has failed.
    pub(crate) async fn open(self) -> Option<Box<dyn Duplex>> {
        match self {
            Self::Tcp(stream, tls) => {
                let stream = tokio::net::TcpStream::from_std(stream).ok()?;
                let _ = stream.set_nodelay(true);
                match tls {
                    None => Some(Box::new(stream)),
                    Some(tls) => {
                        let greeted =
                            tokio::time::timeout(GREETING, tls.accept(stream)).await.ok()?;
                        match greeted {
                            Ok(stream) => Some(Box::new(stream)),
                            Err(error) => {
                                tracing::debug!("a program's TLS greeting failed: {error}");
                                None
                            }
                        }
                    }
                }
            }
            #[cfg(unix)]
            Self::Unix(stream) => Some(Box::new(tokio::net::UnixStream::from_std(stream).ok()?)),
        }
    }
}
