//! The files of a TLS connection.

use std::path::PathBuf;

/// Files for TLS, in PEM form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsFiles {
    /// The certificate of the authority that signed the server's certificate; by default the system's.
    pub ca: Option<PathBuf>,
    /// This client's certificate, for servers that require one.
    pub certificate: Option<PathBuf>,
    /// The private key of `certificate`.
    pub key: Option<PathBuf>,
}
