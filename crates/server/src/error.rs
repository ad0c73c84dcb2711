//! Why the server did not start, or ended.

use std::io;
use std::net::SocketAddr;

/// Why the server did not start, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The address is taken, or not of this machine.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The token is not usable.
    #[error("a token has at least 16 visible characters and no spaces")]
    Token,
    /// It would answer other machines without a token.
    #[error(
        "{0} is reachable from other machines: name a token with --token-file, or listen on 127.0.0.1"
    )]
    NeedsToken(SocketAddr),
}
