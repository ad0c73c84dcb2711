//! The files that a connection with TLS needs.

use std::path::PathBuf;

/// Files for TLS, in PEM form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsFiles {
    /// The authority that signed the server's certificate; the system's unless given.
    pub ca: Option<PathBuf>,
    /// This client's certificate, where the server asks for one.
    pub certificate: Option<PathBuf>,
    /// The key of `certificate`.
    pub key: Option<PathBuf>,
}
